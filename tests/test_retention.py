"""Unit: what is too old is deleted for good, of everybody; what is not stays."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from moodmesh import people, retention, takes
from moodmesh.settings import Privacy
from moodmesh.songs.history import Heard, History, NoHistory
from moodmesh.songs.journal import as_json
from moodmesh.takes import Take

NOW_S = 1_800_000_000.0
DAY_S = 86_400.0


def write_take(folder: Path, days_ago: float) -> Path:
    one = Take(
        "happy",
        np.ones((2, 478, 3), np.float32),
        np.ones((2, 52), np.float32),
        np.ones((2, 4, 4), np.float32),
        (640, 480),
        np.arange(2),
    )
    made = datetime.fromtimestamp(NOW_S - days_ago * DAY_S, UTC)
    path = takes.write(one, folder)
    return path.rename(path.with_name(f"{made:%Y%m%dT%H%M%SZ}-{path.name.split('-')[1]}"))


def heard(history: History, song: str, days_ago: float) -> None:
    at = NOW_S - days_ago * DAY_S
    history.record(Heard(at, "playing", song, title=f"Title of {song}"))
    history.clock = lambda: at
    history.felt("happy", 0.8, 0.5)
    history.flush()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "history.sqlite"


def test_old_takes_of_everybody_go_and_young_ones_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(people.FOLDER_VARIABLE, str(tmp_path / "people"))
    home = people.Person("local", tmp_path / "home", tmp_path / "m", tmp_path / "s")
    monkeypatch.setattr(people, "HOME", home)
    other = people.of_claims({"iss": "https://i", "sub": "bob"})
    old = [write_take(folder, 31) for folder in (home.takes, other.takes)]
    young = [write_take(folder, 29) for folder in (home.takes, other.takes)]
    os.utime(young[0], (0, 0))  # a copy of the folder brings other file times
    assert retention.purge(Privacy(takes_days=30), NOW_S).takes == 2
    assert not any(path.exists() for path in old)
    assert all(path.exists() for path in young)


def test_old_rows_of_every_listener_go_from_the_disk(database: Path) -> None:
    url = f"sqlite:///{database}"
    for listener in ("local", "bob"):
        history = History(url, listener)
        heard(history, f"vanishing-{listener}", 31)
        heard(history, f"staying-{listener}", 29)
    gone = retention.purge(Privacy(history_days=30), NOW_S, database=url)
    assert gone.rows == 4
    for listener in ("local", "bob"):
        (event,) = History(url, listener).events()
        assert event.song_id == f"staying-{listener}"
        assert len(History(url, listener).moods()) == 1
    on_disk = b"".join(path.read_bytes() for path in database.parent.glob("history.sqlite*"))
    assert b"staying-bob" in on_disk
    assert b"vanishing" not in on_disk


def test_what_a_listener_deletes_is_gone_from_the_disk(database: Path) -> None:
    history = History(f"sqlite:///{database}")
    heard(history, "vanishing", 1)
    assert history.delete() == 2
    on_disk = b"".join(path.read_bytes() for path in database.parent.glob("history.sqlite*"))
    assert b"vanishing" not in on_disk


def test_for_ever_deletes_nothing_and_opens_nothing(database: Path, tmp_path: Path) -> None:
    path = write_take(tmp_path / "takes", 9_000)
    gone = retention.purge(Privacy(), NOW_S, [tmp_path / "takes"], f"sqlite:///{database}")
    assert gone == retention.Purged(0, 0)
    assert path.exists() and not database.exists()


def test_a_history_that_is_not_kept_touches_no_disk(database: Path) -> None:
    history = NoHistory(f"sqlite:///{database}")
    heard(history, "song", 0)
    history.found_video("song", "abcdefghijk", "test")
    assert (history.events(), history.moods(), history.delete()) == ([], [], 0)
    assert history.verdicts() == (set(), set()) and history.freshness() == {}
    assert '"events": []' in as_json(history)
    assert history.problem is None and history.waiting == 0
    assert not database.exists()


def test_a_stretch_of_mood_goes_when_its_end_is_too_old(database: Path) -> None:
    url = f"sqlite:///{database}"
    history = History(url)
    history.clock = lambda: NOW_S - 2 * DAY_S
    history.felt("sad", -0.6, -0.3)
    history.clock = lambda: NOW_S
    assert retention.purge(Privacy(history_days=1), NOW_S, database=url).rows == 1
    assert History(url).moods() == []
