"""Does learning help? Simulated listeners with known tastes, with and without it.

    python -m benchmarks.songs_simulation [--listeners 40] [--json]

Each listener has a taste the recommender is not told: genres, languages, eras, artists, a leaning
on energy, popularity, acoustic sound or tempo, a mixture, or none at all. A song is finished with
a chance that follows from the taste and from how far the song lies from the mood (a logistic
curve, so that every verdict is noisy), else skipped, mostly early; one in eight finished songs is
liked, one in ten skipped ones disliked. The mood wanders between the seven expressions every eight
songs. Every listener hears 100 songs from the plain recommender and 100 from the learning one, one
at a time, with the same moods and the same luck; the first ten songs, where little is known and
luck is most of it, are heard by ten times as many listeners. The last line says whether the goals
are reached over all listeners, those without a taste included: at least 30% fewer skips after 50
songs, and for no kind of listener over 5% more skips in the first ten.

Most songs are by artists the listener has not met in this session, of whom nothing can be known
where taste is artists alone; `--ceiling` prints what a learner reaches that knows the taste of
every artist heard so far without any doubt.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from moodmesh.mood import VALENCE_AROUSAL
from moodmesh.songs.catalogue import Catalogue, Song, load
from moodmesh.songs.history import Heard
from moodmesh.songs.learning import MOST_LOG_WEIGHT, Learner
from moodmesh.songs.recommend import rank_target, recommend

SONGS = 100
SETTLED_AFTER = 50
FIRST = 10
MORE_FIRST = 10
MOOD_LASTS = 8
LIKES, DISLIKES, EARLY = 1 / 8, 1 / 10, 0.7
GOAL_FEWER, GOAL_FIRST = 0.30, 0.05

Taste = Callable[[Catalogue, np.random.Generator], NDArray[np.float64]]


@dataclass(frozen=True)
class Result:
    """Skips of one kind of listener: shares of songs, plain and learning."""

    kind: str
    first_plain: float
    first_learning: float
    later_plain: float
    later_learning: float

    @property
    def fewer(self) -> float:
        return 1 - self.later_learning / self.later_plain


def genres(catalogue: Catalogue, rng: np.random.Generator) -> NDArray[np.float64]:
    """Two or three genres are loved, the rest is rather not."""
    names = sorted({song.genre for song in catalogue.songs} - {""})
    loved = set(rng.choice(names[:], size=3, replace=False)) | {rng.choice(["pop", "rock"])}
    return np.array([2.2 if song.genre in loved else -1.4 for song in catalogue.songs])


def languages(catalogue: Catalogue, rng: np.random.Generator) -> NDArray[np.float64]:
    """Songs in one or two languages (never chosen as a filter)."""
    known = list(catalogue.languages())[:9]
    loved = rng.choice(known, size=2, replace=False)
    return np.where(np.isin(catalogue.language, loved), 2.0, -1.6)


def eras(catalogue: Catalogue, rng: np.random.Generator) -> NDArray[np.float64]:
    """The music of two decades, where the year is known."""
    loved = rng.choice([1970, 1980, 1990, 2000, 2010], size=2, replace=False)
    decade = (catalogue.year // 10) * 10
    return np.where(catalogue.year == 0, 0.0, np.where(np.isin(decade, loved), 2.0, -1.6))


def sound(catalogue: Catalogue, rng: np.random.Generator) -> NDArray[np.float64]:
    """A leaning on some of energy, acoustic sound, danceability, popularity and tempo."""
    acoustic = np.array([song.acousticness for song in catalogue.songs])
    dance = np.array([song.danceability for song in catalogue.songs])
    tempo = np.array([song.tempo for song in catalogue.songs])
    figures = np.column_stack((catalogue.energy, acoustic, dance, catalogue.popularity, tempo))
    figures = (figures - figures.mean(0)) / figures.std(0)
    return figures @ (rng.choice([-1, 0, 1], size=5, p=[0.35, 0.3, 0.35]) * 1.1)


def artists(catalogue: Catalogue, rng: np.random.Generator) -> NDArray[np.float64]:
    """A third of all artists are loved, the others are not; genre says nothing."""
    names = sorted({song.artists[0] for song in catalogue.songs})
    loved = set(rng.choice(names, size=len(names) // 3, replace=False))
    return np.array([1.8 if song.artists[0] in loved else -0.9 for song in catalogue.songs])


def mixed(catalogue: Catalogue, rng: np.random.Generator) -> NDArray[np.float64]:
    """A bit of everything, as people are."""
    parts = [taste(catalogue, rng) for taste in (genres, languages, eras, sound, artists)]
    return 0.62 * np.sum(parts, axis=0)


def easy_going(catalogue: Catalogue, rng: np.random.Generator) -> NDArray[np.float64]:
    """No taste at all: nothing to learn, so learning must do no harm."""
    return np.zeros(len(catalogue))


TASTES: dict[str, Taste] = {
    "genres": genres,
    "languages": languages,
    "eras": eras,
    "sound": sound,
    "artists": artists,
    "mixed": mixed,
    "easy-going": easy_going,
}


class Knowing:
    """A learner that knows what the listener thinks of every artist heard so far."""

    def __init__(self, catalogue: Catalogue, taste: NDArray[np.float64]) -> None:
        self._catalogue, self._taste = catalogue, taste
        self._artist = np.array([song.artists[0] for song in catalogue.songs])
        self._known = np.zeros(len(catalogue))

    def learn(self, events: Iterable[Heard]) -> None:
        """Only which songs were heard counts."""
        for event in events:
            row = self._catalogue.index(event.song_id) or 0
            theirs = self._artist == self._artist[row]
            self._known[theirs] = np.sign(self._taste[row]) * MOST_LOG_WEIGHT

    def preference(self, valence: float, arousal: float) -> NDArray[np.float64]:
        """(n,) log weights as a learner gives them."""
        return self._known


def listen(
    catalogue: Catalogue,
    taste: NDArray[np.float64],
    moods: list[str],
    chance: NDArray[np.float64],
    rng: np.random.Generator,
    *,
    learning: bool,
    knowing: bool = False,
) -> NDArray[np.bool_]:
    """(len(moods),) which songs were skipped."""
    learner = Knowing(catalogue, taste) if knowing else Learner(catalogue)
    skipped = np.zeros(len(moods), bool)
    heard: dict[str, float] = {}
    disliked: set[str] = set()
    before: list[Song] = []
    for n in range(len(moods)):
        valence, arousal = VALENCE_AROUSAL[moods[n]]
        song = recommend(
            catalogue,
            valence,
            arousal,
            count=1,
            rng=rng,
            start=n,
            before=before,
            freshness=heard,
            exclude=disliked,
            preference=learner.preference(valence, arousal) if learning else None,
        )[0].song
        row = catalogue.index(song.id) or 0
        target = rank_target(valence, arousal)
        off = np.hypot(catalogue.valence[row] - target[0], catalogue.energy[row] - target[1])
        finish = 1 / (1 + np.exp(-(0.2 + taste[row] - 3.0 * off)))
        skipped[n] = chance[n, 0] > finish
        if skipped[n]:
            kinds = ["skipped_early" if chance[n, 1] < EARLY else "skipped_late"]
            if chance[n, 2] < DISLIKES:
                kinds = ["disliked"]
                disliked.add(song.id)
        else:
            kinds = ["liked", "finished"] if chance[n, 2] < LIKES else ["finished"]
        heard[song.id] = 0.0
        before = [*before[-5:], song]
        learner.learn(
            Heard(float(n), kind, song.id, valence=valence, arousal=arousal) for kind in kinds
        )
    return skipped


def skips(
    catalogue: Catalogue, kind: str, listeners: int, songs: int, *, knowing: bool = False
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(listeners, songs) what was skipped of the plain and of the learning recommender."""
    plain, learning = [], []
    for number in range(listeners):
        own = np.random.default_rng((number, sorted(TASTES).index(kind)))
        taste = TASTES[kind](catalogue, own)
        steps = songs // MOOD_LASTS + 1
        moods = [m for m in own.choice(list(VALENCE_AROUSAL), steps) for _ in range(MOOD_LASTS)]
        chance = own.random((songs, 3))
        plain.append(
            listen(
                catalogue,
                taste,
                moods[:songs],
                chance,
                np.random.default_rng(number),
                learning=False,
            )
        )
        learning.append(
            listen(
                catalogue,
                taste,
                moods[:songs],
                chance,
                np.random.default_rng(number),
                learning=True,
                knowing=knowing,
            )
        )
    return np.array(plain), np.array(learning)


def simulate(catalogue: Catalogue, kind: str, listeners: int) -> Result:
    """Both recommenders for so many listeners of one kind."""
    first = [s.mean() for s in skips(catalogue, kind, listeners * MORE_FIRST, FIRST)]
    later = [s[:, SETTLED_AFTER:].mean() for s in skips(catalogue, kind, listeners, SONGS)]
    return Result(kind, *map(float, first), *map(float, later))


def main(argv: list[str] | None = None) -> int:
    """Print the table; 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--listeners", type=int, default=40, help="of each kind (default 40)")
    parser.add_argument("--ceiling", action="store_true", help="how well artists can be learnt")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(argv)
    catalogue = load()
    if args.ceiling:
        both = skips(catalogue, "artists", args.listeners, SONGS, knowing=True)
        plain, known = (float(s[:, SETTLED_AFTER:].mean()) for s in both)
        print(f"artists, songs 51-100: plain {plain:.1%}, every artist heard so far known for "
              f"certain {known:.1%}: {1 - known / plain:.1%} fewer skips at best")  # fmt: skip
        return 0
    results = [simulate(catalogue, kind, args.listeners) for kind in TASTES]
    fewer = 1 - sum(r.later_learning for r in results) / sum(r.later_plain for r in results)
    worst = max(r.first_learning / r.first_plain - 1 for r in results)
    reached = fewer >= GOAL_FEWER and worst <= GOAL_FIRST
    if args.json:
        rows = [{**vars(r), "fewer": r.fewer} for r in results]
        print(json.dumps({"kinds": rows, "fewer": fewer, "worst_first": worst, "ok": reached}))
        return 0 if reached else 1
    print(f"{'listener':12} {'first 10: plain':>16} {'learning':>9} "
          f"{'songs 51-100: plain':>20} {'learning':>9} {'fewer skips':>12}")  # fmt: skip
    for r in results:
        print(f"{r.kind:12} {r.first_plain:16.1%} {r.first_learning:9.1%} "
              f"{r.later_plain:20.1%} {r.later_learning:9.1%} {r.fewer:12.1%}")  # fmt: skip
    print(f"\nall listeners: {fewer:.1%} fewer skips after 50 songs "
          f"(goal {GOAL_FEWER:.0%}); first ten: at worst {worst:+.1%} (goal {GOAL_FIRST:.0%}): "
          f"{'reached' if reached else 'MISSED'}")  # fmt: skip
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
