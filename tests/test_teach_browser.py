"""Browser: two expressions recorded from a fake webcam, trained, and used by the live page.

A real server and headless Chromium; the two webcams each show one expression of the warped face.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from moodmesh import bundle, takes
from tests import browser, warped_face

pytestmark = [*browser.marks, pytest.mark.training]

PATIENCE_MS = 90_000
TRAINING_MS = 300_000
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path  # of this try alone: a second one must not find the first one's takes


@pytest.fixture
def server(home: Path) -> Iterator[str]:
    port = browser.free_port()
    command = ["app.py", "--port", str(port), "--no-browser"]
    with browser.serving(command, port, browser.home(home)) as (address, _):
        yield address


def opened(chromium: Any, address: str, path: str) -> Any:
    page = chromium.new_page(viewport=DESKTOP)
    page.set_default_timeout(PATIENCE_MS)
    browser.stub_youtube(page)
    page.goto(f"{address}/{path}")
    return page


def screenshot(page: Any, name: str) -> None:
    browser.ARTEFACTS.mkdir(exist_ok=True)
    for kind, size in (("desktop", DESKTOP), ("phone", PHONE)):
        page.set_viewport_size(size)
        page.screenshot(path=browser.ARTEFACTS / f"teach_{name}_{kind}.png", full_page=True)
    page.set_viewport_size(DESKTOP)


def record(page: Any, label: str) -> None:
    choice = page.get_by_role("radio", name=label)
    choice.wait_for()
    if choice.get_attribute("aria-checked") != "true":  # a second press takes the choice back
        choice.click()
    page.get_by_role("button", name="Record 5 seconds").click()  # waits until it is enabled
    page.get_by_role("heading", name="Get ready").wait_for()
    page.get_by_role("heading", name="Hold it").wait_for()
    page.screenshot(path=browser.ARTEFACTS / f"teach_recording_{label}.png")
    page.get_by_text(f"samples of '{label}' kept").wait_for()


def test_two_expressions_are_taught_and_used(server: str, home: Path) -> None:
    clips = {
        name: warped_face.write_webcam_clip(home / f"{name}.mjpeg", [(name, 10.0)])
        for name in ("happy", "surprise")
    }
    with browser.launched(clips["happy"]) as chromium:
        page = opened(chromium, server, "teach")
        page.get_by_text("choose an expression and hold it").wait_for()
        screenshot(page, "1_empty")
        page.get_by_role("button", name="Turn on camera").click()
        record(page, "happy")
        screenshot(page, "2_shown")
        assert page.get_by_role("button", name="Train my model").is_disabled()

    with browser.launched(clips["surprise"]) as chromium:
        page = opened(chromium, server, "teach")
        page.get_by_label("or one of your own").fill("wow")
        page.get_by_role("button", name="Add").click()
        page.get_by_role("button", name="Turn on camera").click()
        record(page, "wow")
        stored, problems = takes.read_all(home / "takes")
        assert sorted(take.label for take in stored) == ["happy", "wow"] and not problems
        assert all(len(take) >= 10 for take in stored)

        # A second take of each, so that both can be judged by a model that learned without one.
        second = [
            takes.write(warped_face.take(name, label, seconds=1.5, seed=7), home / "takes")
            for name, label in (("happy", "happy"), ("surprise", "wow"))
        ]
        page.get_by_role("button", name="Train my model").click()
        page.get_by_role("button", name="Cancel").wait_for()
        screenshot(page, "3_training")
        page.get_by_text(re.compile("^Your model is trained")).wait_for(timeout=TRAINING_MS)
        assert bundle.read(home / "model" / "personal").labels == ("happy", "wow")
        page.locator('.mm-versus [data-part="right-says"]', has_text="wow").wait_for()
        page.get_by_text("Before: general model").wait_for()
        page.get_by_text("After: your model").wait_for()
        page.get_by_text("What it mixes up").wait_for()
        screenshot(page, "4_try")
        for path in second:
            path.unlink()
        page.get_by_role("button", name="Use my model").click()
        page.get_by_text("The live page uses your model").wait_for()

        page.get_by_role("link", name="Listen").click()
        page.get_by_text("I see 'wow'").wait_for()
        screenshot(page, "5_listen")

        page.get_by_role("link", name="Teach").click()
        # The page is still settling with its camera: a press on a card that is just being drawn
        # anew is lost, as it would be for a person, who presses again.
        for _ in range(3):
            page.get_by_role("button", name="Delete this take of wow").click()
            with contextlib.suppress(browser.timeout_error()):
                page.get_by_role("button", name="Undo delete").wait_for(timeout=20_000)
                break
        assert len(takes.paths(home / "takes")) == 1
        for _ in range(3):
            page.get_by_role("button", name="Undo delete").click()
            with contextlib.suppress(browser.timeout_error()):
                page.get_by_role("button", name="Delete this take of wow").wait_for(timeout=20_000)
                break
        assert len(takes.read_all(home / "takes")[0]) == 2
