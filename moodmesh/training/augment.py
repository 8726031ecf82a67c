"""Feature vectors of the same face seen a little differently, for training on few samples.

The feature vector already ignores distance, roll and shift. What is left of a change of the
camera is what MediaPipe gets wrong about it: the depth of a turned head, the perspective of a
near one, a trembling of every landmark, blendshapes that rise and fall with the light.
"""

from __future__ import annotations

import numpy as np

from moodmesh.face import LANDMARKS
from moodmesh.features import FEATURES, frontal_landmarks
from moodmesh.holistic import HAND
from moodmesh.holistic_features import (
    FACE_PART,
    LEFT_PLACE,
    LEFT_SHAPE,
    RIGHT_PLACE,
    RIGHT_SHAPE,
    SEEN,
    UPPER_PLACES,
    UPPER_SEEN,
    seen_numbers,
)

COORDINATES = LANDMARKS * 3
# Degrees of turn and nod that people make while they look at a screen.
TURN, NOD = 30.0, 20.0
# MediaPipe guesses depth from a single picture: on the test face it is off by about a third.
DEPTH = 0.35
# A face fills so many eye distances of depth that arm's length and half of it differ by this.
PERSPECTIVE = 0.08
# Eye distances: the trembling between neighbouring frames of the test face.
TREMBLING = 0.004
# Share by which a blendshape differs between light and dark pictures of one expression.
BLENDSHAPES = 0.15
# Degrees by which a hand is turned and nodded between two times that someone shows a gesture.
HAND_TURN = 20.0
# Palm lengths, shares of shoulder widths, shoulder widths, and shares: what MediaPipe's hand and
# pose tremble by between neighbouring frames of the drawn hand of the tests, and what people vary.
HAND_TREMBLING, PLACE, PLACE_TREMBLING, VISIBILITY = 0.03, 0.1, 0.03, 0.05


def vary(features: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each feature vector as another camera might have seen it; float32 (n, 1486) in and out."""
    n = len(features)
    points = features[:, :COORDINATES].reshape(n, LANDMARKS, 3).astype(np.float32)

    def spread(amount: float) -> np.ndarray:
        return rng.uniform(-amount, amount, (n, 1)).astype(np.float32)

    points[:, :, 2] *= 1 + spread(DEPTH)
    points = points @ _rotations(np.deg2rad(spread(TURN))[:, 0], np.deg2rad(spread(NOD))[:, 0])
    points[:, :, :2] /= 1 + spread(PERSPECTIVE)[:, None] * points[:, :, 2:]
    points[:, :, 2] *= 1 + spread(DEPTH)
    seen = frontal_landmarks(points, np.ones(2))
    seen = seen + TREMBLING * rng.standard_normal(seen.shape, np.float32)
    shapes = features[:, COORDINATES:]
    shapes = shapes * (1 + BLENDSHAPES * rng.standard_normal(shapes.shape, np.float32))
    shapes = shapes + BLENDSHAPES / 8 * rng.standard_normal(shapes.shape, np.float32)
    return np.concatenate([seen.reshape(n, -1), np.clip(shapes, 0, 1)], axis=1).astype(np.float32)


def vary_holistic(rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each person as another camera might have seen them; float32 (n, 1714) in and out.

    Parts that are not seen stay unseen.
    """
    result = rows.copy()
    n = len(rows)
    if (face := rows[:, SEEN][:, FACE_PART] > 0.5).any():
        result[face, :FEATURES] = vary(rows[face, :FEATURES], rng)

    def spread(amount: float) -> np.ndarray:
        return rng.uniform(-amount, amount, (n, 1)).astype(np.float32)

    def trembling(part: slice, amount: float) -> np.ndarray:
        noise = rng.standard_normal((n, part.stop - part.start), np.float32)
        return (amount * noise).astype(np.float32)

    for shape in (LEFT_SHAPE, RIGHT_SHAPE):
        points = rows[:, shape].reshape(n, HAND, 3)
        turns = _rotations(*np.deg2rad([spread(HAND_TURN)[:, 0], spread(HAND_TURN)[:, 0]]))
        turned = points @ turns
        turned[:, :, 2] *= 1 + spread(DEPTH)
        result[:, shape] = turned.reshape(n, -1) + trembling(shape, HAND_TREMBLING)
    for place in (LEFT_PLACE, RIGHT_PLACE, UPPER_PLACES):
        result[:, place] = rows[:, place] * (1 + spread(PLACE)) + trembling(place, PLACE_TREMBLING)
    visible = rows[:, UPPER_SEEN] + trembling(UPPER_SEEN, VISIBILITY)
    result[:, UPPER_SEEN] = np.clip(visible, 0, 1)
    return np.where(seen_numbers(rows), result, 0).astype(np.float32)


def _rotations(turn: np.ndarray, nod: np.ndarray) -> np.ndarray:
    """Matrices (n, 3, 3) that turn row vectors about y, then about x; radians (n,)."""
    one, zero = np.ones_like(turn), np.zeros_like(turn)
    about_y = np.stack(
        [np.cos(turn), zero, np.sin(turn), zero, one, zero, -np.sin(turn), zero, np.cos(turn)]
    )
    about_x = np.stack(
        [one, zero, zero, zero, np.cos(nod), -np.sin(nod), zero, np.sin(nod), np.cos(nod)]
    )
    shape = (3, 3, len(turn))
    return np.einsum("ijn,jkn->nik", about_y.reshape(shape), about_x.reshape(shape))


def mirror_is_another_label(means: np.ndarray, mirrored: np.ndarray) -> bool:
    """Whether some label is another one's mirror image, as a left and a right wink are.

    means: the mean feature vectors of the labels, (labels, numbers). mirrored: those of the
    mirrored persons. Then mirrored samples would teach the wrong label.
    """
    apart = np.linalg.norm(mirrored[:, None] - means[None], axis=2)
    own = np.diag(apart).copy()
    np.fill_diagonal(apart, np.inf)
    # Half as far from the other as from its own: no accident of two expressions that are alike.
    return bool((apart.min(axis=1) < 0.5 * own).any())
