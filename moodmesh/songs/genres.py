"""The families of genres that songs are told apart by, from what people and programs write."""

from __future__ import annotations

import re
from collections import Counter

# The first family with a matching word is the genre shown and learnt from.
_GENRES = (
    ("hip-hop", r"hip hop|\brap\b|trap|drill|grime|gangster"),
    ("metal", r"metal|hardcore punk|screamo"),
    ("classical", r"classical|orchestra|soundtrack|piano(?! rock)|compositional|show tunes|score"),
    ("indian film", r"filmi|bollywood|desi|bhangra|punjabi|tollywood|tamil|sufi|qawwali|bhajan"),
    ("electronic", r"edm|house|electro|techno|trance|dubstep|big room|eurodance|drum and bass"),
    ("jazz and soul", r"jazz|soul|motown|funk(?! carioca)|disco|r&b|quiet storm|blues|swing"),
    ("country and folk", r"country|folk|singer-songwriter|americana|bluegrass|red dirt"),
    ("latin", r"latin|reggaeton|salsa|bachata|corrido|banda|norteno|mexican|sertanejo|pagode|"
     r"samba|mpb|cumbia|ranchera|sierreno|grupera|urbano|tropical|funk carioca|arrocha|bolero"),
    ("reggae", r"reggae|dancehall|ska\b"),
    ("rock", r"rock|punk|grunge|indie|alternative|new wave|britpop|emo\b"),
    ("pop", r"pop|dance|boy band|girl group|idol|adult standards|chanson|schlager|europop"),
)  # fmt: skip
_GENRE_PATTERNS = tuple((name, re.compile(words)) for name, words in _GENRES)
# The families themselves, and what separates genres in one cell.
FAMILIES = tuple(name for name, _ in _GENRES)
_SEPARATOR = re.compile(r"\s*[;,/|]\s*")


def genre_family(genres: str) -> str:
    """The family most of the genres ('indie rock; pop') belong to, '' where none is known."""
    votes: Counter[str] = Counter()
    for genre in genres.split("; "):
        family = next((name for name, words in _GENRE_PATTERNS if words.search(genre)), None)
        if family:
            votes[family] += 1
    return votes.most_common(1)[0][0] if votes else ""


def family_of_words(words: str) -> str:
    """The family of a genre as anybody writes it ('Hip-Hop', 'Rock/Pop'), '' where none is known.

    Nothing else is kept: every genre more makes learning what a listener likes slower.
    """
    genres = _SEPARATOR.sub("; ", words.strip().lower())
    if genres in FAMILIES:
        return genres
    return genre_family(genres) or genre_family(re.sub(r"[-_]", " ", genres))
