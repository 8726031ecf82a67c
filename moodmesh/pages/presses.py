"""Presses that nothing may undo: on a link to another page, and on a button.

The camera speaks a dozen times while it connects, and each of its words redraws the page. In
Streamlit (1.67) that costs presses:

- Each message of the browser names the page that it shows. From a press on a link until the new
  page's first words have come it still names the old one, so any other part's word in that moment
  asks the server to go back. Here such a word is told from a second press, and asks for the new
  page.
- A message stops the drawing that the one before it asked for. Where that has not begun, a press on
  a button that the message before brought is never heard of. Here it is handed on to the new one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.WidgetStates_pb2 import WidgetStates
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.scriptrunner_utils.script_requests import (
    ScriptRequests,
    ScriptRequestType,
    _coalesce_widget_states,
)


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


def unheard(requests: ScriptRequests) -> WidgetStates | None:
    """Stops a run that has been asked for; what it was to bring, where it has not begun."""
    with requests._lock:
        if requests._state is not ScriptRequestType.RERUN:
            return None
        requests._state = ScriptRequestType.STOP
        return requests._rerun_data.widget_states


_TURN = "moodmesh_turn"
_request_rerun = AppSession.request_rerun


def request_rerun(app_session: Any, message: ClientState | None) -> None:
    """Streamlit's step that takes a browser's message."""
    if message is not None:
        turn = app_session.__dict__.setdefault(_TURN, Turn())
        turn.correct(message)
        # Streamlit itself joins a message about one part of the page to what has not begun.
        if app_session._scriptrunner is not None and not message.fragment_id:
            earlier = unheard(app_session._scriptrunner._requests)
            together = _coalesce_widget_states(earlier, message.widget_states)
            if together is not None:
                message.widget_states.CopyFrom(together)
    _request_rerun(app_session, message)


def install() -> None:
    """Puts it in place, for all visits of this process."""
    AppSession.request_rerun = request_rerun  # type: ignore[assignment,method-assign]
