"""Journal: what was played and how you looked, day by day; yours to export and to delete."""

from __future__ import annotations

import datetime as dt
import html

import streamlit as st

from moodmesh.colours import hex_of, shape_of
from moodmesh.mood import LOOKS
from moodmesh.pages import session
from moodmesh.songs import journal
from moodmesh.songs.journal import Day

DAYS = 7
DAY_S = 86_400
# A stretch of a minute would be a hair's breadth on a day of 24 hours.
NARROWEST_PERCENT = 0.35


def page() -> None:
    """Draws the page."""
    st.title("Journal")
    history = session.history()
    history.flush()
    where = journal.zone(st.context.timezone)
    days = journal.days(history, where, last=DAYS)
    if history.problem:
        st.warning(history.problem)
    if not days:
        st.markdown(
            "Nothing here yet. Once you listen, each day becomes a band of the moods you showed, "
            "with the songs on it. It stays on this machine."
        )
        return
    st.markdown("The last days you listened, midnight to midnight. It stays on this machine.")
    st.html(_legend(days))
    for day in days:
        _day(day, where)
    st.subheader("Keep it or clear it")
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


def _day(day: Day, where: dt.tzinfo) -> None:
    with st.container(border=True):
        head = st.container(horizontal=True, vertical_alignment="center")
        songs = len(day.plays)
        head.markdown(f"**{day.date:%A, %-d %B}** · {songs} song{'' if songs == 1 else 's'}")
        st.html(_band(day, where))
        with st.expander("Songs of the day"):
            for played in day.plays:
                began = dt.datetime.fromtimestamp(played.began, where)
                heart = " ♥" if played.liked else ""
                st.html(
                    f'<span class="mm-played"><time>{began:%H:%M}</time>'
                    f"<b>{html.escape(played.title or 'a song')}</b> "
                    f"{html.escape(played.artist)}{heart}</span>"
                )
            if st.button("Delete this day", key=f"delete-{day.date}"):
                journal.delete_day(session.history(), day.date, where)
                st.rerun()


def _band(day: Day, where: dt.tzinfo) -> str:
    """The day from left to right: moods as colour, songs as ticks on it."""
    midnight, _ = journal.span(day.date, where)

    def percent(at: float) -> float:
        return max(0.0, min(100.0, 100 * (at - midnight) / DAY_S))

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
    hours = "".join(f'<s style="left:{hour / 24:.1%}">{hour:02d}</s>' for hour in (0, 6, 12, 18))
    words = "; ".join(dict.fromkeys(_looked(felt.label) for felt in day.moods)) or "no camera"
    label = html.escape(words)
    return f'<div class="mm-day" role="img" aria-label="{label}">{moods}{songs}{hours}</div>'


def _looked(label: str) -> str:
    return f"you looked {LOOKS[label]}" if label in LOOKS else f"I saw '{label}'"


def _legend(days: list[Day]) -> str:
    labels = dict.fromkeys(felt.label for day in days for felt in day.moods)
    items = "".join(
        f'<span><i style="color:{hex_of(label)}">{shape_of(label)}</i> {html.escape(label)}</span>'
        for label in labels
    )
    return f'<div class="mm-legend">{items}<span><i>│</i> a song began</span></div>'


@st.dialog("Delete the whole journal?")
def _confirm() -> None:
    st.markdown("What you played and how you looked is deleted from this machine for good.")
    if st.button("Delete it all", type="primary"):
        session.history().delete()
        st.rerun()
