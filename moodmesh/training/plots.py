"""The pictures of a model's report, drawn with matplotlib as PNG bytes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib

matplotlib.use("Agg")  # no window: this runs in terminals and in the page's background

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from moodmesh.colours import hex_of
from moodmesh.face import connections
from moodmesh.training.landmark_cache import FoundLandmarks
from moodmesh.training.metrics import ReliabilityBin, reliability

INK = "#26302F"
QUIET = "#8A94A6"
ACCENT = "#00807A"
SECOND = "#F2704E"
DPI = 150

_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#C8CED6",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlepad": 12,
    "axes.grid": True,
    "grid.color": "#E9ECF0",
    "axes.axisbelow": True,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
}


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, bbox_inches="tight", facecolor="white")
    plt.close(figure)
    return buffer.getvalue()


SEEN, UNSEEN = "training images, made harder", "images not trained on"


def _curve(
    axes: Axes,
    epochs: np.ndarray,
    seen: np.ndarray,
    unseen: np.ndarray | None,
    names: tuple[str, str],
) -> None:
    axes.plot(epochs, seen, color=QUIET, linewidth=1.6, label=names[0])
    if unseen is not None:
        axes.plot(epochs, unseen, color=ACCENT, linewidth=2.2, label=names[1])
    axes.set_xlabel("epoch (one pass through all training images)")
    axes.set_xlim(1, max(2, epochs.max()))
    axes.legend(loc="best")


def curves(history: Sequence[dict[str, float]], seen: str = SEEN, unseen: str = UNSEEN) -> bytes:
    """Accuracy and loss over the epochs; rows as :func:`moodmesh.training.fit.fit` returns them.

    seen, unseen: what the two curves are of; the second is left out where the rows have none.
    """
    names = (seen, unseen)
    column = {name: np.array([row[name] for row in history]) for name in history[0]}
    with plt.rc_context(_STYLE):
        figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4))
        accuracy = 100 * column["val_accuracy"] if "val_accuracy" in column else None
        _curve(left, column["epoch"], 100 * column["accuracy"], accuracy, names)
        left.set_title("How often it is right")
        left.set_ylabel("accuracy in %")
        _curve(right, column["epoch"], column["loss"], column.get("val_loss"), names)
        right.set_title("How far off it is")
        right.set_ylabel("loss (cross-entropy)")
        figure.tight_layout(w_pad=3)
        return _png(figure)


def confusion_matrix(
    counts: np.ndarray, labels: Sequence[str], title: str, unit: str = "images"
) -> bytes:
    """counts: int (classes, classes), rows the true expressions, columns those that were read."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = 2.4 + 0.68 * len(labels)
    with plt.rc_context({**_STYLE, "axes.grid": False}):
        figure, axes = plt.subplots(figsize=(size + 0.6, size))
        colours = matplotlib.colors.LinearSegmentedColormap.from_list("", ["#FFFFFF", ACCENT])
        axes.imshow(shares, cmap=colours, vmin=0, vmax=1)
        for row in range(len(labels)):
            for column in range(len(labels)):
                share = shares[row, column]
                axes.text(
                    column,
                    row,
                    f"{100 * share:.0f}",
                    ha="center",
                    va="center",
                    color="white" if share > 0.55 else INK if share >= 0.05 else QUIET,
                    fontweight="bold" if row == column else "normal",
                )
        names = [f"{label}\n({total})" for label, total in zip(labels, counts.sum(1), strict=True)]
        axes.set_xticks(range(len(labels)), labels, rotation=35, ha="right")
        axes.set_yticks(range(len(labels)), names)
        axes.set_xlabel("read as")
        axes.set_ylabel(f"is labelled ({unit})")
        axes.set_title(title)
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
        return _png(figure)


def _reliability_panel(axes: Axes, parts: Sequence[ReliabilityBin]) -> None:
    edges = np.linspace(0, 100, len(parts) + 1)
    total = max(1, sum(part.count for part in parts))
    axes.plot([0, 100], [0, 100], color=QUIET, linewidth=1.2, linestyle=(0, (4, 3)))
    for part, low, high in zip(parts, edges[:-1], edges[1:], strict=True):
        if part.count:
            strength = 0.25 + 0.75 * min(1.0, 8 * part.count / total)
            axes.bar(
                low,
                100 * part.accuracy,
                width=high - low - 0.8,
                align="edge",
                color=ACCENT,
                alpha=strength,
            )
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 100)
    axes.set_xlabel("how sure it says it is, in %")
    axes.set_ylabel("how often it is right, in %")
    axes.set_aspect("equal")


def reliability_diagram(
    named: dict[str, tuple[np.ndarray, np.ndarray]],
) -> bytes:
    """Confidence against accuracy; name -> (probabilities (n, classes), labels (n,))."""
    with plt.rc_context(_STYLE):
        figure, panels = plt.subplots(1, len(named), figsize=(4.9 * len(named), 4.9), squeeze=False)
        for axes, (name, (probabilities, labels)) in zip(panels[0], named.items(), strict=True):
            _reliability_panel(axes, reliability(probabilities, labels))
            axes.set_title(name)
        figure.text(
            0.5,
            -0.02,
            "On the dashed line its confidence can be taken at its word; "
            "darker bars stand for more images.",
            ha="center",
            color=QUIET,
        )
        figure.tight_layout()
        return _png(figure)


@dataclass(frozen=True)
class Box:
    """One step of a drawn network: what it is, what comes out of it, how many weights it has."""

    title: str
    detail: str
    weights: int = 0
    fixed: bool = False


def architecture(title: str, boxes: Sequence[Box]) -> bytes:
    """A network as boxes from top to bottom."""
    height, gap, width = 0.74, 0.34, 6.4
    with plt.rc_context(_STYLE):
        figure, axes = plt.subplots(figsize=(7.2, 0.9 + len(boxes) * (height + gap)))
        for number, box in enumerate(boxes):
            top = -number * (height + gap)
            ends = number in (0, len(boxes) - 1)
            axes.add_patch(
                FancyBboxPatch(
                    (0, top - height),
                    width,
                    height,
                    boxstyle="round,pad=0,rounding_size=0.12",
                    facecolor="#FFF3EE" if ends else "#F1F3F6" if box.fixed else "#E3F2F0",
                    edgecolor=SECOND if ends else QUIET if box.fixed else ACCENT,
                    linewidth=1.3,
                )
            )
            middle = top - height / 2
            axes.text(0.25, middle + 0.15, box.title, va="center", weight="bold", fontsize=10.5)
            axes.text(0.25, middle - 0.17, box.detail, va="center", color="#55605F", fontsize=9)
            if box.weights:
                kind = "fixed numbers" if box.fixed else "weights"
                axes.text(
                    width - 0.25,
                    middle + 0.15,
                    f"{box.weights:,} {kind}",
                    va="center",
                    ha="right",
                    color="#55605F",
                    fontsize=9,
                )
            if number:
                axes.add_patch(
                    FancyArrowPatch(
                        (width / 2, top + gap - 0.02),
                        (width / 2, top + 0.02),
                        arrowstyle="-|>",
                        mutation_scale=11,
                        color=QUIET,
                    )
                )
        axes.set_xlim(-0.1, width + 0.1)
        axes.set_ylim(-len(boxes) * (height + gap) + gap - 0.1, 0.1)
        axes.set_aspect("equal")
        axes.axis("off")
        axes.set_title(title)
        return _png(figure)


def samples(
    images: np.ndarray,
    landmarks: FoundLandmarks,
    labels: np.ndarray,
    names: Sequence[str],
    a_label: int = 6,
    seed: int = 0,
) -> bytes:
    """Random images of each label with the mesh that was found in them, one row a label.

    images: uint8 (n, height, width). labels: int (n,) with indices into names.
    """
    random = np.random.default_rng(seed)
    edges = connections()["contours"]
    with plt.rc_context({**_STYLE, "axes.grid": False}):
        figure, grid = plt.subplots(
            len(names), a_label, figsize=(1.35 * a_label + 1, 1.35 * len(names)), squeeze=False
        )
        for row, name in enumerate(names):
            candidates = np.flatnonzero(labels == row)
            chosen = random.permutation(candidates)[:a_label]
            for column, axes in enumerate(grid[row]):
                axes.set_axis_off()
                if column >= len(chosen):
                    continue
                index = chosen[column]
                height, width = images[index].shape
                axes.imshow(
                    images[index], cmap="gray", vmin=0, vmax=255, extent=(0, width, height, 0)
                )
                if landmarks.found[index]:
                    points = landmarks.landmarks[index][:, :2] * [width, height]
                    axes.plot(*points[edges].transpose(2, 1, 0), color=hex_of(name), linewidth=0.9)
                axes.set_xlim(0, width)
                axes.set_ylim(height, 0)
            grid[row][0].text(
                -0.12,
                0.5,
                name,
                transform=grid[row][0].transAxes,
                ha="right",
                va="center",
                fontweight="bold",
            )
        figure.tight_layout(pad=0.3)
        return _png(figure)
