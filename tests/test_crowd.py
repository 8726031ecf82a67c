"""Tests of the queue for live cameras."""

from __future__ import annotations

import pytest

from moodmesh import crowd
from moodmesh.crowd import Crowd
from moodmesh.errors import UserError


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_places_go_to_who_came_first_and_the_rest_wait_in_order() -> None:
    line = Crowd(2)
    assert [line.ask(name) for name in "abcd"] == [0, 0, 1, 2]
    assert [line.ask(name) for name in "dcba"] == [2, 1, 0, 0]  # asking again changes nothing
    line.leave("a")
    assert [line.ask(name) for name in "bcd"] == [0, 0, 1]
    line.leave("nobody")


def test_who_stops_asking_loses_the_place() -> None:
    clock = Clock()
    line = Crowd(1, clock)
    line.ask("gone")
    assert line.ask("waits") == 1
    clock.now = crowd.GONE_SECONDS - 1
    assert line.ask("waits") == 1
    clock.now += 2
    assert line.ask("waits") == 0
    assert line.ask("gone") == 1


def test_who_waits_in_a_hidden_tab_keeps_the_turn() -> None:
    clock = Clock()
    line = Crowd(1, clock)
    line.ask("live")
    assert line.ask("hidden") == 1
    clock.now = 60.0  # browsers let such pages ask once a minute
    line.ask("live")
    assert line.ask("late") == 2
    line.leave("live")
    assert line.ask("late") == 1
    assert line.ask("hidden") == 0
    clock.now += crowd.GONE_SECONDS + 1  # who has a camera is heard of more often
    assert line.ask("late") == 0


def test_the_number_follows_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MOODMESH_LIVE_SESSIONS", raising=False)
    found = []
    for cores in (1, 2, 8, 64):
        monkeypatch.setattr(crowd, "cores", lambda cores=cores: cores)
        found.append(crowd.most_sessions())
    assert found == [1, 3, 12, 99]
    monkeypatch.setenv("MOODMESH_LIVE_SESSIONS", "7")
    assert crowd.most_sessions() == 7


@pytest.mark.parametrize("asked", ["0", "-1", "many", "1.5"])
def test_a_number_that_is_none_is_refused(asked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOODMESH_LIVE_SESSIONS", asked)
    with pytest.raises(UserError, match="MOODMESH_LIVE_SESSIONS"):
        crowd.most_sessions()


@pytest.mark.parametrize(
    ("ahead", "said"),
    [(1, "One person is ahead"), (2, "Two people are ahead"), (9, "9 people are ahead")],
)
def test_the_queue_is_said_in_words(ahead: int, said: str) -> None:
    assert crowd.words(ahead).startswith(said)
