"""Takes: recorded samples on disk. A take is one uninterrupted recording of one label.

``landmarks_data/<label>/<UTC time>-<4 hex>.npz`` holds raw landmarks, so that features can change
later; no picture is ever written. A take is of one kind: 'face', or 'holistic' with hands and
shoulders, where a part that was not seen is marked so. Evaluation splits by take, never by frame:
neighbouring frames are near copies of each other.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from moodmesh.errors import UserError
from moodmesh.face import BLENDSHAPES, LANDMARKS, Face
from moodmesh.features import feature_vectors
from moodmesh.holistic import HAND, UPPER, Body, Kind
from moodmesh.holistic_features import (
    FACE_PART,
    LEFT_PART,
    PARTS,
    RIGHT_PART,
    UPPER_PART,
    holistic_vectors,
)

# Several people on one machine each name a folder of their own.
FOLDER = Path(
    os.environ.get("MOODMESH_TAKES", Path(__file__).resolve().parent.parent / "landmarks_data")
)
LONGEST_LABEL = 40
# Ten minutes at 30 frames a second; a longer one is a forgotten camera or not ours.
MOST_FRAMES = 18_000
_BYTES_PER_FRAME = (LANDMARKS * 3 + BLENDSHAPES + 16 + 2 * HAND * 3 + UPPER * 4) * 4 + PARTS + 8
# No number of a take comes near it: landmarks are around 1, a pose is in centimetres.
_FAR = 1e6
# What NumPy writes; other packings are not bounded in memory while they are unpacked.
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_FACE_ARRAYS = ("landmarks", "blendshapes", "pose")
_BODY_ARRAYS = ("hands", "upper", "seen")


@dataclass(frozen=True)
class Take:
    """One recording, raw as MediaPipe gave it.

    landmarks: float32 (n, 478, 3). blendshapes: float32 (n, 52). pose: float32 (n, 4, 4).
    size: (width, height) of the frames in pixels. time_ms: int64 (n,), from the take's start.

    A holistic take has also hands: float32 (n, 2, 21, 3), the left and the right one, upper:
    float32 (n, 23, 4), and seen: bool (n, 4), whether the face, the left hand, the right hand and
    the upper body were. The numbers of what was not seen are NaN, so that nobody takes them for
    a place.
    """

    label: str
    landmarks: np.ndarray
    blendshapes: np.ndarray
    pose: np.ndarray
    size: tuple[int, int]
    time_ms: np.ndarray
    hands: np.ndarray | None = None
    upper: np.ndarray | None = None
    seen: np.ndarray | None = None

    def __post_init__(self) -> None:
        n = len(self.landmarks)
        shapes = {
            "landmarks": (n, LANDMARKS, 3),
            "blendshapes": (n, BLENDSHAPES),
            "pose": (n, 4, 4),
            "time_ms": (n,),
        }
        if self.kind == "holistic":
            shapes |= {"hands": (n, 2, HAND, 3), "upper": (n, UPPER, 4), "seen": (n, PARTS)}
        for name, shape in shapes.items():
            if np.shape(getattr(self, name)) != shape:
                raise ValueError(f"{name} is {np.shape(getattr(self, name))}, not {shape}")
        if not 0 < n <= MOST_FRAMES:
            raise ValueError(f"it has {n} frames")
        if min(self.size) < 1:
            raise ValueError(f"its pictures are {self.size}")

    def __len__(self) -> int:
        return len(self.landmarks)

    @property
    def kind(self) -> Kind:
        """What was recorded: a face, or face, hands and shoulders."""
        parts = (self.hands, self.upper, self.seen)
        return "face" if all(part is None for part in parts) else "holistic"

    @property
    def features(self) -> np.ndarray:
        """Feature vectors of all frames: float32 (n, 1486) of a face, (n, 1714) holistic."""
        if self.hands is None or self.upper is None or self.seen is None:
            return feature_vectors(self.landmarks, self.blendshapes, np.array(self.size))
        return holistic_vectors(
            self.landmarks,
            self.blendshapes,
            self.hands,
            self.upper,
            self.seen,
            np.array(self.size),
        )

    @property
    def faces(self) -> Take | None:
        """The frames with a face as a take of the face alone; None where there are none."""
        if self.seen is None:
            return self
        there = self.seen[:, FACE_PART]
        if not there.any():
            return None
        arrays = {name: getattr(self, name)[there] for name in (*_FACE_ARRAYS, "time_ms")}
        return Take(self.label, size=self.size, **arrays)

    def thinned(self, most: int) -> Take:
        """This take, or where it has more frames so many of them, evenly spread."""
        if len(self) <= most:
            return self
        even = np.linspace(0, len(self) - 1, most).astype(int)
        arrays = {
            name: part[even]
            for name in (*_FACE_ARRAYS, "time_ms", *_BODY_ARRAYS)
            if (part := getattr(self, name)) is not None
        }
        return Take(self.label, size=self.size, **arrays)

    def of_kind(self, kind: Kind) -> Take | None:
        """This take for a model of this kind; None where it holds nothing for one.

        A holistic take holds a face as well; a take of a face alone knows nothing of hands.
        """
        if kind == "face":
            return self.faces
        return self if self.kind == "holistic" else None

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

    @classmethod
    def of_bodies(cls, label: str, bodies: Sequence[Body], time_ms: Sequence[int]) -> Take:
        """A take of persons that were found in frames of one size, one a frame."""
        if not bodies:
            raise UserError(
                f"Nobody was found, so nothing was recorded for '{label}'. More light from the "
                "front helps; sit so that your shoulders are in the picture."
            )

        def stacked(parts: Sequence[np.ndarray | None], shape: tuple[int, ...]) -> np.ndarray:
            absent = np.full(shape, np.nan, np.float32)
            return np.stack([absent if part is None else part for part in parts])

        faces = [body.face for body in bodies]
        left = stacked([body.left for body in bodies], (HAND, 3))
        right = stacked([body.right for body in bodies], (HAND, 3))
        upper = [body.upper for body in bodies]
        parts = [(body.face, body.left, body.right, body.upper) for body in bodies]
        return cls(
            check_label(label),
            stacked([None if face is None else face.landmarks for face in faces], (LANDMARKS, 3)),
            stacked([None if face is None else face.blendshapes for face in faces], (BLENDSHAPES,)),
            stacked([None if face is None else face.pose for face in faces], (4, 4)),
            bodies[0].size,
            np.array([t - time_ms[0] for t in time_ms], np.int64),
            np.stack([left, right], axis=1),
            stacked(upper, (UPPER, 4)),
            np.array([[part is not None for part in one] for one in parts]),
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


def write(take: Take, folder: Path = FOLDER, attempts: int = 5) -> Path:
    """Writes the take and returns its path; a kill or a full disk leaves no half-written take."""
    label = check_label(take.label)
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}.npz"
    path = folder / label / name
    temporary = path.with_name(f".{name}.partial")
    try:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise UserError(
                f"The take could not be saved: {_plain(path.parent)} is there already and is no "
                "folder. Move it away, or choose another name or another folder with --data."
            ) from error
        with temporary.open("wb") as file:
            np.savez_compressed(file, **_arrays(take))  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())
        # A link fails where the name is taken, so two recordings can never replace each other.
        try:
            os.link(temporary, path)
        except OSError as error:
            # USB sticks know no links: there an empty file takes the name, then the take comes.
            if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP):
                raise
            path.touch(exist_ok=False)
            temporary.replace(path)
    except FileExistsError:
        return write(take, folder)
    except OSError as error:
        # The label's last take may be deleted at this moment, and its folder with it.
        if isinstance(error, FileNotFoundError) and attempts > 1:
            return write(take, folder, attempts - 1)
        raise UserError(
            f"The take could not be saved in {path.parent} ({error.strerror or error}). Earlier "
            "takes are safe. Free some space or choose another folder with --data."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return path


def _arrays(take: Take) -> dict[str, np.ndarray]:
    """What a file holds of this take."""
    arrays = {name: getattr(take, name).astype(np.float32) for name in _FACE_ARRAYS}
    arrays |= {"size": np.array(take.size, np.int32), "time_ms": take.time_ms.astype(np.int64)}
    if take.hands is not None and take.upper is not None and take.seen is not None:
        arrays |= {"hands": take.hands.astype(np.float32), "upper": take.upper.astype(np.float32)}
        arrays["seen"] = take.seen.astype(bool)
    return arrays


def _check_numbers(take: Take) -> None:
    """ValueError where something seen has a number that is none, or something unseen has one."""
    seen = np.ones((len(take), PARTS), bool) if take.seen is None else take.seen
    parts = [(getattr(take, name), seen[:, FACE_PART]) for name in _FACE_ARRAYS]
    if take.hands is not None and take.upper is not None:
        parts += [(take.hands, seen[:, LEFT_PART : RIGHT_PART + 1])]
        parts += [(take.upper, seen[:, UPPER_PART])]
    for array, there in parts:
        # Whatever is far outside of a picture is damage, and would overflow further on.
        numbers = (np.abs(array) < _FAR).reshape(*there.shape, -1)
        if not numbers[there].all() or numbers[~there].any():
            raise ValueError("its numbers are not those of a take")


def read(path: Path) -> Take:
    """The take in this file; UserError where it is damaged, foreign or far too large."""
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(m.file_size for m in archive.infolist()) > MOST_FRAMES * _BYTES_PER_FRAME + 4096:
                raise ValueError("it is far larger than a take")
            if any(m.compress_type not in _PACKINGS for m in archive.infolist()):
                raise ValueError("it is packed in another way")
        with np.load(path, allow_pickle=False) as stored:
            arrays = {
                name: stored[name]
                for name in (*_FACE_ARRAYS, "size", "time_ms", *_BODY_ARRAYS)
                if name not in _BODY_ARRAYS or name in stored.files
            }
        if arrays["size"].shape != (2,) or not all(
            array.dtype.kind in ("b" if name == "seen" else "iuf") for name, array in arrays.items()
        ):
            raise ValueError("its numbers are not those of a take")
        width, height = (int(side) for side in arrays.pop("size"))
        take = Take(path.parent.name, size=(width, height), **arrays)
        _check_numbers(take)
        return take
    except (
        *(OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, NotImplementedError),
        *(zlib.error, RuntimeError, OverflowError, TypeError),
        MemoryError,  # an array's header may claim petabytes
    ) as e:
        raise UserError(
            f"{path} is not a take that can be read ({e}). Move it elsewhere and record it again; "
            "the other takes are not affected."
        ) from None


def paths(folder: Path = FOLDER, label: str | None = None) -> list[Path]:
    """The files of all takes under this folder, or of one label, by label, oldest first."""
    if label is None:
        folders = (one.name for one in _entries(folder) if one.is_dir(follow_symlinks=False))
        return [path for name in sorted(folders) if _is_label(name) for path in paths(folder, name)]
    # Directory entries know what they are: ten thousand takes are listed in 0.1 s.
    # A link leads to files that are not ours to list or delete.
    names = (one.name for one in _entries(folder / label) if one.is_file(follow_symlinks=False))
    return [folder / label / name for name in sorted(names) if _is_take(name)]


def strange(folder: Path = FOLDER) -> list[str]:
    """A sentence about each folder and file here that holds takes, as it seems, but cannot be used
    by its name or because it is a link."""
    found = []
    for entry in sorted(_entries(folder), key=lambda entry: entry.name):
        if not (entry.is_dir() or entry.is_symlink()) or entry.name.startswith("."):
            continue
        if entry.is_symlink() or not _is_label(entry.name):
            if any(one.name.endswith(".npz") for one in _entries(folder / entry.name)):
                found.append(_plain(folder / entry.name))
            continue
        found += [
            _plain(folder / entry.name / one.name)
            for one in _entries(folder / entry.name)
            if one.name.endswith(".npz")
            and not one.name.startswith(".")
            and (one.is_symlink() or not _is_take(one.name))
        ]
    return [
        f"{path} is left out: it is a link, or its name is none that a label or a take can have. "
        "Give it another name, or copy the takes themselves there."
        for path in found
    ]


def _is_label(name: str) -> bool:
    try:
        check_label(name)
    except UserError:
        return False
    return True


def _is_take(name: str) -> bool:
    return name.endswith(".npz") and not name.startswith(".") and name.isprintable()


def _plain(path: Path) -> str:
    """A path whose name may not be UTF-8 as text that can be printed."""
    return os.fsencode(path).decode("utf-8", "replace")


def newest(folder: Path = FOLDER, count: int = 1) -> dict[str, list[Path]]:
    """The files of the last takes of each label, at most so many a label, oldest first."""
    found: dict[str, list[Path]] = {}
    for path in paths(folder):
        found.setdefault(path.parent.name, []).append(path)
    return {label: mine[-count:] for label, mine in found.items()}


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise UserError(
            f"{_plain(folder)} cannot be opened ({error.strerror}). Give this program the right to "
            "read it."
        ) from error


def read_all(folder: Path = FOLDER) -> tuple[list[Take], list[str]]:
    """All takes under this folder, and a sentence about each file that could not be read."""
    return read_paths(paths(folder))


def read_paths(
    chosen: Iterable[Path], most_frames: int = MOST_FRAMES
) -> tuple[list[Take], list[str]]:
    """The takes in these files, and a sentence about each file that could not be read.

    most_frames: of a longer take so many are kept, evenly. A file that is gone by now was deleted
    or renamed meanwhile: that is no problem of it.
    """
    takes: list[Take] = []
    problems: list[str] = []
    for path in chosen:
        try:
            takes.append(read(path).thinned(most_frames))
        except UserError as error:
            if path.exists():
                problems.append(str(error))
    return takes, problems


def rename(folder: Path, old: str, new: str) -> str:
    """Gives all takes of a label another name, or another label's, and returns it as stored.

    A training that reads meanwhile finds each take under one name or the other.
    """
    new = check_label(new)
    if new == old:
        return new
    source, target = folder / old, folder / new
    try:
        target.mkdir(parents=True, exist_ok=True)
        for path in paths(folder, old):
            place = target / path.name
            while place.exists():  # two labels become one, and two takes have the same name
                place = target / f"{path.stem[:-4]}{secrets.token_hex(2)}.npz"
            path.rename(place)
        if source.is_dir() and not any(source.iterdir()):
            source.rmdir()
    except OSError as error:
        raise UserError(
            f"'{old}' could not be renamed ({error.strerror or error}). No take is lost: what was "
            f"not renamed yet is still under '{old}'. Try again."
        ) from error
    return new


def everything(folder: Path = FOLDER) -> list[Path]:
    """Whatever holds a take here: takes, damaged and half-written ones, and links to some."""
    found: list[Path] = []
    for entry in _entries(folder):
        label = folder / entry.name
        if entry.is_symlink():
            if any(one.name.endswith(".npz") for one in _entries(label)):
                found.append(label)
        elif entry.is_dir():
            names = [one.name for one in _entries(label)]
            found += [label / name for name in names if name.endswith((".npz", ".npz.partial"))]
    return found


def delete_all(folder: Path = FOLDER) -> None:
    """Deletes every take under this folder, damaged and half-written ones too.

    Of links only the link goes: what it leads to is not ours. Raises UserError where a take stayed.
    """
    try:
        for path in everything(folder):
            path.unlink(missing_ok=True)
        for entry in _entries(folder):
            if entry.is_dir(follow_symlinks=False) and not _entries(folder / entry.name):
                (folder / entry.name).rmdir()
    except OSError as error:
        raise UserError(
            f"Not every take in {_plain(folder)} could be deleted ({error.strerror}). Give this "
            "program the right to, or delete the folder by hand."
        ) from error


def restore(path: Path, content: bytes) -> None:
    """Puts a deleted take back, from the bytes that its file had."""
    temporary = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise UserError(
            f"The take could not be put back in {path.parent} ({error.strerror or error}). "
            "Free some space and try again."
        ) from error


def delete(path: Path) -> None:
    """Deletes one take for good, and its label's folder once that is empty."""
    path.unlink(missing_ok=True)
    if path.parent.is_dir() and not any(path.parent.iterdir()):
        with contextlib.suppress(OSError):  # somebody records into it at this moment
            path.parent.rmdir()


def by_label(takes: Iterable[Take]) -> dict[str, list[Take]]:
    """Takes grouped by label, labels in alphabetical order."""
    groups: dict[str, list[Take]] = {}
    for take in sorted(takes, key=lambda take: take.label):
        groups.setdefault(take.label, []).append(take)
    return groups
