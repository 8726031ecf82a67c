"""Figures from probabilities and labels, and the few numbers that are fitted to them.

Pure functions on arrays. Throughout, probabilities or logits are (n, classes), labels int (n,)
with indices into the classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from moodmesh.classifier import softmax

# Guo et al. 2017, "On calibration of modern neural networks", use 15 bins.
BINS = 15


def accuracy(predicted: np.ndarray, labels: np.ndarray) -> float:
    """The share of predictions that are right; a prediction of -1 is never right."""
    return float((predicted == labels).mean())


def confusion(predicted: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Counts, int (classes, classes): rows are true classes, columns predicted ones."""
    counts = np.zeros((classes, classes), np.int64)
    given = predicted >= 0
    np.add.at(counts, (labels[given], predicted[given]), 1)
    return counts


@dataclass(frozen=True)
class ClassFigures:
    """How one class fares: of those shown as it, the share that is (precision); of those that
    are it, the share found (recall); their harmonic mean (f1); and how many there are (count).
    """

    precision: float
    recall: float
    f1: float
    count: int


def by_class(predicted: np.ndarray, labels: np.ndarray, classes: int) -> list[ClassFigures]:
    """Figures of each class; images without a prediction (-1) count as missed."""
    figures = []
    for label in range(classes):
        hits = int(((predicted == label) & (labels == label)).sum())
        shown, count = int((predicted == label).sum()), int((labels == label).sum())
        figures.append(
            ClassFigures(
                precision=hits / shown if shown else 0.0,
                recall=hits / count if count else 0.0,
                f1=2 * hits / (shown + count) if shown + count else 0.0,
                count=count,
            )
        )
    return figures


@dataclass(frozen=True)
class ReliabilityBin:
    """Of the answers whose confidence falls in one bin: how many, how sure, how often right."""

    count: int
    confidence: float
    accuracy: float


def reliability(
    probabilities: np.ndarray, labels: np.ndarray, bins: int = BINS
) -> list[ReliabilityBin]:
    """Bins of equal width over [0, 1] of the highest probability; empty ones have zeros."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    number = np.minimum((confidence * bins).astype(int), bins - 1)
    found = []
    for index in range(bins):
        inside = number == index
        count = int(inside.sum())
        found.append(
            ReliabilityBin(count, float(confidence[inside].mean()), float(right[inside].mean()))
            if count
            else ReliabilityBin(0, 0.0, 0.0)
        )
    return found


def calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int = BINS) -> float:
    """Expected calibration error: the mean gap between confidence and accuracy over the bins."""
    parts = reliability(probabilities, labels, bins)
    gaps = sum(part.count * abs(part.confidence - part.accuracy) for part in parts)
    return float(gaps / max(1, len(labels)))


def log_loss(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The mean negative log of the true class's probability."""
    chosen = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(chosen, 1e-12)).mean())


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature whose probabilities have the lowest log loss (Guo et al. 2017)."""
    # Log loss has a single minimum in the temperature, so thirds of the interval close in on it.
    low, high = np.log(0.1), np.log(10.0)
    while high - low > 1e-4:
        left, right = low + (high - low) / 3, high - (high - low) / 3
        losses = [log_loss(softmax(logits, float(np.exp(t))), labels) for t in (left, right)]
        low, high = (low, right) if losses[0] < losses[1] else (left, high)
    return float(np.exp((low + high) / 2))


def sure_threshold(probabilities: np.ndarray, labels: np.ndarray, wanted: float) -> float:
    """The lowest confidence from which answers are right at least `wanted` of the time.

    The share is that of all answers at or above the threshold. 1.0 where none reaches it.
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    order = np.argsort(-confidence, kind="stable")
    share = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    reached = np.flatnonzero(share >= wanted)
    return float(confidence[order][reached[-1]]) if len(reached) else 1.0
