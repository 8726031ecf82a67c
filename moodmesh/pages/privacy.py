"""Privacy: what happens to the picture, what is stored, and how to be rid of it."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from moodmesh import bundle, settings, takes, teaching
from moodmesh.errors import UserError
from moodmesh.pages import camera, session, teach
from moodmesh.people import Person
from moodmesh.songs.ownlist import forget_own_songs


def page() -> None:
    """Draws the page."""
    visitor = session.current()
    shared = session.asks_for_login()
    st.title("Privacy", anchor=False)
    if shared:
        _who()
    place = "this server" if shared else "this machine"
    st.markdown(
        f"""
**Your picture** is looked at in memory, frame by frame, on the machine this app runs on. It is
never written to a disk and never sent anywhere else. The camera starts when you press 'Turn on
camera', and not before.

**What is stored** is what you record on *Teach*: the positions of 478 points of your face (and of
hands and shoulders, if you choose so), as numbers, and the personal model trained from
them; the songs of lists that you added; and the *Journal*. {_journal()} {_kept()} No picture can be
made from the points that shows you as a photo does, but a face mesh is still about you: treat it
as personal data. All of it stays on {place}{", under your own login" if shared else ""}.

**What goes out**: the player loads songs from YouTube, so YouTube sees that your browser plays
them, as on its own page. {_asked()} The expressions are sent to nobody, and no
usage statistics are sent: MediaPipe, Google's library that finds the face, would send some about
itself (that it ran, how fast), and is kept from the network.

**What this is**: a program that estimates which of seven expressions a face shows, to choose songs.
It is an emotion recognition system in the sense of the EU AI Act (Regulation (EU) 2024/1689), and
this is the notice that its Article 50(3) asks for: while your camera is on, the system works on
what it sees of you. It reads expressions; it does not know feelings, and it is often wrong. Do not
use it to judge other people; at work and in schools Article 5(1)(f) forbids to infer people's
emotions.
"""
    )
    _stored(visitor.person)


def _who() -> None:
    name = st.user.to_dict().get("name") or st.user.to_dict().get("email") or "a visitor"
    row = st.container(horizontal=True, vertical_alignment="center")
    row.markdown(f"You are logged in as **{_plain(str(name))}**.")
    if row.button("Log out", icon=":material/logout:"):
        st.logout()


def _plain(text: str) -> str:
    """A name from outside as text that Markdown leaves alone."""
    return "".join(c if c.isalnum() or c in " @.-_'" else " " for c in text)[:80]


def _journal() -> str:
    if settings.current().privacy.history_days == 0:
        return "The journal is off: which expressions were read is kept nowhere."
    return "It says which songs were played and which expressions were read, and when."


def _kept() -> str:
    privacy = settings.current().privacy
    limits = [("the journal", privacy.history_days), ("takes", privacy.takes_days)]
    told = [f"{what} for {days} days" for what, days in limits if days]
    return f"Kept are {' and '.join(told)}; what is older is deleted." if told else ""


def _asked() -> str:
    if not settings.current().privacy.find_songs:
        return ""
    return (
        "The machine this app runs on asks YouTube Music for the videos of songs; it sends their "
        "titles and nothing about you."
    )


@dataclass(frozen=True)
class Stored:
    """How much there is of one person.

    rest: half-written takes, and such as cannot be listed. size: bytes of takes, model and songs.
    """

    takes: int
    rest: int
    model: bool
    songs: bool
    events: int
    size: int

    @property
    def words(self) -> str:
        """It in words; empty where there is nothing."""
        parts = []
        if self.takes:
            parts.append(f"{self.takes} take{'s' * (self.takes != 1)}")
        if self.rest:
            parts.append(f"{self.rest} unfinished or unusable take{'s' * (self.rest != 1)}")
        if self.model:
            parts.append("your model")
        if self.songs:
            parts.append("your own songs")
        if self.events:
            parts.append(f"{self.events} line{'s' * (self.events != 1)} of the journal")
        return ", ".join(parts)


def stored(person: Person) -> Stored:
    """What is stored of this person right now."""
    listed = takes.paths(person.takes)
    everything = takes.everything(person.takes)
    files = [path for path in everything if not path.is_symlink()]
    model = [path for path in person.model.glob("*") if path.is_file()]
    songs = [person.songs] if person.songs.is_file() else []
    history = session.history()
    return Stored(
        len(listed),
        len(everything) - len(listed),
        bool(model),
        bool(songs),
        len(history.events()) + len(history.moods()),
        sum(path.stat().st_size for path in [*files, *model, *songs]),
    )


def delete(person: Person) -> None:
    """Deletes everything of this person; UserError where something stayed."""
    teaching.cancel_all(person.model)
    try:
        session.history().delete()
        takes.delete_all(person.takes)
        bundle.delete(person.model)
        forget_own_songs(person.songs)
    finally:
        session.forget_everything(person)


def _stored(person: Person) -> None:
    found = stored(person)
    if not found.words:
        st.info("Nothing is stored right now.")
        return
    st.markdown(f"Stored right now: **{found.words}**, {found.size / 2**20:.1f} MB of files.")
    if found.takes:
        _takes(person)
    if st.button("Delete everything", type="primary", icon=":material/delete_forever:"):
        _confirm(person)


def _takes(person: Person) -> None:
    with st.expander("The takes, label by label"):
        st.dataframe(
            [
                {
                    "label": label,
                    "takes": len(mine),
                    "MB": round(max(0.1, sum(path.stat().st_size for path in mine) / 2**20), 1),
                }
                for label, mine in takes.newest(person.takes, 10**9).items()
            ],
            hide_index=True,
        )


@st.dialog("Delete everything?")
def _confirm(person: Person) -> None:
    words = stored(person).words
    st.markdown(
        f"{words[:1].upper()}{words[1:]}: all of it is deleted from the disk. This cannot be "
        "undone; a model that you exported is yours to delete."
    )
    if st.button("Delete it all", type="primary"):
        visitor = session.current()
        camera.turn_off(visitor)
        teach.forget()
        try:
            delete(person)
        except UserError as error:
            st.error(str(error))
            return
        st.rerun()
