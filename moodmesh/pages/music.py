"""The music on Listen: the player with its queue, the choices over it, and the mood map."""

from __future__ import annotations

import streamlit as st

from moodmesh.colours import hex_of
from moodmesh.errors import UserError
from moodmesh.mood import Mood
from moodmesh.pages import session
from moodmesh.pages.moodmap import moodmap
from moodmesh.pages.player import as_item, player
from moodmesh.pages.session import Session
from moodmesh.songs import exports
from moodmesh.songs.catalogue import LANGUAGES, Catalogue, Filters
from moodmesh.songs.discovery import with_found
from moodmesh.songs.ownlist import keep_own_songs, read_own_list
from moodmesh.songs.recommend import MODES, introduction

# The years of the catalogue's songs; nearly all older ones are recordings of later years.
OLDEST, NEWEST = 1950, 2023
# Minutes; a longer song counts as no limit.
SHORTEST, LONGEST = 1, 10

# The 'Spotify and Youtube' table of Kaggle has 30.
LARGEST_LIST_MB = 50


def player_and_queue(visitor: Session) -> None:
    """The player and its choices; a fragment of its own, so that bars never redraw it."""
    listening = visitor.listening
    if visitor.stream:
        mood = visitor.stream.snapshot.mood
        if mood.label:
            listening.follow(mood)
    if not listening.queue:
        listening.follow(Mood())  # music may start before the camera does
    _choices(visitor)
    past, finder = session.history(), session.discovery()
    if listening.mood.label:
        past.felt(listening.mood.label, listening.mood.valence, listening.mood.arousal)
    finder.look_up([item.song for item in listening.queue], past)
    found, unplayable = past.videos()
    queue = with_found(listening.queue, {**found, **finder.found}, unplayable)
    state = player(
        [as_item(item, liked=item.song.id in listening.liked) for item in queue],
        lead=introduction(listening.mode_in_use, listening.mood.label),
        note=listening.note,
        accent=hex_of(listening.mood.label) if listening.mood.label else None,
        # Who showed a face or picked a mood has asked for music; a visitor who only looks has not.
        autoplay=listening.mood.label is not None or listening.steering is not None,
    )
    for problem in filter(None, (past.problem, finder.problem)):
        st.caption(problem)
    before = [item.song.id for item in listening.queue]
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
    if [item.song.id for item in listening.queue] != before:
        st.rerun(scope="fragment")


def mood_map(visitor: Session) -> None:
    """Where the mood and the songs lie, and a hand to steer them."""
    listening = visitor.listening
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
    listening = visitor.listening
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
        st.rerun(scope="fragment")
    with row.popover("What may play", icon=":material/tune:"):
        filters = _filters(listening.filters, listening.catalogue)
    with row.popover("More songs", icon=":material/library_music:"):
        _more_songs(visitor)
    if filters != listening.filters:
        listening.choose_filters(filters)
    if not listening.queue:
        st.info("No song fits these choices. Add a language or widen the years.")


def _filters(now: Filters, songs: Catalogue) -> Filters:
    languages = st.multiselect(
        "Languages",
        list(songs.languages()),
        default=list(now.languages),
        format_func=lambda code: LANGUAGES.get(code, code),
        placeholder="all languages",
    )
    years = st.slider("Years", OLDEST, NEWEST, now.years or (OLDEST, NEWEST), step=1)
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
        years=None if years == (OLDEST, NEWEST) else years,
        explicit=st.toggle("Songs with explicit words", value=now.explicit),
        holiday=st.toggle("Holiday songs", value=now.holiday),
        min_duration_s=length[0] * 60 if length[0] > SHORTEST else None,
        max_duration_s=length[1] * 60 if length[1] < LONGEST else None,
    )


def _names(title: str, now: tuple[str, ...]) -> tuple[str, ...]:
    names = st.multiselect(
        title, list(now), default=list(now), accept_new_options=True, placeholder="type a name"
    )
    return tuple(names)


def _more_songs(visitor: Session) -> None:
    """Songs from elsewhere in, the queue out."""
    _own_list(visitor)
    if st.button("Find new songs for this mood", icon=":material/travel_explore:"):
        _discover(visitor)
    songs = [item.song for item in visitor.listening.ahead()]
    st.caption("Take this queue with you")
    row = st.container(horizontal=True)
    row.download_button("M3U", exports.as_m3u(songs), "moodmesh.m3u", "audio/x-mpegurl")
    row.download_button("CSV", exports.as_csv(songs), "moodmesh.csv", "text/csv")
    if link := exports.as_link(songs):
        row.link_button("YouTube", link)


def _own_list(visitor: Session) -> None:
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
        keep_own_songs(found.songs)
    except UserError as error:
        st.error(str(error))
        return
    session.reload_songs(visitor)
    count = len(found.songs)
    st.success(f"{count} song{'' if count == 1 else 's'} added.")
    for notice in found.notices:
        st.caption(notice)


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
        st.success(f"{len(songs)} songs found; they join the ones to choose from.")
    else:
        st.info(finder.problem or "Nothing new was found for this mood. Try another one later.")
