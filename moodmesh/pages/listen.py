"""Listen: your face, how it looks, and the songs that suit it."""

from __future__ import annotations

import time

import streamlit as st

from moodmesh import pictures
from moodmesh.classifier import Classifier, Expression
from moodmesh.colours import hex_of, shape_of
from moodmesh.errors import UserError
from moodmesh.face import FaceFinder, draw_mesh
from moodmesh.live import Snapshot
from moodmesh.mood import LOOKS, VALENCE_AROUSAL, Mood, chosen, valence_arousal
from moodmesh.pages import camera, session
from moodmesh.pages.component import component
from moodmesh.pages.moodmap import moodmap
from moodmesh.pages.player import as_item, player
from moodmesh.pages.session import Camera, Session
from moodmesh.songs import exports
from moodmesh.songs.catalogue import LANGUAGES, Catalogue, Filters
from moodmesh.songs.discovery import with_found
from moodmesh.songs.ownlist import keep_own_songs, read_own_list
from moodmesh.songs.recommend import MODES, introduction

# Fast enough for a bar to feel alive, slow enough to cost nothing beside the frames.
LOOK_SECONDS = 0.4
MUSIC_SECONDS = 1.0
# A face that is away for a moment is still the listener's; after this the page asks for it.
LOST_SECONDS = 1.5
# The camera delivers nothing for so long: it was unplugged or the network broke.
SILENT_SECONDS = 5.0
# Three times what connecting takes on the same machine.
SLOW_SECONDS = 15.0

# The years of the catalogue's songs; nearly all older ones are recordings of later years.
OLDEST, NEWEST = 1950, 2023

CAMERA, PHOTO, BY_HAND = "Camera", "Photo", "Pick a mood"


def page() -> None:
    """Draws the page."""
    visitor = session.current()
    left, right = st.columns([5, 6], gap="large")
    with left:
        source = st.segmented_control(
            "Where the mood comes from",
            [CAMERA, PHOTO, BY_HAND],
            default=CAMERA,
            required=True,
            key="source",
            label_visibility="collapsed",
        )
        with st.container(key="stage"):
            if source != CAMERA and visitor.camera is not Camera.OFF:
                visitor.camera = Camera.STOPPING
            if visitor.camera is not Camera.OFF:
                camera.show(visitor)
            elif source == CAMERA:
                camera.lobby(visitor, "Let your face choose the music")
                hint = "Turn on the camera, use a photo or pick a mood."
                _bars({}, None, "waiting", "Not sure yet", hint)
            elif source == PHOTO:
                _photo(visitor)
            else:
                _by_hand(visitor)
            if visitor.camera is Camera.ON:
                st.fragment(_look, run_every=LOOK_SECONDS)(visitor)
                _controls(visitor)
        live = MUSIC_SECONDS if visitor.camera is Camera.ON else None
        with st.expander("Mood map", icon=":material/explore:"):
            st.fragment(_map, run_every=live)(visitor)
    with right:
        st.fragment(_music, run_every=live)(visitor)


# --- where the mood comes from ----------------------------------------------------------------


def _controls(visitor: Session) -> None:
    row = st.container(horizontal=True, vertical_alignment="center")
    if row.button("Turn off camera", icon=":material/videocam_off:"):
        visitor.camera = Camera.STOPPING
        st.rerun()
    if session.has_personal():
        _model_choice(visitor, row)


def _model_choice(visitor: Session, place: st.delta_generator.DeltaGenerator) -> None:
    names = {session.PERSONAL: "My model", session.GENERAL: "General model"}
    choice = place.segmented_control(
        "Model",
        list(names),
        default=visitor.model,
        required=True,
        format_func=names.__getitem__,
        label_visibility="collapsed",
    )
    if choice and choice != visitor.model:
        visitor.model = choice
        if visitor.stream:
            visitor.stream.use(session.model_in_use(visitor))
        st.rerun()


def _look(visitor: Session) -> None:
    """The bars under the video; a fragment of its own, drawn anew while the camera is on."""
    stream = visitor.stream
    seen = stream.snapshot if stream else Snapshot()
    if seen.problem:
        _bars(seen.shown, None, "lost", "The camera needs a hand", seen.problem)
    elif stream is None or not seen.frames:
        slow = time.monotonic() - visitor.camera_since_s > SLOW_SECONDS
        hint = (
            "This takes longer than usual. A firewall may be in the way: turn the camera off and "
            "on again, or use a photo."
            if slow
            else "This takes about five seconds."
        )
        _bars({}, None, "waiting", "Connecting to your camera …", hint)
    elif stream.silent_s > SILENT_SECONDS:
        hint = "Plug the camera in again, or turn it off and on with the button below."
        _bars(seen.shown, None, "lost", "The camera went quiet", hint)
    elif seen.face_lost_s > LOST_SECONDS:
        hint = (
            "It is quite dark: more light from the front helps."
            if seen.dark
            else "Look towards the camera; more light from the front helps."
        )
        _bars(seen.shown, None, "lost", "I could not find a face", hint)
    else:
        _bars(
            seen.shown,
            seen.mood.label,
            "seen",
            _sentence(seen.expression, seen.shown),
            "It is quite dark: more light from the front helps." if seen.dark else "",
            f"from {_SOURCES[seen.expression.source]}" if seen.expression else "",
        )


_SOURCES = {"landmarks": "the mesh", "cnn": "the picture", "ensemble": "mesh and picture"}


def _sentence(expression: Expression | None, shown: dict[str, float]) -> str:
    likeliest = max(shown, key=shown.__getitem__) if shown else None
    sure = expression.sure if expression else 1.0
    if likeliest is None or shown[likeliest] < sure:
        return "Not sure yet"
    return f"You look {LOOKS[likeliest]}" if likeliest in LOOKS else f"I see '{likeliest}'"


def _bars(
    shown: dict[str, float],
    mood: str | None,
    state: str,
    sentence: str,
    hint: str = "",
    source: str = "",
) -> None:
    likeliest = max(shown, key=shown.__getitem__) if shown and state == "seen" else None
    component("expressions")(
        key="expressions",
        data={
            "labels": [
                {
                    "label": label,
                    "percent": round(100 * shown.get(label, 0.0)),
                    "colour": hex_of(label),
                    "shape": shape_of(label),
                }
                for label in (shown or VALENCE_AROUSAL)
            ],
            "state": state,
            "mood": mood,
            "sentence": sentence,
            "source": source,
            "hint": hint,
            "colour": hex_of(mood or likeliest),
            "shape": shape_of(likeliest),
        },
    )


def _photo(visitor: Session) -> None:
    ways = ["Upload", "Take one"]
    way = st.segmented_control(
        "Photo", ways, default=ways[0], required=True, label_visibility="collapsed"
    )
    upload = (
        st.camera_input("Take a photo", label_visibility="collapsed")
        if way == ways[1]
        else st.file_uploader(
            "A photo with a face",
            type=["jpg", "jpeg", "png", "webp"],
            help="It is read in memory and never stored.",
        )
    )
    if upload is None:
        _bars({}, None, "waiting", "Not sure yet", "A photo is read in memory and never stored.")
        return
    try:
        rgb = pictures.decode(upload.getvalue(), f"'{upload.name}'")
        with FaceFinder() as finder:
            faces = finder.find(rgb)
        expression = Classifier(session.model_in_use(visitor)).of_picture(rgb, faces[:1])
    except UserError as error:
        st.error(str(error))
        return
    if faces:
        rgb = rgb.copy()
        draw_mesh(rgb, faces[0])
    st.image(rgb, width="stretch")
    if expression is None:
        hint = "Try another photo: the face from the front, in good light."
        _bars({}, None, "lost", "I could not find a face", hint)
        return
    hint = "" if len(faces) < 2 else f"{len(faces)} faces found; the largest one counts."
    shown = expression.probabilities
    _bars(shown, expression.label, "seen", _sentence(expression, shown), hint)
    valence, arousal = valence_arousal(shown)
    visitor.listening.follow(Mood(expression.label, dict(shown), valence, arousal))


def _by_hand(visitor: Session) -> None:
    labels = list(VALENCE_AROUSAL)
    st.markdown("How do you want the music to begin?")
    label = st.pills(
        "Mood",
        labels,
        format_func=lambda name: f"{shape_of(name)} {name}",
        default=visitor.listening.mood.label if visitor.listening.mood.label in labels else None,
        label_visibility="collapsed",
        key="by_hand",
    )
    if label:
        visitor.listening.follow(chosen(label))
        shown = {name: float(name == label) for name in labels}
        _bars(shown, label, "seen", f"Playing for {label}", "The music follows what you pick.")
    else:
        _bars({}, None, "waiting", "Pick a mood", "The music follows what you pick.")


# --- the music --------------------------------------------------------------------------------


def _music(visitor: Session) -> None:
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


def _map(visitor: Session) -> None:
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
    with row.popover("Languages and years", icon=":material/tune:"):
        filters = _filters(listening.filters, listening.catalogue)
    with row.popover("My songs", icon=":material/library_music:"):
        _own_songs(visitor)
    if filters != listening.filters:
        listening.choose_filters(filters)
    if not listening.queue:
        st.info("No song fits these choices. Add a language or widen the years.")


def _filters(now: Filters, songs: Catalogue) -> Filters:
    first, last = OLDEST, NEWEST
    languages = st.multiselect(
        "Languages",
        list(songs.languages()),
        default=list(now.languages),
        format_func=lambda code: LANGUAGES.get(code, code),
        placeholder="all languages",
    )
    years = st.slider("Years", first, last, now.years or (first, last), step=1)
    return Filters(
        languages=tuple(languages),
        years=None if years == (first, last) else years,
        explicit=st.toggle("Songs with explicit words", value=now.explicit),
        holiday=st.toggle("Holiday songs", value=now.holiday),
    )


def _own_songs(visitor: Session) -> None:
    """A list of one's own in, the queue out."""
    upload = st.file_uploader(
        "Add your own list (CSV with a title and an artist, or a YouTube link)", type=["csv"]
    )
    if upload is not None and upload.file_id not in visitor.read_uploads:
        visitor.read_uploads.add(upload.file_id)
        try:
            found = read_own_list(upload.getvalue(), upload.name, visitor.listening.catalogue)
            keep_own_songs(found.songs)
            session.reload_songs(visitor)
            count = len(found.songs)
            st.success(f"{count} song{'' if count == 1 else 's'} added.")
            for notice in found.notices:
                st.caption(notice)
        except UserError as error:
            st.error(str(error))
    songs = [item.song for item in visitor.listening.ahead()]
    st.caption("Take this queue with you")
    row = st.container(horizontal=True)
    row.download_button("M3U", exports.as_m3u(songs), "moodmesh.m3u", "audio/x-mpegurl")
    row.download_button("CSV", exports.as_csv(songs), "moodmesh.csv", "text/csv")
    if link := exports.as_link(songs):
        row.link_button("YouTube", link)
