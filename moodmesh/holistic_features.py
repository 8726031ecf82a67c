"""Face, hands and shoulders -> feature vector: the one definition for recording, training, live.

The vector, float32 (1714,):

| numbers | what |
|---|---|
| 1486 | the face, as features.py makes it: 478 frontal landmarks and 52 blendshapes |
| 63 | the left hand's shape: its points from the wrist, in lengths of the palm |
| 63 | the right hand's shape |
| 3 | where the left wrist is, from between the shoulders, in shoulder widths |
| 3 | where the right wrist is |
| 69 | the upper body's 23 points, likewise, each times how visible it is: a guess weighs little |
| 23 | how visible each of them is |
| 4 | which parts are seen: face, left hand, right hand, upper body; 1 or 0 |

Numbers of a part that is not seen are 0 and mean nothing: whoever learns from the vector has to
ask the last four first (training gives such a part no say, neither for nor against).

Everything but the face is levelled by the shoulders, so that a tilted camera changes little, but
not turned about itself: a thumb that points up and one that points down are two things. A hand's
shape is in lengths of its own palm because a hand held out to the camera looks twice as large.
"""

from __future__ import annotations

import numpy as np

from moodmesh.face import BLENDSHAPES, LANDMARKS, LEFT_EYE_CORNERS, RIGHT_EYE_CORNERS
from moodmesh.features import FEATURES, FEATURES_VERSION, feature_vectors, mirror
from moodmesh.holistic import HAND, LEFT_SHOULDER, RIGHT_SHOULDER, UPPER, Body

# Raise the second summand whenever the same person would give another vector; another face
# vector makes another one of these by itself.
HOLISTIC_VERSION = 100 * FEATURES_VERSION + 1

PARTS = 4
FACE_PART, LEFT_PART, RIGHT_PART, UPPER_PART = range(PARTS)
SHAPE = HAND * 3
LEFT_SHAPE = slice(FEATURES, FEATURES + SHAPE)
RIGHT_SHAPE = slice(LEFT_SHAPE.stop, LEFT_SHAPE.stop + SHAPE)
LEFT_PLACE = slice(RIGHT_SHAPE.stop, RIGHT_SHAPE.stop + 3)
RIGHT_PLACE = slice(LEFT_PLACE.stop, LEFT_PLACE.stop + 3)
UPPER_PLACES = slice(RIGHT_PLACE.stop, RIGHT_PLACE.stop + UPPER * 3)
UPPER_SEEN = slice(UPPER_PLACES.stop, UPPER_PLACES.stop + UPPER)
SEEN = slice(UPPER_SEEN.stop, UPPER_SEEN.stop + PARTS)
HOLISTIC_FEATURES = SEEN.stop

# Which part each number belongs to; -1 for the flags, which are always there.
PART_OF = np.full(HOLISTIC_FEATURES, -1)
for _part, _numbers in (
    (FACE_PART, slice(0, FEATURES)),
    (LEFT_PART, LEFT_SHAPE),
    (RIGHT_PART, RIGHT_SHAPE),
    (LEFT_PART, LEFT_PLACE),
    (RIGHT_PART, RIGHT_PLACE),
    (UPPER_PART, UPPER_PLACES),
    (UPPER_PART, UPPER_SEEN),
):
    PART_OF[_numbers] = _part

_WRIST, _MIDDLE_KNUCKLE = 0, 9
# Where the pose is missing, the face stands in for the shoulders: an adult's are six eye
# distances wide, and as far below the eyes as two thirds of that (test face: 5.7 and 3.9).
_SHOULDERS_IN_EYES, _SHOULDERS_BELOW_EYES = 6.0, 4.0
# MediaPipe's pose: the nose, then pairs of the person's left and right, but for eyes (three each).
_MIRRORED_UPPER = np.array(
    [*(0, 4, 5, 6, 1, 2, 3), *(i + 1 if i % 2 else i - 1 for i in range(7, UPPER))]
)


def holistic_vectors(
    landmarks: np.ndarray,
    blendshapes: np.ndarray,
    hands: np.ndarray,
    upper: np.ndarray,
    seen: np.ndarray,
    size: np.ndarray,
) -> np.ndarray:
    """Feature vectors of many frames, float32 (n, 1714).

    landmarks (n, 478, 3), blendshapes (n, 52), hands (n, 2, 21, 3) left then right, upper
    (n, 23, 4), as in Face and Body; seen: bool (n, 4), which parts there are: what the others
    hold of a part that is not seen does not matter. size: (width, height).
    """
    n = len(seen)
    width, height = (float(side) for side in size)
    pixels = np.array([width, height, width], np.float32)
    rows = np.zeros((n, HOLISTIC_FEATURES), np.float32)
    rows[:, SEEN] = seen
    if (face := seen[:, FACE_PART]).any():
        rows[face, :FEATURES] = feature_vectors(
            landmarks[face], blendshapes[face], np.array([width, height])
        )
    centre, unit, level = _frame(landmarks * pixels, upper[:, :, :3] * pixels, seen)
    if (there := seen[:, UPPER_PART]).any():
        visible = upper[there, :, 3]
        points = upper[there, :, :3] * pixels
        points[:, :, 2] -= points[:, [LEFT_SHOULDER, RIGHT_SHOULDER], 2].mean(axis=1)[:, None]
        places = _levelled(points, centre[there], unit[there], level[there])
        rows[there, UPPER_PLACES] = (places * visible[:, :, None]).reshape(len(places), -1)
        rows[there, UPPER_SEEN] = visible
    for side, part, shape, place in (
        (0, LEFT_PART, LEFT_SHAPE, LEFT_PLACE),
        (1, RIGHT_PART, RIGHT_SHAPE, RIGHT_PLACE),
    ):
        if not (there := seen[:, part]).any():
            continue
        points = hands[there, side] * pixels
        palm = np.linalg.norm(points[:, _MIDDLE_KNUCKLE] - points[:, _WRIST], axis=1)
        own = _levelled(points, points[:, _WRIST], palm, level[there])
        rows[there, shape] = own.reshape(len(own), -1)
        wrist = points[:, [_WRIST]] * np.array([1, 1, 0], np.float32)
        rows[there, place] = _levelled(wrist, centre[there], unit[there], level[there])[:, 0]
        # How near the hand is: its palm in shoulder widths, for MediaPipe tells no depth of it.
        rows[there, place.stop - 1] = palm / np.maximum(unit[there], 1e-6)
    return rows


def holistic_vector(body: Body) -> np.ndarray:
    """The person's feature vector, float32 (1714,)."""
    parts = body.face, body.left, body.right, body.upper

    def one(part: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
        return np.zeros((1, *shape), np.float32) if part is None else part[None]

    hands = np.stack([one(body.left, (HAND, 3)), one(body.right, (HAND, 3))], axis=1)
    face = body.face
    return holistic_vectors(
        one(None if face is None else face.landmarks, (LANDMARKS, 3)),
        one(None if face is None else face.blendshapes, (BLENDSHAPES,)),
        hands,
        one(body.upper, (UPPER, 4)),
        np.array([[part is not None for part in parts]]),
        np.array(body.size),
    )[0]


def _frame(
    face: np.ndarray, upper: np.ndarray, seen: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Between the shoulders (n, 3), their distance (n,), and the unit vector (n, 2) from the
    right one to the left one; from the face where the shoulders are not seen. In pixels."""
    right, left = upper[:, RIGHT_SHOULDER, :2], upper[:, LEFT_SHOULDER, :2]
    right_eye = face[:, list(RIGHT_EYE_CORNERS), :2].mean(axis=1)
    left_eye = face[:, list(LEFT_EYE_CORNERS), :2].mean(axis=1)
    eyes = left_eye - right_eye
    below = np.stack([-eyes[:, 1], eyes[:, 0]], axis=1)
    in_its_place = (left_eye + right_eye) / 2 + _SHOULDERS_BELOW_EYES * below
    has_face, has_upper = seen[:, [FACE_PART]], seen[:, [UPPER_PART]]
    across = np.where(has_upper, left - right, np.where(has_face, _SHOULDERS_IN_EYES * eyes, 1))
    across = across.astype(np.float32)
    centre = np.zeros((len(seen), 3), np.float32)
    centre[:, :2] = np.where(has_upper, (left + right) / 2, np.where(has_face, in_its_place, 0))
    unit = np.maximum(np.linalg.norm(across, axis=1), 1e-6)
    return centre, unit, across / unit[:, None]


def _levelled(
    points: np.ndarray, centre: np.ndarray, unit: np.ndarray, level: np.ndarray
) -> np.ndarray:
    """Points (n, k, 3) from a centre (n, 3), in units (n,), turned so that level (n, 2) is x."""
    moved = (points - centre[:, None]) / np.maximum(unit, 1e-6)[:, None, None]
    cos, sin = level[:, None, 0], level[:, None, 1]
    x, y = moved[:, :, 0], moved[:, :, 1]
    return np.stack([x * cos + y * sin, y * cos - x * sin, moved[:, :, 2]], axis=2)


def shoulder_places(
    points: np.ndarray, landmarks: np.ndarray, upper: np.ndarray, seen: np.ndarray, size: np.ndarray
) -> np.ndarray:
    """Points (n, k, 2), in fractions of the picture, from between the shoulders, in shoulder
    widths, upright: where the feature vector has them, for drawing."""
    width, height = (float(side) for side in size)
    pixels = np.array([width, height, width], np.float32)
    centre, unit, level = _frame(landmarks * pixels, upper[:, :, :3] * pixels, seen)
    flat = np.concatenate([points * pixels[:2], np.zeros((*points.shape[:2], 1))], axis=2)
    return _levelled(flat, centre, unit, level)[:, :, :2]


def seen_numbers(rows: np.ndarray) -> np.ndarray:
    """Which numbers of the vectors (n, 1714) belong to something that is seen: bool, as large."""
    flags = rows[:, SEEN] > 0.5
    always = np.ones((len(rows), 1), bool)
    there: np.ndarray = np.concatenate([flags, always], axis=1)[:, PART_OF]
    return there


def mirror_holistic(rows: np.ndarray) -> np.ndarray:
    """The feature vectors of the mirrored persons; float32 (n, 1714) in and out."""
    flip = np.array([-1, 1, 1], np.float32)
    result = rows.copy()
    # What is not seen stays 0: a mirrored face that is not there must not become one.
    result[:, :FEATURES] = mirror(rows[:, :FEATURES])

    def flipped(part: slice) -> np.ndarray:
        turned: np.ndarray = (rows[:, part].reshape(len(rows), -1, 3) * flip).reshape(len(rows), -1)
        return turned

    result[:, LEFT_SHAPE], result[:, RIGHT_SHAPE] = flipped(RIGHT_SHAPE), flipped(LEFT_SHAPE)
    result[:, LEFT_PLACE], result[:, RIGHT_PLACE] = flipped(RIGHT_PLACE), flipped(LEFT_PLACE)
    places = flipped(UPPER_PLACES).reshape(len(rows), UPPER, 3)
    result[:, UPPER_PLACES] = places[:, _MIRRORED_UPPER].reshape(len(rows), -1)
    result[:, UPPER_SEEN] = rows[:, UPPER_SEEN][:, _MIRRORED_UPPER]
    flags = np.array([FACE_PART, RIGHT_PART, LEFT_PART, UPPER_PART])
    result[:, SEEN] = rows[:, SEEN][:, flags]
    return result
