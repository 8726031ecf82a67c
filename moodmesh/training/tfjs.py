"""Reads the weights of TensorFlow.js models: what npm packages hold of pretrained networks."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from moodmesh.errors import UserError


def read_weights(
    folder: Path, binary: str, manifest: str, sha256: str, package: str
) -> dict[str, np.ndarray]:
    """The arrays of one model by name; weights as float32.

    folder: holds the files `binary` and `manifest`; the latter is a list of weight groups, or a
    model's JSON with that list as its "weightsManifest". Weights may be kept as float16, or as
    uint8 with a scale and a minimum. sha256: of the binary file. package: what the files come
    from, as npm names it. Raises UserError where files are missing or others than those.

    Source of the format: tfjs-core, src/io/io_utils.ts (decodeWeights).
    """
    try:
        raw = (folder / binary).read_bytes()
        groups = json.loads((folder / manifest).read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(
            f"{folder} does not hold {binary} and its manifest ({error}). "
            f"Get them with 'npm pack {package}' and give the folder that they are in."
        ) from error
    if hashlib.sha256(raw).hexdigest() != sha256:
        raise UserError(f"{folder / binary} is not the one of {package}.")
    if isinstance(groups, dict):
        groups = groups["weightsManifest"]
    arrays, start = {}, 0
    for part in (part for group in groups for part in group["weights"]):
        how: dict[str, Any] = part.get("quantization", {})
        kept = np.dtype(how.get("dtype", part["dtype"]))
        values = np.frombuffer(raw, kept, int(np.prod(part["shape"])), start)
        start += values.nbytes
        if "scale" in how:
            values = values * np.float32(how["scale"]) + np.float32(how["min"])
        arrays[part["name"]] = values.reshape(part["shape"]).astype(np.float32)
    return arrays
