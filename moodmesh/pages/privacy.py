"""Privacy: what happens to the picture, what is stored, and how to be rid of it."""

from __future__ import annotations

import streamlit as st

from moodmesh import takes


def page() -> None:
    """Draws the page."""
    st.title("Privacy")
    st.markdown(
        """
**Your picture** is looked at in memory, frame by frame, on the machine this app runs on. It is
never written to a disk and never sent anywhere else.

**What is stored** is what you record on *Teach*: the positions of 478 points of your face, as
numbers, in the folder `landmarks_data` on this machine, and the personal model trained from them
in `model/personal`. No picture can be made from either that shows you as a photo does, but a
face mesh is still about you: treat it as personal data.

**What goes out**: the player loads songs from YouTube, so YouTube sees that this computer plays
them, as on its own page. Your expression is not sent to it. The app sends no usage statistics.

**What this is**: a program that estimates which of seven expressions a face shows. It is an
emotion recognition system in the sense of Article 50(3) of the EU AI Act, and this is its notice
to you. It reads expressions; it does not know feelings, and it is often wrong. Do not use it to
judge other people.
"""
    )
    paths = takes.paths()
    if not paths:
        st.info("Nothing is stored right now.")
        return
    size = sum(path.stat().st_size for path in paths)
    st.markdown(f"Stored right now: **{len(paths)} takes**, {size / 2**20:.1f} MB.")
    if st.button("Delete everything I recorded", type="primary"):
        _confirm()


@st.dialog("Delete everything you recorded?")
def _confirm() -> None:
    st.markdown("All takes are deleted from this machine. This cannot be undone.")
    if st.button("Delete all takes", type="primary"):
        for path in takes.paths():
            takes.delete(path)
        st.rerun()
