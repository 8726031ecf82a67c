"""`python collect.py LABEL`: records takes at the terminal or in a camera window."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from enum import Enum
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from moodmesh import quality, takes
from moodmesh.errors import UserError
from moodmesh.face import draw_mesh
from moodmesh.holistic import Body, Kind, draw_body
from moodmesh.recording import (
    SECONDS,
    Recording,
    Seen,
    brightness,
    camera,
    has_display,
    picture_files,
    source,
    stills,
    video,
)
from moodmesh.takes import Take

COUNTDOWN_S = 3.0
WINDOW = "moodmesh"
_SPACE, _ESCAPE = 32, 27
_INK, _PAPER, _RED = (38, 48, 47), (250, 250, 248), (229, 72, 77)


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    made = argparse.ArgumentParser(
        prog="collect.py",
        description="Records samples of your expression. Only landmarks are kept, no picture.",
        epilog="In the camera window: space records, u takes the last take back, q leaves.",
    )
    made.add_argument("label", help="what the expression is called, e.g. happy or wink")
    made.add_argument(
        "--source",
        default="0",
        metavar="0|VIDEO|FOLDER",
        help="a camera's number, a video file, or a folder of pictures (one take) (default: 0)",
    )
    made.add_argument(
        "--seconds",
        type=float,
        help=f"length of a take (default: {SECONDS:g} from a camera, all of a video)",
    )
    made.add_argument("--data", type=Path, default=takes.FOLDER, help="where takes are kept")
    made.add_argument(
        "--holistic",
        action="store_true",
        help="record hands and shoulders as well, for labels such as 'thumbs up'",
    )
    made.add_argument("--no-window", action="store_true", help="record without a camera window")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Records what the arguments ask for."""
    args = parser().parse_args(argv)
    label = takes.check_label(args.label)
    if args.seconds is not None and not args.seconds > 0:
        raise UserError("--seconds must be more than 0.")
    kind: Kind = "holistic" if args.holistic else "face"
    recording = Recording(label, kind)
    chosen = source(args.source)
    if chosen.camera is not None:
        seconds = args.seconds or SECONDS
        if not args.no_window:
            if not has_display():
                raise UserError(
                    "There is no display to show the camera window on. Add --no-window to record "
                    "without it."
                )
            return _window(recording, chosen.camera, seconds, args.data)
        frames = _counted_down(camera(chosen.camera, kind), seconds)
        return _record(recording, frames, args.data)
    if chosen.folder is not None:
        files = picture_files(chosen.folder)
        pictures = _progress(stills(files, kind), len(files), "pictures")
        return _record(recording, pictures, args.data)
    assert chosen.video is not None
    seen = _progress(video(chosen.video, args.seconds, kind), None, "frames")
    return _record(recording, seen, args.data)


def _progress(
    seen: Iterator[Seen | UserError], total: int | None, unit: str
) -> Iterator[Seen | UserError]:
    with tqdm(seen, total=total, unit=f" {unit}", file=sys.stderr, disable=None) as bar:
        yield from bar


def _counted_down(seen: Iterator[Seen], seconds: float) -> Iterator[Seen]:
    """The frames of one take, after a countdown that is told at the terminal."""
    start_s = time.monotonic()
    told = 0
    for _ in seen:
        waited_s = time.monotonic() - start_s
        left = int(np.ceil(COUNTDOWN_S - waited_s))
        if left > 0:
            if left != told:
                print(f"{left} …", file=sys.stderr, flush=True)
            told = left
            continue
        break
    with tqdm(total=seconds, unit=" s", file=sys.stderr, disable=None) as bar:
        start_s = time.monotonic()
        for frame in seen:
            passed_s = time.monotonic() - start_s
            bar.update(round(min(passed_s, seconds) - bar.n, 1))
            if passed_s >= seconds:
                return
            yield frame


def _record(recording: Recording, seen: Iterator[Seen | UserError], folder: Path) -> int:
    """One take of these frames; what was recorded before a fault or Ctrl-C is kept."""
    status = 0
    fault: UserError | None = None
    unreadable: list[UserError] = []
    try:
        for frame in seen:
            if isinstance(frame, UserError):
                unreadable.append(frame)
                continue
            _add(recording, frame)
    except KeyboardInterrupt:
        status = 130
    except UserError as error:
        fault = error
    for problem in unreadable:
        print(f"Left out: {problem}", file=sys.stderr)
    if recording.found:
        _keep(recording, folder)
    elif not status and not fault:
        recording.take()  # raises the error that says why there is none
    if fault:
        raise fault
    return status


def _add(recording: Recording, frame: Seen) -> None:
    recording.add(frame.found, frame.time_ms, brightness(frame.rgb))


def _keep(recording: Recording, folder: Path) -> Path:
    """Writes the take, tells of it and what could be better; returns its path."""
    take = recording.take()
    path = takes.write(take, folder)
    print(f"Kept {len(take)} samples of '{take.label}' ({_shares(take, recording.frames)}): {path}")
    newest = takes.newest(folder, quality.TAKES + 2)
    before = [one for one in newest.pop(take.label, []) if one != path]
    mine, _ = takes.read_paths(before[-quality.TAKES - 1 :])
    others, _ = takes.read_paths(paths[-1] for paths in newest.values())
    for hint in quality.hints(take, recording.frames, float(np.mean(recording.brightness)), others):
        print(f"  {hint.text}")
    same = [other for other in mine if other.kind == take.kind]
    if next_step := quality.advice({take.label: [*same, take]})[0].text:
        print(f"  Next for '{take.label}': {next_step}.")
    return path


class _State(Enum):
    READY = "space: record"
    COUNTDOWN = "get ready"
    RECORDING = "recording"


def _window(recording: Recording, number: int, seconds: float, folder: Path) -> int:
    """The camera window: any number of takes until q is pressed."""
    state = _State.READY
    since_s = 0.0
    label, kind = recording.label, recording.kind
    kept: list[Path] = []
    frames = camera(number, kind)
    cv2.namedWindow(WINDOW, cv2.WINDOW_AUTOSIZE)
    status = 0
    try:
        for frame in frames:
            now_s = time.monotonic()
            if state is _State.COUNTDOWN and now_s - since_s >= COUNTDOWN_S:
                state, since_s = _State.RECORDING, now_s
                recording = Recording(label, kind)
            if state is _State.RECORDING:
                _add(recording, frame)
                if now_s - since_s >= seconds:
                    state = _State.READY
                    kept += _keep_if_any(recording, folder)
                    recording = Recording(label, kind)
            left_s = (COUNTDOWN_S if state is _State.COUNTDOWN else seconds) - (now_s - since_s)
            cv2.imshow(WINDOW, picture(frame, state.value, left_s, len(recording.found), len(kept)))
            key = cv2.waitKey(1) & 0xFF
            closed = cv2.getWindowProperty(WINDOW, cv2.WND_PROP_VISIBLE) < 1
            if key in (ord("q"), _ESCAPE) or closed:
                break
            if key == _SPACE and state is _State.READY:
                state, since_s = _State.COUNTDOWN, now_s
            if key == ord("u") and kept and state is _State.READY:
                takes.delete(undone := kept.pop())
                print(f"Deleted {undone}")
    except KeyboardInterrupt:
        status = 130
    finally:
        if recording.found:
            kept += _keep_if_any(recording, folder)
        frames.close()  # type: ignore[attr-defined]
        cv2.destroyAllWindows()
    print(f"{len(kept)} takes of '{label}' were recorded.")
    return status


def _shares(take: Take, frames: int) -> str:
    """In how many frames which part was seen."""
    if take.seen is None:
        return f"a face in {100 * len(take) / frames:.0f}%"
    face, left, right, upper = (100 * take.seen.sum(axis=0) / frames).round().astype(int)
    return f"face in {face}%, left hand {left}%, right hand {right}%, shoulders {upper}%"


def _keep_if_any(recording: Recording, folder: Path) -> list[Path]:
    try:
        return [_keep(recording, folder)]
    except UserError as error:
        print(error, file=sys.stderr)
        return []


def picture(frame: Seen, state: str, left_s: float, samples: int, kept: int) -> np.ndarray:
    """What the window shows: the mirrored picture with mesh, state and keys; BGR for OpenCV."""
    rgb = frame.rgb.copy()
    if isinstance(frame.found, Body):
        draw_body(rgb, frame.found)
    elif frame.found is not None:
        draw_mesh(rgb, frame.found)
    rgb = np.ascontiguousarray(rgb[:, ::-1])
    height, width = rgb.shape[:2]
    scale = height / 480
    cv2.rectangle(rgb, (0, height - round(44 * scale)), (width, height), _INK, -1)
    _write(rgb, f"space: record   u: undo   q: leave   takes: {kept}", (12, -14), 0.6, _PAPER)
    face = frame.found.face if isinstance(frame.found, Body) else frame.found
    dark = brightness(frame.rgb) < quality.DARK
    if wrong := quality.at_once(face, dark, seen=frame.found is not None):
        _write(rgb, wrong, (12, 30), 0.7, _RED)
    if state == _State.COUNTDOWN.value:
        _write(rgb, f"{max(1, int(np.ceil(left_s)))}", (width / 2 / scale - 20, 250), 3, _PAPER)
    elif state == _State.RECORDING.value:
        cv2.circle(rgb, (round(24 * scale), round(58 * scale)), round(9 * scale), _RED, -1)
        _write(rgb, f"{samples} samples, {max(0.0, left_s):.1f} s left", (44, 65), 0.7, _RED)
    return np.ascontiguousarray(rgb[:, :, ::-1])


def _write(
    rgb: np.ndarray,
    text: str,
    place: tuple[float, float],
    size: float,
    colour: tuple[int, int, int],
) -> None:
    """Text at a place in a picture 480 pixels high; a negative height counts from below."""
    scale = rgb.shape[0] / 480
    x, y = round(place[0] * scale), round(place[1] * scale)
    y = y + rgb.shape[0] if y < 0 else y
    thickness = max(1, round(2 * scale))
    cv2.putText(rgb, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size * scale, colour, thickness, 16)
