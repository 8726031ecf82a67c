"""Unit tests of the songs' speed benchmark: what its figures are, not how high."""

from __future__ import annotations

import pytest

from benchmarks import songs_speed


def test_a_time_is_the_median_and_the_95th_percentile(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = [*range(1, 100), 1_000]
    clock = iter(edge for one in taken for edge in (0.0, one / 1000))
    monkeypatch.setattr(songs_speed.time, "perf_counter", lambda: next(clock))
    told = songs_speed.milliseconds("call", lambda: None, len(taken))
    assert told == pytest.approx({"call_ms": 50.5, "call_p95_ms": 95.05})


def test_every_goal_is_of_a_figure_that_is_measured() -> None:
    assert songs_speed.GOALS.keys() >= {"follow_and_skip_ms", "catalogue_mb", "first_queue_ms"}
