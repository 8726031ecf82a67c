"""A press on a link to another page, which nothing may undo.

Each message of Streamlit's browser side (1.67) names the page that it shows. From a press on a link
until the new page's first words have come it still names the old one. So whatever speaks of itself
in that moment, as the camera does many times while it connects, would ask the server to go back,
and the press is lost. Here such a message is told from a second press, and asks for the new page.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.runtime.app_session import AppSession


@dataclass
class Turn:
    """Which page a browser asked for last.

    page: Streamlit's hash of it; empty before the first message.
    kept: the widgets that the press brought along, which are those that all pages share; None once
    the browser has shown that it is on that page.
    """

    page: str = ""
    kept: frozenset[str] | None = None

    def correct(self, message: ClientState) -> None:
        """Makes a message that names a page which was left ask for the one that was pressed."""
        if message.page_script_hash in ("", self.page):  # none: a window that has just been opened
            self.page, self.kept = message.page_script_hash, None
            return
        brought = frozenset(widget.id for widget in message.widget_states.widgets)
        kept = self.kept
        # A press on a link leaves out the widgets of the page that it leaves.
        press = not message.fragment_id and (kept is None or brought <= kept)
        if press:
            self.page, self.kept = message.page_script_hash, brought
        elif kept is not None:
            message.page_script_hash = self.page
            if not message.fragment_id:
                known = [widget for widget in message.widget_states.widgets if widget.id in kept]
                del message.widget_states.widgets[:]
                message.widget_states.widgets.extend(known)


_TURN = "moodmesh_turn"
_request_rerun = AppSession.request_rerun


def request_rerun(app_session: Any, message: ClientState | None) -> None:
    """Streamlit's step that takes a browser's message."""
    if message is not None:
        turn = app_session.__dict__.setdefault(_TURN, Turn())
        turn.correct(message)
    _request_rerun(app_session, message)


def install() -> None:
    """Puts it in place, for all visits of this process."""
    AppSession.request_rerun = request_rerun  # type: ignore[assignment,method-assign]
