"""FER2013 and FER+ as they are handed around, read into arrays that are the same for every layout.

FER2013 (Goodfellow et al. 2013, "Challenges in representation learning") holds 35,887 gray faces
of 48x48 pixels with one of seven expressions each. It travels as the original CSV
(`emotion,pixels,Usage`), as that CSV in a zip, and as pictures in folders by split and class,
unpacked or zipped. Whatever is wrong with a file stops the reading and is named with its row: a
data set that is silently a few images short would make every figure wrong.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import cv2
import numpy as np

from moodmesh.errors import UserError
from moodmesh.mood import VALENCE_AROUSAL

SIDE = 48
LABELS: tuple[str, ...] = tuple(VALENCE_AROUSAL)
USAGES = ("Training", "PublicTest", "PrivateTest")
# The `emotion` column counts 0-6 in this order.
CSV_LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
# FER+ adds three answers; the first seven are FER2013's classes under FER+'s names.
FERPLUS_ANSWERS = {
    "happiness": "happy",
    "surprise": "surprise",
    "neutral": "neutral",
    "sadness": "sad",
    "fear": "fear",
    "anger": "angry",
    "disgust": "disgust",
    "contempt": None,
    "unknown": None,
    "NF": None,
}

_COLUMNS = ("emotion", "pixels", "Usage")
_FIRST_DATA_LINE = 2  # line 1 is the header, and people count lines from 1
_PICTURE_NAME = re.compile(r"(Training|PublicTest|PrivateTest)_(\d+)", re.ASCII)
_PICTURES = {".png", ".jpg", ".jpeg"}
_SPLIT_FOLDERS = ("train", "test")


@dataclass(frozen=True)
class Fer2013:
    """The data set, in the order of its rows.

    images: uint8 (n, 48, 48). labels: int64 (n,), indices into LABELS. usage: int64 (n,), indices
    into USAGES. rows: int64 (n,), each image's row in the original CSV, from 0, increasing.
    """

    images: np.ndarray
    labels: np.ndarray
    usage: np.ndarray
    rows: np.ndarray

    def __post_init__(self) -> None:
        count = len(self.images)
        if self.images.shape != (count, SIDE, SIDE) or self.images.dtype != np.uint8:
            raise ValueError(f"Fer2013.images is {self.images.dtype} {self.images.shape}")
        for name in ("labels", "usage", "rows"):
            if getattr(self, name).shape != (count,):
                raise ValueError(f"Fer2013.{name} is {getattr(self, name).shape}, not ({count},)")

    def __len__(self) -> int:
        return len(self.images)

    def split(self, usage: str) -> np.ndarray:
        """Which images belong to 'Training', 'PublicTest' or 'PrivateTest', bool (n,)."""
        return self.usage == USAGES.index(usage)

    def part(self, chosen: np.ndarray) -> Fer2013:
        """The images where chosen, bool (n,), is true."""
        return Fer2013(
            self.images[chosen], self.labels[chosen], self.usage[chosen], self.rows[chosen]
        )


def read(path: Path) -> Fer2013:
    """FER2013 from its CSV, from a zip of it, or from a zip or folder of pictures."""
    if path.is_dir():
        data = _from_pictures(path, _folder_files(path))
    elif not path.is_file():
        raise UserError(f"{path} does not exist. Give --data fer2013.csv, fer2013.zip or a folder.")
    elif zipfile.is_zipfile(path):
        data = _from_zip(path)
    elif path.suffix.lower() == ".csv":
        with path.open("rb") as file:
            data = _from_csv(str(path), file)
    else:
        raise UserError(
            f"{path} is neither a CSV nor a whole zip file. Give --data the file as downloaded "
            "(fer2013.csv or fer2013.zip), or download it again."
        )
    if not len(data):
        raise UserError(
            f"{path} holds no images. Give --data fer2013.csv, fer2013.zip or a folder."
        )
    return data


def _assemble(images: list[np.ndarray], table: list[tuple[int, int, int]]) -> Fer2013:
    """The data set in row order; table holds (label, usage, row) an image."""
    columns = np.array(table, np.int64).reshape(-1, 3)
    order = np.argsort(columns[:, 2], kind="stable")
    stack = np.stack(images) if images else np.empty((0, SIDE, SIDE), np.uint8)
    labels, usage, rows = columns[order].T
    return Fer2013(stack[order], labels, usage, rows)


def _from_zip(path: Path) -> Fer2013:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
            tables = [name for name in names if name.lower().endswith(".csv")]
            for name in tables:
                with archive.open(name) as file:
                    header = file.readline().decode("utf-8", "replace")
                if set(_COLUMNS) <= {column.strip() for column in header.split(",")}:
                    with archive.open(name) as file:
                        return _from_csv(f"{path}: {name}", file)
            if any(Path(name).suffix.lower() in _PICTURES for name in names):
                return _from_pictures(path, ((name, archive) for name in names))
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        raise UserError(f"{path} is damaged ({error}). Download it again.") from error
    held = f"only tables without the columns {', '.join(_COLUMNS)}" if tables else "neither"
    raise UserError(
        f"{path} should hold fer2013.csv or pictures in train/ and test/, but holds {held}. "
        "Give --data the FER2013 archive."
    )


def _column_places(source: str, header: list[str]) -> list[int]:
    names = [name.strip() for name in header]
    missing = [name for name in _COLUMNS if name not in names]
    if missing:
        raise UserError(
            f"{source} has no column {' or '.join(missing)}: its first line should name "
            f"{', '.join(_COLUMNS)}. Give --data the original fer2013.csv."
        )
    return [names.index(name) for name in _COLUMNS]


def _from_csv(source: str, file: IO[bytes]) -> Fer2013:
    images: list[np.ndarray] = []
    table: list[tuple[int, int, int]] = []
    lines = io.TextIOWrapper(file, "utf-8-sig", newline="")
    try:
        reader = csv.reader(lines, strict=True)
        places = _column_places(source, next(reader, []))
        for row, cells in enumerate(reader):
            where = f"{source}, row {row} (line {row + _FIRST_DATA_LINE})"
            if len(cells) <= max(places):
                raise UserError(
                    f"{where} has {len(cells)} columns: the file is cut off or damaged."
                )
            emotion, pixels, usage = (cells[place].strip() for place in places)
            images.append(_pixels(where, pixels))
            table.append((_csv_label(where, emotion), _usage(where, usage), row))
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(
            f"{source} cannot be read after row {len(table) - 1} ({error}). Download it again."
        ) from error
    finally:
        lines.detach()
    return _assemble(images, table)


def _pixels(where: str, text: str) -> np.ndarray:
    try:
        values = np.fromstring(text, np.int64, sep=" ")
    except ValueError as error:
        raise UserError(f"{where} has pixels that are not whole numbers: mend the file.") from error
    if values.size != SIDE * SIDE:
        raise UserError(
            f"{where} has {values.size} pixels instead of {SIDE * SIDE}: mend or remove the row."
        )
    if values.min() < 0 or values.max() > 255:
        raise UserError(f"{where} has pixels outside 0 to 255: mend or remove the row.")
    return values.astype(np.uint8).reshape(SIDE, SIDE)


def _csv_label(where: str, text: str) -> int:
    if text not in {str(number) for number in range(len(CSV_LABELS))}:
        raise UserError(
            f"{where} has the emotion '{text}'; it should be 0 to {len(CSV_LABELS) - 1} "
            f"({', '.join(CSV_LABELS)})."
        )
    return LABELS.index(CSV_LABELS[int(text)])


def _usage(where: str, text: str) -> int:
    if text not in USAGES:
        raise UserError(f"{where} has the usage '{text}'; it should be one of {', '.join(USAGES)}.")
    return USAGES.index(text)


def _folder_files(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path


def _bytes(name: str, holder: Path | zipfile.ZipFile) -> bytes:
    return holder.read_bytes() if isinstance(holder, Path) else holder.read(name)


def _from_pictures(source: Path, files: Iterable[tuple[str, Path | zipfile.ZipFile]]) -> Fer2013:
    images: list[np.ndarray] = []
    table: list[tuple[int, int, int]] = []
    seen: dict[int, str] = {}
    for name, holder in files:
        path = Path(name)
        hidden = any(part.startswith((".", "__")) for part in path.parts)
        if hidden or path.suffix.lower() not in _PICTURES:
            continue
        label, usage, row = _placed(source, path)
        if row in seen:
            raise UserError(
                f"{source} has row {row} twice, as {seen[row]} and as {name}: remove one of them."
            )
        seen[row] = name
        try:
            encoded = _bytes(name, holder)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise UserError(
                f"{source}: {name} (row {row}) is damaged ({error}). Download the file again."
            ) from error
        images.append(_picture(f"{source}: {name} (row {row})", encoded))
        table.append((label, usage, row))
    if not images:
        raise UserError(
            f"{source} holds no pictures named like train/happy/Training_7.png. "
            "Give --data the FER2013 folder itself."
        )
    return _assemble(images, table)


def _placed(source: Path, path: Path) -> tuple[int, int, int]:
    """Label, usage and row of train/<class>/Training_<row>.png or test/<class>/..."""
    match = _PICTURE_NAME.fullmatch(path.stem)
    folders = path.parts[-3:-1]
    if match is None or len(folders) < 2 or folders[0] not in _SPLIT_FOLDERS:
        raise UserError(
            f"{source}: {path} is not named like train/happy/Training_7.png, so its split and row "
            "are unknown: rename or remove it."
        )
    split, label = folders
    usage, row = match.groups()
    if (split == "train") != (usage == "Training"):
        raise UserError(f"{source}: {path} is a {usage} picture in the folder {split}: move it.")
    if label not in LABELS:
        raise UserError(
            f"{source}: {path} is in the class folder '{label}'; the classes are "
            f"{', '.join(LABELS)}."
        )
    return LABELS.index(label), USAGES.index(usage), int(row)


def _picture(where: str, encoded: bytes) -> np.ndarray:
    image = None
    if encoded:
        image = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise UserError(f"{where} is not a readable picture. Replace it from the download.")
    if image.shape != (SIDE, SIDE):
        height, width = image.shape
        raise UserError(f"{where} is {width}x{height} pixels; FER2013's are {SIDE}x{SIDE}.")
    return image


def read_ferplus(path: Path, data: Fer2013) -> np.ndarray:
    """FER+ votes (Barsoum et al. 2016) for the images of `data`, int64 (n, 10).

    The columns are those of FERPLUS_ANSWERS. The table is joined by row, never by its
    `Image name` column, which drifts from the rows by up to 85.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            missing = {"Usage", *FERPLUS_ANSWERS} - {*(reader.fieldnames or ())}
            if missing:
                raise UserError(
                    f"{path} has no column {', '.join(sorted(missing))}. "
                    "Give --ferplus the file fer2013new.csv of FER+."
                )
            table = list(reader)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}). Check --ferplus.") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not a CSV table ({error}). Download it again.") from error
    if len(table) <= data.rows.max():
        raise UserError(
            f"{path} has {len(table)} rows, but the images go up to row {data.rows.max()}: "
            "the pictures are not numbered by their row of fer2013.csv, or the table is cut off."
        )
    votes = np.empty((len(data), len(FERPLUS_ANSWERS)), np.int64)
    for index, (row, usage) in enumerate(zip(data.rows, data.usage, strict=True)):
        line = table[row]
        if line["Usage"] != USAGES[usage]:
            raise UserError(
                f"{path}, row {row} is '{line['Usage']}', but the image is {USAGES[usage]}: "
                "the two files do not belong together."
            )
        try:
            votes[index] = [int(line[answer]) for answer in FERPLUS_ANSWERS]
        except (TypeError, ValueError) as error:
            raise UserError(f"{path}, row {row} has votes that are not whole numbers.") from error
    return votes


def majority(votes: np.ndarray) -> np.ndarray:
    """The label most people chose, int64 (n,); -1 for a tie or an answer outside LABELS."""
    names = [FERPLUS_ANSWERS[answer] for answer in FERPLUS_ANSWERS]
    label_of = np.array([-1 if name is None else LABELS.index(name) for name in names])
    tied = (votes == votes.max(axis=1, keepdims=True)).sum(axis=1) > 1
    return np.where(tied, -1, label_of[votes.argmax(axis=1)])


def _fingerprints(images: np.ndarray) -> np.ndarray:
    return np.array([hashlib.sha256(image.tobytes()).hexdigest() for image in images], "U64")


def training_copies_of_tests(data: Fer2013) -> np.ndarray:
    """Which Training images also stand, pixel for pixel, in a test split, bool (n,).

    They are left out of training: a net that has seen them has seen the answers.
    """
    prints, training = _fingerprints(data.images), data.split("Training")
    return training & np.isin(prints, prints[~training])


def test_copies_of_training(data: Fer2013) -> np.ndarray:
    """Which test images are exact copies of Training images, bool (n,).

    Figures 'without copies' leave them out, to be fair to nets that trained on all of Training.
    """
    prints, training = _fingerprints(data.images), data.split("Training")
    return ~training & np.isin(prints, prints[training])
