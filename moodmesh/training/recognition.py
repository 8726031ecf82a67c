"""The recognition branch: dlib's face recognition network, rebuilt in Keras and trained further.

dlib's network (King 2017, "dlib_face_recognition_resnet_model_v1", in the public domain) tells
three million pictures of faces apart, and its maps know brows, lids and lips in another way than
MediaPipe's do. It is a ResNet of 29 convolutions: 7x7 of stride 2, a pool, then blocks of two 3x3
convolutions at widths 32, 64, 128 and 256; each width's first block but the first's halves the
resolution, with average-pooled maps padded by empty channels around it. Its batch normalisations
are folded into scales and offsets.

Its weights come from face-api.js's port (MIT), whose numbers are eight bits each:

    npm pack @vladmandic/face-api@1.7.15 && tar xzf vladmandic-face-api-1.7.15.tgz
    python train.py cnn --data fer2013.zip --recognition package/model

Sources: dlib's examples/dnn_face_recognition_ex.cpp for the layers; He et al. 2016,
arXiv:1512.03385, for the blocks.
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

FILE = "face_recognition_model"
SHA256 = "b413e420d6840b2775fba32008db6f3cddb07d485967fb42cfcf379c16a8c589"
PACKAGE = "@vladmandic/face-api@1.7.15"
# How the network is fed: 150x150, minus the mean colour, over 256.
SIDE = 150
MEAN = np.array([122.782, 117.001, 104.298], np.float32)
# The part of moodmesh's 256x256 crop that dlib would cut out: its cut is 2.04 times as wide as the
# outer corners of the eyes are apart, and has them at 0.31 of its height. FER2013's median face
# has its corners at (78, 97) and (178, 97) in the crop.
TOP, LEFT, CUT = 35, 29, 198

# (name, width, whether it halves the resolution): the first three stay frozen. The last, of the
# original's fourteen blocks, which make a face's identity, are left off.
BLOCKS = (
    ("conv32_1", 32, False),
    ("conv32_2", 32, False),
    ("conv32_3", 32, False),
    ("conv64_down", 64, True),
    ("conv64_1", 64, False),
    ("conv64_2", 64, False),
    ("conv64_3", 64, False),
    ("conv128_down", 128, True),
    ("conv128_1", 128, False),
    ("conv128_2", 128, False),
    ("conv256_down", 256, True),
    ("conv256_1", 256, False),
)
FROZEN = 3

SETTINGS = Settings(
    variants=4,
    plain_share=0.3,
    epochs=20,
    hidden=256,
    dropout_in=0.3,
    dropout=0.5,
    mixup=0.2,
)


def _block(
    x: keras.KerasTensor, name: str, width: int, halves: bool, normalised: bool
) -> keras.KerasTensor:
    def convolved(inputs: keras.KerasTensor, half: str, stride: int) -> keras.KerasTensor:
        padding = "valid" if stride == 2 else "same"
        layer = keras.layers.Conv2D(width, 3, stride, padding=padding, name=f"{name}_{half}")
        outputs = layer(inputs)
        return normalise(outputs, layer.name + NORM) if normalised else outputs

    y = keras.layers.ReLU()(convolved(x, "a", 2 if halves else 1))
    y = convolved(y, "b", 1)
    if halves:
        x = keras.layers.AveragePooling2D(2)(x)
        if missing := x.shape[1] - y.shape[1]:  # dlib adds them with their first pixels aligned
            y = keras.layers.ZeroPadding2D(((0, missing), (0, missing)))(y)
        if new := width - x.shape[-1]:
            x = keras.ops.pad(x, [(0, 0), (0, 0), (0, 0), (0, new)])
    return keras.layers.ReLU(name=f"{name}_out")(keras.layers.Add()([x, y]))


def _run(
    x: keras.KerasTensor, blocks: tuple[tuple[str, int, bool], ...], normalised: bool = False
) -> dict[str, keras.KerasTensor]:
    """Each block's map by its name."""
    maps = {}
    for name, width, halves in blocks:
        maps[name] = x = _block(x, name, width, halves, normalised)
    return maps


def _load(network: keras.Model, arrays: dict[str, np.ndarray]) -> None:
    """Gives convolutions their pretrained weights, scales and offsets folded in."""
    for name, _, _ in BLOCKS:
        for half, number in (("a", 1), ("b", 2)):
            layer = next((x for x in network.layers if x.name == f"{name}_{half}"), None)
            if layer is not None:
                layer.set_weights(_folded(arrays, f"{name}/conv{number}"))


def _folded(arrays: dict[str, np.ndarray], name: str) -> list[np.ndarray]:
    """A convolution's kernel (height, width, in, out) and bias (out,)."""
    scale, offset = arrays[f"{name}/scale/weights"], arrays[f"{name}/scale/biases"]
    return [arrays[f"{name}/conv/filters"] * scale, arrays[f"{name}/conv/bias"] * scale + offset]


def build_lower(arrays: dict[str, np.ndarray]) -> keras.Model:
    """The frozen blocks: moodmesh's crop, (256, 256, 1) in [0, 1] -> (35, 35, 32)."""
    picture = keras.Input((crop.SIDE, crop.SIDE, 1), name="crop")
    x = cut_out(picture, TOP, LEFT, CUT, SIDE)
    x = keras.layers.ReLU()(keras.layers.Conv2D(32, 7, 2, name="stem")(x))
    x = keras.layers.MaxPooling2D(3, 2)(x)
    lower = keras.Model(picture, _run(x, BLOCKS[:FROZEN])[BLOCKS[FROZEN - 1][0]], name="lower")
    _load(lower, arrays)
    # Gray is the same value in red, green and blue; what the mean takes off goes into the bias.
    colour = arrays["conv32_down/conv/filters"]
    bias = arrays["conv32_down/conv/bias"] - np.einsum("hwio,i->o", colour, MEAN / 256)
    scale, offset = (arrays[f"conv32_down/scale/{part}"] for part in ("weights", "biases"))
    gray = colour.sum(axis=2, keepdims=True) * (255 / 256)
    lower.get_layer("stem").set_weights([gray * scale, bias * scale + offset])
    return lower


def build_upper(
    shape: tuple[int, int, int], settings: Settings, normalised: bool = True, votes: bool = False
) -> keras.Model:
    """Maps of the last frozen block -> logits."""
    inputs = keras.Input(shape, name="maps")
    maps = _run(inputs, BLOCKS[FROZEN:], normalised)
    last = maps[BLOCKS[-1][0]]
    grids = [
        keras.layers.Flatten()(keras.layers.AveragePooling2D(size, padding="same")(x))
        for x, size in ((maps["conv64_3"], 5), (maps["conv128_2"], 4), (last, 2))
    ]
    mean = keras.layers.GlobalAveragePooling2D(dtype="float32")(last)
    joined = [dense_head(grids, settings), standardise(mean, "mean_standardised", "float32")]
    return logits_of(inputs, joined, settings, votes)


def branch(folder: Path, settings: Settings = SETTINGS) -> Branch:
    """The branch with the weights in a folder."""
    arrays = read_weights(folder, f"{FILE}.bin", f"{FILE}-weights_manifest.json", SHA256, PACKAGE)

    def start(network: keras.Model, inputs: np.ndarray) -> None:
        plain = build_upper(inputs.shape[1:], settings, normalised=False)
        for part in (plain, network):
            _load(part, arrays)
        set_norms(network, plain, inputs)
        set_standards(network, plain, inputs, ("standardised", "mean_standardised"))

    return Branch(
        "recognition",
        settings,
        build_lower(arrays),
        lambda shape, votes: build_upper(shape, settings, votes=votes),
        start,
        lambda network: weights_of(network, "conv"),
    )
