"""Unit tests of the mood: what lasts changes it, what passes does not."""

from __future__ import annotations

import math

import pytest

from moodmesh import mood
from moodmesh.mood import MoodTracker, Smoothed, valence_arousal

LABELS = list(mood.VALENCE_AROUSAL)
FRAME_S = 1 / 15


def surely(label: str, p: float = 0.9) -> dict[str, float]:
    rest = (1 - p) / (len(LABELS) - 1)
    return {name: p if name == label else rest for name in LABELS}


def watch(
    tracker: MoodTracker, label: str, seconds: float, start_s: float, p: float = 0.9
) -> float:
    """Shows the tracker one expression for some seconds; returns the time afterwards."""
    for frame in range(round(seconds / FRAME_S)):
        tracker.update(surely(label, p), start_s + frame * FRAME_S)
    return start_s + seconds


def test_a_mood_needs_time_before_it_has_a_name() -> None:
    tracker = MoodTracker()
    watch(tracker, "happy", mood.HOLD_SECONDS / 2, 0.0)
    assert tracker.mood.label is None
    watch(tracker, "happy", mood.HOLD_SECONDS, mood.HOLD_SECONDS / 2)
    assert tracker.mood.label == "happy"


def test_a_blink_or_a_yawn_does_not_change_the_mood() -> None:
    tracker = MoodTracker()
    now = watch(tracker, "happy", 6, 0.0)
    for _ in range(5):
        now = watch(tracker, "surprise", 0.4, now)
        assert tracker.mood.label == "happy"
        now = watch(tracker, "happy", 1.5, now)
    assert tracker.mood.label == "happy"


def test_an_expression_that_lasts_becomes_the_mood() -> None:
    tracker = MoodTracker()
    now = watch(tracker, "happy", 6, 0.0)
    changed = watch(tracker, "sad", 8, now)
    assert tracker.mood.label == "sad"
    assert now < tracker.mood.since_s < changed


def test_two_expressions_that_are_level_change_nothing() -> None:
    tracker = MoodTracker()
    now = watch(tracker, "neutral", 6, 0.0)
    level = surely("neutral", 0.5) | {"sad": 0.5 + mood.LEAD / 3, "neutral": 0.5 - mood.LEAD / 3}
    for frame in range(200):
        tracker.update(level, now + frame * FRAME_S)
    assert tracker.mood.label == "neutral"


def test_the_mood_stays_while_no_face_is_seen_and_follows_labels_of_ones_own() -> None:
    tracker = MoodTracker({"wink": "happy"})
    watch(tracker, "happy", 6, 0.0)
    assert tracker.mood.label == "happy"
    for frame in range(100):
        tracker.update({"wink": 0.8, "frown": 0.2}, 60.0 + frame * FRAME_S)
    assert tracker.mood.label == "wink"
    assert tracker.mood.valence == pytest.approx(0.8 * mood.VALENCE_AROUSAL["happy"][0])


@pytest.mark.parametrize(
    ("probabilities", "expected"),
    [
        ({"happy": 1.0}, (0.81, 0.51)),
        ({"happy": 0.5, "sad": 0.5}, (0.09, 0.12)),
        ({"neutral": 1.0}, (0.0, 0.0)),
        ({"thumbs up": 1.0}, (0.0, 0.0)),
    ],
)
def test_valence_and_arousal_are_weighted_means(
    probabilities: dict[str, float], expected: tuple[float, float]
) -> None:
    assert valence_arousal(probabilities) == pytest.approx(expected)


def test_smoothing_does_not_depend_on_the_frame_rate() -> None:
    results = []
    for rate in (10, 40):
        smoothed = Smoothed(1.0)
        smoothed.update({"a": 0.0, "b": 1.0}, 0.0)
        for frame in range(1, rate + 1):
            smoothed.update({"a": 1.0, "b": 0.0}, frame / rate)
        results.append(smoothed.probabilities["a"])
    assert results[0] == pytest.approx(1 - math.exp(-1), abs=1e-9)
    assert results[0] == pytest.approx(results[1], abs=1e-9)


def test_a_long_pause_is_forgotten() -> None:
    smoothed = Smoothed(1.0)
    smoothed.update({"a": 1.0, "b": 0.0}, 0.0)
    assert smoothed.update({"a": 0.0, "b": 1.0}, mood.FORGET_SECONDS + 1)["a"] == 0.0
