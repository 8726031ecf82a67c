"""Browser tests of the whole app: a real server, headless Chromium, and a fake webcam that plays
the warped face. Only YouTube is a stand-in, at the network's edge."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest

from tests import browser, warped_face

pytestmark = browser.marks

# Frames, training runs and other tests share two cores: a wait is long, a pass is not.
PATIENCE_MS = 60_000
# What the camera sees, again and again: each lasts long enough to become the mood.
CLIPS: tuple[warped_face.Clip, ...] = (
    ("happy", 8.0),
    ("surprise", 8.0, warped_face.PLAIN, 1.5),
    (None, 3.0),
)
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    path = tmp_path_factory.mktemp("webcam") / "face.mjpeg"
    clip = warped_face.write_webcam_clip(path, CLIPS)
    with browser.launched(clip) as chromium:
        yield chromium


# The app as `make app` starts it, but that a browser which no longer answers counts as gone after
# twelve seconds. RFC 7675, and so the WebRTC library, gives it thirty.
HASTY = """
import sys
import aioice.ice
aioice.ice.CONSENT_INTERVAL = 2
import app
sys.exit(app.serve(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """The app: its address and its process id."""
    port = browser.free_port()
    command = ["-c", HASTY, "--port", str(port), "--no-browser"]
    # A listener's own history stays out of the tests, and the tests out of it.
    home = browser.home(tmp_path_factory.mktemp("home"))
    with browser.serving(command, port, home) as (address, app):
        yield address, app.pid


Visit = Callable[..., Any]


@pytest.fixture
def visit(chromium: Any, server: tuple[str, int]) -> Iterator[Visit]:
    """Opens a page of the app as a new visitor; every visit ends with the test."""
    contexts = []

    def go(path: str = "", *, reachable: bool = True, script: str = "", **options: Any) -> Any:
        context = chromium.new_context(**{"viewport": DESKTOP, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        browser.stub_youtube(page, reachable)
        if script:
            page.add_init_script(script)
        page.goto(f"{server[0]}/{path}")
        return page

    yield go
    for context in contexts:
        context.close()


def screenshot(page: Any, name: str) -> None:
    browser.ARTEFACTS.mkdir(exist_ok=True)
    page.screenshot(path=browser.ARTEFACTS / f"{name}.png")


def turn_on(page: Any) -> None:
    """Turns the camera on; where connecting hangs, off and on again, as the page advises."""
    for attempt in range(3):
        page.get_by_role("button", name="Turn on camera").click()
        try:
            page.wait_for_selector('.mm-look[data-state="seen"]', timeout=PATIENCE_MS / 2)
            return
        except browser.timeout_error():
            if attempt == 2:
                raise
            page.get_by_role("button", name="Turn off camera").click()


def bars(page: Any) -> dict[str, int]:
    rows = page.eval_on_selector_all(
        ".mm-bars li", "rows => rows.map(row => [row.dataset.label, Number(row.dataset.percent)])"
    )
    return dict(rows)


def landmarker_threads(pid: int) -> int:
    """How many threads MediaPipe's landmarkers run in the server process; 'drishti' is its own
    name for them."""
    names = Path(f"/proc/{pid}/task").glob("*/comm")
    return sum(name.read_text().startswith("drishti") for name in names)


def wait_for_no_landmarker(pid: int) -> None:
    """Returns when the server has let go of all cameras."""
    deadline = time.monotonic() + 20
    while landmarker_threads(pid):
        assert time.monotonic() < deadline, "the landmarker outlived the camera"
        time.sleep(0.2)


# The share of the video's pixels that are as green-blue as the mesh: 0.9% of a frame with it,
# 0.07% after the worst of video compression, none at all of the clip's own pixels.
MESH_SHARE = """video => {
  const canvas = document.createElement('canvas');
  canvas.width = video.videoWidth; canvas.height = video.videoHeight;
  if (!canvas.width) return 0;
  const context = canvas.getContext('2d');
  context.drawImage(video, 0, 0);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  let mesh = 0;
  for (let i = 0; i < data.length; i += 4)
    if (data[i + 1] > data[i] + 20 && data[i + 2] > data[i] + 10) mesh += 1;
  return 4 * mesh / data.length;
}"""


def test_the_camera_is_asked_for_only_after_the_visitor_agreed(visit: Visit) -> None:
    page = visit(
        script="""const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
        window.asked = 0;
        navigator.mediaDevices.getUserMedia = (how) => { window.asked += 1; return ask(how); };"""
    )
    page.get_by_role("button", name="Turn on camera").wait_for()
    page.locator(".mm-row-title").first.wait_for()
    assert page.evaluate("window.asked") == 0
    assert "stays on this machine" in page.locator(".mm-lobby").inner_text()
    screenshot(page, "lobby-desktop")
    page.get_by_role("button", name="Turn on camera").click()
    page.wait_for_function("window.asked === 1")


def test_mesh_bars_and_songs_follow_the_face(visit: Visit, server: tuple[str, int]) -> None:
    page = visit()
    turn_on(page)
    video = page.frame_locator("iframe[title*='webrtc']").locator("video")
    video.wait_for()
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while (share := video.evaluate(MESH_SHARE)) < 0.0005:
        assert time.monotonic() < deadline, f"no mesh in the video that came back: {share:.4f}"
        page.wait_for_timeout(200)

    page.wait_for_selector('.mm-look[data-mood="happy"]')
    assert sum(bars(page).values()) == pytest.approx(100, abs=4)
    page.get_by_text("Bright music for a bright face").wait_for()
    page.locator(".mm-row-title").nth(5).wait_for()
    screenshot(page, "listen-desktop")

    page.wait_for_function("stub.sounding().length === 1")  # nobody had to press play
    playing = page.evaluate("stub.sounding()[0].video")
    page.wait_for_selector('.mm-look[data-mood="surprise"]')
    page.get_by_text("You look surprised: the queue follows").wait_for()
    assert page.evaluate("stub.sounding()[0].video") == playing
    page.evaluate("stub.end()")
    page.wait_for_function(
        f"stub.sounding().length === 1 && stub.sounding()[0].video !== {playing!r}"
    )

    pid = server[1]
    assert landmarker_threads(pid) > 0
    maps = Path(f"/proc/{pid}/maps").read_text()
    assert "mediapipe" in maps
    assert "tensorflow" not in maps

    page.get_by_role("button", name="Turn off camera").click()
    page.get_by_role("button", name="Turn on camera").wait_for()
    wait_for_no_landmarker(pid)
    assert page.evaluate("stub.sounding().length") == 1  # the music goes on


@pytest.mark.parametrize("how", ["the tab is closed", "the computer sleeps", "another page"])
def test_a_camera_that_nobody_looks_at_is_let_go(
    visit: Visit, server: tuple[str, int], how: str
) -> None:
    page = visit()
    turn_on(page)
    assert landmarker_threads(server[1]) > 0
    if how == "the tab is closed":
        page.close()
        wait_for_no_landmarker(server[1])
        return
    if how == "the computer sleeps":
        with browser.asleep():
            wait_for_no_landmarker(server[1])
    else:
        page.get_by_role("link", name="Journal").click()
        page.get_by_role("heading", name="Journal").wait_for()
        wait_for_no_landmarker(server[1])
        page.get_by_role("link", name="Listen").click()
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while not landmarker_threads(server[1]):  # it comes back by itself
        assert time.monotonic() < deadline
        page.wait_for_timeout(200)
    page.wait_for_selector('.mm-look[data-state="seen"]')


def test_a_phone_in_the_dark_has_the_player_at_its_foot(visit: Visit) -> None:
    page = visit(
        viewport=PHONE, color_scheme="dark", device_scale_factor=2, is_mobile=True, has_touch=True
    )
    turn_on(page)
    page.wait_for_selector(".mm-look[data-mood]:not([data-mood=''])")
    assert page.locator(".mm-bars li:visible").count() == 2
    bar = page.locator(".mm-bar").bounding_box()
    assert bar["y"] + bar["height"] == pytest.approx(PHONE["height"], abs=2)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    screenshot(page, "listen-phone")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("NotAllowedError", "blocked for this page"),
        ("NotFoundError", "could not find a camera"),
        ("NotReadableError", "camera is busy"),
    ],
)
def test_a_camera_that_does_not_start_is_explained(visit: Visit, error: str, words: str) -> None:
    page = visit(
        script=f"""navigator.mediaDevices.getUserMedia =
        () => Promise.reject(new DOMException('', '{error}'));"""
    )
    page.get_by_role("button", name="Turn on camera").click()
    page.get_by_role("alert").filter(has_text=words).wait_for()
    assert page.get_by_role("button", name="Turn on camera").is_enabled()


def test_a_camera_that_vanishes_is_noticed_and_can_be_turned_on_again(visit: Visit) -> None:
    page = visit(
        script="""const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
        window.streams = [];
        navigator.mediaDevices.getUserMedia = async (how) => {
          const stream = await ask(how);
          window.streams.push(stream);
          return stream;
        };"""
    )
    turn_on(page)
    unplug = "window.streams.forEach(stream => stream.getTracks().forEach(track => track.stop()))"
    for frame in page.frames:
        if "webrtc" in frame.url:
            frame.evaluate(unplug)
    page.get_by_text("The camera went quiet").wait_for()
    screenshot(page, "camera-quiet")
    page.get_by_role("button", name="Turn off camera").click()
    turn_on(page)


def test_a_photo_is_read_without_a_camera(visit: Visit, tmp_path: Path) -> None:
    photo = tmp_path / "me.jpg"
    cv2.imwrite(str(photo), warped_face.render("happy")[:, :, ::-1])
    page = visit()
    page.get_by_role("radio", name="Photo").click()
    page.locator("input[type=file]").set_input_files(photo)
    page.wait_for_selector('.mm-look[data-state="seen"][data-mood="happy"]')
    page.get_by_text("Bright music for a bright face").wait_for()
    screenshot(page, "photo-desktop")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("notes.jpg", b"not a picture", "is not a picture that can be read"),
        ("empty.png", None, "I could not find a face"),
    ],
)
def test_a_photo_that_cannot_be_used_is_explained(
    visit: Visit, tmp_path: Path, name: str, content: bytes | None, words: str
) -> None:
    photo = tmp_path / name
    if content is None:
        cv2.imwrite(str(photo), warped_face.empty()[:, :, ::-1])
    else:
        photo.write_bytes(content)
    page = visit()
    page.get_by_role("radio", name="Photo").click()
    page.locator("input[type=file]").set_input_files(photo)
    page.get_by_text(re.compile(words)).first.wait_for()
    page.locator(".mm-row-title").first.wait_for()


def test_a_mood_can_be_picked_by_hand(visit: Visit) -> None:
    page = visit()
    page.get_by_role("radio", name="Pick a mood").click()
    page.get_by_role("radio", name=re.compile("sad")).click()
    page.get_by_text("Songs that keep you company").wait_for()
    page.wait_for_selector('.mm-look[data-mood="sad"]')
    page.get_by_text("Mood map").click()
    stops = page.locator(".mm-map-stop")
    stops.first.wait_for()
    page.get_by_role("radio", name="lift").click()
    page.get_by_text("brightening slowly").wait_for()
    # The path climbs: its later songs lie right of the first and above them.
    page.wait_for_function(
        """() => {
            const at = [...document.querySelectorAll(".mm-map-stop")].map((stop) => [
                parseFloat(stop.style.left), parseFloat(stop.style.top)]);
            const [first, last] = [at[1], at[at.length - 1]];
            return at.length > 6 && last[0] > first[0] + 80 && last[1] < first[1] - 60;
        }"""
    )
    screenshot(page, "mood-desktop")


def test_without_youtube_every_song_is_a_link(visit: Visit) -> None:
    page = visit(reachable=False)
    page.get_by_text("YouTube cannot be reached").wait_for()
    links = page.locator(".mm-list a").evaluate_all("links => links.map(link => link.href)")
    assert len(links) >= 5
    assert all(link.startswith("https://www.youtube.com/") for link in links)


def test_what_was_played_is_in_the_journal_and_can_be_deleted(visit: Visit) -> None:
    page = visit()
    page.get_by_role("radio", name="Pick a mood").click()
    page.get_by_role("radio", name=re.compile("angry")).click()
    page.get_by_text("Songs with some force behind them").wait_for()
    page.wait_for_function("stub.sounding().length === 1")
    page.get_by_role("button", name="I like this song").click()
    title = page.locator(".mm-title").inner_text()
    page.get_by_role("link", name="Journal").click()
    page.get_by_role("heading", name="Journal").wait_for()
    page.locator(".mm-played", has_text=title).filter(has_text="♥").first.wait_for()
    assert page.locator('.mm-week button[aria-pressed="true"] .mm-week-band i').count() > 0
    screenshot(page, "journal-filled")
    page.get_by_role("button", name="Delete the journal").click()
    page.get_by_role("button", name="Delete it all").click()
    page.get_by_text("Nothing here yet").wait_for()


def test_a_list_of_ones_own_joins_and_a_search_that_finds_nothing_says_so(
    visit: Visit, tmp_path: Path
) -> None:
    songs = tmp_path / "mine.csv"
    songs.write_text("title,artist\nMy Own Song,Nobody Else\nAnother One,Nobody Else\n")
    page = visit()
    page.get_by_role("button", name="More songs").click()
    page.locator("input[type=file]").set_input_files(songs)
    page.get_by_text("2 songs added").wait_for()
    page.get_by_role("button", name="Find new songs for this mood").click()
    page.get_by_text(re.compile("YouTube Music")).first.wait_for()
    page.locator(".mm-row-title").first.wait_for()
    screenshot(page, "songs-desktop")


@pytest.mark.parametrize("path", ["teach", "model", "journal", "privacy"])
@pytest.mark.parametrize(("size", "name"), [(DESKTOP, "desktop"), (PHONE, "phone")])
def test_every_other_page_fits_desktop_and_phone(
    visit: Visit, path: str, size: dict[str, int], name: str
) -> None:
    page = visit(path, viewport=size)
    page.get_by_role("heading").first.wait_for()
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    assert page.get_by_text("This app has encountered an error").count() == 0
    screenshot(page, f"{path}-{name}")


def test_a_click_on_the_mood_map_steers_the_queue(visit: Visit) -> None:
    page = visit()
    page.get_by_text("Mood map").click()
    chart = page.locator(".mm-map-plane")
    chart.wait_for()
    box = chart.bounding_box()
    # click() waits until the unfolding is over, where a bare mouse would miss.
    chart.click(position={"x": box["width"] * 0.8, "y": box["height"] * 0.25})
    page.get_by_text("The queue goes where you point").wait_for()
    screenshot(page, "map-desktop")


def test_the_music_goes_on_from_page_to_page(visit: Visit) -> None:
    page = visit()
    page.get_by_role("radio", name="Pick a mood").click()
    page.get_by_role("radio", name=re.compile("happy")).click()
    page.wait_for_function("stub.sounding().length === 1")
    page.wait_for_function(
        """() => {
            const { URL: address, readyState } = stub.sounding()[0].frame.contentDocument;
            return address === "about:srcdoc" && readyState === "complete";
        }"""
    )
    # A frame that is moved or made anew loads again, and forgets this.
    page.evaluate("window.first = stub.sounding()[0]; first.frame.contentWindow.untouched = true;")
    player = page.locator(".mm-player")
    for name, heading in (("Journal", "Journal"), ("Model", "Model"), ("Teach", "1 Show")):
        page.get_by_role("link", name=name, exact=True).click()
        page.locator('.mm-player[data-form="mini"]').wait_for()
        page.locator(".st-key-page").get_by_role("heading", name=heading).wait_for()
        assert page.evaluate("stub.sounding()[0] === first && first.frame.isConnected")
        stage = page.locator(".mm-stage").bounding_box()
        assert stage["width"] >= 200 and stage["height"] >= 200  # YouTube's least
        if name == "Journal":
            screenshot(page, "mini-desktop")
    assert page.evaluate("first.frame.contentWindow.untouched") is True
    title = page.locator(".mm-bar-title").inner_text()
    page.get_by_role("button", name="Next song").click()
    page.wait_for_function(
        "title => document.querySelector('.mm-bar-title').textContent !== title", arg=title
    )
    page.wait_for_function("stub.sounding().length === 1")
    playing = page.evaluate("stub.sounding()[0].video")
    page.get_by_role("link", name="Listen", exact=True).click()
    page.locator('.mm-player[data-form="full"]').wait_for()
    page.locator(".mm-row-title").first.wait_for()
    assert page.evaluate("stub.sounding()[0].video") == playing
    assert player.get_attribute("data-state") == "playing"


# The browser's first connection never takes the server's answer.
FIRST_HANGS = """
const take = RTCPeerConnection.prototype.setRemoteDescription;
RTCPeerConnection.prototype.setRemoteDescription = function (...answer) {
  if (localStorage.hung) return take.apply(this, answer);
  localStorage.hung = "yes";
  return new Promise(() => {});
};"""


def test_a_camera_whose_connection_hangs_connects_anew_by_itself(visit: Visit) -> None:
    page = visit(script=FIRST_HANGS)
    page.get_by_role("button", name="Turn on camera").click()
    page.get_by_text("This takes longer than usual").wait_for()
    page.wait_for_selector('.mm-look[data-state="seen"]')


def test_a_press_on_a_link_is_not_lost_while_the_camera_connects(visit: Visit) -> None:
    """The camera speaks many times while it connects, and of the page that is being left."""
    page = visit()
    turn_on(page)
    for connecting_ms in range(100, 800, 70):
        page.get_by_role("link", name="Teach", exact=True).click()
        page.get_by_role("heading", name="1 Show").wait_for(timeout=PATIENCE_MS / 3)
        page.get_by_role("link", name="Listen", exact=True).click()
        page.get_by_role("button", name="What may play").wait_for(timeout=PATIENCE_MS / 3)
        page.wait_for_timeout(connecting_ms)
    page.wait_for_selector('.mm-look[data-state="seen"]')


def test_a_page_without_music_asks_youtube_for_nothing(visit: Visit) -> None:
    page = visit("privacy")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    page.get_by_role("heading", name="Privacy").wait_for()
    page.wait_for_selector('.mm-player[data-form="mini"]', state="attached")
    page.wait_for_load_state("networkidle")
    assert not [url for url in asked if "youtube" in url or "ytimg" in url]
    assert not page.locator(".mm-player").is_visible()
