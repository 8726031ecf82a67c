"""Browser tests of how the pages look: nothing jumps while they load, text can be read, the
keyboard reaches everything, and who wants no motion sees none. Light and dark, at two widths."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import browser, warped_face
from tests.contrast import contrast, faint

pytestmark = browser.marks

PATIENCE_MS = 60_000
PAGES = {
    "": "listen",
    "teach": "teach",
    "model": "model",
    "journal": "journal",
    "privacy": "privacy",
}
SIZES = {"desktop": {"width": 1280, "height": 800}, "phone": {"width": 390, "height": 844}}
# web.dev/articles/cls: up to here a page counts as one that stands still.
STEADY = 0.1

WATCH_SHIFTS = """window.shifts = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifts.push({
    value: entry.value,
    moved: entry.sources.map(({ node, previousRect: a, currentRect: b }) => {
      const at = node && (node.closest ? node : node.parentElement);
      const name = at && (at.closest("[class*='st-key-'], [class^='mm-']") ?? at).className;
      return `${String(name).slice(-60)} ${[a.x, a.y, a.width, a.height].map(Math.round)} -> `
        + [b.x, b.y, b.width, b.height].map(Math.round);
    }),
  });
}).observe({ type: "layout-shift", buffered: true });"""

# What a keyboard has to reach; a group of radio buttons is one stop, its arrows do the rest.
INTERACTIVE = """() => {
  const all = document.querySelectorAll(
    "a[href], button, input, select, textarea, summary, [tabindex='0']");
  const seen = [...all].filter((one) => {
    const box = one.getBoundingClientRect();
    return !one.disabled && one.checkVisibility({ visibilityProperty: true, opacityProperty: true })
      && box.width > 4 && box.height > 4 && one.tabIndex >= -1 && !one.closest("[inert]");
  });
  const look = (one) => [one, one.parentElement, one.parentElement.parentElement].map((at) => {
    const { outline, boxShadow, borderColor, backgroundColor } = getComputedStyle(at);
    return [outline, boxShadow, borderColor, backgroundColor].join();
  }).join("|");
  window.plain = new Map(seen.map((one) => [one, look(one)]));
  window.reached = new Set();
  window.unseen = [];
  document.addEventListener("focusin", ({ target }) => {
    window.reached.add(target);
    // The browser itself stops at what scrolls: the whole page.
    if (!window.plain.has(target) || target.matches("main")) return;
    // What shows the focus may fade in.
    setTimeout(() => {
      if (document.activeElement === target && look(target) === window.plain.get(target))
        window.unseen.push(target.outerHTML.slice(0, 120));
    }, 60);
  });
  return seen.length;
}"""
MISSED = """() => {
  const groups_are = "[role='radiogroup'], [role='group'], [role='listbox']";
  const group = (one) => one.closest(groups_are) ?? one;
  const groups = new Set([...window.reached].map(group));
  return [...window.plain.keys()]
    .filter((one) => one.isConnected && !window.reached.has(one) && !groups.has(group(one)))
    .map((one) => one.outerHTML.slice(0, 160));
}"""

# The parts of a page that are moving, watched for a second from a change of mood on.
MOVING = """() => new Promise((resolve) => {
  const moving = new Set(), began = performance.now();
  const look = () => {
    for (const { effect, playState } of document.getAnimations()) {
      const node = effect?.target;
      if (playState === "running" && node?.matches(":root, [class^='mm-'], [class^='mm-'] *"))
        moving.add(node.className || node.tagName);
    }
    if (performance.now() - began < 1000) requestAnimationFrame(look);
    else resolve([...moving]);
  };
  document.querySelectorAll("[data-testid='stButtonGroup'] [role='radio']")
    .forEach((button) => button.textContent.includes("sad") && button.click());
  look();
})"""


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with looking_at_a_face(tmp_path_factory.mktemp("webcam")) as chromium:
        yield chromium


def looking_at_a_face(folder: Path) -> AbstractContextManager[Any]:
    """A Chromium with a face before its webcam."""
    return browser.launched(warped_face.write_webcam_clip(folder / "face.mjpeg", [("happy", 4.0)]))


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of an app that keeps everything in this folder."""
    port = browser.free_port()
    command = ["app.py", "--port", str(port), "--no-browser"]
    with browser.serving(command, port, browser.home(folder)) as (address, _):
        yield address


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, chromium: Any) -> Iterator[str]:
    """A server whose journal has something in it."""
    with served(tmp_path_factory.mktemp("home")) as address:
        with opened(chromium, address, "") as page:
            page.get_by_role("radio", name="Pick a mood").click()
            page.get_by_role("radio", name="sad").click()
            page.wait_for_function("stub.sounding().length === 1")
            page.wait_for_timeout(1500)
        yield address


@contextmanager
def opened(chromium: Any, address: str, path: str, **options: Any) -> Iterator[Any]:
    """A new visitor's page, once everything on it has come."""
    context = chromium.new_context(**{"viewport": SIZES["desktop"], **options})
    try:
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        browser.stub_youtube(page)
        page.add_init_script(WATCH_SHIFTS)
        page.goto(f"{address}/{path}")
        page.locator(".mm-player").wait_for(state="attached")
        page.wait_for_function("!document.querySelector('[data-testid=\"stSkeleton\"]')")
        page.wait_for_timeout(500)
        yield page
    finally:
        context.close()  # a camera that is left on would slow whatever comes after


def shifted(page: Any) -> list[dict[str, Any]]:
    """What has moved by itself, most first; the page's score is the sum of the values."""
    found: list[dict[str, Any]] = page.evaluate("window.shifts")
    return sorted(found, key=lambda shift: -shift["value"])


def assert_steady(page: Any) -> None:
    moved = shifted(page)
    assert sum(shift["value"] for shift in moved) < STEADY, moved[:3]


def test_contrast_is_measured_as_wcag_defines_it() -> None:
    white = np.full((20, 20, 3), 255, np.uint8)
    text = {"box": [2, 2, 10, 10], "colour": [118, 118, 118], "alpha": 1.0}
    assert contrast(text, white) == pytest.approx(4.54, abs=0.01)
    assert contrast(text | {"colour": [0, 0, 0]}, white) == pytest.approx(21)
    assert contrast(text | {"colour": [0, 0, 0], "alpha": 0.5}, white) == pytest.approx(
        3.98, abs=0.1
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("path", PAGES)
def test_a_page_stands_still_fits_and_can_be_read(
    chromium: Any, address: str, path: str, size: str, scheme: str
) -> None:
    with opened(chromium, address, path, viewport=SIZES[size], color_scheme=scheme) as page:
        assert_steady(page)
        width = SIZES[size]["width"]
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.get_by_text("This app has encountered an error").count() == 0
        browser.ARTEFACTS.mkdir(exist_ok=True)
        page.screenshot(path=browser.ARTEFACTS / f"looks-{PAGES[path]}-{size}-{scheme}.png")
        # As high as the page, so that nothing has to be scrolled to.
        content = page.evaluate("document.querySelector('.stMainBlockContainer').scrollHeight")
        page.set_viewport_size({"width": width, "height": min(5000, content + 40)})
        page.wait_for_timeout(300)
        assert faint(page) == []


@pytest.mark.parametrize("path", PAGES)
def test_the_keyboard_reaches_everything_and_shows_where_it_is(
    chromium: Any, address: str, path: str
) -> None:
    with opened(chromium, address, path) as page:
        count = page.evaluate(INTERACTIVE)
        assert count >= 5
        for _ in range(2 * count + 5):  # some show only when the focus is on them
            page.keyboard.press("Tab")
            page.wait_for_timeout(80)
            if page.evaluate("window.reached.size") >= count and not page.evaluate(MISSED):
                break
        assert page.evaluate(MISSED) == []
        assert page.evaluate("window.unseen") == []


@pytest.mark.parametrize(("motion", "moves"), [("no-preference", True), ("reduce", False)])
def test_who_wants_no_motion_sees_none(
    chromium: Any, address: str, motion: str, moves: bool
) -> None:
    with opened(chromium, address, "", reduced_motion=motion) as page:
        page.get_by_role("radio", name="Pick a mood").click()
        page.get_by_role("radio", name="sad").wait_for()
        moving = page.evaluate(MOVING)
        page.wait_for_selector('.mm-look[data-mood="sad"]')
        assert bool(moving) is moves, moving
