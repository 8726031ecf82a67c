"""Face, hands and shoulders of one person in pictures and streams, and their skeletons drawn.

For labels that need more than the face, such as a thumbs up: MediaPipe's HolisticLandmarker. It
takes about four times as long as the face alone, so that only models that need it use it.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, Self

import cv2
import numpy as np

from moodmesh.errors import UserError
from moodmesh.face import (
    BLENDSHAPES,
    CONTOUR_COLOUR,
    LANDMARKS,
    STILL_CONFIDENCE,
    STREAM_CONFIDENCE,
    Face,
    Freed,
    as_image,
    draw_mesh,
    floats,
    mediapipe_parts,
)
from moodmesh.features import head_poses

# What a recording or a model is made of: a face alone, or face, hands and shoulders.
Kind = Literal["face", "holistic"]
KINDS: tuple[Kind, ...] = ("face", "holistic")

HAND = 21
# MediaPipe's pose has 33 points; those from the hips down are out of a webcam's picture.
UPPER = 23
MODEL = Path(__file__).resolve().parent.parent / "model" / "holistic_landmarker.task"

# Indices into the upper body's points.
LEFT_SHOULDER, RIGHT_SHOULDER = 11, 12
# Points less visible than this are guesses and not drawn.
VISIBLE = 0.5
HAND_COLOURS = ((255, 170, 90), (110, 200, 255))  # the left one's, the right one's
UPPER_COLOUR = (170, 150, 230)
_FACE_POINTS = 11  # the pose's first points lie on the face, where the mesh is drawn


@dataclass(frozen=True)
class Body:
    """One person as MediaPipe sees them; what is not seen is None.

    face: see Face. left, right: float32 (21, 3), the person's own left and right hand, x and y
        as fractions of the picture's width and height, z from the wrist on x's scale, smaller is
        nearer. upper: float32 (23, 4), the upper body's points x, y, z (from the hips) and how
        visible each is, 0 to 1. size: (width, height) of the picture in pixels.
    """

    face: Face | None
    left: np.ndarray | None
    right: np.ndarray | None
    upper: np.ndarray | None
    size: tuple[int, int]

    def __post_init__(self) -> None:
        for name, shape in (("left", (HAND, 3)), ("right", (HAND, 3)), ("upper", (UPPER, 4))):
            part = getattr(self, name)
            if part is not None and part.shape != shape:
                raise ValueError(f"Body.{name} is {part.shape}, not {shape}")
        if min(self.size) < 1:
            raise ValueError(f"Body.size is {self.size}")

    def __bool__(self) -> bool:
        """Whether anything of the person is seen."""
        return any(part is not None for part in (self.face, self.left, self.right, self.upper))


@dataclass(frozen=True)
class _Found:
    """A landmarker's result as arrays, read straight from MediaPipe's C structures.

    The landmarker finds this class in the place of MediaPipe's own, as face.py's does.
    """

    face: np.ndarray | None
    blendshapes: np.ndarray | None
    left: np.ndarray | None
    right: np.ndarray | None
    upper: np.ndarray | None

    @classmethod
    def from_ctypes(cls, result: Any) -> Self:
        """Copies what the C result holds; it is freed right after."""

        def points(part: Any, count: int) -> np.ndarray | None:
            return floats(part.landmarks, count).copy() if part.landmarks_count else None

        def places(part: Any, count: int) -> np.ndarray | None:
            found = points(part, count)
            return None if found is None else found[:, :3]

        upper = points(result.pose_landmarks, UPPER)
        shapes = result.face_blendshapes
        return cls(
            places(result.face_landmarks, LANDMARKS),
            floats(shapes.categories, BLENDSHAPES)[:, 1].copy()
            if shapes.categories_count
            else None,
            places(result.left_hand_landmarks, HAND),
            places(result.right_hand_landmarks, HAND),
            # x, y, z, has_visibility, visibility, ...
            None if upper is None else upper[:, [0, 1, 2, 4]],
        )

    def body(self, size: tuple[int, int]) -> Body:
        face = None
        if self.face is not None and self.blendshapes is not None:
            pose = head_poses(self.face[None], np.array(size))[0]
            face = Face(self.face, self.blendshapes, pose, size)
        return Body(face, self.left, self.right, self.upper, size)


@cache
def _vision() -> tuple[Any, Any]:
    _, vision, base_options = mediapipe_parts()
    module: Any = sys.modules[vision.HolisticLandmarker.__module__]
    module.HolisticLandmarkerResult = _Found
    return vision, base_options


def _landmarker(video: bool, confidence: float) -> Any:
    vision, base_options = _vision()
    if not MODEL.is_file():
        raise UserError(
            f"The model of hands and shoulders {MODEL} is missing. Restore it with: "
            f"git checkout -- {MODEL.name}"
        )
    options = vision.HolisticLandmarkerOptions(
        base_options=base_options(model_asset_path=str(MODEL)),
        running_mode=vision.RunningMode.VIDEO if video else vision.RunningMode.IMAGE,
        min_face_detection_confidence=confidence,
        min_face_landmarks_confidence=confidence,
        min_pose_detection_confidence=confidence,
        min_pose_landmarks_confidence=confidence,
        min_hand_landmarks_confidence=confidence,
        output_face_blendshapes=True,
    )
    return vision.HolisticLandmarker.create_from_options(options)


class _OfOneSize(Freed):
    """Holds a landmarker for pictures of one size, and makes another where the size changes.

    A HolisticLandmarker that is given a picture of another size fails then and for ever after.
    """

    def __init__(self, video: bool, confidence: float) -> None:
        self._video, self._confidence = video, confidence
        self._size: tuple[int, int] | None = None
        self._held = _landmarker(video, confidence)

    def landmarker(self, rgb: np.ndarray) -> Any:
        """The one for this picture."""
        size = (rgb.shape[1], rgb.shape[0])
        if self._size not in (None, size):
            self._held.close()
            self._held = _landmarker(self._video, self._confidence)
        self._size = size
        return self._held

    def close(self) -> None:
        """Frees the landmarker; closing twice is harmless."""
        self._held.close()


class HolisticTracker(Freed):
    """Follows one person through one video stream; each stream needs its own tracker."""

    def __init__(self, confidence: float = STREAM_CONFIDENCE) -> None:
        self._landmarkers = _OfOneSize(True, confidence)
        self._last_ms = -1

    def track(self, rgb: np.ndarray, time_ms: int) -> Body:
        """The person in this frame, uint8 (height, width, 3), of any size; see FaceTracker.track
        for its time."""
        image = as_image(rgb)
        self._last_ms = max(self._last_ms + 1, time_ms)
        found = self._landmarkers.landmarker(rgb).detect_for_video(image, self._last_ms)
        body: Body = found.body((rgb.shape[1], rgb.shape[0]))
        return body

    def close(self) -> None:
        """Frees the landmarker; closing twice is harmless."""
        self._landmarkers.close()


class HolisticFinder(Freed):
    """Finds the person in stills of any size."""

    def __init__(self, confidence: float = STILL_CONFIDENCE) -> None:
        self._landmarkers = _OfOneSize(False, confidence)

    def find(self, rgb: np.ndarray) -> Body:
        """The person in uint8 (height, width, 3)."""
        image = as_image(rgb)
        body: Body = (
            self._landmarkers.landmarker(rgb).detect(image).body((rgb.shape[1], rgb.shape[0]))
        )
        return body

    def close(self) -> None:
        """Frees the landmarker; closing twice is harmless."""
        self._landmarkers.close()


@cache
def skeletons() -> dict[str, np.ndarray]:
    """The bones of 'hand' and 'upper' as int32 (bones, 2) of point indices each."""
    _, vision, _ = mediapipe_parts()

    def pairs(edges: list[Any]) -> np.ndarray:
        return np.array([(edge.start, edge.end) for edge in edges], np.int32)

    upper = pairs(vision.PoseLandmarksConnections.POSE_LANDMARKS)
    return {
        "hand": pairs(vision.HandLandmarksConnections.HAND_CONNECTIONS),
        "upper": upper[(upper < UPPER).all(axis=1) & (upper >= _FACE_POINTS).all(axis=1)],
    }


def draw_body(
    rgb: np.ndarray, body: Body, contour_colour: tuple[int, int, int] = CONTOUR_COLOUR
) -> None:
    """Draws mesh, shoulders, arms and hands into the picture, in place.

    rgb: uint8 (height, width, 3), the picture the person was found in, or one of another size.
    contour_colour: red, green, blue of the face's lips, eyes, brows and oval.
    """
    if body.upper is not None:
        bones = skeletons()["upper"]
        seen = body.upper[:, 3] >= VISIBLE
        _draw_bones(rgb, body.upper, bones[seen[bones].all(axis=1)], UPPER_COLOUR)
    if body.face is not None:
        draw_mesh(rgb, body.face, contour_colour)
    for hand, colour in zip((body.left, body.right), HAND_COLOURS, strict=True):
        if hand is not None:
            _draw_bones(rgb, hand, skeletons()["hand"], colour)


def _draw_bones(
    rgb: np.ndarray, points: np.ndarray, bones: np.ndarray, colour: tuple[int, int, int]
) -> None:
    """Lines and joints; points (n, 2 or more) in fractions of the picture."""
    if not len(bones):
        return
    fraction_bits = 3
    height, width = rgb.shape[:2]
    places = points[:, :2] * np.array([width, height], np.float32)
    places = np.clip(places, -2 * max(width, height), 3 * max(width, height))
    fixed = np.rint(places * (1 << fraction_bits)).astype(np.int32)
    thickness = max(1, round(min(height, width) / 200))
    cv2.polylines(rgb, list(fixed[bones]), False, colour, thickness, cv2.LINE_AA, fraction_bits)
    radius = (thickness + 1) << fraction_bits
    for joint in np.unique(bones):
        centre = (int(fixed[joint][0]), int(fixed[joint][1]))
        cv2.circle(rgb, centre, radius, colour, -1, cv2.LINE_AA, fraction_bits)
