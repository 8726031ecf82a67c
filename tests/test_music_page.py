"""Unit tests of the music's page, drawn without a browser."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from moodmesh import people, places
from moodmesh.listening import Listening
from moodmesh.mood import chosen
from moodmesh.pages import music, session
from moodmesh.pages.session import Camera, Session
from moodmesh.songs import catalogue
from moodmesh.songs.catalogue import Catalogue, Filters, Song
from moodmesh.songs.discovery import Discovery
from moodmesh.songs.history import LOCAL_LISTENER, Heard, History
from moodmesh.songs.ownlist import keep_own_songs, own_songs, own_songs_path


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home of nobody; nothing is asked of the network."""
    for place in ("XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(place, str(tmp_path / place.lower()))
    monkeypatch.delenv("MOODMESH_DATABASE_URL", raising=False)
    person = people.Person(LOCAL_LISTENER, tmp_path / "takes", tmp_path / "model", own_songs_path())
    monkeypatch.setattr(people, "HOME", person)
    monkeypatch.setattr(session, "discovery", Asked)
    Asked.songs.clear()
    st.cache_resource.clear()
    yield tmp_path
    st.cache_resource.clear()


class Asked(Discovery):
    """Stands for YouTube Music: keeps what it is asked."""

    songs: ClassVar[dict[str, tuple[Song, Collection[str]]]] = {}

    def look_up(
        self,
        songs: Iterable[Song],
        history: History | None = None,
        refused: Collection[str] = frozenset(),
    ) -> None:
        self.songs.update({one.id: (one, refused) for one in songs})


def player() -> None:
    """The player and its queue on Listen."""
    from moodmesh.pages import music, session

    music.draw(session.current(), at_home=True)


def test_a_song_whose_only_video_does_not_play_is_looked_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    songs = tuple(one for one in catalogue.load().songs if one.video_id and not one.alt_ids)
    monkeypatch.setattr(session, "_shipped", lambda: Catalogue(songs))
    videos = {str(one.video_id) for one in songs}
    History().record(*(Heard(1.0, "unplayable", one.id, video_id=one.video_id) for one in songs))
    app = AppTest.from_function(player).run(timeout=60)
    assert not app.exception
    assert len(Asked.songs) >= 10
    for song, refused in Asked.songs.values():
        assert song.video_id is None and refused == videos


def test_an_own_list_that_is_damaged_stops_nothing() -> None:
    places.data().mkdir(parents=True)
    own_songs_path().write_bytes(b"no such file")

    def page() -> None:
        import streamlit as st

        from moodmesh.pages import session

        st.text(f"{len(session.current().listening.catalogue)} {session.current().notices}")

    app = AppTest.from_function(page).run(timeout=60)
    assert not app.exception
    assert app.text[0].value.startswith(f"{len(catalogue.load())} ")
    assert "Add your list again" in app.text[0].value


def test_an_own_list_can_be_removed_in_the_page() -> None:
    keep_own_songs([Song("own", "Mine", "Ann", source="own list")])

    def page() -> None:
        from moodmesh.pages import music, session

        music._own_list(session.current())

    app = AppTest.from_function(page).run(timeout=60)
    assert len(own_songs()) == 1
    assert app.button[0].label == "Remove your own list (1 song)"
    app.button[0].click().run(timeout=60)
    assert not app.exception and not app.button
    assert not own_songs_path().exists()


def test_what_was_deleted_is_not_in_the_next_session() -> None:
    keep_own_songs([Song("own", "Mine", "Ann", source="own list")])
    own = own_songs().songs[0].id

    def page() -> None:
        import streamlit as st

        from moodmesh.pages import privacy, session

        if st.button("delete"):
            privacy.delete(session.current().person)
        st.text("\n".join(s.id for s in session.current().listening.catalogue.songs))

    app = AppTest.from_function(page).run(timeout=60)
    assert own in app.text[0].value
    app.button[0].click().run(timeout=60)
    assert not app.exception
    assert own not in app.text[0].value


def test_a_deleted_journal_leaves_no_likes_and_no_tastes() -> None:
    liked, disliked = (one.id for one in catalogue.load().songs[:2])
    History().record(Heard(time.time(), "liked", liked), Heard(time.time(), "disliked", disliked))

    def page() -> None:
        import streamlit as st

        from moodmesh.pages import journal, session

        mine = session.current().listening
        assert mine.learner
        st.text(
            f"{len(mine.liked)} {len(mine.disliked)} {mine.learner.count} {len(mine.freshness)}"
        )
        journal._confirm()

    app = AppTest.from_function(page).run(timeout=60)
    assert app.text[0].value == "1 1 2 1"
    app.button[0].click().run(timeout=60)
    assert not app.exception
    assert app.text[0].value == "0 0 0 0"


@pytest.mark.parametrize(
    ("slider", "taken"),
    [
        ((1950, 2023), [0, 1924, 1950, 1990, 2023, 2026]),
        ((1980, 2023), [1990, 2023, 2026]),
        ((1950, 2000), [1924, 1950, 1990]),
        ((1990, 2022), [1990]),
    ],
)
def test_the_ends_of_the_years_are_open(slider: tuple[int, int], taken: list[int]) -> None:
    years = [0, 1924, 1950, 1990, 2023, 2026]
    songs = Catalogue(tuple(Song(f"s{n}", "A", "B", year=n or None) for n in years))
    chosen = music._years(*slider)
    allowed = songs.allowed(Filters(years=chosen))
    assert [year for year, may in zip(years, allowed, strict=True) if may] == taken
    assert music._shown_years(chosen) == slider


def test_that_no_songs_may_be_looked_up_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def page() -> None:
        from moodmesh.pages import music, session

        music._more_songs(session.current(), music._Videos())

    app = AppTest.from_function(page).run(timeout=60)
    assert not app.button[0].disabled
    monkeypatch.setattr(session, "discovery", lambda: Asked(enabled=False))
    app = AppTest.from_function(page).run(timeout=60)
    assert not app.exception
    assert app.button[0].disabled and "turned off here" in app.caption[0].value


def test_the_page_offers_languages_with_enough_songs_and_keeps_the_chosen() -> None:
    def page() -> None:
        from moodmesh.pages import music, session
        from moodmesh.songs.catalogue import Filters

        music._filters(Filters(languages=("zh",)), session.current().listening.catalogue)

    app = AppTest.from_function(page).run(timeout=60)
    assert not app.exception
    options, chosen = app.multiselect[0].options, app.multiselect[0].value
    assert "English" in options and "Dutch" not in options
    assert "Chinese" in options and chosen == ["zh"]


def test_a_queue_of_what_comes_nearest_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    leads: list[str] = []

    class State:
        current, events = None, ()

    def drawn(items: object, *, lead: str, **_: object) -> State:
        leads.append(lead)
        return State()

    def page(code: str) -> None:
        from moodmesh.mood import chosen
        from moodmesh.pages import music, session
        from moodmesh.songs.catalogue import Filters

        visitor = session.current()
        visitor.listening.choose_filters(Filters(languages=(code,)))
        visitor.listening.follow(chosen("happy"))
        music.draw(visitor, at_home=False)

    monkeypatch.setattr(music, "player", drawn)
    for code in ("en", "zh"):
        assert not AppTest.from_function(page, args=(code,)).run(timeout=60).exception
    assert leads == [
        "Bright music for a bright face",
        "Few songs here are like that: these come nearest",
    ]


def test_a_first_mood_is_hurried_for_while_somebody_waits_for_it() -> None:
    listening = Listening(Catalogue(()))
    visitor = Session(listening, camera=Camera.ON, camera_since_s=time.monotonic())
    assert music._hurries(visitor)
    assert not music._hurries(replace(visitor, ahead=1))
    late = visitor.camera_since_s - music.HURRIED_SECONDS
    assert not music._hurries(replace(visitor, camera_since_s=late))
    listening.mood = chosen("happy")
    assert not music._hurries(visitor)
