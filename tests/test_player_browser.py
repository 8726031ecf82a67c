"""Browser tests of the player: headless Chromium, a tiny Streamlit page, and a stand-in for
YouTube's IFrame API served at the network's edge."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser import ARTEFACTS, free_port, launched, marks, serving, stub_youtube

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
# A condition is waited for, not slept for; a busy machine only takes longer.
playwright.expect.set_options(timeout=20_000)

pytestmark = marks
PAGE = Path(__file__).parent / "player" / "page.py"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    port = free_port()
    command = ["-m", "streamlit", "run", str(PAGE), f"--server.port={port}"]
    with serving(command, port) as (address, _):
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched() as chromium:
        yield chromium


class Page:
    """The page with what a test asks it."""

    def __init__(self, page: Any) -> None:
        self.page = page

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).first.click()

    def title(self, expected: str) -> None:
        playwright.expect(self.page.locator(".mm-title")).to_have_text(expected)

    def state(self, expected: str) -> None:
        playwright.expect(self.page.locator(".mm-player")).to_have_attribute("data-state", expected)

    def rows(self, *expected: str) -> None:
        playwright.expect(self.page.locator(".mm-row-title")).to_have_text(list(expected))

    def heard(self, *expected: str) -> None:
        """Everything Python has been told, in order."""
        text = "heard " + json.dumps(list(expected))
        playwright.expect(self.page.get_by_text(re.compile("^heard "))).to_have_text(text)

    def sounding(self) -> list[str]:
        return self.page.evaluate("stub.sounding().map((player) => player.video)")

    def at(self, seconds: float) -> None:
        self.page.evaluate("(at) => stub.sounding().forEach((player) => (player.at = at))", seconds)


@pytest.fixture(scope="module")
def shared_context(browser: Any) -> Any:
    """One context for all ordinary visits, so that Streamlit's own files are fetched once."""
    return browser.new_context(viewport={"width": 1280, "height": 1000})


@pytest.fixture
def visit(server: str, browser: Any, shared_context: Any) -> Iterator[Any]:
    opened = []

    def go(
        queue: str = "plain",
        setup: dict[str, Any] | None = None,
        *,
        reachable: bool = True,
        query: str = "",
        script: str = "",
        **context_options: Any,
    ) -> Page:
        context = browser.new_context(**context_options) if context_options else shared_context
        page = context.new_page()
        opened.append(page if context is shared_context else context)
        page.add_init_script(f"window.stubSetup = {json.dumps(setup or {})};{script}")
        stub_youtube(page, reachable)
        page.goto(f"{server}/?queue={queue}{query}")
        page.locator(".mm-player").wait_for()
        return Page(page)

    yield go
    for thing in opened:
        thing.close()


def test_one_press_plays_and_pauses(visit: Any) -> None:
    page = visit()
    page.state("ready")
    page.press("Play")
    page.state("playing")
    page.heard("playing:song1")
    assert page.sounding() == ["video000001"]
    page.press("Pause")
    page.state("paused")


def test_the_next_song_is_cued_behind_and_follows_at_the_end(visit: Any) -> None:
    page = visit()
    page.press("Play")
    page.page.wait_for_function("stub.players.some((p) => p.video === 'video000002')")
    assert page.sounding() == ["video000001"]
    page.page.evaluate("stub.end()")
    page.title("Song 2")
    page.heard("playing:song1", "finished:song1", "playing:song2")
    assert page.sounding() == ["video000002"]
    page.rows("Song 3", "Song 4", "Song 5", "Song 6")
    page.page.wait_for_function("stub.players.some((p) => p.video === 'video000003')")
    page.page.evaluate("stub.end()")
    page.title("Song 3")
    page.state("playing")
    assert page.page.evaluate("stub.calls.filter(([what]) => what === 'load').length") == 0


def test_an_unplayable_video_gives_way_to_its_alternative(visit: Any) -> None:
    page = visit("alternatives", {"failing": {"video000001": 150, "alternate01": 101}})
    page.press("Play")
    page.state("playing")
    page.title("Song 1")
    assert page.sounding() == ["alternate02"]
    page.heard("unplayable:song1", "unplayable:song1", "playing:song1")


def test_a_late_error_of_a_video_that_was_given_up_is_not_the_new_ones(visit: Any) -> None:
    page = visit("alternatives", {"failing": {"video000001": 150}})
    page.press("Play")
    page.state("playing")
    page.page.evaluate(
        """() => {
            const player = stub.sounding()[0];
            player.said = "video000001";
            player.on.onError({ target: player, data: 150 });
        }"""
    )
    page.title("Song 1")
    assert page.sounding() == ["alternate01"]
    page.heard("unplayable:song1", "playing:song1")


def test_songs_that_cannot_play_are_skipped_whatever_the_reason(visit: Any) -> None:
    codes = [2, 5, 100, 101, 150, 153]
    failing = {f"video{n:06d}": code for n, code in enumerate(codes, start=1)}
    page = visit("seven", {"failing": failing})
    page.press("Play")
    page.title("Song 7")
    page.state("playing")
    page.heard(*(f"unplayable:song{n}" for n in range(1, 7)), "playing:song7")


def test_when_no_song_can_play_the_queue_ends_in_links(visit: Any) -> None:
    failing = {f"video{n:06d}": 150 for n in range(1, 8)}
    page = visit("seven", {"failing": failing})
    page.heard(*(f"unplayable:song{n}" for n in range(1, 8)))
    playwright.expect(page.page.locator(".mm-notice")).to_contain_text("outside YouTube")
    playwright.expect(page.page.locator(".mm-now .mm-link")).to_be_visible()
    playwright.expect(page.page.locator(".mm-main")).to_be_disabled()
    playwright.expect(page.page.locator(".mm-row a")).to_have_count(6)


def test_an_unplayable_next_song_is_found_before_its_turn(visit: Any) -> None:
    page = visit(setup={"failing": {"video000002": 150}})
    page.press("Play")
    page.heard("playing:song1", "unplayable:song2")
    page.page.evaluate("stub.end()")
    page.title("Song 3")


def test_a_new_queue_changes_what_comes_never_what_plays(visit: Any) -> None:
    page = visit()
    page.press("Play")
    page.state("playing")
    page.at(50)
    page.press("Mood changes")
    page.rows("Song 21", "Song 22", "Song 23")
    page.title("Song 1")
    assert page.sounding() == ["video000001"]
    assert page.page.evaluate("stub.sounding()[0].at") == 50
    playwright.expect(page.page.locator(".mm-next-head p")).to_have_text(
        "You look calmer: the queue follows"
    )
    page.page.evaluate("stub.end()")
    page.title("Song 21")


def test_a_song_kept_in_the_new_queue_is_matched_by_id(visit: Any) -> None:
    page = visit()
    page.press("Play")
    page.state("playing")
    page.press("Next song")
    page.title("Song 2")
    page.press("Later part changes")
    page.rows("Song 31", "Song 32")
    page.title("Song 2")


# Holds every component's script back until `release` is called.
HELD = """const held = new Promise((release) => { window.release = release; });
window.held = held;
const make = URL.createObjectURL.bind(URL);
URL.createObjectURL = (blob) => blob.type === "text/javascript"
  ? make(new Blob(["await window.held;\\n", blob], { type: blob.type }))
  : make(blob);"""


def test_a_call_that_newer_data_overtook_does_not_end_the_music(visit: Any) -> None:
    # Streamlit runs the cleanup of such a call, with the player still in the page.
    page = visit(script=HELD)
    page.press("Mood changes")
    page.page.get_by_text('given ["song21"').wait_for()
    page.page.evaluate("release()")
    page.title("Song 21")
    page.press("Play")
    page.state("playing")
    assert page.sounding() == ["video000021"]


def test_a_player_that_leaves_the_page_falls_silent(visit: Any) -> None:
    page = visit()
    page.press("Play")
    page.state("playing")
    page.press("Player goes")
    page.page.get_by_text("The player is gone").wait_for()
    page.page.wait_for_function("stub.players.length === 0")


def test_before_anything_played_a_new_queue_replaces_everything(visit: Any) -> None:
    page = visit()
    page.press("Mood changes")
    page.title("Song 21")
    page.rows("Song 22", "Song 23")


@pytest.mark.parametrize(
    ("seconds", "kind"), [(3, "skipped_early"), (29, "skipped_early"), (90, "skipped_late")]
)
def test_a_skip_says_how_early_it_was(visit: Any, seconds: int, kind: str) -> None:
    page = visit()
    page.press("Play")
    page.state("playing")
    page.at(seconds)
    page.press("Next song")
    page.heard("playing:song1", f"{kind}:song1", "playing:song2")


def test_like_dislike_replay_and_jump_are_told_once_each(visit: Any) -> None:
    page = visit()
    page.press("Play")
    page.state("playing")
    page.press("I like this song")
    playwright.expect(page.page.locator(".mm-like")).to_have_attribute("aria-pressed", "true")
    page.heard("playing:song1", "liked:song1")
    page.press("Not for me")
    page.title("Song 2")
    page.page.get_by_role("button", name="Play Song 4 by Artist 4").click()
    page.title("Song 4")
    page.press("Previous song")
    page.title("Song 2")
    page.press("Rerun")
    page.heard(
        "playing:song1",
        "liked:song1",
        "disliked:song1",
        "playing:song2",
        "skipped_early:song2",
        "playing:song4",
        "replayed:song2",
        "playing:song2",
    )


def test_events_of_one_instant_all_arrive(visit: Any) -> None:
    page = visit()
    page.press("Play")
    page.state("playing")
    page.page.evaluate(
        """() => {
            const press = (act) => document.querySelector(`.mm-controls [data-act=${act}]`).click();
            press("like"); press("like"); press("next"); press("like"); press("next");
        }"""
    )
    page.title("Song 3")
    page.heard(
        "playing:song1",
        "liked:song1",
        "unliked:song1",
        "skipped_early:song1",
        "liked:song2",
        "playing:song3",
    )


def test_a_song_without_a_video_is_passed_over_and_offers_a_search(visit: Any) -> None:
    page = visit("search")
    link = page.page.locator(".mm-row").first.get_by_role("link")
    playwright.expect(link).to_have_attribute("href", re.compile("results.search_query=Song"))
    playwright.expect(link).to_contain_text("Search on YouTube")
    page.press("Play")
    page.state("playing")
    page.page.evaluate("stub.end()")
    page.title("Song 3")


def test_a_queue_without_any_video_offers_a_search(visit: Any) -> None:
    page = visit("none")
    page.title("Song 2")
    playwright.expect(page.page.get_by_role("link", name="Search on YouTube")).to_be_visible()
    playwright.expect(page.page.locator(".mm-main")).to_be_disabled()


def test_refused_autoplay_asks_for_a_press(visit: Any) -> None:
    page = visit(setup={"refusing": True}, query="&autoplay=yes")
    playwright.expect(page.page.locator(".mm-hint")).to_have_text("Press play to start the music")
    page.heard("refused:song1")
    page.page.evaluate("stub.refusing = false")
    page.press("Play")
    page.state("playing")


def test_music_that_starts_late_goes_on_as_usual(visit: Any) -> None:
    page = visit(setup={"refusing": True}, query="&autoplay=yes")
    playwright.expect(page.page.locator(".mm-hint")).to_be_visible()
    page.page.evaluate("stub.refusing = false; stub.players[0].to(1)")
    page.state("playing")
    playwright.expect(page.page.locator(".mm-hint")).to_be_hidden()
    page.page.evaluate("stub.end()")
    page.title("Song 2")


def test_songs_added_after_the_end_play_on(visit: Any) -> None:
    page = visit("one")
    page.press("Play")
    page.state("playing")
    page.page.evaluate("stub.end()")
    page.heard("playing:song1", "finished:song1", "over:song1")
    page.press("Mood changes")
    page.title("Song 21")
    page.state("playing")


def test_autoplay_starts_by_itself_where_the_browser_lets_it(visit: Any) -> None:
    page = visit(query="&autoplay=yes")
    page.state("playing")
    page.press("Pause")
    page.state("paused")
    page.press("Rerun")
    page.heard("playing:song1")
    page.state("paused")


def test_without_youtube_every_song_is_a_link_and_trying_again_works(visit: Any) -> None:
    page = visit(reachable=False)
    playwright.expect(page.page.locator(".mm-notice")).to_contain_text("YouTube cannot be reached")
    links = page.page.locator(".mm-row a")
    playwright.expect(links).to_have_count(5)
    playwright.expect(links.first).to_have_attribute(
        "href", "https://www.youtube.com/watch?v=video000002"
    )
    page.heard("unreachable:song1")
    stub_youtube(page.page)
    page.press("Try again")
    playwright.expect(page.page.locator(".mm-notice")).to_be_hidden()
    page.press("Play")
    page.state("playing")


def test_play_without_youtube_tries_again(visit: Any) -> None:
    page = visit(reachable=False)
    # On a phone the notice may be out of sight; the bar is not.
    playwright.expect(page.page.locator(".mm-bar-byline")).to_have_text("YouTube is away")
    stub_youtube(page.page)
    page.press("Play")
    page.state("playing")
    playwright.expect(page.page.locator(".mm-bar-byline")).to_have_text("Artist 1")


def test_hostile_titles_are_only_text(visit: Any) -> None:
    page = visit("hostile")
    row = page.page.locator(".mm-row-title").first
    playwright.expect(row).to_contain_text("<img src=x onerror=")
    assert page.page.locator(".mm-player img[src=x], .mm-player b").count() == 0
    assert page.page.title() != "hacked"
    playwright.expect(row).to_have_attribute("dir", "auto")


def test_the_volume_is_kept(visit: Any) -> None:
    page = visit()
    page.press("Play")
    page.state("playing")
    page.page.locator("[data-part=volume]").fill("35")
    assert page.page.evaluate("stub.sounding()[0].volume") == 35
    page = visit()
    playwright.expect(page.page.locator("[data-part=volume]")).to_have_value("35")
    page.press("Play")
    page.state("playing")
    assert page.page.evaluate("stub.sounding()[0].volume") == 35


def test_the_keyboard_reaches_everything(visit: Any) -> None:
    page = visit()
    page.page.locator(".mm-main").focus()
    page.page.keyboard.press("Space")
    page.state("playing")
    page.page.keyboard.press("n")
    page.title("Song 2")
    page.page.keyboard.press("k")
    page.state("paused")
    row = page.page.get_by_role("button", name="Play Song 3 by Artist 3")
    row.focus()
    page.page.keyboard.press("Enter")
    page.title("Song 3")


def test_seeking_moves_the_song(visit: Any) -> None:
    page = visit()
    page.press("Play")
    page.state("playing")
    page.page.locator("[data-part=seek]").fill("500")
    page.page.locator("[data-part=seek]").dispatch_event("change")
    assert page.page.evaluate("stub.sounding()[0].at") == 100


def test_the_system_is_told_what_plays(visit: Any) -> None:
    page = visit()
    page.press("Play")
    page.state("playing")
    assert page.page.evaluate("navigator.mediaSession.metadata.title") == "Song 1"
    assert page.page.evaluate("navigator.mediaSession.playbackState") == "playing"


def test_the_page_itself_sounds_silently_so_that_media_keys_reach_its_queue(visit: Any) -> None:
    page = visit(
        script="""const play = HTMLMediaElement.prototype.play;
        window.sounds = new Set();
        HTMLMediaElement.prototype.play = function () { sounds.add(this); return play.call(this); };
        const set = navigator.mediaSession.setActionHandler.bind(navigator.mediaSession);
        window.keys = {};
        navigator.mediaSession.setActionHandler = (name, run) => {
          keys[name] = run;
          set(name, run);
        };
        """
    )
    page.press("Play")
    page.state("playing")
    page.page.wait_for_function("sounds.size === 1 && [...sounds][0].currentTime > 0")
    assert page.page.evaluate("[...sounds][0].loop && [...sounds][0].duration === 10")
    page.page.evaluate("keys.nexttrack()")
    page.title("Song 2")
    page.page.evaluate("keys.pause()")
    page.state("paused")
    assert page.page.evaluate("[...sounds][0].paused")


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_and_leaves_a_picture(visit: Any, width: int, scheme: str) -> None:
    page = visit(viewport={"width": width, "height": 844}, color_scheme=scheme)
    page.press("Play")
    page.state("playing")
    assert page.page.evaluate(
        "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )
    small = page.page.evaluate(
        """() => [...document.querySelectorAll(".mm-player button, .mm-player a")]
            .filter((node) => node.getClientRects().length)
            .map((node) => [node.className, node.getBoundingClientRect()])
            .filter(([, box]) => box.height < 44 || box.width < 44)
            .map(([name]) => name)"""
    )
    assert small == []
    if width == 390:
        bar = page.page.locator(".mm-controls").bounding_box()
        assert bar["y"] + bar["height"] <= 844 and bar["y"] > 700
    ARTEFACTS.mkdir(exist_ok=True)
    page.page.screenshot(path=ARTEFACTS / f"player-{width}-{scheme}.png")
