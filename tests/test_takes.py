"""Unit: recordings on disk, whole or refused, whatever happens while they are written."""

from __future__ import annotations

import errno
import io
import os
import pickle
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from moodmesh import takes
from moodmesh.errors import UserError
from moodmesh.face import Face
from moodmesh.features import feature_vector
from moodmesh.takes import Take
from moodmesh.training.personal import read_newest


def made_up(label: str = "happy", frames: int = 3, seed: int = 0) -> Take:
    rng = np.random.default_rng(seed)
    return Take(
        label,
        rng.random((frames, 478, 3), np.float32),
        rng.random((frames, 52), np.float32),
        np.tile(np.eye(4, dtype=np.float32), (frames, 1, 1)),
        (640, 480),
        np.arange(frames, dtype=np.int64) * 33,
    )


def stored_arrays(**changes: object) -> dict[str, object]:
    take = made_up()
    arrays = {
        "landmarks": take.landmarks,
        "blendshapes": take.blendshapes,
        "pose": take.pose,
        "size": np.array(take.size),
        "time_ms": take.time_ms,
    }
    return arrays | changes


def test_a_take_comes_back_as_it_was_written(tmp_path: Path) -> None:
    take = made_up("zwinkern ü")
    path = takes.write(take, tmp_path)
    back = takes.read(path)
    assert path.parent.name == back.label == "zwinkern ü"
    assert back.size == take.size
    for name in ("landmarks", "blendshapes", "pose", "time_ms"):
        np.testing.assert_array_equal(getattr(back, name), getattr(take, name))


def test_a_take_has_the_feature_vectors_of_its_faces(happy_face: Face) -> None:
    take = Take.of_faces("happy", [happy_face, happy_face], [100, 140])
    np.testing.assert_allclose(take.features[1], feature_vector(happy_face), atol=1e-5)
    assert take.time_ms.tolist() == [0, 40]


def test_a_take_without_a_face_says_what_helps() -> None:
    with pytest.raises(UserError, match=r"No face was found.*'wink'.*light"):
        Take.of_faces("wink", [], [])


@pytest.mark.parametrize(
    ("label", "stored"),
    [
        ("happy", "happy"),
        ("  happy ", "happy"),
        ("très_content-2", "très_content-2"),
        ("e\u0301tonne\u0301", "étonné"),
        ("मुस्कान", "मुस्कान"),
        ("웃음", "웃음"),
        ("x" * 40, "x" * 40),
    ],
)
def test_labels_in_any_language(label: str, stored: str) -> None:
    assert takes.check_label(label) == stored


@pytest.mark.parametrize(
    "label",
    [
        "",
        "  ",
        ".",
        "..",
        "a/b",
        "a\\b",
        "a.b",
        ".hidden",
        "a\0b",
        "a\nb",
        "C:",
        "x" * 41,
        "a\u202eb",
    ],
)
def test_labels_that_cannot_name_a_folder(label: str) -> None:
    with pytest.raises(UserError):
        takes.check_label(label)


@pytest.mark.parametrize(
    ("content", "about"),
    [
        pytest.param(b"", "not a take", id="empty"),
        pytest.param(b"PK\x03\x04 cut off", "not a take", id="cut off"),
        pytest.param(b"\x93NUMPY", "not a take", id="another kind"),
        pytest.param(stored_arrays(landmarks=np.zeros((3, 468, 3))), "468", id="468 landmarks"),
        pytest.param(stored_arrays(time_ms=np.arange(2)), "time_ms", id="times missing"),
        pytest.param(
            stored_arrays(landmarks=np.full((3, 478, 3), np.nan)), "numbers", id="not a number"
        ),
        pytest.param(stored_arrays(size=np.array([0, 480])), "pictures", id="no width"),
        pytest.param(stored_arrays(size=np.array([640])), "numbers", id="no height"),
        pytest.param(stored_arrays(pose=np.array(["x"] * 3)), "numbers", id="words"),
        pytest.param({"landmarks": np.zeros(3)}, "not a take", id="arrays missing"),
        pytest.param(
            stored_arrays(pose=np.array([{"a": 1}], dtype=object)), "not a take", id="a pickle"
        ),
    ],
)
def test_what_is_no_take_is_refused_and_named(
    tmp_path: Path, content: bytes | dict[str, object], about: str
) -> None:
    path = tmp_path / "happy" / "20260101T000000Z-0000.npz"
    path.parent.mkdir()
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.savez(path, **content)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=about) as caught:
        takes.read(path)
    assert str(path) in str(caught.value)


def test_a_pickle_in_a_take_is_never_run(tmp_path: Path) -> None:
    class Mischief:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "executed"),)

    path = tmp_path / "happy" / "20260101T000000Z-0000.npz"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("landmarks.npy", pickle.dumps(Mischief()))
    with pytest.raises(UserError):
        takes.read(path)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("unpacked", [150 * 2**20, 0], ids=["and holds it", "and is cut off"])
def test_an_array_that_claims_gigabytes_is_refused(tmp_path: Path, unpacked: int) -> None:
    path = tmp_path / "happy" / "20260101T000000Z-0000.npz"
    path.parent.mkdir()
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": (2**40, 478, 3)}
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("landmarks.npy", header.getvalue() + bytes(unpacked))
    with pytest.raises(UserError, match="not a take"):
        takes.read(path)


def test_one_damaged_take_does_not_hide_the_others(tmp_path: Path) -> None:
    takes.write(made_up("happy"), tmp_path)
    takes.write(made_up("sad"), tmp_path)
    damaged = tmp_path / "sad" / "20200101T000000Z-0000.npz"
    damaged.write_bytes(b"damaged")
    good, problems = takes.read_all(tmp_path)
    assert sorted(take.label for take in good) == ["happy", "sad"]
    assert len(problems) == 1 and str(damaged) in problems[0]


def test_a_full_disk_leaves_earlier_takes_and_no_half_written_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = takes.write(made_up(), tmp_path)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"No space left.*Earlier takes are safe"):
        takes.write(made_up(), tmp_path)
    assert list(tmp_path.rglob("*.npz*")) == [kept]


def test_a_take_cut_off_by_a_kill_is_not_listed(tmp_path: Path) -> None:
    kept = takes.write(made_up(), tmp_path)
    (kept.parent / ".20260101T000000Z-0000.npz.partial").write_bytes(b"PK half of it")
    assert takes.paths(tmp_path) == [kept]


def test_recordings_at_the_same_moment_never_replace_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = iter(["aaaa", "aaaa", "aaaa", "bbbb", "cccc", "dddd"])
    monkeypatch.setattr(takes.secrets, "token_hex", lambda _: next(drawn))
    for seed in range(3):
        takes.write(made_up(seed=seed), tmp_path)
    assert len(takes.paths(tmp_path)) == 3


def test_a_damaged_take_is_told_in_words_wherever_it_is_damaged(tmp_path: Path) -> None:
    path = takes.write(made_up(), tmp_path)
    content = path.read_bytes()
    random = np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(content)
        for place in random.integers(len(content), size=3):
            damaged[place] ^= 1 << random.integers(8)
        path.write_bytes(damaged)
        try:
            take = takes.read(path)
        except UserError:
            continue
        assert np.isfinite(take.features).all()


def test_numbers_far_beyond_a_picture_are_damage(tmp_path: Path) -> None:
    take = made_up()
    take.landmarks[0, 0, 0] = 1e30
    with pytest.raises(UserError, match="not a take that can be read"):
        takes.read(takes.write(take, tmp_path))


def test_a_take_is_not_lost_without_a_word_where_its_folder_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "happy").write_text("a file")
    (tmp_path / "sad").symlink_to(tmp_path / "nowhere")
    for label in ("happy", "sad"):
        with pytest.raises(UserError, match=rf"{label} is there already and is no folder"):
            takes.write(made_up(label), tmp_path)
    with pytest.raises(UserError, match="could not be saved"):
        takes.write(made_up("wow"), tmp_path / "happy")
    with pytest.raises(UserError, match="could not be put back"):
        takes.restore(tmp_path / "happy" / "20260101T000000Z-0000.npz", b"x")


def test_a_disk_without_links_keeps_takes_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(source: Path, target: Path) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", no_links)
    drawn = iter(["aaaa", "aaaa", "bbbb"])
    monkeypatch.setattr(takes.secrets, "token_hex", lambda _: next(drawn))
    for seed in range(2):
        takes.write(made_up(seed=seed), tmp_path)
    good, problems = takes.read_all(tmp_path)
    assert len(good) == 2 and not problems
    assert len(list(tmp_path.rglob("*.npz*"))) == 2


def test_many_recorders_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        written = list(pool.map(lambda i: takes.write(made_up(seed=i), tmp_path), range(24)))
    good, problems = takes.read_all(tmp_path)
    assert len(set(written)) == len(good) == 24 and not problems


def test_deleting_the_last_take_deletes_its_label(tmp_path: Path) -> None:
    first, second = (takes.write(made_up("wink"), tmp_path) for _ in range(2))
    takes.delete(first)
    assert takes.paths(tmp_path) == [second]
    takes.delete(second)
    takes.delete(second)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_does_not_exist_holds_no_takes(tmp_path: Path) -> None:
    assert takes.read_all(tmp_path / "none") == ([], [])


def test_a_label_is_renamed_and_joined_and_no_take_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = iter(["aaaa", "aaaa", "bbbb"])
    monkeypatch.setattr(takes.secrets, "token_hex", lambda _: next(drawn))
    for label in ("wow", "surprise"):
        takes.write(made_up(label, seed=len(label)), tmp_path)
    assert takes.rename(tmp_path, "wow", " surprise ") == "surprise"
    good, problems = takes.read_all(tmp_path)
    assert [take.label for take in good] == ["surprise"] * 2 and not problems
    assert not np.array_equal(good[0].landmarks, good[1].landmarks)
    assert [path.name for path in tmp_path.iterdir()] == ["surprise"]
    for name in ("../elsewhere", "", "a/b"):
        with pytest.raises(UserError):
            takes.rename(tmp_path, "surprise", name)
    assert len(takes.paths(tmp_path, "surprise")) == 2


def test_takes_that_go_while_they_are_read_are_no_problem(tmp_path: Path) -> None:
    kept, gone = (takes.write(made_up(label), tmp_path) for label in ("happy", "sad"))
    takes.delete(gone)
    good, problems = takes.read_paths([kept, gone])
    assert [take.label for take in good] == ["happy"] and not problems


def test_everything_is_deleted_damaged_and_half_written_files_too(tmp_path: Path) -> None:
    path = takes.write(made_up(), tmp_path)
    (path.parent / "20260101T000000Z-0000.npz").write_bytes(b"damaged")
    (path.parent / ".20260101T000000Z-0000.npz.partial").write_bytes(b"half")
    (tmp_path / "README.md").write_text("stays")
    assert len(takes.everything(tmp_path)) == 3 and len(takes.paths(tmp_path)) == 2
    takes.delete_all(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]


def test_ten_thousand_takes_are_listed_fast_and_the_newest_are_read(tmp_path: Path) -> None:
    path = takes.write(made_up(), tmp_path)
    for label in range(100):
        folder = tmp_path / f"label {label:02}"
        folder.mkdir()
        for number in range(100):
            os.link(path, folder / f"20260101T{number:06}Z-0000.npz")
    began_s = time.monotonic()
    newest = takes.newest(tmp_path, 2)
    assert time.monotonic() - began_s < 3  # 0.1 s on a free machine
    assert len(newest) == 101 and len(takes.paths(tmp_path)) == 10_001
    assert [path.name for path in newest["label 42"]] == [
        "20260101T000098Z-0000.npz",
        "20260101T000099Z-0000.npz",
    ]
    began_s = time.monotonic()
    recorded, problems = read_newest(tmp_path)
    # So many labels leave six takes each: the memory of 600 takes, not of ten thousand.
    assert len(recorded) == 100 * 5 + 1 and not problems
    assert time.monotonic() - began_s < 30


def test_links_are_left_out_and_what_they_lead_to_is_never_deleted(tmp_path: Path) -> None:
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "takes"
    foreign = takes.write(made_up("mine"), elsewhere)
    own = takes.write(made_up("happy"), folder)
    (folder / "linked").symlink_to(foreign.parent)
    (own.parent / "20260101T000000Z-0000.npz").symlink_to(foreign)
    assert takes.paths(folder) == [own]
    assert len(takes.strange(folder)) == 2
    takes.delete_all(folder)
    assert list(folder.iterdir()) == [] and takes.read(foreign).label == "mine"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names themselves")
def test_names_that_no_page_can_show_are_left_out_told_and_deleted(tmp_path: Path) -> None:
    own = takes.write(made_up("happy"), tmp_path)
    content = own.read_bytes()
    latin = os.fsencode(tmp_path) + b"/caf\xe9"
    Path(os.fsdecode(latin)).mkdir()
    for path in (
        os.fsdecode(latin + b"/20260101T000000Z-0000.npz"),
        os.fsdecode(os.fsencode(own.parent) + b"/caf\xe9.npz"),
    ):
        Path(path).write_bytes(content)
    (tmp_path / "a.b").mkdir()
    (tmp_path / "a.b" / own.name).write_bytes(content)
    (tmp_path / "not takes").mkdir()
    assert takes.paths(tmp_path) == [own]
    told = takes.strange(tmp_path)
    assert len(told) == 3 and all("left out" in line for line in told)
    assert "".join(told).encode("utf-8")  # a page and a terminal can show it
    assert read_newest(tmp_path)[1] == told
    takes.delete_all(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == []


def test_a_label_that_is_deleted_while_a_take_of_it_is_written_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = takes.write(made_up(), tmp_path)
    arrays, deleted = takes._arrays, []

    def deleted_in_the_middle(take: Take) -> dict[str, np.ndarray]:
        if not deleted:
            deleted.append(before)
            for path in before.parent.iterdir():
                path.unlink()
            before.parent.rmdir()
        return arrays(take)

    monkeypatch.setattr(takes, "_arrays", deleted_in_the_middle)
    written = takes.write(made_up(), tmp_path)
    assert deleted and takes.paths(tmp_path) == [written]
