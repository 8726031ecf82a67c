"""`python train.py evaluate`: how well a bundle reads FER2013's test images.

It asks the very classifier that the live page asks, on LiteRT, and needs no TensorFlow.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from moodmesh import bundle, fer2013
from moodmesh.classifier import Classifier, Combination
from moodmesh.errors import UserError
from moodmesh.face import Face, FaceFinder
from moodmesh.features import feature_vector
from moodmesh.training import metrics
from moodmesh.training.landmark_cache import (
    CACHE,
    FoundLandmarks,
    MapChunks,
    find_landmarks,
    on_this_machine,
)

TESTS = {"public_test": "PublicTest", "private_test": "PrivateTest"}
# Enough for a mean time within a few per cent.
TIMED_IMAGES = 200


@dataclass(frozen=True)
class Logits:
    """What the networks say about n images, in the order of fer2013.LABELS.

    found: bool (n,), where there is a face mesh. landmarks: float32 (n, 7), zeros where there is
    none. cnn: float32 (n, 7), or None without an image network. parts: float32 (networks, n, 7),
    what each of several image networks says; cnn is their mixture.
    """

    found: np.ndarray
    landmarks: np.ndarray
    cnn: np.ndarray | None
    parts: np.ndarray | None = None

    def of(self, chosen: np.ndarray) -> Logits:
        """Those of some images; chosen is bool (n,)."""
        cnn = None if self.cnn is None else self.cnn[chosen]
        parts = None if self.parts is None else self.parts[:, chosen]
        return Logits(self.found[chosen], self.landmarks[chosen], cnn, parts)


@dataclass(frozen=True)
class Answers:
    """Probabilities, float (n, 7), and whether there is an answer at all, bool (n,)."""

    probabilities: np.ndarray
    given: np.ndarray

    @property
    def predicted(self) -> np.ndarray:
        """The likeliest label, int (n,); -1 where no answer is given."""
        return np.where(self.given, self.probabilities.argmax(axis=1), -1)


def face_of(landmarks: FoundLandmarks, index: int) -> Face | None:
    """The face found in one of the pictures."""
    if not landmarks.found[index]:
        return None
    return Face(
        landmarks.landmarks[index],
        landmarks.blendshapes[index],
        landmarks.pose[index],
        landmarks.size,
    )


def run_networks(
    classifier: Classifier, images: np.ndarray, landmarks: FoundLandmarks, title: str
) -> Logits:
    """Both networks on every image, whether or not the live page would ask them.

    images: uint8 (n, height, width), in which the landmarks were found.
    """
    order = [classifier.bundle.labels.index(label) for label in fer2013.LABELS]
    shape = (len(images), len(order))
    dense = np.zeros(shape, np.float32)
    parts = []
    for index, image in enumerate(tqdm(images, unit="image", desc=f"Reading {title}")):
        face = face_of(landmarks, index)
        if face is not None:
            dense[index] = classifier.landmark_logits(face)[order]
        if classifier.has_cnn:
            rgb = cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
            parts.append(classifier.cnn_parts(rgb, face)[:, order])
    if not parts:
        return Logits(landmarks.found, dense, None)
    joined = np.stack(parts, axis=1)
    return Logits(landmarks.found, dense, classifier.combination.mixed(joined), joined)


def answers(logits: Logits, how: Combination) -> dict[str, Answers]:
    """What the landmark net, the image network and both together answer.

    'ensemble' is what the user meets: see Classifier.of_picture.
    """
    alone = Answers(how.alone(logits.landmarks), logits.found)
    if logits.cnn is None:
        return {"landmarks": alone, "ensemble": alone}
    everywhere = np.ones(len(logits.found), bool)
    cnn = how.cnn_alone(logits.cnn)
    asked = how.asks(logits.landmarks)[:, None]
    both = np.where(asked, how.together(logits.landmarks, logits.cnn), alone.probabilities)
    ensemble = np.where(logits.found[:, None], both, cnn)
    return {
        "landmarks": alone,
        "cnn": Answers(cnn, everywhere),
        "ensemble": Answers(ensemble, everywhere),
    }


def figures(
    given: Answers, labels: np.ndarray, copies: np.ndarray, sure: float, majority: np.ndarray | None
) -> dict[str, Any]:
    """The figures of one network on one split; images without an answer count as wrong."""
    predicted = given.predicted
    answered = given.probabilities[given.given]
    right_labels = labels[given.given]
    classes = metrics.by_class(predicted, labels, len(fer2013.LABELS))
    shown = answered.max(axis=1) >= sure
    right = answered.argmax(axis=1) == right_labels
    found = {
        "accuracy": metrics.accuracy(predicted, labels),
        "accuracy_without_copies": metrics.accuracy(predicted[~copies], labels[~copies]),
        "macro_f1": float(np.mean([figure.f1 for figure in classes])),
        "calibration_error": metrics.calibration_error(answered, right_labels),
        "sure": {
            "share": float(shown.sum() / len(labels)),
            "accuracy": float(right[shown].mean()) if shown.any() else None,
        },
        "by_class": {
            label: asdict(figure) for label, figure in zip(fer2013.LABELS, classes, strict=True)
        },
        "confusion": metrics.confusion(predicted, labels, len(fer2013.LABELS)).tolist(),
    }
    if majority is not None:
        agreed = majority >= 0
        found["ferplus_accuracy"] = metrics.accuracy(predicted[agreed], majority[agreed])
    return found


def evaluate_logits(
    logits: Logits,
    how: Combination,
    data: fer2013.Fer2013,
    copies: np.ndarray,
    majority: np.ndarray | None = None,
) -> dict[str, Any]:
    """The figures of one split: every array holds that split's images alone."""
    chosen = {} if majority is None else {"ferplus_images": int((majority >= 0).sum())}
    result: dict[str, Any] = {
        "images": len(data),
        "copies": int(copies.sum()),
        "faces_found": float(logits.found.mean()),
        **chosen,
    }
    for name, given in answers(logits, how).items():
        result[name] = figures(given, data.labels, copies, how.sure, majority)
    if logits.cnn is not None:
        asked = how.asks(logits.landmarks) | ~logits.found
        lost = ~logits.found
        rescued = lost & (logits.cnn.argmax(axis=1) == data.labels)
        result["cnn_asked"] = float(asked.mean())
        if logits.parts is not None:
            result["image_networks"] = [
                float((part.argmax(axis=1) == data.labels).mean()) for part in logits.parts
            ]
        result["without_landmarks"] = {
            "images": int(lost.sum()),
            "cnn_accuracy": float(rescued[lost].mean()) if lost.any() else None,
            # What the image network adds to the accuracy of all images by these alone.
            "bought": float(rescued.mean()),
        }
    return result


def _milliseconds(classifier: Classifier, images: np.ndarray) -> dict[str, float]:
    """Mean times an image: finding the face, each network, and all as the page does it."""
    spent = {"landmarks_found": 0.0, "landmark_net": 0.0, "cnn": 0.0, "total": 0.0}
    with FaceFinder(max_faces=1) as finder:
        finder.find(np.zeros((fer2013.SIDE, fer2013.SIDE, 3), np.uint8))  # the first call sets up
        for image in images:
            rgb = cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
            start = time.perf_counter()
            faces = finder.find(rgb)
            found = time.perf_counter()
            classifier.of_picture(rgb, faces)
            spent["total"] += time.perf_counter() - start
            spent["landmarks_found"] += found - start
            if faces:
                start = time.perf_counter()
                feature_vector(faces[0])
                classifier.landmark_logits(faces[0])
                spent["landmark_net"] += time.perf_counter() - start
            if classifier.has_cnn:
                start = time.perf_counter()
                classifier.cnn_logits(rgb, faces[0] if faces else None)
                spent["cnn"] += time.perf_counter() - start
    if not classifier.has_cnn:
        del spent["cnn"]
    return {name: round(1000 * seconds / len(images), 3) for name, seconds in spent.items()}


@dataclass(frozen=True)
class Test:
    """One test split with all that is needed to judge a model on it.

    copies: bool (n,), see fer2013.test_copies_of_training. majority: FER+ labels, int (n,), or
    None.
    """

    data: fer2013.Fer2013
    logits: Logits
    copies: np.ndarray
    majority: np.ndarray | None

    def mixed(self, how: Combination) -> Test:
        """The same with the image networks in other shares."""
        if self.logits.parts is None:
            return self
        return replace(self, logits=replace(self.logits, cnn=how.mixed(self.logits.parts)))


def split_landmarks(
    data: fer2013.Fer2013, folder: Path = CACHE, map_chunks: MapChunks = on_this_machine
) -> FoundLandmarks:
    """The landmarks of all images, found split by split.

    The cache goes by its chunks' content, so judging on the test splits alone finds its chunks.
    """
    splits = [data.split(usage) for usage in fer2013.USAGES]
    parts = [here for here in splits if here.any()]
    found = [find_landmarks(data.images[here], folder, map_chunks) for here in parts]
    order = np.concatenate([np.flatnonzero(here) for here in parts]).argsort()
    return FoundLandmarks(
        np.concatenate([one.found for one in found])[order],
        np.concatenate([one.landmarks for one in found])[order],
        np.concatenate([one.blendshapes for one in found])[order],
        np.concatenate([one.pose for one in found])[order],
        found[0].size,
    )


def run_tests(
    classifier: Classifier, data: fer2013.Fer2013, ferplus: Path | None = None, cache: Path = CACHE
) -> dict[str, Test]:
    """Both networks on PublicTest and PrivateTest, by the names in TESTS."""
    labels = classifier.bundle.labels
    if set(labels) != set(fer2013.LABELS):
        raise UserError(
            f"The model {classifier.bundle.folder} reads {', '.join(labels)}; FER2013 can only "
            f"judge one that reads {', '.join(fer2013.LABELS)}."
        )
    copies = fer2013.test_copies_of_training(data)
    majority = None
    if ferplus is not None:
        majority = fer2013.majority(fer2013.read_ferplus(ferplus, data))
    tests = {}
    for name, usage in TESTS.items():
        here = data.split(usage)
        if not here.any():
            raise UserError(f"The data holds no {usage} images, so there is nothing to measure.")
        part = data.part(here)
        tests[name] = Test(
            part,
            run_networks(classifier, part.images, find_landmarks(part.images, cache), usage),
            copies[here],
            None if majority is None else majority[here],
        )
    return tests


def evaluate(classifier: Classifier, tests: dict[str, Test], how: Combination) -> dict[str, Any]:
    """All figures of a bundle on PublicTest and PrivateTest, with this combination."""
    result: dict[str, Any] = {"model": classifier.bundle.name, "labels": list(fer2013.LABELS)}
    for name, test in tests.items():
        result[name] = evaluate_logits(test.logits, how, test.data, test.copies, test.majority)
    images = tests["private_test"].data.images
    result["time_ms"] = _milliseconds(classifier, images[:TIMED_IMAGES])
    return result


def table(result: dict[str, Any]) -> str:
    """The figures for people."""
    lines = [f"{result['model']} on FER2013, in per cent"]
    for test, usage in TESTS.items():
        part = result[test]
        lines += [
            "",
            f"{usage}: {part['images']} images, a face found in {100 * part['faces_found']:.1f}%, "
            f"{part['copies']} copies of training images",
            f"{'':22}{'landmarks':>10}{'cnn':>10}{'ensemble':>10}",
        ]
        rows: list[tuple[str, list[str]]] = [
            ("accuracy", ["accuracy"]),
            ("  without copies", ["accuracy_without_copies"]),
            ("  by FER+ majority", ["ferplus_accuracy"]),
            ("macro F1", ["macro_f1"]),
            ("calibration error", ["calibration_error"]),
            ("shown as sure", ["sure", "share"]),
            ("  of these right", ["sure", "accuracy"]),
            *((f"F1 {label}", ["by_class", label, "f1"]) for label in fer2013.LABELS),
        ]
        for title, keys in rows:
            cells = []
            for network in ("landmarks", "cnn", "ensemble"):
                value: Any = part.get(network)
                for key in keys:
                    value = value.get(key) if isinstance(value, dict) else None
                cells.append("-" if value is None else f"{100 * value:.1f}")
            if any(cell != "-" for cell in cells):
                lines.append(f"{title:22}" + "".join(f"{cell:>10}" for cell in cells))
        if len(networks := part.get("image_networks", [])) > 1:
            each = " and ".join(f"{100 * right:.1f}" for right in networks)
            lines.append(f"Its image networks alone: {each}.")
        if "cnn_asked" in part:
            lost = part["without_landmarks"]
            lines.append(f"The image network was asked for {100 * part['cnn_asked']:.1f}%.")
            if lost["images"]:
                lines.append(
                    f"On the {lost['images']} without landmarks it alone answers, right in "
                    f"{100 * lost['cnn_accuracy']:.1f}%: {100 * lost['bought']:.1f} points of all."
                )
    times = ", ".join(
        f"{name.replace('_', ' ')} {value:.2f}" for name, value in result["time_ms"].items()
    )
    chance = 100 * (0.25 / result["private_test"]["images"]) ** 0.5
    notes = f"Another draw of as many images would move an accuracy by about {chance:.1f}."
    return "\n".join([*lines, "", notes, f"Milliseconds an image: {times}"])


def write_samples(path: Path, test: Test, cache: Path = CACHE) -> None:
    """Draws a few images of each expression with the mesh that was found in them."""
    from moodmesh.training.plots import samples  # matplotlib takes a second to import

    images, labels = test.data.images, test.data.labels
    path.write_bytes(samples(images, find_landmarks(images, cache), labels, fer2013.LABELS))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `train.py evaluate`."""
    parser.add_argument("--data", type=Path, required=True, help="fer2013.csv, folder or zip")
    parser.add_argument("--ferplus", type=Path, help="fer2013new.csv of FER+, for its labels too")
    parser.add_argument("--model", type=Path, default=bundle.GENERAL, help="the model's folder")
    parser.add_argument("--cache", type=Path, default=CACHE, help="where found landmarks are kept")
    parser.add_argument(
        "--samples", type=Path, metavar="PNG", help="draw some of the images with their mesh there"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(args: argparse.Namespace) -> int:
    """Evaluates and prints."""
    if args.samples is not None and not args.samples.resolve().parent.is_dir():
        raise UserError(f"The folder of {args.samples} does not exist. Make it first.")
    classifier = Classifier(bundle.read(args.model))
    tests = run_tests(classifier, fer2013.read(args.data), args.ferplus, args.cache)
    result = evaluate(classifier, tests, classifier.combination)
    print(json.dumps(result, indent=1) if args.json else table(result))
    if args.samples is not None:
        write_samples(args.samples, tests["public_test"], args.cache)
    return 0
