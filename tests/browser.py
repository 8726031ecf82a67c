"""What the browser tests share: Chromium, servers that come up and go away, and the outside world.

Where Chromium is missing the tests skip and say so; with MOODMESH_NEEDS_BROWSER set (continuous
integration) they fail instead.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

ROOT = Path(__file__).parent.parent
ARTEFACTS = ROOT / "artefacts"
YOUTUBE_STUB = Path(__file__).parent / "player" / "youtube_stub.js"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
NEEDED = bool(os.environ.get("MOODMESH_NEEDS_BROWSER"))

marks = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None and not NEEDED,
        reason="Chromium is not installed (sudo apt-get install chromium)",
    ),
]

# Nothing is heard or asked, and a page may play without a press, as in a browser that knows it.
ARGUMENTS = [
    "--no-sandbox",
    "--autoplay-policy=no-user-gesture-required",
    "--mute-audio",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    # Chromium hides local addresses behind mDNS names, which a server without mDNS cannot resolve.
    "--disable-features=WebRtcHideLocalIpsWithMdns",
]


def free_port() -> int:
    """A port on which nothing listens right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def home(folder: Path) -> dict[str, str]:
    """The environment of an app that keeps everything of its person in this folder."""
    return {
        "XDG_DATA_HOME": str(folder / "data"),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "MOODMESH_TAKES": str(folder / "takes"),
        "MOODMESH_PERSONAL": str(folder / "model" / "personal"),
    }


def wait_for_port(
    port: int,
    process: subprocess.Popen[bytes],
    seconds: float,
    said: Callable[[], str] = lambda: "it did not start",
) -> None:
    """Returns when something listens there; fails with what is `said` where nothing comes."""
    deadline = time.monotonic() + seconds
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert process.poll() is None and time.monotonic() < deadline, said()
        time.sleep(0.05)


def timeout_error() -> type[Exception]:
    """What Playwright raises when something does not come in time."""
    from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

    return PlaywrightTimeoutError


@contextmanager
def launched(webcam: Path | None = None) -> Iterator[Any]:
    """A headless Chromium whose webcam plays this clip."""
    from playwright.sync_api import sync_playwright

    clip = [f"--use-file-for-fake-video-capture={webcam}"] if webcam else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS + clip)
        try:
            yield browser
        except Exception:
            photograph_failure(browser)
            raise
        browser.close()


def photograph_failure(browser: Any) -> None:
    """Leaves a picture and the text of every open page in the artefacts, named by time."""
    ARTEFACTS.mkdir(exist_ok=True)
    pages = [page for context in browser.contexts for page in context.pages]
    for number, page in enumerate(pages):
        kept = ARTEFACTS / f"failed_{time.strftime('%H%M%S')}_{number}.png"
        with suppress(Exception):  # what failed is told by the test; the page may be gone
            page.screenshot(path=kept, full_page=True)
            kept.with_suffix(".txt").write_text(page.locator("body").aria_snapshot(), "utf-8")


@contextmanager
def serving(
    command: Sequence[str], port: int, environment: dict[str, str] | None = None
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A server process that answers on this port: its address and the process."""
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://localhost:{port}"
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"{address}/_stcore/health", timeout=1).close()
                break
            except OSError:
                if time.monotonic() > deadline or process.poll() is not None:
                    raise
                time.sleep(0.1)
        yield address, process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()


@contextmanager
def asleep() -> Iterator[None]:
    """Stops all processes of this test's browsers, as a computer does that sleeps.

    Nothing may be asked of a page meanwhile.
    """
    stopped = []
    try:
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if process.name().startswith("chrom"):
                    stopped.append(process)
                    process.suspend()
        assert stopped
        yield
    finally:
        for process in stopped:
            with suppress(psutil.NoSuchProcess):
                process.resume()


def stub_youtube(page: Any, reachable: bool = True) -> None:
    """Lets nothing out of this machine; YouTube's player API is a stand-in, or does not answer."""
    page.route(re.compile(r"^https?://(?!localhost|127\.0\.0\.1)"), lambda route: route.abort())
    if reachable:
        script = YOUTUBE_STUB.read_text("utf-8")
        page.route(
            "https://www.youtube.com/iframe_api",
            lambda route: route.fulfill(content_type="text/javascript", body=script),
        )
