"""MediaPipe's face mesh network, rebuilt in Keras with its own weights.

The network that places the 468 mesh points has seen far more faces than FER2013 holds, and its
maps already know where lids, brows and lips are. LiteRT can only run it; rebuilt in Keras its
upper stages can be trained further. Read op by op from face_landmarks_detector.tflite, it is a
plain residual network: a 3x3 stem, then six stages of five blocks that halve the resolution and
widen from 16 to 128 channels (the first stage has four blocks and keeps its resolution):

    block:  x -> 1x1 to width/2 -> PReLU -> depthwise 3x3 -> 1x1 to width -> + x -> PReLU
    the first block of a stage:  its 1x1 is a 2x2 of stride 2, and its x is max-pooled and padded
    with empty channels to the new width

Batch normalisation is already folded into the convolutions; stages that are to be trained further
can have it anew. The face mesh reads RGB; moodmesh's crops are gray, the same value thrice, so the
stem's kernel is summed over RGB: the same result from one channel.

Source: Kartynnik et al. 2019, "Real-time Facial Surface Geometry from Monocular Video on Mobile
GPUs", arXiv:1907.06724; the file itself for the layers.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from moodmesh.training.branch import NORM, normalise

NETWORK = "face_landmarks_detector.tflite"
SIDE = 256


@dataclass(frozen=True)
class Stage:
    """A run of blocks at one resolution.

    side: the maps' height and width, for a picture of 256x256. width: their channels.
    halves: whether the first block halves the resolution.
    """

    side: int
    width: int
    blocks: int
    halves: bool

    @property
    def middle(self) -> int:
        """Channels inside a block; the file never goes past 64."""
        return min(self.width // 2, 64)


STAGES = (
    Stage(128, 16, 4, False),
    Stage(64, 32, 5, True),
    Stage(32, 64, 5, True),
    Stage(16, 128, 5, True),
    Stage(8, 128, 5, True),
    Stage(4, 128, 5, True),
    Stage(2, 128, 5, True),
)


def trunk_weights(task: Path) -> list[np.ndarray]:
    """The trunk's arrays in the order the network applies them, float32.

    A convolution gives its kernel (height, width, in, out) and bias (out,), a depthwise one its
    kernel (3, 3, in, 1) and bias, a PReLU its slopes (1, 1, channels). The heads that turn the
    last map into landmarks are left out.

    task: face_landmarker.task, a zip that holds the network.
    """
    with zipfile.ZipFile(task) as bundle:
        model = schema.ModelT.InitFromPackedBuf(bundle.read(NETWORK), 0)
    graph = model.subgraphs[0]
    kinds = {value: name for name, value in vars(schema.BuiltinOperator).items()}
    widened: dict[
        int, int
    ] = {}  # the file holds float16 and widens each array by an operation of its own

    def array(index: int) -> np.ndarray:
        tensor = graph.tensors[widened.get(index, index)]
        data = np.asarray(model.buffers[tensor.buffer].data, np.uint8).tobytes()
        return np.frombuffer(data, np.float16).reshape(tensor.shape).astype(np.float32)

    arrays: list[np.ndarray] = []
    for operator in graph.operators:
        kind = kinds[model.operatorCodes[operator.opcodeIndex].builtinCode]
        if kind == "DEQUANTIZE":
            widened[operator.outputs[0]] = operator.inputs[0]
        elif kind == "CONV_2D":
            kernel = array(operator.inputs[1])
            if kernel.shape[1:3] == (2, 2) and graph.tensors[operator.outputs[0]].shape[1] == 1:
                break  # the heads: 2x2 convolutions that leave one pixel
            arrays += [kernel.transpose(1, 2, 3, 0), array(operator.inputs[2])]
        elif kind == "DEPTHWISE_CONV_2D":
            arrays += [array(operator.inputs[1]).transpose(1, 2, 3, 0), array(operator.inputs[2])]
        elif kind == "PRELU":
            arrays.append(array(operator.inputs[1]))
    return arrays


def _block(
    x: keras.KerasTensor, stage: Stage, first: bool, name: str, normalised: bool
) -> keras.KerasTensor:
    halve = first and stage.halves
    size = 2 if halve else 1

    def convolved(layer: keras.layers.Layer, inputs: keras.KerasTensor) -> keras.KerasTensor:
        outputs = layer(inputs)
        return normalise(outputs, layer.name + NORM) if normalised else outputs

    y = convolved(keras.layers.Conv2D(stage.middle, size, size, name=f"{name}_in"), x)
    y = keras.layers.PReLU(shared_axes=[1, 2], name=f"{name}_in_slope")(y)
    y = convolved(keras.layers.DepthwiseConv2D(3, padding="same", name=f"{name}_depthwise"), y)
    y = convolved(keras.layers.Conv2D(stage.width, 1, name=f"{name}_out"), y)
    if halve:
        x = keras.layers.MaxPooling2D(2, name=f"{name}_pool")(x)
        if new := stage.width - x.shape[-1]:
            x = keras.ops.pad(x, [(0, 0), (0, 0), (0, 0), (0, new)])
    y = keras.layers.Add(name=f"{name}_add")([x, y])
    return keras.layers.PReLU(shared_axes=[1, 2], name=f"{name}_slope")(y)


def run_stem(gray: keras.KerasTensor) -> keras.KerasTensor:
    """(side, side, 1) in [0, 1] -> (side/2, side/2, 16)."""
    x = keras.layers.Conv2D(STAGES[0].width, 3, 2, padding="same", name="stem")(gray)
    return keras.layers.PReLU(shared_axes=[1, 2], name="stem_slope")(x)


def run_stages(
    x: keras.KerasTensor, stages: tuple[Stage, ...], normalised: bool = False
) -> list[keras.KerasTensor]:
    """Each stage's last map, from the map before the first of them.

    normalised: with batch normalisation after each convolution again, for further training; see
    :func:`moodmesh.training.branch.set_norms`.
    """
    maps = []
    for stage in stages:
        for index in range(stage.blocks):
            x = _block(x, stage, index == 0, f"{stage.side}_{index}", normalised)
        maps.append(x)
    return maps


def build_trunk(stages: tuple[Stage, ...] = STAGES, side: int = SIDE) -> keras.Model:
    """Gray (side, side, 1) in [0, 1] -> each stage's last map; untrained.

    At 256 the seven maps measure from 128x128x16 to 2x2x128.
    """
    gray = keras.Input((side, side, 1), name="gray")
    return keras.Model(gray, run_stages(run_stem(gray), stages), name="trunk")


def _trained_layers(model: keras.Model) -> Iterator[keras.Layer]:
    """Layers with weights in the order the network applies them."""
    return (layer for layer in model.layers if layer.weights)


def load_trunk(task: Path) -> keras.Model:
    """The trunk with the face mesh network's own weights."""
    trunk = build_trunk()
    arrays = trunk_weights(task)
    arrays[0] = arrays[0].sum(axis=2, keepdims=True)
    variables = [weight for layer in _trained_layers(trunk) for weight in layer.weights]
    if [v.shape for v in variables] != [a.shape for a in arrays]:
        raise ValueError(f"{task} holds another face mesh network than the one rebuilt here")
    for variable, values in zip(variables, arrays, strict=True):
        variable.assign(values)
    return trunk
