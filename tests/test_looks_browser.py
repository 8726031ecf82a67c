"""Browser tests of how the pages look: nothing jumps while they load, text can be read, the
keyboard reaches everything, and who wants no motion sees none. Light and dark, at two widths."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests import browser, warped_face

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
# WCAG 2.1, 1.4.3 (AA); large is 24 px, or 18.66 px in bold.
LEAST, LEAST_LARGE = 4.5, 3.0

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

# Every piece of text that can be seen: where, how large, in which colour. Left out are pictures of
# letters and shapes that stand beside a word, what is disabled (WCAG exempts it) and what lies
# under something else.
TEXTS = """() => {
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const paint = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {  // whatever the notation
    paint.clearRect(0, 0, 1, 1);
    paint.fillStyle = colour;
    paint.fillRect(0, 0, 1, 1);
    return [...paint.getImageData(0, 0, 1, 1).data];
  };
  while (walker.nextNode()) {
    const node = walker.currentNode, parent = node.parentElement;
    if (!/[\\p{L}\\p{N}]/u.test(node.textContent)) continue;
    if (parent.closest("style, script, .mm-art, [data-testid='stIconMaterial']")) continue;
    if (parent.closest(":disabled, [aria-disabled='true']")) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const box = range.getClientRects()[0];
    if (!box || box.width < 2 || box.height < 2) continue;
    if (!parent.checkVisibility({ visibilityProperty: true })) continue;
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    const top = document.elementFromPoint(x, y);
    if (!top || !(parent.contains(top) || top.contains(parent))) continue;
    const style = getComputedStyle(parent);
    let alpha = 1;
    for (let at = parent; at; at = at.parentElement) alpha *= Number(getComputedStyle(at).opacity);
    const [r, g, b, a] = rgba(style.color);
    found.push({
      text: node.textContent.trim().slice(0, 40),
      box: [box.x, box.y, box.right, box.bottom],
      colour: [r, g, b], alpha: alpha * a / 255,
      size: parseFloat(style.fontSize), weight: Number(style.fontWeight),
    });
  }
  return found;
}"""
NO_TEXT = """*, *::before, *::after { color: transparent !important;
  caret-color: transparent !important; -webkit-text-fill-color: transparent !important;
  text-decoration-color: transparent !important;
  text-shadow: none !important; transition: none !important; }"""

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
    places = ("XDG_DATA_HOME", "XDG_CACHE_HOME", "MOODMESH_TAKES", "MOODMESH_PERSONAL")
    home = {place: str(folder / place.lower()) for place in places}
    command = ["app.py", "--port", str(port), "--no-browser"]
    with browser.serving(command, port, home) as (address, _):
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


def luminance(colours: np.ndarray) -> np.ndarray:
    """WCAG's relative luminance of colours (n, 3) from 0 to 255."""
    share = colours / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    shades: np.ndarray = linear @ np.array([0.2126, 0.7152, 0.0722])
    return shades


def contrast(text: dict[str, Any], picture: np.ndarray) -> float:
    """A text's contrast with what is really behind it; picture: the page without its text."""
    left, top, right, bottom = (max(0, int(edge)) for edge in text["box"])
    behind = picture[top : bottom + 1, left : right + 1].reshape(-1, 3).astype(float)
    if not len(behind):
        return float("inf")
    colour = text["alpha"] * np.array(text["colour"]) + (1 - text["alpha"]) * behind
    one, other = luminance(colour), luminance(behind)
    ratios = (np.maximum(one, other) + 0.05) / (np.minimum(one, other) + 0.05)
    return float(np.percentile(ratios, 10))  # a line or an edge behind it is not its background


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
        texts = page.evaluate(TEXTS)
        page.add_style_tag(content=NO_TEXT)
        picture = np.array(Image.open(io.BytesIO(page.screenshot())).convert("RGB"))
    assert len(texts) > 10
    faint = []
    for text in texts:
        large = text["size"] >= 24 or (text["size"] >= 18.66 and text["weight"] >= 700)
        ratio = contrast(text, picture)
        if ratio < (LEAST_LARGE if large else LEAST):
            faint.append(f"{ratio:.2f} {text['text']!r}")
    assert faint == []


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
