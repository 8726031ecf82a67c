"""Unit tests: FER2013 and FER+ in every layout they travel in, and what is wrong with a file."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from moodmesh import fer2013
from moodmesh.errors import UserError
from moodmesh.fer2013 import CSV_LABELS, LABELS, USAGES, Fer2013


def small_data_set() -> Fer2013:
    """12 noise images, 6 for training; row 7 (PublicTest) repeats row 1 and row 10 row 4."""
    images = np.random.default_rng(0).integers(0, 256, (12, 48, 48), dtype=np.uint8)
    images[7], images[10] = images[1], images[4]
    usage = np.array([0] * 6 + [1] * 3 + [2] * 3)
    return Fer2013(images, np.arange(12) % 7, usage, np.arange(12))


def csv_text(data: Fer2013, header: str = "emotion,pixels,Usage") -> str:
    lines = [header]
    for image, label, usage in zip(data.images, data.labels, data.usage, strict=True):
        emotion = CSV_LABELS.index(LABELS[label])
        lines.append(f"{emotion},{' '.join(map(str, image.ravel()))},{USAGES[usage]}")
    return "\n".join(lines) + "\n"


def picture_files(data: Fer2013) -> dict[str, bytes]:
    files = {}
    columns = (data.images, data.labels, data.usage, data.rows)
    for image, label, usage, row in zip(*columns, strict=True):
        split = "train" if usage == 0 else "test"
        name = f"{split}/{LABELS[label]}/{USAGES[usage]}_{row}.png"
        files[name] = cv2.imencode(".png", image)[1].tobytes()
    return files


def write_folder(path: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def write_text(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


Layout = Callable[[Path, Fer2013], Path]
LAYOUTS: dict[str, Layout] = {
    "folder": lambda tmp, data: write_folder(tmp / "fer", picture_files(data)),
    "zip": lambda tmp, data: write_zip(tmp / "fer.zip", picture_files(data)),
    "zip with a folder around it": lambda tmp, data: write_zip(
        tmp / "fer.zip", {f"archive/{k}": v for k, v in reversed(picture_files(data).items())}
    ),
    "csv": lambda tmp, data: write_text(tmp / "fer2013.csv", csv_text(data)),
    "csv with spaces in its header": lambda tmp, data: write_text(
        tmp / "fer2013.csv", csv_text(data, "emotion, pixels, Usage")
    ),
    "zipped csv beside another table": lambda tmp, data: write_zip(
        tmp / "fer.zip",
        {"sample.csv": b"id,emotion\n1,2\n", "fer2013.csv": csv_text(data).encode()},
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_data(layout: str, tmp_path: Path) -> None:
    data = small_data_set()
    read = fer2013.read(LAYOUTS[layout](tmp_path, data))
    for name in ("images", "labels", "usage", "rows"):
        np.testing.assert_array_equal(getattr(read, name), getattr(data, name))


def test_labels_follow_the_project_order_not_the_csv_order(tmp_path: Path) -> None:
    pixels = " ".join(["0"] * 48 * 48)
    text = f"emotion,pixels,Usage\n3,{pixels},Training\n0,{pixels},PrivateTest\n"
    data = fer2013.read(write_text(tmp_path / "f.csv", text))
    assert [LABELS[label] for label in data.labels] == ["happy", "angry"]
    assert data.split("PrivateTest").tolist() == [False, True]


def damaged_csv(line: int, old: str, new: str) -> Layout:
    def write(tmp: Path, data: Fer2013) -> Path:
        lines = csv_text(data).split("\n")
        assert old in lines[line]
        lines[line] = lines[line].replace(old, new, 1)
        return write_text(tmp / "fer2013.csv", "\n".join(lines))

    return write


def damaged_pictures(change: Callable[[dict[str, bytes]], None], zipped: bool = True) -> Layout:
    def write(tmp: Path, data: Fer2013) -> Path:
        files = picture_files(data)
        change(files)
        return write_zip(tmp / "f.zip", files) if zipped else write_folder(tmp / "f", files)

    return write


def spoil_zip_member(tmp: Path, data: Fer2013) -> Path:
    path = write_zip(tmp / "f.zip", picture_files(data))
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("train/fear/Training_4.png")
    content = bytearray(path.read_bytes())
    content[info.header_offset + 500] ^= 0xFF
    path.write_bytes(content)
    return path


def shorten(files: dict[str, bytes]) -> None:
    files["train/fear/Training_4.png"] = files["train/fear/Training_4.png"][:700]


def rename(old: str, new: str) -> Callable[[dict[str, bytes]], None]:
    def change(files: dict[str, bytes]) -> None:
        files[new] = files.pop(old)

    return change


def enlarge(files: dict[str, bytes]) -> None:
    large = np.zeros((50, 40), np.uint8)
    files["train/fear/Training_4.png"] = cv2.imencode(".png", large)[1].tobytes()


BAD: dict[str, tuple[Layout, str]] = {
    "missing column": (
        lambda tmp, data: write_text(tmp / "f.csv", csv_text(data, "emotion,pixels,split")),
        r"f\.csv has no column Usage",
    ),
    "label out of range": (damaged_csv(4, "4,", "7,"), r"row 3 \(line 5\) has the emotion '7'"),
    "label not a number": (damaged_csv(4, "4,", "sad,"), r"row 3 .* emotion 'sad'"),
    "unknown usage": (damaged_csv(9, "PublicTest", "Validation"), r"row 8 .* usage 'Validation'"),
    "missing pixel": (damaged_csv(2, ",", ",7 ,"), r"row 1 .* has 1 pixels instead of 2304"),
    "pixel out of range": (damaged_csv(2, ",", ",-"), r"row 1 .* outside 0 to 255"),
    "missing cell": (damaged_csv(6, ",Training", ""), r"row 5 .* has 2 columns"),
    "folder: broken PNG": (
        damaged_pictures(shorten, zipped=False),
        r"Training_4\.png \(row 4\) is not a readable picture",
    ),
    "zip: broken PNG": (damaged_pictures(shorten), r"Training_4\.png \(row 4\) is not a readable"),
    "zip: damaged member": (spoil_zip_member, r"Training_4\.png \(row 4\) is damaged"),
    "empty picture": (
        damaged_pictures(lambda files: files.update({"train/fear/Training_4.png": b""})),
        r"Training_4\.png \(row 4\) is not a readable",
    ),
    "odd size": (damaged_pictures(enlarge), r"Training_4\.png \(row 4\) is 40x50 pixels"),
    "unknown class": (
        damaged_pictures(rename("train/fear/Training_4.png", "train/bored/Training_4.png")),
        "class folder 'bored'",
    ),
    "wrong split folder": (
        damaged_pictures(rename("train/fear/Training_4.png", "test/fear/Training_4.png")),
        "is a Training picture in the folder test",
    ),
    "unknown name": (
        damaged_pictures(rename("train/fear/Training_4.png", "train/fear/face4.png")),
        r"train/fear/face4\.png is not named like",
    ),
    "the same row twice": (
        damaged_pictures(lambda files: files.update({"train/sad/Training_4.png": b""})),
        "row 4 twice",
    ),
    "no pictures": (lambda tmp, data: write_folder(tmp / "f", {"a.txt": b""}), "holds no pictures"),
    "empty table": (
        lambda tmp, data: write_text(tmp / "f.csv", "emotion,pixels,Usage\n"),
        "holds no images",
    ),
    "empty file": (lambda tmp, data: write_text(tmp / "f.csv", ""), "has no column emotion"),
    "cut-off zip": (
        lambda tmp, data: write_text(tmp / "f.zip", "PK"),
        "neither a CSV nor a whole zip",
    ),
    "no such file": (lambda tmp, data: tmp / "none.csv", "does not exist"),
    "foreign zip": (lambda tmp, data: write_zip(tmp / "f.zip", {"a.txt": b"a"}), "holds neither"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_stops_and_names_file_and_row(case: str, tmp_path: Path) -> None:
    layout, message = BAD[case]
    with pytest.raises(UserError, match=message):
        fer2013.read(layout(tmp_path, small_data_set()))


def test_hidden_files_of_archivers_are_ignored(tmp_path: Path) -> None:
    files = picture_files(small_data_set())
    files |= {"__MACOSX/train/sad/._Training_3.png": b"x", "train/sad/.DS_Store": b"x"}
    assert len(fer2013.read(write_zip(tmp_path / "f.zip", files))) == 12


def test_copies_between_splits_are_found() -> None:
    data = small_data_set()
    assert np.flatnonzero(fer2013.training_copies_of_tests(data)).tolist() == [1, 4]
    assert np.flatnonzero(fer2013.test_copies_of_training(data)).tolist() == [7, 10]


FERPLUS_HEADER = (
    "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
)


def write_ferplus(path: Path, data: Fer2013, votes: dict[int, str]) -> Path:
    lines = [FERPLUS_HEADER]
    for row, usage in zip(data.rows, data.usage, strict=True):
        # The name is wrong on purpose: real tables drift from the rows.
        answers = votes.get(row, "10,0,0,0,0,0,0,0,0,0")
        lines.append(f"{USAGES[usage]},fer{row + 85:07}.png,{answers}")
    return write_text(path, "\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        ("10,0,0,0,0,0,0,0,0,0", "neutral"),
        ("0,0,0,1,6,3,0,0,0,0", "angry"),
        ("0,5,5,0,0,0,0,0,0,0", None),
        ("1,0,0,0,0,0,0,9,0,0", None),
        ("0,0,0,0,0,0,1,0,4,5", None),
    ],
)
def test_ferplus_majority_is_joined_by_row(
    votes: str, expected: str | None, tmp_path: Path
) -> None:
    data = small_data_set()
    path = write_ferplus(tmp_path / "p.csv", data, {5: votes})
    labels = fer2013.majority(fer2013.read_ferplus(path, data))
    assert labels[5] == (-1 if expected is None else LABELS.index(expected))
    assert labels[6] == LABELS.index("neutral")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("NF", "none", "no column NF"),
        ("PrivateTest,fer0000096.png", "Training,fer0000096.png", "row 11 is 'Training'"),
        ("fer0000085.png,10", "fer0000085.png,x", "row 0 has votes"),
        ("PrivateTest,fer0000096.png,10,0,0,0,0,0,0,0,0,0\n", "", "has 11 rows"),
    ],
)
def test_a_ferplus_table_that_does_not_fit_is_refused(
    old: str, new: str, message: str, tmp_path: Path
) -> None:
    data = small_data_set()
    path = write_ferplus(tmp_path / "p.csv", data, {})
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(UserError, match=message):
        fer2013.read_ferplus(path, data)
