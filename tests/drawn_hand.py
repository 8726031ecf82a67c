"""The face of warped_face.py with a drawn arm and hand, for what needs more than a face.

No picture of a hand comes with the packages used here, so one is drawn: fingers and palm are
shaded capsules in the colour of the face's skin, the sleeve is in the colour of her suit.
MediaPipe finds it as it finds a hand in a photograph (see test_holistic.py), which makes real
landmarks of real pixels for labels such as 'thumbs up'.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import skimage.data

from moodmesh.holistic import Body, HolisticTracker
from tests.warped_face import HEIGHT, WIDTH, write_frames

FPS = 12
# The person's right hand, at the picture's left; None: hands out of the picture.
GESTURES = ("open hand", "fist", "thumbs up", None)

_SKIN, _SLEEVE = (222.0, 170.0, 140.0), (214.0, 110.0, 60.0)
_LIGHT = np.array([-0.35, -0.55, 0.75]) / np.linalg.norm([-0.35, -0.55, 0.75])
_PALM = 70.0  # pixels from the wrist to the middle knuckle
_WRIST = (130.0, 262.0)
# In lengths of the palm: (along the hand, towards the thumb).
_KNUCKLES = ((0.95, 0.30), (1.0, 0.08), (0.95, -0.13), (0.85, -0.33))
_BASES = ((0.1, 0.22), (0.1, 0.08), (0.1, -0.08), (0.12, -0.2))
_BONES = ((0.45, 0.27, 0.22), (0.5, 0.3, 0.23), (0.46, 0.28, 0.22), (0.36, 0.22, 0.19))
_FAN = (0.12, 0.02, -0.08, -0.2)

Joint = tuple[tuple[float, float], float, float]  # place, radius, nearness


class _Canvas:
    """A picture with a depth for each pixel, so that nearer parts hide others."""

    def __init__(self, rgb: np.ndarray) -> None:
        self.rgb = rgb.astype(np.float32)
        self._depth = np.full(rgb.shape[:2], -np.inf)

    def capsule(
        self, a: np.ndarray, b: np.ndarray, radii: tuple[float, float], z: tuple[float, float],
        colour: tuple[float, float, float],
    ) -> None:  # fmt: skip
        """A limb from a to b (pixels), lit from above left."""
        widest = max(radii) + 2
        low = np.maximum(np.minimum(a, b) - widest, 0).astype(int)
        high = np.minimum(np.maximum(a, b) + widest, self.rgb.shape[1::-1]).astype(int)
        if (high <= low).any():
            return
        x, y = np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1]))
        along = b - a
        t = np.clip(((x - a[0]) * along[0] + (y - a[1]) * along[1]) / (along @ along + 1e-6), 0, 1)
        radius = radii[0] + (radii[1] - radii[0]) * t
        dx, dy = (x - a[0] - t * along[0]) / radius, (y - a[1] - t * along[1]) / radius
        off = dx**2 + dy**2
        facing = np.sqrt(np.clip(1 - off, 0, 1))
        place = z[0] + (z[1] - z[0]) * t + facing * radius
        part = slice(low[1], high[1]), slice(low[0], high[0])
        nearer = (off < 1) & (place > self._depth[part])
        lit = np.clip(dx * _LIGHT[0] + dy * _LIGHT[1] + facing * _LIGHT[2], 0, 1)
        share = (np.clip((1 - np.sqrt(off)) * radius / 1.5, 0, 1) * nearer)[..., None]
        shade = np.array(colour) * (0.45 + 0.62 * lit[..., None])
        self.rgb[part] = self.rgb[part] * (1 - share) + np.clip(shade, 0, 255) * share
        self._depth[part] = np.where(nearer & (share[..., 0] > 0.5), place, self._depth[part])


def _finger(number: int, straight: bool) -> list[Joint]:
    place = np.array(_KNUCKLES[number])
    if not straight:
        offsets, radii, near = (0, 0.12, -0.12, -0.33), (0.12, 0.12, 0.11, 0.1), (6, 14, 20, 18)
        return [
            ((place[0] + o, place[1]), r, z) for o, r, z in zip(offsets, radii, near, strict=True)
        ]
    way = np.array([np.cos(_FAN[number]), np.sin(_FAN[number])])
    joints: list[Joint] = [(tuple(place), 0.115, 4)]
    for bone, radius in zip(_BONES[number], (0.1, 0.09, 0.075), strict=True):
        place = place + bone * way
        joints.append((tuple(place), radius, 5))
    return joints


def _thumb(kind: str) -> list[Joint]:
    places = {
        "open hand": ((0.4, 0.46), (0.68, 0.66), (0.88, 0.82)),
        "fist": ((0.4, 0.36), (0.62, 0.26), (0.68, 0.02)),
        "thumbs up": ((0.42, 0.44), (0.47, 0.68), (0.46, 0.9)),
    }[kind]
    near = (2, 6, 24, 28) if kind == "fist" else (2, 6, 8, 8)
    joints = ((0.18, 0.22), *places)
    return list(zip(joints, (0.17, 0.13, 0.115, 0.09), near, strict=True))


def _draw_hand(canvas: _Canvas, kind: str, wrist: np.ndarray, palm: float, turn: float) -> None:
    if kind == "thumbs up":  # the fist lies on its side, the thumb points up
        turn += 78
    angle = np.deg2rad(turn)
    along = np.array([np.sin(angle), -np.cos(angle)])
    thumbwards = np.array([np.cos(angle), np.sin(angle)])
    if kind == "thumbs up":
        thumbwards = -thumbwards

    def at(place: tuple[float, float]) -> np.ndarray:
        spot: np.ndarray = wrist + palm * (place[0] * along + place[1] * thumbwards)
        return spot

    for base, knuckle in zip(_BASES, _KNUCKLES, strict=True):
        canvas.capsule(at(base), at(knuckle), (0.16 * palm, 0.125 * palm), (0, 4), _SKIN)
    fingers = [_finger(number, kind == "open hand") for number in range(4)]
    for joints in (*fingers, _thumb(kind)):
        for (a, ra, za), (b, rb, zb) in pairwise(joints):
            canvas.capsule(at(a), at(b), (ra * palm, rb * palm), (za, zb), _SKIN)


def render(
    gesture: str | None,
    shift: tuple[float, float] = (0, 0),
    distance: float = 1.0,
    roll: float = 0.0,
    turn: float = 0.0,
    wrist_shift: tuple[float, float] = (0, 0),
    noise: float = 2.0,
    seed: int = 0,
) -> np.ndarray:
    """One camera frame, uint8 (480, 640, 3): who is `distance` times as far, tilted by roll.

    turn: degrees of the hand about its wrist. wrist_shift: pixels.
    """
    astronaut = skimage.data.astronaut()
    placed = np.array([[1.15, 0, 60], [0, 1.15, 20]], np.float32)
    canvas = _Canvas(
        cv2.warpAffine(astronaut, placed, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)
    )
    if gesture is not None:
        wrist, down = np.array(_WRIST) + wrist_shift, np.array((0.0, 1.0))
        elbow, shoulder = wrist + np.array((-8, 200)), np.array((245.0, 330.0))
        canvas.capsule(shoulder, elbow, (50, 44), (-80, -60), _SLEEVE)
        canvas.capsule(elbow, wrist + 24 * down, (42, 26), (-60, -30), _SLEEVE)
        canvas.capsule(wrist + 20 * down, wrist, (17, 16), (-20, -10), _SKIN)
        _draw_hand(canvas, gesture, wrist, _PALM, turn)
    rgb = cv2.GaussianBlur(canvas.rgb, (0, 0), 0.7)
    move = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), roll, 1 / distance)
    move[:, 2] += shift
    rgb = cv2.warpAffine(rgb, move, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)
    rgb += noise * np.random.default_rng(seed).standard_normal(rgb.shape, np.float32)
    return np.clip(rgb, 0, 255).astype(np.uint8)


def frames(
    gesture: str | None, seconds: float = 2.0, seed: int = 0, fps: int = FPS,
    distance: float = 1.0, roll: float = 0.0,
) -> Iterator[np.ndarray]:  # fmt: skip
    """Someone who holds this gesture with small natural motion."""
    rng = np.random.default_rng(seed)
    phases = rng.uniform(0, 2 * np.pi, 6)
    periods = rng.uniform(1.5, 4.0, 6)
    for number in range(round(seconds * fps)):
        sway = np.sin(2 * np.pi * number / fps / periods + phases)
        yield render(
            gesture,
            (6 * sway[0], 4 * sway[1]),
            distance * (1 + 0.02 * sway[2]),
            roll + 1.5 * sway[3],
            5 * sway[4],
            (5 * sway[5], 4 * sway[0]),
            seed=int(rng.integers(2**31)),
        )


def bodies(gesture: str | None, seconds: float = 2.0, seed: int = 0, **view: float) -> list[Body]:
    """What MediaPipe sees of them."""
    with HolisticTracker() as tracker:
        return [
            tracker.track(frame, round(number * 1000 / FPS))
            for number, frame in enumerate(frames(gesture, seconds, seed, **view))  # type: ignore[arg-type]
        ]


def write_video(path: Path, gesture: str | None, seconds: float = 2.0, seed: int = 0) -> Path:
    """Writes these frames as a video; returns its path."""
    return write_frames(path, frames(gesture, seconds, seed), FPS)
