"""Tests of the mood map: what the hand says, and the map in headless Chromium."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from moodmesh.pages.moodmap.moodmap import STOPS, _cloud, _stops, read_hand
from moodmesh.songs.catalogue import load
from moodmesh.songs.recommend import rank_target, recommend
from tests.browser import ARTEFACTS, free_port, launched, marks, serving, stub_youtube

PAGE = Path(__file__).parent / "moodmap" / "page.py"


def hand(number: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "client": "a",
        "number": number,
        "kind": "steer",
        "valence": 0.5,
        "energy": 0.45,
        **more,
    }


def test_a_hand_is_read_once_and_becomes_a_mood() -> None:
    moved, seen = read_hand(hand(valence=0.88, energy=0.88), None)
    assert moved and moved.place == pytest.approx((0.81, 0.67))
    assert read_hand(hand(), seen)[0] is None
    moved, _ = read_hand(hand(2, kind="release"), seen)
    assert moved and moved.place is None


@pytest.mark.parametrize(
    "nonsense",
    [
        None,
        "text",
        {},
        hand(kind="jump"),
        hand(valence=None),
        hand(valence="0.5"),
        hand(energy=7),
        hand(energy=float("nan")),
        hand(valence=True),
    ],
)
def test_nonsense_moves_nothing(nonsense: object) -> None:
    assert read_hand(nonsense, None)[0] is None


def test_the_cloud_and_the_path_are_small_and_on_the_plane() -> None:
    catalogue = load()
    cloud = _cloud(catalogue)
    assert len(json.dumps(cloud)) < 8_000 and min(cloud) >= 0 and max(cloud) <= 1000
    assert _cloud(catalogue) is cloud
    queue = recommend(catalogue, -0.63, -0.27, "lift", 20)
    stops = _stops(catalogue, queue, queue[0].song.id)
    assert [stop["number"] for stop in stops] == list(range(STOPS))
    assert stops[0]["now"] and not stops[1]["now"]


playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
# A condition is waited for, not slept for; a busy machine only takes longer.
playwright.expect.set_options(timeout=20_000)


@pytest.fixture(scope="module")
def context() -> Iterator[Any]:
    port = free_port()
    command = ["-m", "streamlit", "run", str(PAGE), f"--server.port={port}"]
    with serving(command, port) as (address, _), launched() as chromium:
        yield chromium.new_context(viewport={"width": 1000, "height": 900}, base_url=address)


@pytest.fixture
def visit(context: Any) -> Iterator[Any]:
    tab = context.new_page()
    stub_youtube(tab)
    tab.goto("/")
    tab.locator(".mm-map-stop").first.wait_for()
    yield tab
    tab.close()


def hands(tab: Any, *expected: Any) -> None:
    text = "hand " + json.dumps(list(expected))
    playwright.expect(tab.get_by_text(re.compile("^hand "))).to_have_text(text)


def share(tab: Any, selector: str) -> tuple[float, float]:
    """Where the middle of something lies on the plane, as shares from left and bottom."""
    plane = tab.locator(".mm-map-plane").bounding_box()
    box = tab.locator(selector).first.bounding_box()
    return (
        (box["x"] + box["width"] / 2 - plane["x"]) / plane["width"],
        1 - (box["y"] + box["height"] / 2 - plane["y"]) / plane["height"],
    )


class TestInTheBrowser:
    pytestmark = marks

    def test_the_listener_stands_at_the_mood_and_the_lift_climbs(self, visit: Any) -> None:
        x, y = share(visit, ".mm-map-you")
        v, e = rank_target(-0.63, -0.27)
        assert (x, y) == pytest.approx((0.05 + 0.9 * v, 0.05 + 0.9 * e), abs=0.02)
        first = share(visit, ".mm-map-stop[data-now=yes]")
        last = share(visit, ".mm-map-stop:last-child")
        assert last[0] > first[0] + 0.3 and last[1] > first[1] + 0.2
        playwright.expect(visit.locator(".mm-map-stop")).to_have_count(8)

    def test_hostile_titles_are_only_text(self, visit: Any) -> None:
        visit.locator(".mm-map-stop[data-now=yes]").hover(force=True)
        tip = visit.locator(".mm-map-tip")
        playwright.expect(tip.locator("b")).to_contain_text("<img src=x onerror=")
        playwright.expect(tip.locator("i")).to_have_text("<b>Bold</b>")
        assert tip.locator("img, b b, i b").count() == 0
        assert visit.title() != "hacked"

    def test_a_click_steers_and_the_button_gives_back(self, visit: Any) -> None:
        plane = visit.locator(".mm-map-plane")
        box = plane.bounding_box()
        plane.click(position={"x": 0.9 * box["width"], "y": 0.1 * box["height"]})
        hands(visit, [0.9, 0.9])
        playwright.expect(visit.locator("#mm-map-said")).to_have_text(
            "You steer: bright and lively"
        )
        visit.get_by_role("button", name="Follow my expression").click()
        hands(visit, [0.9, 0.9], None)
        playwright.expect(visit.locator(".mm-map-target")).to_be_hidden()

    def test_a_drag_shows_where_it_goes_and_counts_once(self, visit: Any) -> None:
        box = visit.locator(".mm-map-plane").bounding_box()
        visit.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.8 * box["height"])
        visit.mouse.down()
        visit.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"], steps=5)
        playwright.expect(visit.locator("#mm-map-said")).to_contain_text("easy-going")
        hands(visit)
        visit.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 0.9 * box["height"], steps=5)
        visit.mouse.up()
        hands(visit, [0.9, -0.9])

    def test_the_keyboard_steers_too(self, visit: Any) -> None:
        visit.locator(".mm-map-plane").focus()
        for _ in range(10):
            visit.keyboard.press("ArrowRight")
        playwright.expect(visit.locator("#mm-map-said")).to_contain_text("soft and calm")
        visit.keyboard.press("Enter")
        hands(visit, [0.3, -0.3])
        visit.locator(".mm-map-plane").focus()
        visit.keyboard.press("Escape")
        hands(visit, [0.3, -0.3], None)

    def test_a_changed_mood_moves_the_listener_and_leaves_a_trail(self, visit: Any) -> None:
        visit.get_by_role("button", name="Mood changes").click()
        playwright.expect(visit.locator(".mm-map-trail")).to_have_count(1)
        playwright.expect(visit.locator("#mm-map-said")).to_contain_text("bright and lively")

    def test_pointing_at_a_number_names_the_song(self, visit: Any) -> None:
        visit.locator(".mm-map-stop").nth(3).hover(force=True)
        playwright.expect(visit.locator(".mm-map-tip")).to_be_visible()
        assert visit.locator(".mm-map-tip b").inner_text()

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_it_leaves_a_picture(self, visit: Any, scheme: str) -> None:
        visit.emulate_media(color_scheme=scheme)
        ARTEFACTS.mkdir(exist_ok=True)
        visit.locator(".mm-map").screenshot(path=ARTEFACTS / f"moodmap-{scheme}.png")
        assert visit.locator(".mm-map-stop").count() == 8
