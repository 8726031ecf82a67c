"""Browser tests of the way through a network: what the connection check says of each obstacle, and
a camera's stream that takes the way over a TURN server (coturn, as deploy/ sets it up)."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from moodmesh import ice
from moodmesh.settings import Network
from tests import browser, coturn, warped_face

pytestmark = browser.marks

PATIENCE_MS = 60_000
PHONE = {"width": 390, "height": 844}
# Keeps the connections of every frame, to ask which way they took.
KEEP_CONNECTIONS = """
const Real = RTCPeerConnection;
window.connections = [];
window.RTCPeerConnection = class extends Real {
  constructor(...how) { super(...how); window.connections.push(this); }
};"""
WRONG_PASSWORD = """
const Real = RTCPeerConnection;
window.RTCPeerConnection = class extends Real {
  constructor(how) {
    super({ ...how, iceServers: how.iceServers.map(one => ({ ...one, credential: 'guessed' })) });
  }
};"""
# The kind of way of each connection that carries a stream.
WAYS = """async () => {
  const ways = [];
  for (const one of window.connections ?? []) {
    const stats = await one.getStats();
    const used = [...stats.values()].find(s => s.type === 'transport')?.selectedCandidatePairId;
    const pair = stats.get(used);
    if (pair?.bytesSent > 20000 && pair.bytesReceived > 20000)
      ways.push(stats.get(pair.localCandidateId).candidateType);
  }
  return ways;
}"""


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    path = tmp_path_factory.mktemp("webcam") / "face.mjpeg"
    with browser.launched(warped_face.write_webcam_clip(path, [("happy", 8.0)])) as chromium:
        yield chromium


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = browser.free_port()
    command = ["app.py", "--port", str(port), "--no-browser"]
    with browser.serving(command, port, browser.home(tmp_path_factory.mktemp("home"))) as (
        address,
        _,
    ):
        yield address


def visit(chromium: Any, address: str, script: str = "", **options: Any) -> Any:
    page = chromium.new_page(**options)
    page.set_default_timeout(PATIENCE_MS)
    browser.stub_youtube(page)
    page.route(re.compile("^https?://mood.localhost"), lambda route: route.continue_())
    if script:
        page.add_init_script(script)
    page.goto(address)
    return page


def check(page: Any) -> dict[str, bool]:
    """The findings of the check: sentence -> whether it is good news."""
    page.get_by_role("button", name=re.compile("^Check (camera|again)")).click()
    page.get_by_role("button", name="Checking").wait_for(state="detached")
    page.get_by_role("button", name="Check again").wait_for()
    rows = page.eval_on_selector_all(
        ".mm-findings li", "rows => rows.map(row => [row.textContent, row.dataset.ok === 'true'])"
    )
    return dict(rows)


# What is wrong -> how the browser is made to meet it (and how that ends), what the check says.
REAL = "window.Real ??= RTCPeerConnection;"
NO_UDP = f"""{REAL} window.RTCPeerConnection = class extends Real {{
  constructor(how) {{ super({{ ...how, iceTransportPolicy: 'relay' }}); }} }};"""
FAULTS = {
    "no camera": (
        "window.list ??= navigator.mediaDevices.enumerateDevices;"
        "navigator.mediaDevices.enumerateDevices = async () => [];",
        "navigator.mediaDevices.enumerateDevices = window.list",
        "No camera was found. Plug one in",
    ),
    "camera blocked": (
        "navigator.permissions.query = async () => ({ state: 'denied' });",
        "delete navigator.permissions.query",
        "The camera is blocked for this page",
    ),
    "insecure origin": (
        "Object.defineProperty(navigator, 'mediaDevices', { value: null, configurable: true })",
        "delete navigator.mediaDevices",
        "This page is not secure, so the browser gives it no camera",
    ),
    "no WebRTC": (
        f"{REAL} window.RTCPeerConnection = undefined;",
        "window.RTCPeerConnection = Real",
        "This browser has no WebRTC",
    ),
    "UDP blocked": (
        NO_UDP,
        "window.RTCPeerConnection = Real",
        "The picture finds no way to the app on this machine",
    ),
}


def test_the_check_names_what_is_wrong(chromium: Any, server: str) -> None:
    page = visit(chromium, server, viewport=PHONE)
    for fault, (breaks, mends, words) in FAULTS.items():
        page.evaluate(f"() => {{ {breaks} }}")
        wrong = [text for text, ok in check(page).items() if not ok]
        assert len(wrong) == 1, (fault, wrong)
        assert words in wrong[0]
        page.screenshot(path=browser.ARTEFACTS / "check-problem-phone.png")
        page.evaluate(f"() => {{ {mends} }}")
    found = check(page)
    assert len(found) == 4
    assert all(found.values()), found
    assert re.search(r"can reach the server directly \(\d+ ms", " ".join(found))
    page.close()


def test_on_another_host_consent_names_it_and_a_missing_relay_is_named(
    chromium: Any, server: str
) -> None:
    """Chromium takes *.localhost for this machine, and for secure; to the page it is another."""
    page = visit(chromium, server.replace("localhost", "mood.localhost"), NO_UDP)
    page.locator(".mm-lobby", has_text="goes to mood.localhost, encrypted").wait_for()
    assert "this server has no relay (TURN)" in " ".join(check(page))
    page.close()


@coturn.mark
def test_coturn_takes_the_passwords_that_are_made_here(tmp_path: Path) -> None:
    """turnutils_uclient is coturn's own client: 80 messages through the relay, or an error."""
    with coturn.running(tmp_path) as relay:
        network = Network(turn=(f"turn:127.0.0.1:{relay.port}",), turn_secret=coturn.SECRET)
        (server,) = ice.servers(network, "visit")
        client = ["turnutils_uclient", "-y", "-n", "20", "-m", "1", "-p", str(relay.port)]

        def spoken(password: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [*client, "-u", server["username"], "-w", password, "127.0.0.1"],
                capture_output=True,
                text=True,
                timeout=60,
            )

        done = spoken(server["credential"])
        assert done.returncode == 0
        assert "Total lost packets 0" in done.stdout
        assert spoken("guessed").returncode != 0


@coturn.mark
def test_a_stream_goes_over_the_relay_and_the_check_tells_of_a_wrong_password(
    chromium: Any, tmp_path: Path, wait_for_face: Callable[[Any], None]
) -> None:
    with coturn.running(tmp_path) as relay:
        port = browser.free_port()
        command = ["app.py", "--port", str(port), "--no-browser"]
        settings = browser.home(tmp_path) | relay.environment | {"MOODMESH_RELAY_ONLY": "1"}
        with browser.serving(command, port, settings) as (address, _):
            page = visit(chromium, address, KEEP_CONNECTIONS)
            found = check(page)
            assert all(found.values()), found
            assert "can reach the server through the relay" in " ".join(found)
            wait_for_face(page)
            deadline = time.monotonic() + PATIENCE_MS / 1000
            while not (ways := [way for frame in page.frames for way in frame.evaluate(WAYS)]):
                assert time.monotonic() < deadline, "no stream was seen"
                page.wait_for_timeout(200)
            assert set(ways) == {"relay"}
            page.close()
            page = visit(chromium, address, WRONG_PASSWORD)
            assert "The relay refuses this server's password" in " ".join(check(page))
            page.close()


@pytest.fixture
def wait_for_face() -> Callable[[Any], None]:
    def wait(page: Any) -> None:
        page.get_by_role("button", name="Turn on camera").click()
        page.wait_for_selector('.mm-look[data-state="seen"]')

    return wait
