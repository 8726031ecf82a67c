"""A day in an hour: opens and closes streams again and again, and watches what is left.

python benchmarks/soak.py --visits 2000

Each visit is what the page opens for a camera: a landmarker, its networks and the WebRTC library's
worker thread, fed with pictures of a face; one in four ends in the middle of a frame. It prints
threads, file handles and memory, and fails where they did not return to where they were after the
first visits. tests/test_soak.py runs the same for seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ctypes
import fractions
import gc
import sys
from pathlib import Path

import av
import numpy as np
from aiortc import MediaStreamTrack

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from moodmesh import bundle
from moodmesh.bundle import Bundle
from moodmesh.live import Stream
from moodmesh.tracks import WaitlessTrack
from tests import warped_face

# Pools and caches fill in the first visits.
WARM_UP = 10
FRAMES = 3
# Two moments of the same process differ by so much, and MediaPipe keeps a little of each landmarker
# that is closed: landmarkers alone, made and closed, leave 3 to 10 kB each.
SLACK_MB = 60
KEPT_BY_MEDIAPIPE_MB = 0.01
PATIENCE_SECONDS = 60.0
SETTLING_SECONDS = 1.0


class FakeCamera(MediaStreamTrack):
    """The same picture again and again."""

    kind = "video"

    def __init__(self, rgb: np.ndarray) -> None:
        super().__init__()
        self._rgb = rgb
        self._count = 0

    async def recv(self) -> av.VideoFrame:
        """The next frame, at about 50 a second."""
        await asyncio.sleep(0.02)
        frame = av.VideoFrame.from_ndarray(self._rgb, format="rgb24")
        self._count += 1
        frame.pts, frame.time_base = self._count, fractions.Fraction(1, 50)
        return frame


def held() -> tuple[int, int, int]:
    """Threads, file handles and megabytes of memory that this process holds.

    The threads are the system's: MediaPipe's own are not Python's.
    """
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    threads, handles = ([*Path(f"/proc/self/{what}").iterdir()] for what in ("task", "fd"))
    return len(threads), len(handles), pages * 4096 >> 20


async def settled() -> tuple[int, int, int]:
    """What is held once it has stopped falling: a visit's last frame may still be worked on."""
    now = held()
    while True:
        await asyncio.sleep(SETTLING_SECONDS)
        before, now = now, held()
        if now[0] >= before[0] and now[1] >= before[1]:
            return now


async def visit(model: Bundle, rgb: np.ndarray, *, cut: bool) -> Stream:
    """One visitor; cut: gone in the middle of a frame. Returns the stream, which has ended."""
    stream = Stream(model)
    track = WaitlessTrack(FakeCamera(rgb), stream)

    async def watch() -> None:
        while stream.snapshot.frames < FRAMES:
            await track.recv()

    await asyncio.wait_for(watch(), PATIENCE_SECONDS)
    if cut:
        stream.on_ended()
        await track.recv()
    track.stop()
    return stream


async def soak(visits: int) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """What is held after the first visits and after all of them."""
    model = bundle.read(bundle.GENERAL)
    rgb = warped_face.render("happy")
    before = held()
    for number in range(visits):
        stream = await visit(model, rgb, cut=number % 4 == 3)
        if not stream.ended:
            raise RuntimeError("a stream outlived its visit")
        if number + 1 == WARM_UP:
            before = await settled()
        if (number + 1) % 100 == 0:
            print(f"{number + 1} visits: %d threads, %d file handles, %d MB" % held(), flush=True)
    return before, await settled()


def main() -> int:
    """Parses the arguments and runs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--visits", type=int, default=2000, help="(default: %(default)s)")
    visits = max(parser.parse_args().visits, WARM_UP + 1)
    before, after = asyncio.run(soak(visits))
    most_mb = before[2] + SLACK_MB + KEPT_BY_MEDIAPIPE_MB * visits
    kept = after[0] <= before[0] and after[1] <= before[1] and after[2] <= most_mb
    print(f"(threads, handles, MB) {before} became {after}")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
