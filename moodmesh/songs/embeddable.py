"""Which videos may be played in a page: YouTube's Data API v3, for those who have a key.

Optional. Without a key the player finds out by itself; with one (environment variable
MOODMESH_YOUTUBE_KEY) videos that may not be embedded are left out before their turn. One request
of one quota unit asks for fifty videos.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

import requests

from moodmesh.songs.youtube import is_video_id

KEY_VARIABLE = "MOODMESH_YOUTUBE_KEY"
ADDRESS = "https://www.googleapis.com/youtube/v3/videos"
BATCH = 50
PATIENCE_S = 4.0


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


def _problem(status: int) -> str | None:
    if status == 200:
        return None
    if status in {400, 401}:
        return f"YouTube's Data API does not accept the key in {KEY_VARIABLE}. Check or remove it."
    if status in {403, 429}:
        return "The YouTube Data API key has no quota left today. Videos are tried one by one."
    return f"YouTube's Data API is out of order (status {status}). Videos are tried one by one."
