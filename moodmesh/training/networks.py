"""The dense landmark net: its layers, its weights on disk, its export to LiteRT.

    features (1486,) -> scaling: landmarks to 512 whitened components, blendshapes standardised
                     -> hidden layers -> "embedding" (128,) -> "logits", one a label

The 478 landmarks move together: a few dozen components hold nearly all of their variance, yet what
tells a wry mouth from a smile is in the small ones. Whitening (a fixed linear layer computed from
the training faces) gives each component the same say; see docs/recognition.md for what it buys.

A personal model starts from the general net's embedding, which knows faces in general, and learns
only what this person's labels look like in it.
"""

from __future__ import annotations

import io
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from moodmesh.bundle import Bundle
from moodmesh.errors import UserError
from moodmesh.face import BLENDSHAPES, LANDMARKS
from moodmesh.features import FEATURES, mirror

COORDINATES = LANDMARKS * 3
EMBEDDING = 128
# Below these spreads a coordinate only holds rounding errors of the landmarker.
_LEAST_COMPONENT_SPREAD = 1e-5
_LEAST_BLENDSHAPE_SPREAD = 1e-3


@dataclass(frozen=True)
class Shape:
    """The sizes of one dense landmark net.

    components: how many whitened components of the landmarks it sees. hidden: units of the layers
    before the embedding. outputs: labels. dropout: share of units dropped in training.
    """

    components: int = 512
    whitening: float = 0.6
    hidden: tuple[int, ...] = (512, 256)
    outputs: int = 7
    input_dropout: float = 0.1
    dropout: float = 0.3


@dataclass(frozen=True)
class Scaling:
    """The fixed first step: (features - shift) @ matrix.

    shift: float32 (1486,). matrix: float32 (1486, components + 52).
    """

    shift: np.ndarray
    matrix: np.ndarray

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Scaled features, float32 (n, components + 52)."""
        scaled: np.ndarray = (features - self.shift) @ self.matrix
        return scaled.astype(np.float32)


def fit_scaling(features: np.ndarray, components: int, whitening: float = 1.0) -> Scaling:
    """The scaling of training faces, float32 (n, 1486), each also seen in its mirror.

    Landmarks: principal components, each divided by its standard deviation. Blendshapes:
    standardised one by one.
    """
    both = np.concatenate([features, mirror(features)]).astype(np.float64)
    shift = both.mean(axis=0)
    points = both[:, :COORDINATES] - shift[:COORDINATES]
    variances, directions = np.linalg.eigh(points.T @ points / len(points))
    kept = slice(-1, -components - 1, -1)  # eigh gives them in rising order
    spread = np.maximum(np.sqrt(np.maximum(variances[kept], 0)), _LEAST_COMPONENT_SPREAD)
    # What whitening leaves of the spreads is brought to a root mean square of 1.
    left = spread ** (1 - whitening)
    divisor = spread**whitening * np.sqrt((left**2).mean())
    matrix = np.zeros((FEATURES, components + BLENDSHAPES), np.float32)
    matrix[:COORDINATES, :components] = directions[:, kept] / divisor
    blendshape_spread = np.maximum(both[:, COORDINATES:].std(axis=0), _LEAST_BLENDSHAPE_SPREAD)
    matrix[COORDINATES:, components:] = np.diag(1 / blendshape_spread)
    return Scaling(shift.astype(np.float32), matrix)


def build(shape: Shape, scaling: Scaling | None = None, seed: int = 0) -> keras.Model:
    """The net: features, float32 (n, 1486), to logits (n, outputs).

    Without a scaling its first layer is empty and waits for stored weights.
    """
    features = keras.Input((FEATURES,), name="features")
    scale = keras.layers.Dense(
        shape.components + BLENDSHAPES, trainable=False, name="scaling", dtype="float32"
    )
    x = scale(features)
    if scaling is not None:
        scale.set_weights([scaling.matrix, -scaling.shift @ scaling.matrix])
    x = keras.layers.Dropout(shape.input_dropout, seed=seed)(x)
    for number, units in enumerate((*shape.hidden, EMBEDDING), start=1):
        last = number > len(shape.hidden)
        name = "embedding" if last else f"hidden_{number}"
        initializer = keras.initializers.GlorotUniform(seed=seed + number)
        x = keras.layers.Dense(
            units, use_bias=False, kernel_initializer=initializer, name=f"{name}_weights"
        )(x)
        x = keras.layers.BatchNormalization(name=f"{name}_scale")(x)
        x = keras.layers.Activation("gelu", name=name)(x)
        x = keras.layers.Dropout(shape.dropout, seed=seed + number)(x)
    initializer = keras.initializers.GlorotUniform(seed=seed)
    logits = keras.layers.Dense(shape.outputs, kernel_initializer=initializer, name="logits")(x)
    return keras.Model(features, logits, name="landmarks")


@keras.saving.register_keras_serializable(package="moodmesh")
class Mirror(keras.layers.Layer):
    """The feature vectors of the mirrored faces; see moodmesh.features.mirror."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        numbered = mirror(np.arange(1, FEATURES + 1, dtype=np.float32)[None])[0]
        self._order = np.abs(numbered).astype(np.int32) - 1
        self._sign = np.sign(numbered)

    def call(self, features: Any) -> Any:
        """(n, 1486) in, the same shape out."""
        return keras.ops.take(features, self._order, axis=-1) * self._sign


def symmetric(net: keras.Model) -> keras.Model:
    """The net as it is shipped: the mean logits of the face and its mirror image.

    Expressions have no left or right, so what the two readings disagree on is noise.
    """
    features = keras.Input((FEATURES,), name="features")
    # As one batch, since two calls of the net would put its weights into the file twice.
    both = keras.layers.Concatenate(axis=0)([features, Mirror()(features)])
    logits = keras.ops.reshape(net(both), (2, -1, net.output.shape[-1]))
    return keras.Model(features, keras.ops.mean(logits, axis=0), name="landmarks")


def folded(net: keras.Model) -> keras.Model:
    """The same net with the scaling and the first hidden layer's weights as one layer.

    Both are linear, so one product does for two; a third less to read from memory for each face.
    """
    matrix, shift = (value.astype(np.float64) for value in net.get_layer("scaling").get_weights())
    kernel = net.get_layer("hidden_1_weights").get_weights()[0]
    joined = keras.layers.Dense(kernel.shape[1], name="scaling_and_hidden_1", dtype="float32")
    features = keras.Input((FEATURES,), name="features")
    x = joined(features)
    joined.set_weights([(matrix @ kernel).astype(np.float32), (shift @ kernel).astype(np.float32)])
    names = [layer.name for layer in net.layers]
    for layer in net.layers[names.index("hidden_1_weights") + 1 :]:
        x = layer(x)
    return keras.Model(features, x, name="landmarks")


def embedding_net(net: keras.Model) -> keras.Model:
    """The part of the net from features (n, 1486) to the embedding, float32 (n, 128)."""
    return keras.Model(net.input, net.get_layer("embedding").output, name="embedding")


def _named_weights(net: keras.Model) -> dict[str, Any]:
    """Weights by name, without the random states of dropout layers."""
    return {weight.path: weight for layer in net.layers for weight in layer.weights}


def to_npz(net: keras.Model) -> bytes:
    """The weights as an .npz file, for :func:`load_general` and further training."""
    buffer = io.BytesIO()
    arrays = {
        name: keras.ops.convert_to_numpy(weight) for name, weight in _named_weights(net).items()
    }
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def shape_of(net: keras.Model, planned: Shape) -> Shape:
    """The shape a net really has: few training faces have fewer components than planned."""
    return replace(planned, components=net.get_layer("scaling").units - BLENDSHAPES)


def shape_settings(shape: Shape) -> dict[str, Any]:
    """The shape as bundle.json keeps it, under settings["network"]."""
    return asdict(shape)


def load_general(bundle: Bundle) -> keras.Model:
    """The bundle's dense net in Keras, ready for further training.

    Use :func:`embedding_net` on it, add a new head and train that.
    """
    kept = bundle.settings.get("network")
    if not isinstance(kept, dict):
        raise UserError(f"The model {bundle.folder} cannot be trained further. Train it again.")
    net = build(Shape(**{**kept, "hidden": tuple(kept["hidden"])}))
    weights = _named_weights(net)
    with np.load(bundle.path("weights.npz"), allow_pickle=False) as file:
        if set(file.files) != set(weights):
            raise UserError(
                f"{bundle.path('weights.npz')} does not fit the network that {bundle.folder} "
                "describes. Restore the model from a copy or train it again."
            )
        for name, weight in weights.items():
            weight.assign(file[name])
    return net


def to_litert(net: keras.Model) -> bytes:
    """The net as a .tflite file, float32: rounding would blur the whitened components."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.tflite"
        net.export(path, format="litert", verbose=False)
        return path.read_bytes()
