"""The mood map as a Streamlit component: why the music is what it is, and a hand to steer it.

Valence across, energy up, both as percentile ranks of the catalogue: the songs as a soft cloud,
the listener as a dot with a trail, the queue as a numbered path. A click, drag or key anywhere
takes the music there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import streamlit as st

from moodmesh.pages.component import component
from moodmesh.songs.catalogue import Catalogue
from moodmesh.songs.recommend import Recommendation, describe, mood_at, rank_target

# Enough to show where songs are dense; every rerun sends them again (5 kB).
CLOUD_POINTS = 700
STOPS = 9  # more numbers than these hide each other
_clouds: WeakKeyDictionary[Catalogue, list[int]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Steering:
    """Where the listener's hand takes the music: a mood on [-1, 1]², or back to the face (None)."""

    place: tuple[float, float] | None


def moodmap(
    catalogue: Catalogue,
    queue: Sequence[Recommendation],
    *,
    valence: float | None,
    arousal: float | None,
    colour: str = "#8A94A6",
    current: str | None = None,
    steering: tuple[float, float] | None = None,
    key: str = "moodmap",
) -> Steering | None:
    """Show the map; what the hand did since the last run, or None.

    `valence` and `arousal` on [-1, 1] are where the listener is, None while unknown; `queue` are
    the songs from the current one on, `current` the id of the one that plays; `steering` is the
    mood the listener chose by hand, shown until it is released.
    """
    seen_key = f"{key}:seen"
    you = None if valence is None or arousal is None else _rounded(rank_target(valence, arousal))
    result = component("moodmap")(
        key=key,
        data={
            "cloud": _cloud(catalogue),
            "stops": _stops(catalogue, queue, current),
            "you": you,
            "colour": colour,
            "steering": _rounded(rank_target(*steering)) if steering else None,
            "said": _sentence(you, steering),
        },
        on_hand_change=_rerun_only,
    )
    hand = result.get("hand")
    moved, seen = read_hand(hand, st.session_state.get(seen_key))
    st.session_state[seen_key] = seen
    return moved


def read_hand(hand: object, seen: object) -> tuple[Steering | None, object]:
    """What the browser's last word on the hand says, once; anything malformed says nothing."""
    if not isinstance(hand, dict):
        return None, seen
    mark = (hand.get("client"), hand.get("number"))
    if mark == seen:
        return None, seen
    if hand.get("kind") == "release":
        return Steering(None), mark
    place = hand.get("valence"), hand.get("energy")
    if hand.get("kind") == "steer" and all(_is_rank(rank) for rank in place):
        return Steering(mood_at(float(place[0] or 0), float(place[1] or 0))), mark
    return None, mark


def _is_rank(value: object) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and 0 <= value <= 1
    )


def _cloud(catalogue: Catalogue) -> list[int]:
    """A sample of the songs as per mille of valence and energy, one after the other."""
    if catalogue not in _clouds:
        rows = np.flatnonzero(catalogue.measured)
        if len(rows) > CLOUD_POINTS:
            rows = np.random.default_rng(0).choice(rows, CLOUD_POINTS, replace=False)
        points = np.column_stack((catalogue.valence[rows], catalogue.energy[rows]))
        _clouds[catalogue] = [int(n) for n in (1000 * points).round().ravel()]
    return _clouds[catalogue]


def _stops(
    catalogue: Catalogue, queue: Sequence[Recommendation], current: str | None
) -> list[dict[str, Any]]:
    stops = []
    number = 0
    for one in queue[:STOPS]:
        row = catalogue.index(one.song.id)
        now = one.song.id == current
        number += not now
        if row is None or not catalogue.measured[row]:
            continue
        stops.append(
            {
                "id": one.song.id,
                "title": one.song.title,
                "artist": one.song.byline,
                "number": number,
                "now": now,
                "v": round(float(catalogue.valence[row]), 3),
                "e": round(float(catalogue.energy[row]), 3),
            }
        )
    return stops


def _sentence(you: list[float] | None, steering: tuple[float, float] | None) -> str:
    if steering:
        return f"You steer: {describe(*rank_target(*steering))}"
    if you is None:
        return "Click anywhere to take the music there"
    return f"You are at: {describe(*you)}. Click anywhere to take the music there"


def _rounded(point: tuple[float, float]) -> list[float]:
    return [round(point[0], 3), round(point[1], 3)]


def _rerun_only() -> None:
    """Asks Streamlit to keep the state and rerun; the hand is read from the result."""
