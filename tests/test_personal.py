"""Pipeline: record, train a personal model, read takes it never saw; and what can go wrong."""

from __future__ import annotations

import dataclasses
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from moodmesh import bundle, collecting, takes
from moodmesh.classifier import Classifier
from moodmesh.errors import UserError
from moodmesh.features import mirror
from moodmesh.takes import Take
from moodmesh.training.augment import mirror_is_another_label, vary
from moodmesh.training.personal import MOST_TAKES_A_LABEL, gather, read_newest, report
from tests import warped_face
from tests.warped_face import View

ROOT = Path(__file__).resolve().parent.parent
LABELS = ("happy", "surprise", "pucker")
VIEWS = (View(), View(distance=1.3))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two takes of two seconds of each of three labels, recorded as a user would."""
    folder = tmp_path_factory.mktemp("recorded")
    for label in LABELS:
        for number, view in enumerate(VIEWS):
            clip = folder / "clip.mp4"
            warped_face.write_video(clip, [(label, 2.0, view)], seed=number)
            collecting.main([label, "--source", str(clip), "--data", str(folder / "data")])
            clip.unlink()
    return folder / "data"


def command(data: Path, out: Path, *more: str) -> list[str]:
    return [
        *(sys.executable, str(ROOT / "train.py"), "personal"),
        *("--data", str(data), "--out", str(out), *more),
    ]


def frame(label: str, seed: int = 0, frames: int = 12) -> Take:
    rng = np.random.default_rng(seed)
    return Take(
        label,
        rng.random((frames, 478, 3), np.float32),
        rng.random((frames, 52), np.float32),
        np.tile(np.eye(4, dtype=np.float32), (frames, 1, 1)),
        (640, 480),
        np.arange(frames, dtype=np.int64) * 33,
    )


@pytest.mark.training
def test_record_train_and_read_takes_from_elsewhere(recorded: Path, tmp_path: Path) -> None:
    out, progress = tmp_path / "personal", tmp_path / "progress.jsonl"
    # Something damaged among the takes must not stop the training.
    data = tmp_path / "data"
    for take in takes.read_all(recorded)[0]:
        takes.write(take, data)
    (data / "happy" / "20000101T000000Z-0000.npz").write_bytes(b"damaged")
    done = subprocess.run(
        command(data, out, "--progress", str(progress)), capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stderr
    assert "not a take that can be read" in done.stdout + done.stderr
    assert "On takes that it had not seen" in done.stdout

    made = bundle.read(out)
    assert made.labels == tuple(sorted(LABELS))
    assert made.trained_on["takes"] == dict.fromkeys(LABELS, 2)
    held_out = made.metrics["held_out"]
    assert held_out["frames"] == 6 * 30
    before = held_out["general"]
    # The general model has no 'pucker': the two are compared on what both know.
    assert before["labels"] == ["happy", "surprise"] and before["frames"] == 4 * 30
    assert before["accuracy"] < before["personal_accuracy"] <= 1
    assert "the general model reads" in done.stdout
    assert all(
        made.has(name)
        for name in ("curves.png", "confusion_matrix.png", "architecture.png", "history.csv")
    )

    classifier = Classifier(made)
    unseen = (View(distance=1.7, roll=15), View(distance=0.7, roll=-15), View(light=0.5, noise=8))
    right, sure_of_foreign = [], []
    for number, view in enumerate(unseen):
        for label in LABELS:
            take = warped_face.take(label, seconds=1, fps=8, seed=50 + number, view=view)
            right += [classifier.of_features(row).label == label for row in take.features]
        take = warped_face.take("sad", seconds=1, fps=8, seed=60 + number, view=view)
        sure_of_foreign += [classifier.of_features(row).label for row in take.features]
    assert np.mean(right) > 0.9
    assert np.mean([label is None for label in sure_of_foreign]) > 0.9

    lines = [json.loads(line) for line in progress.read_text().splitlines()]
    fractions = [line["fraction"] for line in lines]
    assert fractions == sorted(fractions) and fractions[-1] <= 1
    training = [line for line in lines if line["stage"] == "Training"]
    assert len(training) > 10
    assert training[-1]["val_accuracy"] > 0.9 and training[-1]["loss"] < training[0]["loss"]


@pytest.mark.training
def test_cancelling_leaves_the_old_model_as_it_was(recorded: Path, tmp_path: Path) -> None:
    out, progress = tmp_path / "personal", tmp_path / "progress.jsonl"
    bundle.write(out, bundle.Bundle("old", ("a", "b")), {"landmarks.tflite": b"old"})
    training = subprocess.Popen(
        command(recorded, out, "--progress", str(progress)), stdout=subprocess.PIPE, text=True
    )
    try:
        deadline = time.monotonic() + 200
        while "Training" not in (progress.read_text() if progress.exists() else ""):
            assert training.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        training.send_signal(signal.SIGTERM)
        assert "Your takes, and the model from before" in training.communicate(timeout=60)[0]
        assert training.returncode == 130
    finally:
        training.kill()
    assert bundle.read(out).name == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["personal", "progress.jsonl"]


def test_the_report_names_what_is_mixed_up_and_what_was_not_judged() -> None:
    one = {"takes": 3, "count": 90, "recall": 0.9, "precision": 1.0}
    figures = {
        "frames": 180,
        "accuracy": 0.95,
        "sure": 0.9,
        "accuracy_when_sure": 1.0,
        "confusion": [[81, 9, 0], [0, 90, 0], [0, 0, 0]],
        "by_label": {"happy": one, "sad": one, "wink": one | {"takes": 1, "count": 0}},
    }
    made = bundle.Bundle("mine", ("happy", "sad", "wink"), metrics={"held_out": figures})
    said = report(made)
    assert "'happy' is taken for 'sad' in 10.0% of its frames" in said
    assert "for want of a second take: 'wink'" in said and "learned without it" in said
    perfect = figures | {"confusion": [[90, 0, 0], [0, 90, 0], [0, 0, 0]]}
    assert "Mixed up" not in report(dataclasses.replace(made, metrics={"held_out": perfect}))


@pytest.mark.parametrize(
    ("recorded_takes", "about"),
    [
        pytest.param([], "no takes yet.*collect.py", id="nothing recorded"),
        pytest.param([frame("happy")], "only 'happy'.*at least two", id="one label"),
        pytest.param(
            [frame("happy"), frame("sad", frames=3)], "'sad' has only 3 samples", id="too short"
        ),
    ],
)
def test_too_few_takes_say_what_to_record_next(recorded_takes: list[Take], about: str) -> None:
    with pytest.raises(UserError, match=about):
        gather(recorded_takes)


def test_too_few_takes_are_told_before_tensorflow_starts(tmp_path: Path) -> None:
    done = subprocess.run(
        command(tmp_path / "none", tmp_path / "out"), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert "There are no takes yet" in done.stderr and "Traceback" not in done.stderr


def test_long_and_many_takes_are_thinned_out() -> None:
    long = [frame("happy", frames=400), frame("sad")]
    assert (np.bincount(gather(long).label) == [150, 12]).all()
    many = [frame("happy", seed) for seed in range(MOST_TAKES_A_LABEL + 5)] + [frame("sad")]
    assert gather(many).takes == {"happy": MOST_TAKES_A_LABEL, "sad": 1}


def test_every_take_is_left_out_by_one_head_and_a_single_one_by_none() -> None:
    from moodmesh.training.personal_net import folds

    material = gather([frame("happy", 0), frame("happy", 1), frame("happy", 2), frame("sad")])
    fold = folds(material)
    assert {(int(t), int(f)) for t, f in zip(material.take, fold, strict=True)} == {
        (0, 0),
        (1, 1),
        (2, 2),
        (3, -1),
    }


def test_varied_samples_stay_nearer_to_their_expression_than_to_another() -> None:
    rng = np.random.default_rng(0)
    happy, sad = (
        warped_face.take(name, seconds=1, fps=6).features for name in ("happy", "surprise")
    )
    varied = vary(happy, rng)
    assert varied.shape == happy.shape and varied.dtype == np.float32
    nearer = np.linalg.norm(varied - happy.mean(0), axis=1) < np.linalg.norm(
        varied - sad.mean(0), axis=1
    )
    assert nearer.mean() > 0.8 and not np.allclose(varied, happy)


def test_a_left_and_a_right_expression_are_not_mirrored_into_each_other() -> None:
    take = warped_face.take("wink", seconds=1, fps=6, view=View(turn=10))
    mean = take.features.mean(axis=0)
    crooked = mean.copy()
    crooked[: 478 * 3].reshape(478, 3)[61:100, 1] += 0.3
    for others, answer in ((mirror(crooked), True), (mean, False)):
        means = np.stack([crooked, others])
        assert mirror_is_another_label(means, mirror(means)) is answer


def test_a_take_deleted_while_training_reads_is_left_out(tmp_path: Path) -> None:
    kept = takes.write(frame("happy"), tmp_path)
    gone = takes.write(dataclasses.replace(frame("sad"), label="sad"), tmp_path)
    listed = takes.paths(tmp_path)
    gone.unlink()
    with pytest.raises(UserError, match=r"cannot be opened|not a take"):
        takes.read(gone)
    assert listed == [kept, gone] and takes.read(kept).label == "happy"


def test_a_label_renamed_while_training_reads_is_learned_under_one_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for label in ("happy", "sad"):
        for seed in range(2):
            takes.write(frame(label, seed), tmp_path)
    read, renamed = takes.read, []

    def renamed_in_the_middle(path: Path) -> Take:
        if path.parent.name == "sad" and not renamed:
            renamed.append(takes.rename(tmp_path, "sad", "blue"))
        return read(path)

    monkeypatch.setattr(takes, "read", renamed_in_the_middle)
    recorded, problems = read_newest(tmp_path)
    assert sorted(take.label for take in recorded) == ["blue", "blue", "happy", "happy"]
    assert not problems
