"""Database tests: the history on SQLite and, where its programs are installed, on a PostgreSQL
server of the test's own; then the journal made from it."""

from __future__ import annotations

import csv
import datetime as dt
import getpass
import io
import json
import os
import pwd
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, text

from moodmesh.errors import UserError
from moodmesh.songs import journal, tables
from moodmesh.songs.history import Felt, Heard, History
from moodmesh.songs.tables import database_url, metadata, open_database

ROOT = Path(__file__).parent.parent
VIDEO = "v" * 11


def _program(name: str) -> str | None:
    homes = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    return str(homes[0]) if homes else shutil.which(name)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a PostgreSQL server that lives as long as the tests."""
    initdb, server = _program("initdb"), _program("postgres")
    if not initdb or not server:
        # Continuous integration, which installs them, must not pass without.
        stop = pytest.fail if os.environ.get("MOODMESH_NEEDS_BROWSER") else pytest.skip
        stop("no PostgreSQL server programs installed (apt-get install postgresql)")
    account = getpass.getuser()
    if os.getuid() == 0:
        # PostgreSQL refuses to run as root.
        account = next((u for u in ("postgres", "nobody") if _exists(u)), "")
        if not account:
            pytest.skip("PostgreSQL does not run as root, and there is no other account to use")
    folder = tempfile.mkdtemp(prefix="moodmesh-postgres-", dir="/tmp")
    as_user: dict[str, object] = {}
    if os.getuid() == 0:
        shutil.chown(folder, account)
        as_user = {"user": account, "extra_groups": [], "cwd": folder}
    data = f"{folder}/data"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run(
        [initdb, "-D", data, "-U", "moodmesh", "-A", "trust", "--no-sync", "-E", "UTF8"],
        check=True, **quiet, **as_user,  # type: ignore[call-overload]
    )  # fmt: skip
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [server, "-D", data, "-p", str(port), "-k", folder, "-c", "listen_addresses=127.0.0.1",
         "-c", "fsync=off"],
        **quiet, **as_user,  # type: ignore[call-overload]
    )  # fmt: skip
    address = f"postgresql://moodmesh@127.0.0.1:{port}/postgres"
    ready = _program("pg_isready")
    for _ in range(100):
        if (
            subprocess.run([str(ready), "-h", "127.0.0.1", "-p", str(port)], **quiet).returncode
            == 0
        ):  # type: ignore[call-overload]
            break
        threading.Event().wait(0.1)
    yield address
    process.send_signal(signal.SIGINT)  # does not wait for clients to leave
    process.wait(10)
    shutil.rmtree(folder, ignore_errors=True)


def _exists(account: str) -> bool:
    try:
        pwd.getpwnam(account)
    except KeyError:
        return False
    return True


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'history.sqlite'}"
    address = str(request.getfixturevalue("postgres"))
    engine = tables._engine(database_url(address))
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    return address


class Clock:
    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def heard(song: str = "song", kind: str = "playing", at: float = 1_800_000_000.0, **more) -> Heard:  # type: ignore[no-untyped-def]
    return Heard(at, kind, song, **{"title": song.title(), "artist": "Ann", **more})


def test_events_come_back_as_they_were(url: str) -> None:
    event = heard(
        title="<b>'; DROP TABLE events; --\u202e 🎉", artist="Ångström; 宇多田", video_id=VIDEO,
        position_s=12, duration_s=200, mood="sad", valence=-0.63, arousal=-0.27, mode="lift",
    )  # fmt: skip
    History(url).record(event)
    assert History(url).events() == [event]
    assert History(url, listener="somebody else").events() == []


def test_the_migrations_make_exactly_the_tables_the_code_uses(url: str) -> None:
    engine = open_database(url)
    found = inspect(engine)
    for table in metadata.tables.values():
        columns = {c["name"]: c["nullable"] for c in found.get_columns(table.name)}
        assert columns == {c.name: c.nullable for c in table.columns}
        assert {i["name"] for i in found.get_indexes(table.name)} >= {i.name for i in table.indexes}
    open_database(url)
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(Path(tables.__file__).parent / "migrations"))
    assert scripts.get_current_head() == tables.NEWEST


def test_writing_the_same_event_twice_leaves_one(url: str) -> None:
    event = heard()
    history = History(url)
    history.record(event)
    history.record(event, heard("other"))
    assert [e.song_id for e in history.events()] == ["song", "other"]


def test_a_span_a_kind_and_the_newest_can_be_asked_for(url: str) -> None:
    history = History(url)
    history.record(
        *(heard(f"s{n}", "playing" if n % 2 else "liked", at=1000.0 + n) for n in range(9))
    )
    assert [e.song_id for e in history.events(1003, 1006)] == ["s3", "s4", "s5"]
    assert [e.song_id for e in history.events(kinds=("liked",))] == ["s0", "s2", "s4", "s6", "s8"]
    assert [e.song_id for e in history.events(limit=2)] == ["s7", "s8"]


def test_a_mood_that_lasts_is_one_stretch(url: str) -> None:
    clock = Clock()
    history = History(url, clock=clock)
    began = clock.now
    for label, seconds in (("happy", 60), ("sad", 30), ("happy", 5)):
        for _ in range(seconds):
            clock.now += 1
            history.felt(label, 0.5, 0.5)
    clock.now += 1000
    history.felt("happy", 0.5, 0.5)
    spans = [(m.label, m.began - began, m.ended - began) for m in history.moods()]
    assert [s[0] for s in spans] == ["happy", "sad", "happy", "happy"]
    assert spans[0][1:] == (1, 60) and spans[1][1:] == (61, 90) and spans[2][2] == 95


def test_songs_heard_lately_are_less_fresh(url: str) -> None:
    clock = Clock()
    history = History(url, clock=clock)
    day = 86_400.0
    for song, age in (("now", 0.0), ("week", 7.0), ("month", 30.0), ("long ago", 90.0)):
        history.record(heard(song, at=clock.now - age * day))
    history.record(heard("only liked", "liked", at=clock.now))
    fresh = history.freshness()
    assert fresh["now"] < fresh["week"] < fresh["month"] < 1
    assert fresh["now"] < 0.1 and fresh["month"] > 0.9
    assert "long ago" not in fresh and "only liked" not in fresh


def test_the_last_word_on_a_song_counts(url: str) -> None:
    history = History(url)
    for n, (song, kind) in enumerate(
        [("a", "liked"), ("b", "disliked"), ("a", "unliked"), ("b", "liked"), ("c", "disliked")]
    ):
        history.record(heard(song, kind, at=1000.0 + n))
    assert history.verdicts() == ({"b"}, {"c"})


def test_videos_found_and_unplayable_are_remembered(url: str) -> None:
    history = History(url)
    history.found_video("song", "a" * 11, "search")
    history.record(heard("song", "unplayable", video_id="b" * 11))
    assert History(url).videos() == ({"song": "a" * 11}, {"b" * 11})
    history.record(heard("song", "unplayable", video_id="a" * 11))
    assert History(url).videos() == ({}, {"a" * 11, "b" * 11})


def test_a_video_that_was_tried_in_vain_is_not_found_again(url: str) -> None:
    History(url).record(heard("song", "unplayable", video_id="a" * 11))
    again = History(url)
    again.found_video("song", "a" * 11, "search")
    assert again.videos() == ({}, {"a" * 11})


def test_a_listener_can_delete_a_span_or_everything_of_their_own(url: str) -> None:
    history, other = History(url), History(url, listener="other")
    other.record(heard())
    history.record(*(heard(f"s{n}", at=1000.0 + n) for n in range(5)))
    history.felt("happy", 0.8, 0.5)
    assert history.delete(1001, 1003) == 2
    assert [e.song_id for e in history.events()] == ["s0", "s3", "s4"]
    assert history.delete() == 4
    assert (history.events(), history.moods()) == ([], [])
    assert len(other.events()) == 1


@pytest.mark.parametrize(
    ("began", "ended", "left"),
    [
        (1000, 2000, [(900, 1000), (2000, 2500)]),
        (0, 1000, [(1000, 2500)]),
        (1500, 1600, [(900, 1500), (1600, 2500)]),
        (2000, 3000, [(900, 2000)]),
        (2500, 3000, [(900, 2500)]),
        (0, 900, [(900, 2500)]),
        (900, 2501, []),
    ],
)
def test_of_a_mood_that_reaches_over_a_span_the_rest_stays(
    url: str, began: float, ended: float, left: list[tuple[float, float]]
) -> None:
    clock = Clock(900.0)
    history, other = History(url, clock=clock), History(url, listener="other", clock=clock)
    while clock.now <= 2500:
        history.felt("sad", -0.6, -0.3)
        other.felt("sad", -0.6, -0.3)
        clock.now += 100
    history.delete(began, ended)
    told = [(m.began, m.ended, m.label, m.valence) for m in history.moods()]
    assert told == [(a, b, "sad", -0.6) for a, b in left]
    assert [(m.began, m.ended) for m in other.moods()] == [(900, 2500)]
    history.felt("sad", -0.6, -0.3)
    assert len(history.moods()) == len(left) + 1


def test_many_may_open_a_new_database_at_once(url: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        engines = list(pool.map(lambda _: open_database(url), range(8)))
    assert all(inspect(engine).has_table("events") for engine in engines)


WRITER = """
import sys
from moodmesh.songs.history import Heard, History
import threading
history = History(sys.argv[1])
def write(name):
    for n in range(25):
        history.record(Heard(1000.0 + n, "playing", f"{sys.argv[2]}-{name}-{n}"))
threads = [threading.Thread(target=write, args=(name,)) for name in range(4)]
[t.start() for t in threads]; [t.join() for t in threads]
while not history.flush(patiently=True):
    pass
"""


def test_concurrent_writers_lose_nothing(url: str) -> None:
    """Three processes of four threads each start on a database that does not exist yet."""
    processes = [
        subprocess.Popen([sys.executable, "-c", WRITER, url, str(n)], cwd=ROOT) for n in range(3)
    ]
    assert [p.wait(60) for p in processes] == [0, 0, 0]
    assert len({e.song_id for e in History(url).events()}) == 3 * 4 * 25


def test_a_locked_database_delays_the_journal_not_the_music(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    history = History(f"sqlite:///{path}")
    history.record(heard("before"))
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    history.record(heard("while locked"))
    assert history.waiting == 1
    assert history.problem and "music goes on" in history.problem and "locked" in history.problem
    history.record(heard("still locked"))
    blocker.execute("COMMIT")
    assert history.flush(patiently=True)
    assert history.problem is None
    assert [e.song_id for e in history.events()] == ["before", "while locked", "still locked"]


def test_a_locked_table_of_a_server_delays_the_journal_not_the_music(postgres: str) -> None:
    history = History(postgres)
    assert history.events(limit=1) is not None
    other = create_engine(database_url(postgres))
    with other.begin() as connection:
        connection.execute(text("LOCK TABLE events IN ACCESS EXCLUSIVE MODE"))
        # In a thread, so that waiting for ever fails here; the lock ends with this block.
        thread = threading.Thread(target=history.record, args=[heard(uid="while-locked")])
        thread.start()
        thread.join(20)
        assert not thread.is_alive(), "a locked table is not waited for"
        assert history.waiting == 1 and "the music goes on" in (history.problem or "")
        assert history.events() == []
    assert history.flush(patiently=True) and history.problem is None
    assert any(one.uid == "while-locked" for one in history.events())
    history.delete()
    other.dispose()


def test_a_server_that_dropped_its_connections_is_asked_again(postgres: str) -> None:
    history = History(postgres)
    history.record(heard(uid="before"))
    other = create_engine(database_url(postgres))
    with other.begin() as connection:
        connection.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> "
                 "pg_backend_pid() AND backend_type = 'client backend'")
        )  # fmt: skip
    history.record(heard(uid="after"))
    assert history.flush(patiently=True)
    assert {one.uid for one in history.events()} >= {"before", "after"}
    history.delete()
    other.dispose()


def test_a_vanished_database_delays_the_journal(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_text("in the way of a folder")
    history = History(f"sqlite:///{place / 'history.sqlite'}")
    history.record(heard())
    assert history.problem and history.waiting == 1
    assert history.events() == [] and history.freshness() == {}
    with pytest.raises(UserError, match="Nothing was deleted"):
        history.delete()
    place.unlink()
    assert history.flush(patiently=True) and len(history.events()) == 1


def test_a_full_disk_delays_the_journal(tmp_path: Path) -> None:
    history = History(f"sqlite:///{tmp_path / 'history.sqlite'}")
    history.record(heard("fits"))
    engine = history._open()
    from sqlalchemy import event as sqlalchemy_event

    @sqlalchemy_event.listens_for(engine, "begin")
    def fill(connection) -> None:  # type: ignore[no-untyped-def]
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")

    history.record(heard("does not fit", title="x" * 100_000))
    assert history.waiting == 1 and history.problem and "full" in history.problem
    sqlalchemy_event.remove(engine, "begin", fill)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count=1000000")
    assert history.flush(patiently=True) and len(history.events()) == 2


def test_a_server_out_of_reach_is_reported_without_its_password() -> None:
    history = History("postgresql://ann:secret@127.0.0.1:9/none")
    history.record(heard())
    assert history.problem and "secret" not in history.problem and "127.0.0.1" in history.problem


def test_a_silent_server_is_not_waited_for_again_and_again() -> None:
    with socket.socket() as silent:  # takes connections and never answers
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        history = History(f"postgresql://ann@127.0.0.1:{silent.getsockname()[1]}/none")
        known = {"song": VIDEO}, {"b" * 11}
        history._videos = known
        began = time.monotonic()
        assert history.events() == []
        once = time.monotonic() - began
        assert history.problem
        for _ in range(20):
            assert (history.events(), history.moods(), history.freshness()) == ([], [], {})
            assert history.videos() == known
        assert time.monotonic() - began < once + 1


def test_a_server_that_is_back_clears_the_word_about_it(postgres: str) -> None:
    history = History(postgres)
    history._failed(OSError("gone"))
    assert history.events() == [] and history.problem
    history._not_before = 0.0
    history.events()
    assert history.problem is None


@pytest.mark.parametrize(
    ("address", "says"),
    [("not an address", "not a database address"), ("oracle://x/y", "SQLite or PostgreSQL")],
)
def test_a_wrong_address_is_explained(address: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        open_database(address)


def test_the_address_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(tables.URL_VARIABLE, "postgres://ann@host/songs")
    assert database_url().drivername == "postgresql+psycopg"
    monkeypatch.delenv(tables.URL_VARIABLE)
    monkeypatch.setenv("XDG_DATA_HOME", "/somewhere")
    assert database_url().database == "/somewhere/moodmesh/history.sqlite"


def test_a_history_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'history.sqlite'}"
    with open_database(url).execution_options(writes=True).begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num='9999'"))
    with pytest.raises(UserError, match="newer moodmesh"):
        open_database(url)


# --- the journal ----------------------------------------------------------------------------

PARIS = journal.zone("Europe/Paris")


def at(text_time: str) -> float:
    return dt.datetime.fromisoformat(text_time).replace(tzinfo=PARIS).timestamp()


@pytest.fixture
def lived(tmp_path: Path) -> History:
    history = History(f"sqlite:///{tmp_path / 'history.sqlite'}")
    history.record(
        heard("one", "playing", at("2026-03-28T23:00"), duration_s=200, mood="sad"),
        heard("one", "finished", at("2026-03-28T23:03:20"), duration_s=200),
        heard("two", "playing", at("2026-03-29T09:00"), duration_s=240, mood="happy"),
        heard("two", "liked", at("2026-03-29T09:00:30")),
        heard("two", "skipped_late", at("2026-03-29T09:01")),
        heard("=three", "playing", at("2026-03-29T09:01"), duration_s=180),
        heard("four", "playing", at("2026-03-29T09:02"), duration_s=180),
    )
    with history._open().execution_options(writes=True).begin() as connection:
        felt = Felt(at("2026-03-29T08:59"), at("2026-03-29T09:05"), "happy", 0.8, 0.5)
        row = {name: getattr(felt, name) for name in Felt.__dataclass_fields__}
        connection.execute(tables.moods.insert().values(**row, listener="local"))
    return history


def test_days_hold_moods_and_songs_in_the_listeners_zone(lived: History) -> None:
    days = journal.days(lived, PARIS)
    assert [d.date.isoformat() for d in days] == ["2026-03-29", "2026-03-28"]
    sunday, saturday = days
    assert [m.label for m in sunday.moods] == ["happy"]
    told = [(p.song_id, round(p.ended - p.began), p.outcome, p.liked) for p in sunday.plays]
    assert told == [
        ("two", 60, "skipped", True),
        ("=three", 60, "playing", False),
        ("four", 180, "playing", False),
    ]
    assert saturday.plays[0].outcome == "finished"
    assert journal.days(lived, PARIS, last=1) == [sunday]


def test_a_day_may_have_twenty_three_hours() -> None:
    began, ended = journal.span(dt.date(2026, 3, 29), PARIS)
    assert ended - began == 23 * 3600


def test_a_day_can_be_deleted(lived: History) -> None:
    assert journal.delete_day(lived, dt.date(2026, 3, 29), PARIS) == 6
    assert [d.date.isoformat() for d in journal.days(lived, PARIS)] == ["2026-03-28"]


def test_the_journal_can_be_taken_along(lived: History) -> None:
    rows = list(csv.DictReader(io.StringIO(journal.as_csv(journal.days(lived, PARIS), PARIS))))
    assert [r["kind"] for r in rows] == ["song", "mood", "song", "song", "song"]
    assert rows[0]["from"] == "2026-03-28T23:00:00+01:00"
    assert rows[3]["title"].startswith("'="), "a title must not become a formula"
    everything = json.loads(journal.as_json(lived))
    assert len(everything["events"]) == 7 and len(everything["moods"]) == 1


def test_an_unknown_zone_is_utc() -> None:
    assert journal.zone("Mars/Olympus") is dt.UTC
