"""The music: the player, which goes on from page to page, its choices, and the mood map."""

from __future__ import annotations

import time
from collections.abc import Sequence

import streamlit as st

from moodmesh.colours import hex_of
from moodmesh.errors import UserError
from moodmesh.listening import Listening
from moodmesh.mood import Mood
from moodmesh.pages import session
from moodmesh.pages.moodmap import moodmap
from moodmesh.pages.player import as_item, player
from moodmesh.pages.session import Camera, Session
from moodmesh.songs import exports
from moodmesh.songs.catalogue import LANGUAGES, Catalogue, Filters
from moodmesh.songs.discovery import with_found
from moodmesh.songs.ownlist import SOURCE as OWN_LIST
from moodmesh.songs.ownlist import add_own_songs, forget_own_songs, read_own_list
from moodmesh.songs.recommend import MODES, Recommendation, introduction

# Where the journal is, which what happens in the player is written into.
JOURNAL = "journal"
# How often the queue looks for a changed mood.
FOLLOW_SECONDS = 1.0
# How often the first mood of a face is looked for, which the listener waits for.
FIRST_SECONDS = 0.1
# Who shows no face for so long after the press waits at the ordinary pace.
HURRIED_SECONDS = 30.0
# How often the choices, and the lists to take along, are drawn anew for a queue that follows.
CHOICES_SECONDS = 5.0
# The years of the catalogue's songs; nearly all older ones are recordings of later years.
OLDEST, NEWEST = 1950, 2023
NO_END = 9999
# Minutes; a longer song counts as no limit.
SHORTEST, LONGEST = 1, 10

# The 'Spotify and Youtube' table of Kaggle has 30.
LARGEST_LIST_MB = 50


def pace(visitor: Session) -> float | None:
    """How often what follows the mood is drawn anew: never without a camera."""
    return FOLLOW_SECONDS if visitor.camera is Camera.ON else None


def draw(visitor: Session, *, at_home: bool) -> None:
    """The player; on Listen (`at_home`) with its queue and choices, elsewhere in a corner.

    Faces made on another page, to teach one say, are no mood to follow.
    """
    with st.container(key="choices"):  # always there: the player must keep its place
        if at_home:
            st.fragment(_choices, run_every=CHOICES_SECONDS if pace(visitor) else None)(visitor)
    every = pace(visitor) if at_home else None
    hurried = every is not None and _hurries(visitor)
    # Of its own, so that neither bars redraw it nor it the choices: the first queue for a face is
    # waited for, and a small part of a page is painted sooner than all of it.
    st.fragment(_player_and_queue, run_every=FIRST_SECONDS if hurried else every)(
        visitor, at_home, hurried
    )


def _hurries(visitor: Session) -> bool:
    """Whether somebody has just turned on the camera and waits for the first queue for a face."""
    listening = visitor.listening
    return (
        visitor.ahead == 0
        and listening.mood.label is None
        and listening.steering is None
        and time.monotonic() - visitor.camera_since_s < HURRIED_SECONDS
    )


def _player_and_queue(visitor: Session, at_home: bool, hurried: bool) -> None:
    """What plays and what comes next; `hurried` where it is drawn anew for a first mood."""
    listening = visitor.listening
    if session.is_over(visitor) or (hurried and not _hurries(visitor)):
        # It begins anew; or the first queue is there, or long in coming: from now on at ease.
        st.rerun()
    videos = _videos_for(listening)
    mode = listening.mode_in_use
    if visitor.stream and at_home:
        mood = visitor.stream.snapshot.mood
        if mood.label:
            listening.follow(mood)
    _begin(listening)
    past, finder, checker = session.history(), session.discovery(), session.checks()
    if listening.mood.label and at_home:
        past.felt(listening.mood.label, listening.mood.valence, listening.mood.arousal)
    queue = videos.of(listening.queue)
    # As they are known by now: a song whose only video does not play is in need of another.
    finder.look_up([item.song for item in queue], past, videos.refused)
    checker.look_up([item.song for item in listening.queue], past)
    state = player(
        [as_item(item, liked=item.song.id in listening.liked) for item in queue],
        lead=introduction(listening.mode_in_use, listening.looks, near=listening.is_near()),
        note=listening.note,
        accent=hex_of(listening.mood.label) if listening.mood.label else None,
        # Who showed a face or picked a mood has asked for music; a visitor who only looks has not.
        autoplay=listening.mood.label is not None or listening.steering is not None,
        mini=not at_home,
        taken_along=exports.as_link([one.song for one in videos.of(listening.playlist())])
        if at_home
        else None,
    )
    if at_home:
        for problem in filter(None, (past.problem, finder.problem, checker.problem)):
            st.caption(f":material/info: {problem}")
    before = _shown(listening)
    if state.current and state.current != listening.current:
        listening.began(state.current)
    for event in state.events:
        if event.song_id is not None:
            listening.happened(
                event.kind,
                event.song_id,
                video_id=event.video_id,
                position_s=event.position_s,
                duration_s=event.duration_s,
                last=event.last,
            )
    if state.events and st.session_state.get("drawn_page") == JOURNAL:
        st.rerun()  # it was drawn before these were written into it
    if _shown(listening) != before or (listening.mode_in_use != mode and not hurried):
        # The whole page, with the mood map and the choices. Drawing this fragment alone anew, in a
        # run that was asked for several, now and then cost the page the buttons below the video.
        st.rerun()


class _Videos:
    """What is known about videos by now."""

    def __init__(self) -> None:
        found, unplayable = session.history().videos()
        self.found = {**found, **session.discovery().found}
        self.refused = unplayable | session.checks().refused

    def of(self, queue: Sequence[Recommendation]) -> list[Recommendation]:
        """The queue with videos that were found since, and without those known not to play."""
        return with_found(queue, self.found, self.refused)


def _videos_for(listening: Listening) -> _Videos:
    """What is known by now, for the listener's next queue too."""
    videos = _Videos()
    listening.found, listening.refused = videos.found, videos.refused
    return videos


def _begin(listening: Listening) -> None:
    """Music may start before the camera does."""
    if not listening.queue:
        listening.follow(Mood())


def _shown(listening: Listening) -> tuple[str | None, list[str]]:
    return listening.current, [item.song.id for item in listening.queue]


def mood_map(visitor: Session) -> None:
    """Where the mood and the songs lie, and a hand to steer them."""
    listening = visitor.listening
    _begin(listening)
    known = bool(listening.mood.probabilities)
    moved = moodmap(
        listening.catalogue,
        listening.ahead(),
        valence=listening.mood.valence if known else None,
        arousal=listening.mood.arousal if known else None,
        colour=hex_of(listening.mood.label),
        current=listening.current,
        steering=listening.steering,
    )
    if moved is not None:
        listening.steer(moved.place)
        st.rerun()


def _choices(visitor: Session) -> None:
    """How the music goes on and from what it is chosen."""
    listening = visitor.listening
    videos = _videos_for(listening)
    _begin(listening)
    row = st.container(horizontal=True, vertical_alignment="center")
    mode = row.segmented_control(
        "How the music goes on",
        MODES,
        default=listening.mode_in_use,
        required=True,
        label_visibility="collapsed",
        key=f"mode-{listening.mode_in_use}",
        help="match: music like the mood. lift: brightens step by step. calm: settles down.",
    )
    if mode and mode != listening.mode_in_use:
        listening.choose_mode(mode)
        st.rerun()
    with row.popover("What may play", icon=":material/tune:"):
        filters = _filters(listening.filters, listening.catalogue)
    with row.popover("More songs", icon=":material/library_music:"):
        _more_songs(visitor, videos)
    if filters != listening.filters:
        listening.choose_filters(filters)
        st.rerun()
    if not listening.queue:
        st.info("No song fits these choices. Add a language or widen the years.")


def _filters(now: Filters, songs: Catalogue) -> Filters:
    languages = st.multiselect(
        "Languages",
        # One that was chosen before stays to be taken away.
        list(dict.fromkeys((*songs.languages_offered(), *now.languages))),
        default=list(now.languages),
        format_func=lambda code: LANGUAGES.get(code, code),
        placeholder="all languages",
    )
    years = st.slider(
        "Years",
        OLDEST,
        NEWEST,
        _shown_years(now.years),
        help=f"The ends are open: {OLDEST} and older, {NEWEST} and newer.",
    )
    length = st.slider(
        "Length in minutes",
        SHORTEST,
        LONGEST,
        (
            (now.min_duration_s or SHORTEST * 60) // 60,
            (now.max_duration_s or LONGEST * 60) // 60,
        ),
    )
    return Filters(
        languages=tuple(languages),
        artists_liked=_names("Artists you like", now.artists_liked),
        artists_avoided=_names("Artists to leave out", now.artists_avoided),
        years=_years(*years),
        explicit=st.toggle("Songs with explicit words", value=now.explicit),
        holiday=st.toggle("Holiday songs", value=now.holiday),
        min_duration_s=length[0] * 60 if length[0] > SHORTEST else None,
        max_duration_s=length[1] * 60 if length[1] < LONGEST else None,
    )


def _years(first: int, last: int) -> tuple[int, int] | None:
    """What a place of the slider means; None for songs of any year and of none."""
    if (first, last) == (OLDEST, NEWEST):
        return None
    # From 1 on: 0 stands for an unknown year.
    return first if first > OLDEST else 1, last if last < NEWEST else NO_END


def _shown_years(years: tuple[int, int] | None) -> tuple[int, int]:
    first, last = years or (OLDEST, NEWEST)
    return max(OLDEST, first), min(NEWEST, last)


def _names(title: str, now: tuple[str, ...]) -> tuple[str, ...]:
    names = st.multiselect(
        title, list(now), default=list(now), accept_new_options=True, placeholder="type a name"
    )
    return tuple(names)


def _more_songs(visitor: Session, videos: _Videos) -> None:
    """Songs from elsewhere in, the queue out."""
    _own_list(visitor)
    if visitor.songs_news:
        st.success(visitor.songs_news[0])
        for notice in visitor.songs_news[1:]:
            st.caption(notice)
    may_ask = session.discovery().enabled
    if st.button(
        "Find new songs for this mood", icon=":material/travel_explore:", disabled=not may_ask
    ):
        _discover(visitor)
    if not may_ask:
        st.caption(
            "Looking for songs on YouTube Music is turned off here (find_songs in moodmesh.toml)."
        )
    songs = [one.song for one in videos.of(visitor.listening.playlist())]
    st.caption(f"Take this queue with you, and what would follow: {len(songs)} songs")
    row = st.container(horizontal=True)
    row.download_button("M3U", exports.as_m3u(songs), "moodmesh.m3u", "audio/x-mpegurl")
    row.download_button("CSV", exports.as_csv(songs), "moodmesh.csv", "text/csv")
    if link := exports.as_link(songs):
        row.link_button("YouTube", link)


def _own_list(visitor: Session) -> None:
    _forget_list(visitor)
    upload = st.file_uploader(
        "Add your own list (CSV with a title and an artist, or a YouTube link)",
        type=["csv"],
        max_upload_size=LARGEST_LIST_MB,
    )
    if upload is None or upload.file_id in visitor.read_uploads:
        return
    visitor.read_uploads.add(upload.file_id)
    try:
        found = read_own_list(upload.getvalue(), upload.name, visitor.listening.catalogue)
        more = add_own_songs(found.songs, visitor.person.songs)
    except UserError as error:
        st.error(str(error))
        return
    session.reload_songs(visitor)
    count = len(found.songs)
    added = f"{count} song{'' if count == 1 else 's'} added."
    visitor.songs_news = (added, *found.notices, *more)
    st.rerun()  # the queue has changed


def _forget_list(visitor: Session) -> None:
    """A way to be rid of the songs that were added."""
    own = sum(one.source == OWN_LIST for one in visitor.listening.catalogue.songs)
    if not own:
        return
    count = f"{own:,} song{'' if own == 1 else 's'}"
    if st.button(f"Remove your own list ({count})", icon=":material/delete:"):
        try:
            forget_own_songs(visitor.person.songs)
        except UserError as error:
            st.error(str(error))
            return
        session.reload_songs(visitor)
        visitor.songs_news = ()
        st.rerun()


def _discover(visitor: Session) -> None:
    """Asks YouTube Music for playlists of this mood; the queue goes on without an answer."""
    listening, finder = visitor.listening, session.discovery()
    mood = listening.mood
    language = next(iter(listening.filters.languages), "")
    with st.spinner("Asking YouTube Music …"):
        songs = finder.songs_for(
            mood.label or "neutral",
            mood.valence,
            mood.arousal,
            listening.catalogue,
            LANGUAGES.get(language, ""),
        )
    if songs:
        session.add_songs(visitor, songs)
        visitor.songs_news = (f"{len(songs)} songs found; they join the ones to choose from.",)
        st.rerun()
    else:
        st.info(finder.problem or "Nothing new was found for this mood. Try another one later.")
