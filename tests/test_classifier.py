"""Unit: what a bundle's answer means. Networks at work are tested with training."""

from __future__ import annotations

import numpy as np
import pytest

from moodmesh.classifier import Expression, softmax


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
