"""A mood -> the songs to play, each with the reason in plain words.

Pure: everything that decides comes in as arguments, chance as a generator. A mood is a point
(valence, arousal) on [-1, 1]; songs lie at (valence, energy) percentile ranks on [0, 1].

From mood to ranks: expressions use only part of the plane (Russell and Mehrabian's ratings of the
seven span -0.64..0.81 in valence and -0.27..0.67 in arousal), so the mapping is piecewise linear
with those ends at 0.15 and 0.88: a clearly sad face reaches the saddest sixth of the catalogue,
and no face is needed that nobody makes. A neutral face lands in the middle.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from moodmesh.errors import UserError
from moodmesh.songs.catalogue import Catalogue, Filters, Song

MODES = ("match", "lift", "calm")
# Angry and sad faces are met where they are; fear and disgust get music that settles. Music like
# the mood is what most people choose when sad, and it does not deepen sadness for most of them
# (Van den Tol and Edwards 2013); 'lift' is one tap away.
DEFAULT_MODES = {"fear": "calm", "disgust": "calm"}

VALENCE_MOODS, VALENCE_RANKS = (-1.0, -0.64, 0.0, 0.81, 1.0), (0.02, 0.15, 0.50, 0.88, 0.98)
AROUSAL_MOODS, AROUSAL_RANKS = (-1.0, -0.27, 0.0, 0.67, 1.0), (0.02, 0.20, 0.45, 0.88, 0.98)
# The top of a lift: where a happy face lands.
BRIGHT = (0.88, 0.78)
# The iso principle: start at the mood, change it in steps (Starcke et al. 2021 used four to six).
LIFT_STEPS = 5
# Calm: pleasant and still. The first song already goes half the way, the third is there.
STILL = (0.58, 0.14)
CALM_SHARES = (0.5, 0.75, 1.0)

# Width of the bell around a target, in rank units: a quarter of an octant. It grows where filters
# leave few songs, until about this many lie within reach.
REACH = 0.08
WITHIN_REACH = 60
# Where a language has few songs, sixty would be a third of all, sad and glad ones alike.
WITHIN_REACH_SHARE, LEAST_WITHIN_REACH = 1 / 5, 20
# Sampling weight of the least popular song against the most popular one: 0.25 to 1.25.
POPULARITY_FLOOR = 0.25
# A song whose video is known plays at once, the others need a search first.
PLAYABLE_FACTOR = 3.0
# The first song must start fast: only songs with a video, if any lies this near to the target.
FIRST_WITHIN = 0.25
# What a queue says in an expression's place when the listener's hand on the map chose it.
POINTED = "pointed"
ARTIST_GAP = 5  # No artist twice within so many songs.
LIKED_ARTIST_FACTOR = 3.0
# A song of the listener's own list whose figures nobody knows counts as if it lay this many
# reaches away: it comes up now and then in every mood.
UNMEASURED_REACHES = 1.5
# A song further from where it was looked for (in ranks; chance alone is 0.5) is not what was asked
# for. In the languages with many songs one in a hundred is, and no mood's median.
FAR = 0.35
NEAREST = "the nearest there is"


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A song with why it is there and where on the plane it was looked for (ranks on [0, 1]).

    `on_way` where that is a step of the way a lift or calm goes.
    """

    song: Song
    why: str
    valence: float
    energy: float
    step: int
    on_way: bool = False


def default_mode(expression: str | None) -> str:
    """The mode an expression starts with."""
    return DEFAULT_MODES.get(expression or "", "match")


def check_mode(mode: str) -> str:
    """The mode itself, or a :class:`UserError` naming the choices."""
    if mode not in MODES:
        raise UserError(f"There is no mode '{mode}'. Choose one of: {', '.join(MODES)}.")
    return mode


def rank_target(valence: float, arousal: float) -> tuple[float, float]:
    """A mood on [-1, 1]² -> (valence, energy) percentile ranks on [0, 1]."""
    return (
        float(np.interp(valence, VALENCE_MOODS, VALENCE_RANKS)),
        float(np.interp(arousal, AROUSAL_MOODS, AROUSAL_RANKS)),
    )


def mood_at(valence_rank: float, energy_rank: float) -> tuple[float, float]:
    """The mood that would aim at these ranks: the inverse of :func:`rank_target`."""
    return (
        float(np.interp(valence_rank, VALENCE_RANKS, VALENCE_MOODS)),
        float(np.interp(energy_rank, AROUSAL_RANKS, AROUSAL_MOODS)),
    )


def path_target(valence: float, arousal: float, mode: str, step: int) -> tuple[float, float]:
    """Where the song number `step` (from 0) of a queue should lie, in ranks."""
    start = rank_target(valence, arousal)
    if mode == "lift":
        share = min(step / (LIFT_STEPS - 1), 1.0)
        # Someone brighter than the top already is not brought down.
        goal = (max(start[0], BRIGHT[0]), max(start[1], BRIGHT[1]) if share else BRIGHT[1])
    elif mode == "calm":
        share = CALM_SHARES[min(step, len(CALM_SHARES) - 1)]
        goal = STILL
    else:
        return start
    return (
        start[0] + share * (goal[0] - start[0]),
        start[1] + share * (goal[1] - start[1]),
    )


def recommend(
    catalogue: Catalogue,
    valence: float,
    arousal: float,
    mode: str = "match",
    count: int = 10,
    *,
    filters: Filters | None = None,
    rng: np.random.Generator | None = None,
    expression: str | None = None,
    start: int = 0,
    before: Sequence[Song] = (),
    freshness: Mapping[str, float] | None = None,
    exclude: Collection[str] = (),
    preference: NDArray[np.floating] | None = None,
    playable: NDArray[np.bool_] | None = None,
    told: bool = False,
) -> list[Recommendation]:
    """`count` songs for a mood, fewer where the filters leave fewer.

    `start` is how many songs of the path have been played or queued already, `before` the songs
    that come right before these (for the artist gap). `freshness` maps song ids to a factor on
    [0, 1]: 0 for one heard in this session, below 1 for one heard lately. `exclude` are ids never
    to return (skipped for good, unplayable). `preference` is a log weight a song, (n,), what was
    learnt from the listener; zeros or None give the plain recommender. `playable` is (n,) whether a
    song's video is known to be there, None for what the catalogue says. `told`: the listener named
    the mood, nobody looked.
    """
    check_mode(mode)
    filters = filters or Filters()
    rng = rng or np.random.default_rng()
    free = catalogue.allowed(filters)
    for identifier in exclude:
        if (row := catalogue.index(identifier)) is not None:
            free[row] = False
    rows = np.flatnonzero(free)
    if not len(rows):
        return []
    plays = (catalogue.playable if playable is None else playable)[rows]
    prior = _prior(catalogue, rows, filters, preference, plays)
    fresh = np.ones(len(catalogue))
    for identifier, factor in (freshness or {}).items():
        if (row := catalogue.index(identifier)) is not None:
            fresh[row] = factor
    fresh = fresh[rows]
    measured = catalogue.measured[rows]
    points = np.column_stack((catalogue.valence[rows], catalogue.energy[rows]))
    open_rows = np.ones(len(rows), bool)
    artists: list[frozenset[str]] = [
        catalogue.artist_keys[row] if (row := catalogue.index(song.id)) is not None else frozenset()
        for song in before[-(ARTIST_GAP - 1) :]
    ]
    within = int(np.clip(len(rows) * WITHIN_REACH_SHARE, LEAST_WITHIN_REACH, WITHIN_REACH))
    result: list[Recommendation] = []
    for step in range(start, start + count):
        target = path_target(valence, arousal, mode, step)
        distance = np.hypot(points[:, 0] - target[0], points[:, 1] - target[1])
        nearest = min(within, len(rows)) - 1
        reach = max(REACH, float(np.partition(distance, nearest)[nearest]) / 2)
        distance = np.where(measured, distance, UNMEASURED_REACHES * reach)
        weight = prior * fresh * open_rows * np.exp(-0.5 * (distance / reach) ** 2)
        recent_artists = frozenset[str]().union(*artists[-(ARTIST_GAP - 1) :])
        if step == 0 and not before:
            weight = _playable_first(weight, plays, distance)
        pick = _draw(weight, catalogue, rows, recent_artists, rng)
        if pick is None:
            # Everything fresh has been heard: what was heard longest ago comes round again.
            weight = prior * open_rows * np.exp(-0.5 * (distance / reach) ** 2)
            pick = _draw(weight, catalogue, rows, recent_artists, rng)
        if pick is None:
            break
        row = int(rows[pick])
        song = catalogue.songs[row]
        open_rows[pick] = False
        artists.append(catalogue.artist_keys[row])
        why = explain(catalogue, row, mode, step, expression, told=told)
        if measured[pick] and distance[pick] > FAR:
            why = f"{why.split(',', 1)[0]}, {NEAREST}"
        on_way = step < {"lift": LIFT_STEPS, "calm": len(CALM_SHARES)}.get(mode, 0) - 1
        result.append(Recommendation(song, why, *target, step=step, on_way=on_way))
    return result


def is_near(catalogue: Catalogue, queue: Sequence[Recommendation]) -> bool:
    """Whether most songs of a queue lie about where they were looked for."""
    distances = [
        np.hypot(catalogue.valence[row] - one.valence, catalogue.energy[row] - one.energy)
        for one in queue
        if (row := catalogue.index(one.song.id)) is not None and catalogue.measured[row]
    ]
    return not distances or bool(np.median(distances) <= FAR)


def introduction(mode: str, expression: str | None = None, *, near: bool = True) -> str:
    """One sentence over a queue: what it is going to do. `near` as :func:`is_near` says."""
    if not near:
        return "Few songs here are like that: these come nearest"
    if mode == "lift":
        if expression in {"happy", "surprise"}:
            return "Staying up where you are"
        return "Starting where you are, brightening slowly"
    if mode == "calm":
        return "Starting with something gentle, settling down slowly"
    return {
        "happy": "Bright music for a bright face",
        "sad": "Songs that keep you company",
        "angry": "Songs with some force behind them",
        "surprise": "Lively music, a little out of the ordinary",
        "neutral": "Easy-going songs, nothing that pushes",
        POINTED: "Music from the place you point at",
    }.get(expression or "", "Music like your mood")


_SOUND = (  # by energy third, then valence third
    ("slow and tender", "soft and calm", "gentle and sweet"),
    ("wistful", "easy-going", "warm and sunny"),
    ("fierce", "driving", "bright and lively"),
)
_LOOKS = {
    "happy": "because you look happy",
    "surprise": "because you look surprised",
    "neutral": "because you look at ease",
    "sad": "because you look sad",
    "fear": "because you look worried",
    "angry": "because you look angry",
    "disgust": "because you look put off",
    POINTED: "where you point",
}


def describe(valence_rank: float, energy_rank: float) -> str:
    """How a song at these ranks sounds, in two or three words."""
    thirds = [min(int(3 * rank), 2) for rank in (energy_rank, valence_rank)]
    return _SOUND[thirds[0]][thirds[1]]


def explain(
    catalogue: Catalogue,
    row: int,
    mode: str,
    step: int,
    expression: str | None = None,
    *,
    told: bool = False,
) -> str:
    """Why a song is there: how it sounds, and what it is for or what sets it apart."""
    if not catalogue.measured[row]:
        return "From your own list"
    sound = describe(float(catalogue.valence[row]), float(catalogue.energy[row]))
    if mode == "lift":
        if step == 0:
            reason = "where you are now"
        elif step < LIFT_STEPS - 1:
            reason = "one step brighter"
        else:
            reason = _trait(catalogue, row) or "the top of the climb"
    elif mode == "calm":
        settled = step >= len(CALM_SHARES) - 1
        reason = (_trait(catalogue, row) or "to settle") if settled else "to ease off"
    else:
        reason = _LOOKS.get(expression or "", "like your mood")
        if told and expression:
            reason = f"as you picked {expression}"
        if step:
            # The first row has said it; the same words on every row would tell nothing.
            reason = _trait(catalogue, row) or reason
    return f"{sound[0].upper()}{sound[1:]}, {reason}"


def _trait(catalogue: Catalogue, row: int) -> str | None:
    """What is remarkable about a song, from its figures alone."""
    song = catalogue.songs[row]
    if song.acousticness > 0.8:
        return "played on acoustic instruments"
    if song.danceability > 0.78:
        return "made for dancing"
    if catalogue.popularity[row] > 0.9 and song.streams_rank is not None:
        return "a great favourite"
    if song.tempo > 165 and catalogue.energy[row] > 0.5:
        return "at a fast pace"
    if song.tempo < 76 and catalogue.energy[row] < 0.5:
        return "at a slow pace"
    if song.year:
        return f"from the {song.year // 10 * 10}s"
    return None


def _prior(
    catalogue: Catalogue,
    rows: NDArray[np.intp],
    filters: Filters,
    preference: NDArray[np.floating] | None,
    plays: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """What speaks for each song before the mood is asked."""
    prior = (POPULARITY_FLOOR + catalogue.popularity[rows]).astype(np.float64)
    prior *= np.where(plays, PLAYABLE_FACTOR, 1.0)
    if len(filters.languages) > 1:
        # Chosen languages share the queue evenly, however many songs each has. Unknown is none of
        # them: such a song counts as one of an average chosen language, however few there are.
        names, codes = np.unique(catalogue.language[rows], return_inverse=True)
        totals = np.bincount(codes, weights=prior, minlength=len(names))
        if (chosen := names != "").any():
            totals[~chosen] = totals[chosen].mean()
            prior /= totals[codes]
    if filters.artists_liked:
        prior *= np.where(
            catalogue.by_artist(filters.artists_liked)[rows], LIKED_ARTIST_FACTOR, 1.0
        )
    if preference is not None:
        prior *= np.exp(np.asarray(preference, np.float64)[rows])
    return prior


def _playable_first(
    weight: NDArray[np.float64], playable: NDArray[np.bool_], distance: NDArray[np.float32]
) -> NDArray[np.float64]:
    near = weight * playable * (distance <= FIRST_WITHIN)
    return near if near.any() else weight


def _draw(
    weight: NDArray[np.float64],
    catalogue: Catalogue,
    rows: NDArray[np.intp],
    recent_artists: frozenset[str],
    rng: np.random.Generator,
) -> int | None:
    """A row drawn by weight whose artists were not heard just now; any row if all were."""
    weight = weight.copy()
    passed_over: int | None = None
    while (total := weight.sum()) > 0:
        cumulative = np.cumsum(weight)
        pick = min(int(np.searchsorted(cumulative, rng.random() * total)), len(weight) - 1)
        if recent_artists.isdisjoint(catalogue.artist_keys[int(rows[pick])]):
            return pick
        passed_over = pick if passed_over is None else passed_over
        weight[pick] = 0.0
    return passed_over
