"""The mesh branch: MediaPipe's face mesh network, its upper stages trained further.

    the trunk's maps at 16x16x128, frozen
        -> the trunk's next two stages, trained further from their own weights \
        -> a small residual tower beside them, new                              > joined -> logits
        -> all three trunk maps, pooled -> a dense layer, new                   /
"""

from __future__ import annotations

import keras
import numpy as np

from moodmesh import crop
from moodmesh.face import MODEL
from moodmesh.training import trunk
from moodmesh.training.branch import (
    EPSILON,
    Branch,
    Settings,
    copy_by_name,
    dense_head,
    logits_of,
    set_norms,
    set_standards,
    standardise,
    weights_of,
)

# Stages up to 16x16x128 stay frozen: nine tenths of the trunk's time, and what 28,000 pictures
# cannot teach better. Trained further even gently, the 16x16 stage forgot more than it learned.
FROZEN = 4
# The last stage, 2x2, mixes what the head had better mix by itself.
USED = 6

# Fewer plain cuts, with four variants and more dropout, kept the network from learning by heart
# and read no better.
SETTINGS = Settings(variants=2, plain_share=0.6, epochs=26)


def build_upper(
    shape: tuple[int, int, int], settings: Settings, normalised: bool = True, votes: bool = False
) -> keras.Model:
    """Maps of the last frozen stage -> logits.

    normalised: with batch normalisation in the trunk's stages, for further training.
    """
    inputs = keras.Input(shape, name="maps")
    stages = [inputs, *trunk.run_stages(inputs, trunk.STAGES[FROZEN:USED], normalised)]
    grids = []
    for stage_maps, side in zip(stages, (4, 2, 4), strict=True):  # these tell mouth from brows
        size = stage_maps.shape[1] // side
        grid = keras.layers.AveragePooling2D(size)(stage_maps) if size > 1 else stage_maps
        grids.append(keras.layers.Flatten()(grid))
    return logits_of(
        inputs, [dense_head(grids, settings), _tower(stages, settings)], settings, votes
    )


def _tower(stages: list[keras.KerasTensor], settings: Settings) -> keras.KerasTensor:
    """Whole 3x3 convolutions, which the trunk has none of, beside its last stages."""
    wide, wider = settings.tower
    x = _convolve(standardise(stages[0], "tower_16"), wide, 2, "tower_8_in")
    x = _residual(x, wide, "tower_8")
    x = keras.layers.Concatenate()([x, standardise(stages[1], "tower_8_trunk")])
    x = _residual(_convolve(x, wider, 2, "tower_4_in"), wider, "tower_4")
    return keras.layers.GlobalAveragePooling2D(dtype="float32")(x)


def _convolve(
    x: keras.KerasTensor, width: int, stride: int, name: str, last: bool = False
) -> keras.KerasTensor:
    """3x3 convolution, normalisation, ReLU; last: of a residual block, which starts as nothing."""
    convolution = keras.layers.Conv2D(
        width,
        3,
        stride,
        padding="same",
        use_bias=False,
        kernel_initializer=keras.initializers.HeNormal(),
        name=name,
    )
    norm = keras.layers.BatchNormalization(
        momentum=0.98,
        epsilon=EPSILON,
        gamma_initializer="zeros" if last else "ones",
        name=f"{name}_normalised",
    )
    x = norm(convolution(x))
    return x if last else keras.layers.ReLU()(x)


def _residual(x: keras.KerasTensor, width: int, name: str) -> keras.KerasTensor:
    y = _convolve(x, width, 1, f"{name}_a")
    y = _convolve(y, width, 1, f"{name}_b", last=True)
    return keras.layers.ReLU()(keras.layers.Add()([x, y]))


def build_lower(trained: keras.Model) -> keras.Model:
    """The frozen stages with the trunk's weights: a crop -> maps."""
    stages = trunk.build_trunk(trunk.STAGES[:FROZEN], crop.SIDE)
    lower = keras.Model(stages.input, stages.outputs[-1], name="lower")
    copy_by_name(trained, lower)
    return lower


def _old(network: keras.Model) -> list[keras.Variable]:
    sides = tuple(f"{stage.side}_" for stage in trunk.STAGES[FROZEN:USED])
    return weights_of(network, sides)


def branch(settings: Settings = SETTINGS) -> Branch:
    """The branch with the weights of the shipped face model."""
    trained = trunk.load_trunk(MODEL)

    def start(network: keras.Model, inputs: np.ndarray) -> None:
        plain = build_upper(inputs.shape[1:], settings, normalised=False)
        for part in (plain, network):
            copy_by_name(trained, part)
        set_norms(network, plain, inputs)
        set_standards(network, plain, inputs, ("standardised", "tower_8_trunk", "tower_16"))

    return Branch(
        "mesh",
        settings,
        build_lower(trained),
        lambda shape, votes: build_upper(shape, settings, votes=votes),
        start,
        _old,
    )
