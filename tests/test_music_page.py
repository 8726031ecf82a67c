"""Unit tests of the music's page, drawn without a browser."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from moodmesh.pages import session
from moodmesh.songs import catalogue
from moodmesh.songs.catalogue import Catalogue, Song
from moodmesh.songs.discovery import Discovery
from moodmesh.songs.history import Heard, History


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home of nobody; nothing is asked of the network."""
    for place in ("XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(place, str(tmp_path / place.lower()))
    monkeypatch.delenv("MOODMESH_DATABASE_URL", raising=False)
    monkeypatch.setattr(session, "discovery", Asked)
    Asked.songs.clear()
    st.cache_resource.clear()
    yield tmp_path
    st.cache_resource.clear()


class Asked(Discovery):
    """Stands for YouTube Music: keeps what it is asked."""

    songs: dict[str, tuple[Song, Collection[str]]] = {}

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

    music._player_and_queue(session.current(), True)


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
