"""The landmark map as a Streamlit component: each point of a face, and which expressions it tells.

A mesh to move over with a pointer, a finger or the arrow keys. Each point says its number, where
it is, and how much of what the model says for each expression can be told from it alone.
"""

from __future__ import annotations

import base64
from functools import cache
from typing import Any

import numpy as np

from moodmesh.colours import hex_of, shape_of
from moodmesh.face import LANDMARKS, Face, connections, parts
from moodmesh.features import frontal_landmarks
from moodmesh.importance import Importance
from moodmesh.pages.component import component

# Numbers travel as whole thousandths in 16 bits: 20 kB a redraw, a fifth of what JSON would take.
_UNIT = 1000
_LARGEST = 32
# The share of the map that the face fills.
_FILLED = 0.92


def landmark_map(
    importance: Importance, face: Face | None, *, mirrored: bool = False, key: str = "landmark_map"
) -> None:
    """Shows the map for this face, or for the mean face where there is none.

    mirrored: draws the face as a mirror would show it.
    """
    component("landmark_map")(key=key, data=map_data(importance, face, mirrored))


def map_data(importance: Importance, face: Face | None, mirrored: bool) -> dict[str, Any]:
    """What the map draws; arrays are base64 of little-endian 16-bit thousandths.

    drawn: (478, 2), where each point stands in a square of side 1. places: (478, 3), frontal, in
    eye distances. pixels: (478, 2) in the picture, in tenths of a pixel, or "" without one.
    shares: (478, labels). shifts: (478, labels, 2), mean: (478, 2), both in eye distances.
    """
    if face is None:
        places, seen, pixels = importance.face, importance.face[:, :2], ""
    else:
        places = frontal_landmarks(face.landmarks[None], np.array(face.size))[0]
        seen = face.points * np.array([-1, 1]) if mirrored else face.points
        pixels = _packed(face.points * 10 / _UNIT)
    low, high = seen.min(axis=0), seen.max(axis=0)
    size = max(float((high - low).max()), 1e-6)
    drawn = (seen - (low + high) / 2) / size * _FILLED + 0.5
    return {
        "labels": [
            {"label": label, "colour": hex_of(label), "shape": shape_of(label)}
            for label in importance.labels
        ],
        "drawn": _packed(drawn),
        "places": _packed(places),
        "pixels": pixels,
        "shares": _packed(importance.share),
        "shifts": _packed(importance.shift[:, :, :2]),
        "mean": _packed(importance.face[:, :2]),
        **_fixed(),
    }


@cache
def _fixed() -> dict[str, Any]:
    """What is the same for every face: lines, the parts' names, and each point's part or -1."""
    edges = connections()
    lines = np.concatenate([edges["contours"], edges["irises"]])
    names = list(parts())
    part = np.full(LANDMARKS, -1)
    for number, points in enumerate(parts().values()):
        part[points] = number
    return {
        "mesh": _packed(edges["tessellation"] / _UNIT),
        "lines": _packed(lines / _UNIT),
        "parts": names,
        "part": part.tolist(),
    }


def _packed(values: np.ndarray) -> str:
    whole = np.rint(np.clip(values, -_LARGEST, _LARGEST) * _UNIT).astype("<i2")
    return base64.b64encode(whole.tobytes()).decode()
