"""Song titles and artists as people write them -> what is shown, and what counts as the same song.

Catalogues carry the same recording many times ("Hey Jude - Remastered 2015", "Hey Jude (feat. …)",
"HEY JUDE"), and things that are not the song at all (karaoke, sped up, white noise).
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

# A version note says which pressing this is, not which song: it is not shown.
_PRESSING = (
    r"(?:(?:\d{4}|digital(?:ly)?|new|remaster\w*|mono|stereo|radio|single|album|original|full|"
    r"extended|explicit|clean|main|uk|us|lp|7\"|12\"|soundtrack|film|movie|bonus|deluxe|expanded|"
    r"edition|anniversary|theme|short|long|video|track|recording|studio|mix|edit|version|ver\.?|"
    r"remix(?=\s+radio edit)|/|&|\d+(?:st|nd|rd|th))\s*)+"
)
_NAMED_SOURCE = r"(?:from|aus|de la pel\w+|tiré de)\s+.+"
_GUESTS = r"(?:feat\.?|ft\.?|featuring|with|con|mit|avec)\s+.+"
_QUIET_NOTE = rf"(?:{_PRESSING}(?:{_NAMED_SOURCE})?|{_NAMED_SOURCE}|{_GUESTS})"
_QUIET_SUFFIX = re.compile(rf"\s+[-–]\s+{_QUIET_NOTE}$", re.IGNORECASE)
_QUIET_BRACKET = re.compile(rf"\s*[\(\[]{_QUIET_NOTE}[\)\]]", re.IGNORECASE)
_BRACKETS = re.compile(r"[\(\[][^\(\)\[\]]*[\)\]]")
_SUFFIX = re.compile(r"\s+[-–]\s+.*$")
_NOT_A_WORD = re.compile(r"[^\w]+")

LONGEST_TEXT = 300
_JOINERS = "\u200c\u200d"

_UNWANTED = {
    "karaoke": r"\bkaraoke\b|\binstrumental\b|\bbacking track\b",
    "changed speed": r"\bsped[\s-]*up\b|\bspeed(?:ed)? up\b|\bslowed\b|"
    r"\bnightcore\b|\breverb\b|\b8d\b",
    "cover": r"\bcovers?\b(?!\s+(me|girl|of darkness))|\btribute\b|\bin the style of\b|"
    r"\bglee cast\b|\bkidz bop\b|\blo-?fi\b|\bmusic box\b|\brockabye baby\b",
    "not a song": r"white noise|\bwomb\b|\basmr\b|\bloopable\b|\bskit\b|\binterlude\b|\bintro\b|"
    r"\boutro\b|\bkapitel\b|\bteil \d|\bfolge \d|\breprise\b|\bmedley\b|pot-?pourri|"
    r"\brain and thunder|\bcommentary\b|\bnursery rhymes?\b|\bchapter \d",
}
_UNWANTED_PATTERNS = {kind: re.compile(text, re.IGNORECASE) for kind, text in _UNWANTED.items()}
_LIVE = re.compile(
    r"[-–(\[]\s*[^-–()]*\b(live|unplugged|acoustic|en vivo|demo|session)\b", re.IGNORECASE
)
_HOLIDAY = re.compile(
    r"christmas|kalikimaka|\bxmas\b|\bsanta\b|jingle|\bnoel\b|noël|navidad|weihnacht|\bnatal\b|natale|"
    r"winter wonderland|sleigh|mistletoe|reindeer|rudolph|let it snow|silent night|holy night|"
    r"deck the hall|drummer boy|auld lang|snowman|frosty|herald angels|joy to the world|"
    r"most wonderful time|eggnog|12 days of|god rest (ye|you) merry|silver bells|"
    r"first no[ew]ell?\b|o come all ye|chestnuts roasting|carol of the bells|happy new year|"
    r"クリスマス|크리스마스|圣诞|聖誕|"
    r"my little drum|it.?s cold outside|come,? all ye faithful|town of bethlehem|away in a manger",
    re.IGNORECASE,
)
_STRONG_WORDS = re.compile(
    r"\bf+u+c*k|\bf\*+k|\bshit|\bsh\*t|\bbitch|\bb\*tch|\bnigg|\bpussy|\bdick\b|\bhoes?\b|\bwhore|"
    r"\bcock\b|\bputa\b|\bmierda\b|\bexplicit\b",
    re.IGNORECASE,
)


def one_line(text: str) -> str:
    """One line of sensible length without what turns text around or cannot be seen; joiners stay,
    without which emoji fall apart and Persian and Malayalam are misspelt.
    """
    kept = (c if c.isprintable() or c in _JOINERS else " " for c in text)
    return " ".join("".join(kept).split())[:LONGEST_TEXT].strip(_JOINERS)


def shown_title(title: str) -> str:
    """The title without pressing notes, film names and guests: what a listener would call it."""
    shown = _QUIET_BRACKET.sub("", title).strip()
    while (shorter := _QUIET_SUFFIX.sub("", shown).strip()) != shown:
        shown = shorter
    return shown or title.strip()


def split_artists(artist: str) -> tuple[str, ...]:
    """'A; B' -> ('A', 'B'), each once, in order."""
    return tuple(dict.fromkeys(part.strip() for part in artist.split(";") if part.strip()))


def plain(text: str) -> str:
    """Letters and digits alone, lower case, without accents; other scripts are kept."""
    decomposed = unicodedata.normalize("NFKD", text)
    bare = "".join(c for c in decomposed if not unicodedata.combining(c))
    recomposed = unicodedata.normalize("NFC", bare)
    return _NOT_A_WORD.sub("", recomposed.casefold()).replace("_", "")


def same_song_key(title: str, artist: str) -> str:
    """Equal for versions of one song by one artist: 'Let It Be - Remastered' and 'Let it be'."""
    bare = _SUFFIX.sub("", _BRACKETS.sub("", title)).strip() or title
    first = split_artists(artist)[:1] or (artist,)
    return f"{plain(first[0])}/{plain(bare) or plain(title) or title.strip()}"


def song_id(title: str, artist: str) -> str:
    """Twelve hex digits that stay the same for a song wherever it comes from."""
    return hashlib.sha1(same_song_key(title, artist).encode(), usedforsecurity=False).hexdigest()[
        :12
    ]


def unwanted_kind(title: str, artist: str) -> str | None:
    """'karaoke', 'changed speed', 'cover' or 'not a song' where the words say so, else None."""
    text = f"{title} | {artist}"
    return next((kind for kind, found in _UNWANTED_PATTERNS.items() if found.search(text)), None)


def is_live(title: str) -> bool:
    """Whether a note in the title says live, unplugged, acoustic, demo or session."""
    return _LIVE.search(title) is not None


def is_holiday(title: str) -> bool:
    """Whether the title speaks of Christmas or the new year."""
    return _HOLIDAY.search(title) is not None


def has_strong_words(title: str) -> bool:
    """Whether the title itself holds a strong word."""
    return _STRONG_WORDS.search(title) is not None
