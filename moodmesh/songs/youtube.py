"""YouTube addresses: made from video ids, and ids read from the many shapes people paste."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import parse_qs, quote_plus, urlsplit

# Eleven characters of URL-safe base64.
_ID = re.compile(r"[A-Za-z0-9_-]{11}")
_HOSTS = {"youtube.com", "youtube-nocookie.com", "music.youtube.com", "m.youtube.com"}
_PATHS_WITH_ID = {"embed", "v", "e", "shorts", "live", "vi", "watch"}
# The most that YouTube's watch_videos address takes into its untitled playlist.
QUEUE_LINK_LIMIT = 50


def is_video_id(text: object) -> bool:
    """Whether this could be a YouTube video id."""
    return isinstance(text, str) and _ID.fullmatch(text) is not None


def parse_video_id(text: str) -> str | None:
    """The id in a bare id, a watch, short, embed, shorts, live, music or queue link; else None."""
    text = text.strip().strip("<>\"'")
    if _ID.fullmatch(text):
        return text
    if "://" not in text:
        text = f"https://{text}"
    try:
        parts = urlsplit(text)
        host = (parts.hostname or "").removeprefix("www.")
    except ValueError:
        return None
    query = parse_qs(parts.query)
    steps = [step for step in parts.path.split("/") if step]
    candidates: list[str] = []
    if host == "youtu.be":
        candidates = steps[:1]
    elif host in _HOSTS:
        candidates = query.get("v", [])[:1] + query.get("vi", [])[:1]
        if len(steps) >= 2 and steps[0] in _PATHS_WITH_ID:
            candidates.append(steps[1])
        if steps[:1] == ["watch_videos"]:
            candidates.extend(",".join(query.get("video_ids", [])).split(","))
        if steps[:1] == ["attribution_link"]:
            return next(filter(None, map(parse_video_id, _inner_links(query))), None)
        if steps[:1] == ["redirect"]:
            return next(filter(None, map(parse_video_id, query.get("q", [])[:1])), None)
    elif host in {"i.ytimg.com", "img.youtube.com"} and len(steps) >= 2:
        candidates = steps[1:2]
    return next((found for found in candidates if _ID.fullmatch(found)), None)


def _inner_links(query: dict[str, list[str]]) -> list[str]:
    return [f"https://youtube.com{link}" for link in query.get("u", [])[:1] if link.startswith("/")]


def watch_link(video_id: str) -> str:
    """Where the video plays on YouTube."""
    return f"https://www.youtube.com/watch?v={video_id}"


def search_link(title: str, artist: str) -> str:
    """A YouTube search for a song whose video is not known."""
    return f"https://www.youtube.com/results?search_query={quote_plus(f'{artist} {title}')}"


def song_link(title: str, artist: str, video_id: str | None) -> str:
    """The video where known, else the search."""
    return watch_link(video_id) if video_id else search_link(title, artist)


def queue_link(video_ids: Iterable[str | None]) -> str | None:
    """One link that plays the first fifty videos in order, or None where there is none."""
    unique = list(dict.fromkeys(found for found in video_ids if is_video_id(found)))
    if not unique:
        return None
    ids = ",".join(str(found) for found in unique[:QUEUE_LINK_LIMIT])
    return f"https://www.youtube.com/watch_videos?video_ids={ids}"


def artwork_link(video_id: str) -> str:
    """The video's 16:9 still, 320x180: the one size every video has without black bars."""
    return f"https://i.ytimg.com/vi/{video_id}/mqdefault.jpg"
