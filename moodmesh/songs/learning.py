"""What a listener likes, learnt from what they finish, skip, like and dislike.

A contextual bandit: Bayesian linear regression from song features, and their interplay with the
mood, to a reward on [0, 1]; its posterior mean becomes a log weight in the recommender's own
sampling, which does the exploring. Without events every weight is zero, so a newcomer gets the
plain recommender; one event moves little, because the prior says that tastes differ by about a
quarter of the reward's span.

Artists are learnt on top: means of what the features leave unexplained, shrunk towards zero, taken
anew after every event, so that an early guess about a genre does not stick to the artists it was
met with. The state is a 60x60 matrix and the events' rows: an event costs a millisecond, ten
thousand events of history are read in well under a second.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from moodmesh.songs.catalogue import Catalogue
from moodmesh.songs.history import Heard
from moodmesh.songs.recommend import NEAREST, Recommendation

# What an event says about the song, on [0, 1], and how much it counts. A like is a deliberate
# act, an end may have gone unheard; a late skip is half a success.
REWARDS = {
    "finished": (0.9, 1.0),
    "liked": (1.0, 2.0),
    "unliked": (0.5, 1.0),
    "replayed": (1.0, 1.5),
    "skipped_late": (0.35, 0.7),
    "skipped_early": (0.0, 1.0),
    "disliked": (0.0, 2.5),
}
# The variance of a reward around its prediction, and of the weights of each kind of feature before
# anything is known: (0.25)^2 for what a listener cares about most.
NOISE = 0.15
PRIOR_GENRE = 0.06
PRIOR_LANGUAGE = 0.05
PRIOR_ERA = 0.04
PRIOR_FIGURE = 0.06
PRIOR_MOOD = 0.02
PRIOR_LEVEL = 1.0  # the listener's general patience: free, it says nothing about songs
# An artist's own effect counts as if this many average songs of theirs had been heard before.
ARTIST_SHRINKAGE = 3.0
# The odds move more steeply with an artist: a genre offers hundreds of songs for a mood, a liked
# artist one or two, which would drown among sixty others. Chosen by the same simulation.
ARTIST_SHARPNESS = 24.0
# How strongly a predicted difference in reward moves the odds: a song expected to do 0.3 better is
# taken e^(0.3 * 9) = 15 times as readily. Chosen by benchmarks/songs_simulation.py.
SHARPNESS = 9.0
MOST_LOG_WEIGHT = 4.0
# Tastes move on: an event counts half as much after this many days.
HALF_LIFE_DAYS = 120.0
DAY_S = 86_400.0
NAMED_ERAS = tuple(range(1950, 2030, 10))
# An effect this clear is worth saying in words.
TELLING = 0.12


class Learner:
    """One listener's tastes over one catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.count = 0
        self._features, prior, self._names = _song_features(catalogue)
        self._width = self._features.shape[1]
        # Song features, then the same figures weighed by valence and by arousal, then the level.
        self._figures = [i for i, name in enumerate(self._names) if name.startswith("figure ")]
        self._figure_columns = self._features[:, self._figures]
        extra = 2 * len(self._figures)
        self._precision = np.diag(
            1.0 / np.concatenate((prior, np.full(extra, PRIOR_MOOD), [PRIOR_LEVEL]))
        )
        self._moment = np.zeros(len(self._precision))
        self._weights: NDArray[np.float64] | None = np.zeros(len(self._precision))
        self._song_effects: NDArray[np.float64] | None = None
        self._artist_of, artists = _first_artists(catalogue)
        self._artists = artists
        # A song's row, then valence, arousal, reward and count of each event.
        self._heard: list[tuple[NDArray[np.intp], NDArray[np.float64]]] = []
        self._artist_effects: NDArray[np.float64] | None = np.zeros(artists)

    def learn(self, events: Iterable[Heard], now: float | None = None) -> None:
        """Take in events, oldest first. With `now` (seconds since 1970) older ones count less."""
        rows, moods, rewards, counts = [], [], [], []
        for one in events:
            row = self.catalogue.index(one.song_id)
            known = REWARDS.get(one.kind)
            if row is None or known is None:
                continue
            age_days = max(0.0, now - one.at) / DAY_S if now is not None else 0.0
            rows.append(row)
            moods.append((one.valence, one.arousal))
            rewards.append(known[0])
            counts.append(known[1] * 0.5 ** (age_days / HALF_LIFE_DAYS))
        if not rows:
            return
        row_array, weight = np.array(rows), np.array(counts) / NOISE
        reward = np.array(rewards) - 0.5
        design = self._design(row_array, np.array(moods))
        self._precision += design.T @ (design * weight[:, None])
        self._moment += design.T @ (weight * reward)
        self._weights = self._artist_effects = self._song_effects = None
        told = np.column_stack((np.array(moods), reward, np.array(counts)))
        self._heard.append((row_array, told))
        self.count += len(rows)

    def preference(self, valence: float, arousal: float) -> NDArray[np.float64]:
        """(n,) log weight of every song of the catalogue in this mood; zeros while unlearnt."""
        if not self.count:
            return np.zeros(len(self.catalogue))
        weight = SHARPNESS * self._expected(valence, arousal)
        weight += ARTIST_SHARPNESS * self._artist_effect()[self._artist_of]
        return np.clip(weight, -MOST_LOG_WEIGHT, MOST_LOG_WEIGHT)

    def reason(self, song_id: str) -> str | None:
        """What the listener's past says for a song, in words, where it says it clearly."""
        row = self.catalogue.index(song_id)
        if row is None or not self.count:
            return None
        song = self.catalogue.songs[row]
        if self._artist_effect()[self._artist_of[row]] > TELLING:
            return f"by {song.artists[0]}, whom you like"
        weights = self._posterior()
        effects = {
            name: float(weights[i])
            for i, name in enumerate(self._names)
            if self._features[row, i] == 1.0
        }
        best = max(effects, key=effects.__getitem__, default="")
        if best and effects[best] > TELLING:
            kind, _, value = best.partition(" ")
            if kind == "genre":
                return f"as you like {value}"
            if kind == "era":
                return f"as you like the {value}s"
        return None

    def with_reasons(self, recommendations: Iterable[Recommendation]) -> list[Recommendation]:
        """The same queue, its songs' reasons told from the listener's past where it is clear."""
        told = []
        for one in recommendations:
            sound, _, why = one.why.partition(", ")
            tells = one.step and not one.on_way and why != NEAREST
            reason = self.reason(one.song.id) if tells else None
            told.append(replace(one, why=f"{sound}, {reason}") if reason else one)
        return told

    # --- inside -------------------------------------------------------------------------------

    def _posterior(self) -> NDArray[np.float64]:
        weights = self._weights
        if weights is None:
            weights = np.linalg.solve(self._precision, self._moment).astype(np.float64)
            self._weights = weights
        return weights

    def _artist_effect(self) -> NDArray[np.float64]:
        if self._artist_effects is None:
            rows = np.concatenate([rows for rows, _ in self._heard])
            told = np.concatenate([told for _, told in self._heard])
            self._heard = [(rows, told)]
            moods = np.column_stack((np.ones(len(rows)), told[:, :2]))
            expected = (self._effects()[rows] * moods).sum(axis=1) + self._posterior()[-1]
            residual = told[:, 2] - expected
            artist, counts = self._artist_of[rows], told[:, 3]
            total = np.bincount(artist, residual * counts, self._artists)
            weight = np.bincount(artist, counts, self._artists)
            self._artist_effects = total / (weight + ARTIST_SHRINKAGE)
        return self._artist_effects

    def _expected(self, valence: float, arousal: float) -> NDArray[np.float64]:
        """(n,) expected reward beside the listener's average, whoever sings."""
        return self._effects() @ np.array((1.0, valence, arousal))

    def _effects(self) -> NDArray[np.float64]:
        """(n, 3) of every song: its effect in a mood of nothing, and what each unit of valence and
        of arousal adds.
        """
        if self._song_effects is None:
            weights = self._posterior().astype(np.float32)
            figures = len(self._figures)
            by_valence = weights[self._width : self._width + figures]
            by_arousal = weights[self._width + figures : self._width + 2 * figures]
            self._song_effects = np.column_stack(
                (
                    _times(self._features, weights[: self._width]),
                    _times(self._figure_columns, by_valence),
                    _times(self._figure_columns, by_arousal),
                )
            ).astype(np.float64)
        return self._song_effects

    def _design(self, rows: NDArray[np.intp], moods: NDArray[np.float64]) -> NDArray[np.float64]:
        songs = self._features[rows].astype(np.float64)
        figures = songs[:, self._figures]
        level = np.ones((len(rows), 1))
        return np.hstack((songs, moods[:, :1] * figures, moods[:, 1:] * figures, level))


def _times(rows: NDArray[np.floating], weights: NDArray[np.floating]) -> NDArray[np.floating]:
    """`rows @ weights` in one thread. BLAS would share this millisecond out to all cores and keep
    its threads spinning for the next: on two cores that read faces as well, four times as long.
    """
    return np.einsum("ij,j->i", rows, weights)


def _song_features(
    catalogue: Catalogue,
) -> tuple[NDArray[np.float32], NDArray[np.float64], list[str]]:
    """(n, k) features, (k,) prior variances of their weights, and their names.

    Figures are centred, and scaled to about [-1, 1], so that one prior fits all of them.
    """
    songs = catalogue.songs
    columns: list[NDArray[np.float32]] = []
    priors: list[float] = []
    names: list[str] = []

    def add(name: str, prior: float, values: Iterable[float] | NDArray[np.floating]) -> None:
        names.append(name)
        priors.append(prior)
        columns.append(np.nan_to_num(np.asarray(list(values), np.float32)))

    for genre in sorted({song.genre for song in songs} - {""}):
        add(f"genre {genre}", PRIOR_GENRE, (float(song.genre == genre) for song in songs))
    for code in sorted({song.language for song in songs} - {""}):
        add(f"language {code}", PRIOR_LANGUAGE, (catalogue.language == code).astype(np.float32))
    for era in NAMED_ERAS:
        add(f"era {era}", PRIOR_ERA, ((catalogue.year // 10) * 10 == era).astype(np.float32))
    add("figure valence", PRIOR_FIGURE, 2 * catalogue.valence - 1)
    add("figure energy", PRIOR_FIGURE, 2 * catalogue.energy - 1)
    add("figure popularity", PRIOR_FIGURE, 2 * catalogue.popularity - 1)
    add("figure danceability", PRIOR_FIGURE, (3 * (song.danceability - 0.6) for song in songs))
    add("figure acousticness", PRIOR_FIGURE, (2 * song.acousticness - 0.6 for song in songs))
    add("figure tempo", PRIOR_FIGURE, (_clip((song.tempo - 120) / 60) for song in songs))
    add(
        "figure length",
        PRIOR_FIGURE,
        (_clip(((song.duration_s or 215) - 215) / 120) for song in songs),
    )
    if not songs:
        return np.zeros((0, len(names)), np.float32), np.array(priors), names
    return np.column_stack(columns), np.array(priors), names


def _clip(value: float) -> float:
    return value if math.isnan(value) else max(-1.0, min(1.0, value))


def _first_artists(catalogue: Catalogue) -> tuple[NDArray[np.intp], int]:
    """(n,) a number for each song's first artist, and how many there are."""
    numbers: dict[str, int] = {}
    codes = [
        numbers.setdefault(song.artist.split(";")[0], len(numbers)) for song in catalogue.songs
    ]
    return np.array(codes, np.intp), max(1, len(numbers))
