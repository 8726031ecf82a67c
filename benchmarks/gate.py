"""How often the live page asks the image network: `python benchmarks/gate.py [--json]`.

The test face plays each of its expressions as a video of some seconds. Each frame is read as the
live page reads it; counted are the frames in which the landmark net was not sure enough to answer
alone, and those in which the image network really looked (a few times a second at most).
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from moodmesh import bundle  # noqa: E402
from moodmesh.classifier import Classifier, StreamClassifier  # noqa: E402
from moodmesh.face import Face, FaceTracker  # noqa: E402
from tests import warped_face  # noqa: E402

SECONDS = 4.0


class Counting(StreamClassifier):
    """Counts the frames in which the image network is asked, and those in which it looks."""

    asked = 0
    looks = 0

    def cnn_logits(self, rgb: np.ndarray, face: Face | None) -> np.ndarray:
        """As the page has them."""
        before = self._looked_s
        logits = super().cnn_logits(rgb, face)
        self.asked += 1
        self.looks += self._looked_s != before
        return logits


def read_clip(name: str, model: bundle.Bundle, seconds: float = SECONDS) -> dict[str, float]:
    """Shares of the frames of one expression: asked, looked at, shown as sure."""
    classifier, count, sure = Counting(model), 0, 0
    with FaceTracker() as tracker:
        for count, rgb in enumerate(warped_face.frames(name, seconds), start=1):
            time_s = count / warped_face.FPS
            faces = tracker.track(rgb, round(1000 * time_s))
            expression = classifier.of_frame(rgb, faces, time_s)
            sure += expression is not None and expression.label is not None
    return {
        "frames": count,
        "asked": classifier.asked / count,
        "looked": classifier.looks / count,
        "shown_as_sure": sure / count,
    }


def main() -> None:
    """Plays all expressions and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=bundle.GENERAL)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    model = bundle.read(args.model)
    if not Classifier(model).has_cnn:
        raise SystemExit(f"{args.model} has no image network, so nothing is ever asked.")
    clips = {name: read_clip(name, model) for name in warped_face.NAMES}
    keys = ("asked", "looked", "shown_as_sure")
    clips["all"] = {key: float(np.mean([one[key] for one in clips.values()])) for key in keys}
    if args.json:
        print(json.dumps(clips, indent=1))
        return
    print(f"{'per cent of frames':22}{'asked':>8}{'looked':>8}{'sure':>8}")
    for name, one in clips.items():
        print(f"{name:22}" + "".join(f"{100 * one[key]:8.0f}" for key in keys))


if __name__ == "__main__":
    main()
