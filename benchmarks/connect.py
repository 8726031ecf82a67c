"""How reliably and how fast the camera connects: presses 'Turn on camera' again and again.

python benchmarks/connect.py --times 20            on the machine as it is
python benchmarks/connect.py --times 20 --load 4   with four busy processes beside it

Starts the app and a headless Chromium with a fake webcam (both from the tests), and prints for
each press the seconds until the page says how the face looks, and how many connections the page
tried. Needs Chromium and requirements-dev.txt.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests import browser, warped_face

GIVE_UP_S = 60.0
COUNT_CONNECTIONS = """
const Plain = window.RTCPeerConnection;
window.connections = 0;
window.RTCPeerConnection = class extends Plain {
  constructor(...how) { super(...how); window.connections += 1; }
};"""


def main() -> None:
    """Parses the arguments, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=10, help="presses (default: %(default)s)")
    parser.add_argument("--load", type=int, default=0, help="busy processes beside the app")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        clip = warped_face.write_webcam_clip(folder / "face.mjpeg", [("happy", 4.0)])
        port = browser.free_port()
        # Who has just left holds a place for some seconds: here nobody waits for it.
        home = browser.home(folder) | {"MOODMESH_LIVE_SESSIONS": "99"}
        command = ["app.py", "--port", str(port), "--no-browser"]
        address, _ = stack.enter_context(browser.serving(command, port, home))
        chromium = stack.enter_context(browser.launched(clip))
        busy = [multiprocessing.Process(target=_spin, daemon=True) for _ in range(args.load)]
        for process in busy:
            process.start()
            stack.callback(process.terminate)
        presses = [_press(chromium, address) for _ in range(args.times)]
    taken = [press["seconds"] for press in presses if press["seconds"] is not None]
    result = {
        "presses": args.times,
        "busy_processes": args.load,
        "connected": len(taken),
        "at_the_first_try": sum(press["connections"] == 1 for press in presses),
        "seconds": {
            "median": round(float(np.median(taken)), 1) if taken else None,
            "p95": round(float(np.percentile(taken, 95)), 1) if taken else None,
            "longest": max(taken, default=None),
        },
    }
    if args.json:
        print(json.dumps(result, indent=1))
    else:
        print(
            f"connected {len(taken)} of {args.times}, {result['at_the_first_try']} at the first "
            f"try; seconds: {result['seconds']}"
        )


def _press(chromium: Any, address: str) -> dict[str, Any]:
    """One visitor: from the press to the first words about the face."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    try:
        page = context.new_page()
        page.set_default_timeout(GIVE_UP_S * 1000)
        browser.stub_youtube(page)
        page.add_init_script(COUNT_CONNECTIONS)
        page.goto(address)
        page.get_by_role("button", name="Turn on camera").click()
        began = time.monotonic()
        seconds: float | None = None
        try:
            page.wait_for_selector('.mm-look[data-state="seen"]', timeout=GIVE_UP_S * 1000)
            seconds = round(time.monotonic() - began, 1)
        except browser.timeout_error():
            pass
        tried = sum(frame.evaluate("window.connections || 0") for frame in page.frames)
        print(f"{seconds} s, {tried} connections", file=sys.stderr, flush=True)
        return {"seconds": seconds, "connections": tried}
    finally:
        context.close()


def _spin() -> None:
    while True:
        pass


if __name__ == "__main__":
    main()
