"""The listener's own songs from a CSV file: a title and an artist, or a YouTube link.

Exports of many programs are understood, among them the Kaggle table 'Spotify and Youtube' as it
is. Figures the file does not give are borrowed: from the same song in the catalogue, else from the
artist's other songs there. What still has none may come up in any mood.
"""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import math
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from moodmesh import places
from moodmesh.errors import UserError
from moodmesh.songs.catalogue import LANGUAGES, Catalogue, Song, encode, load
from moodmesh.songs.genres import family_of_words
from moodmesh.songs.titles import (
    LONGEST_TEXT,
    has_strong_words,
    is_holiday,
    one_line,
    plain,
    shown_title,
    song_id,
    split_artists,
    unwanted_kind,
)
from moodmesh.songs.youtube import parse_video_id

SOURCE = "own list"
# More would slow every recommendation down; 20,000 songs take 20 ms.
MOST_SONGS = 20_000
# A longer table is not read to its end: a million rows of the same would take half a minute.
MOST_ROWS = 60_000
# A file with more unusable rows than this at its start is not a list of songs.
ROWS_TO_JUDGE = 2_000
# The Kaggle table has descriptions of 5,000 characters; csv's own limit is 131,072.
LONGEST_FIELD = 1 << 20
LENGTH_S = (30, 3600)

# What each column may be called, best first ('Title' in the Kaggle table is the video's title).
_NAMES = {
    "title": ("track", "track name", "song", "song name", "song title", "name", "title",
              "titel", "titre", "título", "titulo", "titolo", "canción", "cancion"),
    "artist": ("artist", "artists", "artist name", "artist name(s)", "singer", "performer", "band",
               "künstler", "interpret", "artiste", "artista", "cantante"),
    "video": ("url youtube", "youtube url", "youtube", "youtube link", "video id", "video url",
              "videoid", "url", "link", "id"),
    "language": ("language", "lang"),
    "year": ("year", "release year", "release date", "album release date"),
    "genre": ("genre", "genres"),
    "valence": ("valence",),
    "energy": ("energy",),
    "danceability": ("danceability",),
    "acousticness": ("acousticness",),
    "tempo": ("tempo", "bpm"),
    "duration_s": ("duration s", "duration", "length", "duration (s)", "time"),
    "duration_ms": ("duration ms", "duration (ms)", "track duration (ms)"),
    "streams": ("stream", "streams", "plays", "views"),
    "explicit": ("explicit",),
}  # fmt: skip
# What tables are written in that are not Unicode; the first of equally likely ones is taken.
_LATIN = ("cp1252", "cp1250", "cp1254")
_OTHERS = ("cp932", "cp949", "gb18030", "big5", "cp1251", "cp1253")
GUESSED_LINES = 200
# Japanese has at least this share of kana; what is read as such by mistake has hardly any.
KANA = 0.2
_MINUTES = re.compile(r"^(?:(\d+):)?(\d{1,3}):(\d{2})$")
_YEAR = re.compile(r"\b(19\d\d|20\d\d)\b")


@dataclass(frozen=True, slots=True)
class OwnList:
    """What a file gave: its songs, and in words what was left out and why."""

    songs: tuple[Song, ...]
    notices: tuple[str, ...]


def read_own_list(content: bytes, name: str, catalogue: Catalogue) -> OwnList:
    """The songs in an uploaded CSV; a :class:`UserError` where it holds none."""
    text, encoding = _decode(content, name)
    rows = _rows(text)
    header = next(rows, None)
    if header is None:
        raise UserError(f"'{name}' is empty. Give a CSV file with a title and an artist a row.")
    columns = _columns(header)
    if not ({"title", "artist"} <= columns.keys() or "video" in columns):
        raise UserError(
            f"'{name}' has no columns for a title and an artist, nor one for YouTube links. "
            f"Its first row should name them, like: title,artist,url. It reads: "
            f"{', '.join(cell[:30] for cell in header[:6])}"
        )
    songs: dict[str, tuple[Song, float]] = {}
    unusable = unwanted = twice = 0
    more = cut = False
    for number, row in enumerate(rows):
        if number == MOST_ROWS:
            cut = True
            break
        if not any(cell.strip() for cell in row):
            continue
        found = _song(row, columns)
        if found is None:
            unusable += 1
            if not songs and number > ROWS_TO_JUDGE:
                break
        elif unwanted_kind(found[0].title, found[0].artist):
            unwanted += 1
        elif found[0].id in songs:
            twice += 1
        elif len(songs) == MOST_SONGS:
            more = True
            break
        else:
            songs[found[0].id] = found
    if not songs:
        raise UserError(
            f"No row of '{name}' has a title with an artist, or a YouTube link. "
            "Check that its first row names the columns: title,artist,url"
        )
    notices = []
    if more:
        notices.append(f"Only the first {MOST_SONGS:,} songs were taken.")
    if cut:
        notices.append(f"Only the first {MOST_ROWS:,} rows were read.")
    for count, why in (
        (unusable, "had no title with an artist and no YouTube link"),
        (twice, "were there twice"),
        (unwanted, "were karaoke, sped-up or instrumental versions"),
    ):
        if count:
            notices.append(f"{count:,} row{'s' if count > 1 else ''} {why}.")
    if encoding not in {"utf-8", "utf-8-sig"}:
        notices.append(
            f"The file is not UTF-8; it was read as {encoding}. If titles look wrong, save it as "
            "CSV in UTF-8 and add it again."
        )
    return OwnList(tuple(_finished(songs.values(), catalogue)), tuple(notices))


def own_songs_path() -> Path:
    """Where the listener's own songs are kept."""
    return places.data() / "own_songs.csv.gz"


def keep_own_songs(songs: Iterable[Song], path: Path | None = None) -> None:
    """Keep the list for the next time; what was kept before stays until the new one is whole."""
    path = path or own_songs_path()
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            file.write(encode(songs))
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise UserError(
            f"Your songs could not be kept in {path} ({error.strerror}). They last until you close "
            "the app; make room or allow writing there to keep them."
        ) from error


def add_own_songs(songs: Iterable[Song], path: Path | None = None) -> tuple[str, ...]:
    """Keep these songs beside those kept before, the newer facts of a song that was there; what
    there is to say about it.
    """
    try:
        before = own_songs(path).songs
    except UserError:
        before = ()  # what cannot be read is replaced; the listener was told so
    # The new ones stand first: the oldest are the first to go where there are too many.
    merged = {song.id: song for song in songs}
    merged |= {song.id: song for song in before if song.id not in merged}
    keep_own_songs(list(merged.values())[:MOST_SONGS], path)
    if len(merged) > MOST_SONGS:
        return (f"Only {MOST_SONGS:,} songs are kept in all; the oldest ones were left out.",)
    return ()


def forget_own_songs(path: Path | None = None) -> None:
    """Delete the list; a :class:`UserError` where it stays."""
    path = path or own_songs_path()
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(
            f"{path} could not be deleted ({error.strerror}). Close other programs that use it and "
            "try again."
        ) from error


def own_songs(path: Path | None = None) -> Catalogue:
    """The songs kept, or none; a :class:`UserError` where the file is damaged."""
    path = path or own_songs_path()
    if not path.exists():
        return Catalogue(())
    try:
        songs = load(path, SOURCE).songs
    except UserError as error:
        raise UserError(
            f"Your own songs in {path} cannot be read and are left out. Add your list again: that "
            "replaces the file."
        ) from error
    # Lists of earlier versions hold genres in any words.
    return Catalogue(tuple(replace(song, genre=family_of_words(song.genre)) for song in songs))


# --- reading ----------------------------------------------------------------------------------


def _decode(content: bytes, name: str) -> tuple[str, str]:
    """The text and its encoding: UTF-16 by its mark or its zeros, else UTF-8, else a guess."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    elif content[:4] in (b"PK\x03\x04", b"%PDF") or content[:2] == b"\xd0\xcf":
        raise UserError(
            f"'{name}' is not a CSV file. Save the table as CSV (comma-separated, UTF-8) and "
            "choose that file."
        )
    elif _mostly_zeros(content[1:200:2]) and not _mostly_zeros(content[0:200:2]):
        encoding = "utf-16-le"
    elif _mostly_zeros(content[0:200:2]) and not _mostly_zeros(content[1:200:2]):
        encoding = "utf-16-be"
    else:
        try:
            return content.decode("utf-8-sig"), "utf-8"
        except UnicodeDecodeError:
            encoding = _guess(content)
    return content.decode(encoding, errors="replace"), encoding


def _guess(content: bytes) -> str:
    """The likeliest encoding of a text that is not Unicode."""
    from charset_normalizer import from_bytes  # seldom needed

    # Lines of ASCII tell nothing, and a long file is not read through for each encoding.
    telling = (one for one in content.splitlines() if not one.isascii())
    sample = b"\n".join(itertools.islice(telling, GUESSED_LINES))
    for encoding in ("cp932", "euc_jp"):
        if _kana(sample, encoding) > KANA:
            return encoding
    marked = [at for at, byte in enumerate(sample) if byte >= 0x80]
    alone = sum(
        sample[at] >= 0xA0 and sample[at - 1 : at].isascii() and sample[at + 1 : at + 2].isascii()
        for at in marked
    )
    # Letters with accents stand alone among ASCII; two or more bytes make one sign of the others.
    latin = alone >= len(marked) / 2
    guesses = from_bytes(sample, cp_isolation=list(_LATIN if latin else (*_OTHERS, *_LATIN)))
    best = guesses.best()
    usual = next((one for one in guesses if one.encoding == "cp1252"), None)
    if best is None or (
        latin and usual and (usual.chaos, -usual.coherence) <= (best.chaos, -best.coherence)
    ):
        return "cp1252"
    return best.encoding


def _kana(sample: bytes, encoding: str) -> float:
    """The share of kana among the letters beyond ASCII; 0 where this is another encoding."""
    try:
        signs = [sign for sign in sample.decode(encoding) if not sign.isascii()]
    except UnicodeDecodeError:
        return 0.0
    return sum("\u3041" <= sign <= "\u30ff" for sign in signs) / max(1, len(signs))


def _mostly_zeros(some: bytes) -> bool:
    """What every other byte of Latin letters in UTF-16 is."""
    return some.count(0) > len(some) / 2


def _rows(text: str) -> Iterator[list[str]]:
    """The table's rows; a broken line is passed over instead of ending the reading."""
    sample = text[: text.find("\n", 4096) if "\n" in text[4096:] else len(text)][:16384]
    first = sample.split("\n", 1)[0]
    delimiter = max(",;\t|", key=first.count)
    csv.field_size_limit(LONGEST_FIELD)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    while True:
        try:
            yield next(reader)
        except StopIteration:
            return
        except csv.Error:
            continue


def _columns(header: list[str]) -> dict[str, int]:
    """What each column holds -> its place."""
    names = [re.sub(r"[\s_]+", " ", cell.strip().lower()) for cell in header]
    found = {}
    for what, choices in _NAMES.items():
        place = next((names.index(choice) for choice in choices if choice in names), None)
        if place is not None:
            found[what] = place
    return found


def _song(row: list[str], columns: dict[str, int]) -> tuple[Song, float] | None:
    """A row as a song with its streams, or None where it names none."""

    def cell(what: str) -> str:
        place = columns.get(what)
        return row[place].strip() if place is not None and place < len(row) else ""

    title, artist = one_line(cell("title")), "; ".join(split_artists(one_line(cell("artist"))))
    video_id = parse_video_id(cell("video")) if cell("video") else None
    if not title or not artist:
        if video_id is None:
            return None
        title = title or f"Video {video_id}"
        artist = artist or "Unknown artist"
    shown = shown_title(title)
    year = _YEAR.search(cell("year"))
    language = cell("language").lower()
    by_name = {name.lower(): code for code, name in LANGUAGES.items()}
    song = Song(
        id=song_id(shown, artist),
        title=shown,
        artist=artist,
        language=by_name.get(language, language if language in LANGUAGES else ""),
        year=int(year.group()) if year else None,
        genre=family_of_words(cell("genre")[:LONGEST_TEXT]),
        valence=_share(cell("valence")),
        energy=_share(cell("energy")),
        danceability=_share(cell("danceability")),
        acousticness=_share(cell("acousticness")),
        tempo=_within(_number(cell("tempo")), 20, 300),
        duration_s=_duration(cell("duration_s"), cell("duration_ms")),
        holiday=is_holiday(title),
        explicit=_flag(cell("explicit"), title),
        video_id=video_id,
        source=SOURCE,
    )
    streams = _number(cell("streams").replace(",", ""))
    return song, 0.0 if math.isnan(streams) else streams


def _finished(found: Iterable[tuple[Song, float]], catalogue: Catalogue) -> Iterator[Song]:
    """The songs with ranks by streams, and with borrowed figures where they have none."""
    songs = sorted(found, key=lambda pair: -pair[1])
    by_artist: dict[str, list[Song]] = defaultdict(list)
    for known in catalogue.songs:
        for artist in known.artists[:1]:
            by_artist[plain(artist)].append(known)
    for rank, (song, streams) in enumerate(songs, start=1):
        if streams > 0:
            song = replace(song, streams_rank=rank)
        same = catalogue.find(song.id)
        if same:
            song = replace(
                song,
                year=song.year or same.year,
                duration_s=song.duration_s or same.duration_s,
                streams_rank=song.streams_rank or same.streams_rank,
                holiday=song.holiday or same.holiday,
                explicit=same.explicit if song.explicit is None else song.explicit,
            )
        others = [same] if same else by_artist.get(plain(song.artists[0]), [])
        if others:
            song = _fill(song, others)
        yield song


def _fill(song: Song, others: list[Song]) -> Song:
    """The song with the others' mean figures where it has none of its own."""

    def figure(name: str) -> float:
        own = float(getattr(song, name))
        known = [value for other in others if not math.isnan(value := getattr(other, name))]
        return float(np.mean(known)) if math.isnan(own) and known else own

    return replace(
        song,
        valence=figure("valence"),
        energy=figure("energy"),
        danceability=figure("danceability"),
        acousticness=figure("acousticness"),
        tempo=figure("tempo"),
        language=song.language or others[0].language,
        genre=song.genre or others[0].genre,
    )


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def _share(text: str) -> float:
    """A figure on [0, 1]; some tables give per cents."""
    value = _number(text.rstrip("%"))
    if value > 1.0 and value <= 100.0:
        value /= 100.0
    return _within(value, 0.0, 1.0)


def _within(value: float, least: float, most: float) -> float:
    return value if least <= value <= most else math.nan


def _duration(seconds: str, milliseconds: str) -> int | None:
    """A length in seconds from '215', '3:35' or milliseconds; None where it makes no sense."""
    if clock := _MINUTES.match(seconds):
        hours, minutes, rest = (int(part or 0) for part in clock.groups())
        value: float = 3600 * hours + 60 * minutes + rest
    elif milliseconds:
        value = _number(milliseconds) / 1000
    else:
        value = _number(seconds)
        if value > LENGTH_S[1]:
            value /= 1000
    return round(value) if LENGTH_S[0] <= value <= LENGTH_S[1] else None


def _flag(text: str, title: str) -> bool | None:
    if has_strong_words(title):
        return True
    return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}.get(
        text.lower()
    )
