"""The image network's crop: the one cut that training and live use both make.

It is the cut MediaPipe makes for its face mesh network, from which the image network starts: the
eyes level, a square half as large again as the mesh. FER2013's pictures are gray, 48x48, and end
just outside the face. So a live frame is made gray, brought to about FER2013's resolution first,
and blacked out beyond the face: training and live see the same kind of picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from moodmesh.face import Face

SIDE = 256
# The square's side in units of the mesh box's longer side, as in MediaPipe's face landmark graph.
MARGIN = 1.5
# What lies further out than this, in the same units, is black. FER2013's frame ends at 1.09 times
# the mesh box in the median: beyond 1.2 a network trained on it has seen little but black.
VISIBLE = 1.2
# FER2013's resolution: in the median, its mesh box's longer side is 44 pixels of the 48.
MESH_PIXELS = 44.0
# Where no face is found, the mesh is taken to be where it is in FER2013's median picture: of
# this size and at this height, in units of the picture's shorter side.
MEDIAN_SIZE = 44 / 48
MEDIAN_HEIGHT = 26.2 / 48
# Reducing by less than this is left to the cubic interpolation, which would not alias yet.
LEAST_REDUCTION = 1.25

# Where the eye line runs: the outer corners, as in MediaPipe's face landmark graph.
RIGHT_CORNER, LEFT_CORNER = 33, 263


@dataclass(frozen=True)
class MeshBox:
    """The square around a face's mesh, turned with its eyes.

    centre: (x, y) in pixels. side: in pixels. angle: of the eye line against level, in radians,
    positive where the eye on the picture's right is lower.
    """

    centre: tuple[float, float]
    side: float
    angle: float


def mesh_box(points: np.ndarray) -> MeshBox:
    """The box of a mesh in pixels, (478, 2)."""
    across = points[LEFT_CORNER] - points[RIGHT_CORNER]
    angle = math.atan2(across[1], across[0])
    cos, sin = math.cos(angle), math.sin(angle)
    turned = points @ np.array([[cos, -sin], [sin, cos]])
    low, high = turned.min(axis=0), turned.max(axis=0)
    x, y = (low + high) / 2
    centre = (float(cos * x - sin * y), float(sin * x + cos * y))
    return MeshBox(centre, max(float((high - low).max()), 1.0), angle)


def frame_box(size: tuple[int, int]) -> MeshBox:
    """Where a face is likeliest in a picture of this (width, height) in which none was found."""
    width, height = size
    side = min(width, height)
    top = (height - side) / 2
    return MeshBox((width / 2, top + MEDIAN_HEIGHT * side), MEDIAN_SIZE * side, 0.0)


def face_box(face: Face | None, size: tuple[int, int]) -> MeshBox:
    """The face's box, or the likeliest one in a picture of this size where there is no face."""
    return frame_box(size) if face is None else mesh_box(face.points)


def cut(gray: np.ndarray, box: MeshBox) -> np.ndarray:
    """The crop of a gray picture, uint8 (256, 256), black beyond the picture and the face.

    gray: uint8 (height, width).
    """
    reduction = box.side / MESH_PIXELS
    if reduction >= LEAST_REDUCTION:
        height, width = gray.shape
        size = (max(1, round(width / reduction)), max(1, round(height / reduction)))
        gray = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
        scale_x, scale_y = size[0] / width, size[1] / height
    else:
        scale_x = scale_y = 1.0
    # From the crop's pixels to the picture's: pixel (i, j) covers the point (i + 1/2, j + 1/2).
    step = MARGIN * box.side / SIDE
    cos, sin = step * math.cos(box.angle), step * math.sin(box.angle)
    middle = (SIDE - 1) / 2
    (x, y) = box.centre
    matrix = np.array(
        [
            [cos * scale_x, -sin * scale_x, (x - middle * (cos - sin)) * scale_x - 0.5],
            [sin * scale_y, cos * scale_y, (y - middle * (sin + cos)) * scale_y - 0.5],
        ]
    )
    crop = cv2.warpAffine(
        gray,
        matrix,
        (SIDE, SIDE),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
    )
    hidden = round(SIDE * (1 - VISIBLE / MARGIN) / 2)
    crop[:hidden] = crop[-hidden:] = 0
    crop[:, :hidden] = crop[:, -hidden:] = 0
    return crop


def network_input(crops: np.ndarray) -> np.ndarray:
    """What the network reads: uint8 (..., 256, 256) -> float32 (..., 256, 256, 1) in [0, 1]."""
    return crops.astype(np.float32)[..., None] / 255


def face_crop(rgb: np.ndarray, face: Face | None) -> np.ndarray:
    """The network's input for one picture, float32 (256, 256, 1) in [0, 1].

    rgb: uint8 (height, width, 3). face: found in it, or None, which takes the picture's middle.
    """
    gray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    return network_input(cut(gray, face_box(face, (rgb.shape[1], rgb.shape[0]))))


def mirrored(crop: np.ndarray) -> np.ndarray:
    """The crop of the mirrored face; (..., 256, 256, 1) in, the same shape out.

    The cut is the same for a mirrored picture, so averaging over both needs no second cut.
    """
    return crop[..., ::-1, :]
