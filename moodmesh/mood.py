"""Expressions over time -> a steady mood, and a mood's place on the valence-arousal plane.

Songs follow the mood, not the frame: a blink must not change the music.
"""

from __future__ import annotations

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
