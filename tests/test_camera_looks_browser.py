"""Browser: what the page does while the camera connects; each time a browser and a server anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import browser
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
