"""Looking songs up on YouTube Music, without an account: the video of a song, songs for a mood.

The network is slow, absent or wrong now and then, and what ytmusicapi reads is not an official
interface. So every question has a time limit, answers are checked before they are believed, kept on
disk for a while, and failures lead to a pause that doubles. Nothing here raises or waits long:
:attr:`Discovery.problem` says in one sentence when it cannot answer.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import os
import re
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from moodmesh import places
from moodmesh.songs.catalogue import Catalogue, Song, with_video
from moodmesh.songs.history import History
from moodmesh.songs.recommend import Recommendation, rank_target
from moodmesh.songs.titles import (
    LONGEST_TEXT,
    is_holiday,
    one_line,
    plain,
    shown_title,
    song_id,
    unwanted_kind,
)
from moodmesh.songs.youtube import is_video_id

SOURCE = "YouTube Music"
# One request may take so long, one question (a search and perhaps a second) so long in all.
REQUEST_S = 4.0
QUESTION_S = 8.0
# Videos vanish and appear: a found one is believed for a month, a miss is asked again after a day.
KEEP_FOUND_S = 30 * 86_400.0
KEEP_MISSED_S = 86_400.0
MOST_KEPT = 5_000
PAUSE_S, LONGEST_PAUSE_S = 30.0, 3_600.0
LENGTH_S = (60, 1200)
# A video whose length differs by more is another version: 12 s or a tenth.
LENGTH_SLACK_S, LENGTH_SLACK = 12, 0.10
# What to ask for a mood; playlists are made by people, and these are the words they use.
MOOD_WORDS = {
    "happy": "happy feel good",
    "surprise": "energy party",
    "neutral": "easy going chill pop",
    "sad": "sad songs",
    "fear": "calm soothing",
    "angry": "angry rock workout",
    "disgust": "calm acoustic",
}
PLAYLISTS, PLAYLIST_SONGS = 2, 40

Client = Any  # ytmusicapi.YTMusic, or what a test puts in its place


def make_client() -> Client:
    """A client without an account whose every request has a time limit."""
    import requests
    from ytmusicapi import YTMusic

    session = requests.Session()
    session.request = functools.partial(session.request, timeout=REQUEST_S)  # type: ignore[method-assign]
    return YTMusic(requests_session=session)


class Discovery:
    """Questions to YouTube Music, answered from the disk where they were answered before."""

    def __init__(
        self,
        folder: Path | None = None,
        client: Callable[[], Client] = make_client,
        clock: Callable[[], float] = time.time,
        *,
        enabled: bool = True,
        patience_s: float = QUESTION_S,
    ) -> None:
        self.folder = folder or places.cache() / "discovery"
        self.enabled = enabled
        self.problem: str | None = None
        self.found: dict[str, str] = {}
        self._make_client, self._clock, self._patience_s = client, clock, patience_s
        self._client: Client | None = None
        self._pause_s, self._not_before = PAUSE_S, -math.inf
        # One thread asks, so that a listener never sends a burst; another one for who waits.
        self._asking = ThreadPoolExecutor(1, thread_name_prefix="youtube-music")
        self._waiting = ThreadPoolExecutor(1, thread_name_prefix="look-up")
        # Songs that were asked for, each with what was known to be its video by then.
        self._asked: set[tuple[str, str | None]] = set()
        self._lock = threading.Lock()

    @property
    def resting(self) -> bool:
        """Whether a failure was so recent that nothing is asked."""
        return self._clock() < self._not_before

    # --- the video of a song ------------------------------------------------------------------

    def video_of(self, song: Song, refused: Collection[str] = ()) -> str | None:
        """The video that best fits a song, or None: not found, off, or no answer now. None of the
        `refused`, which do not play in a page.
        """
        key = f"video {song.id}"
        kept = self._kept(key)
        if kept is not None and kept.get("video") not in refused:
            video = kept.get("video")
            return video if is_video_id(video) else None
        answer = self._ask(lambda client: _find_video(client, song, refused))
        if answer is None:
            return None
        self._keep(key, {"video": answer[0]}, KEEP_FOUND_S if answer[0] else KEEP_MISSED_S)
        return answer[0]

    def look_up(
        self,
        songs: Iterable[Song],
        history: History | None = None,
        refused: Collection[str] = frozenset(),
    ) -> None:
        """Find the videos of songs that have none, in the background; they appear in `found` and,
        with a history, are remembered there. Each song is asked for once, and once more where what
        was found is among the `refused`.
        """
        for song in songs:
            with self._lock:
                asked = song.id, self.found.get(song.id)
                if song.video_id is not None or asked in self._asked or not self.enabled:
                    continue
                self._asked.add(asked)
            self._waiting.submit(self._look_up, song, history, asked, refused)

    def _look_up(
        self,
        song: Song,
        history: History | None,
        asked: tuple[str, str | None],
        refused: Collection[str],
    ) -> None:
        video = self.video_of(song, refused)
        if video is not None:
            with self._lock:
                self.found[song.id] = video
            if history is not None:
                history.found_video(song.id, video, "search")
        elif self.problem is not None:
            with self._lock:
                self._asked.discard(asked)

    # --- songs for a mood ---------------------------------------------------------------------

    def songs_for(
        self, mood: str, valence: float, arousal: float, catalogue: Catalogue, language: str = ""
    ) -> list[Song]:
        """Songs from playlists that people made for a mood; empty where nothing answers.

        Nobody measured them: each gets the figures of the mood it was listed for, so that it lies
        where the listener is. `language` is a word for the search ('Hindi').
        """
        words = f"{language} {MOOD_WORDS.get(mood, mood)}".strip()
        key = f"mood {words}"
        kept = self._kept(key)
        if kept is not None:
            raw = kept.get("songs")
        else:
            raw = self._ask(lambda client: _playlist_songs(client, words))
            if raw is None:
                return []
            self._keep(key, {"songs": raw}, KEEP_FOUND_S if raw else KEEP_MISSED_S)
        figures = _figures_at(catalogue, valence, arousal)
        songs = [_as_song(entry) for entry in raw if isinstance(entry, dict)] if raw else []
        return [
            replace(song, valence=figures[0], energy=figures[1])
            for song in songs
            if song is not None and catalogue.find(song.id) is None
        ]

    # --- asking -------------------------------------------------------------------------------

    def _ask(self, question: Callable[[Client], Any]) -> Any:
        """The answer, or None with a problem noted. Whatever goes wrong in there is a failure:
        the library reads pages that change without notice, and raises KeyError and the like.
        """
        if not self.enabled or self.resting:
            return None
        future: Future[Any] = self._asking.submit(self._answer, question)
        try:
            answer = future.result(self._patience_s)
        except FutureTimeout:
            # The stuck thread is left to its own time limit; a new one serves the next question.
            self._asking.shutdown(wait=False, cancel_futures=True)
            self._asking = ThreadPoolExecutor(1, thread_name_prefix="youtube-music")
            self._client = None
            self._failed("it took too long")
            return None
        except Exception as error:
            self._failed(_reason(error))
            return None
        self._pause_s, self._not_before, self.problem = PAUSE_S, -math.inf, None
        return answer

    def _answer(self, question: Callable[[Client], Any]) -> Any:
        if self._client is None:
            self._client = self._make_client()
        return question(self._client)

    def _failed(self, reason: str) -> None:
        self.problem = (
            f"YouTube Music does not answer just now ({reason}). The queue goes on with the songs "
            "that are here; the search is tried again in a while."
        )
        self._not_before = self._clock() + self._pause_s
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)

    # --- the disk -----------------------------------------------------------------------------

    def _file(self, key: str) -> Path:
        return self.folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"

    def _kept(self, key: str) -> dict[str, Any] | None:
        try:
            kept = json.loads(self._file(key).read_text("utf-8"))
            if kept["key"] == key and self._clock() < kept["until"]:
                return dict(kept["answer"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return None

    def _keep(self, key: str, answer: dict[str, Any], seconds: float) -> None:
        """Written under another name first, so that nobody reads half an answer."""
        text = json.dumps({"key": key, "until": self._clock() + seconds, "answer": answer})
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self.folder, suffix=".partial")
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            Path(name).replace(self._file(key))
            files = sorted(self.folder.glob("*.json"), key=lambda path: path.stat().st_mtime)
            for old in files[:-MOST_KEPT]:
                old.unlink(missing_ok=True)
        except OSError:
            return  # A full disk costs the next question a request, nothing more.


def with_found(
    recommendations: Iterable[Recommendation], found: dict[str, str], unplayable: set[str]
) -> list[Recommendation]:
    """The same queue with videos that were found since, and without those known not to play."""
    result = []
    for one in recommendations:
        song = one.song
        videos = [v for v in (song.video_id, *song.alt_ids, found.get(song.id)) if v]
        playable = [v for v in dict.fromkeys(videos) if v not in unplayable]
        if (song.video_id, *song.alt_ids) != tuple(playable):
            song = with_video(song, playable[0] if playable else None, tuple(playable[1:]))
        result.append(one if song is one.song else replace(one, song=song))
    return result


# --- what comes back --------------------------------------------------------------------------


def _find_video(client: Client, song: Song, refused: Collection[str] = ()) -> tuple[str | None]:
    """The best video among songs, else among videos, that is none of the refused."""
    query = f"{song.byline} {song.title}"
    for kind in ("songs", "videos"):
        results = client.search(query, filter=kind, limit=10)
        if not isinstance(results, list):
            raise TypeError("no list of results")
        for result in results:
            if not isinstance(result, dict) or result.get("videoId") in refused:
                continue
            if _fits(result, song, strict=kind == "videos"):
                return (result["videoId"],)
    return (None,)


def _fits(result: dict[str, Any], song: Song, *, strict: bool) -> bool:
    """Whether a search result is this song: its title, its artist, about its length."""
    title = result.get("title")
    if not is_video_id(result.get("videoId")) or not isinstance(title, str):
        return False
    if unwanted_kind(title, "") and not unwanted_kind(song.title, ""):
        return False
    wanted, got = plain(_bare(song.title)), plain(_bare(shown_title(title)))
    by = {plain(name) for name in _artists(result)} - {""}
    ours = {plain(name) for name in song.artists}
    by_us = bool(by & ours) or any(one in other for one in ours for other in by)
    if strict:
        # A video's title is often 'Artist - Title (Official Video)'.
        whole = plain(title)
        if wanted not in whole or not (by_us or any(one in whole for one in ours)):
            return False
    elif wanted != got or not by_us:
        return False
    length = result.get("duration_seconds")
    if isinstance(length, int) and song.duration_s:
        slack = max(LENGTH_SLACK_S, LENGTH_SLACK * song.duration_s) * (3 if strict else 1)
        return abs(length - song.duration_s) <= slack
    return True


def _playlist_songs(client: Client, words: str) -> list[dict[str, Any]]:
    """The tracks of the first playlists for some words, as plain facts."""
    playlists = client.search(words, filter="featured_playlists", limit=10)
    if not isinstance(playlists, list):
        raise TypeError("no list of playlists")
    facts: list[dict[str, Any]] = []
    read = 0
    for playlist in playlists:
        identifier = playlist.get("browseId") if isinstance(playlist, dict) else None
        if not isinstance(identifier, str) or read == PLAYLISTS:
            continue
        read += 1
        page = client.get_playlist(identifier.removeprefix("VL"), limit=PLAYLIST_SONGS)
        tracks = page.get("tracks") if isinstance(page, dict) else None
        for track in tracks if isinstance(tracks, list) else ():
            if isinstance(track, dict) and _is_sound(track):
                facts.append(
                    {
                        "title": track["title"],
                        "artists": _artists(track),
                        "video": track["videoId"],
                        "duration_s": track.get("duration_seconds"),
                        "explicit": track.get("isExplicit"),
                    }
                )
    return facts


def _is_sound(track: dict[str, Any]) -> bool:
    """Whether a track has what a song needs, in the shape it should have."""
    title, length = track.get("title"), track.get("duration_seconds")
    return (
        isinstance(title, str)
        and 0 < len(title.strip()) <= LONGEST_TEXT
        and is_video_id(track.get("videoId"))
        and bool(_artists(track))
        and track.get("isAvailable") is not False
        and (not isinstance(length, int) or LENGTH_S[0] <= length <= LENGTH_S[1])
        and unwanted_kind(title, " ".join(_artists(track))) is None
    )


def _artists(result: dict[str, Any]) -> list[str]:
    artists = result.get("artists")
    names = (
        [a.get("name") for a in artists if isinstance(a, dict)] if isinstance(artists, list) else []
    )
    return [n.strip()[:LONGEST_TEXT] for n in names if isinstance(n, str) and n.strip()]


def _as_song(entry: dict[str, Any]) -> Song | None:
    """A kept fact as a song; None where the file does not hold what was put there."""
    title, artists, video = entry.get("title"), entry.get("artists"), entry.get("video")
    if not (isinstance(title, str) and isinstance(artists, list) and is_video_id(video)):
        return None
    artist = "; ".join(filter(None, (one_line(str(name)) for name in artists)))
    length, explicit = entry.get("duration_s"), entry.get("explicit")
    shown = shown_title(one_line(title))
    if not shown or not artist:
        return None
    return Song(
        id=song_id(shown, artist),
        title=shown,
        artist=artist,
        duration_s=length if isinstance(length, int) else None,
        explicit=explicit if isinstance(explicit, bool) else None,
        holiday=is_holiday(title),
        video_id=str(video),
        source=SOURCE,
    )


def _figures_at(catalogue: Catalogue, valence: float, arousal: float) -> tuple[float, float]:
    """The raw valence and energy at a mood's ranks in the catalogue."""
    ranks = rank_target(valence, arousal)
    known = [song for song in catalogue.songs if not math.isnan(song.valence + song.energy)]
    if not known:
        return ranks
    return (
        float(np.quantile([song.valence for song in known], ranks[0])),
        float(np.quantile([song.energy for song in known], ranks[1])),
    )


def _bare(title: str) -> str:
    return re.sub(r"[\(\[][^\(\)\[\]]*[\)\]]|\s+[-–]\s+.*$", "", title).strip() or title


def _reason(error: Exception) -> str:
    kind = type(error).__name__
    if "Timeout" in kind:
        return "it took too long"
    if "Connection" in kind or isinstance(error, OSError):
        return "no connection"
    if "Server" in kind or "Gated" in kind:
        return "it refused the request"
    return "its answer made no sense"
