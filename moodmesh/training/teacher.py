"""What the image network thinks of the training pictures: softer, truer targets than their labels.

One in three of FER2013's labels is disputed. A net that learns in part what a better net says of a
picture, instead of one label for certain, learns which expressions are near each other in it
(Hinton et al. 2015, "Distilling the knowledge in a neural network").

Like the landmarks, the answers are kept in chunks by content, so a killed run goes on.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from tqdm import tqdm

from moodmesh import fer2013
from moodmesh.classifier import Network
from moodmesh.crop import face_crop
from moodmesh.errors import UserError
from moodmesh.face import Face
from moodmesh.training.evaluate import face_of
from moodmesh.training.landmark_cache import FoundLandmarks
from moodmesh.training.processes import in_processes

CHUNK = 1024

Job = tuple[int, np.ndarray, list[Face | None]]
_network: Network | None = None


def _start(path: Path) -> None:
    global _network
    cv2.setNumThreads(1)
    _network = Network(path)


def _answer(job: Job) -> tuple[int, np.ndarray]:
    number, images, faces = job
    assert _network is not None
    crops = (
        face_crop(cv2.cvtColor(image, cv2.COLOR_GRAY2RGB), face)
        for image, face in zip(images, faces, strict=True)
    )
    return number, np.stack([_network(crop) for crop in crops])


def _answers(path: Path, jobs: list[Job]) -> Iterator[tuple[int, np.ndarray]]:
    processes = min(len(jobs), os.cpu_count() or 1)
    if processes <= 1:
        _start(path)
        yield from map(_answer, jobs)
        return
    yield from in_processes(_answer, jobs, _start, (path,), processes)


def teacher_logits(
    network: bytes, images: np.ndarray, landmarks: FoundLandmarks, folder: Path
) -> np.ndarray:
    """The image network's logits, float32 (n, 7), of gray pictures, uint8 (n, height, width).

    network: a `cnn.tflite`. landmarks: those found in the pictures. folder: where answers are kept.
    """
    digest = hashlib.sha256(network).digest()
    starts = range(0, len(images), CHUNK)
    paths = []
    for start in starts:
        part = images[start : start + CHUNK]
        content = digest + landmarks.landmarks[start : start + CHUNK].tobytes() + part.tobytes()
        paths.append(folder / f"teacher-{hashlib.sha256(content).hexdigest()[:24]}.npy")
    jobs: list[Job] = [
        (
            number,
            images[start : start + CHUNK],
            [face_of(landmarks, index) for index in range(start, min(start + CHUNK, len(images)))],
        )
        for number, start in enumerate(starts)
        if not paths[number].is_file()
    ]
    if jobs:
        with (
            TemporaryDirectory() as place,
            tqdm(total=len(jobs), unit="chunk", desc="Asking the image network") as bar,
        ):
            path = Path(place) / "cnn.tflite"
            path.write_bytes(network)
            for number, logits in _answers(path, jobs):
                _keep(paths[number], logits)
                bar.update()
    found = np.concatenate([np.load(path, allow_pickle=False) for path in paths])
    if found.shape != (len(images), len(fer2013.LABELS)):
        raise UserError(
            f"The image network gives {found.shape[1]} answers, not {len(fer2013.LABELS)}. Give "
            "--cnn one made by train.py cnn."
        )
    return found.astype(np.float32)


def _keep(path: Path, logits: np.ndarray) -> None:
    partial = path.with_suffix(f".{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            np.save(file, logits)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise UserError(
            f"The image network's answers cannot be saved in {path.parent} ({error.strerror}). "
            "Make room there; what it said so far is kept."
        ) from error
