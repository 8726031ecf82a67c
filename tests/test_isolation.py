"""Pages as two people of a shared server see them (Streamlit's own page test, no browser): whatever
Alice has, Bob cannot see, take along, train on or delete."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from moodmesh import bundle, people, takes
from moodmesh.bundle import Bundle
from moodmesh.errors import UserError
from moodmesh.pages import privacy, session, teach
from moodmesh.people import Person
from moodmesh.songs.catalogue import Catalogue, Song
from moodmesh.songs.history import Heard, History
from moodmesh.songs.ownlist import keep_own_songs
from moodmesh.takes import Take

SECRET_SONG = "Alice's Very Own Song"


def claims(place: Path, name: str) -> dict[str, object]:
    """What the identity provider says; each test has its own, so that none meets another's."""
    issuer = f"https://{place.name}.example.org"
    return {"is_logged_in": True, "iss": issuer, "sub": name, "name": name.capitalize()}


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Person]:
    """A shared server with Alice, who has something of everything, and Bob, who has nothing."""
    monkeypatch.setenv(people.FOLDER_VARIABLE, str(tmp_path / "people"))
    few = Catalogue(tuple(Song(f"s{n}", f"Song {n}", "Somebody") for n in range(40)))
    monkeypatch.setattr(session, "_shipped", lambda: few)  # the whole catalogue takes a second
    monkeypatch.setenv("MOODMESH_DATABASE_URL", f"sqlite:///{tmp_path}/history.sqlite")
    everybody = {name: people.of_claims(claims(tmp_path, name)) for name in ("alice", "bob")}
    alice = everybody["alice"]
    for label in ("happy", "wink"):
        one = Take(
            label,
            np.random.default_rng(1).random((12, 478, 3), np.float32),
            np.zeros((12, 52), np.float32),
            np.tile(np.eye(4, dtype=np.float32), (12, 1, 1)),
            (640, 480),
            np.arange(12) * 50,
        )
        takes.write(one, alice.takes)
    general = bundle.read(bundle.GENERAL)
    files = {"landmarks.tflite": general.path("landmarks.tflite")}
    bundle.write(alice.model, Bundle("alice's", general.labels), files)
    keep_own_songs([Song("own-1", SECRET_SONG, "Alice")], alice.songs)
    history = History(listener=alice.key)
    history.record(Heard(time.time(), "playing", "own-1", title=SECRET_SONG, artist="Alice"))
    history.felt("sad", -0.6, -0.3)
    return everybody


Open = Callable[[str, str], AppTest]


@pytest.fixture
def opened(shared: dict[str, Person], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Opens a page as one of them, who has logged in."""

    def open_page(page: str, name: str) -> AppTest:
        monkeypatch.setattr(type(st.user), "to_dict", lambda self: claims(tmp_path, name))
        monkeypatch.setattr(type(st.user), "is_logged_in", True, raising=False)
        code = f"from moodmesh.pages import {page}\n{page}.page()\n"
        test = AppTest.from_string(code, default_timeout=60).run()
        assert not test.exception, test.exception
        return test

    return open_page


def text(test: AppTest) -> str:
    """All words on the page."""
    kinds = ("markdown", "title", "subheader", "info", "warning", "error", "caption")
    words = [str(element.value) for kind in kinds for element in test.get(kind)]
    words += [button.label for button in test.button]
    words += [str(html.proto.body) for html in test.get("html")]
    words += [str(expander.label) for expander in test.expander]
    words += [str(download.proto) for download in test.get("download_button")]
    return "\n".join(words)


def test_the_journal_is_ones_own(opened: Open) -> None:
    assert SECRET_SONG.replace("'", "&#x27;") in text(opened("journal", "alice"))
    bobs = text(opened("journal", "bob"))
    assert "Nothing here yet" in bobs
    assert "Very Own Song" not in bobs and "Download" not in bobs


def test_takes_and_models_are_ones_own(opened: Open) -> None:
    alices = text(opened("teach", "alice"))
    assert "**wink**" in alices and "Export my model" in alices
    bobs = text(opened("teach", "bob"))
    assert "wink" not in bobs and "Export my model" not in bobs
    assert "When your model is trained" in bobs


def test_a_personal_model_reads_its_owner_alone(opened: Open) -> None:
    assert "**your personal model**" in text(opened("model", "alice"))
    assert "**the general model**" in text(opened("model", "bob"))


def test_privacy_counts_and_deletes_ones_own(
    opened: Open, shared: dict[str, Person], tmp_path: Path
) -> None:
    assert "Nothing is stored right now" in text(opened("privacy", "bob"))
    alices = opened("privacy", "alice")
    assert "2 takes, your model, your own songs, 2 lines of the journal" in text(alices)
    assert "You are logged in as **Alice**" in text(alices)


def in_page(test: str) -> AppTest:
    """Runs this function of the tests inside a page, where people are known."""
    run = AppTest.from_string(f"from tests import test_isolation\ntest_isolation.{test}()\n")
    return run.run(timeout=60)


def delete_mine() -> None:
    privacy.delete(session.person())


def songs_i_can_hear() -> None:
    listening = session.current().listening
    st.markdown(
        f"own songs: {any(song.title == SECRET_SONG for song in listening.catalogue.songs)}"
    )
    st.markdown(f"learnt from: {len(session.history().events())}")
    st.markdown(f"fresh: {'own-1' not in listening.freshness}")


def test_another_window_forgets_what_was_deleted(opened: Open) -> None:
    opened("privacy", "bob")
    bobs = in_page("like_one").button[0].click().run()
    opened("privacy", "alice")
    window = in_page("like_one").button[0].click().run()
    assert "own songs: True" in text(window) and "liked: 1" in text(window)
    assert not in_page("delete_mine").exception
    window.session_state["player:acknowledged"] = "what was told of"
    window.run(timeout=60)
    assert "own songs: False" in text(window) and "liked: 0" in text(window)
    # Else the player's last events would come into the journal once more.
    assert window.session_state["player:acknowledged"] == "what was told of"
    opened("privacy", "bob")
    bobs.run(timeout=60)
    assert "liked: 1" in text(bobs)


def like_one() -> None:
    """What the window knows, and a button that likes a song."""
    listening = session.current().listening
    if st.button("Like"):
        listening.liked.add("s1")
    songs_i_can_hear()
    st.markdown(f"liked: {len(listening.liked)}")


STARTED: list[tuple[Path, ...]] = []


def training_of_mine() -> None:
    session.current()
    st.session_state["teaching"] = teach.Teaching()
    teach._start(teach._teaching(), teach._stored())


@pytest.mark.parametrize("name", ["alice", "bob"])
def test_deleting_everything_deletes_ones_own(
    opened: Open, shared: dict[str, Person], name: str
) -> None:
    opened("privacy", name)  # whose page the next one is
    assert not in_page("delete_mine").exception
    alice = shared["alice"]
    left = name != "alice"
    assert bool(takes.paths(alice.takes)) == left
    assert (alice.model / bundle.MANIFEST).is_file() == left
    assert alice.songs.is_file() == left
    assert bool(History(listener=alice.key).events()) == left


def test_own_songs_and_what_was_learnt_are_ones_own(opened: Open) -> None:
    opened("privacy", "alice")
    alices = text(in_page("songs_i_can_hear"))
    assert "own songs: True" in alices and "learnt from: 1" in alices and "fresh: False" in alices
    opened("privacy", "bob")
    bobs = text(in_page("songs_i_can_hear"))
    assert "own songs: False" in bobs and "learnt from: 0" in bobs and "fresh: True" in bobs


def test_a_training_learns_from_ones_own_takes_into_ones_own_model(
    opened: Open, shared: dict[str, Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    STARTED.clear()
    monkeypatch.setattr(teach, "TrainingRun", lambda *places: STARTED.append(places[:2]))
    opened("privacy", "alice")
    page = in_page("training_of_mine")
    page.button[0].click().run()
    alice = shared["alice"]
    assert [(alice.takes, alice.model)] == STARTED
    opened("privacy", "bob")
    assert in_page("training_of_mine").button[0].disabled  # there is nothing to learn from


def test_a_visitor_who_has_not_logged_in_is_nobody(
    shared: dict[str, Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(st.user), "to_dict", lambda self: {"is_logged_in": False})
    monkeypatch.setattr(type(st.user), "is_logged_in", False, raising=False)
    with pytest.raises(UserError, match="Log in first"):
        session.person()
    with pytest.raises(UserError, match="Log in first"):
        session.current()


def test_a_login_without_a_name_is_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(st.user), "to_dict", lambda self: {"is_logged_in": True, "sub": "x"})
    monkeypatch.setattr(type(st.user), "is_logged_in", True, raising=False)
    with pytest.raises(UserError, match="This login cannot be used"):
        session.person()
