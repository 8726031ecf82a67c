"""`python train.py combine`: puts an image network into a model and fits how the two work together.

On PublicTest: temperatures, weights, the gate that decides when the image network is asked, the
confidence from which an answer is shown as sure. Then the figures and the report's pictures are
made anew. Nothing is trained, and TensorFlow is not needed.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from moodmesh import bundle, fer2013
from moodmesh.classifier import Classifier, Combination
from moodmesh.errors import UserError
from moodmesh.training import calibrate, evaluate, plots
from moodmesh.training.landmark_cache import CACHE
from moodmesh.training.model_card import IMAGE_NETWORKS, model_card

_TITLES = {"landmarks": "Landmark net", "cnn": "Image network", "ensemble": "Both together"}


def _pictures(test: evaluate.Test, how: Combination, counts: list[list[int]]) -> dict[str, bytes]:
    """How the finished model fares on a test split; counts: its confusion matrix."""
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
                _TITLES[name]: (one.probabilities[one.given], test.data.labels[one.given])
                for name, one in given.items()
            }
        ),
    }


def finish(
    out: Path,
    draft: bundle.Bundle,
    files: dict[str, bytes],
    data: fer2013.Fer2013,
    ferplus: Path | None,
    cache: Path = CACHE,
) -> bundle.Bundle:
    """Fits the combination on PublicTest, measures, draws the report and writes the bundle."""
    # Those of other image networks may be more or fewer.
    draft = replace(draft, settings={k: v for k, v in draft.settings.items() if k != "shares"})
    with TemporaryDirectory() as folder:
        classifier = Classifier(bundle.write(Path(folder) / "draft", draft, files))
        tests = evaluate.run_tests(classifier, data, ferplus, cache)
        public = tests["public_test"]
        how = Combination(shares=calibrate.mix_networks(public.logits, public.data.labels))
        tests = {name: test.mixed(how) for name, test in tests.items()}
        public = tests["public_test"]
        fitted = calibrate.fit_combination(public.logits, public.data.labels)
        how = replace(fitted, shares=how.shares)
        figures = evaluate.evaluate(classifier, tests, how)
    counts = figures["private_test"]["ensemble"]["confusion"]
    card = model_card(draft.name, draft.trained_on, figures).encode()
    made = _pictures(tests["private_test"], how, counts) | {"MODEL_CARD.md": card}
    settings = {**draft.settings, **asdict(how)}
    finished = bundle.write(out, replace(draft, metrics=figures, settings=settings), files | made)
    print(evaluate.table(figures))
    print(f"The model is in {out}.")
    return finished


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `train.py combine`."""
    parser.add_argument("--data", type=Path, required=True, help="fer2013.csv, folder or zip")
    parser.add_argument("--ferplus", type=Path, help="fer2013new.csv of FER+: adds its figures")
    parser.add_argument(
        "--cnn",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="the image network, or two or three, the best one first; by default the model's own",
    )
    parser.add_argument("--model", type=Path, default=bundle.GENERAL, help="the model's folder")
    parser.add_argument("--cache", type=Path, default=CACHE, help="where found landmarks are kept")


def read_cnns(paths: Sequence[Path]) -> dict[str, bytes]:
    """Image networks as files of a bundle."""
    if len(paths) > len(bundle.IMAGE_NETWORKS):
        raise UserError(
            f"--cnn names {len(paths)} image networks, but a model holds at most "
            f"{len(bundle.IMAGE_NETWORKS)}."
        )
    files = {}
    for name, path in zip(bundle.IMAGE_NETWORKS, paths, strict=False):
        try:
            files[name] = path.read_bytes()
        except OSError as error:
            raise UserError(f"{path} cannot be read ({error.strerror}). Check --cnn.") from error
    return files


def grown_on(paths: Sequence[Path]) -> dict[str, list[str]]:
    """What a bundle says of where its image networks began: their files are named after it."""
    return {IMAGE_NETWORKS: [path.stem for path in paths]}


def run(args: argparse.Namespace) -> int:
    """Combines, measures and writes the model anew."""
    model = bundle.read(args.model)
    files = {name: model.path(name).read_bytes() for name in model.files}
    if args.cnn:
        # The old ones' drawings and curves go with them; train.py report makes the new ones'.
        files = {name: files[name] for name in files if "cnn" not in name} | read_cnns(args.cnn)
        model = replace(model, trained_on=model.trained_on | grown_on(args.cnn))
    finish(args.model, model, files, fer2013.read(args.data), args.ferplus, args.cache)
    return 0
