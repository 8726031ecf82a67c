"""How fast and how large: the figures the songs must reach, measured.

    python -m benchmarks.songs_speed [--json]

Goals: the queue follows another mood and then an early skip, among 20,000 songs and with a history
of 10,000 events, in under 20 ms; under 60 MB for the catalogue; the first queue under 200 ms after
the mood is known. Exit status 1 where one is missed. Times are medians, with the 95th percentile
beside them; the first queue and the learning of a whole history happen once. The 20,000 songs are
the shipped ones with invented neighbours, the history is random.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from moodmesh.listening import Listening
from moodmesh.mood import chosen
from moodmesh.songs.catalogue import Catalogue, load
from moodmesh.songs.history import Heard, History
from moodmesh.songs.learning import Learner
from moodmesh.songs.recommend import recommend

SONGS, EVENTS = 20_000, 10_000
GOALS = {"follow_and_skip_ms": 20.0, "catalogue_mb": 60.0, "first_queue_ms": 200.0}
RUNS = 60
MOODS = ("sad", "happy", "angry", "neutral")

# Resident memory before and after, in a process of its own so that nothing else is counted.
MEMORY = """
import resource, numpy
from moodmesh.songs import catalogue
def now():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 1e6
before = now()
loaded = catalogue.load()
loaded.valence, loaded.energy, loaded.popularity, loaded.artist_keys, loaded.explicit, loaded.year
print(now() - before)
"""
# The first queue as a fresh page makes it: catalogue, an existing history, what was learnt, songs.
FIRST = """
import sys, time
from moodmesh.songs.catalogue import load
from moodmesh.songs.history import History
from moodmesh.songs.learning import Learner
from moodmesh.songs.recommend import recommend
catalogue = load()
history = History(sys.argv[1])
learner = Learner(catalogue)
learner.learn(history.events(limit=10_000), time.time())
fresh = history.freshness()
began = time.perf_counter()
songs = recommend(catalogue, 0.8, 0.5, freshness=fresh, preference=learner.preference(0.8, 0.5))
print((time.perf_counter() - began) * 1000)
"""


def many(catalogue: Catalogue, count: int) -> Catalogue:
    """The catalogue with invented neighbours, `count` songs in all."""
    rng = np.random.default_rng(0)
    songs = list(catalogue.songs)
    while len(songs) < count:
        song = catalogue.songs[int(rng.integers(len(catalogue)))]
        figures = np.clip(np.array([song.valence, song.energy]) + rng.normal(0, 0.1, 2), 0, 1)
        songs.append(
            replace(
                song, id=f"{len(songs):012d}", artist=f"Artist {len(songs) // 6}",
                valence=float(figures[0]), energy=float(figures[1]),
            )
        )  # fmt: skip
    return Catalogue(tuple(songs[:count]))


def past(catalogue: Catalogue, count: int) -> list[Heard]:
    """A random history of the last hundred days."""
    rng = np.random.default_rng(1)
    kinds = ["finished", "skipped_early", "skipped_late", "liked"]
    now = time.time()
    return [
        Heard(
            now - 86_400 * 100 * (1 - n / count), kinds[int(rng.integers(4))],
            catalogue.songs[int(rng.integers(len(catalogue)))].id, "Title", "Artist",
            valence=float(rng.uniform(-1, 1)), arousal=float(rng.uniform(-1, 1)),
        )
        for n in range(count)
    ]  # fmt: skip


def milliseconds(name: str, run: Callable[[], object], runs: int = RUNS) -> dict[str, float]:
    """The median time of a call under its name, and the 95th percentile."""
    taken = []
    for _ in range(runs):
        began = time.perf_counter()
        run()
        taken.append((time.perf_counter() - began) * 1000)
    return {
        f"{name}_ms": float(np.median(taken)),
        f"{name}_p95_ms": float(np.percentile(taken, 95)),
    }


def measure(folder: Path) -> dict[str, float]:
    """Every figure."""
    shipped = load()
    catalogue = many(shipped, SONGS)
    events = past(catalogue, EVENTS)
    learner = Learner(catalogue)
    began = time.perf_counter()
    learner.learn(events, time.time())
    learnt = (time.perf_counter() - began) * 1000
    url = f"sqlite:///{folder / 'history.sqlite'}"
    history = History(url)
    history.record(*events)
    fresh = history.freshness()
    rng = np.random.default_rng(2)

    def queue() -> object:
        preference = learner.preference(-0.5, 0.3)
        return recommend(
            catalogue, -0.5, 0.3, "lift", 10, rng=rng, freshness=fresh, preference=preference
        )

    listening = Listening(catalogue, history=history, learner=learner, freshness=fresh, rng=rng)
    moods = itertools.cycle(MOODS)

    def follow_and_skip() -> None:
        listening.follow(chosen(next(moods)))
        listening.began(listening.queue[0].song.id)
        listening.happened("skipped_early", listening.queue[0].song.id)

    queue()
    follow_and_skip()
    memory = subprocess.run(
        [sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True
    )
    first = subprocess.run(
        [sys.executable, "-c", FIRST, url], capture_output=True, text=True, check=True
    )
    return {
        **milliseconds("follow_and_skip", follow_and_skip),
        **milliseconds("playlist_of_fifty", lambda: anew(listening)),
        **milliseconds("recommend", queue),
        "catalogue_mb": float(memory.stdout),
        "first_queue_ms": float(first.stdout),
        **milliseconds("load", load, 10),
        "learn_10000_events_ms": learnt,
        **milliseconds("learn_one_event", lambda: learner.learn(events[:1])),
        **milliseconds(
            "record_one_event", lambda: history.record(Heard(time.time(), "playing", "song"))
        ),
        **milliseconds("freshness", history.freshness, 10),
    }


def anew(listening: Listening) -> None:
    """The songs to take along, for a queue that has changed since."""
    listening.queue = listening.queue[::-1]
    listening.playlist()


def main(argv: list[str] | None = None) -> int:
    """Print the table; 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder))
    missed = [name for name, goal in GOALS.items() if figures[name] > goal]
    if args.json:
        print(json.dumps({**{name: round(value, 2) for name, value in figures.items()},
                          "missed": missed}))  # fmt: skip
    else:
        for name, value in figures.items():
            goal = f"  (goal: under {GOALS[name]:g})" if name in GOALS else ""
            print(f"{name:28}{value:10.2f}{goal}{'  MISSED' if name in missed else ''}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
