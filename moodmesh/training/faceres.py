"""The faceres branch: a MobileNet that knows faces, its upper stages trained further.

HSE-FaceRes (Savchenko 2019, "Efficient facial representations for age, gender and identity
recognition in organizing photo albums using multi-output ConvNet", PeerJ Computer Science 5:e197;
Apache-2.0, github.com/HSE-asavchenko/HSE_FaceRec_tf) is a MobileNet, learnt on the three million
faces of VGGFace2. Its layers are those of Howard et al. 2017, arXiv:1704.04861: a 3x3 convolution
of stride 2, then thirteen pairs of a depthwise 3x3 and a 1x1 convolution, each with ReLU6; its
batch normalisations are folded into scales and offsets.

Its weights, 16 bits each, come in the npm package of Human (MIT):

    npm pack @vladmandic/human@3.3.6 && tar xzf vladmandic-human-3.3.6.tgz
    python train.py cnn --data fer2013.zip --faceres package/models
"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from moodmesh import crop
from moodmesh.training.branch import (
    NORM,
    Branch,
    Settings,
    copy_by_name,
    cut_out,
    dense_head,
    logits_of,
    normalise,
    set_norms,
    set_standards,
    standardise,
    weights_of,
)
from moodmesh.training.tfjs import read_weights

FILE = "faceres"
SHA256 = "2c7d2d62b76c97528b736527aa09d310ea71743c9e3e79fb6c62d4b2d73af79b"
PACKAGE = "@vladmandic/human@3.3.6"
# FER2013's faces have 48 pixels: nothing is gained by the 224x224 that the network was made for.
SIDE = 192
# Blue, green, red, as the network was taught; a gray picture is the same in all three.
MEAN = np.array([103.939, 116.779, 123.68], np.float32)
# The part of moodmesh's 256x256 crop that it sees: a face without a margin.
TOP, LEFT, CUT = 30, 25, 206

# (width of the 1x1 convolution, stride of the depthwise one)
PAIRS = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (1024, 2),
    (1024, 1),
)
# Pairs that stay as they are.
FROZEN = 6
# Pairs that the head reads: (pair, width of the new 1x1 convolution on its maps, grid's side).
READ = ((11, 96, 4), (13, 128, 3))
TOP_VALUE = 6.0  # of ReLU6
# Maps are kept as 8-bit numbers: 0 to 255 stand for 0 to 6.
STEP = TOP_VALUE / 255

SETTINGS = Settings(
    variants=4,
    plain_share=0.3,
    epochs=18,
    hidden=192,
    dropout_in=0.3,
    dropout=0.5,
    mixup=0.2,
)


def _convolve(
    x: keras.KerasTensor, layer: keras.layers.Layer, normalised: bool
) -> keras.KerasTensor:
    x = layer(x)
    if normalised:
        x = normalise(x, layer.name + NORM)
    return keras.layers.ReLU(TOP_VALUE)(x)


def _run(
    x: keras.KerasTensor, first: int, last: int, normalised: bool = False
) -> dict[int, keras.KerasTensor]:
    """The maps after each of the pairs first to last, counted from 1."""
    maps = {}
    for number in range(first, last + 1):
        width, stride = PAIRS[number - 1]
        deep = keras.layers.DepthwiseConv2D(3, stride, "same", name=f"conv_dw_{number}")
        flat = keras.layers.Conv2D(width, 1, name=f"conv_pw_{number}")
        maps[number] = x = _convolve(_convolve(x, deep, normalised), flat, normalised)
    return maps


def _load(network: keras.Model, arrays: dict[str, np.ndarray]) -> None:
    """Gives the pairs their pretrained weights, scales and offsets folded in."""
    kernels = {name.partition("/")[0]: name for name in arrays if "_bn/" not in name}
    for layer in network.layers:
        if layer.name.startswith("conv_") and not layer.name.endswith(NORM):
            kernel = arrays[kernels[layer.name]]
            if layer.name.startswith("conv_dw"):
                kernel = kernel * arrays[f"{layer.name}_bn/batchnorm_1/mul"][:, None]
            layer.set_weights([kernel, arrays[f"{layer.name}_bn/batchnorm_1/sub"]])


def build_lower(arrays: dict[str, np.ndarray]) -> keras.Model:
    """The frozen pairs: moodmesh's crop, (256, 256, 1) in [0, 1] -> (12, 12, 512) in [0, 255]."""
    picture = keras.Input((crop.SIDE, crop.SIDE, 1), name="crop")
    x = cut_out(picture, TOP, LEFT, CUT, SIDE)
    x = keras.layers.Concatenate()([x, x, x])
    x = keras.layers.Rescaling(255.0, offset=(-MEAN).tolist())(x)
    x = _convolve(x, keras.layers.Conv2D(32, 3, 2, "same", name="stem"), False)
    x = _run(x, 1, FROZEN)[FROZEN]
    lower = keras.Model(picture, keras.layers.Rescaling(1 / STEP)(x), name="lower")
    _load(lower, arrays)
    lower.get_layer("stem").set_weights(
        [arrays["conv1/convolution/merged_input"], arrays["conv1_bn/batchnorm_1/sub"]]
    )
    return lower


def build_upper(
    shape: tuple[int, int, int], settings: Settings, normalised: bool = True, votes: bool = False
) -> keras.Model:
    """Maps of the last frozen pair -> logits."""
    inputs = keras.Input(shape, name="maps")
    x = keras.layers.Rescaling(STEP)(inputs)
    maps = _run(x, FROZEN + 1, len(PAIRS), normalised)
    grids = []
    for pair, width, side in READ:
        x = keras.layers.Conv2D(width, 1, activation="relu", name=f"read_{pair}")(maps[pair])
        grids.append(keras.layers.Flatten()(keras.layers.AveragePooling2D(x.shape[1] // side)(x)))
    means = [
        standardise(
            keras.layers.GlobalAveragePooling2D(dtype="float32")(maps[pair]),
            f"mean_{pair}_standardised",
            "float32",
        )
        for pair, _, _ in READ
    ]
    return logits_of(inputs, [dense_head(grids, settings), *means], settings, votes)


def branch(folder: Path, settings: Settings = SETTINGS) -> Branch:
    """The branch with the weights in a folder."""
    arrays = read_weights(folder, f"{FILE}.bin", f"{FILE}.json", SHA256, PACKAGE)

    def start(network: keras.Model, inputs: np.ndarray) -> None:
        plain = build_upper(inputs.shape[1:], settings, normalised=False)
        _load(network, arrays)
        copy_by_name(network, plain)
        set_norms(network, plain, inputs)
        means = tuple(f"mean_{pair}_standardised" for pair, _, _ in READ)
        set_standards(network, plain, inputs, ("standardised", *means))

    return Branch(
        "faceres",
        settings,
        build_lower(arrays),
        lambda shape, votes: build_upper(shape, settings, votes=votes),
        start,
        lambda network: weights_of(network, "conv_"),
        kept_as="uint8",
    )
