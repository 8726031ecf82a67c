"""Takes: recorded samples on disk. A take is one uninterrupted recording of one label.

``landmarks_data/<label>/<UTC time>-<4 hex>.npz`` holds raw landmarks, so that features can change
later; no picture is ever written. Evaluation splits by take, never by frame: neighbouring frames
are near copies of each other.
"""

from __future__ import annotations

import os
import secrets
import unicodedata
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from moodmesh.errors import UserError
from moodmesh.face import BLENDSHAPES, LANDMARKS, Face
from moodmesh.features import feature_vectors

# Several people on one machine each name a folder of their own.
FOLDER = Path(
    os.environ.get("MOODMESH_TAKES", Path(__file__).resolve().parent.parent / "landmarks_data")
)
LONGEST_LABEL = 40
# Ten minutes at 30 frames a second; a longer one is a forgotten camera or not ours.
MOST_FRAMES = 18_000
_BYTES_PER_FRAME = (LANDMARKS * 3 + BLENDSHAPES + 16) * 4 + 8


@dataclass(frozen=True)
class Take:
    """One recording, raw as MediaPipe gave it.

    landmarks: float32 (n, 478, 3). blendshapes: float32 (n, 52). pose: float32 (n, 4, 4).
    size: (width, height) of the frames in pixels. time_ms: int64 (n,), from the take's start.
    """

    label: str
    landmarks: np.ndarray
    blendshapes: np.ndarray
    pose: np.ndarray
    size: tuple[int, int]
    time_ms: np.ndarray

    def __post_init__(self) -> None:
        n = len(self.landmarks)
        for name, shape in (
            ("landmarks", (n, LANDMARKS, 3)),
            ("blendshapes", (n, BLENDSHAPES)),
            ("pose", (n, 4, 4)),
            ("time_ms", (n,)),
        ):
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} is {getattr(self, name).shape}, not {shape}")
        if not 0 < n <= MOST_FRAMES:
            raise ValueError(f"it has {n} frames")
        if min(self.size) < 1:
            raise ValueError(f"its pictures are {self.size}")

    def __len__(self) -> int:
        return len(self.landmarks)

    @property
    def features(self) -> np.ndarray:
        """Feature vectors of all frames, float32 (n, 1486)."""
        return feature_vectors(self.landmarks, self.blendshapes, np.array(self.size))

    @classmethod
    def of_faces(cls, label: str, faces: Sequence[Face], time_ms: Sequence[int]) -> Take:
        """A take of faces that were found in frames of one size, one face a frame."""
        if not faces:
            raise UserError(
                f"No face was found, so nothing was recorded for '{label}'. "
                "More light from the front helps; look towards the camera."
            )
        start = time_ms[0]
        return cls(
            check_label(label),
            np.stack([face.landmarks for face in faces]),
            np.stack([face.blendshapes for face in faces]),
            np.stack([face.pose for face in faces]),
            faces[0].size,
            np.array([t - start for t in time_ms], np.int64),
        )


def check_label(label: str) -> str:
    """The label in the form in which it is stored; UserError where it cannot name a folder."""
    label = unicodedata.normalize("NFC", label).strip()
    if not label:
        raise UserError("A label needs a name, for example 'happy' or 'wink'.")
    if len(label) > LONGEST_LABEL:
        raise UserError(
            f"The label '{label[:LONGEST_LABEL]}…' is too long: {LONGEST_LABEL} characters at most."
        )
    # Letters, marks and digits of any script, spaces, hyphens, underscores.
    if not all(unicodedata.category(c)[0] in "LMN" or c in " -_" for c in label):
        raise UserError(
            f"The label {label!r} cannot be used: letters, digits, spaces, hyphens and "
            "underscores make a label, in any language, without slashes or dots."
        )
    return label


def write(take: Take, folder: Path = FOLDER) -> Path:
    """Writes the take and returns its path; a kill or a full disk leaves no half-written take."""
    label = check_label(take.label)
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}.npz"
    path = folder / label / name
    temporary = path.with_name(f".{name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            np.savez_compressed(
                file,
                landmarks=take.landmarks.astype(np.float32),
                blendshapes=take.blendshapes.astype(np.float32),
                pose=take.pose.astype(np.float32),
                size=np.array(take.size, np.int32),
                time_ms=take.time_ms.astype(np.int64),
            )
            file.flush()
            os.fsync(file.fileno())
        # A link fails where the name is taken, so two recordings can never replace each other.
        os.link(temporary, path)
    except FileExistsError:
        return write(take, folder)
    except OSError as error:
        raise UserError(
            f"The take could not be saved in {path.parent} ({error.strerror or error}). Earlier "
            "takes are safe. Free some space or choose another folder with --data, then record "
            "it again."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
    return path


def read(path: Path) -> Take:
    """The take in this file; UserError where it is damaged, foreign or far too large."""
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(m.file_size for m in archive.infolist()) > MOST_FRAMES * _BYTES_PER_FRAME + 4096:
                raise ValueError("it is far larger than a take")
        with np.load(path, allow_pickle=False) as stored:
            arrays = {
                name: stored[name]
                for name in ("landmarks", "blendshapes", "pose", "size", "time_ms")
            }
        if arrays["size"].shape != (2,) or not all(
            array.dtype.kind in "iuf" and np.isfinite(array).all() for array in arrays.values()
        ):
            raise ValueError("its numbers are not those of a take")
        width, height = (int(side) for side in arrays.pop("size"))
        return Take(path.parent.name, size=(width, height), **arrays)
    except (
        *(OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, NotImplementedError),
        MemoryError,  # an array's header may claim petabytes
    ) as e:
        raise UserError(
            f"{path} is not a take that can be read ({e}). Move it elsewhere and record it again; "
            "the other takes are not affected."
        ) from None


def paths(folder: Path = FOLDER) -> list[Path]:
    """The files of all takes under this folder, by label, oldest first."""
    return sorted(
        path for path in folder.glob("*/*.npz") if not path.name.startswith(".") and path.is_file()
    )


def read_all(folder: Path = FOLDER) -> tuple[list[Take], list[str]]:
    """All takes under this folder, and a sentence about each file that could not be read."""
    takes: list[Take] = []
    problems: list[str] = []
    for path in paths(folder):
        try:
            takes.append(read(path))
        except UserError as error:
            problems.append(str(error))
    return takes, problems


def restore(path: Path, content: bytes) -> None:
    """Puts a deleted take back, from the bytes that its file had."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.partial")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise UserError(
            f"The take could not be put back in {path.parent} ({error.strerror or error}). "
            "Free some space and try again."
        ) from error


def delete(path: Path) -> None:
    """Deletes one take for good, and its label's folder once that is empty."""
    path.unlink(missing_ok=True)
    if path.parent.is_dir() and not any(path.parent.iterdir()):
        path.parent.rmdir()


def by_label(takes: Iterable[Take]) -> dict[str, list[Take]]:
    """Takes grouped by label, labels in alphabetical order."""
    groups: dict[str, list[Take]] = {}
    for take in sorted(takes, key=lambda take: take.label):
        groups.setdefault(take.label, []).append(take)
    return groups
