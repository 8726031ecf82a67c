"""Journal: what was played and how you looked, week by week and day by day; yours to take along
and to delete.
"""

from __future__ import annotations

import datetime as dt
import html
from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from moodmesh import settings
from moodmesh.colours import hex_of, shape_of
from moodmesh.errors import UserError
from moodmesh.mood import LOOKS
from moodmesh.pages import session
from moodmesh.pages.component import component
from moodmesh.songs import journal
from moodmesh.songs.journal import Day, Played
from moodmesh.songs.youtube import song_link

DAYS_A_WEEK = 7
HOUR_S, DAY_S = 3_600.0, 86_400.0
# A day's band shows the hours with something in them, at least so many: a song is four minutes.
FEWEST_HOURS = 3
# A stretch of seconds would be thinner than a hair.
NARROWEST_PERCENT = 0.35
_OUTCOMES = {"skipped": "skipped", "disliked": "not for you"}


def page() -> None:
    """Draws the page."""
    st.title("Journal", anchor=False)
    history = session.history()
    history.flush()
    where = journal.zone(st.context.timezone)
    days = journal.days(history, where)
    if history.problem:
        st.warning(history.problem)
    if not days:
        st.markdown(
            "Nothing is kept here: this server is set up to forget what was played."
            if settings.current().privacy.history_days == 0
            else "Nothing here yet. Once you listen, each day becomes a band of the moods you "
            "showed, with the songs on it."
        )
        return
    chosen = _week(days, where)
    _day(chosen, where)
    st.subheader("Keep it or clear it", anchor=False)
    st.markdown(_kept())
    row = st.container(horizontal=True)
    row.download_button(
        "Download as CSV", journal.as_csv(days, where), "moodmesh-journal.csv", "text/csv"
    )
    row.download_button(
        "Download everything as JSON",
        journal.as_json(history),
        "moodmesh-journal.json",
        "application/json",
    )
    if row.button("Delete the journal", icon=":material/delete:"):
        _confirm()


def _kept() -> str:
    kept = settings.current().privacy.history_days
    until = f"for {kept} days, or until you delete it" if kept else "until you delete it"
    return f"The journal stays on the machine this app runs on, {until}."


# --- the week ---------------------------------------------------------------------------------


def _week(days: Sequence[Day], where: dt.tzinfo) -> Day:
    """A week as seven small days; the one to look at."""
    by_date = {day.date: day for day in days}
    asked = st.session_state.get("journal_day")
    chosen = by_date.get(asked) or days[0] if isinstance(asked, dt.date) else days[0]
    # Weeks end today, so that the newest one is a whole one.
    today = dt.datetime.now(where).date()
    last = chosen.date + dt.timedelta(days=(today - chosen.date).days % DAYS_A_WEEK)
    dates = [last - dt.timedelta(days=n) for n in reversed(range(DAYS_A_WEEK))]
    earlier = max((date for date in by_date if date < dates[0]), default=None)
    later = min((date for date in by_date if date > last), default=None)
    head = st.container(horizontal=True, vertical_alignment="center", key="weeks")
    head.markdown(f"**{_span(dates)}** · {_in_words([by_date[d] for d in dates if d in by_date])}")
    for label, icon, date in (
        ("Earlier week", "chevron_left", earlier),
        ("Later week", "chevron_right", later),
    ):
        if head.button(label, icon=f":material/{icon}:", disabled=date is None):
            st.session_state["journal_day"] = date
            st.rerun()
    pressed = component("week")(
        key="week",
        data={"days": [_small(date, by_date.get(date), where, chosen.date) for date in dates]},
        on_day_change=lambda: None,
    ).day
    if isinstance(pressed, str) and pressed != chosen.date.isoformat():
        st.session_state["journal_day"] = next(d for d in by_date if d.isoformat() == pressed)
        st.rerun()
    return chosen


def _small(date: dt.date, day: Day | None, where: dt.tzinfo, chosen: dt.date) -> dict[str, Any]:
    """One day as the component draws it; times are shares of the day."""
    began, ended = journal.span(date, where)

    def share(at: float) -> float:
        return round(max(0.0, min(1.0, (at - began) / (ended - began))), 4)

    count = len(day.plays) if day else 0
    return {
        "iso": date.isoformat(),
        "name": f"{date:%a}",
        "date": str(date.day),
        "count": str(count) if day else "",
        "spoken": f"{date:%A} {date.day} {date:%B}, {_songs(count)}",
        "chosen": date == chosen,
        "empty": day is None,
        "moods": [
            {"from": share(m.began), "to": share(m.ended), "colour": hex_of(m.label)}
            for m in (day.moods if day else ())
        ],
        "songs": [share(played.began) for played in (day.plays if day else ())],
    }


def _span(dates: Sequence[dt.date]) -> str:
    first, last = dates[0], dates[-1]
    month = "" if first.month == last.month else f" {first:%B}"
    return f"{first.day}{month} to {last.day} {last:%B} {last.year}"


def _in_words(days: Sequence[Day]) -> str:
    """How much was heard, and which mood showed most."""
    text = _songs(sum(len(day.plays) for day in days))
    seconds: dict[str, float] = {}
    for felt in (felt for day in days for felt in day.moods):
        seconds[felt.label] = seconds.get(felt.label, 0.0) + felt.ended - felt.began
    return f"{text}, mostly {_look(max(seconds, key=seconds.__getitem__))}" if seconds else text


# --- the day ----------------------------------------------------------------------------------


def _day(day: Day, where: dt.tzinfo) -> None:
    with st.container(border=True):
        st.markdown(f"**{day.date:%A}, {day.date.day} {day.date:%B}** · {_in_words([day])}")
        st.html(_band(day, where) + _legend(day))
        if day.plays:  # Streamlit refuses empty HTML
            st.html("".join(_song(played, where) for played in day.plays))
        if st.button("Delete this day", icon=":material/delete:", key=f"delete-{day.date}"):
            _confirm_day(day.date, where)


def _band(day: Day, where: dt.tzinfo) -> str:
    """The day from left to right: moods as colour, songs as ticks on it."""
    began, ended = _hours(day, where)

    def percent(at: float) -> float:
        return max(0.0, min(100.0, 100 * (at - began) / (ended - began)))

    moods = "".join(
        f'<i style="left:{percent(felt.began):.2f}%;width:'
        f"{max(NARROWEST_PERCENT, percent(felt.ended) - percent(felt.began)):.2f}%;"
        f'background:{hex_of(felt.label)}" title="{html.escape(_looked(felt.label))}"></i>'
        for felt in day.moods
    )
    songs = "".join(
        f'<u style="left:{percent(played.began):.2f}%" title="{html.escape(played.title)}"></u>'
        for played in day.plays
    )
    every = max(1, round((ended - began) / HOUR_S / 6))
    hours = "".join(
        f'<s style="left:{percent(began + n * HOUR_S):.2f}%">'
        f"{dt.datetime.fromtimestamp(began + n * HOUR_S, where):%H:%M}</s>"
        for n in range(0, round((ended - began) / HOUR_S), every)
    )
    words = "; ".join(dict.fromkeys(_looked(felt.label) for felt in day.moods)) or "no camera"
    label = html.escape(words)
    return f'<div class="mm-day" role="img" aria-label="{label}">{moods}{songs}{hours}</div>'


def _hours(day: Day, where: dt.tzinfo) -> tuple[float, float]:
    """The whole hours around everything on a day, since 1970."""
    midnight, last = journal.span(day.date, where)
    times = [time for felt in day.moods for time in (felt.began, felt.ended)]
    times += [time for played in day.plays for time in (played.began, played.ended)]
    began = midnight + (min(times) - midnight) // HOUR_S * HOUR_S
    ended = min(last, midnight - (midnight - max(times)) // HOUR_S * HOUR_S)
    if ended - began < FEWEST_HOURS * HOUR_S:
        ended = min(last, began + FEWEST_HOURS * HOUR_S)
        began = max(midnight, ended - FEWEST_HOURS * HOUR_S)
    return began, ended


def _song(played: Played, where: dt.tzinfo) -> str:
    began = dt.datetime.fromtimestamp(played.began, where)
    link = song_link(played.title, played.artist, played.video_id)
    how = "♥" if played.liked else _OUTCOMES.get(played.outcome, "")
    mood = played.mood
    return (
        f'<div class="mm-played"><time>{began:%H:%M}</time>'
        f'<i style="color:{hex_of(mood)}" title="{html.escape(_looked(mood) if mood else "")}">'
        f"{shape_of(mood)}</i>"
        f'<a href="{html.escape(link)}" target="_blank" rel="noopener noreferrer" dir="auto">'
        f"{html.escape(played.title or 'a song')}</a>"
        f'<span dir="auto">{html.escape(played.artist.replace("; ", ", "))}</span>'
        f"<em>{how}</em></div>"
    )


def _legend(day: Day) -> str:
    labels = dict.fromkeys(felt.label for felt in day.moods)
    items = "".join(
        f'<span><i style="color:{hex_of(label)}">{shape_of(label)}</i> '
        f"{html.escape(_look(label))}</span>"
        for label in labels
    )
    songs = "<span><i>│</i> a song began</span>" if day.plays else ""
    return f'<div class="mm-legend">{items}{songs}</div>'


def _songs(count: int) -> str:
    return f"{count} song{'' if count == 1 else 's'}"


def _look(label: str) -> str:
    return LOOKS.get(label, f"'{label}'")


def _looked(label: str) -> str:
    return f"you looked {LOOKS[label]}" if label in LOOKS else f"I saw '{label}'"


# --- deleting ---------------------------------------------------------------------------------


@st.dialog("Delete this day?")
def _confirm_day(date: dt.date, where: dt.tzinfo) -> None:
    st.markdown(f"What you played and how you looked on {date.day} {date:%B} is deleted for good.")
    if st.button("Delete the day", type="primary"):
        _delete(lambda: journal.delete_day(session.history(), date, where))


@st.dialog("Delete the whole journal?")
def _confirm() -> None:
    st.markdown("What you played and how you looked is deleted from this machine for good.")
    if st.button("Delete it all", type="primary"):
        _delete(session.history().delete)


def _delete(delete: Callable[[], int]) -> None:
    """Deletes, and says so where it could not be done."""
    try:
        delete()
    except UserError as error:
        st.error(str(error))
        return
    session.recall(session.current())
    st.rerun()
