"""Face -> feature vector: the one definition that recording, training and live use all call.

Raw landmarks move far more with the head than with the expression: leaning back by a third
changes nose-relative landmarks by 30%, an expression by about 4%. So the landmarks are corrected
for the picture's aspect, centred between the eyes, turned frontal and divided by the distance
between the eyes, which leaves 1-2% of change for the same moves.
"""

from __future__ import annotations

import numpy as np

from moodmesh.face import (
    BLENDSHAPE_NAMES,
    BLENDSHAPES,
    LANDMARKS,
    LEFT_EYE_CORNERS,
    RIGHT_EYE_CORNERS,
    Face,
)

# Raise it whenever the same face would give another vector: bundles made for one version are
# refused by code of another.
FEATURES_VERSION = 1
FEATURES = LANDMARKS * 3 + BLENDSHAPES

# The landmarks on the face's midline, from the vertices with x = 0 in MediaPipe's canonical face
# model (in face_landmarker.task). The model numbers its other vertices so that the right half's
# (0-247, in order) are the mirror images of the left half's (248-467, in order).
_MIDLINE = (
    *(0, 1, 2, 4, 5, 6, *range(8, 20)),
    *(94, 151, 152, 164, 168, 175, 195, 197, 199, 200),
)
# Each iris is its centre, then four points on its rim in the picture's order right, top, left,
# bottom (seen on both eyes alike), so that mirroring swaps right and left as well as the eyes.
_RIGHT_IRIS = (468, 469, 470, 471, 472)
_LEFT_IRIS_MIRRORED = (473, 476, 475, 474, 477)


def _mirrored_landmarks() -> np.ndarray:
    order = np.arange(LANDMARKS)
    right = np.setdiff1d(np.arange(248), _MIDLINE)
    left = np.arange(248, 468)
    order[right], order[left] = left, right
    order[list(_RIGHT_IRIS)] = _LEFT_IRIS_MIRRORED
    order[list(_LEFT_IRIS_MIRRORED)] = _RIGHT_IRIS
    return order


def _mirrored_blendshapes() -> np.ndarray:
    def other(name: str) -> str:
        if name.endswith("Left"):
            return name[: -len("Left")] + "Right"
        return name[: -len("Right")] + "Left" if name.endswith("Right") else name

    return np.array([BLENDSHAPE_NAMES.index(other(name)) for name in BLENDSHAPE_NAMES])


MIRRORED_LANDMARKS = _mirrored_landmarks()
MIRRORED_BLENDSHAPES = _mirrored_blendshapes()


# The landmarks that stay put while the face moves, with their weights, as MediaPipe's own face
# pose uses them, and their places on its canonical face in centimetres (x to the picture's left,
# y up, z to the viewer): procrustes_landmark_basis and canonical_mesh of
# geometry_pipeline_metadata_landmarks.binarypb in face_landmarker.task. Midline and right half.
# fmt: off
_STEADY = (
    # landmark, weight, x, y, z
    (4, 0.0709, 0.000, -0.463, 7.587),
    (6, 0.0321, 0.000, 2.473, 5.789),
    (10, 0.0084, 0.000, 8.262, 4.482),
    (33, 0.0587, -4.446, 2.664, 3.173),
    (54, 0.0077, -6.279, 6.615, 1.426),
    (67, 0.0091, -3.524, 8.006, 3.729),
    (117, 0.0098, -5.259, 0.946, 2.974),
    (119, 0.0146, -3.301, 0.862, 3.873),
    (121, 0.0186, -1.821, 1.468, 4.224),
    (127, 0.0052, -7.743, 2.365, -2.005),
    (129, 0.1206, -1.786, -0.978, 4.850),
    (132, 0.0056, -7.271, -2.891, -2.252),
    (133, 0.0533, -1.856, 2.585, 3.758),
    (136, 0.0669, -5.085, -7.179, 0.715),
    (143, 0.0148, -6.408, 2.236, 1.561),
    (147, 0.0143, -6.235, -1.944, 1.664),
    (198, 0.0255, -1.247, 0.230, 5.681),
    (205, 0.0473, -3.833, -1.537, 4.138),
)
# fmt: on


def _steady_points() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Indices (33,), weights (33,) that sum to 1, places (33, 3) centred, in picture axes, and
    their centre (3,)."""
    right = np.array(_STEADY)
    left = right[~np.isin(right[:, 0], _MIDLINE)] * [1, 1, -1, 1, 1]
    left[:, 0] = MIRRORED_LANDMARKS[left[:, 0].astype(int)]
    table = np.concatenate([right, left])
    weights = table[:, 1] / table[:, 1].sum()
    places = table[:, 2:] * [1, -1, -1]
    centre = weights @ places
    return table[:, 0].astype(int), weights, places - centre, centre


STEADY, _WEIGHTS, _PLACES, _CENTRE = _steady_points()
_WEIGHTED_PLACES = (_WEIGHTS[:, None] * _PLACES).astype(np.float32)


def frontal_landmarks(landmarks: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Landmarks centred between the eyes, turned frontal and in units of the eye distance.

    The rotation is the one that brings the 33 steady landmarks nearest to the canonical face
    (Kabsch 1976, "A solution for the best rotation to relate two sets of vectors"), found face by
    face by :func:`_rotation`, which right after the landmarker's large networks is three times as
    fast as LAPACK's routines. MediaPipe's
    own pose allows for perspective, so it turns as a face is shifted sideways: 5% of change for
    a shift by a seventh of the picture, where this rotation has 1%.

    landmarks: (n, 478, 3) as MediaPipe gives them. size: (2,) or (n, 2), the pictures'
    (width, height). Returns float32 (n, 478, 3): x to the picture's right, y down, z away from
    the camera.
    """
    size = np.broadcast_to(np.asarray(size, np.float32), (len(landmarks), 2))
    points = landmarks.astype(np.float32) * size[:, None, [0, 1, 0]]
    (a, b), (c, d) = RIGHT_EYE_CORNERS, LEFT_EYE_CORNERS
    right, left = (points[:, a] + points[:, b]) / 2, (points[:, c] + points[:, d]) / 2
    points -= ((right + left) / 2)[:, None]
    covariances = points[:, STEADY].transpose(0, 2, 1) @ _WEIGHTED_PLACES
    across = left - right
    distances = np.sqrt((across * across).sum(axis=-1))
    turns = np.array([_rotation(one) for one in covariances.tolist()], np.float32)
    turns = turns.reshape(-1, 3, 3)
    turns /= np.maximum(distances, np.finfo(np.float32).tiny)[:, None, None]
    return points @ turns


# Newton's steps double the correct digits, so that six to eight are enough; a face needs five.
_MOST_STEPS = 12
_CLOSE = 1e-9


def _rotation(covariance: list[list[float]]) -> list[float]:
    """The rotation next to a 3x3 matrix, its nine numbers row by row.

    The matrix's orthogonal polar factor by Newton's iteration with Frobenius scaling (Higham 1986,
    "Computing the polar decomposition", section 3), or by singular values where that has no
    rotation for an answer: for a mirrored or a flat face.
    """
    (a, b, c), (d, e, f), (g, h, i) = covariance
    for _ in range(_MOST_STEPS):
        # The cofactors: the inverse's transpose times the determinant.
        ca, cb, cc = e * i - f * h, f * g - d * i, d * h - e * g
        cd, ce, cf = c * h - b * i, a * i - c * g, b * g - a * h
        cg, ch, ci = b * f - c * e, c * d - a * f, a * e - b * d
        determinant = a * ca + b * cb + c * cc
        size = a * a + b * b + c * c + d * d + e * e + f * f + g * g + h * h + i * i
        # How flat it is: 1 for a multiple of a rotation.
        if not determinant > 1e-6 * (size / 3) ** 1.5:
            break
        other = ca * ca + cb * cb + cc * cc + cd * cd + ce * ce + cf * cf
        other += cg * cg + ch * ch + ci * ci
        scale = (other / (determinant * determinant) / size) ** 0.25
        own, inverse = scale / 2, 1 / (2 * scale * determinant)
        before = (a, e, i)
        a, b, c = own * a + inverse * ca, own * b + inverse * cb, own * c + inverse * cc
        d, e, f = own * d + inverse * cd, own * e + inverse * ce, own * f + inverse * cf
        g, h, i = own * g + inverse * cg, own * h + inverse * ch, own * i + inverse * ci
        if abs(a - before[0]) + abs(e - before[1]) + abs(i - before[2]) < _CLOSE:
            return [a, b, c, d, e, f, g, h, i]
    u, _, vt = np.linalg.svd(np.array(covariance))
    u[:, 2] *= np.sign(np.linalg.det(u @ vt))
    numbers: list[float] = (u @ vt).ravel().tolist()
    return numbers


# The camera that MediaPipe assumes for its face pose: degrees of view from bottom to top.
_VIEW_DEGREES = 63.0
_TO_CAMERA = np.array([1, -1, -1], np.float32)  # picture axes to y up and z to the viewer


def head_poses(landmarks: np.ndarray, size: np.ndarray) -> np.ndarray:
    """The head's place from its landmarks, as Face.pose tells it; float32 (n, 4, 4).

    For landmarkers that give no pose. The rotation is that of :func:`frontal_landmarks`; the
    distance follows from the face's size, as if everyone's were the canonical face's.
    landmarks: (n, 478, 3). size: (width, height).
    """
    width, height = (float(side) for side in size)
    points = landmarks.astype(np.float32) * np.array([width, height, width], np.float32)
    steady = points[:, STEADY]
    middle = np.einsum("w,nwx->nx", _WEIGHTS, steady)
    covariance = (steady - middle[:, None]).transpose(0, 2, 1) @ _WEIGHTED_PLACES
    u, values, vt = np.linalg.svd(covariance)
    sign = np.sign(np.linalg.det(u @ vt))
    u[:, :, 2] *= sign[:, None]
    values[:, 2] *= sign
    rotation = u @ vt
    pixels_a_cm = values.sum(axis=1) / (_WEIGHTS @ (_PLACES**2).sum(axis=1))
    pixels_a_cm = np.maximum(pixels_a_cm, np.finfo(np.float32).tiny)[:, None]
    place = (middle - np.array([width / 2, height / 2, 0])) / pixels_a_cm
    place -= np.einsum("nxy,y->nx", rotation, _CENTRE)
    place[:, 2] += height / 2 / np.tan(np.deg2rad(_VIEW_DEGREES / 2)) / pixels_a_cm[:, 0]
    poses = np.tile(np.eye(4, dtype=np.float32), (len(points), 1, 1))
    poses[:, :3, :3] = rotation * _TO_CAMERA[:, None] * _TO_CAMERA
    poses[:, :3, 3] = place * _TO_CAMERA
    return poses


def feature_vectors(landmarks: np.ndarray, blendshapes: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Feature vectors of many frames, float32 (n, 1486): see :func:`feature_vector`.

    landmarks (n, 478, 3), blendshapes (n, 52), size (2,) or (n, 2).
    """
    frontal = frontal_landmarks(landmarks, size)
    return np.concatenate(
        [frontal.reshape(len(frontal), -1), blendshapes.astype(np.float32)], axis=1
    )


def feature_vector(face: Face) -> np.ndarray:
    """The face's feature vector, float32 (1486,): 478 frontal landmarks, then 52 blendshapes."""
    return feature_vectors(face.landmarks[None], face.blendshapes[None], np.array(face.size))[0]


def mirror(features: np.ndarray) -> np.ndarray:
    """The feature vectors of the mirrored faces; (..., 1486) in, the same shape out."""
    lead = features.shape[:-1]
    points = features[..., : LANDMARKS * 3].reshape(*lead, LANDMARKS, 3)
    points = points[..., MIRRORED_LANDMARKS, :] * np.array([-1, 1, 1], np.float32)
    return np.concatenate(
        [
            points.reshape(*lead, LANDMARKS * 3),
            features[..., LANDMARKS * 3 :][..., MIRRORED_BLENDSHAPES],
        ],
        axis=-1,
    )
