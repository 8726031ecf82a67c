"""Unit tests: the listener's own list, exports, and YouTube Music and the Data API as they answer
and as they break; the network is replaced at its edge."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import requests

from moodmesh.errors import UserError
from moodmesh.songs import discovery, embeddable, exports
from moodmesh.songs.catalogue import Catalogue, Filters, Song, combine, load
from moodmesh.songs.discovery import Discovery, with_found
from moodmesh.songs.history import Heard, History
from moodmesh.songs.learning import Learner
from moodmesh.songs.ownlist import (
    MOST_SONGS,
    add_own_songs,
    forget_own_songs,
    keep_own_songs,
    own_songs,
    read_own_list,
)
from moodmesh.songs.recommend import Recommendation
from moodmesh.songs.titles import song_id

VIDEO = "dQw4w9WgXcQ"


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load()


def song(title: str = "Zombie Song", artist: str = "Some Band", **facts: Any) -> Song:
    return Song(song_id(title, artist), title, artist, **{"duration_s": 205, **facts})


# --- the own list -----------------------------------------------------------------------------


def read(text: str | bytes, catalogue: Catalogue) -> list[Song]:
    content = text.encode() if isinstance(text, str) else text
    return list(read_own_list(content, "mine.csv", catalogue).songs)


@pytest.mark.parametrize(
    "content",
    [
        "title,artist,url\nMy Song,Ånna,https://youtu.be/dQw4w9WgXcQ\n".encode(),
        "\ufefftitle,artist,url\nMy Song,Ånna,https://youtu.be/dQw4w9WgXcQ\n".encode(),
        "Artist;Song;Link\r\nÅnna;My Song;https://www.youtube.com/watch?v=dQw4w9WgXcQ\r\n".encode(),
        "Track Name\tArtist Name(s)\tYouTube URL\nMy Song\tÅnna\tdQw4w9WgXcQ\n".encode("utf-16"),
        "title,artist,video_id\nMy Song,Ånna,dQw4w9WgXcQ\n".encode("cp1252"),
        "title,artist,video_id\nMy Song,Ånna,dQw4w9WgXcQ\n".encode("utf-16-le"),
        "title,artist,video_id\nMy Song,Ånna,dQw4w9WgXcQ\n".encode("utf-16-be"),
        "Künstler;Titel;Link\nÅnna;My Song;dQw4w9WgXcQ\n".encode(),
        b'title,artist,url\n"My Song","\xc3\x85nna",dQw4w9WgXcQ\n\n\0\n',
    ],
)
def test_lists_of_many_programs_are_understood(content: bytes, catalogue: Catalogue) -> None:
    (mine,) = read(content, catalogue)
    assert (mine.title, mine.artist, mine.video_id) == ("My Song", "Ånna", VIDEO)
    assert mine.source == "own list"


KAGGLE = (
    ",Artist,Url_spotify,Track,Album,Album_type,Uri,Danceability,Energy,Key,Loudness,Speechiness,"
    "Acousticness,Instrumentalness,Liveness,Valence,Tempo,Duration_ms,Url_youtube,Title,Channel,"
    "Views,Likes,Comments,Description,Licensed,official_video,Stream\n"
    "0,Gorillaz,https://open.spotify.com/artist/3,Feel Good Inc.,Demon Days,album,spotify:track:0,"
    "0.818,0.705,6.0,-6.679,0.177,0.00836,0.00233,0.613,0.772,138.559,222640.0,"
    "https://www.youtube.com/watch?v=HyHNuVaZJ-k,Gorillaz - Feel Good Inc. (Official Video),"
    'Gorillaz,693555221.0,6220896.0,169907.0,"Official HD Video, with a\nline break",True,True,'
    "1040234854.0\n"
)


def test_the_kaggle_table_is_read_as_it_is(catalogue: Catalogue) -> None:
    (mine,) = read(KAGGLE, catalogue)
    assert (mine.title, mine.artist, mine.video_id) == ("Feel Good Inc.", "Gorillaz", "HyHNuVaZJ-k")
    assert (mine.valence, mine.energy, mine.danceability) == (0.772, 0.705, 0.818)
    assert (mine.tempo, mine.duration_s, mine.streams_rank) == (138.559, 223, 1)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("3:35", 215), ("1:02:00", None), ("0:59:00", 3540), ("215", 215), ("215000", 215),
     ("x", None), ("-5", None)],
)  # fmt: skip
def test_lengths_come_in_many_shapes(text: str, seconds: int | None, catalogue: Catalogue) -> None:
    (mine,) = read(f"title,artist,duration\nA,B,{text}\n", catalogue)
    assert mine.duration_s == seconds


def test_figures_are_borrowed_from_the_catalogue(catalogue: Catalogue) -> None:
    known = catalogue.songs[0]
    rows = (
        f'"{known.title}","{known.artist}"\nNever Heard Of,"{known.artists[0]}"\nNew,Nobody Known'
    )
    same, artist, unknown = read(f"title,artist\n{rows}\n", catalogue)
    assert (same.id, same.valence, same.language) == (known.id, known.valence, known.language)
    others = [s.energy for s in catalogue.songs if s.artists[0] == known.artists[0]]
    assert artist.energy == pytest.approx(sum(others) / len(others))
    assert math.isnan(unknown.valence)


def test_a_song_of_the_catalogue_keeps_its_year_length_and_rank(catalogue: Catalogue) -> None:
    known = next(s for s in catalogue.songs if s.year and s.duration_s and s.streams_rank)
    plain, told = read(
        f'title,artist,year,duration\n"{known.title}","{known.artist}",,\n', catalogue
    ) + read(f'title,artist,year,duration\n"{known.title}","{known.artist}",1901,3:33', catalogue)
    assert (plain.year, plain.duration_s) == (known.year, known.duration_s)
    assert plain.streams_rank == told.streams_rank == known.streams_rank
    assert (told.year, told.duration_s) == (1901, 213)


@pytest.mark.parametrize("artist", [";", " ; ; ", ""])
def test_an_artist_of_separators_alone_is_none(artist: str, catalogue: Catalogue) -> None:
    content = f"title,artist,url\nx,{artist},\ny,{artist},{VIDEO}\nz,A ;; B;,\n"
    first, second = read(content, catalogue)
    assert (first.title, first.artist) == ("y", "Unknown artist")
    assert (second.title, second.artist) == ("z", "A; B")


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("夜に駆ける,YOASOBI\nLemon,米津玄師\n", "cp932"),
        ("さくら,森山直太朗\n", "cp932"),
        ("夜に駆ける,YOASOBI\nレモン,米津玄師\n", "euc_jp"),
        ("좋은 날,아이유\n봄날,방탄소년단\n", "cp949"),
        ("月亮代表我的心,邓丽君\n青花瓷,周杰伦\n", "gb18030"),
        ("月亮代表我的心,鄧麗君\n青花瓷,周杰倫\n", "big5"),
        ("Группа крови,Кино\nЗвезда по имени Солнце,Кино\n", "cp1251"),
        ("Jožin z bažin,Ivan Mládek\nŠípková Růženka,Jiří Schelinger\n", "cp1250"),
        ("Für Elise,Beyoncé\nDéjà vu,Beyoncé\n", "cp1252"),
        ("Coração,Zé Ramalho\nNão,João Gilberto\n", "cp1252"),
        ("Smørrebrød,Åge Aleksandersen\n", "cp1252"),
    ],
)
def test_lists_in_the_encodings_of_spreadsheets_are_read(
    text: str, encoding: str, catalogue: Catalogue
) -> None:
    plain_rows = "".join(f"Song {n},Artist {n}\n" for n in range(2_000))
    found = read_own_list(
        f"title,artist\n{plain_rows}{text}".encode(encoding), "mine.csv", catalogue
    )
    told = "".join(f"{one.title},{one.artist}\n" for one in found.songs)
    assert text in told
    assert f"read as {encoding}" in found.notices[-1]


@pytest.mark.parametrize(
    ("written", "family"),
    [
        ("Hip-Hop", "hip-hop"), ("jazz and soul", "jazz and soul"), ("Rock/Pop", "rock"),
        ("indian film", "indian film"), ("K-Pop, dance", "pop"), ("my favourites no. 7", ""),
        ("singer-songwriter", "country and folk"), ("", ""),
    ],
)  # fmt: skip
def test_genres_in_any_words_become_families(
    written: str, family: str, catalogue: Catalogue
) -> None:
    (mine,) = read(f'title,artist,genre\nNobody Knows,This Song,"{written}"\n', catalogue)
    assert mine.genre == family


def test_a_genre_a_song_does_not_slow_the_learner_down(
    tmp_path: Path, catalogue: Catalogue
) -> None:
    kept = [song(f"Song {n}", genre=f"genre {n}") for n in range(2_000)]
    keep_own_songs(kept, tmp_path / "own.csv.gz")
    own = own_songs(tmp_path / "own.csv.gz")
    assert len(own) == 2_000
    both = Learner(combine([own, catalogue]))
    assert both._features.shape[1] == Learner(catalogue)._features.shape[1]


def test_a_link_alone_is_a_song_and_nothing_is_not(catalogue: Catalogue) -> None:
    found = read_own_list(
        f"title,artist,url\n,,https://youtu.be/{VIDEO}\n,,nonsense\nOnly Title,,\nA,B,\nA,B,\n"
        "A - Karaoke,B,\n".encode(),
        "mine.csv",
        catalogue,
    )
    assert [s.title for s in found.songs] == [f"Video {VIDEO}", "A"]
    assert found.notices[0] == "2 rows had no title with an artist and no YouTube link."
    assert "twice" in found.notices[1] and "karaoke" in found.notices[2]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"name_of_thing,price\nx,1\n", "no columns for a title"),
        (b"title,artist\n,\n", "No row of"),
        (b"PK\x03\x04rest of a spreadsheet", "not a CSV file"),
        (b"%PDF-1.7", "not a CSV file"),
        (b"\xff\xfe\x00", "is empty|no columns"),
        (b'"never closed', "no columns"),
    ],
)
def test_a_file_that_is_no_list_says_what_to_do(
    content: bytes, says: str, catalogue: Catalogue
) -> None:
    with pytest.raises(UserError, match=says):
        read_own_list(content, "mine.csv", catalogue)


def test_a_million_rows_end_where_it_is_enough(catalogue: Catalogue) -> None:
    row = "{n},Artist {n}\n"
    text = "title,artist\n" + "".join(row.format(n=n) for n in range(1_000_000))
    began = time.process_time()
    found = read_own_list(text.encode(), "big.csv", catalogue)
    assert len(found.songs) == MOST_SONGS
    assert found.notices[0].startswith("Only the first 20,000")
    assert time.process_time() - began < 10


def test_a_million_rows_of_the_same_are_not_read_to_the_end(catalogue: Catalogue) -> None:
    text = "title,artist\n" + "A,B\n" * 1_000_000
    began = time.process_time()
    found = read_own_list(text.encode(), "mine.csv", catalogue)
    assert time.process_time() - began < 5
    assert len(found.songs) == 1
    assert "Only the first 60,000 rows were read." in found.notices


def test_hostile_cells_are_harmless(catalogue: Catalogue) -> None:
    hostile = 'title,artist\n"<script>alert(1)</script>\u202e\x07","' + "x" * 10_000 + '"\n'
    (mine,) = read(hostile, catalogue)
    assert mine.title == "<script>alert(1)</script>" and len(mine.artist) == 300


def test_joined_emoji_and_letters_stay_joined(catalogue: Catalogue) -> None:
    (mine,) = read("title,artist\n\u200d👩\u200d🎤 می\u200cخواهم,ബന്ധം\u200d\n", catalogue)
    assert (mine.title, mine.artist) == ("👩\u200d🎤 می\u200cخواهم", "ബന്ധം")


def test_the_list_is_kept_for_the_next_time(tmp_path: Path, catalogue: Catalogue) -> None:
    path = tmp_path / "new folder" / "own.csv.gz"
    assert len(own_songs(path)) == 0
    mine = read("title,artist,url\nMy Song,Ånna,dQw4w9WgXcQ\n", catalogue)
    keep_own_songs(mine, path)
    (kept,) = own_songs(path).songs
    assert (kept.id, kept.video_id, kept.source) == (mine[0].id, VIDEO, "own list")
    assert [p.name for p in path.parent.iterdir()] == ["own.csv.gz"]
    both = Catalogue((*catalogue.songs, kept))
    assert both.allowed(Filters(sources=("own list",))).sum() == 1


def test_a_second_list_joins_the_first(tmp_path: Path) -> None:
    path = tmp_path / "own.csv.gz"
    assert add_own_songs([song("A"), song("B")], path) == ()
    add_own_songs([song("B", year=1999), song("C")], path)
    kept = {one.title: one.year for one in own_songs(path).songs}
    assert kept == {"A": None, "B": 1999, "C": None}
    (notice,) = add_own_songs([song(f"More {n}") for n in range(MOST_SONGS - 1)], path)
    assert notice.startswith("Only 20,000 songs are kept")
    titles = {one.title for one in own_songs(path).songs}
    assert len(titles) == MOST_SONGS and "More 0" in titles and "A" not in titles
    forget_own_songs(path)
    assert len(own_songs(path)) == 0
    forget_own_songs(path)


@pytest.mark.parametrize("damage", ["cut", "turned", "short row", "letters", "twice", "no file"])
def test_a_damaged_list_is_left_out_with_a_word(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "own.csv.gz"
    keep_own_songs([song(f"Song {n}", f"Artist {n}") for n in range(200)], path)
    whole = path.read_bytes()
    lines = gzip.decompress(whole).decode().splitlines()
    turned = bytearray(whole)
    turned[len(whole) // 2] ^= 0xFF
    content = {
        "cut": whole[: len(whole) // 2],
        "turned": bytes(turned),
        "short row": gzip.compress("\n".join((*lines, "only,two")).encode()),
        "letters": gzip.compress("\n".join((*lines, "x,y" + ",z" * 14)).encode()),
        "twice": gzip.compress("\n".join((*lines, lines[-1])).encode()),
        "no file": b"",
    }[damage]
    path.write_bytes(content)
    with pytest.raises(UserError, match="Add your list again") as raised:
        own_songs(path)
    assert "git" not in str(raised.value)
    add_own_songs([song("New")], path)
    assert [one.title for one in own_songs(path).songs] == ["New"]


def test_a_list_that_cannot_be_kept_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="could not be kept"):
        keep_own_songs([song()], tmp_path / "file" / "own.csv.gz")


# --- exports ----------------------------------------------------------------------------------


@pytest.mark.parametrize("title", ["=1+1", "+1", "-1", "@x", " =1+1", "\t=1", "\n=1", "＝1", "＠x"])
def test_no_title_becomes_a_formula(title: str) -> None:
    text = exports.as_csv([song(title, title)])
    _, row = csv.reader(io.StringIO(text))
    assert row[0] == f"'{title}" and row[1] == f"'{title}"
    assert exports.cell("Song = 2") == "Song = 2" and exports.cell("") == ""


def test_a_queue_can_be_taken_along(catalogue: Catalogue) -> None:
    queue = [
        song("Line\nBreak", "A; B", video_id=VIDEO, duration_s=200),
        song("=SUM(A1)", "C"),
    ]
    lines = exports.as_m3u(queue).splitlines()
    assert lines[0] == "#EXTM3U"
    assert lines[2:4] == [
        "#EXTINF:200,A, B - Line Break",
        f"https://www.youtube.com/watch?v={VIDEO}",
    ]
    assert lines[5].startswith("https://www.youtube.com/results?search_query=")
    rows = list(csv.DictReader(io.StringIO(exports.as_csv(queue))))
    assert rows[1]["title"] == "'=SUM(A1)"
    assert exports.as_link(queue) == f"https://www.youtube.com/watch_videos?video_ids={VIDEO}"
    back = read_own_list(exports.as_csv(queue).encode(), "queue.csv", catalogue).songs
    assert [s.video_id for s in back] == [VIDEO, None]


# --- YouTube Music ----------------------------------------------------------------------------

# As ytmusicapi 1.12 returns them (fields this project does not read left out).
ANSWER = [
    {"category": "Songs", "resultType": "song", "title": "Another One", "videoId": "x" * 11,
     "artists": [{"name": "Some Band", "id": "UC1"}], "duration": "3:20", "duration_seconds": 200},
    {"category": "Songs", "resultType": "song", "title": "Zombie Song (Karaoke)",
     "videoId": "k" * 11, "artists": [{"name": "Some Band", "id": "UC1"}], "duration_seconds": 200},
    {"category": "Songs", "resultType": "song", "title": "Zombie Song", "videoId": "c" * 11,
     "artists": [{"name": "Cover People", "id": "UC2"}], "duration_seconds": 201},
    {"category": "Songs", "resultType": "song", "title": "Zombie Song", "videoId": "l" * 11,
     "artists": [{"name": "Some Band", "id": "UC1"}], "duration_seconds": 420},
    {"category": "Songs", "resultType": "song", "title": "Zombie Song (2009 Remaster)",
     "videoId": VIDEO, "artists": [{"name": "Some Band", "id": "UC1"}], "duration_seconds": 203},
]  # fmt: skip
BROKEN_RESULTS: list[Any] = [
    None,
    "text",
    {},
    {"title": "Zombie Song"},
    {"title": None, "videoId": VIDEO},
    {"title": "Zombie Song", "videoId": None, "artists": [{"name": "Some Band"}]},
    {"title": "Zombie Song", "videoId": "short", "artists": [{"name": "Some Band"}]},
    {"title": "Zombie Song", "videoId": VIDEO, "artists": None},
    {"title": "Zombie Song", "videoId": VIDEO, "artists": [{"name": None}, "text", None]},
]


class FakeClient:
    def __init__(self, search: Callable[..., Any], playlist: Any = None) -> None:
        self.asked: list[tuple[str, str]] = []
        self._search, self._playlist = search, playlist

    def search(self, query: str, filter: str, limit: int) -> Any:
        self.asked.append((query, filter))
        return self._search(filter)

    def get_playlist(self, identifier: str, limit: int) -> Any:
        self.asked.append(("playlist", identifier))
        return self._playlist


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def discover(
    tmp_path: Path, search: Callable[..., Any], clock: Clock | None = None, **options: Any
) -> tuple[Discovery, FakeClient]:
    client = FakeClient(search, options.pop("playlist", None))
    found = Discovery(tmp_path, lambda: client, clock or Clock(), **options)
    return found, client


def test_the_right_video_is_chosen_among_versions(tmp_path: Path) -> None:
    found, client = discover(tmp_path, lambda kind: ANSWER)
    assert found.video_of(song(duration_s=205)) == VIDEO
    assert client.asked == [("Some Band Zombie Song", "songs")]
    assert found.problem is None


def test_an_official_video_is_taken_where_no_song_fits(tmp_path: Path) -> None:
    video = {"title": "Some Band - Zombie Song (Official Video)", "videoId": VIDEO,
             "artists": [{"name": "SomeBandVEVO"}], "duration_seconds": 230}  # fmt: skip
    found, client = discover(tmp_path, lambda kind: [video] if kind == "videos" else ANSWER[:3])
    assert found.video_of(song(duration_s=205)) == VIDEO
    assert [kind for _, kind in client.asked] == ["songs", "videos"]


def test_answers_are_kept_until_they_expire(tmp_path: Path) -> None:
    clock = Clock()
    found, client = discover(tmp_path, lambda kind: ANSWER, clock)
    assert found.video_of(song()) and found.video_of(song())
    assert Discovery(tmp_path, lambda: client, clock).video_of(song())
    assert len(client.asked) == 1
    clock.now += discovery.KEEP_FOUND_S + 1
    assert found.video_of(song()) and len(client.asked) == 2


def test_a_miss_is_asked_again_after_a_day(tmp_path: Path) -> None:
    clock = Clock()
    found, client = discover(tmp_path, lambda kind: [], clock)
    assert found.video_of(song()) is None and found.video_of(song()) is None
    assert len(client.asked) == 2  # once among songs, once among videos
    clock.now += discovery.KEEP_MISSED_S + 1
    assert found.video_of(song()) is None and len(client.asked) == 4


@pytest.mark.parametrize("content", ["", "{", "[]", '{"key": 1}', '{"key": "x", "until": "soon"}'])
def test_a_broken_cache_is_ignored(tmp_path: Path, content: str) -> None:
    found, _ = discover(tmp_path, lambda kind: ANSWER)
    found.folder.mkdir(exist_ok=True)
    found._file(f"video {song().id}").write_text(content)
    assert found.video_of(song()) == VIDEO


def test_a_cache_that_cannot_be_written_costs_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    found, _ = discover(tmp_path / "file", lambda kind: ANSWER)
    assert found.video_of(song()) == VIDEO


@pytest.mark.parametrize("result", BROKEN_RESULTS)
def test_results_without_what_a_song_needs_are_passed_over(tmp_path: Path, result: Any) -> None:
    found, _ = discover(tmp_path, lambda kind: [result, ANSWER[-1]])
    assert found.video_of(song()) == VIDEO
    assert found.problem is None


# What ytmusicapi has raised on pages it did not expect, by its issue tracker.
@pytest.mark.parametrize(
    ("error", "says"),
    [
        (KeyError("Unable to find 'header' using path"), "made no sense"),
        (IndexError("list index out of range"), "made no sense"),
        (AttributeError("'NoneType' object has no attribute 'items'"), "made no sense"),
        (json.JSONDecodeError("Expecting value", "", 0), "made no sense"),
        (requests.ConnectionError("no route"), "no connection"),
        (requests.ReadTimeout("slow"), "too long"),
    ],
)
def test_failures_are_said_and_followed_by_a_pause_that_doubles(
    tmp_path: Path, error: Exception, says: str
) -> None:
    clock = Clock()

    def fail(kind: str) -> Any:
        raise error

    found, client = discover(tmp_path, fail, clock)
    assert found.video_of(song()) is None
    assert found.problem and says in found.problem and "queue goes on" in found.problem
    asked = len(client.asked)
    clock.now += 29
    assert found.video_of(song()) is None and len(client.asked) == asked
    clock.now += 2
    found.video_of(song())
    assert len(client.asked) == asked + 1
    clock.now += 59
    found.video_of(song())
    assert len(client.asked) == asked + 1, "the second pause is a minute"
    client._search = lambda kind: ANSWER
    clock.now += 2
    assert found.video_of(song()) == VIDEO and found.problem is None


@pytest.mark.parametrize("nonsense", [None, "text", {"error": 1}, 7])
def test_nonsense_instead_of_a_list_is_a_failure_not_a_miss(tmp_path: Path, nonsense: Any) -> None:
    found, _ = discover(tmp_path, lambda kind: nonsense)
    assert found.video_of(song()) is None
    assert found.problem and "made no sense" in found.problem
    assert list(tmp_path.glob("*.json")) == []


def test_an_answer_that_never_comes_is_not_waited_for(tmp_path: Path) -> None:
    release = threading.Event()
    found, _ = discover(tmp_path, lambda kind: release.wait(20) and ANSWER, patience_s=0.2)
    began = time.monotonic()
    assert found.video_of(song()) is None
    assert time.monotonic() - began < 2
    assert found.problem and "too long" in found.problem
    release.set()


def test_off_means_nothing_is_asked(tmp_path: Path) -> None:
    found, client = discover(tmp_path, lambda kind: ANSWER, enabled=False)
    assert found.video_of(song()) is None and found.problem is None
    found.look_up([song()])
    assert client.asked == []


@pytest.mark.parametrize("body", [b"<html>consent</html>", b"{}", b"", b'{"error": {"code": 429}}'])
def test_the_real_library_on_a_page_it_does_not_expect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    """ytmusicapi itself, with what the wire brings replaced."""
    sent: list[float | None] = []

    def send(self: Any, request: Any, timeout: float | None = None, **_: Any) -> requests.Response:
        sent.append(timeout)
        response = requests.Response()
        response.status_code = 429 if b"429" in body else 200
        response._content, response.url, response.request = body, request.url, request
        response.reason = "as told"
        return response

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)
    found = Discovery(tmp_path, clock=Clock())
    assert found.video_of(song()) is None
    assert sent and set(sent) == {discovery.REQUEST_S}, "every request has its time limit"
    if body != b"{}":
        assert found.problem


def test_songs_are_looked_up_in_the_background_once_and_remembered(tmp_path: Path) -> None:
    history = History(f"sqlite:///{tmp_path / 'history.sqlite'}")
    found, client = discover(tmp_path / "cache", lambda kind: ANSWER)
    wanted = song(duration_s=200)
    found.look_up([wanted, wanted, song("Has One", video_id="h" * 11)], history)
    found.look_up([wanted], history)
    found._waiting.shutdown(wait=True)
    assert found.found == {wanted.id: VIDEO}
    assert len(client.asked) == 1
    assert history.videos() == ({wanted.id: VIDEO}, set())


SECOND = "s" * 11
VERSIONS = [*ANSWER, {**ANSWER[-1], "videoId": SECOND}]


def test_a_video_that_does_not_play_is_not_found_again_after_a_restart(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'history.sqlite'}"
    wanted = song(duration_s=200)
    found, client = discover(tmp_path / "cache", lambda kind: VERSIONS)
    history = History(url)
    found.look_up([wanted], history)
    found._waiting.shutdown(wait=True)
    assert history.videos() == ({wanted.id: VIDEO}, set())
    history.record(Heard(1.0, "unplayable", wanted.id, video_id=VIDEO))
    after, history = Discovery(tmp_path / "cache", lambda: client, Clock()), History(url)
    after.look_up([wanted], history, history.videos()[1])
    after._waiting.shutdown(wait=True)
    assert history.videos() == ({wanted.id: SECOND}, {VIDEO})


def test_a_song_whose_found_video_does_not_play_is_looked_up_once_more(tmp_path: Path) -> None:
    found, client = discover(tmp_path / "cache", lambda kind: VERSIONS)
    wanted = song(duration_s=200)
    found.look_up([wanted])
    found._waiting.submit(lambda: None).result()
    assert found.found == {wanted.id: VIDEO}
    for _ in range(3):
        found.look_up([wanted], None, {VIDEO})
        found._waiting.submit(lambda: None).result()
    assert found.found == {wanted.id: SECOND} and len(client.asked) == 2


def test_a_queue_takes_in_what_was_found_and_leaves_out_what_does_not_play() -> None:
    queue = [
        Recommendation(s, "why", 0.5, 0.5, n)
        for n, s in enumerate(
            (
                song("A"),
                song("B", video_id="b" * 11, alt_ids=("c" * 11,)),
                song("C", video_id="d" * 11),
            )
        )
    ]
    result = with_found(queue, {queue[0].song.id: VIDEO}, {"b" * 11, "d" * 11})
    assert [r.song.video_id for r in result] == [VIDEO, "c" * 11, None]
    assert [r.song.alt_ids for r in result] == [(), (), ()]


TRACKS = {
    "tracks": [
        {"title": "\u202eSunny\nDay", "videoId": "s" * 11,
         "artists": [{"name": "Ann"}, {"name": "Bob"}], "duration_seconds": 200,
         "isAvailable": True, "isExplicit": False},
        {"title": "Gone", "videoId": "g" * 11, "artists": [{"name": "Ann"}], "isAvailable": False},
        {"title": "Ten Hours of Rain", "videoId": "r" * 11, "artists": [{"name": "Ann"}],
         "duration_seconds": 36_000},
        {"title": "Sunny Day - Sped Up", "videoId": "u" * 11, "artists": [{"name": "Ann"}]},
        {"title": "No Artist", "videoId": "n" * 11, "artists": []},
        {"title": "\u202e\u2067", "videoId": "o" * 11, "artists": [{"name": "Ann"}]},
        *BROKEN_RESULTS,
    ]
}  # fmt: skip


def test_songs_for_a_mood_come_from_playlists_and_lie_at_the_mood(
    tmp_path: Path, catalogue: Catalogue
) -> None:
    lists = [{"browseId": "VLabc", "title": "Happy"}, {"browseId": None}, "text"]
    found, client = discover(tmp_path, lambda kind: lists, playlist=TRACKS)
    (new,) = found.songs_for("happy", 0.81, 0.51, catalogue, "Hindi")
    assert client.asked == [("Hindi happy feel good", "featured_playlists"), ("playlist", "abc")]
    assert (new.title, new.artist, new.video_id) == ("Sunny Day", "Ann; Bob", "s" * 11)
    assert (new.explicit, new.source) == (False, "YouTube Music")
    assert new.valence > 0.75 and new.energy > 0.7
    assert found.songs_for("happy", 0.81, 0.51, catalogue, "Hindi") == [new]
    assert len(client.asked) == 2, "the second answer came from the disk"


def test_no_playlists_means_no_songs(tmp_path: Path, catalogue: Catalogue) -> None:
    found, _ = discover(tmp_path, lambda kind: [{"browseId": "VLx"}], playlist={"tracks": None})
    assert found.songs_for("sad", -0.6, -0.3, catalogue) == []


# --- the Data API -----------------------------------------------------------------------------


def answer_with(monkeypatch: pytest.MonkeyPatch, status: int, body: Any) -> list[dict[str, str]]:
    asked: list[dict[str, str]] = []

    def get(url: str, params: dict[str, str], timeout: float) -> requests.Response:
        asked.append(params)
        response = requests.Response()
        response.status_code = status
        response._content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return response

    monkeypatch.setattr(requests, "get", get)
    return asked


def test_videos_that_may_not_be_embedded_are_known_beforehand(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ids = [f"video{n:06d}" for n in range(60)]
    items = [
        {"id": ids[0], "status": {"embeddable": True, "uploadStatus": "processed"}},
        {"id": ids[1], "status": {"embeddable": False, "uploadStatus": "processed"}},
        {"id": ids[2], "status": {"embeddable": True, "uploadStatus": "rejected"}},
    ]
    asked = answer_with(monkeypatch, 200, {"items": items})
    answer = embeddable.embeddable([*ids, "nonsense"], "secret-key")
    assert [len(params["id"].split(",")) for params in asked] == [50, 10]
    assert answer.allowed == {ids[0]} and {ids[1], ids[2], ids[9]} <= answer.refused
    assert answer.problem is None


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (403, {"error": {}}, "no quota left"),
        (400, {"error": {}}, "does not accept the key"),
        (500, b"oops", "out of order"),
        (200, b"<html>", "no usable answer"),
        (200, {"items": [{"id": "x"}]}, "no usable answer"),
        (200, [], "no usable answer"),
    ],
)
def test_the_data_api_out_of_order_judges_nothing(
    monkeypatch: pytest.MonkeyPatch, status: int, body: Any, says: str
) -> None:
    answer_with(monkeypatch, status, body)
    answer = embeddable.embeddable([VIDEO], "secret-key")
    assert answer.problem and says in answer.problem and "secret-key" not in answer.problem
    assert not answer.allowed and not answer.refused


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(embeddable.KEY_VARIABLE, raising=False)
    assert embeddable.key_from_environment() is None
    monkeypatch.setenv(embeddable.KEY_VARIABLE, " k ")
    assert embeddable.key_from_environment() == "k"


class YouTubeData:
    """Stands for the Data API: what it was asked, and what it answers."""

    def __init__(self, *answers: embeddable.Answer) -> None:
        self.answers, self.asked = list(answers), list[set[str]]()

    def __call__(self, videos: Iterable[str], key: str) -> embeddable.Answer:
        self.asked.append(set(videos))
        return self.answers.pop(0)


def test_refused_videos_are_remembered_and_the_queue_does_without(tmp_path: Path) -> None:
    songs = [Song("a", "A", "B", video_id="a" * 11), Song("b", "B", "B", video_id="b" * 11)]
    api = YouTubeData(embeddable.Answer(frozenset({"a" * 11}), frozenset({"b" * 11})))
    checks = embeddable.Checks("key", api)
    past = History(f"sqlite:///{tmp_path / 'history.sqlite'}")
    for _ in range(3):
        checks.look_up(songs, past)
    checks._asking.shutdown()
    assert api.asked == [{"a" * 11, "b" * 11}]
    assert past.videos() == ({}, {"b" * 11})
    assert checks.refused == {"b" * 11}  # known where no history is kept, too
    assert checks.problem is None


def test_a_data_api_that_cannot_answer_says_so_and_is_left_alone_for_a_while(
    tmp_path: Path,
) -> None:
    songs = [Song("a", "A", "B", video_id="a" * 11)]
    none = embeddable.Answer(frozenset(), frozenset(), "no quota left")
    api = YouTubeData(none, embeddable.Answer(frozenset({"a" * 11}), frozenset()))
    now = [0.0]
    checks = embeddable.Checks("key", api, clock=lambda: now[0])
    past = History(f"sqlite:///{tmp_path / 'history.sqlite'}")
    checks.look_up(songs, past)
    checks._asking.submit(lambda: None).result()  # one thread: what was asked before is done
    assert checks.problem == "no quota left"
    checks.look_up(songs, past)
    checks._asking.submit(lambda: None).result()
    assert len(api.asked) == 1
    now[0] = embeddable.PAUSE_S + 1
    checks.look_up(songs, past)
    checks._asking.shutdown()
    assert len(api.asked) == 2
    assert checks.problem is None


def test_without_a_key_nobody_is_asked(tmp_path: Path) -> None:
    api = YouTubeData()
    checks = embeddable.Checks(None, api)
    past = History(f"sqlite:///{tmp_path / 'h.sqlite'}")
    checks.look_up([Song("a", "A", "B", video_id="a" * 11)], past)
    checks._asking.shutdown()
    assert api.asked == []
