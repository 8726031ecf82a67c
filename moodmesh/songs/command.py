"""`python -m moodmesh songs MOOD`: a queue for a mood, as a table or as JSON."""

from __future__ import annotations

import argparse
import json
import sys

import numpy as np

from moodmesh.errors import UserError
from moodmesh.mood import VALENCE_AROUSAL
from moodmesh.songs.catalogue import LANGUAGES, Catalogue, Filters, load
from moodmesh.songs.recommend import (
    MODES,
    Recommendation,
    check_mode,
    default_mode,
    introduction,
    is_near,
    recommend,
)
from moodmesh.songs.youtube import song_link

MOST_SONGS = 500


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("mood", metavar="MOOD", help=", ".join(VALENCE_AROUSAL))
    parser.add_argument("--mode", help=f"{', '.join(MODES)} (default: what suits the mood)")
    parser.add_argument(
        "--language",
        action="append",
        default=[],
        metavar="CODE",
        help="language of the songs, e.g. hi; several: --language hi --language en, or hi,en",
    )
    parser.add_argument("-n", "--count", type=int, default=10, help="how many songs (default 10)")
    parser.add_argument("--seed", type=int, help="the same number gives the same queue")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Print the queue; raises :class:`UserError` for a choice that does not exist."""
    catalogue = load()
    mood = check_mood(args.mood)
    mode = default_mode(mood) if args.mode is None else check_mode(args.mode.strip().lower())
    if not 1 <= args.count <= MOST_SONGS:
        raise UserError(f"Ask for 1 to {MOST_SONGS} songs with -n, not {args.count}.")
    if args.seed is not None and args.seed < 0:
        raise UserError(f"Give --seed a number from 0 on, not {args.seed}.")
    valence, arousal = VALENCE_AROUSAL[mood]
    songs = recommend(
        catalogue,
        valence,
        arousal,
        mode,
        args.count,
        filters=Filters(languages=check_languages(args.language, catalogue)),
        rng=np.random.default_rng(args.seed),
        expression=mood,
        told=True,
    )
    near = is_near(catalogue, songs)
    if args.json:
        json.dump(as_json(mood, mode, songs, near=near), sys.stdout, ensure_ascii=False, indent=2)
        print()
    else:
        print(as_table(mood, mode, songs, near=near))
    return 0


def check_mood(text: str) -> str:
    """One of the seven moods, or a :class:`UserError` naming them."""
    mood = text.strip().lower()
    if mood not in VALENCE_AROUSAL:
        raise UserError(f"There is no mood '{text}'. Choose one of: {', '.join(VALENCE_AROUSAL)}.")
    return mood


def check_languages(texts: list[str], catalogue: Catalogue) -> tuple[str, ...]:
    """Codes ('hi') from codes or names ('Hindi'), or a :class:`UserError` naming the choices."""
    here = catalogue.languages()
    names = {LANGUAGES.get(code, code).lower(): code for code in here}
    chosen: list[str] = []
    parts = [part.strip() for joined in texts for part in joined.split(",")]
    if texts and not any(parts):
        raise UserError("Name a language after --language, e.g. --language hi.")
    for text in filter(None, parts):
        code = names.get(text.lower(), text.lower())
        if code not in here:
            choices = ", ".join(f"{code} ({LANGUAGES.get(code, code)})" for code in here)
            raise UserError(f"There are no songs in '{text}'. Choose from: {choices}.")
        chosen.append(code)
    return tuple(dict.fromkeys(chosen))


def as_json(
    mood: str, mode: str, songs: list[Recommendation], *, near: bool = True
) -> dict[str, object]:
    """The stable shape that scripts read."""
    return {
        "mood": mood,
        "mode": mode,
        "introduction": introduction(mode, mood, near=near),
        "songs": [
            {
                "id": r.song.id,
                "title": r.song.title,
                "artist": r.song.byline,
                "language": r.song.language,
                "year": r.song.year,
                "video_id": r.song.video_id,
                "url": song_link(r.song.title, r.song.byline, r.song.video_id),
                "valence": round(r.song.valence, 3),
                "energy": round(r.song.energy, 3),
                "why": r.why,
                "target": {"valence": round(r.valence, 3), "energy": round(r.energy, 3)},
            }
            for r in songs
        ],
    }


def as_table(mood: str, mode: str, songs: list[Recommendation], *, near: bool = True) -> str:
    """The same for people: one song on two lines."""
    lines = [f"{introduction(mode, mood, near=near)} ({mode})", ""]
    for number, r in enumerate(songs, start=1):
        year = f" · {r.song.year}" if r.song.year else ""
        lines.append(f"{number:3}  {r.song.title} · {r.song.byline}{year}")
        lines.append(f"     {r.why}")
        lines.append(f"     {song_link(r.song.title, r.song.byline, r.song.video_id)}")
    return "\n".join(lines)
