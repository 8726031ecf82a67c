"""Unit tests: song titles, the shipped catalogue, filters, and how the catalogue is compiled."""

from __future__ import annotations

import csv
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from benchmarks import songs_catalogue
from moodmesh.errors import UserError
from moodmesh.songs import compile as compiling
from moodmesh.songs import titles
from moodmesh.songs.catalogue import Catalogue, Filters, Song, combine, encode, load
from moodmesh.songs.corrections import CORRECTIONS, YEARS
from moodmesh.songs.youtube import is_video_id


@pytest.fixture(scope="module")
def shipped() -> Catalogue:
    return load()


def song(title: str, artist: str = "Somebody", **facts: object) -> Song:
    return Song(
        id=titles.song_id(title, artist),
        title=title,
        artist=artist,
        **{"language": "en", "valence": 0.5, "energy": 0.5, **facts},  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("Hey Jude - Remastered 2015", "Hey Jude"),
        ("Silly Love Songs - 2014 Remaster", "Silly Love Songs"),
        ('O Mere Dil Ke Chain (From "Mere Jeevan Saathi")', "O Mere Dil Ke Chain"),
        ("Get Lucky (feat. Pharrell Williams & Nile Rodgers) - Radio Edit", "Get Lucky"),
        ("Superstition - Single Version", "Superstition"),
        ('Dancing - Edit / From "Saturday Night Fever" Soundtrack', "Dancing"),
        ("Roses - Imanbek Remix", "Roses - Imanbek Remix"),
        ("Help!", "Help!"),
        ("(I Can't Get No) Satisfaction - Mono Version", "(I Can't Get No) Satisfaction"),
        ("1999", "1999"),
        ("Version", "Version"),
        ("With or Without You", "With or Without You"),
        ("(Radio Edit)", "(Radio Edit)"),
    ],
)
def test_titles_are_shown_without_pressing_notes(title: str, shown: str) -> None:
    assert titles.shown_title(title) == shown


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (("Let It Be - Remastered 2009", "The Beatles"), ("LET IT BE", "The Beatles"), True),
        (("Déjà Vu", "Beyoncé; JAY-Z"), ("Deja vu", "Beyonce"), True),
        (("Despacito - Remix", "Luis Fonsi"), ("Despacito", "Luis Fonsi"), True),
        (("Hello", "Adele"), ("Hello", "Lionel Richie"), False),
        (("夜に駆ける", "YOASOBI"), ("怪物", "YOASOBI"), False),
        (("!!!", "A"), ("???", "A"), False),
    ],
)
def test_the_same_song_has_the_same_id(
    one: tuple[str, str], other: tuple[str, str], same: bool
) -> None:
    assert (titles.song_id(*one) == titles.song_id(*other)) is same


@pytest.mark.parametrize(
    ("title", "kind"),
    [
        ("Snap - Karaoke Version", "karaoke"),
        ("Escapism. - Sped Up", "changed speed"),
        ("Dandelions - slowed + reverb", "changed speed"),
        ("Everytime We Touch - Nightcore", "changed speed"),
        ('If I Ain\'t Got You "Alicia Keys Cover"', "cover"),
        ("White Noise Sleeping Aid", "not a song"),
        ("That's How It Is - Skit", "not a song"),
        ("Cover Me In Sunshine", None),
        ("Slow Down", None),
        ("Stayin Alive", None),
    ],
)
def test_what_is_not_the_song_is_recognised(title: str, kind: str | None) -> None:
    assert titles.unwanted_kind(title, "Somebody") == kind


def test_the_shipped_catalogue_covers_languages_and_moods(shipped: Catalogue) -> None:
    assert 3000 <= len(shipped) <= 4000
    assert shipped.playable.sum() > 1450
    counts = shipped.languages()
    for code in ("en", "hi", "es", "ko", "pt", "fr", "de", "ja", "it"):
        assert counts[code] >= 120, code
        here = shipped.language == code
        for bright in (True, False):
            for lively in (True, False):
                quadrant = (
                    here & ((shipped.valence > 0.5) == bright) & ((shipped.energy > 0.5) == lively)
                )
                assert quadrant.sum() >= 12, (code, bright, lively)


def test_the_shipped_catalogue_is_sound(shipped: Catalogue) -> None:
    videos = Counter(
        video for s in shipped.songs for video in (s.video_id, *s.alt_ids) if video is not None
    )
    assert all(is_video_id(video) for video in videos)
    main = Counter(s.video_id for s in shipped.songs if s.video_id)
    assert max(main.values()) == 1
    for s in shipped.songs:
        assert s.title and s.artists and (s.language or s.genre in {"classical", ""}), s
        assert not titles.unwanted_kind(s.title, s.artist) or s.video_id, s
        assert 75 <= (s.duration_s or 0) <= 1200, s
        assert 0 <= s.valence <= 1 and 0 <= s.energy <= 1 and s.tempo > 30, s
        assert s.year is None or 1900 < s.year < 2030, s
        assert "\ufffd" not in s.title + s.artist, s


def test_the_check_of_the_shipped_catalogue_finds_no_fault(shipped: Catalogue) -> None:
    assert songs_catalogue.faults(shipped) == {}


@pytest.mark.parametrize(
    ("fault", "facts"),
    [
        ("a language against the genre", {"genre": "indian film"}),
        ("a language against the genre", {"genre": "latin", "language": "ko"}),
        ("a language against the title", {"title": "Regular - English Version", "language": "ko"}),
        ("a language against the title", {"title": "ELEVEN -Japanese version-"}),
        ("version notes", {"title": "A Song - Live at Home"}),
        ("version notes", {"title": "Una Canción - En Vivo", "language": "es"}),
        ("version notes", {"title": "A Song - Remastered 2009"}),
        (None, {"title": "Graveto - Ao Vivo", "language": "pt"}),
        (None, {"title": "Regular - English Version"}),
        (None, {"genre": "classical", "language": ""}),
    ],
)
def test_the_check_knows_wrong_languages_and_version_notes(
    fault: str | None, facts: dict[str, str]
) -> None:
    one = song(**{"title": "A Song", "duration_s": 200, "danceability": 0.5,  # type: ignore[arg-type]
                  "acousticness": 0.5, "tempo": 100.0, **facts})  # fmt: skip
    assert set(songs_catalogue.faults(Catalogue((one,)))) == ({fault} if fault else set())


def test_music_without_words_is_in_no_language(shipped: Catalogue) -> None:
    for title, artist in (
        ("River Flows In You", "Yiruma"),
        ("Nuvole Bianche", "Ludovico Einaudi"),
        ("The Last of Us", "Gustavo Santaolalla"),
        ("A Town with an Ocean View", "Joe Hisaishi"),
    ):
        found = shipped.find(titles.song_id(title, artist))
        assert found is not None and found.language == ""
    assert "" not in shipped.languages()
    english = shipped.language[shipped.allowed(Filters(languages=("en",)))]
    assert set(english) == {"en"}
    sung = shipped.find(titles.song_id("Dear Theodosia", "Lin-Manuel Miranda"))
    assert sung is not None and sung.language == "en"


def test_years_genres_and_covers_are_corrected(shipped: Catalogue) -> None:
    for identifier, year in YEARS.items():
        assert (found := shipped.find(identifier)) and found.year == year
    found = shipped.find(titles.song_id("Muqabala Muqabala", "Mano"))
    assert found and (found.language, found.genre) == ("hi", "indian film")
    assert not any(s.artist == "Sleeping At Last" for s in shipped.songs)


def test_only_languages_with_enough_songs_and_artists_are_offered(shipped: Catalogue) -> None:
    offered = shipped.languages_offered()
    assert set(offered) >= {"en", "hi", "es", "pt", "ko", "fr", "de", "ja", "it"}
    assert not {"zh", "nl", "pl", "id", "pa", "te", ""} & set(offered)
    assert offered[0] == "en"
    own = song("Eigen", language="nl", source="own list")
    assert "nl" in Catalogue((*shipped.songs, own)).languages_offered()


@pytest.mark.parametrize(
    ("title", "holiday"),
    [
        ("God Rest Ye Merry Gentlemen", True),
        ("Baby, It’s Cold Outside", True),
        ("Silver Bells", True),
        ("クリスマスソング", True),
        ("Hells Bells", False),
        ("Cold as Ice", False),
        ("Merry-Go-Round of Life", False),
    ],
)
def test_holiday_songs_are_known_by_their_titles(title: str, holiday: bool) -> None:
    assert titles.is_holiday(title) is holiday


@pytest.mark.parametrize(
    ("title", "artist", "language"),
    [
        ("Sweater Weather", "The Neighbourhood", "en"),
        ("Someone Like You", "Adele", "en"),
        ("Stolen Dance", "Milky Chance", "en"),
        ("Beggin'", "Måneskin", "en"),
        ("Kesariya", "Pritam; Arijit Singh; Amitabh Bhattacharya", "hi"),
        ("Naatu Naatu", "M. M. Keeravani", "te"),
        ("Brown Munde", "AP Dhillon; Gurinder Gill", "pa"),
        ("Enjoy Enjaami", "Santhosh Narayanan", "ta"),
        ("Munbe Vaa", "Shreya Ghoshal; Naresh Iyer", "ta"),
        ("Main Yahaan Hoon", "Udit Narayan", "hi"),
        ("Boy With Luv", "BTS; Halsey", "ko"),
        ("FANTASTIC BABY - Japanese ver.", "BIGBANG", "ja"),
        ("Échame La Culpa", "Luis Fonsi; Demi Lovato", "es"),
        ("Oye Como Va", "Santana", "es"),
        ("Corazon Espinado", "Santana", "es"),
    ],
)
def test_a_languages_hits_are_there_and_in_that_language(
    shipped: Catalogue, title: str, artist: str, language: str
) -> None:
    found = shipped.find(titles.song_id(title, artist))
    assert found is not None and found.language == language


def test_figures_known_to_be_wrong_are_corrected(shipped: Catalogue) -> None:
    for identifier, figures in CORRECTIONS.items():
        corrected = shipped.find(identifier)
        assert corrected is not None, identifier
        assert (corrected.valence, corrected.energy) == figures


def test_a_catalogue_survives_its_file(shipped: Catalogue, tmp_path: Path) -> None:
    path = tmp_path / "songs.csv.gz"
    path.write_bytes(encode(shipped.songs))
    assert load(path).songs == shipped.songs
    assert encode(shipped.songs) == encode(shipped.songs)


@pytest.mark.parametrize("content", [b"", b"not gzip", b"\x1f\x8b\x08\x00broken"])
def test_a_broken_catalogue_says_how_to_mend_it(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "songs.csv.gz"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"songs\.csv\.gz"):
        load(path)


FILTERED = Catalogue(
    (
        song("Old", "Ann", year=1965, language="en", duration_s=150),
        song("New", "Ann; Bob", year=2015, language="hi", duration_s=400),
        song("Undated", "Cid", language="hi", genre="hip-hop"),
        song("Clean rap", "Dee", genre="hip-hop", explicit=False),
        song("Carol", "Eve", holiday=True),
        song("Rude", "Fay", explicit=True),
        song("Mine", "Gus", language="", year=1970, source="own list"),
    )
)


@pytest.mark.parametrize(
    ("filters", "titles_left"),
    [
        (Filters(), ["Old", "New", "Undated", "Clean rap", "Rude", "Mine"]),
        (Filters(holiday=True), ["Old", "New", "Undated", "Clean rap", "Carol", "Rude", "Mine"]),
        (Filters(languages=("hi",)), ["New", "Undated", "Mine"]),
        (Filters(years=(1960, 1979)), ["Old", "Mine"]),
        (Filters(explicit=False), ["Old", "New", "Clean rap", "Mine"]),
        (Filters(artists_avoided=("ann",)), ["Undated", "Clean rap", "Rude", "Mine"]),
        (Filters(artists_avoided=("BOB",)), ["Old", "Undated", "Clean rap", "Rude", "Mine"]),
        (Filters(max_duration_s=300), ["Old", "Undated", "Clean rap", "Rude", "Mine"]),
        (Filters(min_duration_s=300), ["New", "Undated", "Clean rap", "Rude", "Mine"]),
        (Filters(languages=("xx",)), ["Mine"]),
    ],
)
def test_filters_leave_what_the_listener_allows(filters: Filters, titles_left: list[str]) -> None:
    kept = FILTERED.allowed(filters)
    assert [s.title for s, keep in zip(FILTERED.songs, kept, strict=True) if keep] == titles_left


def test_ranks_spread_evenly_and_unknown_figures_sit_in_the_middle() -> None:
    catalogue = Catalogue(
        tuple(song(f"s{v}", valence=v) for v in (0.9, 0.91, 0.1, math.nan, 0.91))[:4]
    )
    assert catalogue.valence == pytest.approx([0.5, 5 / 6, 1 / 6, 0.5])
    assert list(catalogue.measured) == [True, True, True, False]


def test_popularity_is_judged_within_the_language() -> None:
    catalogue = Catalogue(
        (
            song("a", language="en", streams_rank=1),
            song("b", language="en", streams_rank=2),
            song("c", language="ja", streams_rank=900),
            song("d", language="ja", streams_rank=1000),
            song("e", language="ja"),
        )
    )
    assert list(catalogue.popularity) == [1, 0, 1, 0, 0.5]


def test_combining_keeps_the_first_song_and_borrows_a_video() -> None:
    own = Catalogue((song("Hello", "Adele", year=2015),))
    other = Catalogue((song("HELLO", "Adele", video_id="a" * 11), song("More", "Adele")))
    both = combine([own, other])
    assert [s.title for s in both.songs] == ["Hello", "More"]
    assert both.songs[0].video_id == "a" * 11
    assert both.songs[0].year == 2015


@pytest.mark.parametrize(
    ("locale", "languages"),
    [
        ("de-AT", ("de", "en")),
        ("en_GB", ("en",)),
        ("hi", ("hi", "en")),
        ("xx-YY", ()),
        (None, ()),
        ("zh-TW", ()),
    ],
)
def test_a_locale_gives_the_languages_to_begin_with(
    shipped: Catalogue, locale: str | None, languages: tuple[str, ...]
) -> None:
    assert shipped.languages_for(locale) == languages


ROW = {
    "title": "A Song",
    "artist": "Singer",
    "year": "",
    "lang": "en",
    "genres": "pop",
    "valence": "0.5",
    "energy": "0.5",
    "danceability": "0.5",
    "acousticness": "0.5",
    "speechiness": "0.05",
    "tempo": "120",
    "duration_s": "200",
    "streams": "1000",
    "holiday": "",
    "video_id": "",
    "alt_ids": "",
}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, ""),
        ({"title": "A Song - Karaoke Version"}, "karaoke"),
        ({"artist": "Bj\ufffdrk"}, "without a title or artist"),
        ({"duration_s": "31"}, "wrong lengths"),
        ({"duration_s": "4676"}, "wrong lengths"),
        ({"valence": "0.00001"}, "failed figures"),
        ({"valence": ""}, "failed figures"),
        ({"speechiness": "0.9"}, "spoken word"),
        ({"lang": ""}, "unknown language"),
        ({"title": "Already Gone", "artist": "Sleeping At Last"}, "by hand"),
        ({"artist": "Traditional"}, "without a title or artist"),
        ({"genres": "hoerspiel"}, "not a song"),
        ({"title": "Jingle Bells"}, "holiday music without a video"),
        ({"title": "God Rest Ye Merry Gentlemen"}, "holiday music without a video"),
        ({"title": "クリスマスソング"}, "holiday music without a video"),
        ({"title": "A Song - Live"}, "live and acoustic versions"),
        ({"video_id": "short"}, "with a malformed video id"),
    ],
)
def test_unsound_rows_are_left_out_with_a_reason(change: dict[str, str], reason: str) -> None:
    candidate, why = compiling.judge({**ROW, **change})
    assert (candidate is None) is bool(reason)
    assert why == reason


@pytest.mark.parametrize(
    ("facts", "language"),
    [
        ({"genres": "neo-classical piano", "instrumentalness": "0.9"}, ""),
        ({"genres": "show tunes", "instrumentalness": "0.0"}, "en"),
        ({"genres": "big room", "instrumentalness": "0.9"}, "en"),
        ({"title": "Left and Right (Feat. Jung Kook)", "artist": "BTS", "lang": "ko"}, "en"),
        ({"title": "TIMEZONE", "artist": "Måneskin", "lang": "it"}, "en"),
        ({"title": "POP/STARS", "artist": "Madison Beer; (G)I-DLE", "lang": "ko"}, "en"),
        ({"title": "Summer of Love (Shawn Mendes & Tainy)", "artist": "Tainy", "lang": "es"}, "en"),
        ({"title": "Regular - English Version", "lang": "ko"}, "en"),
        ({"title": "LOVE DIVE -Japanese version-", "lang": "ko"}, "ja"),
        ({"title": "Venecia sin ti - Que c'est triste Venise", "artist": "Charles Aznavour"}, "es"),
    ],
)
def test_languages_are_corrected(facts: dict[str, str], language: str) -> None:
    candidate, _ = compiling.judge({**ROW, **facts})
    assert candidate and candidate.song.language == language


def test_versions_of_one_song_become_one_with_the_video(tmp_path: Path) -> None:
    rows = [
        {**ROW, "streams": "9000"},
        {**ROW, "title": "A Song - Remastered 2009", "video_id": "a" * 11, "streams": "10"},
        {**ROW, "title": "A Song - Big Remix", "streams": "99999", "tempo": "130"},
        {**ROW, "artist": "Composer", "streams": "500"},
        {**ROW, "title": "Another", "valence": "0.9", "alt_ids": "a" * 11, "video_id": "b" * 11},
    ]
    path = tmp_path / "table.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ROW.keys())
        writer.writeheader()
        writer.writerows(rows)
    out = tmp_path / "out.csv.gz"
    assert compiling.main([str(path), "--out", str(out)]) == 0
    first = out.read_bytes()
    assert compiling.main([str(path), "--out", str(out)]) == 0
    assert out.read_bytes() == first
    songs = load(out).songs
    assert {(s.title, s.video_id) for s in songs} == {
        ("A Song", "a" * 11),
        ("Another", "b" * 11),
    }
    assert all(s.alt_ids == () for s in songs), "another song's video is no alternative"


def test_a_table_without_the_columns_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "table.csv"
    path.write_text("name,singer\na,b\n")
    assert compiling.main([str(path)]) == 2
    assert "lacks the columns" in capsys.readouterr().err


def test_no_star_fills_a_language() -> None:
    rows = [
        {**ROW, "title": f"Song {n}", "artist": "Star", "valence": f"0.{n:02d}1", "lang": "ta"}
        for n in range(11, 99)
    ]
    songs, _ = compiling.compile_songs(rows)
    assert len(songs) == max(compiling.PER_ARTIST_STEPS)


def test_loading_is_light(shipped: Catalogue) -> None:
    arrays = [shipped.valence, shipped.energy, shipped.popularity, shipped.language]
    assert sum(a.nbytes for a in arrays) < 1_000_000
    assert all(len(a) == len(shipped) for a in arrays)
    assert np.isfinite(shipped.popularity).all()
