"""A check of the shipped catalogue: counts by language and quadrant, faults, and a sample to read.

Among the faults are languages that do not go with a genre or with what a title says, and version
notes that should not be there.

    python -m benchmarks.songs_catalogue [--sample 24] [--seed 0] [--json]

Exit status 1 where a fault is found.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter

import numpy as np

from moodmesh.songs.catalogue import LANGUAGES, Catalogue, Song, load
from moodmesh.songs.compile import LENGTH_WITH_VIDEO_S
from moodmesh.songs.titles import is_live, plain, shown_title, unwanted_kind
from moodmesh.songs.youtube import is_video_id

# Families of genres that are sung in few languages.
GENRE_LANGUAGES = {
    "indian film": {"hi", "ta", "te", "pa", "ml"},
    "latin": {"es", "pt"},
}
VERSION_IN = re.compile(rf"\b({'|'.join(LANGUAGES.values())})\s+ver(?:sion\b|\.)", re.IGNORECASE)
LIVE_ELSEWHERE = re.compile(
    r"\b(?:ao vivo|en vivo|en directo|en direct|dal vivo|canlı|ac[úu]stic[oa]|akustik)\b",
    re.IGNORECASE,
)
QUADRANTS = ("bright lively", "bright still", "dark lively", "dark still")


def quadrant(catalogue: Catalogue, row: int) -> str:
    """Which quarter of the plane a song lies in, by rank."""
    side = "bright" if catalogue.valence[row] > 0.5 else "dark"
    return f"{side} {'lively' if catalogue.energy[row] > 0.5 else 'still'}"


def foreign_live(song: Song) -> bool:
    """Whether a song without a video says that it is live, but for Brazil's, as the notice says."""
    live = LIVE_ELSEWHERE.search(song.title) is not None
    return live and song.language != "pt" and song.video_id is None


def faults(catalogue: Catalogue) -> dict[str, list[str]]:
    """What should not be there, each with the songs it concerns."""
    found: dict[str, list[str]] = {
        "the same video twice": [],
        "the same recording twice": [],
        "karaoke, covers and the like": [],
        "wrong lengths": [],
        "figures out of range": [],
        "malformed video ids": [],
        "a language against the genre": [],
        "a language against the title": [],
        "version notes": [],
    }
    videos: set[str] = set()
    recordings: set[tuple[object, ...]] = set()
    for song in catalogue.songs:
        name = f"{song.title} · {song.byline}"
        if song.video_id in videos:
            found["the same video twice"].append(name)
        if song.video_id:
            videos.add(song.video_id)
        recording = (plain(song.title), song.duration_s, round(song.valence, 2))
        if recording in recordings:
            found["the same recording twice"].append(name)
        recordings.add(recording)
        if unwanted_kind(song.title, song.artist):
            found["karaoke, covers and the like"].append(name)
        if not LENGTH_WITH_VIDEO_S[0] <= (song.duration_s or 0) <= LENGTH_WITH_VIDEO_S[1]:
            found["wrong lengths"].append(name)
        figures = (song.valence, song.energy, song.danceability, song.acousticness)
        if not all(0 <= figure <= 1 for figure in figures) or not 30 < song.tempo < 260:
            found["figures out of range"].append(name)
        if not all(map(is_video_id, filter(None, (song.video_id, *song.alt_ids)))):
            found["malformed video ids"].append(name)
        if song.language not in GENRE_LANGUAGES.get(song.genre, {song.language}):
            found["a language against the genre"].append(name)
        note = VERSION_IN.search(song.title)
        if note and LANGUAGES.get(song.language, "").lower() != note[1].lower():
            found["a language against the title"].append(name)
        live = is_live(song.title) and song.video_id is None
        if live or shown_title(song.title) != song.title or foreign_live(song):
            found["version notes"].append(name)
    return {fault: names for fault, names in found.items() if names}


def main(argv: list[str] | None = None) -> int:
    """Print the check."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sample", type=int, default=24, help="songs to read (default 24)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(argv)
    catalogue = load()
    table: dict[str, Counter[str]] = {code: Counter() for code in (*catalogue.languages(), "")}
    artists: dict[str, set[str]] = {code: set() for code in table}
    for row, song in enumerate(catalogue.songs):
        table[song.language]["songs"] += 1
        artists[song.language].add(plain(song.artists[0]))
        table[song.language][quadrant(catalogue, row)] += 1
        table[song.language]["with video"] += song.video_id is not None
        table[song.language]["year known"] += song.year is not None
    for code, row_of in table.items():
        row_of["artists"] = len(artists[code])
    found = faults(catalogue)
    offered = catalogue.languages_offered()
    if args.json:
        print(
            json.dumps(
                {
                    "songs": len(catalogue),
                    "languages": table,
                    "offered": offered,
                    "faults": found,
                }
            )
        )
        return 1 if found else 0
    columns = (*QUADRANTS, "with video", "year known")
    print(f"{len(catalogue)} songs; in brackets: not offered in the page, too few of them\n")
    print(f"{'language':12}{'songs':>7}{'artists':>9}" + "".join(f"{c:>15}" for c in columns))
    for code, here in table.items():
        name = LANGUAGES.get(code, "without")
        print(
            f"{name if code in offered or not code else f'({name})':12}"
            f"{here['songs']:7}{here['artists']:9}"
            + "".join(f"{here[column]:15}" for column in columns)
        )
    print("\nfaults: " + ("none" if not found else ""))
    for fault, names in found.items():
        print(f"  {fault}: {len(names)}, e.g. {'; '.join(names[:3])}")
    print("\na sample:")
    rows = np.random.default_rng(args.seed).choice(len(catalogue), args.sample, replace=False)
    for row in sorted(rows, key=lambda r: quadrant(catalogue, r)):
        song = catalogue.songs[row]
        print(
            f"  {quadrant(catalogue, row):14} {song.language} {song.valence:.2f} {song.energy:.2f} "
            f"{(song.duration_s or 0) // 60}:{(song.duration_s or 0) % 60:02} "
            f"{song.year or '    '} {song.video_id or '-' * 11}  {song.title} · {song.byline}"
        )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
