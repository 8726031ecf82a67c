"""How a training went, epoch by epoch, as a table. Nothing here imports TensorFlow."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

# An epoch's figures by name: loss, accuracy, val_accuracy, …
Row = dict[str, float]


def history_csv(history: Sequence[Row]) -> str:
    """The history as a table, one line an epoch."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(history[0]), lineterminator="\n")
    writer.writeheader()
    for row in history:
        writer.writerow({name: f"{value:.6g}" for name, value in row.items()})
    return text.getvalue()
