"""A listener's days: what was felt and played when, to look at, to take along, to delete."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from moodmesh.songs.exports import cell
from moodmesh.songs.history import Felt, Heard, History

# A song is over after this, whatever the clock says: the page may have been closed.
LONGEST_PLAY_S = 1200.0


@dataclass(frozen=True, slots=True)
class Played:
    """One song as it was played: from `began` to `ended` (seconds since 1970), and how it went."""

    began: float
    ended: float
    song_id: str
    title: str
    artist: str
    video_id: str | None
    mood: str | None
    outcome: str  # finished, skipped, disliked, or playing where nothing more is known
    liked: bool


@dataclass(frozen=True, slots=True)
class Day:
    """One day in the listener's time zone: stretches of mood and songs, in order."""

    date: dt.date
    moods: tuple[Felt, ...]
    plays: tuple[Played, ...]


def zone(name: str | None) -> dt.tzinfo:
    """The named time zone (what `st.context.timezone` says), or the machine's own."""
    try:
        return ZoneInfo(name) if name else dt.datetime.now().astimezone().tzinfo or dt.UTC
    except (ZoneInfoNotFoundError, ValueError):
        return dt.UTC


def span(date: dt.date, where: dt.tzinfo) -> tuple[float, float]:
    """A day's first second and the next day's, since 1970; 23 or 25 hours where clocks change."""
    first = dt.datetime.combine(date, dt.time(), where)
    last = dt.datetime.combine(date + dt.timedelta(days=1), dt.time(), where)
    return first.timestamp(), last.timestamp()


def plays(heard: Iterable[Heard]) -> list[Played]:
    """Events, oldest first -> the songs they tell of."""
    result: list[Played] = []
    open_at: int | None = None
    for one in heard:
        if one.kind == "playing":
            if open_at is not None:
                result[open_at] = _cut(result[open_at], one.at)
            open_at = len(result)
            result.append(
                Played(
                    one.at,
                    one.at + min(one.duration_s or 0, LONGEST_PLAY_S),
                    one.song_id,
                    one.title,
                    one.artist,
                    one.video_id,
                    one.mood,
                    "playing",
                    False,
                )
            )
            continue
        found = next(
            (
                i
                for i in range(len(result) - 1, max(-1, len(result) - 50), -1)
                if _is(result[i], one)
            ),
            None,
        )
        if found is None:
            continue
        last = result[found]
        if one.kind in {"liked", "unliked"}:
            result[found] = _with(last, liked=one.kind == "liked")
        elif one.kind in {"finished", "skipped_early", "skipped_late", "disliked"}:
            outcome = "skipped" if one.kind.startswith("skipped") else one.kind
            result[found] = _with(_cut(last, one.at, grow=True), outcome=outcome)
            open_at = None if open_at == found else open_at
    return result


def days(history: History, where: dt.tzinfo, last: int | None = None) -> list[Day]:
    """The days with anything in them, newest first; at most `last` of them."""
    by_day: dict[dt.date, tuple[list[Felt], list[Played]]] = {}
    for felt in history.moods():
        for date, part in _by_day(felt, where):
            by_day.setdefault(date, ([], []))[0].append(part)
    for played in plays(history.events()):
        by_day.setdefault(_date(played.began, where), ([], []))[1].append(played)
    dates = sorted(by_day, reverse=True)[:last]
    return [Day(date, tuple(by_day[date][0]), tuple(by_day[date][1])) for date in dates]


def delete_day(history: History, date: dt.date, where: dt.tzinfo) -> int:
    """Delete one day; how many rows."""
    return history.delete(*span(date, where))


def as_csv(listed: Sequence[Day], where: dt.tzinfo) -> str:
    """Moods and songs, one a row, for a spreadsheet."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(
        ["kind", "from", "to", "mood", "title", "artist", "video_id", "outcome", "liked"]
    )
    for day in reversed(listed):
        rows = [
            (
                m.began,
                ["mood", _iso(m.began, where), _iso(m.ended, where), cell(m.label)] + [""] * 5,
            )
            for m in day.moods
        ] + [
            (
                p.began,
                [
                    "song",
                    _iso(p.began, where),
                    _iso(p.ended, where),
                    cell(p.mood or ""),
                    cell(p.title),
                    cell(p.artist),
                    p.video_id or "",
                    p.outcome,
                    "yes" if p.liked else "",
                ],
            )
            for p in day.plays
        ]
        writer.writerows(row for _, row in sorted(rows, key=lambda pair: pair[0]))
    return text.getvalue()


def as_json(history: History) -> str:
    """Everything that is kept, as it is kept."""
    return json.dumps(
        {
            "events": [
                {name: getattr(one, name) for name in Heard.__dataclass_fields__}
                for one in history.events()
            ],
            "moods": [
                {name: getattr(one, name) for name in Felt.__dataclass_fields__}
                for one in history.moods()
            ],
        },
        ensure_ascii=False,
        indent=1,
    )


def _is(played: Played, heard: Heard) -> bool:
    return played.song_id == heard.song_id and heard.at - played.began < LONGEST_PLAY_S * 3


def _cut(played: Played, at: float, *, grow: bool = False) -> Played:
    ended = at if grow else min(played.ended, at)
    return _with(played, ended=max(played.began, min(ended, played.began + LONGEST_PLAY_S)))


def _with(played: Played, **changes: object) -> Played:
    values = {name: getattr(played, name) for name in Played.__dataclass_fields__}
    return Played(**{**values, **changes})


def _date(at: float, where: dt.tzinfo) -> dt.date:
    return dt.datetime.fromtimestamp(at, where).date()


def _by_day(felt: Felt, where: dt.tzinfo) -> Iterator[tuple[dt.date, Felt]]:
    """A stretch of mood, cut at each midnight."""
    date, last = _date(felt.began, where), _date(felt.ended, where)
    first = date
    while date < last:
        _, midnight = span(date, where)
        yield date, replace(felt, ended=midnight)
        date, felt = date + dt.timedelta(days=1), replace(felt, began=midnight)
    # One that ends at midnight leaves nothing on the day that begins then.
    if date == first or felt.began < felt.ended:
        yield date, felt


def _iso(at: float, where: dt.tzinfo) -> str:
    return dt.datetime.fromtimestamp(at, where).isoformat(timespec="seconds")
