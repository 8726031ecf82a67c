"""Unit tests of the journal's page: what it writes into the page, and over which hours."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from moodmesh.errors import UserError
from moodmesh.pages import journal as page
from moodmesh.pages import session
from moodmesh.songs import journal
from moodmesh.songs.history import Felt, History
from moodmesh.songs.journal import Day, Played

PARIS = journal.zone("Europe/Paris")
DATE = dt.date(2026, 3, 28)


def at(clock: str) -> float:
    return dt.datetime.fromisoformat(f"{DATE}T{clock}").replace(tzinfo=PARIS).timestamp()


def played(began: str, ended: str, title: str = "Song", artist: str = "Ann") -> Played:
    return Played(at(began), at(ended), "id", title, artist, None, "sad", "finished", False)


def test_hostile_titles_are_only_text() -> None:
    hostile = "</a><script>alert(1)</script>\u202e 🎉"
    one = played("10:00", "10:04", hostile, '"><img src=x onerror=alert(1)>')
    day = Day(DATE, (Felt(at("10:00"), at("10:04"), "<b>wink</b>", 0, 0),), (one,))
    written = page._song(one, PARIS) + page._band(day, PARIS) + page._legend(day)
    for tag in ("<script", "<img", "<b>"):
        assert tag not in written
    assert "&lt;script&gt;" in written


@pytest.mark.parametrize(
    ("began", "ended", "first", "last"),
    [
        ("10:20", "15:05", "10:00", "16:00"),
        ("10:20", "10:25", "10:00", "13:00"),
        ("23:40", "23:44", "21:00", "23:59:59"),
        ("00:00", "00:04", "00:00", "03:00"),
    ],
)
def test_a_day_shows_the_hours_around_what_happened(
    began: str, ended: str, first: str, last: str
) -> None:
    hours = page._hours(Day(DATE, (), (played(began, ended),)), PARIS)
    assert hours == pytest.approx((at(first), at(last)), abs=1)


def test_a_day_with_moods_and_no_songs_is_drawn() -> None:
    """A camera may be on before the first song."""

    def draw() -> None:
        from moodmesh.pages import journal as page
        from moodmesh.songs.history import Felt
        from moodmesh.songs.journal import Day
        from tests.test_journal_page import DATE, PARIS, at

        page._day(Day(DATE, (Felt(at("10:00"), at("10:04"), "happy", 0.8, 0.5),), ()), PARIS)

    app = AppTest.from_function(draw).run(timeout=60)
    assert not app.exception
    assert "0 songs, mostly happy" in app.markdown[0].value


def test_a_mood_over_midnight_belongs_to_both_days(tmp_path: Path) -> None:
    now = [at("23:59")]
    history = History(f"sqlite:///{tmp_path / 'history.sqlite'}", clock=lambda: now[0])
    for _ in range(4):
        history.felt("happy", 0.8, 0.5)
        now[0] += 60
    later, earlier = journal.days(history, PARIS)
    assert (earlier.date, later.date) == (DATE, DATE + dt.timedelta(days=1))
    assert earlier.moods[0].ended == later.moods[0].began == at("23:59") + 60
    journal.delete_day(history, later.date, PARIS)
    assert [day.date for day in journal.days(history, PARIS)] == [DATE]


def test_deleting_the_first_day_of_a_mood_leaves_the_second(tmp_path: Path) -> None:
    now = [at("23:59")]
    history = History(f"sqlite:///{tmp_path / 'history.sqlite'}", clock=lambda: now[0])
    for _ in range(4):
        history.felt("happy", 0.8, 0.5)
        now[0] += 60
    journal.delete_day(history, DATE, PARIS)
    (later,) = journal.days(history, PARIS)
    assert later.date == DATE + dt.timedelta(days=1)
    assert later.moods[0].ended - later.moods[0].began == 120


@pytest.mark.parametrize("dialog", ["_confirm", "_confirm_day"])
def test_a_journal_that_cannot_be_deleted_says_so(
    dialog: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stuck(History):
        def delete(self, began: float | None = None, ended: float | None = None) -> int:
            raise UserError("Nothing was deleted: locked.")

    def draw(dialog: str) -> None:
        from moodmesh.pages import journal as page
        from tests.test_journal_page import DATE, PARIS

        getattr(page, dialog)(*((DATE, PARIS) if dialog == "_confirm_day" else ()))

    monkeypatch.setattr(session, "history", Stuck)
    app = AppTest.from_function(draw, args=(dialog,)).run(timeout=60)
    app.button[0].click().run(timeout=60)
    assert not app.exception
    assert app.error[0].value == "Nothing was deleted: locked."
