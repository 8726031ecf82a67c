"""What the image network's two branches share: settings, and how a pretrained start is used.

A branch is a network that others have trained on far more faces than FER2013 holds. Its lower
stages stay as they are; its upper stages and a new head learn expressions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np

from moodmesh import crop, fer2013

# What a normalisation's name has after its convolution's.
NORM = "_norm"
EPSILON = 1e-5


@dataclass(frozen=True)
class Settings:
    """How a branch is trained. docs/recognition-cnn.md has the runs that chose the values."""

    # Random variants of each picture beside its plain cut and that one's mirror image. Each fills
    # one or two GB of disk.
    variants: int
    # The share of pictures that an epoch takes as a plain or mirrored cut.
    plain_share: float
    epochs: int
    batch: int = 128
    # AdamW with a linear warm-up of an epoch, then a cosine to zero; the pretrained stages at a
    # lower rate, from two epochs on: they know more than the new layers at first.
    rate: float = 1e-3
    trunk_rate: float = 2e-4
    weight_decay: float = 0.05
    # FER2013's labels are wrong in about a tenth of the pictures; never learn one for certain.
    smoothing: float = 0.1
    dropout_in: float = 0.2
    dropout: float = 0.4
    # Width of the dense layer on the pooled maps.
    hidden: int = 384
    # Widths of the mesh branch's tower at 8x8 and at 4x4.
    tower: tuple[int, int] = (128, 192)
    # The network kept is the running mean of the last thousand steps' weights.
    averaging: float = 0.999
    # How much the FER+ votes weigh beside the labels, where --ferplus gives them: a second set of
    # outputs that is left off at the end.
    votes: float = 0.5
    # Pairs of pictures are mixed in shares drawn from Beta(mixup, mixup); 0: not at all.
    mixup: float = 0.0
    seed: int = 0


@dataclass(frozen=True)
class Branch:
    """A pretrained network to grow on.

    name: of its files. settings: how it is trained. lower: the frozen stages, a crop -> maps.
    build: maps' shape, and whether FER+ votes are learnt too -> the upper part, untrained.
    start: gives an upper part the pretrained weights, and its normalisations the figures of some
    maps, float32 (n, h, w, c). old: the upper part's variables that were pretrained. kept_as: how
    the maps are kept on disk; uint8 for maps of whole numbers from 0 to 255.
    """

    name: str
    settings: Settings
    lower: keras.Model
    build: Callable[[tuple[int, int, int], bool], keras.Model]
    start: Callable[[keras.Model, np.ndarray], None]
    old: Callable[[keras.Model], list[keras.Variable]]
    kept_as: str = "float16"


def cut_out(
    picture: keras.KerasTensor, top: int, left: int, cut: int, side: int
) -> keras.KerasTensor:
    """A square part of moodmesh's crop, `cut` wide, brought to side x side."""
    rest = crop.SIDE - cut
    part = keras.layers.Cropping2D(((top, rest - top), (left, rest - left)))(picture)
    return keras.layers.Resizing(side, side)(part)


def weights_of(network: keras.Model, prefixes: str | tuple[str, ...]) -> list[keras.Variable]:
    """The trainable variables of the layers whose names begin so."""
    return [
        variable
        for layer in network.layers
        if layer.name.startswith(prefixes)
        for variable in layer.trainable_variables
    ]


def standardise(x: keras.KerasTensor, name: str, dtype: str | None = None) -> keras.KerasTensor:
    """Running standardisation of each channel, without weights of its own."""
    layer = keras.layers.BatchNormalization(
        center=False, scale=False, momentum=0.98, name=name, dtype=dtype
    )
    return layer(x)


def dense_head(
    grids: list[keras.KerasTensor], settings: Settings, name: str = "pooled"
) -> keras.KerasTensor:
    """Small grids of maps, flat -> one dense layer, float32."""
    x = keras.layers.Concatenate(dtype="float32", name=name)(grids)
    x = standardise(x, "standardised", "float32")
    x = keras.layers.Dropout(settings.dropout_in, seed=settings.seed + 1, dtype="float32")(x)
    x = keras.layers.Dense(settings.hidden, use_bias=False, dtype="float32", name="hidden")(x)
    x = keras.layers.BatchNormalization(momentum=0.98, dtype="float32", name="hidden_normalised")(x)
    return keras.layers.Activation("gelu", dtype="float32")(x)


def logits_of(
    inputs: keras.KerasTensor, joined: list[keras.KerasTensor], settings: Settings, votes: bool
) -> keras.Model:
    """The upper part: its last features -> logits of fer2013.LABELS.

    votes: with the logits of fer2013.FERPLUS_ANSWERS behind the others.
    """
    x = keras.layers.Concatenate(dtype="float32", name="joined")(joined)
    x = keras.layers.Dropout(settings.dropout, seed=settings.seed, dtype="float32")(x)
    logits = keras.layers.Dense(len(fer2013.LABELS), name="logits", dtype="float32")(x)
    if votes:
        answers = keras.layers.Dense(len(fer2013.FERPLUS_ANSWERS), name="votes", dtype="float32")
        logits = keras.layers.Concatenate(dtype="float32")([logits, answers(x)])
    return keras.Model(inputs, logits, name="upper")


def normalise(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Batch normalisation whose running figures follow within some fifty steps."""
    return keras.layers.BatchNormalization(momentum=0.98, epsilon=EPSILON, name=name)(x)


def set_norms(network: keras.Model, plain: keras.Model, inputs: np.ndarray) -> None:
    """Gives each normalisation the figures with which it changes nothing yet.

    network: has normalised stages; plain: the same stages without, trained. inputs: examples of
    what both are fed. The normalisations' means and spreads are those of plain's convolutions.
    """
    names = {layer.name for layer in network.layers}
    taps = [layer.name for layer in plain.layers if layer.name + NORM in names]
    reader = keras.Model(plain.input, [plain.get_layer(name).output for name in taps])
    for name, values in zip(taps, reader.predict(inputs, batch_size=200, verbose=0), strict=True):
        mean, variance = values.mean(axis=(0, 1, 2)), values.var(axis=(0, 1, 2))
        figures = [np.sqrt(variance + EPSILON), mean, mean, variance]
        network.get_layer(name + NORM).set_weights(figures)


def set_standards(
    network: keras.Model, plain: keras.Model, inputs: np.ndarray, names: tuple[str, ...]
) -> None:
    """Gives standardisations of network the figures of what plain feeds its own of these names."""
    reader = keras.Model(plain.input, [plain.get_layer(name).input for name in names])
    values = reader.predict(inputs, batch_size=200, verbose=0)
    for name, given in zip(names, values if len(names) > 1 else [values], strict=True):
        axes = tuple(range(given.ndim - 1))
        network.get_layer(name).set_weights([given.mean(axis=axes), given.var(axis=axes)])


def copy_by_name(source: keras.Model, target: keras.Model) -> int:
    """Copies the weights of source's layers into target's of the same name; returns how many."""
    named = {layer.name: layer for layer in target.layers}
    copied = 0
    for layer in source.layers:
        if layer.weights and (twin := named.get(layer.name)):
            twin.set_weights(layer.get_weights())
            copied += 1
    return copied
