"""How many presses are lost while the camera connects, which redraws its page a dozen times.

python benchmarks/presses.py --times 20

Starts the app and a headless Chromium with a fake webcam (both from the tests). Each time it turns
the camera on in a new window and presses a moment later, further into the connecting each time:
once a button ('Add', on Teach), once a link to another page. Needs Chromium and
requirements-dev.txt.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests import browser, warped_face

CONNECTING_MS = 1000
GIVE_UP_MS = 8_000


def main() -> None:
    """Parses the arguments, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=20, help="of each (default: %(default)s)")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clip = warped_face.write_webcam_clip(Path(folder) / "face.mjpeg", [("happy", 4.0)])
        port = browser.free_port()
        # Who has just left holds a place for some seconds: here nobody waits for it.
        home = browser.home(Path(folder)) | {"MOODMESH_LIVE_SESSIONS": "99"}
        command = ["app.py", "--port", str(port), "--no-browser"]
        with (
            browser.serving(command, port, home) as (address, _),
            browser.launched(clip) as chromium,
        ):
            lost = {
                name: sum(
                    not press(chromium, address, int(wait_ms))
                    for wait_ms in np.linspace(0, CONNECTING_MS, args.times)
                )
                for name, press in (("button", _button), ("link", _link))
            }
    if args.json:
        print(json.dumps({"times": args.times, "lost": lost}, indent=1))
    else:
        for name, count in lost.items():
            print(f"{name}: {count} of {args.times} presses lost")


@contextmanager
def _connecting(chromium: Any, address: str, wait_ms: int) -> Iterator[Any]:
    """A new window on Teach whose camera was turned on so long ago."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    browser.stub_youtube(page)
    page.goto(f"{address}/teach")
    page.get_by_label("or one of your own").fill("wow")
    page.get_by_role("button", name="Turn on camera").click()
    page.wait_for_timeout(wait_ms)
    yield page
    context.close()


def _comes(part: Any) -> bool:
    try:
        part.wait_for(timeout=GIVE_UP_MS)
    except browser.timeout_error():
        return False
    return True


def _button(chromium: Any, address: str, wait_ms: int) -> bool:
    """Whether the label that was added came."""
    with _connecting(chromium, address, wait_ms) as page:
        page.get_by_role("button", name="Add").click()
        return _comes(page.get_by_role("radio", name="wow"))


def _link(chromium: Any, address: str, wait_ms: int) -> bool:
    """Whether the page that was asked for came."""
    with _connecting(chromium, address, wait_ms) as page:
        page.get_by_role("link", name="Journal", exact=True).click()
        return _comes(page.get_by_role("heading", name="Journal"))


if __name__ == "__main__":
    main()
