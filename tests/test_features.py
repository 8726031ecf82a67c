"""Unit: the feature vector follows the expression and not the camera, on a real face."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from moodmesh.face import Face, FaceFinder
from moodmesh.features import (
    FEATURES,
    MIRRORED_BLENDSHAPES,
    MIRRORED_LANDMARKS,
    _rotation,
    feature_vector,
    feature_vectors,
    mirror,
)
from tests import warped_face
from tests.warped_face import HEIGHT, WIDTH, View

GEOMETRY = 478 * 3
# A change of the camera may change the vector by less than this share of its length.
STEADY = 0.03


def change(features: np.ndarray, reference: np.ndarray) -> float:
    """The share by which the landmark part of a vector changed."""
    difference = (features - reference)[:GEOMETRY]
    return float(np.linalg.norm(difference) / np.linalg.norm(reference[:GEOMETRY]))


def seen(finder: FaceFinder, rgb: np.ndarray) -> np.ndarray:
    return feature_vector(finder.find(np.ascontiguousarray(rgb))[0])


@pytest.mark.parametrize(
    "view",
    [
        *(View(distance=distance) for distance in (2.0, 1.5, 1.25, 0.77)),
        *(View(roll=roll) for roll in (-20, -10, 10, 20)),
        *(View(shift=shift) for shift in ((110, 30), (-110, -30))),
        View(light=0.5),
        View(noise=12),
        View(distance=1.4, roll=-15, shift=(60, 40), light=0.7),
    ],
    ids=str,
)
def test_the_camera_changes_the_vector_by_less_than_three_percent(
    finder: FaceFinder, happy_face: Face, view: View
) -> None:
    reference = feature_vector(happy_face)
    assert change(seen(finder, warped_face.render("happy", view)), reference) < STEADY


@pytest.mark.parametrize(
    ("crop", "pad"),
    [
        pytest.param((slice(None), slice(80, 560)), 0, id="square"),
        pytest.param((slice(None), slice(140, 500)), 0, id="portrait 3:4"),
        pytest.param((slice(None), slice(185, 455)), 0, id="portrait 9:16"),
        pytest.param((slice(60, 420), slice(None)), 0, id="wide 16:9"),
        pytest.param((slice(None), slice(None)), 200, id="very wide"),
    ],
)
def test_the_shape_of_the_picture_does_not_matter(
    finder: FaceFinder, happy_face: Face, crop: tuple[slice, slice], pad: int
) -> None:
    rgb = cv2.copyMakeBorder(
        warped_face.render("happy")[crop], 0, 0, pad, pad, cv2.BORDER_REPLICATE
    )
    assert change(seen(finder, rgb), feature_vector(happy_face)) < STEADY


@pytest.mark.parametrize("expression", ["surprise", "sad", "pucker"])
def test_an_expression_changes_the_vector_more_than_the_camera_does(
    finder: FaceFinder, happy_face: Face, expression: str
) -> None:
    other = seen(finder, warped_face.render(expression))
    assert change(other, feature_vector(happy_face)) > 1.5 * STEADY


@pytest.mark.parametrize("expression", ["happy", "wink", "sad"])
def test_mirroring_the_vector_is_mirroring_the_picture(finder: FaceFinder, expression: str) -> None:
    rgb = warped_face.render(expression)
    plain, flipped = seen(finder, rgb), seen(finder, rgb[:, ::-1])
    assert change(mirror(flipped), plain) < STEADY


def test_mirroring_twice_changes_nothing(happy_face: Face) -> None:
    features = feature_vector(happy_face)
    np.testing.assert_array_equal(mirror(mirror(features)), features)
    stacked = np.stack([features, mirror(features)])
    np.testing.assert_array_equal(mirror(stacked)[0], stacked[1])


@pytest.mark.parametrize("order", [MIRRORED_LANDMARKS, MIRRORED_BLENDSHAPES])
def test_mirroring_pairs_every_number_with_one_other(order: np.ndarray) -> None:
    np.testing.assert_array_equal(order[order], np.arange(len(order)))


def test_the_vector_is_centred_upright_and_in_eye_distances(happy_face: Face) -> None:
    points = feature_vector(happy_face)[:GEOMETRY].reshape(478, 3)
    right, left = points[[33, 133]].mean(axis=0), points[[362, 263]].mean(axis=0)
    np.testing.assert_allclose((right + left) / 2, 0, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(left - right), 1, atol=1e-5)
    assert points[152, 1] > 1 > points[1, 1] > 0 > points[10, 1]


def test_many_frames_give_the_same_as_one_at_a_time(happy_face: Face) -> None:
    turned = happy_face.landmarks * np.array([0.9, 1.1, 1], np.float32)
    landmarks = np.stack([happy_face.landmarks, turned])
    blendshapes = np.stack([happy_face.blendshapes] * 2)
    many = feature_vectors(landmarks, blendshapes, np.array(happy_face.size))
    assert many.shape == (2, FEATURES) and many.dtype == np.float32
    np.testing.assert_allclose(many[0], feature_vector(happy_face), atol=1e-5)
    one_size_each = feature_vectors(landmarks, blendshapes, np.array([[WIDTH, HEIGHT]] * 2))
    np.testing.assert_allclose(one_size_each, many, atol=1e-5)


def test_landmarks_that_all_coincide_give_finite_numbers() -> None:
    features = feature_vectors(
        np.full((1, 478, 3), 0.5, np.float32), np.zeros((1, 52), np.float32), np.array([640, 480])
    )
    assert np.isfinite(features).all()


@pytest.mark.parametrize("flip", [1, -1])
def test_the_rotation_is_the_nearest_one_even_of_a_mirrored_or_flat_face(
    happy_face: Face, flip: int
) -> None:
    """Against singular values, the textbook's way (Kabsch 1976)."""
    random = np.random.default_rng(0)
    matrices = [random.normal(size=(3, 3)) for _ in range(50)]
    matrices += [np.diag([1.0, 1.0, 1e-9]), np.diag([5.0, 2.0, 0.0]), np.eye(3) * 1e-4]
    for matrix in matrices:
        matrix = matrix * [1, 1, flip]
        u, _, vt = np.linalg.svd(matrix)
        u[:, 2] *= np.sign(np.linalg.det(u @ vt))
        found = np.reshape(_rotation(matrix.tolist()), (3, 3))
        np.testing.assert_allclose(found, u @ vt, atol=1e-7)
        assert np.linalg.det(found) == pytest.approx(1)
