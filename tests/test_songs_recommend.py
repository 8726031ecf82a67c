"""Unit tests: from a mood to songs, without a page, a clock or the network."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from moodmesh.errors import UserError
from moodmesh.mood import VALENCE_AROUSAL
from moodmesh.songs.catalogue import Catalogue, Filters, Song, load
from moodmesh.songs.recommend import (
    ARTIST_GAP,
    MODES,
    Recommendation,
    default_mode,
    describe,
    introduction,
    is_near,
    mood_at,
    path_target,
    rank_target,
    recommend,
)


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load()


def queue(
    catalogue: Catalogue, mood: str, mode: str = "match", n: int = 10, seed: int = 0, **more: Any
) -> list[Recommendation]:
    chance = np.random.default_rng(seed)
    place = VALENCE_AROUSAL[mood]
    return recommend(catalogue, *place, mode, n, rng=chance, expression=mood, **more)


def ranks(catalogue: Catalogue, songs: list[Recommendation]) -> np.ndarray:
    rows = [catalogue.index(r.song.id) for r in songs]
    return np.column_stack((catalogue.valence[rows], catalogue.energy[rows]))


@pytest.mark.parametrize(
    ("mood", "valence", "energy"),
    [
        ("happy", (0.75, 1.0), (0.6, 1.0)),
        ("sad", (0.0, 0.3), (0.0, 0.35)),
        ("angry", (0.0, 0.4), (0.65, 1.0)),
        ("neutral", (0.35, 0.65), (0.3, 0.6)),
        ("surprise", (0.5, 0.85), (0.7, 1.0)),
    ],
)
def test_the_songs_lie_where_the_mood_is(
    catalogue: Catalogue, mood: str, valence: tuple[float, float], energy: tuple[float, float]
) -> None:
    means = np.mean([ranks(catalogue, queue(catalogue, mood, seed=s)) for s in range(10)], (0, 1))
    assert valence[0] <= means[0] <= valence[1]
    assert energy[0] <= means[1] <= energy[1]


def test_the_map_from_mood_to_ranks_rises_and_comes_back() -> None:
    steps = np.linspace(-1, 1, 41)
    for axis in (0, 1):
        mapped = [rank_target(x, x)[axis] for x in steps]
        assert all(a < b for a, b in itertools.pairwise(mapped))
        assert mapped[0] >= 0 and mapped[-1] <= 1
    for v, a in itertools.product((-0.9, -0.3, 0.0, 0.5, 1.0), repeat=2):
        assert mood_at(*rank_target(v, a)) == pytest.approx((v, a), abs=1e-9)


@pytest.mark.parametrize("mood", ["sad", "fear", "angry", "disgust", "neutral"])
def test_lift_starts_at_the_mood_and_climbs_to_bright_in_five_songs(mood: str) -> None:
    path = [path_target(*VALENCE_AROUSAL[mood], "lift", step) for step in range(7)]
    assert path[0] == pytest.approx(rank_target(*VALENCE_AROUSAL[mood]))
    assert all(a[0] < b[0] for a, b in itertools.pairwise(path[:5]))
    assert path[4] == path[5] == path[6]
    happy = rank_target(*VALENCE_AROUSAL["happy"])
    assert path[4][0] == pytest.approx(happy[0], abs=0.02)
    assert path[4][1] >= happy[1] - 0.02


def test_lift_really_climbs_through_the_songs(catalogue: Catalogue) -> None:
    climbs = np.mean(
        [ranks(catalogue, queue(catalogue, "sad", "lift", 6, seed)) for seed in range(30)], axis=0
    )
    assert all(a < b for a, b in itertools.pairwise(climbs[:5, 0]))
    assert climbs[0, 0] < 0.35 < 0.75 < climbs[4, 0]


@pytest.mark.parametrize("mood", list(VALENCE_AROUSAL))
def test_calm_settles_from_every_mood(catalogue: Catalogue, mood: str) -> None:
    energy = np.mean(
        [ranks(catalogue, queue(catalogue, mood, "calm", 6, seed))[2:, 1] for seed in range(10)]
    )
    assert energy < 0.3


def test_nothing_bright_is_brought_down_by_lift() -> None:
    assert path_target(1.0, 1.0, "lift", 6) == pytest.approx(rank_target(1.0, 1.0))


def test_no_artist_comes_back_within_five_songs(catalogue: Catalogue) -> None:
    for mood, seed in itertools.product(VALENCE_AROUSAL, range(5)):
        songs = queue(catalogue, mood, n=30, seed=seed)
        assert len({r.song.id for r in songs}) == 30
        keys = [catalogue.artist_keys[catalogue.index(r.song.id) or 0] for r in songs]
        for i, j in itertools.combinations(range(30), 2):
            if j - i < ARTIST_GAP:
                assert keys[i].isdisjoint(keys[j]), (songs[i].song, songs[j].song)


def test_the_songs_before_count_for_the_artist_gap(catalogue: Catalogue) -> None:
    first = queue(catalogue, "happy", n=4)
    heard = {key for r in first for key in catalogue.artist_keys[catalogue.index(r.song.id) or 0]}
    for seed in range(20):
        after = queue(catalogue, "happy", n=1, seed=seed, before=[r.song for r in first], start=4)
        assert heard.isdisjoint(catalogue.artist_keys[catalogue.index(after[0].song.id) or 0])


def test_a_hundred_queues_do_not_look_alike(catalogue: Catalogue) -> None:
    for filters in (Filters(), Filters(languages=("ko",))):
        queues = [
            {r.song.id for r in queue(catalogue, "sad", seed=seed, filters=filters)}
            for seed in range(100)
        ]
        shared = [len(a & b) for a, b in itertools.combinations(queues, 2)]
        assert np.mean(shared) < 3
        assert len(set().union(*queues)) > 60


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("mood", VALENCE_AROUSAL)
def test_two_queues_for_one_mood_share_few_songs(
    catalogue: Catalogue, mood: str, mode: str
) -> None:
    for languages, most in (((), 1.5), (("en",), 2.5)):
        filters = Filters(languages=languages)
        queues = [
            {r.song.id for r in queue(catalogue, mood, mode=mode, seed=seed, filters=filters)}
            for seed in range(20)
        ]
        shared = [len(a & b) for a, b in itertools.combinations(queues, 2)]
        assert np.mean(shared) < most


def test_popular_songs_come_more_often(catalogue: Catalogue) -> None:
    played = [
        catalogue.popularity[catalogue.index(r.song.id) or 0]
        for seed in range(30)
        for r in queue(catalogue, "neutral", seed=seed)
    ]
    assert np.mean(played) > 0.55


def test_the_first_song_can_start_at_once(catalogue: Catalogue) -> None:
    for mood, seed in itertools.product(VALENCE_AROUSAL, range(10)):
        assert queue(catalogue, mood, seed=seed)[0].song.video_id


def test_the_first_song_is_none_whose_video_is_known_not_to_play() -> None:
    dead = [
        Song(f"dead{n}", f"Dead {n}", f"A{n}", valence=0.5, energy=0.5, video_id=f"dead{n:07}")
        for n in range(40)
    ]
    more = [Song(f"song{n}", f"Song {n}", f"B{n}", valence=0.5, energy=0.5) for n in range(40)]
    songs = Catalogue((*dead, *more))
    plays = songs.playable_with({"song7": "found-video"}, {str(one.video_id) for one in dead})
    assert [songs.songs[row].id for row in np.flatnonzero(plays)] == ["song7"]
    for seed in range(10):
        assert queue(songs, "neutral", seed=seed, playable=plays)[0].song.id == "song7"


def test_songs_with_a_known_video_come_first_choice(catalogue: Catalogue) -> None:
    spanish = Filters(languages=("es",))
    songs = [
        r for seed in range(40) for r in queue(catalogue, "neutral", seed=seed, filters=spanish)
    ]
    share = np.mean([r.song.video_id is not None for r in songs if r.step])
    assert share > 2.5 * np.mean(catalogue.playable[catalogue.language == "es"])


def test_several_languages_share_the_queue(catalogue: Catalogue) -> None:
    filters = Filters(languages=("en", "ja"))
    languages = [
        r.song.language
        for seed in range(30)
        for r in queue(catalogue, "happy", seed=seed, filters=filters)[1:]
    ]
    assert set(languages) == {"en", "ja"}
    assert 0.25 < languages.count("ja") / len(languages) < 0.75


def test_songs_of_unknown_language_take_no_share_of_their_own(catalogue: Catalogue) -> None:
    known = catalogue.songs[0]
    own = [
        replace(known, id=f"own{n}", artist=f"Friend {n}", language="", source="own list")
        for n in range(6)
    ]
    both = Catalogue((*catalogue.songs, *own))
    row = both.index("own0") or 0
    place = mood_at(float(both.valence[row]), float(both.energy[row]))
    share = {}
    for languages in (("en",), ("en", "es")):
        songs = [
            r.song.id.startswith("own")
            for seed in range(20)
            for r in recommend(
                both,
                *place,
                filters=Filters(languages=languages),
                rng=np.random.default_rng(seed),
            )
        ]
        share[len(languages)] = np.mean(songs)
    assert 0 < share[2] < 2 * share[1] < 0.6


def test_liked_artists_come_more_often(catalogue: Catalogue) -> None:
    def share(filters: Filters) -> int:
        return sum(
            "Spice Girls" in r.song.artists
            for seed in range(60)
            for r in queue(catalogue, "happy", seed=seed, filters=filters)
        )

    assert share(Filters(artists_liked=("spice girls",))) > share(Filters())


def test_songs_heard_are_not_repeated_until_nothing_else_is_left(catalogue: Catalogue) -> None:
    filters = Filters(languages=("nl",))
    everything = [s for s in catalogue.songs if s.language == "nl"]
    heard = {s.id: 0.0 for s in everything[:-3]}
    fresh = queue(catalogue, "happy", n=3, filters=filters, freshness=heard)
    assert {r.song.id for r in fresh} == {s.id for s in everything[-3:]}
    again = queue(catalogue, "happy", n=5, filters=filters, freshness=heard)
    assert len(again) == 5
    never = queue(catalogue, "happy", n=99, filters=filters, exclude=[everything[0].id])
    assert len(never) == len(everything) - 1


def test_filters_that_leave_nothing_give_an_empty_queue(catalogue: Catalogue) -> None:
    assert queue(catalogue, "happy", filters=Filters(languages=("xx",))) == []
    assert recommend(Catalogue(()), 0.0, 0.0) == []


def test_few_songs_widen_the_reach_instead_of_leaving_a_gap(catalogue: Catalogue) -> None:
    songs = queue(catalogue, "angry", n=10, filters=Filters(languages=("zh",)))
    assert len(songs) == 10


def test_songs_without_figures_come_up_now_and_then_in_every_mood(catalogue: Catalogue) -> None:
    own = [Song(f"own{n}", f"Mine {n}", f"Friend {n}", source="own list") for n in range(300)]
    both = Catalogue((*catalogue.songs, *own))
    for mood in ("happy", "sad"):
        songs = [r for seed in range(10) for r in queue(both, mood, n=20, seed=seed)]
        share = np.mean([r.song.source == "own list" for r in songs])
        assert 0.02 < share < 0.6
        assert {r.why for r in songs if r.song.source == "own list"} == {"From your own list"}


def test_a_learnt_preference_moves_the_odds_and_zero_changes_nothing(catalogue: Catalogue) -> None:
    plain = queue(catalogue, "happy")
    assert queue(catalogue, "happy", preference=np.zeros(len(catalogue))) == plain
    wanted = np.where([s.genre == "rock" for s in catalogue.songs], 5.0, 0.0)
    rock = [r.song.genre for r in queue(catalogue, "happy", preference=wanted)]
    assert rock.count("rock") >= 8


def test_the_same_chance_gives_the_same_queue(catalogue: Catalogue) -> None:
    assert queue(catalogue, "sad", seed=3) == queue(catalogue, "sad", seed=3)
    assert queue(catalogue, "sad", seed=3) != queue(catalogue, "sad", seed=4)


def test_every_song_says_why_in_words(catalogue: Catalogue) -> None:
    for mood, mode in itertools.product(VALENCE_AROUSAL, MODES):
        songs = queue(catalogue, mood, mode)
        assert all(r.why[0].isupper() and "," in r.why and "_" not in r.why for r in songs)
        assert introduction(mode, mood)
    assert queue(catalogue, "happy")[0].why.endswith("because you look happy")
    assert queue(catalogue, "sad", "lift")[0].why.endswith("where you are now")
    by_hand = recommend(catalogue, 0.2, 0.1, rng=np.random.default_rng(0))
    assert by_hand[0].why.endswith("like your mood")


@pytest.mark.parametrize(
    ("valence", "energy", "words"),
    [(0.1, 0.1, "slow and tender"), (0.9, 0.9, "bright and lively"), (0.1, 1.0, "fierce")],
)
def test_sound_is_described_by_where_it_lies(valence: float, energy: float, words: str) -> None:
    assert describe(valence, energy) == words


def test_fear_and_disgust_are_met_with_calm() -> None:
    assert [default_mode(m) for m in ("fear", "disgust", "sad", "happy", None)] == [
        "calm",
        "calm",
        "match",
        "match",
        "match",
    ]


def test_songs_far_from_the_mood_are_not_said_to_suit_it(catalogue: Catalogue) -> None:
    chinese = queue(catalogue, "happy", filters=Filters(languages=("zh",)))
    assert not is_near(catalogue, chinese)
    assert all(r.why.endswith("the nearest there is") for r in chinese)
    assert "nearest" in introduction("match", "happy", near=False)
    for mood, code in itertools.product(VALENCE_AROUSAL, ("en", "es")):
        near = queue(catalogue, mood, filters=Filters(languages=(code,)))
        assert is_near(catalogue, near)
        assert sum(r.why.endswith("the nearest there is") for r in near) <= 2
    unmeasured = Song("own", "Mine", "Ann", source="own list")
    own = Catalogue((unmeasured,))
    assert is_near(own, queue(own, "happy")) and is_near(own, [])


def test_an_unknown_mode_is_named(catalogue: Catalogue) -> None:
    with pytest.raises(UserError, match="match, lift, calm"):
        recommend(catalogue, 0, 0, "loud")
