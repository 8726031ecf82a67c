"""A personal model as one file, to carry to another machine.

A file that comes in may come from anyone: it is a zip with the names that a bundle may have, of
bounded sizes, each with its checksum. Nothing in it is unpacked by its own name or run.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

from ai_edge_litert.interpreter import Interpreter

from moodmesh import bundle
from moodmesh.bundle import FILES, LARGEST_FILE, MANIFEST, Bundle
from moodmesh.errors import UserError

SUFFIX = ".moodmesh.zip"
# A personal model has about 6 MB.
LARGEST = 64 * 2**20
_LARGEST_MANIFEST = 2**20
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
                    (incoming / member.filename).write_bytes(archive.read(member))
                made = bundle.read(incoming)
                if set(made.files) | {MANIFEST} != {member.filename for member in members}:
                    raise UserError(f"This file holds files that its list lacks. {_NOT_OURS}")
                _check_network(made)
                return bundle.write(folder, made, {file: made.path(file) for file in made.files})
    except (zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError, OSError) as error:
        raise UserError(f"This file cannot be opened ({error}). {_NOT_OURS}") from None


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


def _check_network(made: Bundle) -> None:
    """UserError where the network does not take a feature vector and give one number a label."""
    try:
        network = Interpreter(model_path=str(made.path("landmarks.tflite")), num_threads=1)
        network.allocate_tensors()
        takes = network.get_input_details()[0]["shape"].tolist()
        gives = network.get_output_details()[0]["shape"].tolist()
    except (ValueError, RuntimeError):
        raise UserError(f"The network in this file cannot be run. {_NOT_OURS}") from None
    if takes != [1, bundle.INPUTS[made.kind]] or gives != [1, len(made.labels)]:
        raise UserError(f"The network in this file does not fit its kind and labels. {_NOT_OURS}")
