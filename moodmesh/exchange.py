"""A personal model as one file, to carry to another machine.

A file that comes in may come from anyone: it is a zip with the names that a personal model has, of
bounded sizes, each with its checksum. Nothing in it is unpacked by its own name; what the pages
show of it is checked, and its network is first run in a process of its own.
"""

from __future__ import annotations

import io
import math
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from moodmesh import bundle, pictures, takes
from moodmesh.bundle import LARGEST_FILE, MANIFEST, Bundle
from moodmesh.classifier import Classifier
from moodmesh.errors import UserError

SUFFIX = ".moodmesh.zip"
# What a personal model consists of. A bundle may hold more, which no training of takes makes.
FILES = frozenset(
    """
    landmarks.tflite weights.npz history.csv curves.png confusion_matrix.png architecture.png
    """.split()
)
# A personal model has about 6 MB.
LARGEST = 64 * 2**20
_LARGEST_MANIFEST = 2**20
_MOST_LABELS = 200
# A network that needs more memory or time than this is none of ours, which take 1 MB and 0.1 ms.
_MOST_MEMORY = 4 * 2**30
_TRIAL_SECONDS = 120
_TRIAL = "import sys; from moodmesh import exchange; sys.exit(exchange.trial(sys.argv[1]))"
_FITS_NOT = 3
_NOT_OURS = "Choose a file that was exported from moodmesh."


def pack(made: Bundle) -> bytes:
    """The bundle as the content of one file."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(made.folder / MANIFEST, MANIFEST)
        for name in sorted(made.files):
            archive.write(made.path(name), name)
    return content.getvalue()


def unpack(content: bytes, folder: Path) -> Bundle:
    """The bundle of such a file, written in place of whatever the folder held.

    Raises UserError, and leaves the folder as it is, where anything about the file is odd.
    """
    if len(content) > LARGEST:
        raise UserError(f"This file has more than {LARGEST // 2**20} MB. {_NOT_OURS}")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            _check_members(members)
            with TemporaryDirectory(prefix="moodmesh-") as name:
                incoming = Path(name) / "model"
                incoming.mkdir()
                for member in members:
                    # The names were found among ours: none of them can lead elsewhere.
                    (incoming / member.filename).write_bytes(_content(archive, member))
                made = bundle.read(incoming)
                if set(made.files) | {MANIFEST} != {member.filename for member in members}:
                    raise UserError(f"This file holds files that its list lacks. {_NOT_OURS}")
                _check_shown(made)
                _check_network(made)
                return bundle.write(folder, made, {file: made.path(file) for file in made.files})
    except (
        *(zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError, OSError),
        zlib.error,
    ) as error:
        raise UserError(f"This file cannot be opened ({error}). {_NOT_OURS}") from None


def _content(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """No more of it than its size says: `archive.read` unpacks first and counts afterwards."""
    with archive.open(member) as file:
        content = file.read(member.file_size)
        if len(content) != member.file_size:
            raise EOFError(f"{member.filename} is cut off")
    return content


def _check_members(members: list[zipfile.ZipInfo]) -> None:
    names = [member.filename for member in members]
    if MANIFEST not in names or len(set(names)) != len(names):
        raise UserError(f"This file is not a moodmesh model. {_NOT_OURS}")
    if odd := sorted(set(names) - FILES - {MANIFEST}):
        raise UserError(f"This file holds something that is not ours: {odd[0]!r}. {_NOT_OURS}")
    sizes = {member.filename: member.file_size for member in members}
    if sizes[MANIFEST] > _LARGEST_MANIFEST or max(sizes.values()) > LARGEST_FILE:
        raise UserError(f"This file unpacks to far more than a model. {_NOT_OURS}")
    if sum(sizes.values()) > LARGEST:
        raise UserError(f"This file unpacks to far more than a model. {_NOT_OURS}")
    # Others are not bounded in memory while they are unpacked.
    if {member.compress_type for member in members} - {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise UserError(f"This file is packed in a way that moodmesh never packs. {_NOT_OURS}")


def _check_shown(made: Bundle) -> None:
    """UserError where labels, figures or pictures are not what a training of takes writes."""
    try:
        named = all(takes.check_label(label) == label for label in made.labels)
    except UserError:
        named = False
    if not named or not 2 <= len(made.labels) <= _MOST_LABELS:
        raise UserError(f"This file is not a moodmesh model: its labels are odd. {_NOT_OURS}")
    if set(made.metrics) - {"held_out"} or not (
        _is_held_out(made.metrics.get("held_out", {}), made.labels)
    ):
        raise UserError(f"This file is not a moodmesh model: its figures are odd. {_NOT_OURS}")
    for name in made.files:
        if name.endswith(".png"):
            pictures.read(made.path(name))


def _is_held_out(figures: Any, labels: tuple[str, ...]) -> bool:
    """Whether these are the figures of an evaluation, or none at all."""
    if figures == {}:
        return True
    try:
        by_label, before = figures["by_label"], figures["general"]
        numbers = [figures[name] for name in ("frames", "accuracy", "sure", "accuracy_when_sure")]
        numbers += [before[name] for name in ("frames", "accuracy", "personal_accuracy")]
        for one in by_label.values():
            numbers += [one[name] for name in ("takes", "count", "precision", "recall")]
        return (
            all(isinstance(number, int | float) and math.isfinite(number) for number in numbers)
            and set(by_label) <= set(labels)
            and isinstance(before["labels"], list)
            and all(label in labels for label in before["labels"])
        )
    except (KeyError, TypeError, AttributeError, OverflowError):
        return False


def _check_network(made: Bundle) -> None:
    """UserError where the network cannot be run here, or does not fit its labels and settings.

    It is tried in a process of its own: one that is made to crash or to take all memory does not
    take the app with it.
    """
    try:
        tried = subprocess.run(
            [sys.executable, "-c", _TRIAL, str(made.folder)],
            cwd=Path(__file__).resolve().parent.parent,
            capture_output=True,
            timeout=_TRIAL_SECONDS,
        ).returncode
    except subprocess.TimeoutExpired:
        tried = -1
    if tried == _FITS_NOT:
        raise UserError(f"The network in this file does not fit its kind and labels. {_NOT_OURS}")
    if tried != 0:
        raise UserError(f"The network in this file cannot be run. {_NOT_OURS}")


def trial(folder: str) -> int:
    """Runs a bundle's network once with little memory; the status for the process to end with."""
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (_MOST_MEMORY, _MOST_MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    made = bundle.read(folder)
    network = Interpreter(model_path=str(made.path("landmarks.tflite")), num_threads=1)
    network.allocate_tensors()
    reads = network.get_input_details()[0]["shape"].tolist()
    gives = network.get_output_details()[0]["shape"].tolist()
    if reads != [1, bundle.INPUTS[made.kind]] or gives != [1, len(made.labels)]:
        return _FITS_NOT
    said = Classifier(made).of_features(np.zeros(bundle.INPUTS[made.kind], np.float32))
    usable = np.isfinite([*said.probabilities.values(), said.sure]).all()
    return 0 if usable else _FITS_NOT
