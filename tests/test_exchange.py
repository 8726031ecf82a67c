"""Unit: a personal model as one file: it comes back whole, and a crafted one changes nothing."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from moodmesh import bundle, exchange
from moodmesh.bundle import MANIFEST, Bundle
from moodmesh.errors import UserError

GENERAL = bundle.GENERAL


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A model with a network that runs: the shipped one."""
    general = bundle.read(GENERAL)
    files = {"landmarks.tflite": general.path("landmarks.tflite")}
    return bundle.write(
        tmp_path_factory.mktemp("m") / "model", Bundle("mine", general.labels), files
    )


def zipped(members: dict[str, bytes], packing: int = zipfile.ZIP_DEFLATED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", packing) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return content.getvalue()


def members(model: Bundle) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(exchange.pack(model))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def with_manifest(model: Bundle, **fields: object) -> bytes:
    all_members = members(model)
    manifest = json.loads(all_members[MANIFEST]) | fields
    return zipped(all_members | {MANIFEST: json.dumps(manifest).encode()})


def with_file(model: Bundle, name: str, content: bytes) -> bytes:
    files = json.loads(members(model)[MANIFEST])["files"]
    listed = files | {name: hashlib.sha256(content).hexdigest()}
    with zipfile.ZipFile(io.BytesIO(with_manifest(model, files=listed))) as archive:
        return zipped({one: archive.read(one) for one in archive.namelist()} | {name: content})


def test_a_model_comes_back_as_it_was(model: Bundle, tmp_path: Path) -> None:
    back = exchange.unpack(exchange.pack(model), tmp_path / "personal")
    assert (back.name, back.labels, back.files) == (model.name, model.labels, model.files)


def test_a_flipped_bit_anywhere_is_refused_in_words(model: Bundle, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    content = exchange.pack(model)
    for _ in range(150):
        damaged = bytearray(content)
        damaged[random.integers(len(damaged))] ^= 1 << random.integers(8)
        try:
            exchange.unpack(bytes(damaged), tmp_path / "personal")
        except UserError:
            continue
        assert bundle.read(tmp_path / "personal").labels == model.labels  # the bit meant nothing


ENDLESS = {
    "frames": 10**400,
    **{"accuracy": 1.0, "sure": 1.0, "accuracy_when_sure": 1.0, "by_label": {}},
    "general": {"frames": 1, "accuracy": 1.0, "personal_accuracy": 1.0, "labels": []},
}

CRAFTED = {
    "empty": (lambda model: b"", "cannot be opened"),
    "no zip": (lambda model: b"not a zip at all", "cannot be opened"),
    "cut off": (lambda model: exchange.pack(model)[:-300], "cannot be opened"),
    "another zip": (lambda model: zipped({"a.txt": b"x"}), "not a moodmesh model"),
    "an absolute path": (
        lambda model: zipped(members(model) | {"/tmp/moodmesh-crafted": b"x"}),
        "not ours",
    ),
    "a path upwards": (
        lambda model: zipped(members(model) | {"../moodmesh-crafted": b"x"}),
        "not ours",
    ),
    "a pickle": (lambda model: zipped(members(model) | {"weights.pkl": b"x"}), "not ours"),
    "an unlisted file": (
        lambda model: zipped(members(model) | {"history.csv": b"x"}),
        "its list lacks",
    ),
    "a changed network": (
        lambda model: zipped(members(model) | {"landmarks.tflite": b"other"}),
        "missing or was changed",
    ),
    "a missing network": (
        lambda model: zipped({MANIFEST: members(model)[MANIFEST]}),
        "missing or was changed",
    ),
    "a bomb": (
        lambda model: zipped(members(model) | {"history.csv": bytes(65 * 2**20)}),
        "far more than a model",
    ),
    "other features": (lambda model: with_manifest(model, features_version=99), "version 99"),
    "too few labels": (lambda model: with_manifest(model, labels=["a", "b"]), "does not fit"),
    "a list of files elsewhere": (
        lambda model: with_manifest(model, files={"../../x": "0"}),
        "not ours",
    ),
    "another packing": (lambda model: zipped(members(model), zipfile.ZIP_LZMA), "never packs"),
    "a list nested without end": (
        lambda model: zipped(members(model) | {MANIFEST: b"[" * 100_000}),
        "cannot be opened",
    ),
    "a label that loads a picture": (
        lambda model: with_manifest(
            model, labels=["![x](https://example.org/x.png)", *model.labels[1:]]
        ),
        "labels are odd",
    ),
    "a label that is a path": (
        lambda model: with_manifest(model, labels=["../x", *model.labels[1:]]),
        "labels are odd",
    ),
    "figures without numbers": (
        lambda model: with_manifest(model, metrics={"held_out": {"frames": 5}}),
        "figures are odd",
    ),
    "figures of another kind": (
        lambda model: with_manifest(model, metrics={"private_test": {}}),
        "figures are odd",
    ),
    "a number without end": (
        lambda model: with_manifest(model, metrics={"held_out": ENDLESS}),
        "figures are odd",
    ),
    "a temperature in words": (
        lambda model: with_manifest(model, settings={"temperature": "hot"}),
        "cannot be run",
    ),
    "a temperature of zero": (
        lambda model: with_manifest(model, settings={"temperature": 0}),
        "does not fit",
    ),
    "a drawing that is none": (
        lambda model: with_file(model, "curves.png", b"<svg onload=alert(1)>"),
        "not a picture",
    ),
}


@pytest.mark.parametrize("kind", CRAFTED)
def test_a_crafted_file_is_refused_and_changes_nothing(
    model: Bundle, tmp_path: Path, kind: str
) -> None:
    make, about = CRAFTED[kind]
    target = tmp_path / "model" / "personal"
    bundle.write(target, Bundle("old", ("a",)), {"landmarks.tflite": b"old"})
    with pytest.raises(UserError, match=about):
        exchange.unpack(make(model), target)
    assert bundle.read(target).name == "old"
    assert sorted(path.name for path in tmp_path.rglob("*")) == sorted(
        ["model", "personal", MANIFEST, "landmarks.tflite"]
    )


def test_a_network_that_cannot_run_is_refused(model: Bundle, tmp_path: Path) -> None:
    made = bundle.write(
        tmp_path / "odd", Bundle("odd", ("a", "b")), {"landmarks.tflite": b"TFL3 odd"}
    )
    with pytest.raises(UserError, match="cannot be run"):
        exchange.unpack(exchange.pack(made), tmp_path / "personal")
    assert not (tmp_path / "personal").exists()


def test_a_bomb_that_lies_about_its_size_is_not_unpacked(model: Bundle, tmp_path: Path) -> None:
    content = bytearray(zipped(members(model) | {"history.csv": bytes(300 * 2**20)}))
    listed = content.rfind(b"history.csv") - 46  # the entry in the zip's directory, at its end
    assert content[listed : listed + 4] == b"PK\x01\x02"
    content[listed + 24 : listed + 28] = struct.pack("<I", 1000)
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match="cannot be opened"):
            exchange.unpack(bytes(content), tmp_path / "personal")
        assert tracemalloc.get_traced_memory()[1] < 50 * 2**20
    finally:
        tracemalloc.stop()
