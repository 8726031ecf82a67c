"""What a personal model learns: linear heads on fixed inputs, and how far a face is from all takes.

Several heads learn at once, each without some of the takes, so that every take can be judged by a
head that never saw it at the price of a single training.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import scipy.linalg

from moodmesh.features import FEATURES
from moodmesh.holistic_features import (
    HOLISTIC_FEATURES,
    LEFT_PLACE,
    LEFT_SHAPE,
    PART_OF,
    RIGHT_PLACE,
    RIGHT_SHAPE,
    SEEN,
    UPPER_PLACES,
    UPPER_SEEN,
    seen_numbers,
)
from moodmesh.training.augment import COORDINATES
from moodmesh.training.history import Row

BATCH = 256
STEPS_AN_EPOCH = 16
EPOCHS = 30
RATE = 0.02
# Pulls weights to zero: with few takes there are many more inputs than samples.
DECAY = 0.02
# Spreads below these are trembling and must not be blown up to signals: eye distances and shares,
# then lengths of the palm, shoulder widths and shares.
_FACE_SPREADS = ((slice(COORDINATES), 0.002), (slice(COORDINATES, FEATURES), 0.02))
_HOLISTIC_SPREADS = (
    *_FACE_SPREADS,
    *((LEFT_SHAPE, 0.05), (RIGHT_SHAPE, 0.05), (LEFT_PLACE, 0.05), (RIGHT_PLACE, 0.05)),
    *((UPPER_PLACES, 0.03), (UPPER_SEEN, 0.1), (SEEN, 0.2)),
)
# Directions in which samples vary most, beyond one a label, for the distance from all takes. With
# more, the head's turns outweigh expressions: of three foreign expressions of the test face 74% of
# frames are beyond the reach below with none, 70% with one, 66% with two, at the same cost.
MORE_DIRECTIONS = 0
# The share of the mean spread within labels that every direction has at least.
SHRINKAGE = 0.1


@dataclass(frozen=True)
class Standard:
    """Numbers brought to a common size: (x - shift) * scale, each part's length about 1.

    shift, scale: float32 (n,). parts: for vectors of face, hands and shoulders, whose part that is
    not seen comes out as 0: it speaks neither for nor against a label.
    """

    shift: np.ndarray
    scale: np.ndarray
    parts: bool = False

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Standardised rows, float32."""
        result: np.ndarray = ((x - self.shift) * self.scale).astype(np.float32)
        return np.where(seen_numbers(x), result, 0) if self.parts else result

    def folded(self, kernel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The kernel (n, k) and bias (k,) that do to plain rows what this one does to standardised
        ones. Unseen numbers are 0 as they come, so that only their shifts hang on the flags."""
        scaled = kernel * self.scale[:, None]
        shifts = self.shift[:, None] * scaled
        if not self.parts:
            return scaled, -shifts.sum(axis=0)
        for part, flag in enumerate(range(SEEN.start, SEEN.stop)):
            scaled[flag] -= shifts[part == PART_OF].sum(axis=0)
        return scaled, -shifts[PART_OF < 0].sum(axis=0)


def standard_features(features: np.ndarray) -> Standard:
    """Landmarks and blendshapes with an equal say, though there are 27 times as many landmarks;
    so with hands, their places, the upper body, and what is seen."""
    holistic = features.shape[1] == HOLISTIC_FEATURES
    there = seen_numbers(features) if holistic else np.ones(features.shape, bool)
    count = np.maximum(there.sum(axis=0), 1)
    mean = np.where(there, features, 0).sum(axis=0) / count
    spread = np.sqrt((np.where(there, features - mean, 0) ** 2).sum(axis=0) / count)
    scale = np.empty_like(spread)
    for part, least in _HOLISTIC_SPREADS if holistic else _FACE_SPREADS:
        scale[part] = 1 / (spread[part] + least) / np.sqrt(len(spread[part]))
    # Numbers that no take ever showed have no say.
    scale[~there.any(axis=0)] = 0
    return Standard(mean.astype(np.float32), (_INPUT_SIZE * scale).astype(np.float32), holistic)


def standard_embedding(embedding: np.ndarray) -> Standard:
    """The general net's embedding with as much say as the landmarks."""
    scale = _INPUT_SIZE / (embedding.std(axis=0) + 0.1) / np.sqrt(embedding.shape[1])
    return Standard(embedding.mean(axis=0), scale)


# Inputs of this length let the heads' weights stay near 1 at the rate above.
_INPUT_SIZE = 7.0


@dataclass(frozen=True)
class Heads:
    """kernel: float32 (inputs, heads, labels). bias: float32 (heads, labels)."""

    kernel: np.ndarray
    bias: np.ndarray

    def logits(self, inputs: np.ndarray) -> np.ndarray:
        """float32 (n, heads, labels)."""
        result: np.ndarray = np.einsum("nd,dhk->nhk", inputs, self.kernel) + self.bias
        return result


def fit_heads(
    inputs: np.ndarray,
    labels: np.ndarray,
    learned: np.ndarray,
    classes: int,
    after_epoch: Callable[[int, Heads, float], Row],
    seed: int = 0,
) -> tuple[Heads, list[Row]]:
    """Trains all heads; returns them with a row of figures an epoch.

    inputs: float32 (n, d). labels: int (n,). learned: bool (n, heads), which head learns from
    which row. after_epoch: is given the epoch's number, the heads and the loss so far; returns
    the epoch's row.
    """
    keras.utils.set_random_seed(seed)
    heads = learned.shape[1]
    rows = keras.Input((inputs.shape[1],))
    layer = keras.layers.EinsumDense(
        "nd,dhk->nhk", output_shape=(heads, classes), bias_axes="hk", kernel_initializer="zeros"
    )
    net = keras.Model(rows, layer(rows))
    schedule = keras.optimizers.schedules.PolynomialDecay(RATE, EPOCHS * STEPS_AN_EPOCH, 0.0)
    net.compile(keras.optimizers.AdamW(schedule, weight_decay=DECAY), _cross_entropy)
    rng = np.random.default_rng(seed)
    chance = _balanced(labels)
    targets = np.eye(classes, dtype=np.float32)[labels][:, None] * learned[..., None]
    history: list[Row] = []
    for epoch in range(1, EPOCHS + 1):
        losses = []
        for _ in range(STEPS_AN_EPOCH):
            chosen = rng.choice(len(inputs), BATCH, p=chance)
            losses.append(float(net.train_on_batch(inputs[chosen], targets[chosen])))
        trained = Heads(*(np.asarray(weight) for weight in layer.get_weights()))
        history.append(after_epoch(epoch, trained, losses[-1]))
    return trained, history


def _balanced(labels: np.ndarray) -> np.ndarray:
    """Each row's chance to be drawn, so that every label is drawn equally often."""
    chance = 1 / np.bincount(labels)[labels]
    result: np.ndarray = chance / chance.sum()
    return result


def _cross_entropy(targets: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
    """Cross-entropy whose all-zero targets, rows that a head must not learn, count nothing."""
    return -keras.ops.sum(targets * keras.ops.log_softmax(logits), axis=(1, 2))


@dataclass(frozen=True)
class Familiarity:
    """How far a face is from the nearest label's takes.

    matrix: float32 (d, directions), from standardised features to directions in which takes of one
    label vary by 1. centres: float32 (labels, directions).
    """

    matrix: np.ndarray
    centres: np.ndarray

    def distance(self, inputs: np.ndarray) -> np.ndarray:
        """The distance (n,) from the nearest centre; about 1 for samples of the takes."""
        places = inputs @ self.matrix
        squares = ((places[:, None] - self.centres) ** 2).mean(axis=2)
        result: np.ndarray = np.sqrt(squares.min(axis=1))
        return result


def principal_directions(inputs: np.ndarray, count: int) -> np.ndarray:
    """The directions (d, count) in which rows (n, d) vary most."""
    some = inputs[:: max(1, len(inputs) // 3000)]
    centred = some - some.mean(axis=0)
    last = inputs.shape[1] - 1
    _, vectors = scipy.linalg.eigh(centred.T @ centred, subset_by_index=[last - count + 1, last])
    return np.asarray(vectors, np.float32)


def fit_familiarity(inputs: np.ndarray, labels: np.ndarray, basis: np.ndarray) -> Familiarity:
    """From standardised features (n, d), varied ones among them, their labels (n,) and directions.

    The squared distance is Mahalanobis's with the spread within labels (Lee et al. 2018, "A simple
    unified framework for detecting out-of-distribution samples").
    """
    places = inputs @ basis
    centres = np.stack([places[labels == label].mean(axis=0) for label in range(labels.max() + 1)])
    within = places - centres[labels]
    spread = within.T @ within / len(within)
    spread += SHRINKAGE * np.trace(spread) / len(spread) * np.eye(len(spread))
    values, vectors = np.linalg.eigh(spread)
    whiten = vectors / np.sqrt(values)
    return Familiarity((basis @ whiten).astype(np.float32), (centres @ whiten).astype(np.float32))
