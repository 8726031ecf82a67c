"""The well-known pipeline of this kind, to measure against: Holistic, `model.predict`, its drawing.

Many projects read a webcam so: MediaPipe's holistic landmarker on the frame, a small Keras network
with `predict` on one row of landmarks, and MediaPipe's own drawing of mesh, hands and pose. It runs
in a process of its own, because it imports TensorFlow: for each line on standard input it works on
one frame and answers with the milliseconds of each part as JSON. ``python -m moodmesh benchmark``
starts it.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from moodmesh import system

# A face, two hands and a pose, three numbers a point: what such projects feed their network.
POINTS = 478 + 2 * 21 + 33
LABELS = 7


def main(picture: str) -> None:
    """Reads the frame, uint8 (height, width, 3), from this .npy and answers each line."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    system.keep_mediapipe_offline()
    import keras
    import mediapipe
    from mediapipe.tasks.python import BaseOptions, vision
    from mediapipe.tasks.python.vision import drawing_utils

    rgb: np.ndarray = np.load(picture, allow_pickle=False)
    model_path = Path(__file__).resolve().parent.parent / "model" / "holistic_landmarker.task"
    landmarker = vision.HolisticLandmarker.create_from_options(
        vision.HolisticLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=str(model_path)),
            running_mode=vision.RunningMode.VIDEO,
        )
    )
    network = keras.Sequential(
        [
            keras.Input((POINTS * 3,)),
            keras.layers.Dense(128, "relu"),
            keras.layers.Dense(64, "relu"),
            keras.layers.Dense(LABELS, "softmax"),
        ]
    )
    connections = vision.FaceLandmarksConnections
    drawn = [
        ("face_landmarks", connections.FACE_LANDMARKS_TESSELATION),
        ("face_landmarks", connections.FACE_LANDMARKS_CONTOURS),
        ("pose_landmarks", vision.PoseLandmarksConnections.POSE_LANDMARKS),
        ("left_hand_landmarks", vision.HandLandmarksConnections.HAND_CONNECTIONS),
        ("right_hand_landmarks", vision.HandLandmarksConnections.HAND_CONNECTIONS),
    ]
    for number, _ in enumerate(sys.stdin):
        parts: dict[str, float] = {}
        began = time.perf_counter()
        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=rgb)
        found = landmarker.detect_for_video(image, number * 66)
        parts["holistic"] = time.perf_counter() - began
        began = time.perf_counter()
        network.predict(_row(found), verbose=0)
        parts["predict"] = time.perf_counter() - began
        began = time.perf_counter()
        canvas = rgb.copy()
        for name, edges in drawn:
            points = getattr(found, name)
            if points:
                drawing_utils.draw_landmarks(canvas, points, edges)
        parts["drawing"] = time.perf_counter() - began
        answer = {name: round(seconds * 1000, 3) for name, seconds in parts.items()}
        print(json.dumps({**answer, "face": bool(found.face_landmarks)}), flush=True)


def _row(found: Any) -> np.ndarray:
    """All points of a result as one row of numbers; parts that were not found are zeros."""
    row = np.zeros((1, POINTS * 3), np.float32)
    points = [
        (point.x, point.y, point.z)
        for name in (
            "face_landmarks",
            "pose_landmarks",
            "left_hand_landmarks",
            "right_hand_landmarks",
        )
        for point in getattr(found, name)
    ]
    flat = np.array(points, np.float32).ravel()[: POINTS * 3]
    row[0, : len(flat)] = flat
    return row


if __name__ == "__main__":
    main(sys.argv[1])
