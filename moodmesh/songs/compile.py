"""Compile the shipped catalogue from a table of song figures.

    python -m moodmesh.songs.compile songs_reference.csv.gz [--out FILE]

The table is a CSV with the columns title, artist, year, lang, genres, valence, energy,
danceability, acousticness, speechiness, tempo, duration_s, streams, holiday, video_id and alt_ids
(see CATALOGUE_NOTICE.md for where its facts come from). Kept: every sound row with a video id, and
for each language as many others as :data:`WANTED` asks, spread evenly over valence and energy,
the most streamed first. The same table gives the same file, byte for byte.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import math
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from moodmesh.errors import UserError
from moodmesh.songs.catalogue import LANGUAGES, SHIPPED, Song, encode
from moodmesh.songs.corrections import CORRECTIONS, GENRES, LEFT_OUT, WORDLESS, YEARS
from moodmesh.songs.genres import genre_family
from moodmesh.songs.titles import (
    has_strong_words,
    is_holiday,
    is_live,
    plain,
    shown_title,
    song_id,
    split_artists,
    unwanted_kind,
)
from moodmesh.songs.youtube import is_video_id

# How many songs each language should have in all; English and Hindi have most of the video ids.
WANTED = {
    "en": 1450,
    "hi": 470,
    "es": 450,
    "pt": 290,
    "ko": 225,
    "de": 200,
    "fr": 190,
    "ja": 165,
    "it": 145,
    "tr": 100,
    "id": 60,
    "pa": 40,
    "zh": 30,
    "pl": 30,
    "nl": 25,
    "ta": 60,
    "te": 30,
    "": 50,  # without words
}
# Years and videos of well-known songs, written down by hand where the table has none.
KNOWN = Path(__file__).with_name("known.csv")
# Songs of one artist in one language, so that no star fills a corner of the map. The cap rises step
# by step only where a language would stay below what is wanted.
PER_ARTIST_STEPS = (4, 6, 8, 10)
# A song shorter than 90 s is a fragment, one longer than ten minutes a set or an audiobook. With a
# video id a wider span is believed: qawwali and rock epics are long.
LENGTH_S = (90, 600)
LENGTH_WITH_VIDEO_S = (75, 1200)
# Spotify's own note on the figure: above 0.66 a track is probably all spoken word.
SPOKEN_WORD = 0.66
# A classical piece above this figure of instrumentalness is not sung; it stands in no language.
SUNG = 0.25
# A valence or tempo of nothing at all is a failure of the analysis; a piano piece may well have an
# energy of 0.004.
LEAST_FIGURE = 1e-3
# The most streamed songs of a language are in wherever they lie, because people would miss them:
# one in so many of all, and at least so many.
HITS, FEWEST_HITS = 8, 15
GRID = 4  # Cells a side on the valence-energy plane among which a language's songs are spread.
MAX_ALTERNATIVES = 3

NO_ARTISTS = frozenset({"", "traditional"})
_NOT_MUSIC_GENRES = re.compile(
    r"hoerspiel|kinder|children|nursery|preschool|\bsleep\b|white noise|asmr|meditation|\bcover\b|"
    r"lo-fi cover|spoken|comedy|audiobook|sound team|lullab"
)
# Corrections of the table's guess of the language, by genre, first match wins.
_LANGUAGE_BY_GENRE = (
    ("thai folk", "pt"),
    ("tamil pop", "ta"),
    ("tollywood", "te"),
    ("mollywood", "ml"),
    ("carnatic", "ta"),
)
# Artists who sing in another language than their country's, by plain name.
_LANGUAGE_BY_ARTIST = {
    "niki": "en", "richbrian": "en", "phumviphurit": "en", "88rising": "en",
    "ananyabhat": "hi", "stromae": "fr", "willywilliam": "es", "milkychance": "en",
    "bennysings": "en", "silviorodriguez": "es", "charliebrownjr": "pt",
}  # fmt: skip
# Singers the table counts as Hindi who sing more in another language of India, by plain name: their
# songs are Hindi where they have a video, since those ids come from lists of Bollywood songs.
_LANGUAGE_WITHOUT_VIDEO = {
    **dict.fromkeys((
        "anirudhravichander", "dhanush", "gvprakash", "haricharan", "harini", "harishraghavendra",
        "harrisjayaraj", "ilaiyaraaja", "karthik", "kjyesudas", "kschithra", "leonjames",
        "nareshiyer", "pradeepkumar", "saindhavi", "santhoshnarayanan", "shwetamohan",
        "sidsriram", "silambarasantr", "sjanaki", "swarnalatha", "vijayprakash", "vijayyesudas",
        "yuvanshankarraja",
    ), "ta"),
    **dict.fromkeys(("akhil", "diljitdosanjh", "gururandhawa", "karanaujla"), "pa"),
}  # fmt: skip
# Songs in another language than their artist's others, by plain title and first artist; '' is none.
_LANGUAGE_BY_SONG = {
    **dict.fromkeys((
        ("arabickuthuhalamithihabibo", "anirudhravichander"), ("mallipoo", "arrahman"),
        ("ennoduneeirundhaal", "arrahman"),
        ("nenjukkulpeidhidum", "hariharan"),
        ("vennilave", "hariharan"), ("pachainirame", "hariharan"), ("thoduvaanam", "hariharan"),
        ("enjeevan", "hariharan"), ("anbaeanbae", "hariharan"), ("hairama", "hariharan"),
        ("palapala", "hariharan"), ("pudhuvellaimazhai", "sujatha"), ("poovukkul", "sujatha"),
        ("orupoiyavathu", "sujatha"), ("azhakooril", "sujatha"), ("orukaathilola", "sujatha"),
        ("chakkuchakkuvaththikuchi", "sujatha"), ("naanun", "chinmayi"),
        ("aaruyire", "chinmayi"), ("manmadhanenee", "sadhanasargam"),
        ("merkemerkefromkandanaalmudhalai", "sadhanasargam"), ("akkampakkam", "sadhanasargam"),
        ("siragugal", "javedali"), ("mentalmanadhil", "jonitagandhi"),
        ("chellamma", "jonitagandhi"), ("privateparty", "jonitagandhi"),
        ("naanpizhai", "shashaatirupati"), ("bodhaikaname", "shashaatirupati"),
        ("orumanam", "shashaatirupati"), ("idhudhaan", "shashaatirupati"),
        ("mayilaanjiye", "shashaatirupati"), ("orudevathai", "roopkumarrathod"),
        ("aalaporaanthamizhan", "kailashkher"), ("ennavoennavo", "mahalakshmiiyer"),
        ("vellimalare", "mahalakshmiiyer"),
        ("munbevaa", "shreyaghoshal"), ("ohohthefirstloveoftamizh", "nikhitagandhi"),
        ("ohpenne", "vishaldadlani"), ("kaattraeenvaasalwind", "kavitakrishnamurthy"),
        ("ayyayo", "spbalasubrahmanyam"), ("maranamass", "spbalasubrahmanyam"),
        ("kathalikkumpeninkaikal", "spbalasubrahmanyam"),
        ("yammayamma", "spbalasubrahmanyam"), ("kaadhalrojave", "spbalasubrahmanyam"),
        ("ennaithottu", "spbalasubrahmanyam"),
    ), "ta"),
    **dict.fromkeys((
        ("buttabommatelugu", "armaanmalik"), ("gundellonaa", "leonjames"),
        ("aypillatelugu", "haricharan"), ("chiruchiru", "yuvanshankarraja"),
        ("naaloneypongaynu", "harrisjayaraj"), ("yemito", "haricharan"),
        ("vennelavevennelave", "sadhanasargam"), ("urikeurike", "sidsriram"),
        ("pillapadesaave", "haricharan"),
        ("poolanekunukeyamantaa", "haricharan"), ("inthaloennennivinthalomale", "nareshiyer"),
        ("ohprema", "chinmayi"), ("emannavoo", "shwetamohan"),
        ("gudilobadilomadilo", "kschithra"), ("evarenuvvu", "harishraghavendra"),
        ("pileche", "shwetamohan"), ("kalalokooda", "sidsriram"),
        ("ekkadaekkada", "harini"), ("mastaarumastaaru", "gvprakash"),
        ("oorugalle", "harini"), ("idhuthaanaa", "kschithra"), ("kalaavathi", "thamans"),
        ("maabavamanobhavalu", "thamans"),
        ("sugunasundari", "thamans"), ("almostpadipoyindhepilla", "leonjames"),
        ("avunanavaa", "leonjames"), ("neekemoandamekkuva", "devisriprasad"),
    ), "te"),
    **dict.fromkeys((
        ("theerame", "kschithra"), ("konjipesidavenaam", "kschithra"),
        ("olemelody", "haricharan"), ("uyirinnaadhane", "vijayyesudas"),
        ("malare", "vijayyesudas"), ("eekaattu", "karthik"),
        ("mizhiyariyaatheversion1", "kjyesudas"), ("aaroneeaaro", "kjyesudas"),
        ("evare", "vijayyesudas"), ("thannethanne", "vijayyesudas"),
        ("eehridayam", "vijayprakash"), ("guruvaram", "vijayprakash"),
        ("singarasiriye", "ananyabhat"), ("aanemaadiheluteeni", "vijayprakash"),
        ("sukhkalale", "ajayatul"), ("vedtujha", "ajayatul"), ("vedlavlay", "ajayatul"),
        ("mehabooba", "ananyabhat"), ("aatuthottil", "laxmikantpyarelal"),
    ), ""),
    **dict.fromkeys((
        ("yehhaseenvadiyanyehkhulaaasman", "spbalasubrahmanyam"), ("zarazara", "bombayjayashri"),
        ("shreeharistotram", "saindhavi"),
        ("yaarbinachainkanharay", "sjanaki"), ("duniyaa", "akhil"),
        ("mainyahaanhoon", "uditnarayan"), ("sonakitnasonahai", "uditnarayan"),
        ("muqabalamuqabala", "mano"),
    ), "hi"),
    **dict.fromkeys((
        ("wytb", "gurlezakhtar"), ("whitebrownblack", "jaani"), ("jhaanjar", "jaani"),
    ), "pa"),
    **dict.fromkeys((
        ("beggin", "maneskin"), ("iwannabeyourslave", "maneskin"), ("supermodel", "maneskin"),
        ("theloneliest", "maneskin"), ("babysaid", "maneskin"), ("ownmymind", "maneskin"),
        ("standoutfitin", "oneokrock"), ("wastednights", "oneokrock"),
        ("saveyourself", "oneokrock"), ("timezone", "maneskin"),
        ("leftandright", "bts"), ("leftandrightgalantisremix", "jungkook"),
        ("popstars", "madisonbeer"), ("summerofloveshawnmendestainy", "tainy"),
        ("theapologysong", "gustavosantaolalla"),
    ), "en"),
    **dict.fromkeys((
        ("tardesnegras", "tizianoferro"), ("nomelopuedoexplicar", "tizianoferro"),
        ("alucinado", "tizianoferro"), ("hacecalorremix", "sferaebbasta"),
        ("echamelaculpa", "luisfonsi"), ("oyecomova", "santana"), ("corazonespinado", "santana"),
        ("veneciasintiquecesttristevenise", "charlesaznavour"),
    ), "es"),
    ("boywithluv", "bts"): "ko", ("2cb", "luciano"): "de",
}  # fmt: skip
# Recordings that are not the song as people know it, beyond those nobody wants anywhere.
_ODD_VERSIONS = re.compile(r"\ba ?capp?ella\b|\bmash-?up\b|\bnon[ -]?stop\b.*\bremix\b", re.I)
_LANGUAGE_BY_NOTE = (
    *(
        (re.compile(rf"\b{name}\s+ver(?:sion\b|\.)", re.I), code)
        for code, name in LANGUAGES.items()
    ),
    (re.compile(r"\btamil\b", re.I), "ta"),
    (re.compile(r"\btelugu\b", re.I), "te"),
)


@dataclass(frozen=True)
class Candidate:
    """A sound row: the song, its streams, and the table's title and valence to tell versions
    apart.
    """

    song: Song
    streams: float
    raw_title: str
    valence: float


def main(argv: list[str] | None = None) -> int:
    """Compile and report; 2 on a table that cannot be used."""
    parser = argparse.ArgumentParser(description="Compile the song catalogue.")
    parser.add_argument("table", type=Path, help="CSV or CSV.gz with the figures")
    parser.add_argument("--out", type=Path, default=SHIPPED)
    args = parser.parse_args(argv)
    try:
        rows = read_table(args.table)
        songs, dropped = compile_songs(rows)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    partial = args.out.with_name(args.out.name + ".partial")
    partial.write_bytes(encode(songs))
    partial.replace(args.out)
    print(f"{len(songs)} songs of {len(rows)} rows -> {args.out} ({args.out.stat().st_size} bytes)")
    print("left out: " + ", ".join(f"{n} {why}" for why, n in dropped.most_common()))
    return 0


def read_table(path: Path) -> list[dict[str, str]]:
    """The table's rows as they stand."""
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise UserError(f"Cannot read {path}: {error}. Give the CSV of song figures.") from error
    rows = list(csv.DictReader(io.StringIO(text)))
    missing = {"title", "artist", "lang", "valence", "energy", "video_id"} - set(
        rows[0] if rows else ()
    )
    if missing:
        raise UserError(f"{path} lacks the columns {', '.join(sorted(missing))}.")
    return rows


def compile_songs(rows: Iterable[dict[str, str]]) -> tuple[list[Song], Counter[str]]:
    """The chosen songs, most streamed first, and how many rows were left out for which reason."""
    dropped: Counter[str] = Counter()
    sound: list[Candidate] = []
    for row in rows:
        candidate, reason = judge(row)
        if candidate is None:
            dropped[reason] += 1
        else:
            sound.append(candidate)
    unique = merge_versions(sound)
    dropped["other versions of a song"] += len(sound) - len(unique)
    chosen = choose(unique)
    dropped["beyond the number wanted"] += len(unique) - len(chosen)
    chosen.sort(key=lambda c: (-c.streams, c.song.id))
    taken = {c.song.video_id for c in chosen}
    return [
        replace(
            c.song,
            streams_rank=rank if c.streams > 0 else None,
            alt_ids=tuple(a for a in c.song.alt_ids if a not in taken)[:MAX_ALTERNATIVES],
        )
        for rank, c in enumerate(chosen, start=1)
    ], dropped


def judge(row: dict[str, str]) -> tuple[Candidate | None, str]:
    """A row as a candidate, or None with the reason it is left out."""
    title, artist = row["title"].strip(), row["artist"].strip()
    video_id = row.get("video_id", "").strip() or None
    if not title or plain(artist) in NO_ARTISTS or "\ufffd" in title + artist:
        return None, "without a title or artist"
    if video_id is not None and not is_video_id(video_id):
        return None, "with a malformed video id"
    kind = "by hand" if song_id(title, artist) in LEFT_OUT else unwanted_kind(title, artist)
    if kind and not (video_id and kind == "cover"):
        return None, kind
    if _ODD_VERSIONS.search(title):
        return None, "odd versions"
    if _NOT_MUSIC_GENRES.search(row["genres"]) and not video_id:
        return None, "not a song"
    holiday = row["holiday"] in {"1", "1.0"} or is_holiday(title)
    if holiday and video_id is None:
        return None, "holiday music without a video"
    if is_live(title) and video_id is None:
        return None, "live and acoustic versions"
    duration = round(_number(row["duration_s"]) or 0)
    shortest, longest = LENGTH_WITH_VIDEO_S if video_id else LENGTH_S
    if not shortest <= duration <= longest:
        return None, "wrong lengths"
    valence, tempo = _number(row["valence"]), _number(row["tempo"])
    if not (valence > LEAST_FIGURE and tempo > LEAST_FIGURE and _number(row["energy"]) > 0):
        return None, "failed figures"
    if _number(row["speechiness"]) > SPOKEN_WORD and video_id is None:
        return None, "spoken word"
    genre = GENRES.get(song_id(title, artist)) or genre_family(row["genres"])
    played = genre == "classical" and _number(row.get("instrumentalness", "")) > SUNG
    wordless = played or song_id(title, artist) in WORDLESS
    language = _language(row, video_id)
    if language not in LANGUAGES:
        return None, "unknown language"
    language = "" if wordless else language
    year = _number(row["year"])
    shown = shown_title(title)
    identifier = song_id(shown, artist)
    raw_valence = valence
    valence, energy = CORRECTIONS.get(identifier, (valence, _number(row["energy"])))
    known = _known().get(identifier)
    if known and math.isnan(year):
        year = _number(known["year"])
    year = YEARS.get(identifier, year)
    video_id = video_id or (known["video_id"] if known else "") or None
    song = Song(
        id=identifier,
        title=shown,
        artist=artist,
        year=None if math.isnan(year) else int(year),
        language=language,
        genre=genre,
        valence=valence,
        energy=energy,
        danceability=_number(row["danceability"]),
        acousticness=_number(row["acousticness"]),
        tempo=tempo,
        duration_s=duration,
        holiday=holiday,
        explicit=True if has_strong_words(title) else None,
        video_id=video_id,
        alt_ids=tuple(a for a in row["alt_ids"].split(";") if is_video_id(a)),
    )
    streams = _number(row["streams"])
    return Candidate(song, 0.0 if math.isnan(streams) else streams, title, raw_valence), ""


def merge_versions(candidates: Iterable[Candidate]) -> list[Candidate]:
    """One candidate a song: with a video before without, plain before remix, then most streamed.

    The same recording listed under another artist is the same song too: equal title, length and
    valence before it was corrected.
    """
    best: dict[str, Candidate] = {}
    recordings: set[tuple[object, ...]] = set()
    videos: set[str] = set()
    for candidate in sorted(candidates, key=_preference):
        song = candidate.song
        recording = (plain(song.title), song.duration_s, round(candidate.valence, 2))
        if song.id in best or recording in recordings or song.video_id in videos:
            continue
        best[song.id] = candidate
        recordings.add(recording)
        if song.video_id:
            videos.add(song.video_id)
    return list(best.values())


def choose(candidates: list[Candidate]) -> list[Candidate]:
    """All with a video or set by ear and a language's hits, then others spread cell by cell over
    its plane.
    """
    sure = {c.song.id for c in candidates if c.song.video_id} | CORRECTIONS.keys()
    for language, wanted in WANTED.items():
        others = [c for c in candidates if c.song.language == language and c.song.id not in sure]
        others.sort(key=lambda c: (-c.streams, c.song.id))
        sure.update(_few_an_artist(others, max(wanted // HITS, FEWEST_HITS)))
    chosen = [c for c in candidates if c.song.id in sure]
    for language, wanted in WANTED.items():
        have = [c for c in chosen if c.song.language == language]
        others = [c for c in candidates if c.song.language == language and c.song.id not in sure]
        others.sort(key=_preference)
        filled = Counter(_cell(c.song) for c in have)
        per_artist = Counter(_first_artist(c.song) for c in have)
        missing = wanted - len(have)
        for cap in PER_ARTIST_STEPS:
            cells: dict[tuple[int, int], list[Candidate]] = defaultdict(list)
            for candidate in reversed(others):
                cells[_cell(candidate.song)].append(candidate)
            others = []
            while missing > 0 and cells:
                cell = min(cells, key=lambda c: (filled[c], c))
                candidate = cells[cell].pop()
                if not cells[cell]:
                    del cells[cell]
                artist = _first_artist(candidate.song)
                if per_artist[artist] >= cap:
                    others.append(candidate)
                    continue
                per_artist[artist] += 1
                filled[cell] += 1
                missing -= 1
                chosen.append(candidate)
    return chosen


def _few_an_artist(candidates: Iterable[Candidate], count: int) -> list[str]:
    """The ids of the first `count`, no artist among them too often."""
    per_artist: Counter[str] = Counter()
    taken: list[str] = []
    for candidate in candidates:
        artist = _first_artist(candidate.song)
        if (
            len(taken) < count
            and candidate.streams > 0
            and per_artist[artist] < PER_ARTIST_STEPS[0]
        ):
            per_artist[artist] += 1
            taken.append(candidate.song.id)
    return taken


@cache
def _known() -> dict[str, dict[str, str]]:
    """Song id -> year and video of well-known songs that the table has without."""
    with KNOWN.open(encoding="utf-8", newline="") as file:
        return {song_id(row["title"], row["artist"]): row for row in csv.DictReader(file)}


def _language(row: dict[str, str], video_id: str | None) -> str:
    for genre, language in _LANGUAGE_BY_GENRE:
        if genre in row["genres"] and row["lang"] in {"en", "th"}:
            return language
    first = plain(split_artists(row["artist"])[0])
    song = plain(shown_title(row["title"].strip())), first
    if song in _LANGUAGE_BY_SONG:
        return _LANGUAGE_BY_SONG[song]
    for note, language in _LANGUAGE_BY_NOTE:
        if note.search(row["title"]):
            return language
    if row["lang"] == "hi" and video_id is None and first in _LANGUAGE_WITHOUT_VIDEO:
        return _LANGUAGE_WITHOUT_VIDEO[first]
    if first in _LANGUAGE_BY_ARTIST:
        return _LANGUAGE_BY_ARTIST[first]
    # The three rows with a video and no language are American Christmas records.
    return row["lang"] or ("en" if video_id else "")


def _preference(candidate: Candidate) -> tuple[object, ...]:
    return (
        candidate.song.video_id is None,
        candidate.song.title != candidate.raw_title,
        -candidate.streams,
        candidate.song.id,
    )


def _cell(song: Song) -> tuple[int, int]:
    return (min(int(song.valence * GRID), GRID - 1), min(int(song.energy * GRID), GRID - 1))


def _first_artist(song: Song) -> str:
    return plain(song.artists[0])


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


if __name__ == "__main__":
    sys.exit(main())
