"""What every page shares: its frame, its looks, and the way from page to page."""

from __future__ import annotations

import streamlit as st

from moodmesh import first_paint, system
from moodmesh.errors import UserError
from moodmesh.pages import (
    journal,
    listen,
    login,
    model,
    music,
    presses,
    privacy,
    session,
    teach,
)

presses.install()


def run() -> None:
    """Draws the page that the address names."""
    st.set_page_config(page_title="moodmesh", page_icon="🎧", layout="wide")
    # Once more, in the theme that is in use: it may be chosen by hand, or the server started by
    # `streamlit run`, without the middleware.
    ground = first_paint.ground("dark" if st.context.theme.type == "dark" else "light")
    st.html(f"<style>{first_paint.CSS.read_text('utf-8')}:root{{--mm-ground:{ground}}}</style>")
    if not login.passed():
        return
    session.purge()
    pages = [
        st.Page(listen.page, title="Listen", url_path="listen", default=True),
        st.Page(teach.page, title="Teach", url_path="teach"),
        st.Page(model.page, title="Model", url_path="model"),
        st.Page(journal.page, title="Journal", url_path=music.JOURNAL),
        st.Page(privacy.page, title="Privacy", url_path="privacy"),
    ]
    chosen = st.navigation(pages, position="hidden")
    at_home = chosen is pages[0]
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="nav"):
        st.html('<span class="mm-brand">moodmesh</span>', width="content")
        for page in pages:
            here = page.url_path == chosen.url_path
            with st.container(key=f"nav-{'here' if here else page.title}", width="content"):
                st.page_link(page, label=page.title, width="content")
    # Containers of the shell's own: what is in the second one outlives the change of page, so that
    # the video goes on where it is.
    frame = st.container(key="frame")
    content, beside = frame.container(key="page"), frame.container(key="music")
    try:
        visitor = session.current()
        for notice in visitor.notices:
            content.warning(notice)
        visitor.notices.clear()
        if st.session_state.get("drawn_page") != chosen.url_path:
            st.session_state["drawn_page"] = chosen.url_path
            # Another page's video is gone: it has to mount anew.
            visitor.camera_mounted_s = None
            visitor.camera_played = visitor.camera_retried = False
    except UserError as error:
        st.error(str(error))
        return
    with content:
        try:
            chosen.run()
        except UserError as error:
            st.error(str(error))
    with beside:
        music.draw(visitor, at_home=at_home)
    system.settle("pages")
