"""Unit: a trained model on disk is whole, ours and unchanged, or refused with the way out."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from moodmesh import bundle
from moodmesh.bundle import MANIFEST, Bundle
from moodmesh.errors import UserError
from moodmesh.features import FEATURES_VERSION

FILES = {"landmarks.tflite": b"a network", "history.csv": b"epoch,loss\n"}


def written(folder: Path, name: str = "me") -> Bundle:
    return bundle.write(folder, Bundle(name, ("happy", "wink"), settings={"sure": 0.6}), FILES)


def test_a_bundle_comes_back_as_it_was_written(tmp_path: Path) -> None:
    written(tmp_path / "model" / "personal")
    back = bundle.read(tmp_path / "model" / "personal")
    assert (back.name, back.labels, back.settings) == ("me", ("happy", "wink"), {"sure": 0.6})
    assert back.path("landmarks.tflite").read_bytes() == b"a network"
    assert back.has("history.csv") and not back.has("cnn.tflite")
    with pytest.raises(UserError, match=r"has no cnn\.tflite"):
        back.path("cnn.tflite")


def test_writing_again_replaces_all_of_the_old_bundle(tmp_path: Path) -> None:
    written(tmp_path / "m")
    bundle.write(tmp_path / "m", Bundle("new", ("sad",)), {"landmarks.tflite": b"new"})
    assert bundle.read(tmp_path / "m").name == "new"
    assert sorted(p.name for p in (tmp_path / "m").iterdir()) == [MANIFEST, "landmarks.tflite"]
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


def change(folder: Path, **fields: Any) -> None:
    path = folder / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


@pytest.mark.parametrize(
    ("fields", "about"),
    [
        pytest.param({"features_version": FEATURES_VERSION + 1}, "train again", id="version"),
        pytest.param({"format": 99}, "update moodmesh", id="format"),
        pytest.param({"labels": []}, "not a moodmesh model", id="no labels"),
        pytest.param({"labels": ["a", "a"]}, "not a moodmesh model", id="a label twice"),
        pytest.param({"labels": [1]}, "not a moodmesh model", id="a number for a label"),
        pytest.param({"settings": None}, "not a moodmesh model", id="no settings"),
        pytest.param({"files": {"../../etc/passwd": "0"}}, "not ours", id="a path outside"),
        pytest.param({"files": {"weights.pkl": "0"}}, "not ours", id="a pickle"),
        pytest.param({"files": {"cnn.tflite": "0"}}, "missing or was changed", id="file missing"),
    ],
)
def test_a_foreign_manifest_is_refused(tmp_path: Path, fields: dict[str, Any], about: str) -> None:
    written(tmp_path / "m")
    change(tmp_path / "m", **fields)
    with pytest.raises(UserError, match=about):
        bundle.read(tmp_path / "m")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe"])
def test_a_damaged_manifest_is_refused(tmp_path: Path, content: bytes) -> None:
    written(tmp_path / "m")
    (tmp_path / "m" / MANIFEST).write_bytes(content)
    with pytest.raises(UserError, match=str(tmp_path)):
        bundle.read(tmp_path / "m")


def test_a_changed_network_is_refused(tmp_path: Path) -> None:
    written(tmp_path / "m")
    (tmp_path / "m" / "landmarks.tflite").write_bytes(b"another network")
    with pytest.raises(UserError, match="was changed since"):
        bundle.read(tmp_path / "m")


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    written(tmp_path / "m")
    target = tmp_path / "m" / "landmarks.tflite"
    target.rename(tmp_path / "elsewhere")
    target.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="not ours"):
        bundle.read(tmp_path / "m")


def test_no_bundle_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"train\.py personal"):
        bundle.read(tmp_path / "m")


def test_a_full_disk_leaves_the_old_bundle_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path / "m", "old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"No space left.*unchanged"):
        written(tmp_path / "m", "new")
    assert bundle.read(tmp_path / "m").name == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


def test_a_kill_between_the_two_renames_is_healed(tmp_path: Path) -> None:
    written(tmp_path / "m", "old")
    (tmp_path / "m").rename(tmp_path / ".m.previous")
    assert bundle.read(tmp_path / "m").name == "old"


def test_only_known_files_are_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"model\.keras"):
        bundle.write(tmp_path / "m", Bundle("x", ("a",)), {"model.keras": b""})
