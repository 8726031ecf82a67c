"""`python -m moodmesh benchmark`: how fast this machine runs the live path, stage by stage.

Machines differ and are shared, so each figure stands beside its floor, measured in the same run
on the same frames, in turn: the landmarker alone, what the work of a stage would cost bare, and the
well-known pipeline of this kind (moodmesh/reference.py). Writes benchmark.json and benchmark.png.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import platform
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from aiortc.codecs.vpx import Vp8Decoder, Vp8Encoder, vp8_depayload
from aiortc.jitterbuffer import JitterFrame

from moodmesh import bundle, crowd, pictures
from moodmesh import face as faces
from moodmesh.bundle import Bundle
from moodmesh.classifier import Classifier
from moodmesh.errors import UserError
from moodmesh.face import Face, FaceTracker, as_image, connections, draw_mesh
from moodmesh.features import feature_vector
from moodmesh.live import Stream

FRAMES = 150
WARM_UP = 20
FPS = crowd.LIVE_FPS
# A number of sessions counts as carried where each gets this share of its frames done.
CARRIED = 0.95
TRIAL_SECONDS = 3.0
MOST_SESSIONS = 64
OVERLOAD_SECONDS = 6.0
ROOT = Path(__file__).resolve().parent.parent


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "--source", type=Path, metavar="IMAGE", help="a picture with a face (default: a drawn one)"
    )
    parser.add_argument("--frames", type=int, default=FRAMES, help="(default: %(default)s)")
    parser.add_argument("--json", action="store_true")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("artefacts"),
        metavar="FOLDER",
        help="where benchmark.json and benchmark.png go (default: %(default)s)",
    )


def run(args: argparse.Namespace) -> int:
    """Measures, writes and prints."""
    if args.frames < 1:
        raise UserError("--frames takes a number from 1 on.")
    result = measure(_frame(args.source), args.frames)
    try:
        args.out.mkdir(parents=True, exist_ok=True)
        (args.out / "benchmark.json").write_text(json.dumps(result, indent=1) + "\n")
        draw(result, args.out / "benchmark.png")
    except OSError as error:
        raise UserError(f"{args.out} cannot be written ({error.strerror}).") from error
    print(json.dumps(result, indent=1) if args.json else as_text(result))
    return 0


def measure(rgb: np.ndarray, frames: int = FRAMES) -> dict[str, Any]:
    """All figures for one picture, uint8 (480, 640, 3), shown as a still video."""
    startup, server_mb = _server()
    startup["import_to_first_frame"] = _first_frame_s()
    model = bundle.read(bundle.GENERAL)
    classifier = Classifier(model)
    with FaceTracker() as tracker:
        found = tracker.track(rgb, 0)
        if not found:
            raise UserError("There is no face in this picture. Choose another with --source.")
        face = found[0]
    stages, floors = _stages(rgb, face, classifier, frames)
    frame = _yuv(rgb)
    with FaceTracker() as alone, _as_shipped(rgb) as shipped, _reference(rgb) as reference:
        # Others first, so that the session's memory is new, not what the stages have let go.
        alone.track(rgb, 0)
        shipped(-1)
        before_mb = _memory_mb()
        stream = Stream(model)
        stream.recv(frame)
        session_mb = _memory_mb() - before_mb
        # All take turns, so that a noisy moment of the machine falls on each.
        times = _times_in_turn(
            {
                "shipped": shipped,
                "alone": lambda number: alone.track(rgb, (number + 1) * 66),
                "total": lambda number: stream.recv(frame),
            },
            frames,
        )
        with_reference = _against(reference, lambda: stream.recv(frame), max(3, frames // 10))
    stream.on_ended()
    total = times["total"]
    return {
        "machine": {
            "processor": _processor(),
            "cores": crowd.cores(),
            "python": platform.python_version(),
            "load_before": round(os.getloadavg()[0], 1),
        },
        "frame_ms": {
            "landmarker_as_shipped": times["shipped"],
            "landmarker_alone": times["alone"],
            "total": total,
            "ratio_to_shipped": round(total["median"] / times["shipped"]["median"], 3),
            "ratio_to_landmarker": round(total["median"] / times["alone"]["median"], 3),
            "cpu_ratio_to_landmarker": round(total["cpu"] / max(times["alone"]["cpu"], 1e-9), 3),
            "stages": stages,
            "floors": floors,
            "codec": _codec(rgb, frames),
        },
        "reference_ms": with_reference,
        "overloaded": _overloaded(model, frame, min(OVERLOAD_SECONDS, frames / FPS)),
        "sessions_at_15_fps": _sessions(model, rgb, min(TRIAL_SECONDS, frames / FPS)),
        "sessions_allowed": crowd.most_sessions(),
        "memory_mb": {"at_rest": round(server_mb, 1), "one_session": round(session_mb, 1)},
        "startup_s": startup,
    }


def as_text(result: dict[str, Any]) -> str:
    """The figures for people."""
    frame = result["frame_ms"]
    rows = [
        ("FaceLandmarker as shipped", frame["landmarker_as_shipped"]),
        ("our landmarker alone", frame["landmarker_alone"]),
        ("whole frame", frame["total"]),
        *((f"  {name}", figures) for name, figures in frame["stages"].items()),
        *((f"codec: {name}", figures) for name, figures in frame["codec"].items()),
    ]
    reference = result["reference_ms"]
    overloaded = result["overloaded"]
    lines = [f"{result['machine']['processor']}, {result['machine']['cores']} cores"]
    lines += [f"{'ms a frame':<28}{'median':>8}{'95%':>8}{'floor':>8}{'CPU':>8}"]
    for name, figures in rows:
        floor = frame["floors"].get(name.strip())
        bare = f"{floor:>8.2f}" if floor is not None else f"{'':>8}"
        lines.append(
            f"{name:<28}{figures['median']:>8.2f}{figures['p95']:>8.2f}{bare}{figures['cpu']:>8.2f}"
        )
    lines += [
        f"whole frame / FaceLandmarker as shipped: {frame['ratio_to_shipped']:.2f}",
        f"whole frame / our landmarker alone: {frame['ratio_to_landmarker']:.2f} "
        f"(of CPU time {frame['cpu_ratio_to_landmarker']:.2f})",
        f"the well-known pipeline: {reference['median']:.1f} ms (Holistic "
        f"{reference['holistic']:.1f}, predict {reference['predict']:.1f}, drawing "
        f"{reference['drawing']:.1f}), {reference['times_slower']:.1f} times as long",
        f"with {overloaded['busy_processes']} busy processes beside it: 95% of frames done within "
        f"{overloaded['p95_ms']:.0f} ms at {overloaded['frames_per_second']:.1f} frames a second",
        f"sessions at {FPS} frames a second, codec and all: {result['sessions_at_15_fps']} "
        f"(the app lets {result['sessions_allowed']} in)",
        f"memory: {result['memory_mb']['at_rest']:.0f} MB the server at rest, "
        f"{result['memory_mb']['one_session']:.0f} MB more for one session",
        f"start: {result['startup_s']['to_first_page']:.1f} s to the first page, "
        f"{result['startup_s']['import_to_first_frame']:.1f} s from Python to the first frame",
    ]
    return "\n".join(lines)


def draw(result: dict[str, Any], path: Path) -> None:
    """The stages as bars over their floors, and the whole beside what it is measured against."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    frame, reference = result["frame_ms"], result["reference_ms"]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4), layout="constrained")
    names = [*frame["stages"]][::-1]
    medians = [frame["stages"][name]["median"] for name in names]
    late = [frame["stages"][name]["p95"] for name in names]
    places = np.arange(len(names))
    left.barh(places, late, 0.7, color="#DDDAF7", label="95th percentile")
    left.barh(places, medians, 0.7, color="#5B4FD6", label="median")
    floors = [frame["floors"].get(name) for name in names]
    left.plot(
        [floor for floor in floors if floor is not None],
        [place for place, floor in zip(places, floors, strict=True) if floor is not None],
        "|",
        color="#F2B705",
        markersize=18,
        markeredgewidth=3,
        label="floor",
    )
    left.set_yticks(places, names)
    left.set_xlabel("ms a frame")
    left.set_title("One frame by stage", loc="left")
    left.legend(frameon=False, loc="lower right")
    whole = {
        "well-known pipeline": reference["median"],
        "moodmesh": reference["moodmesh"],
        "FaceLandmarker as shipped": frame["landmarker_as_shipped"]["median"],
        "our landmarker alone": frame["landmarker_alone"]["median"],
    }
    bars = right.barh([*whole][::-1], [*whole.values()][::-1], 0.6, color="#8A94A6")
    bars[2].set_color("#5B4FD6")
    right.bar_label(bars, fmt="%.1f", padding=4)
    right.set_xlabel("ms a frame")
    right.set_title("The whole frame, side by side", loc="left")
    right.margins(x=0.12)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def _stages(
    rgb: np.ndarray, face: Face, classifier: Classifier, frames: int
) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """Each stage's times, and its floor: the median of the bare work in it."""
    yuv = _yuv(rgb)
    canvas = rgb.copy()
    features = feature_vector(face)
    tracker = FaceTracker()
    image = as_image(rgb)
    points = np.rint(face.points * 8).astype(np.int32)
    strips = [points[edge] for edge in connections()["contours"]]
    # The floors reach behind the curtain: the same calls without anything of ours around them.
    interpreter = classifier._landmarks._interpreter
    bare = faces._landmarker(True, 1, faces.STREAM_CONFIDENCE)
    taken = _times_in_turn(
        {
            "to RGB": lambda _: yuv.to_ndarray(format="rgb24"),
            "landmarks": lambda number: tracker.track(rgb, number * 66),
            "features": lambda _: feature_vector(face),
            "classify": lambda _: classifier.of_features(features),
            "draw mesh": lambda _: draw_mesh(canvas, face),
            "to video frame": lambda _: av.VideoFrame.from_numpy_buffer(canvas, format="rgb24"),
            "floor of to RGB": lambda _: yuv.reformat(format="rgb24"),
            "floor of landmarks": lambda number: bare.detect_for_video(image, number * 66),
            "floor of features": lambda _: face.landmarks @ face.pose[:3, :3],
            "floor of classify": lambda _: interpreter.invoke(),
            "floor of draw mesh": lambda _: cv2.polylines(
                canvas, strips, False, (0, 0, 0), 1, 8, 3
            ),
        },
        frames,
    )
    tracker.close()
    bare.close()
    floors = {
        name.removeprefix("floor of "): figures["median"]
        for name, figures in taken.items()
        if name.startswith("floor of ")
    }
    return {name: f for name, f in taken.items() if not name.startswith("floor of ")}, floors


@contextmanager
def _as_shipped(rgb: np.ndarray) -> Iterator[Callable[[int], object]]:
    """FaceLandmarker as MediaPipe gives it to anyone: with its own objects for the result."""
    from mediapipe.tasks.python.vision import FaceLandmarkerResult, face_landmarker

    image, landmarker = as_image(rgb), faces._landmarker(True, 1, faces.STREAM_CONFIDENCE)

    def found(number: int) -> object:
        ours = face_landmarker.FaceLandmarkerResult
        face_landmarker.FaceLandmarkerResult = FaceLandmarkerResult
        try:
            return landmarker.detect_for_video(image, (number + 1) * 66)
        finally:
            face_landmarker.FaceLandmarkerResult = ours

    yield found
    landmarker.close()


def _codec(rgb: np.ndarray, frames: int) -> dict[str, dict[str, float]]:
    """What WebRTC's VP8 costs for one frame in and one out; not part of the whole frame."""
    coded = _coded(rgb, WARM_UP + frames)
    encoder, decoder = Vp8Encoder(), Vp8Decoder()

    def encode(number: int) -> None:
        encoder.encode(_numbered(_yuv(rgb), number))

    return _times_in_turn(
        {"decode": lambda number: decoder.decode(coded[number]), "encode": encode}, frames
    )


def _coded(rgb: np.ndarray, count: int) -> list[JitterFrame]:
    """The picture as so many frames of VP8, as a browser sends them."""
    encoder = Vp8Encoder()
    frames = []
    for number in range(count):
        packets, timestamp = encoder.encode(_numbered(_yuv(rgb), number))
        payload = b"".join(vp8_depayload(packet) for packet in packets)
        frames.append(JitterFrame(data=payload, timestamp=timestamp))
    return frames


def _numbered(frame: av.VideoFrame, number: int) -> av.VideoFrame:
    frame.pts, frame.time_base = number * 90_000 // FPS, Fraction(1, 90_000)
    return frame


def _sessions(model: Bundle, rgb: np.ndarray, seconds: float) -> int:
    """How many streams get their 15 frames a second here, each decoded, worked on and encoded."""
    coded = _coded(rgb, int(FPS * seconds) + 1)
    carried = 0
    for count in range(1, MOST_SESSIONS + 1):
        done = [0] * count
        threads = [
            threading.Thread(target=_session, args=(model, coded, done, place))
            for place in range(count)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if min(done) < CARRIED * int(FPS * seconds):
            break
        carried = count
    return carried


def _session(model: Bundle, coded: list[JitterFrame], done: list[int], place: int) -> None:
    """One live session; a frame whose time has passed is dropped."""
    stream, decoder, encoder = Stream(model), Vp8Decoder(), Vp8Encoder()
    stream.recv(_decoded(decoder, coded[0]))  # makes the landmarker, before the clock runs
    began = time.perf_counter()
    for number in range(1, len(coded)):
        due = began + number / FPS
        time.sleep(max(0.0, due - time.perf_counter()))
        frame = _decoded(decoder, coded[number])
        if time.perf_counter() - due < 1 / FPS:
            encoder.encode(_numbered(stream.recv(frame), number))
            done[place] += 1
    stream.on_ended()


def _decoded(decoder: Vp8Decoder, coded: JitterFrame) -> av.VideoFrame:
    frame = decoder.decode(coded)[0]
    assert isinstance(frame, av.VideoFrame)
    return frame


def _overloaded(model: Bundle, frame: av.VideoFrame, seconds: float) -> dict[str, float]:
    """A stream beside twice as many busy processes as there are cores: from a frame's coming to
    its being done, frames that are overtaken dropped."""
    busy = [multiprocessing.Process(target=_spin, daemon=True) for _ in range(2 * crowd.cores())]
    stream = Stream(model)
    stream.recv(frame)
    taken: list[float] = []
    loop = asyncio.new_event_loop()
    for process in busy:
        process.start()
    try:
        began = time.perf_counter()
        number = 0
        while (now := time.perf_counter()) < began + seconds:
            # The newest frame there is; the ones before it are lost.
            came = max(1, int((now - began) * FPS) - number)
            number += came
            due = began + number / FPS
            time.sleep(max(0.0, due - now))
            if loop.run_until_complete(stream.recv_queued([frame] * came)):
                taken.append(time.perf_counter() - due)
    finally:
        loop.close()
        for process in busy:
            process.terminate()
            process.join()
        stream.on_ended()
    return {
        "busy_processes": len(busy),
        "frames_per_second": round(len(taken) / seconds, 1),
        "median_ms": round(1000 * float(np.median(taken)), 1),
        "p95_ms": round(1000 * float(np.percentile(taken, 95)), 1),
    }


def _spin() -> None:
    while True:
        pass


@contextmanager
def _reference(rgb: np.ndarray) -> Iterator[subprocess.Popen[str]]:
    """The well-known pipeline, ready in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "frame.npy"
        np.save(picture, rgb)
        process = subprocess.Popen(
            [sys.executable, "-m", "moodmesh.reference", str(picture)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            _ask(process)  # it is ready, and TensorFlow has made its graph
            yield process
        finally:
            process.kill()
            process.communicate()


def _ask(process: subprocess.Popen[str]) -> dict[str, float]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    answer: dict[str, float] = json.loads(process.stdout.readline())
    return answer


def _against(
    reference: subprocess.Popen[str], ours: Callable[[], object], frames: int
) -> dict[str, float]:
    """The well-known pipeline's parts and ours, frame by frame in turn; medians in ms."""
    theirs: list[dict[str, float]] = []
    taken: list[float] = []
    for _ in range(2 + frames):
        theirs.append(_ask(reference))
        ours()  # the caches are the other process's now
        began = time.perf_counter()
        ours()
        taken.append((time.perf_counter() - began) * 1000)
    parts = ("holistic", "predict", "drawing")
    medians = {part: float(np.median([frame[part] for frame in theirs[2:]])) for part in parts}
    whole = float(np.median([sum(frame[part] for part in parts) for frame in theirs[2:]]))
    moodmesh = float(np.median(taken[2:]))
    return {
        **{part: round(value, 3) for part, value in medians.items()},
        "median": round(whole, 3),
        "moodmesh": round(moodmesh, 3),
        "times_slower": round(whole / moodmesh, 2),
    }


def _times_in_turn(
    calls: dict[str, Callable[[int], object]], frames: int
) -> dict[str, dict[str, float]]:
    """Median and 95th percentile of each call in ms, one of each after the other.

    cpu: the mean of what all threads of this process worked meanwhile; other programs on the
    machine stretch the times and leave this nearly alone.
    """
    taken: dict[str, list[float]] = {name: [] for name in calls}
    worked = dict.fromkeys(calls, 0.0)
    for number in range(WARM_UP + frames):
        for name, call in calls.items():
            began, worked_before = time.perf_counter(), time.process_time()
            call(number)
            taken[name].append((time.perf_counter() - began) * 1000)
            if number >= WARM_UP:
                worked[name] += (time.process_time() - worked_before) * 1000
    return {
        name: {
            "median": round(float(np.median(times[WARM_UP:])), 3),
            "p95": round(float(np.percentile(times[WARM_UP:], 95)), 3),
            "cpu": round(worked[name] / frames, 3),
        }
        for name, times in taken.items()
    }


def _frame(source: Path | None) -> np.ndarray:
    """The picture as 640x480, padded to keep its shape."""
    if source is None:
        try:
            import skimage.data
        except ImportError:
            raise UserError(
                "Name a picture with a face: python -m moodmesh benchmark --source me.jpg"
            ) from None
        # Eileen Collins, NASA, public domain: her face at twice its size, as at a desk.
        return np.ascontiguousarray(cv2.resize(skimage.data.astronaut()[:240, 66:386], (640, 480)))
    rgb = pictures.read(source)
    scale = min(640 / rgb.shape[1], 480 / rgb.shape[0])
    small = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    height, width = small.shape[:2]
    return cv2.copyMakeBorder(small, 0, 480 - height, 0, 640 - width, cv2.BORDER_CONSTANT)


def _server() -> tuple[dict[str, float], float]:
    """Seconds from starting the app to its first page, and its memory in MB a moment later."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "app.py", "--port", str(port), "--no-browser"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while True:
            with suppress(OSError):
                urllib.request.urlopen(f"http://localhost:{port}/", timeout=5).close()
                break
            if process.poll() is not None or time.perf_counter() - began > 120:
                raise UserError("The app does not start here. Try: make app")
            time.sleep(0.02)
        seconds = time.perf_counter() - began
        time.sleep(1.0)
        return {"to_first_page": round(seconds, 2)}, _memory_mb(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _first_frame_s() -> float:
    """Seconds from starting Python to the first frame worked on, in a process of its own."""
    code = (
        "import av, numpy as np; from moodmesh import bundle, live; "
        "s = live.Stream(bundle.read(bundle.GENERAL)); "
        "s.recv(av.VideoFrame.from_ndarray(np.zeros((480, 640, 3), np.uint8), format='rgb24')); "
        "s.on_ended()"
    )
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd=ROOT)
    return round(time.perf_counter() - began, 2)


def _yuv(rgb: np.ndarray) -> av.VideoFrame:
    """The picture as a decoder gives it."""
    return av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="yuv420p")


def _memory_mb(process: int | str = "self") -> float:
    """Resident memory of a process in MB; 0 where /proc does not tell."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
