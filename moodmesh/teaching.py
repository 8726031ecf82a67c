"""Teaching in the page, without the page: a take of the live stream, and a training that runs.

Neither knows of Streamlit. A take is filled on the stream's thread and read on the page's; the
training is a process of its own, so that the live page keeps its frames and TensorFlow stays out.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from tempfile import TemporaryDirectory

from moodmesh import bundle, takes
from moodmesh.face import Face
from moodmesh.holistic import Body, Kind
from moodmesh.recording import SECONDS, Recording

COUNTDOWN_S = 3.0
# Held for longer than this, the button's release was lost on its way.
MOST_HELD_S = 30.0
# A training that was cancelled ends at once, unless it is writing its model.
_PATIENCE_S = 10.0
# Training gives way to the live picture, which has to be on time.
NICENESS = 10
_TRAIN = Path(__file__).resolve().parent.parent / "train.py"


class Phase(Enum):
    """Where a take of the live stream is."""

    COUNTDOWN = "get ready"
    RECORDING = "recording"
    DONE = "done"


class LiveTake:
    """A take of the live stream: a countdown, then so many seconds; :meth:`see` is its watcher.

    One that is held has no countdown and goes on until :meth:`stop`.
    """

    def __init__(
        self,
        label: str,
        seconds: float = SECONDS,
        countdown_s: float = COUNTDOWN_S,
        kind: Kind = "face",
        held: bool = False,
    ) -> None:
        self._lock = threading.Lock()
        self._recording = Recording(label, kind)
        self.label, self.kind, self.held = self._recording.label, kind, held
        self.seconds = MOST_HELD_S if held else seconds
        self._begins_s = time.monotonic() + (0.0 if held else countdown_s)
        self._ends_s = self._begins_s + self.seconds

    def see(self, found: Face | Body | None, time_ms: int, brightness: float) -> None:
        """One frame of the stream."""
        if self.phase is Phase.RECORDING:
            with self._lock:
                self._recording.add(found, time_ms, brightness)

    def stop(self) -> None:
        """Ends it now; what was recorded stays."""
        self._ends_s = min(self._ends_s, time.monotonic())

    @property
    def phase(self) -> Phase:
        """Where it is right now."""
        now_s = time.monotonic()
        if now_s < self._begins_s:
            return Phase.COUNTDOWN
        return Phase.RECORDING if now_s < self._ends_s else Phase.DONE

    @property
    def left_s(self) -> float:
        """Seconds left of the phase."""
        now_s = time.monotonic()
        end_s = self._begins_s if now_s < self._begins_s else self._ends_s
        return max(0.0, end_s - now_s)

    @property
    def samples(self) -> int:
        """How many frames with a face there are so far."""
        with self._lock:
            return len(self._recording.found)

    def recording(self) -> Recording:
        """What was recorded, once it is done."""
        with self._lock:
            return self._recording


@dataclass(frozen=True)
class Training:
    """How a training stands.

    fraction: of all work, 0 to 1. left_s: seconds left, None before it can be told.
    curve: a row an epoch with "epoch", "accuracy" and, for takes left out, "val_accuracy".
    ended: whether the process is over. problem: a sentence for the user where it failed.
    """

    stage: str = "Starting"
    fraction: float = 0.0
    left_s: float | None = None
    curve: list[dict[str, float]] = field(default_factory=list)
    ended: bool = False
    problem: str | None = None


# Of all visitors, by the folder that their model goes into; a window that is closed leaves its own.
_RUNS: dict[Path, list[TrainingRun]] = {}
_RUNS_LOCK = threading.Lock()


def cancel_all(out: Path) -> None:
    """Stops every training, of whatever window, that would write a model into this folder."""
    with _RUNS_LOCK:
        runs = _RUNS.pop(out, [])
    for run in runs:
        run.cancel()
    for run in runs:
        run.wait()


class TrainingRun:
    """A personal training in its own process."""

    def __init__(
        self, data: Path = takes.FOLDER, out: Path = bundle.PERSONAL, kind: Kind | None = None
    ) -> None:
        self._folder = TemporaryDirectory(prefix="moodmesh-")
        self._progress = Path(self._folder.name) / "progress.jsonl"
        self._errors = Path(self._folder.name) / "errors.txt"
        self._cancelled = False
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                [
                    *("nice", "-n", str(NICENESS)) * (os.name == "posix"),
                    *(sys.executable, str(_TRAIN), "personal"),
                    *("--data", str(data), "--out", str(out)),
                    *("--progress", str(self._progress)),
                    *(("--kind", kind) if kind else ()),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )
        with _RUNS_LOCK:
            going_on = [run for run in _RUNS.get(out, []) if run._process.poll() is None]
            _RUNS[out] = [*going_on, self]

    def cancel(self) -> None:
        """Stops it; the model that was there before stays as it was."""
        self._cancelled = True
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def wait(self) -> None:
        """Returns when the process is over; one that was cancelled and hangs is ended."""
        try:
            self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def state(self) -> Training:
        """How it stands."""
        status = self._process.poll()
        state = _read(self._progress)
        if status is None:
            return state
        problem = None
        if self._cancelled and status != 0:
            problem = "Training was cancelled; nothing changed."
        elif status != 0:
            problem = self._said() or "Training stopped unexpectedly; nothing changed. Try again."
        return Training(state.stage, 1.0, 0.0, state.curve, True, problem)

    def _said(self) -> str | None:
        """The line in which the command told its user what is wrong."""
        lines = self._errors.read_text("utf-8", "replace").splitlines()
        told = [line for line in lines if line.startswith("moodmesh: ")]
        return told[-1].removeprefix("moodmesh: ") if told else None


def _read(path: Path) -> Training:
    """The state that these lines tell; the last may be half written."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except OSError:
        return Training()
    rows = []
    for line in lines:
        try:
            rows.append(json.loads(line))
        except ValueError:
            break
    if not rows:
        return Training()
    curve = [row for row in rows if row["stage"] == "Training" and "epoch" in row]
    last = rows[-1]
    return Training(last["stage"], last["fraction"], last["seconds_left"], curve)
