"""Unit tests of a listener's session: the queue follows, the song that plays does not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from moodmesh.listening import KEPT_PLAYED, QUEUE_LENGTH, Listening
from moodmesh.mood import Mood, chosen
from moodmesh.songs.catalogue import Catalogue, Filters, load
from moodmesh.songs.history import History
from moodmesh.songs.learning import Learner


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load()


@pytest.fixture
def listening(catalogue: Catalogue) -> Iterator[Listening]:
    yield Listening(catalogue, rng=np.random.default_rng(7))


def ids(listening: Listening) -> list[str]:
    return [item.song.id for item in listening.queue]


def mean_valence(listening: Listening, start: int) -> float:
    rows = [listening.catalogue.index(song) for song in ids(listening)[start:]]
    return float(np.mean([listening.catalogue.valence[row] for row in rows if row is not None]))


def test_music_may_start_before_there_is_a_mood(listening: Listening) -> None:
    assert listening.follow(Mood())
    assert len(listening.queue) == QUEUE_LENGTH
    assert listening.note == ""


def test_a_new_mood_changes_only_what_comes_after_the_song_that_plays(
    listening: Listening,
) -> None:
    listening.follow(chosen("sad"))
    before = ids(listening)
    sad = mean_valence(listening, 3)
    listening.began(before[1])
    listening.follow(chosen("happy"))
    after = ids(listening)
    assert after[:2] == before[:2]
    assert not set(after[2:]) & set(before[:2])
    assert mean_valence(listening, 2) > sad + 0.3
    assert listening.note == "You picked happy: the queue follows"


def test_who_named_a_mood_is_not_told_how_they_look(listening: Listening) -> None:
    listening.follow(chosen("sad"))
    assert listening.queue[0].why.endswith("as you picked sad")
    listening.follow(replace(chosen("happy"), told=False))
    assert listening.queue[0].why.endswith("because you look happy")
    assert listening.note == "You look happy: the queue follows"


def test_a_session_begins_with_a_song_that_plays(catalogue: Catalogue) -> None:
    videos = {v for song in catalogue.songs for v in (song.video_id, *song.alt_ids) if v}
    begins = [song for song in catalogue.songs if song.video_id is None]
    found = {song.id: f"found{n:06}" for n, song in enumerate(begins) if n % 4 == 0}
    for seed in range(5):
        listening = Listening(
            catalogue, found=found, refused=videos, rng=np.random.default_rng(seed)
        )
        listening.follow(chosen("happy"))
        assert ids(listening)[0] in found


def test_a_mood_that_hardly_moves_leaves_the_queue_alone(listening: Listening) -> None:
    mood = chosen("happy")
    listening.follow(mood)
    before = ids(listening)
    assert not listening.follow(Mood("happy", {}, mood.valence - 0.05, mood.arousal))
    assert ids(listening) == before
    assert listening.follow(Mood("happy", {}, mood.valence - 0.3, mood.arousal))


def test_the_queue_never_runs_out_and_repeats_nothing(listening: Listening) -> None:
    listening.follow(chosen("neutral"))
    heard: list[str] = []
    for _ in range(60):
        song = next(song for song in ids(listening) if song not in heard)
        listening.began(song)
        heard.append(song)
    assert len(set(heard)) == 60
    assert len(listening.queue) <= KEPT_PLAYED + 1 + QUEUE_LENGTH


def test_disliked_and_unplayable_songs_leave_and_stay_away(listening: Listening) -> None:
    listening.follow(chosen("happy"))
    disliked, unplayable = ids(listening)[3], ids(listening)[4]
    listening.happened("disliked", disliked)
    listening.happened("unplayable", unplayable, last=True)
    assert not {disliked, unplayable} & set(ids(listening))
    for label in ("sad", "happy", "angry", "happy"):
        listening.follow(chosen(label))
        assert not {disliked, unplayable} & set(ids(listening))


def test_a_like_and_a_dislike_exclude_each_other(listening: Listening) -> None:
    listening.follow(chosen("happy"))
    song = ids(listening)[2]
    listening.happened("liked", song)
    assert song in listening.liked
    listening.happened("disliked", song)
    assert song not in listening.liked
    listening.happened("liked", song)
    assert song not in listening.disliked


def test_fear_starts_calm_until_the_listener_chooses(listening: Listening) -> None:
    listening.follow(chosen("fear"))
    assert listening.mode_in_use == "calm"
    listening.choose_mode("match")
    listening.follow(chosen("disgust"))
    assert listening.mode_in_use == "match"


def test_filters_apply_to_the_rest_of_the_queue_and_may_leave_nothing(
    listening: Listening,
) -> None:
    listening.follow(chosen("happy"))
    listening.choose_filters(Filters(languages=("hi",)))
    assert {item.song.language for item in listening.queue} == {"hi"}
    listening.choose_filters(Filters(languages=("hi",), years=(1901, 1902)))
    assert listening.queue == []
    listening.choose_filters(Filters())
    assert len(listening.queue) == QUEUE_LENGTH


def test_what_happens_is_remembered_and_learnt_from(catalogue: Catalogue, tmp_path: Path) -> None:
    history = History(f"sqlite:///{tmp_path / 'history.db'}")
    listening = Listening(
        catalogue,
        history=history,
        learner=Learner(catalogue),
        rng=np.random.default_rng(3),
    )
    listening.follow(chosen("happy"))
    for _ in range(25):
        song = catalogue.find(ids(listening)[0 if listening.current is None else 1])
        assert song is not None
        listening.began(song.id)
        listening.happened("liked" if song.language == "hi" else "skipped_early", song.id)
        listening.queue = listening.queue[listening.queue.index(listening._up_to_current()[-1]) :]
    languages = [item.song.language for item in listening.queue[1:]]
    fresh = Listening(catalogue, rng=np.random.default_rng(3))
    fresh.follow(chosen("happy"))
    assert languages.count("hi") > [item.song.language for item in fresh.queue].count("hi")
    assert len(history.events()) == 25
    assert history.events()[0].mood == "happy"


def test_a_hand_on_the_map_steers_and_the_face_waits(listening: Listening) -> None:
    listening.follow(chosen("sad"))
    sad = mean_valence(listening, 0)
    listening.steer((0.8, 0.5))
    assert mean_valence(listening, 0) > sad + 0.3
    assert "where you point" in listening.queue[0].why
    assert not listening.follow(chosen("sad"))
    listening.steer(None)
    assert listening.follow(chosen("sad"))
    assert mean_valence(listening, 0) < sad + 0.2


def play_on(listening: Listening, songs: int) -> None:
    for _ in range(songs):
        at = ids(listening).index(listening.current) if listening.current else -1
        listening.began(ids(listening)[at + 1])


def test_a_lift_goes_on_from_where_it_is_after_a_skip(catalogue: Catalogue) -> None:
    listening = Listening(
        catalogue, learner=Learner(catalogue), mode="lift", rng=np.random.default_rng(2)
    )
    listening.follow(chosen("sad"))
    play_on(listening, 4)
    step = listening.ahead()[0].step
    listening.happened("skipped_early", str(listening.current))
    assert [one.step for one in listening.ahead()[1:4]] == [step + 1, step + 2, step + 3]
    listening.follow(chosen("angry"))
    assert [one.step for one in listening.ahead()[1:4]] == [0, 1, 2]


def test_a_lift_that_has_arrived_stays_up(catalogue: Catalogue) -> None:
    listening = Listening(catalogue, mode="lift", rng=np.random.default_rng(2))
    listening.follow(chosen("sad"))
    play_on(listening, 30)
    assert min(one.step for one in listening.ahead()) >= 29


def test_a_playlist_of_fifty_songs_can_be_taken_along(listening: Listening) -> None:
    listening.follow(chosen("happy"))
    listening.began(ids(listening)[2])
    taken = listening.playlist()
    assert [one.song.id for one in taken[:10]] == ids(listening)[2:12]
    assert len({one.song.id for one in taken}) == 50
    assert listening.playlist() is taken
