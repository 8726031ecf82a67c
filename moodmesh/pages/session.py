"""What one visitor's session holds, and the model they chose."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

import streamlit as st

from moodmesh import bundle, people, retention, settings
from moodmesh.bundle import Bundle
from moodmesh.errors import UserError
from moodmesh.face import Face
from moodmesh.listening import Listening
from moodmesh.live import Stream
from moodmesh.people import Person
from moodmesh.songs import catalogue
from moodmesh.songs.catalogue import Song
from moodmesh.songs.discovery import Discovery
from moodmesh.songs.embeddable import Checks, key_from_environment
from moodmesh.songs.history import History, NoHistory
from moodmesh.songs.learning import Learner
from moodmesh.songs.ownlist import own_songs

LOGGER = logging.getLogger(__name__)

# Years of listening; older events weigh next to nothing.
LEARNT_EVENTS = 10_000
GENERAL = "general"
PERSONAL = "personal"
# What the session's state has of somebody's takes, models, songs and likes.
_OF_A_VISIT = ("session", "teaching", "try_classifiers")


class Camera(Enum):
    """Where the camera is: STOPPING until the browser has let go of it."""

    OFF = "off"
    ON = "on"
    STOPPING = "stopping"


@dataclass
class Session:
    """One visitor's state; nothing in it is shared with another.

    name: what a TURN server knows the visit by; it says nothing of the person.
    check_answer: what the connection check was last answered.
    photo: the face in the last photo, as points alone.
    ahead: how many wait for a live camera before this visitor; 0 where it is their turn.
    camera_played: whether the video has played since the camera was turned on.
    restarting: the connection broke; the video is drawn idle once and then connects anew.
    camera_mounted_s: when the video was mounted, time.monotonic(); None where it is not.
    camera_retried: whether a connection that did not come was begun anew already.
    songs_news: what came of the songs that were added last, a sentence each.
    deletions: how often this person had deleted everything when the visit began.
    """

    listening: Listening
    person: Person = people.HOME
    name: str = field(default_factory=lambda: secrets.token_hex(4))
    model: str = GENERAL
    camera: Camera = Camera.OFF
    camera_played: bool = False
    restarting: bool = False
    camera_mounted_s: float | None = None
    camera_retried: bool = False
    camera_since_s: float = 0.0
    stream: Stream | None = None
    photo: Face | None = None
    ahead: int = 0
    read_uploads: set[str] = field(default_factory=set)
    notices: list[str] = field(default_factory=list)
    check_answer: dict[str, object] | None = None
    songs_news: tuple[str, ...] = ()
    deletions: int = 0

    @property
    def camera_mounted(self) -> bool:
        """Whether the page holds the video."""
        return self.camera_mounted_s is not None

    def end_stream(self) -> None:
        """Ends the camera's stream, where there is one: its landmarker is freed."""
        if self.stream:
            self.stream.on_ended()
            self.stream = None


def current() -> Session:
    """The session of the visitor whose page is being drawn."""
    whose = person()
    kept = st.session_state.get("session")
    if kept is not None and (kept.person != whose or is_over(kept)):
        kept.end_stream()
        if kept.person != whose:
            st.session_state.clear()  # what another person began is not for this one
        else:
            # Not all: what the player has been told of must not count as new once more.
            for key in _OF_A_VISIT:
                st.session_state.pop(key, None)
        kept = None
    if kept is None:
        # Counted first: what is deleted while the songs are read is noticed at the next drawing.
        deletions = _deletions().get(whose.key, 0)
        kept = Session(_listening(), whose, deletions=deletions)
        if problem := _catalogue(whose.songs)[1]:
            kept.notices.append(problem)
        if has_personal():
            kept.model = PERSONAL
        st.session_state["session"] = kept
    assert isinstance(kept, Session)
    return kept


@st.cache_resource(show_spinner=False)
def _deletions() -> dict[str, int]:
    """How often each person, by their key, has deleted everything since the server started."""
    return {}


def is_over(visitor: Session) -> bool:
    """Whether everything of this person was deleted since the visit began, in another window say.

    The next :func:`current` begins it anew. Windows of another replica of the server do not learn
    of it before they are opened anew.
    """
    return visitor.deletions != _deletions().get(visitor.person.key, 0)


def forget_everything(whose: Person) -> None:
    """Lets every open window of this person begin anew: likes and own songs are gone."""
    forget_songs()
    _deletions()[whose.key] = _deletions().get(whose.key, 0) + 1


def asks_for_login() -> bool:
    """Whether this server has a login (the [auth] section of Streamlit's secrets)."""
    # Without one, `st.user` has no such attribute at all.
    return "is_logged_in" in st.user.to_dict()


def person() -> Person:
    """Whose page is being drawn; the one person of this machine where there is no login.

    Raises UserError where there is one and the visitor has not come through it.
    """
    if not asks_for_login():
        return people.HOME
    if not st.user.is_logged_in:
        raise UserError("Log in first.")
    try:
        return people.of_claims(st.user.to_dict())
    except ValueError as error:
        raise UserError(
            f"This login cannot be used: {error}. Ask whoever runs this server to check its "
            "OpenID Connect settings."
        ) from None


def has_personal() -> bool:
    """Whether this person has a personal model."""
    return bundle.is_there(person().model)


def model_in_use(session: Session) -> Bundle:
    """The chosen model; the general one, with a notice, where the personal one cannot be read."""
    if session.model == PERSONAL:
        try:
            return _read(session.person.model, _changed(session.person.model))
        except UserError as error:
            session.model = GENERAL
            session.notices.append(f"{error} Until then the general model reads your expression.")
    return general()


def general() -> Bundle:
    """The general model."""
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
    forget_songs()
    _use_songs(visitor, _catalogue(visitor.person.songs)[0])


def forget_songs() -> None:
    """The songs of everybody's own lists are read anew from the disk."""
    _catalogue.clear()


def add_songs(visitor: Session, songs: Sequence[Song]) -> None:
    """Takes songs that were found into this session's catalogue."""
    found = catalogue.Catalogue(tuple(songs))
    _use_songs(visitor, catalogue.combine([visitor.listening.catalogue, found]))


def _use_songs(visitor: Session, songs: catalogue.Catalogue) -> None:
    visitor.listening.catalogue = songs
    visitor.listening.learner = _learner(songs)
    visitor.listening.refill()


def recall(visitor: Session) -> None:
    """Likes, tastes and what was heard lately as the journal tells them by now."""
    listening, past = visitor.listening, history()
    listening.liked, listening.disliked = past.verdicts()
    listening.freshness = past.freshness()
    listening.learner = _learner(listening.catalogue)
    listening.refill(anew=False)


def _learner(songs: catalogue.Catalogue) -> Learner:
    learner = Learner(songs)
    learner.learn(history().events(limit=LEARNT_EVENTS), time.time())
    return learner


def _listening() -> Listening:
    """A new visit of a listener who may have been here before."""
    (songs, _), past = _catalogue(person().songs), history()
    liked, disliked = past.verdicts()
    found, refused = past.videos()
    return Listening(
        songs,
        filters=catalogue.Filters(languages=songs.languages_for(st.context.locale)),
        liked=liked,
        disliked=disliked,
        freshness=past.freshness(),
        found=found,
        refused=refused,
        history=past,
        learner=_learner(songs),
    )


def history() -> History:
    """What was played and read of this person."""
    return _history(person().key)


@st.cache_resource(max_entries=500, show_spinner=False)
def _history(listener: str) -> History:
    """One for all sessions of a listener; it locks for itself."""
    kept = settings.current().privacy.history_days != 0
    return History(listener=listener) if kept else NoHistory(listener=listener)


@st.cache_resource(show_spinner=False)
def discovery() -> Discovery:
    """Finds the videos of songs that have none; one for all sessions, so that YouTube Music is
    never asked in bursts."""
    return Discovery(enabled=settings.current().privacy.find_songs)


@st.cache_resource(ttl=retention.DAY_S, show_spinner=False)
def purge() -> None:
    """Deletes what is too old, at most once a day."""
    try:
        retention.purge(settings.current().privacy)
    except UserError as error:
        LOGGER.warning("%s", error)


@st.cache_resource(max_entries=50, show_spinner=False)
def _catalogue(own_list: Path) -> tuple[catalogue.Catalogue, str | None]:
    """The listener's own songs and the shipped ones, loaded once, nothing changes them; and why
    there are no own ones where their file is damaged.
    """
    try:
        own = own_songs(own_list)
    except UserError as error:
        return _shipped(), str(error)
    return (catalogue.combine([own, _shipped()]) if len(own) else _shipped()), None


@st.cache_resource(show_spinner=False)
def _shipped() -> catalogue.Catalogue:
    return catalogue.load()


@st.cache_resource(show_spinner=False)
def checks() -> Checks:
    """Asks YouTube which videos may play here, where the listener has a key for that."""
    return Checks(key_from_environment() if settings.current().privacy.find_songs else None)
