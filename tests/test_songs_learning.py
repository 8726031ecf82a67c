"""Unit tests: what is learnt from a listener, and that nothing is made up before."""

from __future__ import annotations

import time

import numpy as np
import pytest

from moodmesh.songs.catalogue import Catalogue, load
from moodmesh.songs.history import Heard
from moodmesh.songs.learning import ARTIST_SHRINKAGE, Learner
from moodmesh.songs.recommend import recommend


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load()


def heard(
    song_id: str, kind: str, valence: float = 0.0, arousal: float = 0.0, at: float = 0.0
) -> Heard:
    return Heard(at, kind, song_id, valence=valence, arousal=arousal)


def of_genre(catalogue: Catalogue, genre: str) -> np.ndarray:
    return np.array([song.genre == genre for song in catalogue.songs])


def test_a_newcomer_gets_the_plain_recommender(catalogue: Catalogue) -> None:
    learner = Learner(catalogue)
    assert not learner.preference(0.8, 0.5).any()
    plain = recommend(catalogue, 0.8, 0.5, rng=np.random.default_rng(1))
    learnt = recommend(
        catalogue, 0.8, 0.5, rng=np.random.default_rng(1), preference=learner.preference(0.8, 0.5)
    )
    assert plain == learnt
    learner.learn([heard("unknown song", "liked"), heard(catalogue.songs[0].id, "playing")])
    assert not learner.preference(0.8, 0.5).any()


def test_what_is_expected_follows_from_the_regression(catalogue: Catalogue) -> None:
    chance = np.random.default_rng(4)
    rows = chance.choice(len(catalogue), 300, replace=False)
    moods = chance.uniform(-1, 1, (300, 2))
    learner = Learner(catalogue)
    learner.learn(
        heard(catalogue.songs[row].id, "liked" if n % 3 else "skipped_early", *moods[n])
        for n, row in enumerate(rows)
    )
    weights = learner._posterior()
    direct = learner._design(rows, moods) @ weights - weights[-1]
    told = [learner._expected(*mood)[row] for row, mood in zip(rows, moods, strict=True)]
    assert told == pytest.approx(direct, abs=1e-5)
    reward = np.where(np.arange(300) % 3, 1.0, 0.0) - 0.5
    count = np.where(np.arange(300) % 3, 2.0, 1.0)
    left = reward - learner._design(rows, moods) @ weights
    artist = learner._artist_of[rows]
    for one in set(artist[:20]):
        mine = artist == one
        shrunk = (left * count)[mine].sum() / (count[mine].sum() + ARTIST_SHRINKAGE)
        assert learner._artist_effect()[one] == pytest.approx(shrunk, abs=1e-5)


def test_one_event_moves_little(catalogue: Catalogue) -> None:
    learner = Learner(catalogue)
    learner.learn([heard(catalogue.songs[5].id, "skipped_early")])
    shift = learner.preference(0.0, 0.0)
    assert np.abs(shift - np.median(shift)).mean() < 0.6


@pytest.mark.parametrize("kinds", [("finished", "skipped_early"), ("liked", "disliked")])
def test_a_liked_genre_rises_and_a_disliked_one_falls(
    catalogue: Catalogue, kinds: tuple[str, str]
) -> None:
    learner = Learner(catalogue)
    for n, song in enumerate([s for s in catalogue.songs if s.genre in {"rock", "latin"}][:60]):
        learner.learn([heard(song.id, kinds[0] if song.genre == "rock" else kinds[1], at=n)])
    preference = learner.preference(0.0, 0.0)
    rock, latin = (preference[of_genre(catalogue, g)].mean() for g in ("rock", "latin"))
    assert rock > latin + 1.5


def test_what_is_liked_may_depend_on_the_mood(catalogue: Catalogue) -> None:
    """Energetic songs when happy, still ones when sad."""
    learner = Learner(catalogue)
    rng = np.random.default_rng(0)
    for row in rng.integers(0, len(catalogue), 300):
        happy = rng.random() < 0.5
        fits = (catalogue.energy[row] > 0.5) == happy
        mood = (0.8, 0.5) if happy else (-0.6, -0.3)
        learner.learn(
            [heard(catalogue.songs[row].id, "finished" if fits else "skipped_early", *mood)]
        )
    lively = catalogue.energy > 0.7
    for mood, sign in (((0.8, 0.5), 1), ((-0.6, -0.3), -1)):
        preference = learner.preference(*mood)
        assert sign * (preference[lively].mean() - preference[~lively].mean()) > 0.5


def test_an_artist_is_learnt_beyond_the_genre(catalogue: Catalogue) -> None:
    learner = Learner(catalogue)
    sheeran = [s for s in catalogue.songs if s.artists[0] == "Ed Sheeran"]
    others = [s for s in catalogue.songs if s.genre == sheeran[0].genre and s not in sheeran][:60]
    learner.learn(
        heard(s.id, "skipped_early" if n % 2 else "finished") for n, s in enumerate(others)
    )
    learner.learn(heard(s.id, "liked") for s in sheeran[:4] for _ in range(2))
    preference = learner.preference(0.0, 0.0)
    mine = [catalogue.index(s.id) for s in sheeran]
    same = of_genre(catalogue, sheeran[0].genre)
    assert preference[mine].mean() > preference[same].mean() + 1
    assert learner.reason(sheeran[0].id) == "by Ed Sheeran, whom you like"


def test_a_clear_taste_is_said_in_words(catalogue: Catalogue) -> None:
    learner = Learner(catalogue)
    for song in catalogue.songs[:400]:
        learner.learn([heard(song.id, "finished" if song.genre == "hip-hop" else "skipped_early")])
    rap = next(s for s in catalogue.songs[1000:] if s.genre == "hip-hop")
    assert learner.reason(rap.id) in {"as you like hip-hop", f"by {rap.artists[0]}, whom you like"}
    assert Learner(catalogue).reason(rap.id) is None


def test_the_queue_tells_the_reason_but_for_its_first_song(catalogue: Catalogue) -> None:
    learner = Learner(catalogue)
    for song in catalogue.songs[:400]:
        learner.learn([heard(song.id, "finished" if song.genre == "rock" else "skipped_early")])
    queue = recommend(
        catalogue, 0.8, 0.5, rng=np.random.default_rng(0), expression="happy",
        preference=learner.preference(0.8, 0.5),
    )  # fmt: skip
    told = learner.with_reasons(queue)
    assert [r.song for r in told] == [r.song for r in queue]
    assert told[0].why == queue[0].why
    assert sum("you like" in r.why for r in told) >= 5
    lift = recommend(
        catalogue, -0.6, -0.3, "lift", rng=np.random.default_rng(0),
        preference=learner.preference(-0.6, -0.3),
    )  # fmt: skip
    ways = [r.why for r in learner.with_reasons(lift)]
    assert all(why.endswith("one step brighter") for why in ways[1:4])
    assert sum("you like" in why for why in ways) >= 2


def test_learning_helps_a_simulated_listener(catalogue: Catalogue) -> None:
    from benchmarks.songs_simulation import simulate

    result = simulate(catalogue, "genres", 3)
    assert result.fewer > 0.3
    assert result.first_learning <= result.first_plain * 1.05


def test_old_events_count_less(catalogue: Catalogue) -> None:
    song = catalogue.songs[0]
    now = 1_800_000_000.0
    fresh, old = Learner(catalogue), Learner(catalogue)
    fresh.learn([heard(song.id, "finished", at=now)], now)
    old.learn([heard(song.id, "finished", at=now - 400 * 86_400)], now)
    assert fresh.preference(0, 0)[0] > 1.5 * old.preference(0, 0)[0] > 0


def test_the_odds_are_never_beyond_measure(catalogue: Catalogue) -> None:
    learner = Learner(catalogue)
    learner.learn([heard(s.id, "disliked") for s in catalogue.songs[:500]] * 5)
    preference = learner.preference(1.0, 1.0)
    assert np.isfinite(preference).all() and np.abs(preference).max() <= 4.0


def test_songs_without_figures_do_not_break_it() -> None:
    from moodmesh.songs.catalogue import Song

    bare = Catalogue((Song("1", "A", "B"), Song("2", "C", "D")))
    learner = Learner(bare)
    learner.learn([heard("1", "liked")])
    assert np.isfinite(learner.preference(0.5, 0.5)).all()
    assert len(Learner(Catalogue(())).preference(0, 0)) == 0


def test_ten_thousand_events_are_learnt_quickly(catalogue: Catalogue) -> None:
    rng = np.random.default_rng(0)
    rows = rng.integers(0, len(catalogue), 10_000)
    events = [heard(catalogue.songs[row].id, "finished") for row in rows]
    began = time.process_time()
    learner = Learner(catalogue)
    learner.learn(events)
    assert learner.count == 10_000
    assert time.process_time() - began < 3.0
