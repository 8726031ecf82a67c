"""What one visitor's session holds, and the model they chose."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

import streamlit as st

from moodmesh import bundle
from moodmesh.bundle import Bundle
from moodmesh.errors import UserError
from moodmesh.listening import Listening
from moodmesh.live import Stream
from moodmesh.songs import catalogue
from moodmesh.songs.catalogue import Song
from moodmesh.songs.discovery import Discovery
from moodmesh.songs.history import History
from moodmesh.songs.learning import Learner
from moodmesh.songs.ownlist import own_songs

# Years of listening; older events weigh next to nothing.
LEARNT_EVENTS = 10_000
GENERAL = "general"
PERSONAL = "personal"


class Camera(Enum):
    """Where the camera is: STOPPING until the browser has let go of it."""

    OFF = "off"
    ON = "on"
    STOPPING = "stopping"


@dataclass
class Session:
    """One visitor's state; nothing in it is shared with another."""

    listening: Listening
    model: str = GENERAL
    camera: Camera = Camera.OFF
    camera_mounted: bool = False
    camera_since_s: float = 0.0
    stream: Stream | None = None
    read_uploads: set[str] = field(default_factory=set)
    notices: list[str] = field(default_factory=list)


def current() -> Session:
    """The session of the visitor whose page is being drawn."""
    if "session" not in st.session_state:
        session = Session(_listening())
        if has_personal():
            session.model = PERSONAL
        st.session_state["session"] = session
    session = st.session_state["session"]
    assert isinstance(session, Session)
    return session


def has_personal() -> bool:
    """Whether this machine has a personal model."""
    return (bundle.PERSONAL / bundle.MANIFEST).is_file()


def model_in_use(session: Session) -> Bundle:
    """The chosen model; the general one, with a notice, where the personal one cannot be read."""
    if session.model == PERSONAL:
        try:
            return _read(bundle.PERSONAL, _changed(bundle.PERSONAL))
        except UserError as error:
            session.model = GENERAL
            session.notices.append(f"{error} Until then the general model reads your expression.")
    return _read(bundle.GENERAL, _changed(bundle.GENERAL))


def _changed(folder: Path) -> float:
    manifest = folder / bundle.MANIFEST
    return manifest.stat().st_mtime if manifest.is_file() else 0.0


@st.cache_resource(max_entries=8, show_spinner=False)
def _read(folder: Path, changed: float) -> Bundle:
    """The bundle as it was when its manifest last changed; checksums are checked once for it."""
    return bundle.read(folder)


def reload_songs(visitor: Session) -> None:
    """Takes the listener's own songs in, here and in every new session."""
    _catalogue.clear()
    _use_songs(visitor, _catalogue())


def add_songs(visitor: Session, songs: Sequence[Song]) -> None:
    """Takes songs that were found into this session's catalogue."""
    found = catalogue.Catalogue(tuple(songs))
    _use_songs(visitor, catalogue.combine([visitor.listening.catalogue, found]))


def _use_songs(visitor: Session, songs: catalogue.Catalogue) -> None:
    visitor.listening.catalogue = songs
    visitor.listening.learner = _learner(songs)
    visitor.listening.refill()


def _learner(songs: catalogue.Catalogue) -> Learner:
    learner = Learner(songs)
    learner.learn(history().events(limit=LEARNT_EVENTS), time.time())
    return learner


def _listening() -> Listening:
    """A new visit of a listener who may have been here before."""
    songs, past = _catalogue(), history()
    liked, disliked = past.verdicts()
    return Listening(
        songs,
        filters=catalogue.Filters(languages=songs.languages_for(st.context.locale)),
        liked=liked,
        disliked=disliked,
        freshness=past.freshness(),
        history=past,
        learner=_learner(songs),
    )


@st.cache_resource(show_spinner=False)
def history() -> History:
    """What was played and felt on this machine; one for all sessions, it locks for itself."""
    return History()


@st.cache_resource(show_spinner=False)
def discovery() -> Discovery:
    """Finds the videos of songs that have none; one for all sessions, so that YouTube Music is
    never asked in bursts."""
    return Discovery()


@st.cache_resource(show_spinner=False)
def _catalogue() -> catalogue.Catalogue:
    """The listener's own songs and the shipped ones, loaded once; nothing changes them."""
    own = own_songs()
    return catalogue.combine([own, catalogue.load()]) if len(own) else catalogue.load()
