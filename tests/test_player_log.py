"""Unit tests: what the player's log from the browser means, whatever the browser sends."""

from __future__ import annotations

from typing import Any

import pytest

from moodmesh.pages.player.player import as_item, read_log
from moodmesh.songs.catalogue import Song
from moodmesh.songs.recommend import Recommendation

NOTHING = {"client": None, "number": 0}


def event(number: int, kind: str = "liked", **more: Any) -> dict[str, Any]:
    return {
        "number": number,
        "kind": kind,
        "song_id": "s",
        "video_id": "v" * 11,
        "position_s": 12,
        "duration_s": 200,
        "at": "2026-01-01T00:00:00Z",
        **more,
    }


def test_each_event_is_returned_once() -> None:
    log = {"client": "a", "events": [event(1), event(2)], "current": "s", "playing": True}
    first, seen = read_log(log, NOTHING)
    assert [e.number for e in first.events] == [1, 2]
    assert (first.current, first.playing) == ("s", True)
    again, seen = read_log(log, seen)
    assert again.events == ()
    more, _ = read_log({**log, "events": [event(1), event(2), event(3)]}, seen)
    assert [e.number for e in more.events] == [3]


def test_a_player_made_anew_counts_from_one_again() -> None:
    _, seen = read_log({"client": "a", "events": [event(9)]}, NOTHING)
    report, _ = read_log({"client": "b", "events": [event(1)]}, seen)
    assert [e.number for e in report.events] == [1]


@pytest.mark.parametrize(
    "log",
    [
        None,
        "text",
        {},
        {"client": 3, "events": [event(1)]},
        {"client": "a", "events": None},
        {"client": "a", "events": [None, 3, {}, event(1, kind="rm -rf"), event("1")]},  # type: ignore[arg-type]
    ],
)
def test_nonsense_is_passed_over(log: object) -> None:
    report, _ = read_log(log, NOTHING)
    assert report.events == ()


def test_wild_numbers_become_zero() -> None:
    wild = event(1, position_s=float("nan"), duration_s="long", song_id=7)
    report, _ = read_log({"client": "a", "events": [wild]}, NOTHING)
    assert (report.events[0].position_s, report.events[0].duration_s) == (0, 0)
    assert report.events[0].song_id is None


def test_a_recommendation_becomes_an_item() -> None:
    song = Song("1", "Title", "A; B", year=1999, video_id="v" * 11, valence=0.2, energy=0.9)
    item = as_item(Recommendation(song, "Fierce, like your mood", 0.2, 0.9, 0))
    assert item["artist"] == "A, B"
    assert item["artwork"] == f"https://i.ytimg.com/vi/{'v' * 11}/mqdefault.jpg"
    unknown = as_item(Recommendation(Song("2", "Title", "A"), "", 0.5, 0.5, 0))
    assert unknown["artwork"] is None and "results?search_query=" in unknown["url"]
