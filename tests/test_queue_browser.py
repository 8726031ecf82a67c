"""Browser: two people at a machine that has room for one live camera."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests import browser, warped_face
from tests.contrast import faint

pytestmark = browser.marks

PATIENCE_MS = 60_000
SEEN = '.mm-look[data-state="seen"]'  # the camera is on and shows a face


@pytest.fixture
def visitors(tmp_path: Path) -> Any:
    """Two pages of one app, each in a browser session of its own."""
    clip = warped_face.write_webcam_clip(tmp_path / "face.mjpeg", (("happy", 4.0),))
    port = browser.free_port()
    environment = browser.home(tmp_path) | {"MOODMESH_LIVE_SESSIONS": "1"}
    command = ["app.py", "--port", str(port), "--no-browser"]
    with browser.launched(clip) as chromium, browser.serving(command, port, environment) as (at, _):
        pages = []
        for size in ({"width": 1280, "height": 900}, {"width": 390, "height": 844}):
            page = chromium.new_context(viewport=size).new_page()
            page.set_default_timeout(PATIENCE_MS)
            browser.stub_youtube(page)
            page.goto(at)
            pages.append(page)
        yield pages


def test_who_comes_second_waits_and_gets_the_camera_without_another_press(visitors: Any) -> None:
    first, second = visitors
    first.get_by_role("button", name="Turn on camera").click()
    first.wait_for_selector(SEEN)
    second.get_by_role("button", name="Turn on camera").click()
    waiting = second.get_by_role("status").filter(has_text="One person is ahead of you.")
    waiting.wait_for()
    assert second.locator(SEEN).count() == 0
    assert faint(second) == []
    browser.ARTEFACTS.mkdir(exist_ok=True)
    second.screenshot(path=browser.ARTEFACTS / "queue-phone.png")
    first.get_by_role("button", name="Turn off camera").click()
    second.wait_for_selector(SEEN, timeout=2 * PATIENCE_MS)
    assert waiting.count() == 0
    # Who gave the place up comes back at the end of the queue, and may leave it.
    first.get_by_role("button", name="Turn on camera").click()
    first.get_by_text("One person is ahead of you.").wait_for()
    first.get_by_role("button", name="Turn off camera").click()
    first.get_by_role("button", name="Turn on camera").wait_for()
