"""Unit: a take of the live stream and a training process, without the page around them."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from moodmesh.errors import UserError
from moodmesh.face import Face
from moodmesh.teaching import LiveTake, Phase, TrainingRun, _read, cancel_all


def test_frames_count_only_between_countdown_and_end(happy_face: Face) -> None:
    live = LiveTake("happy", seconds=0.3, countdown_s=0.2)
    seen = []
    while live.phase is not Phase.DONE:
        live.see(happy_face, len(seen), 100.0)
        seen.append(live.phase)
        time.sleep(0.01)
    live.see(happy_face, len(seen), 100.0)
    assert Phase.COUNTDOWN in seen and Phase.RECORDING in seen
    assert 0 < live.samples < len(seen)
    assert abs(live.samples - seen.count(Phase.RECORDING)) <= 1
    assert live.recording().take().label == "happy"


def test_a_take_without_a_face_says_so() -> None:
    live = LiveTake("happy", seconds=60, countdown_s=0)
    live.see(None, 0, 10.0)
    assert live.samples == 0 and live.recording().frames == 1
    with pytest.raises(UserError, match="No face was found"):
        live.recording().take()


def test_a_label_is_checked_before_recording() -> None:
    with pytest.raises(UserError):
        LiveTake("a/b")


def ended(run: TrainingRun) -> str | None:
    deadline = time.monotonic() + 60
    while not run.state.ended:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return run.state.problem


def test_a_training_that_cannot_be_done_says_what_is_missing(tmp_path: Path) -> None:
    problem = ended(TrainingRun(tmp_path / "none", tmp_path / "out"))
    assert problem is not None and problem.startswith("There are no takes yet")
    assert not (tmp_path / "out").exists()


def test_a_cancelled_training_changes_nothing(tmp_path: Path) -> None:
    run = TrainingRun(tmp_path / "none", tmp_path / "out")
    run.cancel()
    assert "nothing changed" in (ended(run) or "")


def test_whoever_deletes_stops_the_trainings_of_all_windows(tmp_path: Path) -> None:
    mine, others = ([TrainingRun(tmp_path, tmp_path / name)] for name in ("mine", "others"))
    mine.append(TrainingRun(tmp_path, tmp_path / "mine"))
    cancel_all(tmp_path / "mine")
    assert all("nothing changed" in (run.state.problem or "") for run in mine)
    assert not others[0].state.ended or "cancelled" not in (others[0].state.problem or "")
    cancel_all(tmp_path / "others")


def test_a_half_written_line_of_progress_waits_for_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    assert _read(path).stage == "Starting"
    path.write_text(
        '{"stage": "Training", "fraction": 0.5, "seconds_left": 3.0, "epoch": 1, "accuracy": 0.5}\n'
        '{"stage": "Training", "fraction": 0.6, "sec'
    )
    state = _read(path)
    assert (state.stage, state.fraction, state.left_s) == ("Training", 0.5, 3.0)
    assert np.allclose([row["accuracy"] for row in state.curve], [0.5])


def test_a_held_take_begins_at_once_and_ends_when_let_go(happy_face: Face) -> None:
    live = LiveTake("happy", held=True)
    assert live.phase is Phase.RECORDING
    for number in range(3):
        live.see(happy_face, 40 * number, 100.0)
    live.stop()
    live.see(happy_face, 200, 100.0)
    assert live.phase is Phase.DONE and live.samples == 3
