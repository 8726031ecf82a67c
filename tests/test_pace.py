"""Tests of how the camera's picture follows the machine's load."""

from __future__ import annotations

from moodmesh.pace import CALM_WINDOWS, LEVELS, WINDOW_SECONDS, Pace


class Machine:
    """A machine on which a frame takes so long; frames come at the level's rate."""

    def __init__(self) -> None:
        self.pace = Pace()
        self.now_s = 0.0

    def run(self, seconds: float, frame_s: float) -> None:
        end, arrived = self.now_s + seconds, self.now_s
        while self.now_s < end:
            interval = 1 / self.pace.level.fps
            self.now_s = max(self.now_s, arrived + interval)
            passed = int((self.now_s - arrived) / interval + 1e-6)
            for _ in range(passed - 1):
                self.pace.drop()
            arrived += passed * interval
            self.now_s += frame_s
            self.pace.work(frame_s, self.now_s)


def test_a_machine_that_keeps_up_gets_the_full_picture() -> None:
    machine = Machine()
    machine.run(120, frame_s=0.012)
    assert machine.pace.level == LEVELS[0]
    assert not machine.pace.eased


def test_an_overloaded_machine_gets_less_within_seconds_and_more_when_it_is_over() -> None:
    machine = Machine()
    machine.run(4 * WINDOW_SECONDS, frame_s=0.2)
    assert machine.pace.level == LEVELS[-1]
    machine.run(WINDOW_SECONDS * (CALM_WINDOWS - 1), frame_s=0.012)
    assert machine.pace.eased, "it rose at the first calm moment"
    machine.run(WINDOW_SECONDS * (CALM_WINDOWS + 2) * len(LEVELS), frame_s=0.012)
    assert not machine.pace.eased


def test_the_picture_does_not_breathe_in_and_out() -> None:
    """Work that fits the lower level and not the one above: it stays, or tries ever more rarely."""
    machine, changes, before = Machine(), 0, LEVELS[0]
    for _ in range(600):
        # Drawing and encoding a large picture takes longer than a small one.
        machine.run(1.0, frame_s={24: 0.09, 12: 0.03, 8: 0.02}[machine.pace.level.fps])
        changes += machine.pace.level != before
        before = machine.pace.level
    assert changes <= 12, f"{changes} changes in ten minutes"
