"""Unit: what the landmark net learns from beside the labels: varied views and the image network."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from moodmesh import bundle
from moodmesh.classifier import Network
from moodmesh.crop import face_crop
from moodmesh.training import teacher, views
from moodmesh.training.evaluate import face_of
from moodmesh.training.landmark_cache import find_landmarks
from tests.test_training_fer2013 import pictures


def test_views_differ_from_each_other_and_come_back_the_same() -> None:
    images = pictures(3)
    first, again, other = (views.varied(images, seed) for seed in (1, 1, 2))
    assert first.shape == (3, 96, 96) and first.dtype == np.uint8
    np.testing.assert_array_equal(first, again)
    assert np.abs(first.astype(int) - other).mean() > 5
    # One picture's view does not hang on how many others there are.
    np.testing.assert_array_equal(views.varied(images[:1], 1)[0], first[0])


def test_a_face_is_found_in_its_views(tmp_path: Path) -> None:
    found = find_landmarks(views.varied(pictures(6), 1), tmp_path)
    assert found.found.all() and found.size == (96, 96)


def test_the_teacher_says_what_the_live_network_says_and_is_asked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = np.concatenate([pictures(2), np.zeros((1, 48, 48), np.uint8)])
    found = find_landmarks(images, tmp_path)
    network = bundle.GENERAL / "cnn.tflite"
    logits = teacher.teacher_logits(network.read_bytes(), images, found, tmp_path)
    live = Network(network)
    for index, image in enumerate(images):
        crop = face_crop(cv2.cvtColor(image, cv2.COLOR_GRAY2RGB), face_of(found, index))
        np.testing.assert_allclose(logits[index], live(crop), atol=1e-4)

    def asked_again(*_: object) -> None:
        raise AssertionError("asked again")

    monkeypatch.setattr(teacher, "_answers", asked_again)
    again = teacher.teacher_logits(network.read_bytes(), images, found, tmp_path)
    np.testing.assert_array_equal(again, logits)
    with pytest.raises(AssertionError, match="asked again"):
        teacher.teacher_logits(network.read_bytes(), 255 - images, found, tmp_path)
