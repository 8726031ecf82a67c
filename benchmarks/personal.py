"""How well a personal model reads takes from elsewhere: `python benchmarks/personal.py [--json]`.

Five expressions of the warped test face are recorded, a model is trained by `train.py personal`,
and takes that it never saw are read: nearer, further, tilted, turned, mirrored, darker, noisier.
Beside it stands the usual recipe: landmarks minus the nose tip with logistic regression. The exit
status is 1 where fewer frames are read right than GOALS say.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from moodmesh import bundle, takes  # noqa: E402
from moodmesh.classifier import Classifier  # noqa: E402
from moodmesh.takes import Take  # noqa: E402
from tests import warped_face  # noqa: E402
from tests.warped_face import View  # noqa: E402

LABELS = ("happy", "neutral", "pucker", "sad", "surprise")
FOREIGN = ("angry", "raised brows", "wink")
# As the page asks for: as it is, further away, nearer with the head a little turned.
RECORDED = (
    View(),
    View(distance=1.3, shift=(20, 5)),
    View(distance=0.85, roll=4, turn=6),
)
TESTED = {
    "as recorded": View(),
    "half the distance": View(distance=0.5),
    "0.7 of the distance": View(distance=0.7),
    "1.5 times the distance": View(distance=1.5),
    "twice the distance": View(distance=2.0),
    "tilted by -20°": View(roll=-20),
    "tilted by 20°": View(roll=20),
    "turned to one side": View(turn=-16),
    "turned to the other": View(turn=16),
    "mirrored": View(mirrored=True),
    "darker": View(light=0.45),
    "noisier": View(noise=14),
    "all at once": View(distance=1.5, roll=12, turn=8, light=0.6, noise=8),
}
TEST_SECONDS, TEST_FPS = 2.0, 12
THREE_TAKES, ONE_TAKE = "three takes of 3 s", "one take of 1 s"
# Of all frames: what a person who recorded so much may expect.
GOALS = {THREE_TAKES: 0.97, ONE_TAKE: 0.90}

Read = Callable[[Take], list[str]]


def from_the_nose(take: Take) -> np.ndarray:
    """The reference features: landmarks in picture fractions, minus the nose tip (n, 1434)."""
    return (take.landmarks - take.landmarks[:, 1:2]).reshape(len(take), -1)


def reference(recorded: Sequence[Take]) -> Read:
    """Logistic regression on nose-relative landmarks."""
    rows = np.concatenate([from_the_nose(take) for take in recorded])
    labels = [take.label for take in recorded for _ in range(len(take))]
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300)).fit(rows, labels)
    return lambda take: model.predict(from_the_nose(take)).tolist()


def trained(recorded: Sequence[Take], folder: Path) -> tuple[Classifier, float]:
    """A personal model of these takes, and the seconds that its training took from the start."""
    for take in recorded:
        takes.write(take, folder / "takes")
    began_s = time.monotonic()
    command: list[str | Path] = [sys.executable, ROOT / "train.py", "personal"]
    subprocess.run(
        [*command, "--data", folder / "takes", "--out", folder / "model"],
        check=True,
        capture_output=True,
    )
    return Classifier(bundle.read(folder / "model")), time.monotonic() - began_s


def rights(read: Read, tests: dict[str, list[Take]]) -> dict[str, float]:
    """For each view the share of all its frames, one without a face among them counting as wrong,
    that are read as what they are."""
    frames = round(TEST_SECONDS * TEST_FPS)
    return {
        view: sum(word == take.label for take in group for word in read(take))
        / (frames * len(group))
        for view, group in tests.items()
    }


def words(classifier: Classifier, only_sure: bool, take: Take) -> list[str]:
    """Each frame's likeliest label; '' where only sure ones count and it is not sure."""
    read = [classifier.of_features(row) for row in take.features]
    return [(seen.label or "") if only_sure else seen.likeliest for seen in read]


def measure() -> dict[str, Any]:
    """All figures of the benchmark."""
    tests = {
        view: [
            warped_face.take(
                label, None, TEST_SECONDS, TEST_FPS, seed=5000 + 100 * number + index, view=seen
            )
            for number, label in enumerate(LABELS)
        ]
        for index, (view, seen) in enumerate(TESTED.items())
    }
    foreign = [
        warped_face.take(name, None, TEST_SECONDS, TEST_FPS, seed=9000 + index, view=view)
        for name in FOREIGN
        for index, view in enumerate(TESTED.values())
    ]
    result: dict[str, Any] = {}
    for name, views, seconds in (
        (THREE_TAKES, RECORDED, 3.0),
        (ONE_TAKE, RECORDED[:1], 1.0),
    ):
        recorded = [
            warped_face.take(label, None, seconds, seed=100 * number + index, view=view)
            for number, label in enumerate(LABELS)
            for index, view in enumerate(views)
        ]
        with TemporaryDirectory() as folder:
            classifier, training_s = trained(recorded, Path(folder))
            likeliest: Read = partial(words, classifier, False)
            shown: Read = partial(words, classifier, True)
            unsure = [word == "" for take in foreign for word in shown(take)]
            columns = {
                "right": rights(likeliest, tests),
                "right and sure": rights(shown, tests),
                "nose-relative": rights(reference(recorded), tests),
            }
        result[name] = {
            "views": columns,
            "all": {key: float(np.mean(list(column.values()))) for key, column in columns.items()},
            "not_sure_of_foreign_expressions": float(np.mean(unsure)),
            "training_s": training_s,
        }
    return result


def table(result: dict[str, Any]) -> str:
    """The figures for people."""
    lines = []
    for name, one in result.items():
        columns = list(one["views"])
        lines += [f"{name} of each of {len(LABELS)} expressions, frames read right in %", ""]
        lines.append(f"{'':24}" + "".join(f"{column:>16}" for column in columns))
        for view in TESTED:
            row = [100 * one["views"][column][view] for column in columns]
            lines.append(f"{view:24}" + "".join(f"{value:16.1f}" for value in row))
        row = [100 * one["all"][column] for column in columns]
        lines.append(f"{'all':24}" + "".join(f"{value:16.1f}" for value in row))
        lines += [
            "",
            f"of {len(FOREIGN)} expressions it was not taught it is not sure in "
            f"{100 * one['not_sure_of_foreign_expressions']:.1f}% of frames;",
            f"training took {one['training_s']:.1f} s, TensorFlow's start included",
            "",
        ]
    return "\n".join(lines)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    result = measure()
    print(json.dumps(result, ensure_ascii=False) if args.json else table(result))
    if missed := [name for name, goal in GOALS.items() if result[name]["all"]["right"] < goal]:
        raise SystemExit(f"Below the goal: {', '.join(missed)}.")


if __name__ == "__main__":
    main()
