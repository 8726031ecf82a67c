"""Recording a take: from a camera, a video file or a folder of pictures.

Only landmarks leave this module. A camera or a video is followed frame by frame; pictures of a
folder are searched one by one and make one take, because such a folder is usually one sitting.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import overload

import cv2
import numpy as np

from moodmesh import pictures
from moodmesh.errors import UserError
from moodmesh.face import Face, FaceFinder, FaceTracker
from moodmesh.holistic import Body, HolisticFinder, HolisticTracker, Kind
from moodmesh.takes import MOST_FRAMES, Take, check_label

# Long enough for a person to move a little, short enough to hold an expression.
SECONDS = 5.0
# Every how many pixels the brightness is measured: a 640x480 frame gives 1,200 samples.
_BRIGHTNESS_STEP = 16
# How often a camera may fail to give a frame before it counts as gone; some need a moment.
_MOST_MISSES = 10
# The time given to a picture of a folder: far apart, for they are not a film.
_PICTURE_MS = 1000
# Far longer than a window needs to open; a display on the far side of a dead link never answers.
_DISPLAY_SECONDS = 20


@dataclass(frozen=True)
class Seen:
    """One frame: uint8 (height, width, 3), its time, and what it shows.

    found: the largest face, the person of a holistic recording, or None.
    """

    rgb: np.ndarray
    time_ms: int
    found: Face | Body | None


@dataclass
class Recording:
    """A take while it is being recorded.

    kind: of a face, or of face, hands and shoulders. found: what each frame showed of it.
    frames: how many frames were seen, with a face or without. brightness: the mean of each
    frame's picture, 0-255.
    """

    label: str
    kind: Kind = "face"
    found: list[Face | Body] = field(default_factory=list)
    time_ms: list[int] = field(default_factory=list)
    brightness: list[float] = field(default_factory=list)
    frames: int = 0

    def __post_init__(self) -> None:
        self.label = check_label(self.label)

    def add(self, found: Face | Body | None, time_ms: int, brightness: float) -> None:
        """One more frame; what a frame of another size shows is brought to the first one's.

        A face alone says nothing of hands: a holistic recording leaves it out.
        """
        if self.kind == "face" and isinstance(found, Body):
            found = found.face
        elif self.kind == "holistic" and isinstance(found, Face):
            return
        self.frames += 1
        self.brightness.append(brightness)
        if found and len(self.found) < MOST_FRAMES:
            self.found.append(in_frame_of(found, self.found[0].size) if self.found else found)
            self.time_ms.append(time_ms)

    def take(self) -> Take:
        """What was recorded so far; UserError where nobody was seen."""
        if self.kind == "holistic":
            bodies = [found for found in self.found if isinstance(found, Body)]
            return Take.of_bodies(self.label, bodies, self.time_ms)
        faces = [found for found in self.found if isinstance(found, Face)]
        return Take.of_faces(self.label, faces, self.time_ms)


@overload
def in_frame_of(found: Face, size: tuple[int, int]) -> Face: ...
@overload
def in_frame_of(found: Body, size: tuple[int, int]) -> Body: ...
def in_frame_of(found: Face | Body, size: tuple[int, int]) -> Face | Body:
    """The same face or person in pixels, in fractions of a frame of another (width, height)."""
    if found.size == size:
        return found
    width, height = found.size
    scale = np.array([width / size[0], height / size[1], width / size[0]], np.float32)
    if isinstance(found, Face):
        return Face(found.landmarks * scale, found.blendshapes, found.pose, size)
    return Body(
        found.face and in_frame_of(found.face, size),
        None if found.left is None else found.left * scale,
        None if found.right is None else found.right * scale,
        None if found.upper is None else found.upper * np.append(scale, np.float32(1)),
        size,
    )


class _Look:
    """Follows or finds what a recording of this kind is of; for `with`."""

    def __init__(self, kind: Kind, still: bool = False) -> None:
        self._still = still
        self._of: FaceTracker | FaceFinder | HolisticTracker | HolisticFinder
        if kind == "holistic":
            self._of = HolisticFinder() if still else HolisticTracker()
        else:
            self._of = FaceFinder() if still else FaceTracker()

    def __enter__(self) -> Callable[[np.ndarray, int], Face | Body | None]:
        return self._found

    def __exit__(self, *_: object) -> None:
        self._of.close()

    def _found(self, rgb: np.ndarray, time_ms: int) -> Face | Body | None:
        if isinstance(self._of, FaceTracker | HolisticTracker):
            found = self._of.track(rgb, time_ms)
        else:
            found = self._of.find(rgb)
        if isinstance(found, Body):
            return found or None
        return found[0] if found else None


def brightness(rgb: np.ndarray) -> float:
    """The picture's mean, 0-255."""
    return float(rgb[::_BRIGHTNESS_STEP, ::_BRIGHTNESS_STEP].mean())


def video(path: Path, seconds: float | None = None, kind: Kind = "face") -> Iterator[Seen]:
    """The frames of a video file, from its start, for so many seconds or to its end."""
    with _Look(kind) as found:
        first_ms: int | None = None
        for time_ms, rgb in pictures.video_frames(path):
            first_ms = time_ms if first_ms is None else first_ms
            if seconds is not None and time_ms - first_ms >= 1000 * seconds:
                return
            yield Seen(rgb, time_ms, found(rgb, time_ms))


def picture_files(folder: Path) -> list[Path]:
    """The pictures in this folder, by name; UserError where there are none."""
    files = sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in pictures.PICTURE_SUFFIXES and path.is_file()
    )
    if not files:
        raise UserError(
            f"There are no pictures in {folder}. Choose a folder with JPEG, PNG or WebP files."
        )
    return files


def stills(files: Sequence[Path], kind: Kind = "face") -> Iterator[Seen | UserError]:
    """What each picture shows; where a file cannot be read, the error that says so."""
    with _Look(kind, still=True) as found:
        for number, path in enumerate(files):
            try:
                rgb = pictures.read(path)
            except UserError as error:
                yield error
                continue
            yield Seen(rgb, number * _PICTURE_MS, found(rgb, 0))


def open_camera(number: int) -> cv2.VideoCapture:
    """The camera of this number, opened; UserError where it is missing or refused."""
    # OpenCV writes its own lines about devices that it tried; ours says what to do.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    capture = cv2.VideoCapture(number)
    if not capture.isOpened():
        raise UserError(
            f"Camera {number} cannot be opened: it is missing, in use by another program, or not "
            "allowed. Close other programs that use it, try --source 1, or record from a video "
            "file with --source FILE."
        )
    return capture


def camera(number: int, kind: Kind = "face") -> Iterator[Seen]:
    """The frames of a camera until the caller stops; UserError where it gives no more."""
    capture = open_camera(number)
    start_s = time.monotonic()
    misses = 0
    try:
        with _Look(kind) as found:
            while misses < _MOST_MISSES:
                got, bgr = capture.read()
                if not got:
                    misses += 1
                    continue
                misses = 0
                rgb = np.ascontiguousarray(bgr[:, :, ::-1])
                time_ms = round((time.monotonic() - start_s) * 1000)
                yield Seen(rgb, time_ms, found(rgb, time_ms))
    finally:
        capture.release()
    raise UserError(
        f"Camera {number} stopped giving pictures. What was recorded is kept. Check its cable, "
        "then record again."
    )


@dataclass(frozen=True)
class Source:
    """Where to record from; exactly one of the three is set."""

    camera: int | None = None
    video: Path | None = None
    folder: Path | None = None


def source(text: str) -> Source:
    """What `--source` names: a camera's number, a video file or a folder of pictures."""
    if text.isascii() and text.isdigit():
        return Source(camera=int(text))
    path = Path(text).expanduser()
    if path.is_dir():
        return Source(folder=path)
    if path.is_file():
        return Source(video=path)
    raise UserError(
        f"There is no {text}. --source takes a camera's number (0 is the first), a video file or "
        "a folder of pictures."
    )


def has_display() -> bool:
    """Whether a window can be shown; tried elsewhere, for without one Qt ends its process."""
    trial = "import cv2; cv2.namedWindow('trial')"
    try:
        done = subprocess.run(
            [sys.executable, "-c", trial], capture_output=True, timeout=_DISPLAY_SECONDS
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0
