"""Browser: the real login, `st.login` against an OpenID Connect provider on this machine, and two
people who come through it, each to what is their own."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import oidc_provider_mock
import pytest

from moodmesh import people, takes
from moodmesh.songs.history import Heard, History
from moodmesh.takes import Take
from tests import browser, oidc

pytestmark = browser.marks

PATIENCE_MS = 60_000


@pytest.fixture
def provider() -> Iterator[str]:
    with oidc_provider_mock.run_server_in_thread() as server:
        yield f"http://localhost:{server.server_port}"


@pytest.fixture
def server(provider: str, tmp_path: Path) -> Iterator[str]:
    port = browser.free_port()
    environment = oidc.secrets(tmp_path, provider, f"http://localhost:{port}")
    command = ["app.py", "--port", str(port), "--no-browser"]
    with browser.serving(command, port, environment) as (address, _):
        yield address


def visit(chromium: Any, address: str, name: str) -> Any:
    page = chromium.new_context().new_page()
    page.set_default_timeout(PATIENCE_MS)
    browser.stub_youtube(page)
    if name == "alice":
        page.goto(address)
        page.get_by_role("heading", name="Log in to listen").wait_for()
        page.screenshot(path=browser.ARTEFACTS / "login.png")
    oidc.log_in(page, address, name)
    return page


def test_everybody_comes_to_their_own(provider: str, server: str, tmp_path: Path) -> None:
    alice = people.of_claims({"iss": provider, "sub": "alice"}, tmp_path / "people")
    look = np.random.default_rng(1).random((12, 478, 3), np.float32)
    pose = np.tile(np.eye(4, dtype=np.float32), (12, 1, 1))
    none = np.zeros((12, 52), np.float32)
    takes.write(Take("wink", look, none, pose, (640, 480), np.arange(12)), alice.takes)
    history = History(f"sqlite:///{tmp_path}/history.sqlite", alice.key)
    history.record(Heard(time.time(), "playing", "song-1", title="Seen by Alice", artist="A"))

    browser.ARTEFACTS.mkdir(exist_ok=True)
    with browser.launched() as chromium:
        pages = {name: visit(chromium, server, name) for name in ("alice", "bob")}
        for name, page in pages.items():
            page.get_by_role("link", name="Journal").click()
            mine = "Seen by Alice" if name == "alice" else "Nothing here yet"
            page.get_by_text(mine).first.wait_for()
            page.get_by_role("link", name="Privacy").click()
            page.get_by_text("You are logged in as").wait_for()
            mine = "1 take, " if name == "alice" else "Nothing is stored right now"
            page.get_by_text(re.compile(mine)).first.wait_for()
            assert page.get_by_text("Seen by Alice").count() == 0 or name == "alice"
        page = pages["bob"]
        page.get_by_role("button", name="Log out").click()
        page.wait_for_url(lambda address: not address.startswith(f"{server}/privacy"))
        page.wait_for_load_state()
        page.goto(f"{server}/privacy")
        page.get_by_role("heading", name="Log in to listen").wait_for()
    assert takes.paths(alice.takes)
