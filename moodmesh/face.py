"""Faces in pictures and video streams, and the mesh drawn over them.

This is the only module that imports mediapipe; holistic.py takes its parts from here. MediaPipe
imports TensorFlow wherever it is installed, for nothing but documentation decorators: that costs
seconds and half a gigabyte, and TensorFlow crashes beside the WebRTC library of the web page. So
unless TensorFlow is already loaded (a training process), it is hidden while mediapipe is imported.
"""

from __future__ import annotations

import ctypes
import sys
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import cv2
import numpy as np

from moodmesh import system
from moodmesh.errors import UserError

LANDMARKS = 478
BLENDSHAPES = 52
MODEL = Path(__file__).resolve().parent.parent / "model" / "face_landmarker.task"

# FaceLandmarker's own default; below it, curtains and shirts become faces in a live picture.
STREAM_CONFIDENCE = 0.5
# In a still there is no next frame to try again, and someone chose the picture for its face.
STILL_CONFIDENCE = 0.3
# Pictures with a shorter side than this are enlarged and padded before the search.
SMALL_SIDE = 160
# 48x48 faces that fill the frame are found in 97% of FER2013 when enlarged 4x, padded by half
# their width in black, at this confidence.
SMALL_CONFIDENCE = 0.2
ENLARGED_SIDE = 192
# Where the longer side is beyond this many times the shorter one, there is no face to enlarge.
SLIMMEST = 8
# MediaPipe ends the process (OpenCV's remap, SHRT_MAX) on sides of 32,767 pixels; its networks
# see 256x256 of a face, so nothing is lost below.
LONGEST_SIDE = 4096

# The corners of both eyes; their midpoints are the eye centres used for cropping and features.
RIGHT_EYE_CORNERS = (33, 133)
LEFT_EYE_CORNERS = (362, 263)

BLENDSHAPE_NAMES = tuple(
    """
    _neutral browDownLeft browDownRight browInnerUp browOuterUpLeft browOuterUpRight
    cheekPuff cheekSquintLeft cheekSquintRight eyeBlinkLeft eyeBlinkRight eyeLookDownLeft
    eyeLookDownRight eyeLookInLeft eyeLookInRight eyeLookOutLeft eyeLookOutRight
    eyeLookUpLeft eyeLookUpRight eyeSquintLeft eyeSquintRight eyeWideLeft eyeWideRight
    jawForward jawLeft jawOpen jawRight mouthClose mouthDimpleLeft mouthDimpleRight
    mouthFrownLeft mouthFrownRight mouthFunnel mouthLeft mouthLowerDownLeft
    mouthLowerDownRight mouthPressLeft mouthPressRight mouthPucker mouthRight
    mouthRollLower mouthRollUpper mouthShrugLower mouthShrugUpper mouthSmileLeft
    mouthSmileRight mouthStretchLeft mouthStretchRight mouthUpperUpLeft mouthUpperUpRight
    noseSneerLeft noseSneerRight
    """.split()
)

MESH_COLOUR = (120, 190, 180)
CONTOUR_COLOUR = (225, 250, 240)
IRIS_COLOUR = (255, 214, 102)


@dataclass(frozen=True)
class Face:
    """One face as MediaPipe gives it.

    landmarks: float32 (478, 3); x and y as fractions of the picture's width and height, z on x's
        scale, smaller is nearer.
    blendshapes: float32 (52,), each in [0, 1], in MediaPipe's order.
    pose: float32 (4, 4), the rigid transform from the canonical face (centimetres) to the camera.
    size: (width, height) of the picture in pixels.
    """

    landmarks: np.ndarray
    blendshapes: np.ndarray
    pose: np.ndarray
    size: tuple[int, int]

    def __post_init__(self) -> None:
        for name, shape in (
            ("landmarks", (LANDMARKS, 3)),
            ("blendshapes", (BLENDSHAPES,)),
            ("pose", (4, 4)),
        ):
            if getattr(self, name).shape != shape:
                raise ValueError(f"Face.{name} is {getattr(self, name).shape}, not {shape}")
        if min(self.size) < 1:
            raise ValueError(f"Face.size is {self.size}")

    @property
    def points(self) -> np.ndarray:
        """The landmarks in pixels, float32 (478, 2)."""
        return self.landmarks[:, :2] * np.array(self.size, np.float32)

    @property
    def area(self) -> float:
        """The area of the box around the mesh, in square pixels."""
        width, height = np.ptp(self.points, axis=0)
        return float(width * height)


@cache
def mediapipe_parts() -> Any:
    """The parts of mediapipe that are used here, imported without TensorFlow; kept offline."""
    system.keep_mediapipe_offline()
    hide = "tensorflow" not in sys.modules
    if hide:
        sys.modules["tensorflow"] = None  # type: ignore[assignment]
    try:
        import mediapipe
        from mediapipe.tasks.python import BaseOptions, vision
        from mediapipe.tasks.python.vision import face_landmarker
    except OSError as error:  # the wheel's library needs libEGL, libGLESv2 and libGL
        raise UserError(
            f"MediaPipe cannot start ({error}). On Debian or Ubuntu install its system libraries: "
            "sudo apt-get install libgl1 libegl1 libgles2"
        ) from error
    finally:
        if hide:
            del sys.modules["tensorflow"]
    face_landmarker.FaceLandmarkerResult = _Found  # see _Found
    return mediapipe, vision, BaseOptions


@dataclass(frozen=True)
class _Found:
    """A landmarker's result as arrays, read straight from MediaPipe's C structures.

    MediaPipe's own result class makes a Python object of every landmark and every blendshape,
    which takes 0.9 ms of a frame's 10; its landmarkers find this one in its place.
    """

    faces: list[tuple[np.ndarray, np.ndarray, np.ndarray]]

    @classmethod
    def from_ctypes(cls, result: Any) -> Self:
        """Copies what the C result holds; it is freed right after."""
        return cls(
            [
                (
                    floats(result.face_landmarks[i].landmarks, LANDMARKS)[:, :3].copy(),
                    # A category is an index, then its score.
                    floats(result.face_blendshapes[i].categories, BLENDSHAPES)[:, 1].copy(),
                    result.facial_transformation_matrixes[i].to_numpy(),
                )
                for i in range(result.face_landmarks_count)
            ]
        )


def floats(structures: Any, count: int) -> np.ndarray:
    """C structures, one a row, seen as float32 (count, bytes a structure / 4)."""
    width = ctypes.sizeof(structures.contents) // ctypes.sizeof(ctypes.c_float)
    first = ctypes.cast(structures, ctypes.POINTER(ctypes.c_float))
    seen: np.ndarray = np.ctypeslib.as_array(first, (count, width))
    return seen


def prepare() -> None:
    """Imports mediapipe now; without this the first tracker or finder does."""
    mediapipe_parts()


def _landmarker(video: bool, max_faces: int, confidence: float) -> Any:
    _, vision, base_options = mediapipe_parts()
    if not MODEL.is_file():
        raise UserError(
            f"The face model {MODEL} is missing. Restore it with: git checkout -- {MODEL.name}"
        )
    options = vision.FaceLandmarkerOptions(
        base_options=base_options(model_asset_path=str(MODEL)),
        running_mode=vision.RunningMode.VIDEO if video else vision.RunningMode.IMAGE,
        num_faces=max_faces,
        min_face_detection_confidence=confidence,
        min_face_presence_confidence=confidence,
        min_tracking_confidence=confidence,
        output_face_blendshapes=True,
        output_facial_transformation_matrixes=True,
    )
    return vision.FaceLandmarker.create_from_options(options)


def as_image(rgb: np.ndarray) -> Any:
    """The picture, uint8 (height, width, 3), as MediaPipe takes it."""
    mediapipe, _, _ = mediapipe_parts()
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
        raise ValueError(f"a picture is uint8 (height, width, 3), not {rgb.dtype} {rgb.shape}")
    height, width = rgb.shape[:2]
    if (longest := max(height, width)) > LONGEST_SIDE:  # landmarks are fractions: nothing to undo
        size = tuple(max(1, side * LONGEST_SIDE // longest) for side in (width, height))
        rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    return mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(rgb))


def _faces(result: _Found, size: tuple[int, int]) -> list[Face]:
    """MediaPipe's result as faces, largest first."""
    faces = [
        Face(landmarks, blendshapes, pose, size) for landmarks, blendshapes, pose in result.faces
    ]
    return sorted(faces, key=lambda face: face.area, reverse=True)


class Freed(AbstractContextManager["Freed"]):
    """Something that `with` closes."""

    def close(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class FaceTracker(Freed):
    """Follows the face of one video stream; each stream needs its own tracker.

    Close it when the stream ends, or use it as a context manager. With one face MediaPipe also
    smooths the landmarks over time.
    """

    def __init__(self, max_faces: int = 1, confidence: float = STREAM_CONFIDENCE) -> None:
        self._landmarker = _landmarker(True, max_faces, confidence)
        self._last_ms = -1

    def track(self, rgb: np.ndarray, time_ms: int) -> list[Face]:
        """The faces in this frame, largest first; an empty list where there is none.

        rgb: uint8 (height, width, 3).
        time_ms: the frame's time. MediaPipe wants strictly increasing times, so a time that
            repeats or goes back counts as one millisecond after the last.
        """
        self._last_ms = max(self._last_ms + 1, time_ms)
        result = self._landmarker.detect_for_video(as_image(rgb), self._last_ms)
        return _faces(result, (rgb.shape[1], rgb.shape[0]))

    def close(self) -> None:
        """Frees the landmarker; closing twice is harmless."""
        self._landmarker.close()


class FaceFinder(Freed):
    """Finds faces in stills of any size; small ones are enlarged and padded first."""

    def __init__(self, max_faces: int = 4, confidence: float = STILL_CONFIDENCE) -> None:
        self._landmarker = _landmarker(False, max_faces, confidence)
        self._small = _landmarker(False, 1, min(confidence, SMALL_CONFIDENCE))

    def find(self, rgb: np.ndarray) -> list[Face]:
        """The faces in uint8 (height, width, 3), largest first; an empty list where none is."""
        height, width = rgb.shape[:2]
        if min(height, width) >= SMALL_SIDE or max(height, width) > SLIMMEST * min(height, width):
            return _faces(self._landmarker.detect(as_image(rgb)), (width, height))
        factor = max(1, round(ENLARGED_SIDE / min(height, width)))
        pad_x, pad_y = width * factor // 2, height * factor // 2
        enlarged = cv2.resize(rgb, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
        padded = cv2.copyMakeBorder(enlarged, pad_y, pad_y, pad_x, pad_x, cv2.BORDER_CONSTANT)
        found = _faces(self._small.detect(as_image(padded)), (padded.shape[1], padded.shape[0]))
        scale = np.array([padded.shape[1], padded.shape[0], padded.shape[1]], np.float32)
        shift = np.array([pad_x, pad_y, 0], np.float32)
        own = np.array([width * factor, height * factor, width * factor], np.float32)
        return [
            Face((f.landmarks * scale - shift) / own, f.blendshapes, f.pose, (width, height))
            for f in found
        ]

    def close(self) -> None:
        """Frees the landmarkers; closing twice is harmless."""
        self._landmarker.close()
        self._small.close()


@cache
def connections() -> dict[str, np.ndarray]:
    """The mesh's edges by part, int32 (edges, 2) of landmark indices each.

    Parts: 'tessellation', 'contours' (lips, eyes, brows, oval) and 'irises'.
    """
    _, vision, _ = mediapipe_parts()
    table = vision.FaceLandmarksConnections

    def pairs(edges: list[Any]) -> np.ndarray:
        return np.array([(edge.start, edge.end) for edge in edges], np.int32)

    tessellation = pairs(table.FACE_LANDMARKS_TESSELATION)
    tessellation.sort(axis=1)
    return {
        # MediaPipe lists most edges twice, once for each triangle they border.
        "tessellation": np.unique(tessellation, axis=0),
        "contours": pairs(table.FACE_LANDMARKS_CONTOURS),
        "irises": pairs(table.FACE_LANDMARKS_LEFT_IRIS + table.FACE_LANDMARKS_RIGHT_IRIS),
    }


@cache
def parts() -> dict[str, np.ndarray]:
    """The landmarks on each named part of the face, int (n,): 'lips', 'nose', 'left eye', ….

    Left and right are those of the person, as MediaPipe has them.
    """
    _, vision, _ = mediapipe_parts()
    table = vision.FaceLandmarksConnections
    names = {
        "lips": table.FACE_LANDMARKS_LIPS,
        "nose": table.FACE_LANDMARKS_NOSE,
        "left eye": table.FACE_LANDMARKS_LEFT_EYE,
        "left brow": table.FACE_LANDMARKS_LEFT_EYEBROW,
        "left iris": table.FACE_LANDMARKS_LEFT_IRIS,
        "right eye": table.FACE_LANDMARKS_RIGHT_EYE,
        "right brow": table.FACE_LANDMARKS_RIGHT_EYEBROW,
        "right iris": table.FACE_LANDMARKS_RIGHT_IRIS,
        "outline": table.FACE_LANDMARKS_FACE_OVAL,
    }
    return {
        name: np.unique([index for edge in edges for index in (edge.start, edge.end)])
        for name, edges in names.items()
    }


def _neighbours(edges: np.ndarray) -> dict[int, list[int]]:
    """The points that edges lead to from each point."""
    near: dict[int, list[int]] = {}
    for one, other in edges.tolist():
        near.setdefault(one, []).append(other)
        near.setdefault(other, []).append(one)
    return near


def _trails(edges: np.ndarray) -> list[np.ndarray]:
    """The edges as few long lines, each a run of landmark indices: every edge is in one, once."""
    near = _neighbours(edges)
    trails = []
    # A line that begins where an odd number of edges meet uses up the most of them.
    for start in sorted(near, key=lambda point: len(near[point]) % 2 == 0):
        while near[start]:
            trail = [start]
            while near[trail[-1]]:
                following = near[trail[-1]].pop()
                near[following].remove(trail[-1])
                trail.append(following)
            trails.append(np.array(trail))
    return trails


def _joined(trails: list[np.ndarray], edges: np.ndarray) -> np.ndarray:
    """All trails as one, int (n,): from the end of one to the next the shortest way along edges."""
    near = _neighbours(edges)
    left = [trail.tolist() for trail in trails]
    line: list[int] = left.pop(0)
    while left:
        ends = {end: trail for trail in left for end in (trail[0], trail[-1])}
        came = {line[-1]: line[-1]}  # point -> the one before it
        places = [line[-1]]
        for place in places:  # breadth first
            if place in ends:
                break
            fresh = [point for point in near[place] if point not in came]
            came |= dict.fromkeys(fresh, place)
            places += fresh
        way = [place]
        while came[way[-1]] != way[-1]:
            way.append(came[way[-1]])
        trail = ends[place]
        left.remove(trail)
        line += way[-2::-1] + (trail if trail[0] == place else trail[::-1])[1:]
    return np.array(line)


@cache
def _mesh_lines() -> dict[str, tuple[np.ndarray, list[slice]]]:
    """:func:`connections` as :func:`_trails`: a tenth of the lines, drawn in half the time.

    All lines of a part in a row, int (n,), and where each of them stands in it. The tessellation
    is one line, which goes some edges twice: handing over each of many lines takes longer.
    """
    lines = {}
    for part, edges in connections().items():
        trails = _trails(edges)
        if part == "tessellation":
            trails = [_joined(trails, edges)]
        ends = np.cumsum([len(trail) for trail in trails]).tolist()
        places = [slice(a, b) for a, b in zip([0, *ends], ends, strict=False)]
        lines[part] = np.concatenate(trails), places
    return lines


def draw_mesh(
    rgb: np.ndarray, face: Face, contour_colour: tuple[int, int, int] = CONTOUR_COLOUR
) -> None:
    """Draws the face's mesh into the picture, in place: one call each for three parts.

    rgb: uint8 (height, width, 3), the picture the face was found in, or one of another size.
    contour_colour: red, green, blue of lips, eyes, brows and oval.
    """
    fraction_bits = 3  # sub-pixel positions keep the mesh from trembling
    height, width = rgb.shape[:2]
    points = face.landmarks[:, :2] * np.array([width, height], np.float32)
    points = np.clip(points, -2 * max(width, height), 3 * max(width, height))
    fixed = np.rint(points * (1 << fraction_bits)).astype(np.int32)
    lines = _mesh_lines()
    for part, colour in (
        ("tessellation", MESH_COLOUR),
        ("contours", contour_colour),
        ("irises", IRIS_COLOUR),
    ):
        thickness = 1 if part == "tessellation" or min(height, width) < 360 else 2
        line = cv2.LINE_8 if part == "tessellation" else cv2.LINE_AA
        order, places = lines[part]
        points = fixed[order]
        runs = [points[place] for place in places]
        cv2.polylines(rgb, runs, False, colour, thickness, line, fraction_bits)
