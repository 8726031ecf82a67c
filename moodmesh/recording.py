"""Recording a take: from a camera, a video file or a folder of pictures.

Only landmarks leave this module. A camera or a video is followed frame by frame; pictures of a
folder are searched one by one and make one take, because such a folder is usually one sitting.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from moodmesh import pictures
from moodmesh.errors import UserError
from moodmesh.face import Face, FaceFinder, FaceTracker
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
    """One frame: uint8 (height, width, 3), its time, the faces in it (largest first)."""

    rgb: np.ndarray
    time_ms: int
    faces: list[Face]


@dataclass
class Recording:
    """A take while it is being recorded.

    frames: how many frames were seen, with a face or without. brightness: the mean of each
    frame's picture, 0-255.
    """

    label: str
    faces: list[Face] = field(default_factory=list)
    time_ms: list[int] = field(default_factory=list)
    brightness: list[float] = field(default_factory=list)
    frames: int = 0

    def __post_init__(self) -> None:
        self.label = check_label(self.label)

    def add(self, face: Face | None, time_ms: int, brightness: float) -> None:
        """One more frame; a face from a frame of another size is brought to the first one's."""
        self.frames += 1
        self.brightness.append(brightness)
        if face is not None and len(self.faces) < MOST_FRAMES:
            self.faces.append(in_frame_of(face, self.faces[0].size) if self.faces else face)
            self.time_ms.append(time_ms)

    def take(self) -> Take:
        """What was recorded so far; UserError where no face was seen."""
        return Take.of_faces(self.label, self.faces, self.time_ms)


def in_frame_of(face: Face, size: tuple[int, int]) -> Face:
    """The same face in pixels, told in fractions of a frame of another (width, height)."""
    if face.size == size:
        return face
    width, height = face.size
    scale = np.array([width / size[0], height / size[1], width / size[0]], np.float32)
    return Face(face.landmarks * scale, face.blendshapes, face.pose, size)


def brightness(rgb: np.ndarray) -> float:
    """The picture's mean, 0-255."""
    return float(rgb[::_BRIGHTNESS_STEP, ::_BRIGHTNESS_STEP].mean())


def video(path: Path, seconds: float | None = None) -> Iterator[Seen]:
    """The frames of a video file, from its start, for so many seconds or to its end."""
    with FaceTracker() as tracker:
        first_ms: int | None = None
        for time_ms, rgb in pictures.video_frames(path):
            first_ms = time_ms if first_ms is None else first_ms
            if seconds is not None and time_ms - first_ms >= 1000 * seconds:
                return
            yield Seen(rgb, time_ms, tracker.track(rgb, time_ms))


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


def stills(files: Sequence[Path]) -> Iterator[Seen | UserError]:
    """Each picture's face; where a file cannot be read, the error that says so."""
    with FaceFinder() as finder:
        for number, path in enumerate(files):
            try:
                rgb = pictures.read(path)
            except UserError as error:
                yield error
                continue
            yield Seen(rgb, number * _PICTURE_MS, finder.find(rgb))


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


def camera(number: int) -> Iterator[Seen]:
    """The frames of a camera until the caller stops; UserError where it gives no more."""
    capture = open_camera(number)
    start_s = time.monotonic()
    misses = 0
    try:
        with FaceTracker() as tracker:
            while misses < _MOST_MISSES:
                got, bgr = capture.read()
                if not got:
                    misses += 1
                    continue
                misses = 0
                rgb = np.ascontiguousarray(bgr[:, :, ::-1])
                time_ms = round((time.monotonic() - start_s) * 1000)
                yield Seen(rgb, time_ms, tracker.track(rgb, time_ms))
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
