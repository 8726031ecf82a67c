"""A personal model in Keras: trained, judged by takes it never saw, and written as a bundle."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from moodmesh import bundle
from moodmesh.bundle import Bundle
from moodmesh.classifier import softmax
from moodmesh.features import FEATURES, mirror
from moodmesh.holistic import Kind
from moodmesh.holistic_features import FACE_PART, SEEN, mirror_holistic
from moodmesh.training import metrics, networks, plots
from moodmesh.training.augment import mirror_is_another_label, vary, vary_holistic
from moodmesh.training.heads import (
    EPOCHS,
    MORE_DIRECTIONS,
    Familiarity,
    Heads,
    Standard,
    fit_familiarity,
    fit_heads,
    principal_directions,
    standard_embedding,
    standard_features,
)
from moodmesh.training.history import Row, history_csv
from moodmesh.training.personal import Material, Steps

NAME = "Your own expressions"
# Each frame is looked at once as it is and this often seen differently; more did not help.
LOOKS = 2
# More heads than this gain nothing: with ten each learns from nine tenths of the takes.
MOST_HEADS = 10
# How far the general model's word counts for the labels it knows; chosen on takes left out.
GENERAL_WEIGHTS = (0.0, 0.1, 0.3, 1.0)
# With no second take to choose it on.
UNTRIED_GENERAL_WEIGHT = 0.1
# Takes left out that are all read right would call for boundless confidence.
LEAST_TEMPERATURE = 1.0
# A face is as likely unfamiliar as familiar where this share of the samples, those seen
# differently among them, is nearer to its takes. Of the test face's takes from other distances
# and sides 96% of frames are nearer than that, of its three foreign expressions 26%; at 0.85 they
# are 98% and 35%. A class of foreign expressions, made by adding movements of other people's faces
# to the own one, told less: 47% of the foreign frames at the price of nine points of the own ones.
FAMILIAR_SHARE = 0.8
# How suddenly familiarity falls with the logarithm of the distance.
FALL = 8.0
# Of what is shown as sure so many should be right.
SURE_ACCURACY = 0.95


@dataclass(frozen=True)
class General:
    """What the general net says about rows of features.

    embedding: float32 (n, 128). logits: float32 (n, its labels), at temperature 1.
    """

    embedding: np.ndarray
    logits: np.ndarray


@dataclass(frozen=True)
class Judged:
    """Frames of takes that were left out: their rows, and what the heads without them say.

    rows: int (m,), into the material. logits: float32 (m, labels). distance: float32 (m,).
    """

    rows: np.ndarray
    logits: np.ndarray
    distance: np.ndarray


def folds(material: Material) -> np.ndarray:
    """For each frame the head that must not learn from it, int (n,); -1: a label's only take.

    Each head is without one take of every label that has two or more.
    """
    heads = min(MOST_HEADS, max(material.takes.values()))
    fold = np.full(len(material.take), -1)
    for label in range(len(material.labels)):
        own = np.unique(material.take[material.label == label])
        if len(own) < 2:
            continue
        for number, take in enumerate(own):
            fold[material.take == take] = number % heads
    return fold


def _general(net: keras.Model, features: np.ndarray) -> General:
    features = features[:, :FEATURES]  # of a holistic vector the face comes first
    both = keras.Model(net.input, [net.get_layer("embedding").output, net.output])
    embedding, logits = both.predict(features, batch_size=1024, verbose=0)
    return General(embedding, logits)


def _prior(known: tuple[str, ...], labels: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """A matrix (known, labels) and a bias (labels,) that turn the general model's log
    probabilities into those of these labels; of a new label it says no more than chance."""
    matrix = np.array([[float(a == b) for b in labels] for a in known], np.float32)
    bias = np.where(matrix.any(axis=0), 0, -np.log(len(known))).astype(np.float32)
    return matrix, bias


def _log_softmax(logits: np.ndarray, temperature: float) -> np.ndarray:
    return np.log(np.maximum(softmax(logits, temperature), 1e-6))


def train(material: Material, out: Path, general: Path, steps: Steps, seed: int) -> Bundle:
    """Trains on the material and writes the bundle; returns it as read."""
    base = bundle.read(general, "face")
    net = networks.load_general(base)
    rng = np.random.default_rng(seed)
    labels = material.labels
    features, row = _looks(material, rng, steps)
    steps.tell("Looking again", 0.5)
    seen = _general(net, features)
    own, embedded = standard_features(features), standard_embedding(seen.embedding)
    familiar_inputs = own(features)
    # Of a face that is not seen the general net has nothing to say.
    has_face = np.ones(len(features), np.float32)
    if material.kind == "holistic":
        has_face = features[:, SEEN][:, FACE_PART]
    inputs = np.concatenate([familiar_inputs, has_face[:, None] * embedded(seen.embedding)], axis=1)

    fold = folds(material)
    heads = fold.max() + 2  # the last one learns from everything
    learned = fold[row][:, None] != np.arange(heads)
    real = np.arange(len(material.features))  # the first rows are the frames as they are
    judged_rows = np.flatnonzero(fold >= 0)

    def after_epoch(epoch: int, trained: Heads, loss: float) -> Row:
        said = trained.logits(inputs[real])
        figures = {
            "loss": loss / heads,
            "accuracy": metrics.accuracy(said[:, -1].argmax(axis=1), material.label),
        }
        if len(judged_rows):
            unseen = said[judged_rows, fold[judged_rows]]
            truth = material.label[judged_rows]
            figures["val_loss"] = metrics.log_loss(softmax(unseen), truth)
            figures["val_accuracy"] = metrics.accuracy(unseen.argmax(axis=1), truth)
        steps.tell("Training", epoch / EPOCHS, epoch=epoch, **figures)
        return {"epoch": epoch, **figures}

    trained, history = fit_heads(
        inputs, material.label[row], learned, len(labels), after_epoch, seed
    )
    steps.tell("Finishing")
    basis = principal_directions(familiar_inputs, len(labels) + MORE_DIRECTIONS)
    judged = _judge(material, inputs, familiar_inputs, basis, row, fold, trained, judged_rows)
    familiarity = fit_familiarity(familiar_inputs, material.label[row], basis)
    matrix, bias = _prior(base.labels, labels)
    general_temperature = float(base.settings.get("temperature", 1.0))
    prior = _log_softmax(seen.logits[real], general_temperature) @ matrix + bias
    prior *= has_face[real, None]
    weight, temperature = _combine(judged, prior, material.label)
    reach = float(np.quantile(familiarity.distance(familiar_inputs), FAMILIAR_SHARE))
    said = _known(
        softmax(judged.logits + weight * prior[judged.rows], temperature),
        judged.distance,
        reach,
    )
    sure = _sure(said, material.label[judged.rows], len(labels))
    last = Heads(trained.kernel[:, -1], trained.bias[-1])
    model = _network(
        net,
        last,
        own,
        embedded,
        (matrix, bias, weight, general_temperature),
        temperature,
        familiarity,
        reach,
    )
    figures = _figures(material, said, judged, sure)
    figures["general"] = _before(
        material, seen.logits[real], base.labels, has_face[real] > 0, said, judged
    )
    files = {
        "landmarks.tflite": networks.to_litert(model),
        "weights.npz": networks.to_npz(model),
        "history.csv": history_csv(history).encode(),
        "curves.png": plots.curves(history, "your takes", "takes left out"),
        "confusion_matrix.png": plots.confusion_matrix(
            np.array(figures["confusion"]),
            labels,
            f"Takes it had not seen, in % of each row: {100 * figures['accuracy']:.1f}% right"
            if figures["frames"]
            else "Record a second take of each label to judge it",
            "frames",
        ),
        "architecture.png": plots.architecture(
            "Your own model", _boxes(base, labels, last, material.kind)
        ),
    }
    return bundle.write(
        out,
        Bundle(
            NAME,
            labels,
            kind=material.kind,
            trained_on={
                "takes": material.takes,
                "frames": {
                    label: int((material.label == i).sum()) for i, label in enumerate(labels)
                },
                "general": base.name,
                "seed": seed,
            },
            metrics={"held_out": figures},
            settings={
                "temperature": 1.0,  # the network's last layer holds it
                "sure": sure,
                "general_weight": weight,
                "heads_temperature": temperature,
                "reach": reach,
            },
        ),
        files,
    )


def _looks(
    material: Material, rng: np.random.Generator, steps: Steps
) -> tuple[np.ndarray, np.ndarray]:
    """All frames, then all seen differently; and the frame that each row shows, int (rows,)."""
    plain = material.features
    means = np.stack([plain[material.label == i].mean(axis=0) for i in range(len(material.labels))])
    holistic = material.kind == "holistic"
    flip, seen_differently = (mirror_holistic, vary_holistic) if holistic else (mirror, vary)
    sides = [plain] if mirror_is_another_label(means, flip(means)) else [plain, flip(plain)]
    views = list(sides)
    for look in range(LOOKS):
        views += [seen_differently(side, rng) for side in sides]
        steps.tell("Looking again", 0.5 * look / LOOKS)
    return np.concatenate(views), np.tile(np.arange(len(plain)), len(views))


def _judge(
    material: Material,
    inputs: np.ndarray,
    familiar_inputs: np.ndarray,
    basis: np.ndarray,
    row: np.ndarray,
    fold: np.ndarray,
    trained: Heads,
    rows: np.ndarray,
) -> Judged:
    logits = trained.logits(inputs[rows])[np.arange(len(rows)), fold[rows]]
    distance = np.zeros(len(rows), np.float32)
    for number in np.unique(fold[rows]):
        others = fold[row] != number
        familiarity = fit_familiarity(familiar_inputs[others], material.label[row[others]], basis)
        left_out = fold[rows] == number
        distance[left_out] = familiarity.distance(familiar_inputs[rows[left_out]])
    return Judged(rows, logits, distance)


def _combine(judged: Judged, prior: np.ndarray, label: np.ndarray) -> tuple[float, float]:
    """The general model's weight and the temperature with the lowest loss on takes left out."""
    if not len(judged.rows):
        return UNTRIED_GENERAL_WEIGHT, LEAST_TEMPERATURE
    truth = label[judged.rows]
    tried = []
    for weight in GENERAL_WEIGHTS:
        logits = judged.logits + weight * prior[judged.rows]
        temperature = max(LEAST_TEMPERATURE, metrics.fit_temperature(logits, truth))
        tried.append((metrics.log_loss(softmax(logits, temperature), truth), weight, temperature))
    _, weight, temperature = min(tried)
    return weight, temperature


def _known(probabilities: np.ndarray, distance: np.ndarray, reach: float) -> np.ndarray:
    """Probabilities (n, labels) that fall back to chance with the distance from all takes."""
    familiar = 1 / (1 + (np.maximum(distance, 1e-6) / reach) ** FALL)
    chance = 1 / probabilities.shape[1]
    result: np.ndarray = familiar[:, None] * (probabilities - chance) + chance
    return result


def _sure(probabilities: np.ndarray, label: np.ndarray, labels: int) -> float:
    """The confidence from which it is sure; at least halfway from chance to certainty."""
    least = (1 + 1 / labels) / 2
    if not len(label) or metrics.accuracy(probabilities.argmax(axis=1), label) >= SURE_ACCURACY:
        return least
    return float(np.clip(metrics.sure_threshold(probabilities, label, SURE_ACCURACY), least, 0.95))


def _network(
    net: keras.Model,
    head: Heads,
    own: Standard,
    embedded: Standard,
    prior: tuple[np.ndarray, np.ndarray, float, float],
    temperature: float,
    familiarity: Familiarity,
    reach: float,
) -> keras.Model:
    """All of it as one network: feature vectors (n, numbers) to log probabilities (n, labels)."""
    ops = keras.ops
    features = keras.Input((len(own.shift),), name="features")
    general = keras.Model(net.input, [net.get_layer("embedding").output, net.output])
    has_face: Any = 1
    if own.parts:
        embedding, general_logits = general(features[:, :FEATURES])
        has_face = features[:, SEEN.start + FACE_PART : SEEN.start + FACE_PART + 1]
    else:
        embedding, general_logits = general(features)

    def fixed(name: str, x: Any, kernel: np.ndarray, bias: np.ndarray) -> Any:
        layer = keras.layers.Dense(kernel.shape[1], trainable=False, name=name)
        y = layer(x)
        layer.set_weights([kernel.astype(np.float32), bias.astype(np.float32)])
        return y

    kernel, shift = own.folded(head.kernel[: len(own.shift)])
    logits: Any = fixed("own", features, kernel, head.bias + shift)
    kernel, shift = embedded.folded(head.kernel[len(own.shift) :])
    logits = logits + has_face * fixed("from_embedding", embedding, kernel, shift)
    matrix, bias, weight, general_temperature = prior
    if weight:
        said = ops.log(ops.maximum(ops.softmax(general_logits / general_temperature), 1e-6))
        logits = logits + has_face * fixed("general", said, weight * matrix, weight * bias)
    probabilities = ops.softmax(logits / temperature)

    places = fixed("places", features, *own.folded(familiarity.matrix))
    centres = familiarity.centres
    # |a - c|^2 = |a|^2 - 2 a.c + |c|^2, so that a dense layer holds the centres.
    products = fixed("centres", places, -2 * centres.T, (centres**2).sum(axis=1))
    squares = ops.sum(places * places, axis=1, keepdims=True) + products
    square = ops.maximum(ops.min(squares, axis=1, keepdims=True) / centres.shape[1], 1e-12)
    familiar = ops.sigmoid(-FALL / 2 * (ops.log(square) - float(2 * np.log(reach))))
    chance = 1 / matrix.shape[1]
    mixed = familiar * (probabilities - chance) + chance
    return keras.Model(features, ops.log(ops.maximum(mixed, 1e-9)), name="personal")


def _figures(material: Material, said: np.ndarray, judged: Judged, sure: float) -> dict[str, Any]:
    truth = material.label[judged.rows]
    predicted = said.argmax(axis=1) if len(said) else np.array([], int)
    confident = said.max(axis=1) >= sure if len(said) else np.array([], bool)
    by_class = metrics.by_class(predicted, truth, len(material.labels))
    return {
        "frames": len(truth),
        "accuracy": metrics.accuracy(predicted, truth) if len(truth) else 0.0,
        "sure": float(confident.mean()) if len(truth) else 0.0,
        "accuracy_when_sure": metrics.accuracy(predicted[confident], truth[confident])
        if confident.any()
        else 0.0,
        "calibration_error": metrics.calibration_error(said, truth) if len(truth) else 0.0,
        "confusion": metrics.confusion(predicted, truth, len(material.labels)).tolist(),
        "by_label": {
            label: {
                "takes": material.takes[label],
                "count": figure.count,
                "precision": figure.precision,
                "recall": figure.recall,
                "f1": figure.f1,
            }
            for label, figure in zip(material.labels, by_class, strict=True)
        },
    }


def _before(
    material: Material,
    general: np.ndarray,
    known: tuple[str, ...],
    has_face: np.ndarray,
    said: np.ndarray,
    judged: Judged,
) -> dict[str, Any]:
    """How the general model reads the same frames, beside the personal one that never saw them.

    general: its logits (n, known). Only labels that it knows are compared: it cannot say others.
    """
    index = {label: number for number, label in enumerate(material.labels)}
    names = np.array([index.get(label, -1) for label in known])
    read = np.where(has_face, names[general.argmax(axis=1)], -1)[judged.rows]
    truth = material.label[judged.rows]
    both = np.isin(truth, names)
    if not both.any():
        return {"labels": [], "frames": 0, "accuracy": 0.0, "personal_accuracy": 0.0}
    return {
        "labels": [label for label in material.labels if index[label] in truth[both]],
        "frames": int(both.sum()),
        "accuracy": metrics.accuracy(read[both], truth[both]),
        "personal_accuracy": metrics.accuracy(said.argmax(axis=1)[both], truth[both]),
    }


def _boxes(base: Bundle, labels: tuple[str, ...], head: Heads, kind: Kind) -> list[plots.Box]:
    face = plots.Box("Your face", "478 landmarks in x, y, z, turned frontal, and 52 blendshapes")
    all_of_you = plots.Box(
        "Your face, hands and shoulders", "478, 2 x 21 and 23 landmarks; what is not seen is silent"
    )
    return [
        all_of_you if kind == "holistic" else face,
        plots.Box(
            f"The general net's embedding: {networks.EMBEDDING} units",
            f"of the model '{base.name}', as it is",
            fixed=True,
        ),
        plots.Box(
            "One linear layer on face and embedding",
            "learned from your takes, and from them seen differently",
            head.kernel.size + head.bias.size,
        ),
        plots.Box(
            "The general model's word, and how familiar the face is",
            f"distance from all your takes in {len(labels) + MORE_DIRECTIONS} directions",
            fixed=True,
        ),
        plots.Box("Your expressions, or 'not sure'", ", ".join(labels)),
    ]
