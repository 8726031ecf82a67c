"""`python train.py report`: what a model's page shows beside its figures, made from its networks.

The landmark map's table (which landmarks an answer hangs on, measured on PublicTest), a drawing of
the image network as it lies in the bundle, and its curves from the checkpoints of its training.
Nothing is trained or fitted, and the figures stay as they are.
"""

from __future__ import annotations

import argparse
import csv
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from moodmesh import bundle, fer2013, importance
from moodmesh.bundle import Bundle
from moodmesh.classifier import Classifier
from moodmesh.errors import UserError
from moodmesh.training import plots
from moodmesh.training.evaluate import face_of
from moodmesh.training.history import Row, history_csv
from moodmesh.training.landmark_cache import CACHE, FoundLandmarks, find_landmarks

# The columns that a history needs and, where the training names them otherwise, those names.
_COLUMNS = {"loss": "loss", "accuracy": "accuracy", "val_accuracy": "public_test_accuracy"}


def landmark_table(classifier: Classifier, landmarks: FoundLandmarks) -> bytes:
    """The table of :mod:`moodmesh.importance` for the landmark net, over the faces found."""
    logits = [
        classifier.landmark_logits(face)
        for index in range(len(landmarks.found))
        if (face := face_of(landmarks, index)) is not None
    ]
    features = landmarks.features()[landmarks.found]
    return importance.to_csv(
        importance.measure(features, np.stack(logits), classifier.bundle.labels)
    )


@dataclass
class _Stage:
    """Layers of a network whose output has one size."""

    size: tuple[int, ...]
    channels: int = 0
    layers: int = 0
    weights: int = 0


def layers_of(network: Path) -> list[plots.Box]:
    """A LiteRT image network as boxes: input, its layers by the size of their output, output."""
    interpreter = Interpreter(
        str(network),
        num_threads=1,
        # A delegate would show as one opaque layer.
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    shapes = {one["index"]: tuple(one["shape"]) for one in interpreter.get_tensor_details()}
    picture, answer = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    computed = {picture["index"]}
    stages: list[_Stage] = []
    for layer in interpreter._get_ops_details():
        given = [int(index) for index in layer["inputs"] if index >= 0]
        made = [int(index) for index in layer["outputs"]]
        if not computed.intersection(given):
            continue  # works on weights alone: half precision made whole
        computed.update(made)
        if layer["op_name"] not in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
            continue
        shape = shapes[made[0]]
        size = shape[1:-1] if len(shape) == 4 else (len(stages), shape[-1])
        if not stages or stages[-1].size != size:
            stages.append(_Stage(size))
        stage = stages[-1]
        stage.layers += 1
        stage.channels = max(stage.channels, shape[-1])
        stage.weights += sum(int(np.prod(shapes[i])) for i in given if i not in computed)
    height, width = shapes[picture["index"]][1:3]
    boxes = [plots.Box("One face", f"gray, {width}x{height} pixels, cut out and level")]
    joined = False
    for stage in stages:
        dense = len(stage.size) == 2 and stage.layers == 1 and stage.size[1] == stage.channels
        if stage is stages[-1]:
            labels = ", ".join(fer2013.LABELS) if stage.channels == len(fer2013.LABELS) else ""
            boxes.append(plots.Box(f"{stage.channels} expressions", labels, stage.weights))
        elif dense:
            inputs = stage.weights // stage.channels - 1  # each unit has a bias too
            detail = f"dense, on {inputs:,} numbers: the last maps, pooled"
            boxes.append(plots.Box(f"{stage.channels} units", detail, stage.weights))
            joined = True
        else:
            title = f"Maps of {stage.size[1]}x{stage.size[0]}, {stage.channels} deep"
            plural = "" if stage.layers == 1 else "s"
            # The file has one order; maps after the dense layer do not come from it.
            beside = ", a tower beside the layers above" if joined else ""
            detail = f"{stage.layers} convolution{plural}{beside}"
            boxes.append(plots.Box(title, detail, stage.weights))
    assert shapes[answer["index"]][-1] == stages[-1].channels
    return boxes


def read_history(paths: Sequence[Path]) -> list[Row]:
    """The epochs of one training, from its checkpoints (.npz) or tables (.csv), one after another.

    Rows as :func:`moodmesh.training.plots.curves` draws them.
    """
    rows: list[Row] = []
    for path in paths:
        try:
            if path.suffix == ".npz":
                with np.load(path, allow_pickle=False) as file:
                    found = json.loads(str(file["history"]))
            else:
                with path.open(newline="", encoding="utf-8") as table:
                    found = list(csv.DictReader(table))
            for row in found:
                values = {
                    name: float(row[name] if name in row else row[other])
                    for name, other in _COLUMNS.items()
                }
                rows.append({"epoch": float(len(rows) + 1), **values})
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            raise UserError(
                f"{path} holds no history of a training ({error}). Give --cnn-history the "
                "checkpoints of train.py cnn, or a table with epoch, loss, accuracy and "
                "val_accuracy."
            ) from None
    return rows


def of_image_network(network: Path, history: Sequence[Path] = ()) -> dict[str, bytes]:
    """The report's files on an image network; its curves only where there is a history.

    network: one of bundle.IMAGE_NETWORKS, which names the files.
    """
    name = network.stem
    titles = ("The image network", "The second image network", "The third image network")
    title = titles[bundle.IMAGE_NETWORKS.index(network.name)]
    files = {f"architecture_{name}.png": plots.architecture(title, layers_of(network))}
    if rows := read_history(history):
        files[f"history_{name}.csv"] = history_csv(rows).encode()
        files[f"curves_{name}.png"] = plots.curves(rows)
    return files


def complete(
    model: Bundle,
    data: fer2013.Fer2013,
    histories: Mapping[str, Sequence[Path]] | None = None,
    cache: Path = CACHE,
) -> Bundle:
    """Writes the bundle anew with these files in it.

    histories: of the image networks, by their files' names.
    """
    public = data.part(data.split("PublicTest"))
    if not len(public):
        raise UserError("The data holds no PublicTest images, so there is nothing to measure.")
    landmarks = find_landmarks(public.images, cache)
    files = {name: model.path(name).read_bytes() for name in model.files}
    files["landmark_importance.csv"] = landmark_table(Classifier(model), landmarks)
    for name in bundle.IMAGE_NETWORKS:
        if model.has(name):
            files |= of_image_network(model.path(name), (histories or {}).get(name, ()))
    return bundle.write(model.folder, replace(model, files={}), files)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `train.py report`."""
    parser.add_argument("--data", type=Path, required=True, help="fer2013.csv, folder or zip")
    parser.add_argument("--model", type=Path, default=bundle.GENERAL, help="the model's folder")
    for option, which in (
        ("--cnn-history", "image"),
        ("--cnn-2-history", "second image"),
        ("--cnn-3-history", "third image"),
    ):
        parser.add_argument(
            option,
            type=Path,
            nargs="+",
            default=(),
            metavar="FILE",
            help=f"checkpoints of train.py cnn, or tables: draws the {which} network's curves",
        )
    parser.add_argument("--cache", type=Path, default=CACHE, help="where found landmarks are kept")


def run(args: argparse.Namespace) -> int:
    """Makes the report's files and says where they are."""
    model = bundle.read(args.model)
    before = set(model.files)
    given = (args.cnn_history, args.cnn_2_history, args.cnn_3_history)
    histories = dict(zip(bundle.IMAGE_NETWORKS, given, strict=True))
    made = complete(model, fer2013.read(args.data), histories, args.cache)
    new = ", ".join(sorted(set(made.files) - before)) or "no new files, the old ones made anew"
    print(f"The report is in {made.folder}: {new}.")
    return 0
