"""Browser: what the page does while the camera connects; each time a browser and a server anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import browser
from tests.contrast import faint
from tests.test_looks_browser import SIZES, assert_steady, looking_at_a_face, opened, served

pytestmark = browser.marks


@pytest.mark.parametrize("size", SIZES)
def test_nothing_jumps_while_the_camera_connects(tmp_path: Path, size: str) -> None:
    with (
        looking_at_a_face(tmp_path) as chromium,
        served(tmp_path) as address,
        opened(chromium, address, "", viewport=SIZES[size]) as page,
    ):
        page.evaluate("window.shifts = []")
        page.get_by_role("button", name="Turn on camera").click()
        page.wait_for_selector('.mm-look[data-state="seen"]')
        page.wait_for_timeout(1000)
        assert_steady(page)


@pytest.mark.parametrize("size", SIZES)
def test_the_labels_stay_under_the_finger_while_the_camera_connects(
    tmp_path: Path, size: str
) -> None:
    with (
        looking_at_a_face(tmp_path) as chromium,
        served(tmp_path) as address,
        opened(chromium, address, "teach", viewport=SIZES[size]) as page,
    ):
        label = page.get_by_role("radio", name="happy")
        before = label.bounding_box()
        page.get_by_role("button", name="Turn on camera").click()
        page.get_by_role("button", name="Turn off camera").wait_for()
        seen = {label.bounding_box()["y"] for _ in range(60) if not page.wait_for_timeout(100)}
        assert max(abs(y - before["y"]) for y in seen) <= 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_state_of_the_camera_can_be_read(tmp_path: Path, scheme: str) -> None:
    with (
        looking_at_a_face(tmp_path) as chromium,
        served(tmp_path) as address,
        opened(chromium, address, "", color_scheme=scheme) as page,
    ):
        page.get_by_role("button", name="Turn on camera").click()
        page.get_by_text("Connecting to your camera").wait_for()
        assert faint(page) == []
        page.wait_for_selector('.mm-look[data-state="seen"]')
        page.get_by_text("Bright music for a bright face").wait_for()
        page.wait_for_timeout(1000)  # colours fade in
        assert faint(page) == []
        for popover in ("What may play", "More songs"):
            page.get_by_role("button", name=popover).click()
            page.get_by_test_id("stPopoverBody").wait_for()
            page.wait_for_timeout(500)
            assert faint(page) == []
            page.keyboard.press("Escape")
            page.get_by_test_id("stPopoverBody").wait_for(state="detached")
        page.get_by_role("radio", name="Photo").click()
        page.mouse.move(2, 2)
        photo = tmp_path / "notes.jpg"
        photo.write_bytes(b"not a picture")
        page.locator("input[type=file]").first.set_input_files(photo)
        page.get_by_text("is not a picture that can be read").wait_for()
        page.wait_for_timeout(500)
        assert faint(page) == []
