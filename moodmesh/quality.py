"""What a recording lacks, in words: hints on one take, and what to record next.

Pure functions on takes. The hints are advice; a take is kept whatever they say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from moodmesh.face import LANDMARKS, Face
from moodmesh.features import FEATURES
from moodmesh.holistic_features import (
    LEFT_PART,
    LEFT_PLACE,
    LEFT_SHAPE,
    RIGHT_PART,
    RIGHT_PLACE,
    RIGHT_SHAPE,
    SEEN,
)
from moodmesh.takes import Take

Kind = Literal["few faces", "dark", "still", "turned away", "like another", "short", "no hand"]

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
# With hands as well: shares of the frames in which a part is seen, lengths of the palm in a hand's
# shape, shoulder widths in its place. MediaPipe trembles by a fifth of these on a held hand.
ALIKE_SEEN, ALIKE_SHAPE, ALIKE_PLACE = 0.4, 0.15, 0.15
# Below this share of frames a hand is not part of what is shown.
LEAST_HANDS = 0.3

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


def at_once(face: Face | None, dark: bool, seen: bool = False) -> str:
    """What is wrong right now, before or while a take is recorded; empty where nothing is.

    seen: whether somebody is, be it without a face.
    """
    if dark:
        return "It is dark: more light from the front helps."
    if face is None:
        return "" if seen else "I cannot see your face: look into the camera."
    if np.abs(angles(face.pose[None])[0, :2]).max() > TURNED:
        return "Your head is turned away: face the camera."
    return ""


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
        what = "your face" if take.kind == "face" else "you"
        found.append(
            Hint("few faces", f"I saw {what} in only {share}% of it: stay in the picture.")
        )
    if brightness < DARK:
        found.append(Hint("dark", "It is dark: more light from the front helps."))
    found += _of_the_head(take)
    if take.seen is not None and take.seen[:, LEFT_PART : RIGHT_PART + 1].mean(axis=0).max() < (
        LEAST_HANDS
    ):
        found.append(
            Hint(
                "no hand",
                "I saw no hand in it. That is fine if this needs none; otherwise hold it beside "
                "your face, where the picture shows it.",
            )
        )
    if other := _alike(take, others):
        found.append(
            Hint(
                "like another",
                f"This looks much like your '{other}': make the two more different.",
            )
        )
    return found


def _of_the_head(take: Take) -> list[Hint]:
    """Turned away, or still as a photograph; a take that hides the face tells neither."""
    faces = take.faces
    if faces is None or len(faces) < LEAST_FRAMES:
        return []
    found = []
    turned = np.abs(angles(faces.pose)[:, :2]).max(axis=1) > TURNED
    if turned.mean() > 0.5:
        found.append(Hint("turned away", "Your head was turned away: face the camera."))
    moved = angles(faces.pose).std(axis=0).max()
    leaned = distances_cm(faces.pose)
    if moved < STILL_DEGREES and leaned.std() < STILL_DISTANCE * leaned.mean():
        found.append(
            Hint("still", "You held very still: move your head a little while you hold it.")
        )
    return found


def _alike(take: Take, others: Sequence[Take]) -> str | None:
    """The label of another expression that this take cannot be told from."""
    own = take.features.mean(axis=0)
    nearest: tuple[float, str] | None = None
    for other in others:
        if other.label == take.label or other.kind != take.kind:
            continue
        mean = other.features.mean(axis=0)
        geometry, shapes = slice(LANDMARKS * 3), slice(LANDMARKS * 3, FEATURES)
        change = float(np.linalg.norm(own[geometry] - mean[geometry]))
        change /= max(float(np.linalg.norm(mean[geometry])), 1e-6)
        if take.kind == "holistic" and not _bodies_alike(own, mean):
            continue
        if change < ALIKE and np.abs(own[shapes] - mean[shapes]).max() < ALIKE_BLENDSHAPES:
            nearest = min(nearest or (change, other.label), (change, other.label))
    return nearest[1] if nearest else None


def _bodies_alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether mean feature vectors (1714,) show the same hands in the same places."""
    apart = np.abs(one - other)
    shapes = max(apart[LEFT_SHAPE].mean(), apart[RIGHT_SHAPE].mean())
    places = max(apart[LEFT_PLACE].max(), apart[RIGHT_PLACE].max())
    return bool(apart[SEEN].max() < ALIKE_SEEN and shapes < ALIKE_SHAPE and places < ALIKE_PLACE)


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
    faces = [seen for take in takes if (seen := take.faces) is not None]
    distances = [float(np.median(distances_cm(take.pose))) for take in faces]
    # Where the face is hidden, nothing tells the distance.
    varied = not faces or max(distances) / max(min(distances), 1e-6) >= DISTANCES
    place = "" if varied else ", a little further away"
    done = min(len(takes), TAKES) / TAKES
    if missing > 1:
        return Advice(label, done * 0.9, f"two more takes{place}")
    if missing == 1:
        return Advice(label, done * 0.9, f"one more take{place}")
    if not varied:
        return Advice(label, 0.9, "one take a little further away")
    return Advice(label, 1.0, "")
