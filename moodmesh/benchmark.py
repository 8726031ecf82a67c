"""`python -m moodmesh benchmark`: how fast this machine runs the live path, stage by stage.

Machines differ and are shared, so each figure stands beside its floor, measured in the same run
on the same frames: the landmarker alone, and the well-known pipeline of this kind.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from moodmesh import bundle, pictures
from moodmesh.classifier import Classifier
from moodmesh.errors import UserError
from moodmesh.face import Face, FaceTracker, draw_mesh
from moodmesh.features import feature_vector
from moodmesh.live import Stream

FRAMES = 150
WARM_UP = 20
FRAME_MS = 1000 / 15
# Leaves room for the codec, the web server and everything else on the machine.
USABLE_SHARE = 0.7


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "--source", type=Path, metavar="IMAGE", help="a picture with a face (default: a drawn one)"
    )
    parser.add_argument("--frames", type=int, default=FRAMES, help="(default: %(default)s)")
    parser.add_argument("--json", action="store_true")


def run(args: argparse.Namespace) -> int:
    """Measures and prints."""
    if args.frames < 1:
        raise UserError("--frames takes a number from 1 on.")
    result = measure(_frame(args.source), args.frames)
    print(json.dumps(result, indent=1) if args.json else as_text(result))
    return 0


def measure(rgb: np.ndarray, frames: int = FRAMES) -> dict[str, Any]:
    """All figures for one picture, uint8 (480, 640, 3), shown as a still video."""
    memory = {"at_rest": _memory_mb()}
    model = bundle.read(bundle.GENERAL)
    classifier = Classifier(model)
    with FaceTracker() as tracker:
        found = tracker.track(rgb, 0)
        if not found:
            raise UserError("There is no face in this picture. Choose another with --source.")
        face = found[0]
    stages = _stages(rgb, face, classifier, frames)
    stream = Stream(model)
    frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="yuv420p")
    # The two take turns, so that a noisy moment of the machine falls on both.
    with FaceTracker() as alone:
        times = _times_in_turn(
            {
                "alone": lambda number: alone.track(rgb, number * 66),
                "total": lambda number: stream.recv(frame),
            },
            frames,
        )
    memory["one_session"] = _memory_mb() - memory["at_rest"]
    stream.on_ended()
    total = times["total"]
    return {
        "machine": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
        },
        "frame_ms": {
            "landmarker_alone": times["alone"],
            "total": total,
            "ratio_to_landmarker": round(total["median"] / times["alone"]["median"], 3),
            "stages": stages,
        },
        "sessions_at_15_fps": int(
            (os.cpu_count() or 1) * USABLE_SHARE * FRAME_MS / total["median"]
        ),
        "memory_mb": {name: round(value, 1) for name, value in memory.items()},
        "startup_s": {"import_to_first_frame": _startup_s()},
    }


def as_text(result: dict[str, Any]) -> str:
    """The figures for people."""
    frame = result["frame_ms"]
    rows = [
        ("landmarker alone", frame["landmarker_alone"]),
        ("whole frame", frame["total"]),
        *((f"  {name}", figures) for name, figures in frame["stages"].items()),
    ]
    lines = [f"{result['machine']['processor']}, {result['machine']['cores']} cores"]
    lines += [f"{'ms a frame':<24}{'median':>8}{'95%':>8}"]
    lines += [f"{name:<24}{f['median']:>8.2f}{f['p95']:>8.2f}" for name, f in rows]
    lines += [
        f"whole frame / landmarker alone: {frame['ratio_to_landmarker']:.2f}",
        f"sessions at 15 frames a second: {result['sessions_at_15_fps']}",
        f"memory: {result['memory_mb']['at_rest']:.0f} MB at rest, "
        f"{result['memory_mb']['one_session']:.0f} MB more for one session",
        f"start to first frame: {result['startup_s']['import_to_first_frame']:.1f} s",
    ]
    return "\n".join(lines)


def _stages(
    rgb: np.ndarray, face: Face, classifier: Classifier, frames: int
) -> dict[str, dict[str, float]]:
    yuv = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="yuv420p")
    canvas = rgb.copy()
    features = feature_vector(face)
    return _times_in_turn(
        {
            "to RGB": lambda _: yuv.to_ndarray(format="rgb24"),
            "features": lambda _: feature_vector(face),
            "classify": lambda _: classifier.of_features(features),
            "draw mesh": lambda _: draw_mesh(canvas, face),
            "to video frame": lambda _: av.VideoFrame.from_ndarray(canvas, format="rgb24"),
        },
        frames,
    )


def _times_in_turn(
    calls: dict[str, Callable[[int], object]], frames: int
) -> dict[str, dict[str, float]]:
    """Median and 95th percentile of each call in ms, one of each after the other."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(WARM_UP + frames):
        for name, call in calls.items():
            began = time.perf_counter()
            call(number)
            taken[name].append((time.perf_counter() - began) * 1000)
    return {
        name: {
            "median": round(float(np.median(times[WARM_UP:])), 3),
            "p95": round(float(np.percentile(times[WARM_UP:], 95)), 3),
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


def _startup_s() -> float:
    """Seconds from starting Python to the first frame worked on, in a process of its own."""
    code = (
        "import av, numpy as np; from moodmesh import bundle, live; "
        "s = live.Stream(bundle.read(bundle.GENERAL)); "
        "s.recv(av.VideoFrame.from_ndarray(np.zeros((480, 640, 3), np.uint8), format='rgb24')); "
        "s.on_ended()"
    )
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        cwd=Path(__file__).resolve().parent.parent,
    )
    return round(time.perf_counter() - began, 2)


def _memory_mb() -> float:
    """Resident memory of this process in MB; 0 where /proc does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
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
