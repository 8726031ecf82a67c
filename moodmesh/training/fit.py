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
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from moodmesh.errors import UserError
from moodmesh.training.history import Row, history_csv
from moodmesh.training.progress import Progress


@dataclass(frozen=True)
class Recipe:
    """How a network is trained; docs/recognition.md has the measurements behind the values.

    AdamW with a linear warm-up of one epoch and a cosine to zero; the running mean of the weights
    is what is evaluated and kept. noise is added to each scaled input; mixup is the parameter of
    the Beta distribution of the mixing weights, 0 for none; smoothing spreads this share of each
    target evenly: ten people asked for FER+ agree with 66% of FER2013's labels.
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


def _value(variable: Any) -> np.ndarray:
    """A variable's value; one that several workers share has no array of its own."""
    tensor = tf.convert_to_tensor(
        variable.value if isinstance(variable, keras.Variable) else variable
    )
    value: np.ndarray = tensor.numpy()
    return value


class _Run:
    """The state of one training: net, optimizer, running mean of the weights, and one step."""

    def __init__(self, net: keras.Model, recipe: Recipe, steps: int) -> None:
        total = steps * recipe.epochs
        rate = keras.optimizers.schedules.CosineDecay(
            0.0, max(1, total - steps), warmup_target=recipe.rate, warmup_steps=steps
        )
        self.net, self._recipe = net, recipe
        self._strategy = tf.distribute.get_strategy()
        self._optimizer = keras.optimizers.AdamW(rate, weight_decay=recipe.weight_decay)
        self._optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        self._optimizer.build(net.trainable_variables)
        self._means = [tf.Variable(weight.value) for weight in net.trainable_variables]
        self._steps_done = tf.Variable(0, dtype=tf.int64)

    def _replica_step(self, x: Any, y: Any, weights: Any) -> tuple[Any, Any]:
        with tf.GradientTape() as tape:
            logits = self.net(x, training=True)
            losses = weights * tf.nn.softmax_cross_entropy_with_logits(y, logits)
            # Of the whole batch, whose other parts other workers see.
            loss = tf.reduce_sum(losses) / self._recipe.batch
        gradients = tape.gradient(loss, self.net.trainable_variables)
        self._optimizer.apply(gradients, self.net.trainable_variables)
        right = tf.reduce_sum(tf.cast(tf.equal(tf.argmax(logits, 1), tf.argmax(y, 1)), tf.float32))
        return loss, right / self._recipe.batch

    @tf.function(reduce_retracing=True)
    def step(self, batch: Any) -> Any:
        """Learns from one batch; its loss and the share that is right, float32 (2,)."""
        loss, right = self._strategy.run(self._replica_step, args=batch)
        figures = [self._strategy.reduce("SUM", value, axis=None) for value in (loss, right)]
        done = tf.cast(self._steps_done.assign_add(1), tf.float32)
        # The first steps are forgotten sooner: they are far from anywhere useful.
        keep = tf.minimum(self._recipe.averaging, (1 + done) / (10 + done))
        for mean, weight in zip(self._means, self.net.trainable_variables, strict=True):
            mean.assign(keep * mean + (1 - keep) * weight.value)
        return tf.stack(figures)

    def averaged_weights(self) -> list[np.ndarray]:
        """The running means of the trainable weights."""
        return [_value(mean) for mean in self._means]

    def trainable_weights(self) -> list[np.ndarray]:
        """The trainable weights as they are."""
        return [_value(weight) for weight in self.net.trainable_variables]

    def set_trainable_weights(self, values: Sequence[np.ndarray]) -> None:
        """Replaces them."""
        for weight, value in zip(self.net.trainable_variables, values, strict=True):
            weight.assign(value)

    def _variables(self) -> list[Any]:
        return [*self.net.variables, *self._optimizer.variables, *self._means, self._steps_done]

    def save(self, path: Path, history: Sequence[Row]) -> None:
        """Writes all that a later run needs to go on; a kill leaves the old file."""
        state = {f"{n:04}": _value(v) for n, v in enumerate(self._variables())}
        partial = path.with_suffix(".part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as file:
                np.savez(file, history=np.array(history_csv(history)), **state)  # type: ignore[arg-type]
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise UserError(
                f"The checkpoint {path} cannot be saved ({error.strerror}). Make room and start "
                "again: training goes on from the last one."
            ) from error

    def restore(self, path: Path) -> list[Row]:
        """Takes up the state in the file, if there is one; the history so far."""
        if not path.is_file():
            return []
        with np.load(path, allow_pickle=False) as file:
            rows = list(csv.DictReader(io.StringIO(str(file["history"]))))
            for number, variable in enumerate(self._variables()):
                variable.assign(file[f"{number:04}"])
        return [{name: float(value) for name, value in row.items()} for row in rows]

    def judge(self, inputs: np.ndarray, targets: np.ndarray) -> Row:
        """Loss and accuracy of the averaged weights on rows that are not trained on."""
        own = self.trainable_weights()
        self.set_trainable_weights(self.averaged_weights())
        logits = np.concatenate(
            [
                np.asarray(self.net(inputs[start : start + 2048], training=False))
                for start in range(0, len(inputs), 2048)
            ]
        )
        self.set_trainable_weights(own)
        losses = tf.nn.softmax_cross_entropy_with_logits(targets, logits)
        return {
            "val_loss": float(tf.reduce_mean(losses)),
            "val_accuracy": float((logits.argmax(axis=1) == targets.argmax(axis=1)).mean()),
        }


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
    if tensorboard is not None and find_spec("tensorboard") is None:
        raise UserError("TensorBoard is not installed. Install it with: pip install tensorboard")
    steps = max(1, examples.views.shape[1] // recipe.batch)
    run = _Run(net, recipe, steps)
    history = run.restore(checkpoint)
    writer = (
        tf.summary.create_noop_writer()
        if tensorboard is None
        else tf.summary.create_file_writer(str(tensorboard))
    )
    strategy = tf.distribute.get_strategy()
    batches = iter(
        strategy.experimental_distribute_dataset(_batches(examples, recipe, len(history), steps))
    )
    for epoch in range(len(history), recipe.epochs):
        figures = np.mean([run.step(next(batches)).numpy() for _ in range(steps)], axis=0)
        row = {"loss": float(figures[0]), "accuracy": float(figures[1])}
        row |= run.judge(*validation)
        if not math.isfinite(row["loss"]):
            raise UserError(f"{stage} did not converge. Lower the rate, or train on more pictures.")
        history.append({"epoch": float(epoch + 1), **row})
        if chief:
            run.save(checkpoint, history)
        with writer.as_default(step=epoch + 1):
            for name, value in row.items():
                tf.summary.scalar(name, value)
        progress.step(stage, epoch + 1, recipe.epochs, **row)
    writer.close()
    run.set_trainable_weights(run.averaged_weights())
    return history
