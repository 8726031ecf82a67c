"""Which landmarks a net's answers hang on, measured on faces, kept in the bundle as a table.

Gradients and weights cannot tell: 478 landmarks move together, and a net reads one of them only to
subtract it from its neighbour (Haufe et al. 2014, "On the interpretation of weight vectors of
linear models in multivariate neuroimaging"). So it is asked the other way round, as they advise:
how much of the net's say on an expression can be told from where this one landmark is, and where
the landmark goes as the net says so more.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from moodmesh.errors import UserError
from moodmesh.face import LANDMARKS
from moodmesh.features import mirror

# Below this a landmark does not move, and its share would be a quotient of rounding errors.
_LEAST_VARIANCE = 1e-8


@dataclass(frozen=True)
class Importance:
    """What each landmark tells about a net's answers.

    labels: of the net's outputs. face: float32 (478, 3), the mean face, frontal, in eye distances
    (x to the picture's right, y down). share: float32 (478, labels), the part in [0, 1] of the
    variance of what the net says for this label that a line through the landmark's place explains.
    shift: float32 (478, labels, 3), how far the landmark goes, in eye distances, where the net
    says this label by one standard deviation more.
    """

    labels: tuple[str, ...]
    face: np.ndarray
    share: np.ndarray
    shift: np.ndarray


def measure(features: np.ndarray, logits: np.ndarray, labels: Sequence[str]) -> Importance:
    """The importance over n faces, each also in its mirror.

    features: float32 (n, 1486). logits: float (n, labels), which do not change in the mirror.
    """
    both = np.concatenate([features, mirror(features)])[:, : LANDMARKS * 3]
    places = both.reshape(-1, LANDMARKS, 3).astype(np.float64)
    face = places.mean(axis=0)
    places -= face
    # Only differences between the labels' logits mean anything.
    says = np.tile(logits - logits.mean(axis=1, keepdims=True), (2, 1)).astype(np.float64)
    says = (says - says.mean(axis=0)) / np.maximum(says.std(axis=0), 1e-9)
    shift = np.einsum("nkd,nl->kld", places, says) / len(places)
    spread = np.einsum("nkd,nke->kde", places, places) / len(places)
    solved = np.linalg.solve(
        spread + _LEAST_VARIANCE * np.eye(3), shift.transpose(0, 2, 1)
    ).transpose(0, 2, 1)
    share = np.clip((shift * solved).sum(axis=2), 0, 1)
    return Importance(
        tuple(labels), face.astype(np.float32), share.astype(np.float32), shift.astype(np.float32)
    )


def _columns(labels: Sequence[str]) -> list[str]:
    of_label = [f"{label} {what}" for label in labels for what in ("share", "x", "y", "z")]
    return ["landmark", "x", "y", "z", *of_label]


def to_csv(importance: Importance) -> bytes:
    """One line a landmark: its place in the mean face, then share and shift for each label."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_columns(importance.labels))
    for index in range(LANDMARKS):
        row = [*importance.face[index]]
        for label in range(len(importance.labels)):
            row += [importance.share[index, label], *importance.shift[index, label]]
        writer.writerow([index, *(f"{value:.4f}" for value in row)])
    return text.getvalue().encode()


def read(path: Path, labels: Sequence[str]) -> Importance:
    """The table in this file, for a model of these labels; UserError where it is not one."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            header, *rows = csv.reader(file)
        table = np.array(rows, np.float32)
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"{path} cannot be read ({error}). Train the model again.") from None
    if header != _columns(labels) or table.shape != (LANDMARKS, len(header)):
        raise UserError(f"{path} does not belong to this model. Train it again.")
    by_label = table[:, 4:].reshape(LANDMARKS, len(labels), 4)
    return Importance(tuple(labels), table[:, 1:4], by_label[:, :, 0], by_label[:, :, 1:])
