"""`python train.py fer2013`: the general model, from FER2013's pictures to a bundle.

    pictures, plain and varied -> landmarks (cached) -> feature vectors
             -> the dense net, taught by labels and by the image network -> LiteRT
             -> temperature and 'sure' threshold on PublicTest -> figures -> bundle

PublicTest decides everything that is chosen; PrivateTest is only measured at the end. A run that
was killed goes on from its cache and its checkpoint.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from moodmesh import bundle, fer2013, importance
from moodmesh.classifier import softmax
from moodmesh.errors import UserError
from moodmesh.features import FEATURES_VERSION, mirror
from moodmesh.training import cluster, evaluate, networks, plots, views
from moodmesh.training.combine import finish, grown_on, read_cnns
from moodmesh.training.fit import Examples, Recipe, fit
from moodmesh.training.history import Row, history_csv
from moodmesh.training.landmark_cache import (
    CACHE,
    FoundLandmarks,
    find_landmarks,
    on_this_machine,
)
from moodmesh.training.model_card import IMAGE_NETWORKS
from moodmesh.training.progress import Progress
from moodmesh.training.teacher import teacher_logits

CHECKPOINTS = Path(__file__).resolve().parents[2] / "checkpoints" / "fer2013"
NAME = "FER2013, seven expressions"
# docs/recognition.md has the runs that chose these.
SHAPE = networks.Shape(dropout=0.2)
# Labels are smoothed here, since the teacher's part of the targets must not be.
RECIPE = Recipe(epochs=40, noise=0.05, smoothing=0.0)
SMOOTHING = 0.1
# The teacher's part of the targets; the labels have the rest.
TAUGHT = 0.6
# Seeds of moodmesh.training.views: each training face is also seen in one picture of each.
VIEWS = (1,)


def _targets(labels: np.ndarray, teacher: np.ndarray | None) -> np.ndarray:
    """What to learn, float32 (n, 7): smoothed labels, mixed with what the teacher's logits say."""
    classes = len(fer2013.LABELS)
    targets = np.eye(classes)[labels] * (1 - SMOOTHING) + SMOOTHING / classes
    if teacher is not None:
        targets = TAUGHT * softmax(teacher) + (1 - TAUGHT) * targets
    return targets.astype(np.float32)


def _examples(
    views: Sequence[tuple[np.ndarray, np.ndarray]], targets: np.ndarray, scaling: networks.Scaling
) -> Examples:
    """Training examples from views of the same faces, each also in its mirror.

    views: features, float32 (n, 1486), and where there was a face, bool (n,). The first has all.
    """
    rows = [scaling(seen) for features, _ in views for seen in (features, mirror(features))]
    found = [found for _, found in views for _ in range(2)]
    return Examples(np.stack(rows), np.stack(found), targets, np.ones(len(targets), np.float32))


def _checkpoint(folder: Path, examples: Examples, shape: networks.Shape, recipe: Recipe) -> Path:
    """Where this very training keeps its state: other data or settings are another file."""
    content = hashlib.sha256(examples.views.tobytes() + examples.targets.tobytes())
    content.update(json.dumps([asdict(shape), asdict(recipe), FEATURES_VERSION]).encode())
    return folder / f"{content.hexdigest()[:16]}.npz"


def train_net(
    data: fer2013.Fer2013,
    landmarks: FoundLandmarks,
    shape: networks.Shape,
    recipe: Recipe,
    checkpoints: Path,
    progress: Progress,
    strategy: tf.distribute.Strategy,
    tensorboard: Path | None = None,
    varied: Sequence[FoundLandmarks] = (),
    teacher: np.ndarray | None = None,
) -> tuple[keras.Model, list[Row], int]:
    """The dense net trained on FER2013, its history, and how many pictures it learned from.

    varied: the landmarks of other views of the Training images. teacher: what the image network
    says of these, float32 (n, 7).
    """
    copies = fer2013.training_copies_of_tests(data)
    learned = data.split("Training") & landmarks.found & ~copies
    public = data.split("PublicTest") & landmarks.found
    if learned.sum() < recipe.batch or not public.any():
        raise UserError(
            f"A face was found in {learned.sum()} Training and {public.sum()} PublicTest images: "
            "too few to train on. Give --data the whole of FER2013."
        )
    features = landmarks.features()
    components = min(shape.components, int(learned.sum()) - 1)
    if components < shape.components:
        shape = networks.Shape(**{**asdict(shape), "components": components})
    kept = learned[data.split("Training")]
    faces = [(features[learned], np.ones(kept.sum(), bool))]
    faces += [(view.features()[kept], view.found[kept]) for view in varied]
    seen = np.concatenate([rows[found] for rows, found in faces])
    scaling = networks.fit_scaling(seen, components, shape.whitening)
    targets = _targets(data.labels[learned], None if teacher is None else teacher[kept])
    examples = _examples(faces, targets, scaling)
    keras.utils.set_random_seed(recipe.seed)
    with strategy.scope():
        net = networks.build(shape, scaling, recipe.seed)
        # The scaling is fixed, so it is applied once and the rest is trained on its output.
        rest = keras.Model(net.get_layer("scaling").output, net.output)
        history = fit(
            rest,
            examples,
            (
                scaling(features[public]),
                np.eye(len(fer2013.LABELS), dtype=np.float32)[data.labels[public]],
            ),
            recipe,
            _checkpoint(checkpoints, examples, shape, recipe),
            progress,
            "Training the landmark net",
            tensorboard,
            cluster.is_chief(),
        )
    return net, history, int(learned.sum())


def _boxes(net: keras.Model, shape: networks.Shape) -> list[plots.Box]:
    def weights(*names: str) -> int:
        return sum(net.get_layer(name).count_params() for name in names)

    hidden = [
        plots.Box(
            f"{units} units, GELU",
            "dense, batch normalisation, dropout in training",
            weights(f"hidden_{number}_weights", f"hidden_{number}_scale"),
        )
        for number, units in enumerate(shape.hidden, start=1)
    ]
    return [
        plots.Box("One face", "478 landmarks in x, y, z, turned frontal, and 52 blendshapes"),
        plots.Box(
            f"Scaling to {shape.components} + 52 numbers",
            "principal components of the mesh; computed, not learned",
            weights("scaling"),
            fixed=True,
        ),
        *hidden,
        plots.Box(
            f"Embedding: {networks.EMBEDDING} units, GELU",
            "personal models start from here",
            weights("embedding_weights", "embedding_scale"),
        ),
        plots.Box("Seven expressions", ", ".join(fer2013.LABELS), weights("logits")),
    ]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `train.py fer2013`."""
    parser.add_argument("--data", type=Path, required=True, help="fer2013.csv, folder or zip")
    parser.add_argument("--ferplus", type=Path, help="fer2013new.csv of FER+: adds its figures")
    parser.add_argument("--out", type=Path, default=bundle.GENERAL, help="where the model goes")
    parser.add_argument(
        "--cnn",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="the image networks, the first of which also teaches; by default the old model's",
    )
    parser.add_argument("--epochs", type=int, default=RECIPE.epochs)
    parser.add_argument("--checkpoints", type=Path, default=CHECKPOINTS, help="to go on from")
    parser.add_argument("--batch", type=int, default=RECIPE.batch)
    parser.add_argument("--seed", type=int, default=RECIPE.seed)
    parser.add_argument("--cache", type=Path, default=CACHE, help="where found landmarks are kept")
    parser.add_argument("--dask", metavar="tcp://HOST:PORT", help="find landmarks on this cluster")
    parser.add_argument("--tensorboard", type=Path, metavar="DIR", help="write logs there")
    parser.add_argument("--progress", type=Path, metavar="FILE", help="keep the state there (JSON)")


def _kept(out: Path, cnns: Sequence[Path]) -> tuple[dict[str, bytes], dict[str, list[str]]]:
    """What a new bundle takes over: the image networks and their drawings, and what is said of
    where they began."""
    if cnns:
        return read_cnns(cnns), grown_on(cnns)
    if not (out / bundle.MANIFEST).is_file():
        return {}, {}
    try:
        old = bundle.read(out)
    except UserError as error:
        print(f"The model that was there is not used: {error}")
        return {}, {}
    files = {name: old.path(name).read_bytes() for name in old.files if "cnn" in name}
    began = old.trained_on.get(IMAGE_NETWORKS)
    return files, {} if began is None else {IMAGE_NETWORKS: began}


def run(args: argparse.Namespace) -> int:
    """Trains, evaluates and writes the bundle."""
    # TensorFlow wants its cluster before anything else.
    strategy = (
        tf.distribute.MultiWorkerMirroredStrategy()
        if cluster.has_workers()
        else tf.distribute.get_strategy()
    )
    data = fer2013.read(args.data)
    map_chunks = cluster.on_dask(args.dask) if args.dask else on_this_machine
    landmarks = evaluate.split_landmarks(data, args.cache, map_chunks)
    recipe = replace(RECIPE, epochs=args.epochs, batch=args.batch, seed=args.seed)
    kept_files, began = _kept(args.out, args.cnn or ())
    training = data.split("Training")
    images = data.images[training]
    varied = [find_landmarks(views.varied(images, seed), args.cache, map_chunks) for seed in VIEWS]
    teacher = None
    if "cnn.tflite" in kept_files:
        network = kept_files["cnn.tflite"]
        teacher = teacher_logits(network, images, landmarks.part(training), args.cache)
    progress = Progress(args.progress)
    net, history, learned = train_net(
        data,
        landmarks,
        SHAPE,
        recipe,
        args.checkpoints,
        progress,
        strategy,
        args.tensorboard,
        varied,
        teacher,
    )
    progress.close()
    if not cluster.is_chief():
        return 0
    shape = networks.shape_of(net, SHAPE)
    shipped = networks.symmetric(networks.folded(net))
    public = landmarks.features()[data.split("PublicTest") & landmarks.found]
    says = np.asarray(shipped(public, training=False))
    files = kept_files | {
        "landmarks.tflite": networks.to_litert(shipped),
        "landmark_importance.csv": importance.to_csv(
            importance.measure(public, says, fer2013.LABELS)
        ),
        "weights.npz": networks.to_npz(net),
        "history.csv": history_csv(history).encode(),
        "curves.png": plots.curves(history),
        "architecture.png": plots.architecture("The landmark net", _boxes(net, shape)),
    }
    draft = bundle.Bundle(
        NAME,
        fer2013.LABELS,
        trained_on={
            "data": "FER2013, Training split, without images that also stand in a test split",
            "images": learned,
            **began,
            "features_version": FEATURES_VERSION,
            "recipe": asdict(recipe) | {"smoothing": SMOOTHING, "views": 1 + len(VIEWS)},
            "taught_by_image_network": TAUGHT if teacher is not None else 0.0,
        },
        settings={"network": networks.shape_settings(shape)},
    )
    finish(args.out, draft, files, data, args.ferplus, args.cache)
    return 0
