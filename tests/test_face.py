"""Unit: faces in stills and streams, on the real face of the fixture."""

from __future__ import annotations

import subprocess
import sys

import cv2
import numpy as np
import pytest

from moodmesh.face import (
    BLENDSHAPE_NAMES,
    Face,
    FaceFinder,
    FaceTracker,
    _mesh_lines,
    connections,
    draw_mesh,
)
from tests import warped_face
from tests.warped_face import HEIGHT, WIDTH, View


def blendshape(face: Face, name: str) -> float:
    return float(face.blendshapes[BLENDSHAPE_NAMES.index(name)])


def two_faces() -> np.ndarray:
    """A small face on the left, a large one on the right."""
    left = warped_face.render("happy", View(distance=1.6))[:, 140:500]
    right = warped_face.render("happy")[:, 140:500]
    return np.ascontiguousarray(np.hstack([left, right]))


@pytest.mark.parametrize(
    "rgb",
    [
        pytest.param(warped_face.empty(), id="an empty room"),
        pytest.param(np.zeros((HEIGHT, WIDTH, 3), np.uint8), id="a black frame"),
        pytest.param(np.full((HEIGHT, WIDTH, 3), 255, np.uint8), id="a white frame"),
        *(
            pytest.param(np.full((height, width, 3), 90, np.uint8), id=f"{width}x{height}")
            for width, height in ((1, 1), (2, 1), (1, 480), (7, 3), (640, 1), (40_000, 10))
        ),
    ],
)
def test_no_face_is_an_empty_list(finder: FaceFinder, rgb: np.ndarray) -> None:
    assert finder.find(rgb) == []
    with FaceTracker() as tracker:
        assert tracker.track(rgb, 0) == []


def test_several_faces_come_largest_first(finder: FaceFinder) -> None:
    rgb = two_faces()
    with FaceTracker(max_faces=4) as tracker:
        tracker.track(rgb, 0)
        tracked = tracker.track(rgb, 33)
    for faces in (finder.find(rgb), tracked):
        assert len(faces) == 2
        assert faces[0].area > 2 * faces[1].area
        assert faces[0].points[:, 0].mean() > 360 > faces[1].points[:, 0].mean()


@pytest.mark.parametrize("size", [(640, 480), (641, 479), (333, 251), (1281, 961), (320, 640)])
def test_any_size_of_picture_gives_the_same_face(finder: FaceFinder, size: tuple[int, int]) -> None:
    width, height = size
    rgb = warped_face.render("happy")
    factor = min(width / WIDTH, height / HEIGHT)
    small = cv2.resize(rgb, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    framed = np.zeros((height, width, 3), np.uint8)
    framed[: small.shape[0], : small.shape[1]] = small[:height, :width]
    face = finder.find(framed)[0]
    assert face.size == size
    expected = finder.find(rgb)[0].points * factor
    assert np.abs(face.points - expected).max() < 0.03 * np.ptp(expected[:, 0])


def test_a_small_crop_of_a_face_is_found(finder: FaceFinder) -> None:
    crop = warped_face.render("happy")[140:380, 200:440]
    face = finder.find(cv2.resize(crop, (48, 48), interpolation=cv2.INTER_AREA))[0]
    assert face.size == (48, 48)
    assert 10 < face.points[33, 0] < face.points[263, 0] < 38


@pytest.mark.parametrize(
    "picture",
    [
        pytest.param(np.zeros((480, 640), np.uint8), id="grey without channels"),
        pytest.param(np.zeros((480, 640, 4), np.uint8), id="four channels"),
        pytest.param(np.zeros((480, 640, 3), np.float32), id="floating point"),
    ],
)
def test_what_is_no_rgb_picture_is_refused(picture: np.ndarray) -> None:
    with FaceTracker() as tracker, pytest.raises(ValueError, match="a picture is uint8"):
        tracker.track(picture, 0)


def test_a_stream_whose_clock_stands_still_or_jumps_back_goes_on() -> None:
    rgb = warped_face.render("happy")
    with FaceTracker() as tracker:
        assert [len(tracker.track(rgb, time_ms)) for time_ms in (0, 0, 40, 10)] == [1, 1, 1, 1]


def test_a_face_that_leaves_and_returns_is_found_again() -> None:
    happy, room = warped_face.render("happy"), warped_face.empty()
    with FaceTracker() as tracker:
        found = [
            len(tracker.track(rgb, index * 33))
            for index, rgb in enumerate((happy, happy, room, room, happy, happy))
        ]
    assert found == [1, 1, 0, 0, 1, 1]


def test_closing_twice_is_harmless() -> None:
    tracker = FaceTracker()
    tracker.close()
    tracker.close()


@pytest.mark.parametrize(
    ("expression", "name", "at_least", "at_most"),
    [
        ("happy", "mouthSmileLeft", 0.8, 1.0),
        ("surprise", "jawOpen", 0.4, 1.0),
        ("surprise", "browInnerUp", 0.5, 1.0),
        ("sad", "mouthSmileLeft", 0.0, 0.5),
        ("pucker", "mouthPucker", 0.5, 1.0),
    ],
)
def test_the_fixture_shows_its_expressions(
    finder: FaceFinder, expression: str, name: str, at_least: float, at_most: float
) -> None:
    face = finder.find(warped_face.render(expression))[0]
    assert at_least <= blendshape(face, name) <= at_most


def test_drawing_marks_the_face_and_nothing_far_from_it(happy_face: Face) -> None:
    rgb = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    draw_mesh(rgb, happy_face)
    x, y = np.rint(happy_face.points[1]).astype(int)
    assert rgb[y - 9 : y + 10, x - 9 : x + 10].any()
    left, top = happy_face.points.min(axis=0).astype(int) - 4
    right, bottom = happy_face.points.max(axis=0).astype(int) + 5
    rgb[top:bottom, left:right] = 0
    assert not rgb.any()


def test_drawing_into_another_size_scales_the_mesh(happy_face: Face) -> None:
    rgb = np.zeros((HEIGHT // 2, WIDTH // 2, 3), np.uint8)
    draw_mesh(rgb, happy_face)
    drawn = np.argwhere(rgb.any(axis=2))[:, ::-1]
    expected = happy_face.points / 2
    assert np.abs(drawn.min(axis=0) - expected.min(axis=0)).max() < 4
    assert np.abs(drawn.max(axis=0) - expected.max(axis=0)).max() < 4


def test_a_mesh_far_outside_the_picture_is_drawn_without_harm(happy_face: Face) -> None:
    astray = Face(
        happy_face.landmarks * 1e9, happy_face.blendshapes, happy_face.pose, happy_face.size
    )
    draw_mesh(np.zeros((HEIGHT, WIDTH, 3), np.uint8), astray)


def test_every_edge_is_drawn_once() -> None:
    tessellation = connections()["tessellation"]
    assert len({tuple(sorted(edge)) for edge in tessellation.tolist()}) == len(tessellation) > 1200


@pytest.mark.parametrize(
    ("field", "shape"),
    [("landmarks", (468, 3)), ("landmarks", (478, 2)), ("blendshapes", (51,)), ("pose", (3, 4))],
)
def test_a_face_checks_its_arrays(field: str, shape: tuple[int, ...]) -> None:
    arrays = {
        "landmarks": np.zeros((478, 3), np.float32),
        "blendshapes": np.zeros(52, np.float32),
        "pose": np.eye(4, dtype=np.float32),
        field: np.zeros(shape, np.float32),
    }
    with pytest.raises(ValueError, match=field):
        Face(size=(640, 480), **arrays)


def test_finding_a_face_loads_no_tensorflow() -> None:
    code = (
        "import sys, numpy\n"
        "from moodmesh.face import FaceTracker\n"
        "FaceTracker().track(numpy.zeros((48, 64, 3), numpy.uint8), 0)\n"
        "sys.exit('tensorflow' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()


def test_the_mesh_is_drawn_along_every_edge_and_nowhere_else() -> None:
    for part, edges in connections().items():
        order, places = _mesh_lines()[part]
        drawn = [
            tuple(sorted(pair))
            for run in (order[place] for place in places)
            for pair in zip(run[:-1].tolist(), run[1:].tolist(), strict=True)
        ]
        expected = [tuple(sorted(edge)) for edge in edges.tolist()]
        if part == "tessellation":  # one line, which may go an edge twice
            assert len(places) == 1 and len(drawn) < 1.2 * len(expected)
            drawn = list(set(drawn))
        assert sorted(drawn) == sorted(expected), part
