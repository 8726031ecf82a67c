"""The songs that can be recommended, and where each lies among the others.

A :class:`Song` is one row of facts; a :class:`Catalogue` holds many with their figures as numpy
columns, so that a whole catalogue is scored in a millisecond. Valence and energy are compared as
percentile ranks within the catalogue: the raw figures crowd together (half of all songs have an
energy between 0.50 and 0.80), ranks spread evenly.
"""

from __future__ import annotations

import csv
import gzip
import io
import math
import zlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from moodmesh.errors import UserError
from moodmesh.songs.titles import plain, song_id, split_artists

SHIPPED = Path(__file__).parent / "catalogue.csv.gz"
SHIPPED_SOURCE = "moodmesh"
# A language with fewer has none for some moods: four artists of ballads are no happy music.
FEWEST_SONGS, FEWEST_ARTISTS = 40, 15
COLUMNS = (
    "title",
    "artist",
    "year",
    "language",
    "genre",
    "valence",
    "energy",
    "danceability",
    "acousticness",
    "tempo",
    "duration_s",
    "streams_rank",
    "holiday",
    "explicit",
    "video_id",
    "alt_ids",
)

# Names as a listener reads them; the code is ISO 639-1.
LANGUAGES = {
    "en": "English",
    "es": "Spanish",
    "hi": "Hindi",
    "pt": "Portuguese",
    "ko": "Korean",
    "de": "German",
    "fr": "French",
    "ja": "Japanese",
    "it": "Italian",
    "tr": "Turkish",
    "id": "Indonesian",
    "pa": "Punjabi",
    "zh": "Chinese",
    "pl": "Polish",
    "nl": "Dutch",
    "ta": "Tamil",
    "te": "Telugu",
    "ml": "Malayalam",
    "ar": "Arabic",
    "ru": "Russian",
    "sv": "Swedish",
    "th": "Thai",
    "uk": "Ukrainian",
    "vi": "Vietnamese",
}


@dataclass(frozen=True, slots=True)
class Song:
    """One song: facts only. Figures are on [0, 1], tempo in BPM, NaN where nobody measured.

    `streams_rank` is 1 for the most streamed song of its catalogue, None where unknown;
    `explicit` is None where nobody said. `source` names where the song comes from.
    """

    id: str
    title: str
    artist: str
    language: str = ""
    year: int | None = None
    genre: str = ""
    valence: float = math.nan
    energy: float = math.nan
    danceability: float = math.nan
    acousticness: float = math.nan
    tempo: float = math.nan
    duration_s: int | None = None
    streams_rank: int | None = None
    holiday: bool = False
    explicit: bool | None = None
    video_id: str | None = None
    alt_ids: tuple[str, ...] = ()
    source: str = SHIPPED_SOURCE

    @property
    def artists(self) -> tuple[str, ...]:
        """The artists one by one."""
        return split_artists(self.artist)

    @property
    def byline(self) -> str:
        """The artists as a listener reads them: 'A, B'."""
        return ", ".join(self.artists) or self.artist


@dataclass(frozen=True)
class Filters:
    """What the listener allows. Empty means everything. An unknown length or language excludes no
    song of the listener's own, which the listener chose. The shipped music without words comes
    where no language is chosen: beside a language's forty songs it would be half of the sad ones.

    With a range of years, songs of unknown year are left out: half a filter is none.
    `explicit=False` leaves out songs known to be explicit and rap nobody has vouched for.
    """

    languages: tuple[str, ...] = ()
    artists_avoided: tuple[str, ...] = ()
    artists_liked: tuple[str, ...] = ()
    years: tuple[int, int] | None = None
    explicit: bool = True
    holiday: bool = False
    min_duration_s: int | None = None
    max_duration_s: int | None = None
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Catalogue:
    """Songs with their figures as columns, all of length n in the order of `songs`."""

    songs: tuple[Song, ...]
    _position: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        positions = {song.id: index for index, song in enumerate(self.songs)}
        if len(positions) != len(self.songs):
            raise ValueError("a catalogue holds every song id once")
        object.__setattr__(self, "_position", positions)

    def __len__(self) -> int:
        return len(self.songs)

    def find(self, identifier: str) -> Song | None:
        """The song with this id, or None."""
        index = self._position.get(identifier)
        return None if index is None else self.songs[index]

    def index(self, identifier: str) -> int | None:
        """The song's row, or None."""
        return self._position.get(identifier)

    @cached_property
    def valence(self) -> NDArray[np.float32]:
        """(n,) percentile rank of valence within the catalogue, 0 darkest, 1 brightest."""
        return _percentile_ranks(np.array([song.valence for song in self.songs], np.float64))

    @cached_property
    def energy(self) -> NDArray[np.float32]:
        """(n,) percentile rank of energy within the catalogue, 0 stillest, 1 wildest."""
        return _percentile_ranks(np.array([song.energy for song in self.songs], np.float64))

    @cached_property
    def measured(self) -> NDArray[np.bool_]:
        """(n,) whether the song's valence and energy are known."""
        return np.array(
            [not (math.isnan(s.valence) or math.isnan(s.energy)) for s in self.songs], bool
        )

    @cached_property
    def popularity(self) -> NDArray[np.float32]:
        """(n,) 1 for the most streamed song of its language, 0 for the least; 0.5 where unknown.

        Within the language, because a world-wide rank would let English hide the rest.
        """
        ranks = np.array([song.streams_rank or 0 for song in self.songs], np.float64)
        popularity = np.full(len(self.songs), 0.5, np.float32)
        for code in np.unique(self.language):
            rows = np.flatnonzero((self.language == code) & (ranks > 0))
            if len(rows) > 1:
                order = np.argsort(np.argsort(ranks[rows], kind="stable"), kind="stable")
                popularity[rows] = 1.0 - order / (len(rows) - 1)
        return popularity

    @cached_property
    def language(self) -> NDArray[np.str_]:
        """(n,) language codes, '' where unknown."""
        return np.array([song.language for song in self.songs], "U3")

    @cached_property
    def year(self) -> NDArray[np.int16]:
        """(n,) year of release, 0 where unknown."""
        return np.array([song.year or 0 for song in self.songs], np.int16)

    @cached_property
    def duration_s(self) -> NDArray[np.int32]:
        """(n,) length in seconds, 0 where unknown."""
        return np.array([song.duration_s or 0 for song in self.songs], np.int32)

    @cached_property
    def shipped(self) -> NDArray[np.bool_]:
        """(n,) the songs that came with the program."""
        return np.array([song.source == SHIPPED_SOURCE for song in self.songs], bool)

    @cached_property
    def holiday(self) -> NDArray[np.bool_]:
        """(n,) Christmas and new year music."""
        return np.array([song.holiday for song in self.songs], bool)

    @cached_property
    def explicit(self) -> NDArray[np.bool_]:
        """(n,) known to be explicit, or rap that nobody has vouched for."""
        return np.array(
            [s.explicit if s.explicit is not None else s.genre == "hip-hop" for s in self.songs],
            bool,
        )

    @cached_property
    def playable(self) -> NDArray[np.bool_]:
        """(n,) whether a video id is known."""
        return np.array([song.video_id is not None for song in self.songs], bool)

    def playable_with(
        self, found: Mapping[str, str], refused: Collection[str]
    ) -> NDArray[np.bool_]:
        """(n,) whether a video is known that plays, by what was learnt since: song id -> video
        found, and the videos that do not play in a page.
        """
        playable = self.playable.copy()
        for video in refused:
            for row in self._rows_of_videos.get(video, ()):
                song = self.songs[row]
                playable[row] = any(v and v not in refused for v in (song.video_id, *song.alt_ids))
        for identifier, video in found.items():
            if video not in refused and (row_found := self.index(identifier)) is not None:
                playable[row_found] = True
        return playable

    @cached_property
    def _rows_of_videos(self) -> dict[str, list[int]]:
        rows: dict[str, list[int]] = defaultdict(list)
        for row, song in enumerate(self.songs):
            for video in (song.video_id, *song.alt_ids):
                if video is not None:
                    rows[video].append(row)
        return dict(rows)

    @cached_property
    def artist_keys(self) -> tuple[frozenset[str], ...]:
        """For each song its artists in plain letters, for 'the same artist' tests."""
        return tuple(frozenset(plain(name) for name in song.artists) for song in self.songs)

    def languages(self) -> dict[str, int]:
        """Language code -> number of songs, most first."""
        codes, counts = np.unique(self.language[self.language != ""], return_counts=True)
        return {str(codes[i]): int(counts[i]) for i in np.argsort(-counts, kind="stable")}

    def languages_offered(self) -> tuple[str, ...]:
        """The languages with songs and artists enough for every mood, most songs first, and those
        of the listener's own songs.
        """
        artists: dict[str, set[str]] = defaultdict(set)
        own: set[str] = set()
        for song in self.songs:
            artists[song.language].add(plain(song.artists[0] if song.artists else song.artist))
            if song.source != SHIPPED_SOURCE:
                own.add(song.language)
        return tuple(
            code
            for code, count in self.languages().items()
            if code in own or (count >= FEWEST_SONGS and len(artists[code]) >= FEWEST_ARTISTS)
        )

    def languages_for(self, locale: str | None) -> tuple[str, ...]:
        """Languages to begin with for a browser's locale ('de-AT'): its own and English, so that
        the first song starts at once; none (all) where there are too few songs in it.
        """
        code = (locale or "").replace("_", "-").split("-")[0].lower()
        if code not in self.languages_offered():
            return ()
        return (code,) if code == "en" else (code, "en")

    def allowed(self, filters: Filters) -> NDArray[np.bool_]:
        """(n,) the songs the filters leave."""
        keep = np.ones(len(self.songs), bool)
        if filters.languages:
            unknown = (self.language == "") & ~self.shipped
            keep &= np.isin(self.language, filters.languages) | unknown
        if filters.years:
            first, last = filters.years
            keep &= (self.year >= first) & (self.year <= last)
        if not filters.explicit:
            keep &= ~self.explicit
        if not filters.holiday:
            keep &= ~self.holiday
        if filters.min_duration_s:
            keep &= (self.duration_s == 0) | (self.duration_s >= filters.min_duration_s)
        if filters.max_duration_s:
            keep &= (self.duration_s == 0) | (self.duration_s <= filters.max_duration_s)
        if filters.sources:
            keep &= np.array([song.source in filters.sources for song in self.songs], bool)
        if filters.artists_avoided:
            keep &= ~self.by_artist(filters.artists_avoided)
        return keep

    def by_artist(self, names: Iterable[str]) -> NDArray[np.bool_]:
        """(n,) songs in which any of these artists takes part."""
        wanted = {plain(name) for name in names} - {""}
        return np.array([not wanted.isdisjoint(keys) for keys in self.artist_keys], bool)


def combine(catalogues: Sequence[Catalogue]) -> Catalogue:
    """One catalogue of several; the first to name a song wins, a later one may lend its video."""
    merged: dict[str, Song] = {}
    for catalogue in catalogues:
        for song in catalogue.songs:
            known = merged.setdefault(song.id, song)
            if known is not song and known.video_id is None and song.video_id is not None:
                merged[song.id] = with_video(known, song.video_id, song.alt_ids)
    return Catalogue(tuple(merged.values()))


def with_video(song: Song, video_id: str | None, alt_ids: tuple[str, ...] = ()) -> Song:
    """The same song with another video."""
    values = {name: getattr(song, name) for name in Song.__dataclass_fields__}
    return Song(**{**values, "video_id": video_id, "alt_ids": alt_ids})


def load(path: Path = SHIPPED, source: str = SHIPPED_SOURCE) -> Catalogue:
    """The catalogue in a file written by :func:`encode`; about 60 ms for 3,000 songs."""
    try:
        text = gzip.decompress(path.read_bytes()).decode("utf-8")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise _damaged(path, error) from error
    rows = csv.reader(io.StringIO(text))
    if next(rows, None) != list(COLUMNS):
        raise UserError(
            f"The song catalogue {path} has other columns than this version expects. Compile it "
            "again with: python -m moodmesh.songs.compile"
        )
    try:
        return Catalogue(tuple(_decode(row, source) for row in rows))
    except (csv.Error, IndexError, ValueError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> UserError:
    return UserError(
        f"The song catalogue {path} cannot be read ({error}). Restore it from the repository: "
        f"git checkout -- {path.name}"
    )


def encode(songs: Iterable[Song]) -> bytes:
    """The catalogue file for these songs: gzipped CSV, the same bytes for the same songs."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for song in songs:
        writer.writerow(
            (
                song.title,
                song.artist,
                song.year or "",
                song.language,
                song.genre,
                f"{song.valence:.3f}",
                f"{song.energy:.3f}",
                f"{song.danceability:.3f}",
                f"{song.acousticness:.3f}",
                f"{song.tempo:.0f}",
                song.duration_s or "",
                song.streams_rank or "",
                "1" if song.holiday else "",
                {True: "1", False: "0", None: ""}[song.explicit],
                song.video_id or "",
                ";".join(song.alt_ids),
            )
        )
    return gzip.compress(text.getvalue().encode("utf-8"), compresslevel=9, mtime=0)


def _decode(row: list[str], source: str) -> Song:
    return Song(
        id=song_id(row[0], row[1]),
        title=row[0],
        artist=row[1],
        year=int(row[2]) if row[2] else None,
        language=row[3],
        genre=row[4],
        valence=float(row[5]),
        energy=float(row[6]),
        danceability=float(row[7]),
        acousticness=float(row[8]),
        tempo=float(row[9]),
        duration_s=int(row[10]) if row[10] else None,
        streams_rank=int(row[11]) if row[11] else None,
        holiday=row[12] == "1",
        explicit={"1": True, "0": False}.get(row[13]),
        video_id=row[14] or None,
        alt_ids=tuple(row[15].split(";")) if row[15] else (),
        source=source,
    )


def _percentile_ranks(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Mid-ranks on (0, 1): ties share their middle; unknown figures sit at 0.5."""
    ranks = np.full(len(values), 0.5, np.float32)
    known = np.flatnonzero(~np.isnan(values))
    if len(known):
        ordered = np.sort(values[known])
        below = np.searchsorted(ordered, values[known], side="left")
        upto = np.searchsorted(ordered, values[known], side="right")
        ranks[known] = (below + upto) / (2 * len(known))
    return ranks
