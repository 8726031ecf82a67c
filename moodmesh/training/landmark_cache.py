"""Landmarks of still pictures, found once and kept: the slow first step of training.

FaceLandmarker needs about 13 ms a picture. The pictures go through in chunks, on both cores or on
a Dask cluster, and each finished chunk is one file under `cache/`, named after the content of its
pictures and of the face model. So a killed run goes on where it stopped, any layout of the same
data set finds the same files, and a changed picture or model is searched again. The files hold
raw landmarks: another feature vector needs no new search.

Nothing here imports TensorFlow, so worker processes start in a second.
"""

from __future__ import annotations

import hashlib
import os
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from moodmesh import face
from moodmesh.errors import UserError
from moodmesh.features import feature_vectors
from moodmesh.training.processes import in_processes

CACHE = Path(__file__).resolve().parents[2] / "cache" / "landmarks"
# About 7 s of work on one core: little is lost when a run is killed.
CHUNK = 512

Chunk = tuple[int, np.ndarray]
ChunkResult = tuple[int, dict[str, np.ndarray]]
# Runs find_chunk over chunks and yields results in any order: one process, several, or a cluster.
MapChunks = Callable[[Callable[[Chunk], ChunkResult], list[Chunk]], Iterable[ChunkResult]]

_per_thread = threading.local()


@dataclass(frozen=True)
class FoundLandmarks:
    """What FaceLandmarker found in n pictures of one size; zeros where it found no face.

    found: bool (n,). landmarks: float32 (n, 478, 3). blendshapes: float32 (n, 52).
    pose: float32 (n, 4, 4). size: (width, height) in pixels. All as in :class:`moodmesh.face.Face`.
    """

    found: np.ndarray
    landmarks: np.ndarray
    blendshapes: np.ndarray
    pose: np.ndarray
    size: tuple[int, int]

    def part(self, chosen: np.ndarray) -> FoundLandmarks:
        """Those of some pictures; chosen is bool (n,)."""
        return FoundLandmarks(
            self.found[chosen],
            self.landmarks[chosen],
            self.blendshapes[chosen],
            self.pose[chosen],
            self.size,
        )

    def features(self) -> np.ndarray:
        """Feature vectors of all pictures, float32 (n, 1486); zeros where no face was found."""
        vectors = np.zeros((len(self.found), face.LANDMARKS * 3 + face.BLENDSHAPES), np.float32)
        vectors[self.found] = feature_vectors(
            self.landmarks[self.found], self.blendshapes[self.found], np.array(self.size)
        )
        return vectors


def find_chunk(chunk: Chunk) -> ChunkResult:
    """The largest face of each gray picture: (number, uint8 (n, height, width)) in."""
    number, images = chunk
    # A landmarker serves one thread; threads of a Dask worker each keep their own.
    if not hasattr(_per_thread, "finder"):
        _per_thread.finder = face.FaceFinder(max_faces=1)
    count = len(images)
    found = np.zeros(count, bool)
    landmarks = np.zeros((count, face.LANDMARKS, 3), np.float32)
    blendshapes = np.zeros((count, face.BLENDSHAPES), np.float32)
    pose = np.zeros((count, 4, 4), np.float32)
    for index, image in enumerate(images):
        faces = _per_thread.finder.find(cv2.cvtColor(image, cv2.COLOR_GRAY2RGB))
        if faces:
            found[index] = True
            landmarks[index] = faces[0].landmarks
            blendshapes[index] = faces[0].blendshapes
            pose[index] = faces[0].pose
    return number, {
        "found": found,
        "landmarks": landmarks,
        "blendshapes": blendshapes,
        "pose": pose,
    }


def on_this_machine(
    function: Callable[[Chunk], ChunkResult], chunks: list[Chunk]
) -> Iterator[ChunkResult]:
    """Maps with one process a core; a single chunk is done in this process."""
    processes = min(len(chunks), os.cpu_count() or 1)
    if processes <= 1:
        yield from map(function, chunks)
        return
    yield from in_processes(function, chunks, processes=processes)


@cache
def _method() -> bytes:
    """A digest of what decides the result beside the pictures: the model and the settings."""
    settings = (face.SMALL_SIDE, face.SMALL_CONFIDENCE, face.STILL_CONFIDENCE, face.ENLARGED_SIDE)
    return hashlib.sha256(face.MODEL.read_bytes() + repr(settings).encode()).digest()


def _chunk_path(folder: Path, images: np.ndarray) -> Path:
    content = _method() + repr(images.shape).encode() + images.tobytes()
    return folder / f"{hashlib.sha256(content).hexdigest()[:24]}.npz"


def _write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    partial = path.with_suffix(f".{os.getpid()}.part")
    try:
        with partial.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise UserError(
            f"Landmarks cannot be saved in {path.parent} ({error.strerror}). Make room there; "
            "what was found so far is kept."
        ) from error


def _read(path: Path, count: int) -> dict[str, np.ndarray] | None:
    """The chunk's arrays, or None where the file is missing or damaged and must be made again."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in ("found", "landmarks", "blendshapes", "pose")}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
    return arrays if all(len(array) == count for array in arrays.values()) else None


def find_landmarks(
    images: np.ndarray,
    folder: Path = CACHE,
    map_chunks: MapChunks = on_this_machine,
    chunk: int = CHUNK,
) -> FoundLandmarks:
    """The landmarks of gray pictures, uint8 (n, height, width), from the cache where it has them.

    folder: where chunks are kept. map_chunks: how the missing ones are worked on.
    """
    starts = range(0, len(images), chunk)
    pictures = [images[start : start + chunk] for start in starts]
    paths = [_chunk_path(folder, part) for part in pictures]
    parts = [_read(path, len(part)) for path, part in zip(paths, pictures, strict=True)]
    missing: list[Chunk] = [
        (number, pictures[number]) for number, part in enumerate(parts) if part is None
    ]
    if missing:
        folder.mkdir(parents=True, exist_ok=True)
        done = len(images) - sum(len(part) for _, part in missing)
        with tqdm(
            total=len(images), initial=done, unit="image", desc="Finding landmarks", smoothing=0.05
        ) as bar:
            for number, arrays in map_chunks(find_chunk, missing):
                _write(paths[number], arrays)
                parts[number] = arrays
                bar.update(len(pictures[number]))
    whole = [part for part in parts if part is not None]
    joined = {
        name: np.concatenate([part[name] for part in whole])
        for name in ("found", "landmarks", "blendshapes", "pose")
    }
    return FoundLandmarks(**joined, size=(images.shape[2], images.shape[1]))
