"""Which videos may be played in a page: YouTube's Data API v3, for those who have a key.

Optional. Without a key the player finds out by itself; with one (environment variable
MOODMESH_YOUTUBE_KEY) videos that may not be embedded are left out before their turn, and remembered
as such. One request of one quota unit asks for fifty videos.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import requests

from moodmesh.songs.catalogue import Song
from moodmesh.songs.history import History
from moodmesh.songs.youtube import is_video_id

KEY_VARIABLE = "MOODMESH_YOUTUBE_KEY"
ADDRESS = "https://www.googleapis.com/youtube/v3/videos"
BATCH = 50
PATIENCE_S = 4.0
# After an answer that was none; a quota comes back once a day, a network sooner.
PAUSE_S = 600.0


@dataclass(frozen=True, slots=True)
class Answer:
    """Videos that may be embedded, those that may not or are gone, and why asking stopped."""

    allowed: frozenset[str]
    refused: frozenset[str]
    problem: str | None = None


def key_from_environment() -> str | None:
    """The listener's own key, if there is one."""
    return os.environ.get(KEY_VARIABLE, "").strip() or None


def embeddable(videos: Iterable[str], key: str) -> Answer:
    """Ask for these videos; what could not be asked is in neither set."""
    wanted = [video for video in dict.fromkeys(videos) if is_video_id(video)]
    allowed: set[str] = set()
    refused: set[str] = set()
    for at in range(0, len(wanted), BATCH):
        batch = wanted[at : at + BATCH]
        try:
            response = requests.get(
                ADDRESS,
                params={
                    "part": "status",
                    "id": ",".join(batch),
                    "maxResults": str(BATCH),
                    "key": key,
                },
                timeout=PATIENCE_S,
            )
            problem = _problem(response.status_code)
            items = response.json()["items"] if problem is None else []
            known = {
                item["id"]: item["status"].get("embeddable") is True
                and item["status"].get("uploadStatus", "processed") == "processed"
                for item in items
            }
        except (requests.RequestException, ValueError, KeyError, TypeError, AttributeError):
            # The exception's own text holds the address, and with it the key.
            problem, known = "YouTube's Data API gave no usable answer.", {}
        if problem is not None:
            return Answer(frozenset(allowed), frozenset(refused), problem)
        allowed.update(video for video in batch if known.get(video))
        refused.update(video for video in batch if not known.get(video))
    return Answer(frozenset(allowed), frozenset(refused))


class Checks:
    """Asks in the background about the videos of a queue, each once. Never raises, never waits;
    :attr:`problem` says in one sentence when YouTube's Data API cannot answer. Does nothing without
    a key.
    """

    def __init__(
        self,
        key: str | None,
        ask: Callable[[Iterable[str], str], Answer] = embeddable,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.key = key
        self.problem: str | None = None
        self.refused: set[str] = set()
        self._ask, self._clock = ask, clock
        self._asked: set[str] = set()
        self._not_before = -float("inf")
        self._lock = threading.Lock()
        self._asking = ThreadPoolExecutor(1, thread_name_prefix="youtube-data")

    def look_up(self, songs: Iterable[Song], history: History) -> None:
        """Find out which videos of these songs may not play in a page: `refused` has them, and
        the history remembers them.
        """
        if self.key is None:
            return
        with self._lock:
            if self._clock() < self._not_before:
                return
            wanted = {
                video: song.id
                for song in songs
                for video in (song.video_id, *song.alt_ids)
                if video and video not in self._asked
            }
            self._asked.update(wanted)
        if wanted:
            self._asking.submit(self._look_up, wanted, self.key, history)

    def _look_up(self, wanted: dict[str, str], key: str, history: History) -> None:
        answer = self._ask(wanted, key)
        self.problem = answer.problem
        if answer.problem is not None:
            with self._lock:
                self._not_before = self._clock() + PAUSE_S
                self._asked -= wanted.keys() - answer.allowed - answer.refused
        self.refused = self.refused | answer.refused
        for video in answer.refused:
            history.refused_video(wanted[video], video, "YouTube Data API")


def _problem(status: int) -> str | None:
    if status == 200:
        return None
    if status in {400, 401}:
        return f"YouTube's Data API does not accept the key in {KEY_VARIABLE}. Check or remove it."
    if status in {403, 429}:
        return "The YouTube Data API key has no quota left today. Videos are tried one by one."
    return f"YouTube's Data API is out of order (status {status}). Videos are tried one by one."
