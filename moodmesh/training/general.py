"""`python train.py fer2013`: the general model, from FER2013's pictures to a bundle.

    pictures -> landmarks (cached) -> feature vectors -> the dense net -> LiteRT
             -> temperature and 'sure' threshold on PublicTest -> figures -> bundle

PublicTest decides everything that is chosen; PrivateTest is only measured at the end. A run that
was killed goes on from its cache and its checkpoint.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import keras
import numpy as np

from moodmesh import bundle, fer2013
from moodmesh.classifier import Classifier, Combination
from moodmesh.errors import UserError
from moodmesh.features import FEATURES_VERSION, mirror
from moodmesh.training import calibrate, evaluate, networks, plots
from moodmesh.training.fit import Examples, Recipe, Row, fit, history_csv
from moodmesh.training.landmark_cache import CACHE, FoundLandmarks
from moodmesh.training.progress import Progress

CHECKPOINTS = Path(__file__).resolve().parents[2] / "checkpoints" / "fer2013"
NAME = "FER2013, seven expressions"
SHAPE = networks.Shape()
RECIPE = Recipe()
# Rare expressions count more, by the power of their rarity: 0 is none, 1 makes all classes equal.
BALANCE = 0.0


def _examples(
    features: np.ndarray, labels: np.ndarray, scaling: networks.Scaling, balance: float
) -> Examples:
    """Training examples of faces found, float32 (n, 1486), each also in its mirror."""
    views = np.stack([scaling(features), scaling(mirror(features))])
    rarity = 1 / np.maximum(np.bincount(labels, minlength=len(fer2013.LABELS)), 1)
    weights = (rarity**balance)[labels]
    return Examples(
        views,
        np.ones(views.shape[:2], bool),
        np.eye(len(fer2013.LABELS), dtype=np.float32)[labels],
        (weights / weights.mean()).astype(np.float32),
    )


def _checkpoint(examples: Examples, shape: networks.Shape, recipe: Recipe) -> Path:
    """Where this very training keeps its state: other data or settings are another file."""
    content = hashlib.sha256(examples.views.tobytes() + examples.targets.tobytes())
    content.update(json.dumps([asdict(shape), asdict(recipe), FEATURES_VERSION]).encode())
    return CHECKPOINTS / f"{content.hexdigest()[:16]}.npz"


def train_net(
    data: fer2013.Fer2013,
    landmarks: FoundLandmarks,
    shape: networks.Shape,
    recipe: Recipe,
    progress: Progress,
    tensorboard: Path | None = None,
) -> tuple[keras.Model, list[Row], int]:
    """The dense net trained on FER2013, its history, and how many pictures it learned from."""
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
    scaling = networks.fit_scaling(features[learned], components, shape.whitening)
    examples = _examples(features[learned], data.labels[learned], scaling, BALANCE)
    keras.utils.set_random_seed(recipe.seed)
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
        _checkpoint(examples, shape, recipe),
        progress,
        "Training the landmark net",
        tensorboard,
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


def _report(test: evaluate.Test, how: Combination, counts: list[list[int]]) -> dict[str, bytes]:
    """The report's pictures that show how the finished model fares on a test split.

    counts: its confusion matrix.
    """
    titles = {"landmarks": "Landmark net", "cnn": "Image network", "ensemble": "Both together"}
    given = evaluate.answers(test.logits, how)
    if "cnn" not in given:
        del given["ensemble"]
    right = np.trace(counts) / len(test.data)
    return {
        "confusion_matrix.png": plots.confusion_matrix(
            np.array(counts),
            fer2013.LABELS,
            f"What it reads, in % of each row: {100 * right:.1f}% right in all",
        ),
        "reliability.png": plots.reliability_diagram(
            {
                titles[name]: (one.probabilities[one.given], test.data.labels[one.given])
                for name, one in given.items()
            }
        ),
    }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `train.py fer2013`."""
    parser.add_argument("--data", type=Path, required=True, help="fer2013.csv, folder or zip")
    parser.add_argument("--ferplus", type=Path, help="fer2013new.csv of FER+: adds its figures")
    parser.add_argument("--out", type=Path, default=bundle.GENERAL, help="where the model goes")
    parser.add_argument("--cnn", type=Path, help="the image network; by default the old model's")
    parser.add_argument("--epochs", type=int, default=RECIPE.epochs)
    parser.add_argument("--batch", type=int, default=RECIPE.batch)
    parser.add_argument("--seed", type=int, default=RECIPE.seed)
    parser.add_argument("--cache", type=Path, default=CACHE, help="where found landmarks are kept")
    parser.add_argument("--tensorboard", type=Path, metavar="DIR", help="write logs there")
    parser.add_argument("--progress", type=Path, metavar="FILE", help="keep the state there (JSON)")


def _kept_files(out: Path, cnn: Path | None) -> dict[str, bytes]:
    """What a new bundle takes over: the image network and its drawing."""
    kept: dict[str, bytes] = {}
    if (out / bundle.MANIFEST).is_file():
        try:
            old = bundle.read(out)
        except UserError as error:
            print(f"The model that was there is not used: {error}")
        else:
            for name in ("cnn.tflite", "architecture_cnn.png"):
                if old.has(name):
                    kept[name] = old.path(name).read_bytes()
    if cnn is not None:
        try:
            kept["cnn.tflite"] = cnn.read_bytes()
        except OSError as error:
            raise UserError(f"{cnn} cannot be read ({error.strerror}). Check --cnn.") from error
    return kept


def run(args: argparse.Namespace) -> int:
    """Trains, evaluates and writes the bundle."""
    data = fer2013.read(args.data)
    landmarks = evaluate.split_landmarks(data, args.cache)
    recipe = replace(RECIPE, epochs=args.epochs, batch=args.batch, seed=args.seed)
    progress = Progress(args.progress)
    net, history, learned = train_net(data, landmarks, SHAPE, recipe, progress, args.tensorboard)
    progress.close()
    shape = networks.shape_of(net, SHAPE)
    files = _kept_files(args.out, args.cnn) | {
        "landmarks.tflite": networks.to_litert(networks.symmetric(net)),
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
            "features_version": FEATURES_VERSION,
            "recipe": asdict(recipe),
        },
        settings={"network": networks.shape_settings(shape)},
    )
    finish(args.out, draft, files, data, args.ferplus, args.cache)
    return 0


def finish(
    out: Path,
    draft: bundle.Bundle,
    files: dict[str, bytes],
    data: fer2013.Fer2013,
    ferplus: Path | None,
    cache: Path = CACHE,
) -> bundle.Bundle:
    """Calibrates on PublicTest, measures, draws the report and writes the bundle."""
    with TemporaryDirectory() as folder:
        classifier = Classifier(bundle.write(Path(folder) / "draft", draft, files))
        tests = evaluate.run_tests(classifier, data, ferplus, cache)
        public = tests["public_test"]
        how = calibrate.fit_combination(public.logits, public.data.labels)
        figures = evaluate.evaluate(classifier, tests, how)
    counts = figures["private_test"]["ensemble"]["confusion"]
    files |= _report(tests["private_test"], how, counts)
    settings = {**draft.settings, **asdict(how)}
    finished = bundle.write(out, replace(draft, metrics=figures, settings=settings), files)
    print(evaluate.table(figures))
    print(f"The model is in {out}.")
    return finished
