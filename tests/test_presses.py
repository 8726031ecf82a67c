"""Unit: messages of a browser around a press, as Streamlit's browser side sends them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.scriptrunner_utils.script_requests import (
    RerunData,
    ScriptRequests,
    ScriptRequestType,
)

from moodmesh.pages import presses, shell
from moodmesh.pages.presses import Turn

LISTEN, TEACH, MODEL = "listen-hash", "teach-hash", "model-hash"
MUSIC, CAMERA = "music", "camera"  # a widget of all pages, and one of Listen and Teach


def message(page: str, *widgets: str, fragment: str = "") -> ClientState:
    state = ClientState(page_script_hash=page, fragment_id=fragment)
    for widget in widgets:
        state.widget_states.widgets.add(id=widget, bool_value=True)
    return state


def corrected(turn: Turn, state: ClientState) -> tuple[str, list[str]]:
    turn.correct(state)
    return state.page_script_hash, [widget.id for widget in state.widget_states.widgets]


def on_listen() -> Turn:
    turn = Turn()
    for state in (message(""), message(LISTEN, MUSIC, CAMERA), message(LISTEN, MUSIC, CAMERA)):
        turn.correct(state)
    return turn


def test_a_camera_that_reports_after_the_press_does_not_undo_it() -> None:
    turn = on_listen()
    assert corrected(turn, message(TEACH, MUSIC)) == (TEACH, [MUSIC])
    assert corrected(turn, message(LISTEN, MUSIC, CAMERA)) == (TEACH, [MUSIC])
    assert corrected(turn, message(LISTEN, MUSIC, CAMERA)) == (TEACH, [MUSIC])
    # Teach has come, with its own camera.
    assert corrected(turn, message(TEACH, MUSIC, CAMERA)) == (TEACH, [MUSIC, CAMERA])


def test_a_part_that_is_redrawn_after_the_press_brings_its_words_to_the_new_page() -> None:
    turn = on_listen()
    turn.correct(message(TEACH, MUSIC))
    state = message(LISTEN, MUSIC, "liked", fragment="player")
    assert corrected(turn, state) == (TEACH, [MUSIC, "liked"])
    assert state.fragment_id == "player"


def test_a_second_press_is_a_press() -> None:
    turn = on_listen()
    turn.correct(message(TEACH, MUSIC))
    assert corrected(turn, message(MODEL, MUSIC)) == (MODEL, [MUSIC])
    assert corrected(turn, message(LISTEN, MUSIC, CAMERA)) == (MODEL, [MUSIC])
    assert corrected(turn, message(LISTEN)) == (LISTEN, [])  # back, before Model has come


def test_a_page_that_has_come_is_left_by_a_press_again() -> None:
    turn = on_listen()
    for state in (message(TEACH, MUSIC), message(TEACH, MUSIC, CAMERA, fragment="camera")):
        turn.correct(state)
    assert corrected(turn, message(LISTEN, MUSIC, "new for all pages")) == (
        LISTEN,
        [MUSIC, "new for all pages"],
    )


def test_a_window_that_is_opened_anew_names_no_page_and_may_come_to_any() -> None:
    turn = on_listen()
    turn.correct(message(TEACH, MUSIC))
    assert corrected(turn, message("", MUSIC, CAMERA)) == ("", [MUSIC, CAMERA])
    assert corrected(turn, message(LISTEN, MUSIC, CAMERA)) == (LISTEN, [MUSIC, CAMERA])
    assert corrected(turn, message(TEACH, MUSIC)) == (TEACH, [MUSIC])


def session_that_was_asked(state: ClientState) -> SimpleNamespace:
    """As Streamlit's AppSession is when a run has been asked for and its thread has not begun."""
    requests = ScriptRequests()
    requests.request_rerun(
        RerunData(widget_states=state.widget_states, fragment_id=state.fragment_id or None)
    )
    return SimpleNamespace(_scriptrunner=SimpleNamespace(_requests=requests))


def press(page: str, *widgets: str, fragment: str = "") -> ClientState:
    state = message(page, *widgets, fragment=fragment)
    state.widget_states.widgets.add(id="button", trigger_value=True)
    return state


@pytest.mark.parametrize("fragment", ["", "player"])
def test_a_press_that_no_run_has_heard_goes_on_with_the_next_word(
    monkeypatch: pytest.MonkeyPatch, fragment: str
) -> None:
    passed_on: list[ClientState] = []
    monkeypatch.setattr(presses, "_request_rerun", lambda _, state: passed_on.append(state))
    session = session_that_was_asked(press(LISTEN, MUSIC, fragment=fragment))
    presses.request_rerun(session, message(LISTEN, MUSIC, CAMERA))
    brought = {widget.id: widget for widget in passed_on[0].widget_states.widgets}
    assert set(brought) == {"button", MUSIC, CAMERA} and brought["button"].trigger_value
    # The run that would have heard it as well is over: nothing is pressed twice.
    requests = session._scriptrunner._requests
    assert requests.on_scriptrunner_ready().type is ScriptRequestType.STOP


def test_a_press_that_a_run_has_heard_is_not_pressed_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    passed_on: list[ClientState] = []
    monkeypatch.setattr(presses, "_request_rerun", lambda _, state: passed_on.append(state))
    session = session_that_was_asked(press(LISTEN, MUSIC))
    assert session._scriptrunner._requests.on_scriptrunner_ready().type is ScriptRequestType.RERUN
    presses.request_rerun(session, message(LISTEN, MUSIC, CAMERA))
    assert [widget.id for widget in passed_on[0].widget_states.widgets] == [MUSIC, CAMERA]


def test_streamlit_asks_it() -> None:
    assert shell.presses is presses
    assert AppSession.request_rerun is presses.request_rerun
