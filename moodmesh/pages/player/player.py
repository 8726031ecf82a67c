"""The music player as a Streamlit component: a queue goes in, what the listener did comes out.

The component stands outside a shadow root, because YouTube's IFrame API looks its element up in
the document. Events travel as a numbered log in one state value and are acknowledged here: two
likes between two runs of the script are two events, and a run that is cut short loses none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from moodmesh.pages.component import component
from moodmesh.songs.recommend import Recommendation
from moodmesh.songs.youtube import artwork_link, queue_link, song_link

# Degrees by which songs of the same mood differ in colour, so that neighbours can be told apart.
HUE_PLAY = 40
EVENT_KINDS = frozenset(
    {
        "playing",  # a song has begun to sound
        "finished",
        "skipped_early",  # before 30 s and before a quarter
        "skipped_late",
        "liked",
        "unliked",
        "disliked",
        "replayed",
        "unplayable",  # `video_id` does not play here; `last`: neither does any other of the song
        "refused",  # the browser wants a press on play first
        "unreachable",  # YouTube does not answer
        "over",  # nothing playable is left in the queue
    }
)


@dataclass(frozen=True, slots=True)
class PlayerEvent:
    """One thing that happened in the player, in the order of `number`."""

    number: int
    kind: str
    song_id: str | None
    video_id: str | None
    position_s: int
    duration_s: int
    at: str  # ISO 8601, UTC, by the browser's clock
    last: bool = False


@dataclass(frozen=True, slots=True)
class Player:
    """What the player is doing, and what happened since the script last ran.

    `current` is the song that must not be taken from under the listener; `upcoming` are the ids
    still to come as the player sees them.
    """

    current: str | None
    playing: bool
    upcoming: tuple[str, ...]
    events: tuple[PlayerEvent, ...]


def as_item(recommendation: Recommendation, *, liked: bool = False) -> dict[str, Any]:
    """A recommendation as the player takes it."""
    song = recommendation.song
    return {
        "id": song.id,
        "title": song.title,
        "artist": song.byline,
        "year": song.year,
        "why": recommendation.why,
        "video_id": song.video_id,
        "alt_ids": list(song.alt_ids),
        "duration_s": song.duration_s,
        "url": song_link(song.title, song.byline, song.video_id),
        "artwork": artwork_link(song.video_id) if song.video_id else None,
        "hue": (_hue(song.valence, song.energy) + sum(map(ord, song.id)) % HUE_PLAY) % 360,
        "liked": liked,
    }


def player(
    queue: Sequence[dict[str, Any]],
    *,
    key: str = "player",
    lead: str = "",
    note: str = "",
    accent: str | None = None,
    autoplay: bool = False,
    mini: bool = False,
    taken_along: str | None = None,
) -> Player:
    """Show the player with this queue, and return what happened since the last run.

    `queue` are :func:`as_item` dicts, the song that plays among them or not: a new queue changes
    only what comes after it. `lead` is a line over the title ('You look content'), `note` a quiet
    line beside 'Up next' ('You look calmer: the queue follows'), `accent` the colour of the play
    button (#rrggbb), `autoplay` starts the first song without a press where the browser allows.
    `mini` is the small form for pages about something else: it shows only once music was started,
    and asks YouTube for nothing before. `taken_along` is the address of 'Play all on YouTube', by
    default that of the queue alone. Every event is returned by exactly one call.
    """
    seen_key = f"{key}:acknowledged"
    seen: dict[str, Any] = st.session_state.get(seen_key, {"client": None, "number": 0})
    result = component("player")(
        key=key,
        data={
            "queue": list(queue),
            "lead": lead,
            "note": note,
            "accent": accent,
            "autoplay": autoplay,
            "mini": mini,
            "queue_link": taken_along or queue_link(item["video_id"] for item in queue),
            "ack": seen,
        },
        on_log_change=_rerun_only,
    )
    log = result.get("log")
    report, acknowledged = read_log(log, seen)
    st.session_state[seen_key] = acknowledged
    return report


def read_log(log: object, seen: dict[str, Any]) -> tuple[Player, dict[str, Any]]:
    """The player's state from its log, with the events not `seen` yet, and what is seen now.

    The log comes from a browser: whatever does not have the expected shape is passed over.
    """
    if not isinstance(log, dict) or not isinstance(log.get("client"), str):
        return Player(None, False, (), ()), seen
    client = log["client"]
    last_seen = seen["number"] if seen["client"] == client else 0
    raw = log.get("events")
    events = [event for event in map(_event, raw if isinstance(raw, list) else ()) if event]
    fresh = tuple(sorted((e for e in events if e.number > last_seen), key=lambda e: e.number))
    number = max([last_seen, *(event.number for event in fresh)])
    current = log.get("current")
    upcoming = log.get("upcoming")
    report = Player(
        current=current if isinstance(current, str) else None,
        playing=log.get("playing") is True,
        upcoming=tuple(str(i) for i in upcoming) if isinstance(upcoming, list) else (),
        events=fresh,
    )
    return report, {"client": client, "number": number}


def _event(raw: object) -> PlayerEvent | None:
    if not isinstance(raw, dict) or raw.get("kind") not in EVENT_KINDS:
        return None
    number, song_id, video_id = raw.get("number"), raw.get("song_id"), raw.get("video_id")
    if not isinstance(number, int):
        return None
    return PlayerEvent(
        number=number,
        kind=raw["kind"],
        song_id=song_id if isinstance(song_id, str) else None,
        video_id=video_id if isinstance(video_id, str) else None,
        position_s=_seconds(raw.get("position_s")),
        duration_s=_seconds(raw.get("duration_s")),
        at=str(raw.get("at", ""))[:40],
        last=raw.get("last") is True,
    )


def _seconds(value: object) -> int:
    if not isinstance(value, int | float) or not math.isfinite(value):
        return 0
    return max(0, int(value))


def _hue(valence: float, energy: float) -> int:
    """A colour for a song without a picture: blue and still to yellow and bright, red for force."""
    if math.isnan(valence) or math.isnan(energy):
        return 220
    if energy > 0.6 and valence < 0.4:
        return 350
    return round(230 - 190 * valence if energy < 0.5 else 250 + 150 * valence) % 360


def _rerun_only() -> None:
    """Asks Streamlit to keep the state and rerun; the events are read from the result."""
