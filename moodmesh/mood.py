"""Expressions over time -> a steady mood, and a mood's place on the valence-arousal plane.

Songs follow the mood, not the frame: a blink must not change the music.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

# Russell and Mehrabian (1977), "Evidence for a three-factor theory of emotions", Journal of
# Research in Personality 11: mean pleasure (valence) and arousal ratings, each on [-1, 1].
VALENCE_AROUSAL: dict[str, tuple[float, float]] = {
    "happy": (0.81, 0.51),
    "surprise": (0.40, 0.67),
    "neutral": (0.0, 0.0),
    "sad": (-0.63, -0.27),
    "fear": (-0.64, 0.60),
    "angry": (-0.51, 0.59),
    "disgust": (-0.60, 0.35),
}

# How a sentence about the face names the expression: 'You look …'.
LOOKS = {
    "happy": "happy",
    "surprise": "surprised",
    "neutral": "at ease",
    "sad": "sad",
    "fear": "worried",
    "angry": "angry",
    "disgust": "put off",
}

# Short enough to follow a smile at once, long enough that the bars do not tremble.
SHOWN_SECONDS = 0.4
# The music follows what lasts; half of a changed expression has arrived after 0.7 x this.
MOOD_SECONDS = 1.5
# Another expression must lead by this probability, for this long, before the mood changes. A
# blink lasts 0.1-0.4 s, a word's mouth shape less.
LEAD = 0.12
HOLD_SECONDS = 2.0
# After a longer pause than this the past says nothing about the present face.
FORGET_SECONDS = 10.0


@dataclass(frozen=True)
class Mood:
    """What the songs follow.

    label: the expression that lasts, None until one has.
    probabilities: label -> probability, smoothed over seconds.
    valence, arousal: each on [-1, 1].
    since_s: when this label began, on the caller's clock.
    told: whether the listener said so, with no face looked at.
    """

    label: str | None = None
    probabilities: dict[str, float] = field(default_factory=dict)
    valence: float = 0.0
    arousal: float = 0.0
    since_s: float = 0.0
    told: bool = False


def valence_arousal(
    probabilities: Mapping[str, float], plays_like: Mapping[str, str] | None = None
) -> tuple[float, float]:
    """The probability-weighted mean of the labels' places on the plane, each on [-1, 1].

    plays_like: for labels of one's own, the known label that each stands for; one that stands
        for none counts as neutral.
    """
    named = plays_like or {}
    places = {label: VALENCE_AROUSAL.get(named.get(label, label)) for label in probabilities}
    valence = sum(p * (places[label] or (0.0, 0.0))[0] for label, p in probabilities.items())
    arousal = sum(p * (places[label] or (0.0, 0.0))[1] for label, p in probabilities.items())
    return valence, arousal


def chosen(label: str, plays_like: Mapping[str, str] | None = None) -> Mood:
    """The mood of somebody who says so, without a camera."""
    valence, arousal = valence_arousal({label: 1.0}, plays_like)
    return Mood(label, {label: 1.0}, valence, arousal, told=True)


class Smoothed:
    """Probabilities averaged over the last seconds, newer ones weighing more."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._time_s = -math.inf
        self.probabilities: dict[str, float] = {}

    def update(self, probabilities: Mapping[str, float], time_s: float) -> dict[str, float]:
        """Takes in the probabilities at a time in seconds; returns the new average."""
        elapsed = time_s - self._time_s
        if elapsed > FORGET_SECONDS or probabilities.keys() != self.probabilities.keys():
            self.probabilities = dict(probabilities)
        else:
            share = 1.0 - math.exp(-max(elapsed, 0.0) / self._seconds)
            self.probabilities = {
                label: before + share * (probabilities[label] - before)
                for label, before in self.probabilities.items()
            }
        self._time_s = time_s
        return self.probabilities


class MoodTracker:
    """Turns the expressions of one face over time into its mood."""

    def __init__(self, plays_like: Mapping[str, str] | None = None) -> None:
        self._plays_like = dict(plays_like or {})
        self._smoothed = Smoothed(MOOD_SECONDS)
        self._leader: str | None = None
        self._leads_since_s = 0.0
        self.mood = Mood()

    def update(self, probabilities: Mapping[str, float], time_s: float) -> Mood:
        """Takes in one frame's probabilities at a time in seconds; returns the mood.

        Frames without a face are simply not passed: the mood stays.
        """
        smoothed = self._smoothed.update(probabilities, time_s)
        leader = max(smoothed, key=smoothed.__getitem__)
        current = self.mood.label if self.mood.label in smoothed else None
        ahead = smoothed[leader] - (smoothed[current] if current else 0.0)
        if leader == current or ahead < LEAD:
            self._leader = None
        elif leader != self._leader:
            self._leader, self._leads_since_s = leader, time_s
        label, since_s = current, self.mood.since_s
        if self._leader is not None and time_s - self._leads_since_s >= HOLD_SECONDS:
            label, since_s, self._leader = self._leader, time_s, None
        valence, arousal = valence_arousal(smoothed, self._plays_like)
        self.mood = Mood(label, dict(smoothed), valence, arousal, since_s)
        return self.mood
