"""A trained model on disk: networks, labels, versions, figures, and a checksum of every file.

A bundle is a folder with ``bundle.json`` and the files it lists. Nothing in it is a pickle, a
``.keras`` or an ``.h5`` file, so opening somebody else's bundle runs no code of theirs; a file
whose checksum differs is refused.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from moodmesh.errors import UserError
from moodmesh.features import FEATURES, FEATURES_VERSION
from moodmesh.holistic import KINDS, Kind
from moodmesh.holistic_features import HOLISTIC_FEATURES, HOLISTIC_VERSION

FORMAT = 1
MANIFEST = "bundle.json"
GENERAL = Path(__file__).resolve().parent.parent / "model" / "fer2013"
PERSONAL = Path(os.environ.get("MOODMESH_PERSONAL", GENERAL.with_name("personal")))
# What each kind of model reads: the feature vector's version and how many numbers it has.
VERSIONS: dict[Kind, int] = {"face": FEATURES_VERSION, "holistic": HOLISTIC_VERSION}
INPUTS: dict[Kind, int] = {"face": FEATURES, "holistic": HOLISTIC_FEATURES}
# The image networks a bundle may hold: the best one, a second and a third voice.
IMAGE_NETWORKS = ("cnn.tflite", "cnn_2.tflite", "cnn_3.tflite")
# What a bundle may hold; anything else is not ours.
FILES = frozenset(
    """
    landmarks.tflite cnn.tflite cnn_2.tflite cnn_3.tflite weights.npz MODEL_CARD.md
    history.csv history_cnn.csv history_cnn_2.csv history_cnn_3.csv
    curves.png curves_cnn.png curves_cnn_2.png curves_cnn_3.png
    confusion_matrix.png reliability.png landmark_importance.csv
    architecture.png architecture_cnn.png architecture_cnn_2.png architecture_cnn_3.png
    """.split()
)
# Many times the size of the largest bundle made here; beyond it a file is not a bundle's.
LARGEST_FILE = 64 * 2**20


@dataclass(frozen=True)
class Bundle:
    """What ``bundle.json`` says.

    labels: in the order of the networks' outputs.
    trained_on: what the networks saw (data set, takes, counts, seeds).
    metrics: figures of the evaluation, as `train.py evaluate` prints them.
    settings: what classifying needs beside the networks: temperatures, gate, weights,
        the confidence from which an expression is shown as sure.
    kind: what it looks at: the face, or face, hands and shoulders.
    files: file name -> sha256.
    """

    name: str
    labels: tuple[str, ...]
    trained_on: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    kind: Kind = "face"
    files: dict[str, str] = field(default_factory=dict)
    folder: Path = Path()

    @property
    def features_version(self) -> int:
        """The version of the feature vector that it reads."""
        return VERSIONS[self.kind]

    def has(self, name: str) -> bool:
        """Whether the bundle holds the file of this name."""
        return name in self.files

    def path(self, name: str) -> Path:
        """The path of one of its files."""
        if not self.has(name):
            raise UserError(f"The model {self.folder} has no {name}. Train it again.")
        return self.folder / name


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_there(folder: Path) -> bool:
    """Whether a bundle is in this folder, readable or not."""
    _recover(folder)
    return (folder / MANIFEST).is_file()


def _recover(folder: Path) -> None:
    """Puts back the bundle of before where a writer was killed between its two renames."""
    if not folder.exists() and _previous(folder).exists():
        _previous(folder).replace(folder)


def _previous(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.previous")


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(
            f"There is no model in {folder}: {MANIFEST} is missing. Train one first: "
            "python train.py personal"
        ) from None
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} cannot be read ({error}). Restore it from a copy or train again."
        ) from None
    strings = ("name",)
    mappings = ("trained_on", "metrics", "settings", "files")
    if (
        not isinstance(manifest, dict)
        or not all(isinstance(manifest.get(key), str) for key in strings)
        or not all(isinstance(manifest.get(key), dict) for key in mappings)
        or not isinstance(manifest.get("labels"), list)
        or not manifest["labels"]
        or not all(isinstance(label, str) for label in manifest["labels"])
        or len(set(manifest["labels"])) != len(manifest["labels"])
    ):
        raise UserError(f"{path} is not a moodmesh model. Choose another or train again.")
    if manifest.get("format") != FORMAT:
        raise UserError(
            f"{path} has format {manifest.get('format')}, this program reads {FORMAT}: "
            "update moodmesh or train again."
        )
    return manifest


def read(folder: Path | str, kind: Kind | None = None) -> Bundle:
    """The bundle in this folder, every file checked against its checksum.

    Raises UserError where it is missing, foreign, damaged, made for other features, or of
    another kind than the one asked for.
    """
    folder = Path(folder)
    _recover(folder)
    manifest = _manifest(folder)
    own: Kind = manifest.get("kind", "face")  # models made before there were two are of faces
    if own not in KINDS:
        raise UserError(
            f"The model {folder} reads {own!r}, which this program does not know: update moodmesh "
            "or train again."
        )
    if kind not in (None, own):
        reads = {"face": "faces alone", "holistic": "face, hands and shoulders"}
        raise UserError(
            f"The model {folder} reads {reads[own]}; one that reads {reads[kind or own]} is needed "
            "here. Choose another."
        )
    if manifest.get("features_version") != VERSIONS[own]:
        raise UserError(
            f"The model {folder} was made for version {manifest.get('features_version')} of the "
            f"feature vector, this program makes version {VERSIONS[own]}. "
            "Your recordings are still good: train again."
        )
    for name, checksum in manifest["files"].items():
        path = folder / name
        if name not in FILES or path.is_symlink():
            raise UserError(f"The model {folder} lists a file that is not ours: {name!r}.")
        if not path.is_file() or path.stat().st_size > LARGEST_FILE or _sha256(path) != checksum:
            raise UserError(
                f"{path} is missing or was changed since the model was made. Restore it from a "
                "copy or train again."
            )
    return Bundle(
        name=manifest["name"],
        labels=tuple(manifest["labels"]),
        trained_on=manifest["trained_on"],
        metrics=manifest["metrics"],
        settings=manifest["settings"],
        kind=own,
        files=manifest["files"],
        folder=folder,
    )


def write(folder: Path | str, bundle: Bundle, files: Mapping[str, Path | bytes]) -> Bundle:
    """Writes a bundle with these files in place of whatever the folder held; returns it as read.

    All is written to a sibling folder first and swapped in by renaming, so a full disk or a kill
    leaves the old bundle whole.
    """
    folder = Path(folder)
    if unknown := set(files) - FILES:
        raise ValueError(f"not files of a bundle: {sorted(unknown)}")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        for name, content in files.items():
            data = content if isinstance(content, bytes) else content.read_bytes()
            _write_through(staging / name, data)
        manifest = asdict(bundle) | {
            "format": FORMAT,
            "features_version": bundle.features_version,
            "files": {name: _sha256(staging / name) for name in sorted(files)},
        }
        del manifest["folder"]
        text = json.dumps(manifest, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        _write_through(staging / MANIFEST, text.encode())
        staging.chmod(0o755)
        previous = _previous(folder)
        shutil.rmtree(previous, ignore_errors=True)
        if folder.exists():
            folder.replace(previous)
        staging.replace(folder)
        shutil.rmtree(previous, ignore_errors=True)
    except OSError as error:
        raise _unwritable(folder, error) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return read(folder)


def delete(folder: Path | str) -> None:
    """Deletes a bundle and what an interrupted writing of it left; UserError where that fails."""
    folder = Path(folder)
    try:
        for path in (folder, *folder.parent.glob(f".{folder.name}.*")):
            if path.exists():
                shutil.rmtree(path)
    except OSError as error:
        raise UserError(
            f"The model in {folder} could not be deleted ({error.strerror or error}). Delete the "
            "folder by hand."
        ) from error


def _unwritable(folder: Path, error: OSError) -> UserError:
    return UserError(
        f"The model could not be saved in {folder} ({error.strerror or error}); what was there "
        "before is unchanged. Free some space or choose another folder with --out."
    )


def _write_through(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
