"""Trains a network on rows of numbers, resumable after every epoch.

Each epoch's order, choice of views, noise and mixing follow from the seed and the epoch's number
alone, and a checkpoint holds weights, optimizer, random states and history. So a run that was
killed goes on as if it had not been: it sees the very batches it would have seen.
"""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from moodmesh.errors import UserError
from moodmesh.training.progress import Progress

Row = dict[str, float]


@dataclass(frozen=True)
class Recipe:
    """How a network is trained; docs/recognition.md has the measurements behind the values.

    AdamW with a linear warm-up of one epoch and a cosine to zero; the running mean of the weights
    is what is evaluated and kept. noise is added to each scaled input; mixup is the parameter of
    the Beta distribution of the mixing weights, 0 for none; smoothing spreads this share of each
    target evenly, because about a tenth of FER2013's labels are wrong.
    """

    epochs: int = 30
    batch: int = 256
    rate: float = 1e-3
    weight_decay: float = 0.02
    noise: float = 0.1
    mixup: float = 0.0
    smoothing: float = 0.1
    averaging: float = 0.998
    seed: int = 0


@dataclass(frozen=True)
class Examples:
    """Rows to learn from.

    views: float32 (views, n, inputs): each face seen in several ways (mirrored, cut differently).
    seen: bool (views, n): in which views it was found at all; each face in at least one.
    targets: float32 (n, classes), each row a distribution. weights: float32 (n,), mean 1.
    """

    views: np.ndarray
    seen: np.ndarray
    targets: np.ndarray
    weights: np.ndarray


def _batches(examples: Examples, recipe: Recipe, first_epoch: int, steps: int) -> tf.data.Dataset:
    """Endless batches (inputs, targets, weights) from the start of this epoch on."""
    count = examples.views.shape[1]
    inputs = examples.views.shape[2]
    classes = examples.targets.shape[1]
    # One long table, so that a single gather picks view and face.
    rows = tf.constant(examples.views.reshape(-1, inputs))
    targets = tf.constant(
        examples.targets * (1 - recipe.smoothing) + recipe.smoothing / classes, tf.float32
    )
    weights = tf.constant(examples.weights, tf.float32)

    def one_epoch(epoch: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        random = np.random.default_rng((recipe.seed, int(epoch)))
        used = random.permutation(count)[: steps * recipe.batch]
        # The seen view with the highest lot: each seen one equally likely.
        lots = random.random(examples.seen.shape) * examples.seen
        chosen = lots.argmax(axis=0)[used] * count + used
        partner = used.reshape(steps, -1)[:, ::-1].ravel()
        partner_chosen = lots.argmax(axis=0)[partner] * count + partner
        share = (
            random.beta(recipe.mixup, recipe.mixup, len(used))
            if recipe.mixup
            else np.ones(len(used))
        )
        share = np.maximum(share, 1 - share)
        pairs = np.stack([chosen, partner_chosen, used, partner]).astype(np.int64)
        return (*pairs, share.astype(np.float32))

    def finish(step: tf.Tensor, row: Any, other: Any, face: Any, partner: Any, share: Any) -> Any:
        x, y, weight = tf.gather(rows, row), tf.gather(targets, face), tf.gather(weights, face)
        part = share[:, None]
        if recipe.mixup:
            x = part * x + (1 - part) * tf.gather(rows, other)
            y = part * y + (1 - part) * tf.gather(targets, partner)
            weight = share * weight + (1 - share) * tf.gather(weights, partner)
        if recipe.noise:
            seed = tf.stack([tf.cast(step, tf.int32), recipe.seed])
            x += recipe.noise * tf.random.stateless_normal(tf.shape(x), seed)
        return x, y, weight

    kinds = (tf.int64,) * 4 + (tf.float32,)

    def epoch_data(epoch: tf.Tensor) -> tf.data.Dataset:
        parts = tf.numpy_function(one_epoch, [epoch], kinds)
        parts = [tf.ensure_shape(part, (steps * recipe.batch,)) for part in parts]
        return tf.data.Dataset.from_tensor_slices(tuple(parts)).batch(recipe.batch)

    data = tf.data.Dataset.range(first_epoch, recipe.epochs).flat_map(epoch_data)
    data = data.enumerate(start=first_epoch * steps)
    data = data.map(lambda step, parts: finish(step, *parts), num_parallel_calls=2)
    options = tf.data.Options()
    # Each worker of a cluster takes its share of every batch, so the batches stay the same.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    options.deterministic = True
    return data.with_options(options).prefetch(4)


class _Checkpoint(keras.callbacks.Callback):
    """Writes everything a later run needs to go on, after every few epochs."""

    def __init__(self, path: Path, history: list[Row], writes: bool) -> None:
        super().__init__()
        self._path, self._history, self._writes = path, history, writes

    def _state(self) -> dict[str, Any]:
        variables = [*self.model.variables, *self.model.optimizer.variables]
        return {f"{index:04}": variable for index, variable in enumerate(variables)}

    def restore(self, model: keras.Model) -> int:
        """Puts the stored state into the model; the number of epochs that are already done."""
        self.set_model(model)
        if not self._path.is_file():
            return 0
        with np.load(self._path, allow_pickle=False) as file:
            rows = list(csv.DictReader(io.StringIO(str(file["history"]))))
            self._history[:] = [{k: float(v) for k, v in row.items()} for row in rows]
            for name, variable in self._state().items():
                variable.assign(file[name])
        return len(self._history)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._history.append({"epoch": epoch + 1, **{k: float(v) for k, v in (logs or {}).items()}})
        if not self._writes:
            return
        state = {name: np.asarray(variable) for name, variable in self._state().items()}
        partial = self._path.with_suffix(".part")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as file:
                np.savez(file, history=np.array(history_csv(self._history)), **state)  # type: ignore[arg-type]
                file.flush()
                os.fsync(file.fileno())
            partial.replace(self._path)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise UserError(
                f"The checkpoint {self._path} cannot be saved ({error.strerror}). Make room and "
                "start again: training goes on from the last one."
            ) from error


class _Report(keras.callbacks.Callback):
    def __init__(self, progress: Progress, stage: str, epochs: int) -> None:
        super().__init__()
        self._progress, self._stage, self._epochs = progress, stage, epochs

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._progress.step(self._stage, epoch + 1, self._epochs, **(logs or {}))


def history_csv(history: Sequence[Row]) -> str:
    """The history as a table, one line an epoch."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(history[0]), lineterminator="\n")
    writer.writeheader()
    for row in history:
        writer.writerow({name: f"{value:.6g}" for name, value in row.items()})
    return text.getvalue()


def fit(
    net: keras.Model,
    examples: Examples,
    validation: tuple[np.ndarray, np.ndarray],
    recipe: Recipe,
    checkpoint: Path,
    progress: Progress,
    stage: str = "Training",
    tensorboard: Path | None = None,
    chief: bool = True,
) -> list[Row]:
    """Trains the net in place, to the running mean of its weights; the history, a row an epoch.

    validation: inputs (m, inputs) and targets (m, classes). checkpoint: the file to go on from,
    if it is there, and to keep up to date; only the chief of several workers writes it.
    """
    steps = max(1, examples.views.shape[1] // recipe.batch)
    total = steps * recipe.epochs
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, total - steps), warmup_target=recipe.rate, warmup_steps=steps
    )
    optimizer = keras.optimizers.AdamW(
        rate,
        weight_decay=recipe.weight_decay,
        use_ema=True,
        ema_momentum=min(recipe.averaging, 1 - 5 / total) if total > 5 else 0.0,
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    net.compile(
        optimizer,
        keras.losses.CategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
        jit_compile=False,
    )
    optimizer.build(net.trainable_variables)
    history: list[Row] = []
    keeper = _Checkpoint(checkpoint, history, chief)
    first = keeper.restore(net)
    callbacks = [keras.callbacks.SwapEMAWeights(), keeper, _Report(progress, stage, recipe.epochs)]
    if tensorboard is not None:
        callbacks.append(keras.callbacks.TensorBoard(tensorboard))
    if first < recipe.epochs:
        net.fit(
            _batches(examples, recipe, first, steps),
            validation_data=tf.data.Dataset.from_tensor_slices(validation).batch(2048),
            initial_epoch=first,
            epochs=recipe.epochs,
            steps_per_epoch=steps,
            callbacks=callbacks,
            verbose=0,
            shuffle=False,
        )
    optimizer.finalize_variable_values(net.trainable_variables)
    if not all(math.isfinite(row["loss"]) for row in history):
        raise UserError(f"{stage} did not converge. Lower the rate, or train on more pictures.")
    return history
