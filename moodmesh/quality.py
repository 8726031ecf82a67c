"""What a recording lacks, in words: hints on one take, and what to record next.

Pure functions on takes. The hints are advice; a take is kept whatever they say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from moodmesh.face import LANDMARKS
from moodmesh.takes import Take

Kind = Literal["few faces", "dark", "still", "turned away", "like another", "short"]

# Below this share of frames with a face, half a take is lost.
LEAST_FACES = 0.7
# Mean luma (0-255) below which a face is found late or not at all.
DARK = 45.0
# Fewer frames than this hold hardly more than one sample: a second at 10 frames a second.
LEAST_FRAMES = 10
# Degrees. Beyond it half of the face is guessed by the mesh network.
TURNED = 30.0
# A head held on a stand moves less than this (degrees, share of the distance); a person who
# sits still moves about twice as much in five seconds.
STILL_DEGREES, STILL_DISTANCE = 0.6, 0.006
# The share by which the landmark part of the feature vector changes between two looks that
# cannot be told apart; another distance or tilt of the same look changes it by about 0.01.
ALIKE = 0.025
ALIKE_BLENDSHAPES = 0.2

# How many takes a label should have: evaluation leaves one out and learns from the others.
TAKES = 3
# Takes this much apart in distance teach that leaning back is not an expression.
DISTANCES = 1.15


@dataclass(frozen=True)
class Hint:
    """One thing to do better: its kind, and a sentence for the user."""

    kind: Kind
    text: str


def angles(pose: np.ndarray) -> np.ndarray:
    """Degrees (n, 3) of turn, nod and roll of poses (n, 4, 4); 0 looks into the camera."""
    turn = np.arctan2(pose[:, 0, 2], pose[:, 2, 2])
    nod = np.arcsin(np.clip(-pose[:, 1, 2], -1, 1))
    roll = np.arctan2(pose[:, 1, 0], pose[:, 1, 1])
    return np.rad2deg(np.stack([turn, nod, roll], axis=1))


def distances_cm(pose: np.ndarray) -> np.ndarray:
    """The face's distance from the camera (n,), as MediaPipe guesses it from an average face."""
    return np.abs(pose[:, 2, 3])


def hints(take: Take, frames: int, brightness: float, others: Sequence[Take] = ()) -> list[Hint]:
    """What could be better about this take.

    frames: how many frames were seen, with a face or without. brightness: their mean, 0-255.
    others: takes recorded before, of any label.
    """
    found: list[Hint] = []
    if len(take) < LEAST_FRAMES:
        found.append(Hint("short", "That was very short: hold it for a few seconds."))
    if len(take) < LEAST_FACES * frames:
        share = round(100 * len(take) / frames)
        found.append(
            Hint("few faces", f"I saw your face in only {share}% of it: stay in the picture.")
        )
    if brightness < DARK:
        found.append(Hint("dark", "It is dark: more light from the front helps."))
    turned = np.abs(angles(take.pose)[:, :2]).max(axis=1) > TURNED
    if turned.mean() > 0.5:
        found.append(Hint("turned away", "Your head was turned away: face the camera."))
    moved = angles(take.pose).std(axis=0).max()
    leaned = distances_cm(take.pose)
    still = moved < STILL_DEGREES and leaned.std() < STILL_DISTANCE * leaned.mean()
    if still and len(take) >= LEAST_FRAMES:
        found.append(
            Hint("still", "You held very still: move your head a little while you hold it.")
        )
    if other := _alike(take, others):
        found.append(
            Hint(
                "like another",
                f"This looks much like your '{other}': make the two more different.",
            )
        )
    return found


def _alike(take: Take, others: Sequence[Take]) -> str | None:
    """The label of another expression that this take cannot be told from."""
    own = take.features.mean(axis=0)
    nearest: tuple[float, str] | None = None
    for other in others:
        if other.label == take.label:
            continue
        mean = other.features.mean(axis=0)
        geometry, shapes = slice(LANDMARKS * 3), slice(LANDMARKS * 3, None)
        change = float(np.linalg.norm(own[geometry] - mean[geometry]))
        change /= float(np.linalg.norm(mean[geometry]))
        if change < ALIKE and np.abs(own[shapes] - mean[shapes]).max() < ALIKE_BLENDSHAPES:
            nearest = min(nearest or (change, other.label), (change, other.label))
    return nearest[1] if nearest else None


@dataclass(frozen=True)
class Advice:
    """What a label still lacks.

    done: share of what is wanted, in [0, 1]. text: a sentence fragment, empty when nothing lacks.
    """

    label: str
    done: float
    text: str


def advice(takes: Mapping[str, Sequence[Take]]) -> list[Advice]:
    """For each label what to record next, by label; a label without takes is empty."""
    return [_advice(label, mine) for label, mine in takes.items()]


def _advice(label: str, takes: Sequence[Take]) -> Advice:
    missing = TAKES - len(takes)
    if not takes:
        return Advice(label, 0.0, "three short takes")
    distances = [float(np.median(distances_cm(take.pose))) for take in takes]
    varied = max(distances) / max(min(distances), 1e-6) >= DISTANCES
    place = "" if varied else ", a little further away"
    done = min(len(takes), TAKES) / TAKES
    if missing > 1:
        return Advice(label, done * 0.9, f"two more takes{place}")
    if missing == 1:
        return Advice(label, done * 0.9, f"one more take{place}")
    if not varied:
        return Advice(label, 0.9, "one take a little further away")
    return Advice(label, 1.0, "")
