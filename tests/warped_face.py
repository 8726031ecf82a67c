"""One real face with several expressions, for tests, benchmarks and the fake webcam.

The face is ``skimage.data.astronaut()`` (Eileen Collins, NASA, public domain). Its smile is
'happy'; the other expressions move its landmarks (amounts in distances between the eye centres)
and bend the picture after them with a thin-plate spline, so that MediaPipe reads raised brows, an
open jaw, a frown and so on from real pixels. Distance, roll, head turn, shift, light, noise and
mirroring come on top.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path

import av
import cv2
import numpy as np
import skimage.data
from scipy.interpolate import RBFInterpolator

from moodmesh.face import Face, FaceFinder, FaceTracker
from moodmesh.takes import Take

WIDTH, HEIGHT = 640, 480
FPS = 15
# Twice its own size the face fills 180 of 640 pixels: a person at a desk.
_ENLARGED = 2
_FACE_CENTRE = (452, 230)  # in the enlarged picture
_GRID = 8  # pixels between the points where the spline is evaluated; it is smooth between them
_HEAD_AXIS = 1.2  # eye distances behind the eyes: the axis a head turns about

_UPPER_BROWS = (70, 63, 105, 66, 107, 300, 293, 334, 296, 336)
_LOWER_BROWS = (46, 53, 52, 65, 55, 276, 283, 282, 295, 285)
_INNER_BROWS = ((107, 336), (55, 285), (66, 296), (65, 295))
_UPPER_LIP = (191, 80, 81, 82, 13, 312, 311, 310, 415)
_LOWER_LIP = (95, 88, 178, 87, 14, 317, 402, 318, 324)
_BELOW_LIP = (91, 181, 84, 17, 314, 405, 321)
_ABOVE_LIP = (40, 39, 37, 0, 267, 269, 270)
_MOUTH_CORNERS = (61, 291)
_CHIN = (18, 148, 152, 175, 176, 199, 377, 400)
_RIGHT_LIDS = ((160, 144), (159, 145), (158, 153))
# What stays where it is unless an expression moves it: eyes, lids, nose and the face's outline.
_STILL = (
    *(33, 133, 362, 263, 159, 386, 145, 374, 160, 158, 157, 161, 385, 387, 384, 388),
    *(27, 28, 257, 258, 23, 253, 168, 6, 197, 195, 5, 4, 1, 98, 327, 2),
    *(10, 109, 338, 54, 284, 127, 356, 93, 323, 234, 454),
)

Moves = dict[int, tuple[float, float]]


@dataclass(frozen=True)
class View:
    """How the camera sees the face.

    distance: 1 as it is, 2 from twice as far. roll, turn: degrees. shift: pixels right and down.
    light: gain. noise: standard deviation in grey levels.
    """

    distance: float = 1.0
    roll: float = 0.0
    turn: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    light: float = 1.0
    noise: float = 2.0
    mirrored: bool = False


PLAIN = View()


def _brows(down: float, inner: tuple[float, float] = (0.0, 0.0)) -> Moves:
    moves: Moves = dict.fromkeys(_UPPER_BROWS + _LOWER_BROWS, (0.0, down))
    for right, left in _INNER_BROWS:
        moves[right] = (inner[0], down + inner[1])
        moves[left] = (-inner[0], down + inner[1])
    return moves


def _mouth(inward: float, down: float, close: float = 0.0, jaw: float = 0.0) -> Moves:
    """Corners moved inward and down, lips closed by a share, the jaw dropped."""
    points = _landmarks()
    eyes = _eye_distance()
    centre = points[list(_MOUTH_CORNERS), 0].mean()
    half = abs(np.subtract(*points[list(_MOUTH_CORNERS), 0])) / 2
    moves: Moves = {}

    def along(index: int) -> tuple[float, float, float]:
        """How far towards a corner (0 to 1), and the corner's share of the move."""
        side = (centre - points[index, 0]) / half
        towards = min(1.0, abs(side))
        return towards, float(np.sign(side) * inward * towards), down * towards**2

    for up, low in zip(_UPPER_LIP, _LOWER_LIP, strict=True):
        gap = (points[low] - points[up]) / eyes * close / 2
        towards, x, y = along(up)
        moves[up] = (x + gap[0], y + gap[1])
        moves[low] = (x - gap[0], y - gap[1] + jaw * (1 - towards**2))
    for index in _BELOW_LIP + _ABOVE_LIP:
        towards, x, y = along(index)
        middle = moves[14 if index in _BELOW_LIP else 13][1]
        moves[index] = (x, y + middle * (1 - towards**2))
    right, left = _MOUTH_CORNERS
    moves |= {right: (inward, down), left: (-inward, down)}
    if jaw:
        moves |= dict.fromkeys(_CHIN, (0.0, 0.9 * jaw))
    return moves


def _wink() -> Moves:
    points = _landmarks()
    return {
        upper: tuple((points[lower] - points[upper]) / _eye_distance() * 0.85)
        for upper, lower in _RIGHT_LIDS
    }


@cache
def _moves() -> dict[str, Moves]:
    return {
        "happy": {},
        "surprise": _brows(-0.14) | _mouth(0.14, 0.12, jaw=0.34),
        "sad": _brows(0, (-0.02, -0.14)) | _mouth(0.07, 0.28, close=0.8),
        "neutral": _mouth(0.11, 0.15, close=0.8),
        "pucker": _mouth(0.26, 0.1, close=0.7),
        "angry": _brows(0.06, (0.04, 0.06)) | _mouth(0.2, 0.2, close=0.85),
        "raised brows": _brows(-0.16),
        "wink": _wink() | _mouth(0.05, 0.05),
    }


NAMES = ("happy", "surprise", "sad", "neutral", "pucker", "angry", "raised brows", "wink")


@cache
def picture() -> np.ndarray:
    """The whole picture, enlarged: uint8 (1024, 1024, 3)."""
    return cv2.resize(
        skimage.data.astronaut(), None, fx=_ENLARGED, fy=_ENLARGED, interpolation=cv2.INTER_CUBIC
    )


def _window() -> tuple[slice, slice]:
    """The part of the picture around the face that expressions bend."""
    x, y = _FACE_CENTRE
    top = max(0, y - HEIGHT // 2)
    return slice(top, top + HEIGHT), slice(x - WIDTH // 2, x + WIDTH // 2)


@cache
def _face() -> Face:
    with FaceFinder() as finder:
        return finder.find(picture()[_window()])[0]


def _landmarks() -> np.ndarray:
    return _face().points.astype(float)


@cache
def _eye_distance() -> float:
    points = _landmarks()
    return float(np.linalg.norm(points[[33, 133]].mean(axis=0) - points[[362, 263]].mean(axis=0)))


def _bend(rgb: np.ndarray, places: np.ndarray, displacements: np.ndarray) -> np.ndarray:
    """The picture with these places (n, 2) moved by displacements (n, 2), its edges fixed."""
    height, width = rgb.shape[:2]
    ring = [(x, y) for x in np.linspace(0, width, 6) for y in (0, height)]
    ring += [(x, y) for x in (0, width) for y in np.linspace(0, height, 6)[1:-1]]
    ends = np.concatenate([places + displacements, ring])
    back = np.concatenate([-displacements, np.zeros((len(ring), 2))])
    x, y = np.meshgrid(np.arange(0, width + _GRID, _GRID), np.arange(0, height + _GRID, _GRID))
    grid = np.stack([x.ravel(), y.ravel()], axis=1).astype(float)
    # A little smoothing keeps the spline sane where neighbouring landmarks nearly meet.
    source = grid + RBFInterpolator(ends, back, kernel="thin_plate_spline", smoothing=5)(grid)
    coarse = source.reshape(*x.shape, 2).astype(np.float32)
    rows, columns = (np.mgrid[0:height, 0:width] / _GRID).astype(np.float32)
    fine = cv2.remap(coarse, columns, rows, cv2.INTER_LINEAR)
    return cv2.remap(
        rgb, fine[..., 0], fine[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )


def _open_mouth(rgb: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Stretched teeth below the upper row replaced by a dark mouth."""
    upper, lower = points[list(_UPPER_LIP)], points[list(_LOWER_LIP)]
    outline = np.concatenate([upper + (lower - upper) * 0.3, lower[::-1]])
    mask = np.zeros(rgb.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.rint(outline * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    share = cv2.GaussianBlur(mask, (0, 0), 2)[..., None] / 255 * 0.93
    return (rgb * (1 - share) + np.array([70, 25, 25]) * share).astype(np.uint8)


@lru_cache(maxsize=256)
def expression(name: str, strength: float = 1.0, turn: float = 0.0) -> np.ndarray:
    """The whole picture with this expression, uint8 (1024, 1024, 3), read only.

    strength: 0 leaves the smile of the original. turn: degrees about the head's vertical axis.
    """
    whole = picture().copy()
    window = _window()
    rgb = whole[window]
    moves = _moves()[name]
    eyes = _eye_distance()
    points = _landmarks()
    if moves and strength:
        moved = {i: np.array(move) * strength * eyes for i, move in moves.items()}
        still = [i for i in _STILL if i not in moved]
        order = [*moved, *still]
        displacements = np.array([*moved.values(), *np.zeros((len(still), 2))])
        rgb = _bend(rgb, points[order], displacements)
        points[order] += displacements
        if name == "surprise" and strength > 0.5:
            rgb = _open_mouth(rgb, points)
    if turn:
        rgb = _bend(rgb, points[:468:3], _turned(points, turn)[:468:3])
    whole[window] = rgb
    whole.setflags(write=False)
    return whole


def _turned(points: np.ndarray, degrees: float) -> np.ndarray:
    """How far a turn of the head moves each landmark, pixels (478, 2)."""
    depth = _face().landmarks[:, 2] * _face().size[0]
    depth = depth - depth[[33, 263]].mean() - _HEAD_AXIS * _eye_distance()
    centre = points[[33, 133, 362, 263], 0].mean()
    angle = np.deg2rad(degrees)
    x = points[:, 0] - centre
    turned = x * np.cos(angle) - depth * np.sin(angle)
    return np.stack([turned - x, np.zeros_like(x)], axis=1)


def render(name: str, view: View = PLAIN, strength: float = 1.0, seed: int = 0) -> np.ndarray:
    """One camera frame, uint8 (480, 640, 3)."""
    turn = view.turn if not view.mirrored else -view.turn
    matrix = cv2.getRotationMatrix2D(_FACE_CENTRE, view.roll, 1 / view.distance)
    matrix[:, 2] += np.array([WIDTH / 2, HEIGHT / 2]) + view.shift - np.array(_FACE_CENTRE)
    whole = expression(name, strength, turn)
    frame = cv2.warpAffine(whole, matrix, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)
    return _seen(frame[:, ::-1] if view.mirrored else frame, view, seed)


def empty(view: View = PLAIN, seed: int = 0) -> np.ndarray:
    """The wall behind her: a frame without a face."""
    wall = cv2.resize(cv2.GaussianBlur(picture()[60:180, 590:750], (0, 0), 5), (WIDTH, HEIGHT))
    return _seen(wall, view, seed)


@cache
def _noise() -> np.ndarray:
    """Camera noise of standard deviation 1, larger than a frame so that cuts of it differ."""
    rng = np.random.default_rng(0)
    return rng.standard_normal((HEIGHT + 64, WIDTH + 64, 3), np.float32)


def _seen(frame: np.ndarray, view: View, seed: int) -> np.ndarray:
    if view.light == 1 and not view.noise:
        return np.ascontiguousarray(frame)
    down, right = np.random.default_rng(seed).integers(64, size=2)
    noise = _noise()[down : down + HEIGHT, right : right + WIDTH]
    return cv2.addWeighted(frame, view.light, noise, view.noise, 0, dtype=cv2.CV_8U)


def _sway(seconds: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A slow wandering between -1 and 1, as people have when they hold still."""
    periods = rng.uniform(1.5, 5.0, 2)
    phases = rng.uniform(0, 2 * np.pi, 2)
    return (
        sum(np.sin(2 * np.pi * seconds / p + f) for p, f in zip(periods, phases, strict=True)) / 2
    )


def frames(
    name: str | None,
    seconds: float = 3.0,
    fps: float = FPS,
    seed: int = 0,
    view: View = PLAIN,
    held: float = 1.0,
) -> Iterator[np.ndarray]:
    """The frames of someone holding this expression with small natural motion.

    name: one of NAMES, or None for an empty room. held: how strongly, as in `expression`.
    """
    rng = np.random.default_rng(seed)
    times = np.arange(round(seconds * fps)) / fps
    sways = np.stack([_sway(times, rng) for _ in range(5)], axis=1)
    for strength, scale, roll, right, down in sways:
        noise_seed = int(rng.integers(2**31))
        if name is None:
            yield empty(view, noise_seed)
            continue
        moving = replace(
            view,
            distance=view.distance * (1 + 0.03 * scale),
            roll=view.roll + 2.5 * roll,
            shift=(view.shift[0] + 10 * right, view.shift[1] + 6 * down),
        )
        # In steps, so that the bent pictures can be cached.
        now = round(held * (0.9 + 0.1 * strength), 1)
        yield render(name, moving, now, noise_seed)


Clip = (
    tuple[str | None, float]
    | tuple[str | None, float, View]
    | tuple[str | None, float, View, float]
)


def _played(clips: Sequence[Clip], fps: float, seed: int) -> Iterator[np.ndarray]:
    for number, (name, seconds, *seen) in enumerate(clips):
        yield from frames(name, seconds, fps, seed + number, *seen)


def write_video(path: Path, clips: Sequence[Clip], fps: int = FPS, seed: int = 0) -> Path:
    """Writes (expression or None, seconds[, view[, held]]) in turn as a video; returns path."""
    return write_frames(path, _played(clips, fps, seed), fps)


def write_frames(path: Path, pictures: Iterable[np.ndarray], fps: int) -> Path:
    """Writes pictures, uint8 (HEIGHT, WIDTH, 3), as a video; returns path."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=fps)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.bit_rate = 4_000_000
        for frame in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        container.mux(stream.encode(None))
    return path


# Chromium plays a motion JPEG file at 30 frames a second whatever it holds, and over and over.
_CHROMIUM_FPS = 30
WEBCAM_CLIPS: tuple[Clip, ...] = (("happy", 7.0), ("surprise", 7.0), ("sad", 7.0), (None, 3.0))


def write_webcam_clip(path: Path, clips: Sequence[Clip] = WEBCAM_CLIPS, seed: int = 0) -> Path:
    """Writes a .mjpeg for Chromium's --use-file-for-fake-video-capture; returns its path."""
    with path.open("wb") as file:
        for frame in _played(clips, FPS, seed):
            _, jpeg = cv2.imencode(".jpg", frame[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])
            file.write(jpeg.tobytes() * (_CHROMIUM_FPS // FPS))
    return path


def take(
    name: str,
    label: str | None = None,
    seconds: float = 3.0,
    fps: float = FPS,
    seed: int = 0,
    view: View = PLAIN,
) -> Take:
    """A recording of these frames, as the recorder would make it."""
    faces, times = [], []
    with FaceTracker() as tracker:
        for index, frame in enumerate(frames(name, seconds, fps, seed, view)):
            time_ms = round(index * 1000 / fps)
            if found := tracker.track(frame, time_ms):
                faces.append(found[0])
                times.append(time_ms)
    return Take.of_faces(label or name, faces, times)
