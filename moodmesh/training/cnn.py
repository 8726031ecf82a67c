"""The image network: FER2013 crops -> expression, trained from MediaPipe's face mesh network.

    moodmesh.crop's crop -> the trunk's lower stages, frozen (maps.py makes their maps once)
                         -> its upper stages, trained further from their own weights
                         -> the last three stages' maps, pooled to 3x3 -> dense -> 7 logits

`train_cnn` does it all and goes on from its last finished epoch after a kill. It writes one
`cnn.tflite` with float16 weights: the crop in, logits in the order of `fer2013.LABELS` out.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import math
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from moodmesh import crop, fer2013
from moodmesh.errors import UserError
from moodmesh.face import MODEL
from moodmesh.training import maps, trunk
from moodmesh.training.landmark_cache import FoundLandmarks, find_landmarks

ROOT = Path(__file__).resolve().parents[2]
CHECKPOINTS = ROOT / "checkpoints"
CACHE = ROOT / "cache" / "cnn"

# Stages up to 32x32x64 stay frozen: 60% of the trunk's time and what is most general in it.
FROZEN = 3
# The last stage, 2x2, mixes what the head had better mix by itself.
USED = 6
PLAIN: dict[str, tuple[int | None, bool]] = {"plain": (None, False)}
# Enough for the head alone; each costs a pass through the upper stages.
HEAD_VARIANTS = 2


@dataclass(frozen=True)
class Settings:
    """How one network is trained. docs/recognition-cnn.md has the runs that chose the values."""

    # Random variants of each picture beside its plain cut; an epoch takes one of them at random.
    # Each fills 3.7 GB of disk.
    variants: int = 2
    # The head first learns alone, on features computed once, at 2 s an epoch: the upper stages'
    # own weights are worth keeping, and a random head's gradients would undo them (Kumar et al.
    # 2022, "Fine-Tuning can Distort Pretrained Features and Underperform Out-of-Distribution").
    head_epochs: int = 6
    head_rate: float = 1e-3
    epochs: int = 10
    batch: int = 128
    # AdamW with a linear warm-up of half an epoch, then a cosine to zero. The trunk has no
    # normalisation: at 2e-4 and 3e-4 the training loss rose instead of falling.
    rate: float = 6e-5
    weight_decay: float = 0.05
    # FER2013's labels are wrong in about a tenth of the pictures; never learn one for certain.
    smoothing: float = 0.1
    # Mixing pairs of maps (Zhang et al. 2018, "mixup"), with weights from a Beta(mixup, mixup);
    # 0 for none. Ten epochs underfit, and mixing only slows them.
    mixup: float = 0.0
    dropout: float = 0.25
    hidden: int = 256
    # The network kept is the running mean of the last few hundred steps' weights.
    averaging: float = 0.998
    # A second round from the first one's running mean, at a higher rate: the first underfits
    # (67% on varied training pictures), and a warm restart costs no head (Loshchilov and Hutter
    # 2017, "SGDR"). PublicTest 64.9% after the first, 66.1% after the second. 0 epochs for none.
    second_epochs: int = 8
    second_rate: float = 1e-4
    second_dropout: float = 0.3
    # Upper parts trained alike from other seeds; the network's logits are their mean.
    branches: int = 1
    seed: int = 0


SETTINGS = Settings()


def build_upper(shape: tuple[int, int, int], settings: Settings) -> keras.Model:
    """Maps of the last frozen stage -> logits; its layer 'pooled' gives the head's features."""
    inputs = keras.Input(shape, name="maps")
    pooled = []
    for stage_maps in trunk.run_stages(inputs, trunk.STAGES[FROZEN:USED]):
        # A 4x4 grid tells mouth from brows and left from right.
        size = stage_maps.shape[1] // 4
        grid = keras.layers.AveragePooling2D(size)(stage_maps) if size > 1 else stage_maps
        pooled.append(keras.layers.Flatten()(grid))
    features = keras.layers.Concatenate(dtype="float32", name="pooled")(pooled)
    return keras.Model(inputs, _head(features, settings), name="upper")


def _head(x: keras.KerasTensor, settings: Settings) -> keras.KerasTensor:
    """Pooled features -> logits, in float32: a small part of the time, and it needs the digits."""

    def dense(width: int, name: str, activation: str | None = None) -> keras.layers.Dense:
        return keras.layers.Dense(width, activation, name=name, dtype="float32")

    # Means and spreads come from the features before fine-tuning and stay: with those of each
    # batch the trunk, which has no normalisation of its own, drifted by several spreads an epoch.
    x = keras.layers.BatchNormalization(
        center=False, scale=False, trainable=False, name="standardised", dtype="float32"
    )(x)
    x = keras.layers.Dropout(settings.dropout, seed=settings.seed, dtype="float32")(x)
    x = dense(settings.hidden, "hidden", "gelu")(x)
    x = keras.layers.Dropout(settings.dropout, seed=settings.seed + 1, dtype="float32")(x)
    return dense(len(fer2013.LABELS), "logits")(x)


@dataclass(frozen=True)
class Examples:
    """Training examples: a label each, int64 (n,), and variants of the maps, each (n, h, w, c)."""

    labels: np.ndarray
    variants: tuple[np.ndarray, ...]


def batches(
    examples: Examples, settings: Settings, epoch: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """An epoch's batches of maps and one-hot, smoothed labels; the same for the same epoch."""
    rng = np.random.default_rng((settings.seed, epoch))
    order = rng.permutation(len(examples.labels))
    chosen = rng.integers(0, len(examples.variants), len(order))
    targets = np.full((len(order), len(fer2013.LABELS)), settings.smoothing, np.float32)
    targets /= len(fer2013.LABELS)
    targets[np.arange(len(order)), examples.labels] += 1 - settings.smoothing

    def read(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.stack([examples.variants[chosen[row]][row] for row in rows]), targets[rows]

    starts = range(0, len(order) - settings.batch + 1, settings.batch)
    # One batch is read from the disk while the last one is worked on.
    with ThreadPoolExecutor(1) as reader:
        ahead = None
        for start in starts:
            now, ahead = ahead, reader.submit(read, order[start : start + settings.batch])
            if now is not None:
                yield now.result()
        if ahead is not None:
            yield ahead.result()


class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """A linear warm-up, then a cosine to zero."""

    def __init__(self, peak: float, warm_up: int, steps: int) -> None:
        self.peak, self.warm_up, self.steps = peak, warm_up, steps

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        step = tf.cast(step, tf.float32)
        part = tf.clip_by_value((step - self.warm_up) / max(1, self.steps - self.warm_up), 0, 1)
        rising = step / max(1, self.warm_up)
        return self.peak * tf.minimum(rising, (1 + tf.cos(math.pi * part)) / 2)

    def get_config(self) -> dict[str, Any]:
        return {"peak": self.peak, "warm_up": self.warm_up, "steps": self.steps}


class Training:
    """One network in training: its weights, their running mean, the optimizer and the epoch."""

    def __init__(
        self,
        build: Callable[[], keras.Model],
        start_from: Callable[[keras.Model], object],
        settings: Settings,
        steps: int,
    ) -> None:
        """build makes the network, start_from gives it its first weights; steps: of an epoch."""
        # bfloat16 trains as well here and twice as fast; weights and sums stay float32.
        before = keras.mixed_precision.dtype_policy()
        keras.mixed_precision.set_global_policy("mixed_bfloat16")
        keras.utils.set_random_seed(settings.seed)
        self.network, self.averaged = build(), build()
        keras.mixed_precision.set_global_policy(before)
        start_from(self.network)
        self.averaged.set_weights(self.network.get_weights())
        self.optimizer = keras.optimizers.AdamW(
            Schedule(settings.rate, steps // 2, steps * settings.epochs),
            weight_decay=settings.weight_decay,
            global_clipnorm=1.0,
        )
        self.optimizer.exclude_from_weight_decay(var_names=["bias", "alpha", "gamma", "beta"])
        self.optimizer.build(self.network.trainable_variables)
        self.settings = settings
        self.epoch = 0
        self.history: list[dict[str, float]] = []
        self._step = tf.function(self._one_step, reduce_retracing=True, autograph=False)

    def _one_step(
        self, inputs: tf.Tensor, targets: tf.Tensor, share: tf.Tensor, decay: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Loss and accuracy of one step on pairs mixed share : 1 - share."""
        inputs = tf.cast(inputs, self.network.compute_dtype)
        part = tf.cast(share, inputs.dtype)
        mixed = part * inputs + (1 - part) * tf.reverse(inputs, [0])
        soft = share * targets + (1 - share) * tf.reverse(targets, [0])
        with tf.GradientTape() as tape:
            logits = self.network(mixed, training=True)
            loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(soft, logits))
        variables = self.network.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        for mean, now in zip(self.averaged.weights, self.network.weights, strict=True):
            mean.assign(decay * mean.value + (1 - decay) * now.value)
        right = tf.argmax(logits, 1) == tf.argmax(soft, 1)
        return loss, tf.reduce_mean(tf.cast(right, tf.float32))

    def run_epoch(self, examples: Examples) -> dict[str, float]:
        """One pass over the examples; its mean loss and accuracy on mixed, varied pictures."""
        rng = np.random.default_rng((self.settings.seed, self.epoch, 1))
        sums, count = np.zeros(2), 0
        for inputs, targets in batches(examples, self.settings, self.epoch):
            share = rng.beta(self.settings.mixup, self.settings.mixup) if self.settings.mixup else 1
            # The mean of few steps would still hold the first weights; it grows with them.
            steps = int(self.optimizer.iterations)
            decay = min(self.settings.averaging, (1 + steps) / (10 + steps))
            result = self._step(inputs, targets, np.float32(share), np.float32(decay))
            sums += [float(value) for value in result]
            count += 1
        self.epoch += 1
        return dict(zip(("loss", "accuracy"), sums / max(1, count), strict=True))

    def save(self, path: Path) -> None:
        """Writes everything a continued run needs, whole or not at all."""
        arrays = {
            f"{name}_{index}": np.asarray(variable)
            for name, variables in self._variables().items()
            for index, variable in enumerate(variables)
        }
        file = io.BytesIO()
        np.savez(
            file,
            epoch=self.epoch,
            history=json.dumps(self.history),
            settings=json.dumps(asdict(self.settings)),
            **arrays,  # type: ignore[arg-type]
        )
        write_whole(path, file.getvalue())

    def load(self, path: Path) -> bool:
        """Goes on where a run with the same settings stopped; False where there is none."""
        if not path.is_file():
            return False
        with np.load(path, allow_pickle=False) as file:
            if json.loads(str(file["settings"])) != asdict(self.settings):
                return False
            for name, variables in self._variables().items():
                for index, variable in enumerate(variables):
                    variable.assign(file[f"{name}_{index}"])
            self.epoch = int(file["epoch"])
            self.history = json.loads(str(file["history"]))
        return True

    def _variables(self) -> dict[str, list[keras.Variable]]:
        return {
            # Not only its weights: the state of its dropout too.
            "network": self.network.variables,
            "averaged": self.averaged.weights,
            "optimizer": self.optimizer.variables,
        }


def train_head(network: keras.Model, examples: Examples, settings: Settings) -> None:
    """Trains the head of a network from build_upper alone, in place."""
    extractor = keras.Model(network.input, network.get_layer("pooled").output)
    variants = examples.variants[:HEAD_VARIANTS]
    features = np.concatenate([predict(extractor, variant) for variant in variants])
    labels = np.tile(examples.labels, len(variants))
    inputs = keras.Input(features.shape[1:])
    head = keras.Model(inputs, _head(inputs, settings))
    trunk.copy_by_name(network, head)
    head.get_layer("standardised").set_weights([features.mean(axis=0), features.var(axis=0)])
    order = np.random.default_rng(settings.seed).permutation(len(labels))
    steps = len(labels) // settings.batch
    head.compile(
        keras.optimizers.AdamW(
            Schedule(settings.head_rate, steps, steps * settings.head_epochs),
            weight_decay=settings.weight_decay,
        ),
        keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=settings.smoothing),
    )
    answers = np.eye(len(fer2013.LABELS), dtype=np.float32)[labels]
    head.fit(
        features[order],
        answers[order],
        batch_size=settings.batch,
        epochs=settings.head_epochs,
        verbose=0,
    )
    trunk.copy_by_name(head, network)


def predict(network: keras.Model, inputs: np.ndarray, batch: int = 256) -> np.ndarray:
    """The network's outputs for maps, float32 (n, ...)."""

    @tf.function(reduce_retracing=True, autograph=False)
    def forward(part: tf.Tensor) -> tf.Tensor:
        return network(part, training=False)

    return np.concatenate(
        [forward(inputs[i : i + batch]).numpy() for i in range(0, len(inputs), batch)]
    )


def build_lower(trained: keras.Model) -> keras.Model:
    """The frozen stages with the trunk's weights: a crop -> maps."""
    stages = trunk.build_trunk(trunk.STAGES[:FROZEN], crop.SIDE)
    lower = keras.Model(stages.input, stages.outputs[-1], name="lower")
    trunk.copy_by_name(trained, lower)
    return lower


def whole_network(lower: keras.Model, uppers: list[keras.Model]) -> keras.Model:
    """A crop -> logits: the lower stages, then the mean of the branches' logits."""
    picture = keras.Input((crop.SIDE, crop.SIDE, 1), name="crop")
    lower_maps = lower(picture)
    logits = [upper(lower_maps) for upper in uppers]
    mean = keras.layers.Average(name="mean")(logits) if len(logits) > 1 else logits[0]
    return keras.Model(picture, mean, name="cnn")


def as_litert(network: keras.Model, halve: bool = False) -> bytes:
    """The network as a .tflite; halve: with float16 weights, for half the size."""
    converter = tf.lite.TFLiteConverter.from_keras_model(network)
    if halve:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    content: bytes = converter.convert()
    return content


def for_training(data: fer2013.Fer2013) -> np.ndarray:
    """Which images to learn from, bool (n,): Training without copies of tests and blank ones."""
    blank = data.images.min(axis=(1, 2)) == data.images.max(axis=(1, 2))
    return data.split("Training") & ~fer2013.training_copies_of_tests(data) & ~blank


def _map_folder(cache: Path, pictures: maps.Pictures) -> Path:
    """Named after all that decides the maps, so that other data or code makes its own."""
    digest = hashlib.sha256(MODEL.read_bytes())
    for source in (crop, maps, trunk):
        digest.update(Path(str(source.__file__)).read_bytes())
    digest.update(pictures.images.tobytes())
    digest.update(pictures.boxes.tobytes())
    return cache / f"maps-{digest.hexdigest()[:16]}"


def train_branch(
    training: Examples,
    public: tuple[np.ndarray, np.ndarray],
    trained: keras.Model,
    settings: Settings,
    checkpoint: Path,
    report: Callable[[str], None] = print,
    start: keras.Model | None = None,
) -> Training:
    """One network's upper stages, trained to the end or from its checkpoint on.

    public: maps and labels of PublicTest, for the curve. trained: the trunk. start: a network
    from build_upper to go on from, in place of the trunk's weights and a new head.
    """
    shape = training.variants[0].shape[1:]
    run = Training(
        lambda: build_upper(shape, settings),
        lambda network: trunk.copy_by_name(trained, network),
        settings,
        len(training.labels) // settings.batch,
    )
    if run.load(checkpoint):
        report(f"Going on after epoch {run.epoch} of {checkpoint.name}")
    elif start is not None:
        run.network.set_weights(start.get_weights())
        run.averaged.set_weights(start.get_weights())
    else:
        train_head(run.network, training, settings)
        run.averaged.set_weights(run.network.get_weights())
        right = predict(run.averaged, public[0]).argmax(axis=1) == public[1]
        report(f"head alone: PublicTest {right.mean():.2%}")
    while run.epoch < settings.epochs:
        started = time.monotonic()
        figures = run.run_epoch(training)
        right = predict(run.averaged, public[0]).argmax(axis=1) == public[1]
        figures |= {
            "public_test_accuracy": float(right.mean()),
            "seconds": time.monotonic() - started,
        }
        run.history.append(figures)
        run.save(checkpoint)
        report(
            f"epoch {run.epoch}/{settings.epochs}: loss {figures['loss']:.4f}, "
            f"PublicTest {figures['public_test_accuracy']:.2%}, {figures['seconds']:.0f} s"
        )
    return run


def train_cnn(
    data: fer2013.Fer2013,
    found: FoundLandmarks,
    out: Path,
    settings: Settings = SETTINGS,
    checkpoints: Path = CHECKPOINTS,
    cache: Path = CACHE,
    report: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Trains the image network, or goes on with it, and writes it to `out`, a .tflite.

    found: the faces of all of data's images. Returns what the bundle should say about it:
    settings, counts, the epochs' figures and PublicTest accuracy of the written file.
    """
    learned = for_training(data)
    public = data.split("PublicTest")
    if learned.sum() < settings.batch or not public.any():
        raise UserError(
            f"The image network needs at least {settings.batch} Training images and some "
            f"PublicTest images, but the data holds {learned.sum()} and {public.sum()}. "
            "Give --data the whole of FER2013."
        )
    faces = maps.pictures(data.images, found.landmarks, found.found)
    trained = trunk.load_trunk(MODEL)
    lower = build_lower(trained)
    frozen = as_litert(lower)
    training, tests = faces.part(learned), faces.part(public)
    variants = maps.make_maps(
        _map_folder(cache, training),
        frozen,
        training,
        # The plain cuts first: the head, which learns on the first two, is to know them best.
        PLAIN | {f"variant_{seed}": (seed, False) for seed in range(settings.variants)},
    )
    public_maps = maps.make_maps(_map_folder(cache, tests), frozen, tests, PLAIN)
    examples = Examples(data.labels[learned], tuple(variants.values()))
    answers = (public_maps["plain"], data.labels[public])
    runs, uppers = [], []
    for branch in range(settings.branches):
        first = replace(settings, seed=settings.seed + branch)
        checkpoint = checkpoints / f"cnn_{branch}.npz"
        run = train_branch(examples, answers, trained, first, checkpoint, report)
        runs.append(run)
        if settings.second_epochs:
            second = replace(
                first,
                epochs=settings.second_epochs,
                rate=settings.second_rate,
                dropout=settings.second_dropout,
                seed=first.seed + 1,
            )
            checkpoint = checkpoints / f"cnn_{branch}_second.npz"
            run = train_branch(examples, answers, trained, second, checkpoint, report, run.averaged)
            runs.append(run)
        upper = build_upper(examples.variants[0].shape[1:], settings)
        upper.set_weights(run.averaged.get_weights())
        upper.name = f"upper_{branch}"
        uppers.append(upper)
    content = as_litert(whole_network(lower, uppers), halve=True)
    write_whole(out, content)
    figures = accuracy(content, tests, data.labels[public])
    report(
        f"{out}: PublicTest {figures['accuracy']:.2%}, mirrored too {figures['with_mirror']:.2%}"
    )
    return {
        "settings": asdict(settings),
        "training_images": int(learned.sum()),
        "history": [run.history for run in runs],
        "public_test": figures,
    }


def accuracy(content: bytes, pictures: maps.Pictures, labels: np.ndarray) -> dict[str, float]:
    """The share of right answers through LiteRT, plain and averaged with the mirrored crop."""
    plain = maps.run_network(content, pictures)
    mirrored = maps.run_network(content, pictures, mirrored=True)
    return {
        "accuracy": float((plain.argmax(axis=1) == labels).mean()),
        "with_mirror": float(((plain + mirrored).argmax(axis=1) == labels).mean()),
    }


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file so that a kill or a full disk leaves the old one."""
    partial = path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise UserError(
            f"{path} cannot be saved ({error.strerror or error}); what was there before is "
            "unchanged. Free some space and start the training again: it goes on from there."
        ) from error


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `train.py cnn`."""
    parser.add_argument("--data", type=Path, required=True, help="fer2013.csv, folder or zip")
    parser.add_argument("--out", type=Path, default=CACHE / "cnn.tflite", help="where it goes")
    parser.add_argument("--checkpoints", type=Path, default=CHECKPOINTS, help="to go on from")
    parser.add_argument("--cache", type=Path, default=CACHE, help="where maps are kept")


def run(args: argparse.Namespace) -> int:
    """Trains the image network and says how it gets into a model."""
    data = fer2013.read(args.data)
    found = find_landmarks(data.images)
    train_cnn(data, found, args.out, SETTINGS, args.checkpoints, args.cache)
    print(f"Put it into the model: python train.py combine --data {args.data} --cnn {args.out}")
    return 0
