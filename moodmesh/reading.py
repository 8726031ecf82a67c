"""`python -m moodmesh read`: the expression in each picture or along a video."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from moodmesh import bundle, pictures
from moodmesh.classifier import Classifier, Expression
from moodmesh.errors import UserError
from moodmesh.face import FaceFinder, FaceTracker
from moodmesh.holistic import Body, HolisticFinder, HolisticTracker

# Expressions last for a second or more; twice a second shows their course in a readable length.
SAMPLE_MS = 500


@dataclass(frozen=True)
class Reading:
    """What was read from one picture or one moment of a video; time_s is None for a picture."""

    source: str
    time_s: float | None
    faces: int
    expression: Expression | None

    def as_json(self) -> dict[str, Any]:
        """The fields of one output line."""
        expression = self.expression
        return {
            "source": self.source,
            "time_s": self.time_s,
            "faces": self.faces,
            "expression": expression and expression.label,
            "confidence": expression and round(expression.confidence, 4),
            "probabilities": {
                label: round(p, 4)
                for label, p in (expression.probabilities if expression else {}).items()
            },
            "from": expression and expression.source,
        }

    def as_text(self) -> str:
        """One line for people."""
        where = self.source if self.time_s is None else f"{self.source} at {self.time_s:.1f} s"
        if self.expression is None:
            return f"{where}: no face found (more light from the front helps)"
        likeliest = f"{self.expression.likeliest} {self.expression.confidence:.0%}"
        seen = likeliest if self.expression.label else f"not sure (perhaps {likeliest})"
        return f"{where}: {seen}, from {self.expression.source}"


def read_picture(
    path: Path, finder: FaceFinder | HolisticFinder, classifier: Classifier
) -> Reading:
    """Reads the largest face, or the person, of one picture."""
    rgb = pictures.read(path)
    found = finder.find(rgb)
    if isinstance(found, Body):
        return Reading(str(path), None, int(bool(found)), classifier.of_body(found))
    return Reading(str(path), None, len(found), classifier.of_picture(rgb, found[:1]))


def read_video(path: Path, classifier: Classifier) -> Iterator[Reading]:
    """Follows the face or the person along a video and reads it twice a second."""
    next_ms = 0
    with HolisticTracker() if classifier.kind == "holistic" else FaceTracker() as tracker:
        for time_ms, rgb in pictures.video_frames(path):
            found = tracker.track(rgb, time_ms)
            if time_ms < next_ms:
                continue
            next_ms = time_ms - time_ms % SAMPLE_MS + SAMPLE_MS
            if isinstance(found, Body):
                count, expression = int(bool(found)), classifier.of_body(found)
            else:
                count, expression = len(found), classifier.of_picture(rgb, found[:1])
            yield Reading(str(path), round(time_ms / 1000, 3), count, expression)


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in pictures.PICTURE_SUFFIXES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("sources", nargs="+", type=Path, metavar="IMAGE|VIDEO")
    parser.add_argument("--model", type=Path, default=bundle.GENERAL, help="a trained model")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def run(args: argparse.Namespace) -> int:
    """Prints a line for each picture or moment; goes on after a file that cannot be read."""
    classifier = Classifier(bundle.read(args.model))
    failed: list[str] = []
    with HolisticFinder() if classifier.kind == "holistic" else FaceFinder() as finder:
        for source in tqdm(args.sources, disable=len(args.sources) < 3, leave=False):
            try:
                readings = (
                    [read_picture(source, finder, classifier)]
                    if _is_picture(source)
                    else read_video(source, classifier)
                )
                for reading in readings:
                    line = json.dumps(reading.as_json()) if args.json else reading.as_text()
                    print(line, flush=True)
            except UserError as error:
                failed.append(str(error))
    if failed:
        raise UserError(" ".join(failed))
    return 0
