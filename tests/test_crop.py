"""The image network's crop: plain geometry on synthetic pictures, and MediaPipe on a real face."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from moodmesh import crop

EYE = (33, 263)
# More than the black rim of every crop.
HIDDEN = 40


def _face(centre: tuple[float, float], size: float, angle: float) -> np.ndarray:
    """478 points filling a turned square, with the eyes' outer corners level in it."""
    points = np.zeros((478, 2))
    points[:4] = [(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)]
    points[EYE[0]], points[EYE[1]] = (-0.3, -0.2), (0.3, -0.2)
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    return points * size @ turn + centre


def _dots(size: tuple[int, int], points: np.ndarray, radius: float) -> np.ndarray:
    """A white picture with soft black dots at these points, uint8 (height, width)."""
    x, y = np.meshgrid(np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5)
    picture = np.full((size[1], size[0]), 255.0)
    for px, py in points:
        picture -= 255 * np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * radius**2))
    return picture.clip(0, 255).astype(np.uint8)


def _darkest(picture: np.ndarray, left: int, right: int) -> tuple[float, float]:
    """The centre of the dark dot between two columns, in pixels from the crop's corner."""
    window = picture[HIDDEN:-HIDDEN, left:right]
    weights = (255.0 - window) ** 4
    y, x = np.mgrid[HIDDEN : HIDDEN + window.shape[0], left:right] + 0.5
    return float((x * weights).sum() / weights.sum()), float((y * weights).sum() / weights.sum())


@pytest.mark.parametrize(
    ("frame", "centre", "size", "angle"),
    [
        pytest.param((400, 400), (200, 200), 150, 0.0, id="level"),
        pytest.param((400, 400), (210, 190), 150, 0.35, id="tilted to one side"),
        pytest.param((400, 400), (200, 200), 150, -0.5, id="tilted to the other"),
        pytest.param((640, 480), (330, 250), 240, 0.2, id="near, in a wide frame"),
        pytest.param((70, 70), (35, 35), 44, 0.1, id="as small as in FER2013"),
    ],
)
def test_eyes_come_to_the_same_places_wherever_the_face_is(frame, centre, size, angle):
    points = _face(centre, size, angle)
    picture = _dots(frame, points[list(EYE)], size * 0.04)
    cut = crop.cut(picture, crop.mesh_box(points))
    half = crop.SIDE // 2
    for side, (left, right) in ((-1, (HIDDEN, half)), (1, (half, crop.SIDE - HIDDEN))):
        x, y = _darkest(cut, left, right)
        assert x == pytest.approx(half + side * 0.3 * crop.SIDE / crop.MARGIN, abs=1.5)
        assert y == pytest.approx(half - 0.2 * crop.SIDE / crop.MARGIN, abs=1.5)


def test_a_face_looks_alike_in_a_small_picture_and_in_a_large_frame():
    rng = np.random.default_rng(0)
    large = cv2.GaussianBlur(rng.integers(0, 256, (720, 720)).astype(np.float32), (0, 0), 12)
    large = cv2.normalize(large, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    small = cv2.resize(large, (60, 60), interpolation=cv2.INTER_AREA)
    box = crop.MeshBox((370.0, 350.0), 44.0 * 12, 0.2)
    reduced = crop.MeshBox((370.0 / 12, 350.0 / 12), 44.0, 0.2)
    difference = crop.cut(large, box).astype(int) - crop.cut(small, reduced)
    assert np.abs(difference).mean() < 2


def test_fine_detail_of_a_large_frame_does_not_reach_the_network():
    stripes = np.tile(np.array([0, 255], np.uint8), (720, 360))
    cut = crop.cut(stripes, crop.MeshBox((360.0, 360.0), 480.0, 0.0))
    inner = cut[HIDDEN:-HIDDEN, HIDDEN:-HIDDEN].astype(int)
    assert inner.min() > 100
    assert inner.max() < 155


def test_the_crop_of_a_mirrored_picture_is_the_mirrored_crop():
    rng = np.random.default_rng(1)
    picture = cv2.resize(rng.integers(0, 256, (12, 12)).astype(np.uint8), (96, 96))
    box = crop.MeshBox((50.0, 44.0), 60.0, 0.25)
    other = crop.MeshBox((96 - 50.0, 44.0), 60.0, -0.25)
    cut = crop.network_input(crop.cut(picture, box))
    twin = crop.network_input(crop.cut(np.ascontiguousarray(picture[:, ::-1]), other))
    assert np.abs(crop.mirrored(cut) - twin).max() < 0.05


@pytest.mark.parametrize("size", [(48, 48), (640, 480), (480, 640), (30, 400)])
def test_without_a_face_the_middle_of_the_picture_is_cut(size):
    rgb = np.full((size[1], size[0], 3), 200, np.uint8)
    cut = crop.face_crop(rgb, None)
    assert cut.shape == (crop.SIDE, crop.SIDE, 1)
    assert cut.dtype == np.float32
    assert cut[crop.SIDE // 2, crop.SIDE // 2, 0] == pytest.approx(200 / 255, abs=0.01)
    assert 0 <= cut.min() <= cut.max() <= 1


def test_beyond_the_picture_the_crop_is_black():
    cut = crop.cut(np.full((48, 48), 255, np.uint8), crop.MeshBox((0.0, 24.0), 44.0, 0.0))
    assert not cut[:, : crop.SIDE // 2 - 8].any()
    assert (cut[crop.SIDE // 2, crop.SIDE // 2 + 8 : -HIDDEN] == 255).all()


def test_beyond_the_face_the_crop_is_black():
    rim = crop.cut(np.full((480, 640), 255, np.uint8), crop.MeshBox((320.0, 240.0), 120.0, 0.3))
    seen = np.argwhere(rim)
    extent = np.ptp(seen, axis=0) + 1
    assert extent == pytest.approx(crop.SIDE * crop.VISIBLE / crop.MARGIN, abs=1)


def test_a_collapsed_mesh_still_gives_a_crop():
    box = crop.mesh_box(np.zeros((478, 2)))
    assert crop.cut(np.zeros((48, 48), np.uint8), box).shape == (crop.SIDE, crop.SIDE)
