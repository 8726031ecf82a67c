"""Who may have a live camera now, and who waits: a machine has cores for so many and no more.

Past that number everybody's picture would stutter; so the next one waits a turn and is told how
many are ahead. A place is held by asking for it again and again (the page does, every two
seconds); who stops asking has gone, and the place is free for the next.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable

from moodmesh.errors import UserError

# Measured with `python -m moodmesh benchmark` on 2 cores at 2.5 GHz: a frame from picture to
# picture takes 12 ms, decoding and encoding it 9 more; half as many again for a slower machine.
FRAME_SECONDS = 0.030
LIVE_FPS = 15
# Leaves room for the pages themselves and everything else on the machine.
USABLE_SHARE = 0.7
# Pages ask every two seconds; a browser on a poor network more rarely, and one in the background
# that has no stream yet once a minute.
GONE_SECONDS = 10.0
GONE_WAITING_SECONDS = 75.0

_WORDS = ("One person is", "Two people are", "Three people are", "Four people are")


def most_sessions() -> int:
    """How many live cameras this machine takes: MOODMESH_LIVE_SESSIONS, or what its cores do."""
    if asked := os.environ.get("MOODMESH_LIVE_SESSIONS"):
        if not asked.isdigit() or int(asked) < 1:
            raise UserError(f"MOODMESH_LIVE_SESSIONS is a number from 1 on, not '{asked}'.")
        return int(asked)
    return max(1, math.floor(cores() * USABLE_SHARE / (FRAME_SECONDS * LIVE_FPS)))


def cores() -> int:
    """The cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def words(ahead: int) -> str:
    """'Two people are ahead of you.'"""
    who = _WORDS[ahead - 1] if 0 < ahead <= len(_WORDS) else f"{ahead} people are"
    return f"{who} ahead of you."


class Crowd:
    """The places, first come, first served; safe from any thread."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.most = most
        self._clock = clock
        self._lock = threading.Lock()
        self._asked: dict[str, float] = {}  # in the order of coming: name -> asked last
        self._live: set[str] = set()  # who was told that they may go on

    def ask(self, name: str) -> int:
        """0 where this one may go on; else how many are ahead in the queue, itself counted: the
        first in the queue gets 1. Asking again keeps the place."""
        now = self._clock()
        with self._lock:
            self._asked[name] = now
            for other, at in list(self._asked.items()):
                if now - at > (GONE_SECONDS if other in self._live else GONE_WAITING_SECONDS):
                    self._forget(other)
            ahead = max(0, list(self._asked).index(name) + 1 - self.most)
            if not ahead:
                self._live.add(name)
            return ahead

    def leave(self, name: str) -> None:
        """Gives the place up; harmless where there is none."""
        with self._lock:
            self._forget(name)

    def _forget(self, name: str) -> None:
        self._asked.pop(name, None)
        self._live.discard(name)
