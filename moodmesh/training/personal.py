"""`python train.py personal`: a model of your own expressions, from your takes.

    takes -> feature vectors -> the same, seen a little differently (augment.py)
          -> linear heads on them and on the general net's embedding (heads.py)
          -> judged on takes that they never saw -> one LiteRT network -> bundle

Every take is judged by a head that learned without it: frames of one take are near copies of each
other, so a split by frames would report 100% whatever was learned.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from moodmesh import bundle, takes
from moodmesh.bundle import Bundle
from moodmesh.errors import UserError
from moodmesh.holistic import KINDS, Kind
from moodmesh.takes import Take

# Fewer hold a single look, and nothing of how the face moves around it.
LEAST_FRAMES = 10
# Neighbouring frames are near copies: more of them cost time and teach nothing.
MOST_FRAMES_A_TAKE = 150
# The newest takes of each label; a person's face and camera change over the months.
MOST_TAKES_A_LABEL = 40
# Of all labels together, for the memory's and the clock's sake: with very many labels each is
# learned from fewer takes, but never from fewer than evaluation needs.
MOST_TAKES = 600
# Of all takes together, for the memory's sake: each becomes several rows of 1,486 numbers, so this
# many need about 2 GB. With more than eighty takes each gives fewer frames.
MOST_FRAMES = 12_000
LEAST_TAKES_A_LABEL = 3
# Somebody who renames all the time is not waited for.
_MOST_READINGS = 4
# How the time is shared out, as measured: what is still to come is told from it.
SHARES = {"Reading your takes": 0.05, "Starting": 0.25, "Looking again": 0.1, "Training": 0.35}


@dataclass(frozen=True)
class Material:
    """What is learned from.

    kind: what of the person. labels: alphabetical. features: float32 (n, numbers of the kind's
    feature vector). label: int (n,), into labels. take: int
    (n,), the number of the frame's take. takes: label -> how many takes it has.
    """

    labels: tuple[str, ...]
    features: np.ndarray
    label: np.ndarray
    take: np.ndarray
    takes: dict[str, int]
    kind: Kind = "face"


class Steps:
    """Tells how far the training has come: a bar, and a JSON line a step in a file.

    A line has "stage", "fraction" (of all work, 0 to 1), "seconds_left" and the stage's figures.
    """

    def __init__(self, path: Path | None) -> None:
        self._start_s = time.monotonic()
        self._file = path.open("w", encoding="utf-8") if path else None
        self._bar = tqdm(total=100, bar_format="{desc} {bar} {n:.0f}%", leave=False, disable=None)

    def tell(self, stage: str, share: float = 0.0, **figures: float) -> None:
        """This share of the stage is done."""
        before = 0.0
        for name, weight in SHARES.items():
            if name == stage:
                before += weight * share
                break
            before += weight
        fraction = min(before, 1.0)
        passed_s = time.monotonic() - self._start_s
        left_s = passed_s / fraction * (1 - fraction) if fraction > 0.02 else None
        self._bar.set_description_str(stage)
        self._bar.update(100 * fraction - self._bar.n)
        if self._file:
            line = {"stage": stage, "fraction": round(fraction, 4), "seconds_left": left_s}
            self._file.write(json.dumps(line | figures) + "\n")
            self._file.flush()

    def close(self) -> None:
        """Ends the bar and the file."""
        self._bar.close()
        if self._file:
            self._file.close()


def read_newest(folder: Path) -> tuple[list[Take], list[str]]:
    """The takes to learn from, thinned out, and a sentence about each that cannot be read.

    Where a label is renamed or deleted meanwhile, it looks again, so that what is learned is what
    was there at one time.
    """
    files: list[Path] = []
    for _ in range(_MOST_READINGS):
        before = files
        newest = takes.newest(folder, MOST_TAKES_A_LABEL)
        count = max(LEAST_TAKES_A_LABEL, MOST_TAKES // max(1, len(newest)))
        files = [path for mine in newest.values() for path in mine[-count:]]
        if files == before:
            break
        read = takes.read_paths(files, _frames_a_take(len(files)))
    recorded, problems = read if files else ([], [])
    return recorded, problems + takes.strange(folder)


def choose(recorded: Sequence[Take], asked: Kind | None) -> tuple[Kind, list[Take], list[str]]:
    """The kind of model that these takes make, the takes for it, and what to tell of the others.

    asked: the kind that the user wants; without it all takes must be holistic for such a model.
    """
    alone = sorted({take.label for take in recorded if take.kind == "face"})
    kind: Kind = asked or ("holistic" if recorded and not alone else "face")
    chosen = [made for take in recorded if (made := take.of_kind(kind)) is not None]
    said = []
    names = ", ".join(f"'{label}'" for label in alone)
    if kind == "holistic" and alone:
        said.append(
            f"Takes of the face alone are left out: {names}. They know nothing of hands; record "
            "these labels with --holistic."
        )
    elif kind == "face" and len(alone) and any(take.kind == "holistic" for take in recorded):
        said.append(
            "This is a model of faces: of takes with hands and shoulders only the face counts. "
            f"For a model of all of it record these labels with --holistic, too: {names}."
        )
    if lost := {take.label for take in recorded} - {take.label for take in chosen}:
        said += [
            f"'{label}' has no take for this kind of model and is not learned."
            for label in sorted(lost)
        ]
    return kind, chosen, said


def _frames_a_take(count: int) -> int:
    """How many frames of each of so many takes are learned from."""
    return max(LEAST_FRAMES, min(MOST_FRAMES_A_TAKE, MOST_FRAMES // max(1, count)))


def gather(recorded: Sequence[Take]) -> Material:
    """Takes of one kind as rows to learn from; UserError with the way out where they are few."""
    groups = takes.by_label(recorded)
    if len(groups) < 2:
        have = f"There is only '{next(iter(groups))}'" if groups else "There are no takes yet"
        raise UserError(
            f"{have}: a model needs at least two labels to tell apart. Record another, for "
            "example: python collect.py neutral"
        )
    groups = {label: mine[-MOST_TAKES_A_LABEL:] for label, mine in groups.items()}
    for label, mine in groups.items():
        if (count := sum(map(len, mine))) < LEAST_FRAMES:
            raise UserError(
                f"'{label}' has only {count} samples. Record it for a few seconds more: "
                f"python collect.py '{label}'"
            )
    most = _frames_a_take(sum(map(len, groups.values())))
    features, label_of, take_of = [], [], []
    number = 0
    for index, mine in enumerate(groups.values()):
        for take in mine:
            rows = take.thinned(most).features
            features.append(rows)
            label_of += [index] * len(rows)
            take_of += [number] * len(rows)
            number += 1
    return Material(
        tuple(groups),
        np.concatenate(features),
        np.array(label_of),
        np.array(take_of),
        {label: len(mine) for label, mine in groups.items()},
        recorded[0].kind,
    )


def single_takes(counts: dict[str, int]) -> list[str]:
    """The labels with one take: nothing is left to judge them by."""
    return [label for label, count in counts.items() if count < 2]


def report(made: Bundle) -> str:
    """What the evaluation says, for the terminal."""
    figures: dict[str, Any] = made.metrics["held_out"]
    lines = [f"Model of {len(made.labels)} expressions in {made.folder}"]
    if figures["frames"]:
        lines += [
            "",
            f"On takes that it had not seen, {100 * figures['accuracy']:.1f}% of "
            f"{figures['frames']} frames are read right;",
            f"it is sure of {100 * figures['sure']:.1f}%, and right in "
            f"{100 * figures['accuracy_when_sure']:.1f}% of those.",
            "",
        ]
        width = max(map(len, made.labels))
        lines.append(f"{'':{width}}  takes  found  right when shown")
        for label, one in figures["by_label"].items():
            found = f"{100 * one['recall']:5.1f}%" if one["count"] else "     -"
            right = f"{100 * one['precision']:5.1f}%" if one["count"] else "     -"
            lines.append(f"{label:{width}}  {one['takes']:5}  {found}  {right:>16}")
        lines += _mixed_up(made.labels, figures["confusion"])
        lines += [
            "",
            "Each take was judged by a model that had learned without it: your next one is read so",
            "well if recorded like these. More is in confusion_matrix.png and curves.png there.",
        ]
    before = figures.get("general", {"frames": 0})
    if before["frames"]:
        old, new = 100 * before["accuracy"], 100 * before["personal_accuracy"]
        lines += [
            "",
            f"Of {', '.join(before['labels'])}, on the same takes: the general model reads "
            f"{old:.1f}% right, yours {new:.1f}%.",
        ]
    if alone := single_takes({k: v["takes"] for k, v in figures["by_label"].items()}):
        names = ", ".join(f"'{label}'" for label in alone)
        lines += [
            "",
            f"Not judged, for want of a second take: {names}. Record another of each, a little "
            "further away.",
        ]
    return "\n".join(lines)


def _mixed_up(labels: Sequence[str], confusion: Sequence[Sequence[int]]) -> list[str]:
    """The three labels that are most often taken for others, a line each."""
    wrong = [
        (count / sum(row), labels[shown], labels[read])
        for shown, row in enumerate(confusion)
        for read, count in enumerate(row)
        if read != shown and count
    ]
    if not wrong:
        return []
    told = [
        f"  '{shown}' is taken for '{read}' in {100 * share:.1f}% of its frames"
        for share, shown, read in sorted(wrong, reverse=True)[:3]
    ]
    return ["", "Mixed up most:", *told]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `train.py personal`."""
    parser.add_argument("--data", type=Path, default=takes.FOLDER, help="where your takes are")
    parser.add_argument("--out", type=Path, default=bundle.PERSONAL, help="where the model goes")
    parser.add_argument("--general", type=Path, default=bundle.GENERAL, help="what it starts from")
    parser.add_argument(
        "--kind",
        choices=KINDS,
        help="a model of the face, or of face, hands and shoulders (default: what all takes hold)",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--progress", type=Path, metavar="FILE", help="write a JSON line a step there"
    )


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def run(args: argparse.Namespace) -> int:
    """Trains a personal model; the old one stays as it is until the new one is whole."""
    # A page that cancels sends SIGTERM: leave the way Ctrl-C does.
    signal.signal(signal.SIGTERM, _interrupt)
    started_s = time.monotonic()
    try:
        steps = Steps(args.progress)
    except OSError as error:
        raise UserError(
            f"{args.progress} cannot be written ({error.strerror}). Choose another --progress."
        ) from error
    try:
        steps.tell("Reading your takes")
        recorded, problems = read_newest(args.data)
        for problem in problems:
            tqdm.write(f"Left out: {problem}")
        _, chosen, notes = choose(recorded, args.kind)
        for note in notes:
            tqdm.write(note)
        material = gather(chosen)
        steps.tell("Starting")
        # TensorFlow takes seconds to start: what the user can mend has been said by now.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        from moodmesh.training import personal_net

        made = personal_net.train(material, args.out, args.general, steps, args.seed)
    except KeyboardInterrupt:
        tqdm.write("Stopped. Your takes, and the model from before, are as they were.")
        raise
    finally:
        steps.close()
    print(report(made))
    print(f"\nIt took {time.monotonic() - started_s:.0f} s.")
    return 0
