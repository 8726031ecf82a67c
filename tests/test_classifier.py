"""Unit: what a bundle's answer means. Networks at work are tested with training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from moodmesh import bundle
from moodmesh.classifier import Classifier, Combination, Expression, softmax
from moodmesh.errors import UserError


@pytest.mark.parametrize(
    ("probabilities", "sure", "label"),
    [
        ({"happy": 0.7, "sad": 0.3}, 0.5, "happy"),
        ({"happy": 0.7, "sad": 0.3}, 0.7, "happy"),
        ({"happy": 0.7, "sad": 0.3}, 0.8, None),
        ({"wink": 1.0}, 0.5, "wink"),
    ],
)
def test_an_expression_is_shown_only_when_sure(
    probabilities: dict[str, float], sure: float, label: str | None
) -> None:
    expression = Expression(probabilities, "landmarks", sure)
    assert expression.label == label
    assert expression.likeliest == max(probabilities, key=lambda name: probabilities[name])
    assert expression.confidence == max(probabilities.values())


@pytest.mark.parametrize(
    "logits", [[0.0, 0.0], [1000.0, -1000.0], [[1.0, 2.0, 3.0], [3.0, 2.0, 1]]]
)
def test_probabilities_sum_to_one(logits: list[float]) -> None:
    probabilities = softmax(np.array(logits))
    assert np.isfinite(probabilities).all()
    np.testing.assert_allclose(probabilities.sum(axis=-1), 1)


def test_a_higher_temperature_is_less_sure_of_the_same_answer() -> None:
    logits = np.array([2.0, 1.0, 0.0])
    sharp, soft = softmax(logits), softmax(logits, 3.0)
    assert sharp[0] > soft[0] > soft[1] > soft[2] > sharp[2]
    np.testing.assert_allclose(sharp / sharp[0], (soft / soft[0]) ** 3)


def test_two_image_networks_speak_in_their_shares(tmp_path: Path) -> None:
    general = bundle.read(bundle.GENERAL)
    files = {name: general.path(name).read_bytes() for name in ("landmarks.tflite", "cnn.tflite")}
    files["cnn_2.tflite"] = files["cnn.tflite"]
    settings = {**general.settings, "shares": [0.75, 0.25]}
    model = bundle.write(tmp_path / "m", replace(general, files={}, settings=settings), files)
    picture = np.random.default_rng(0).integers(0, 255, (48, 48, 3)).astype(np.uint8)
    classifier = Classifier(model)
    first, second = classifier.cnn_parts(picture, None)
    np.testing.assert_allclose(first, second)
    np.testing.assert_allclose(classifier.cnn_logits(picture, None), first, rtol=1e-5)
    parts = np.array([[4.0, 0.0], [0.0, 8.0]])
    np.testing.assert_allclose(classifier.combination.mixed(parts), [3.0, 2.0])
    np.testing.assert_allclose(Combination().mixed(parts), [2.0, 4.0])

    settings = {**general.settings, "shares": [1.0]}
    model = bundle.write(tmp_path / "n", replace(general, files={}, settings=settings), files)
    with pytest.raises(UserError, match=r"2 image networks and shares for 1.*train\.py combine"):
        Classifier(model)
