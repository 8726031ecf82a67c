"""A queue to take along: as a playlist file, a table, or one YouTube link."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from moodmesh.songs.catalogue import Song
from moodmesh.songs.youtube import queue_link, song_link

# The wide ones begin formulas where the language of the spreadsheet is Chinese, Japanese or Korean.
_FORMULA = tuple("=+-@＝＋－＠")
_BREAKS = tuple("\t\r\n")


def as_m3u(songs: Iterable[Song], name: str = "moodmesh") -> str:
    """Extended M3U in UTF-8; a song without a video is its YouTube search."""
    lines = ["#EXTM3U", f"#PLAYLIST:{_line(name)}"]
    for song in songs:
        lines.append(f"#EXTINF:{song.duration_s or -1},{_line(song.byline)} - {_line(song.title)}")
        lines.append(song_link(song.title, song.byline, song.video_id))
    return "\n".join(lines) + "\n"


def as_csv(songs: Iterable[Song]) -> str:
    """A table that the own-list import reads back."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["title", "artist", "year", "language", "duration_s", "url"])
    for song in songs:
        writer.writerow(
            [
                cell(song.title),
                cell(song.artist),
                song.year or "",
                song.language,
                song.duration_s or "",
                song_link(song.title, song.byline, song.video_id),
            ]
        )
    return text.getvalue()


def as_link(songs: Sequence[Song]) -> str | None:
    """One address that plays the first fifty videos on YouTube; None without any video."""
    return queue_link(song.video_id for song in songs)


def _line(text: str) -> str:
    """A title cannot begin a new entry of the playlist."""
    return " ".join(text.split())


def cell(text: str) -> str:
    """Text that starts like a formula, which must not become one in a spreadsheet."""
    return f"'{text}" if text.lstrip()[:1] in _FORMULA or text[:1] in _BREAKS else text
