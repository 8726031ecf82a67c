"""Listen: your face, how it looks, and the songs that suit it."""

from __future__ import annotations

import time

import numpy as np
import streamlit as st

from moodmesh import pictures
from moodmesh.classifier import Classifier, Expression
from moodmesh.colours import hex_of, shape_of
from moodmesh.errors import UserError
from moodmesh.face import FaceFinder, draw_mesh
from moodmesh.holistic import HolisticFinder, draw_body
from moodmesh.live import Snapshot
from moodmesh.mood import LOOKS, VALENCE_AROUSAL, Mood, chosen, valence_arousal
from moodmesh.pages import camera, music, session
from moodmesh.pages.component import component
from moodmesh.pages.session import Camera, Session

# Fast enough for a bar to feel alive, slow enough to cost nothing beside the frames.
LOOK_SECONDS = 0.4
# A face that is away for a moment is still the listener's; after this the page asks for it.
LOST_SECONDS = 1.5
# The camera delivers nothing for so long: it was unplugged or the network broke.
SILENT_SECONDS = 5.0
# Three times what connecting takes on the same machine.
SLOW_SECONDS = 15.0

CAMERA, PHOTO, BY_HAND = "Camera", "Photo", "Pick a mood"


def page() -> None:
    """Draws the page; the shell puts the music beside it."""
    visitor = session.current()
    source = st.segmented_control(
        "Where the mood comes from",
        [CAMERA, PHOTO, BY_HAND],
        default=CAMERA,
        required=True,
        key="source",
        label_visibility="collapsed",
    )
    with st.container(key="stage"):
        if source != CAMERA and visitor.camera is Camera.ON:
            camera.turn_off(visitor)
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
    with st.expander("Mood map", icon=":material/explore:"):
        st.fragment(music.mood_map, run_every=music.pace(visitor))(visitor)


# --- where the mood comes from ----------------------------------------------------------------


def _controls(visitor: Session) -> None:
    row = st.container(horizontal=True, vertical_alignment="center")
    camera.off_button(visitor, row)
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
    if visitor.ahead:
        _bars({}, None, "waiting", "Not sure yet", "A photo or a mood by hand works right away.")
    elif seen.problem:
        _bars(seen.shown, None, "lost", "The camera needs a hand", seen.problem)
    elif stream is None or not seen.frames:
        slow = time.monotonic() - visitor.camera_since_s > SLOW_SECONDS
        hint = (
            "This takes longer than usual. A firewall may be in the way: turn the camera off, "
            "then press 'Check camera and connection'. Or use a photo."
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
            _remark(seen),
            f"from {_SOURCES[seen.expression.source]}" if seen.expression else "",
        )


def _remark(seen: Snapshot) -> str:
    if seen.dark:
        return "It is quite dark: more light from the front helps."
    if seen.eased:
        return "This computer is busy: the picture is smaller and slower for a while."
    return ""


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
            max_upload_size=pictures.MOST_BYTES // 2**20,
        )
    )
    if upload is None:
        _bars({}, None, "waiting", "Not sure yet", "A photo is read in memory and never stored.")
        return
    try:
        rgb = pictures.decode(upload.getvalue(), f"'{upload.name}'")
        classifier = Classifier(session.model_in_use(visitor))
        expression, faces, drawn = _read_photo(visitor, rgb, classifier)
    except UserError as error:
        st.error(str(error))
        return
    rgb = drawn
    st.image(rgb, width="stretch")
    if expression is None:
        hint = "Try another photo: the face from the front, in good light."
        _bars({}, None, "lost", "I could not find a face", hint)
        return
    hint = "" if faces < 2 else f"{faces} faces found; the largest one counts."
    shown = expression.probabilities
    _bars(shown, expression.label, "seen", _sentence(expression, shown), hint)
    valence, arousal = valence_arousal(shown)
    visitor.listening.follow(Mood(expression.label, dict(shown), valence, arousal))


def _read_photo(
    visitor: Session, rgb: np.ndarray, classifier: Classifier
) -> tuple[Expression | None, int, np.ndarray]:
    """What the model sees in a photo, in how many faces, and the photo with that drawn in."""
    drawn = rgb.copy()
    if classifier.kind == "holistic":
        with HolisticFinder() as bodies:
            body = bodies.find(rgb)
        draw_body(drawn, body)
        return classifier.of_body(body), int(bool(body)), drawn
    with FaceFinder() as finder:
        faces = finder.find(rgb)
    visitor.photo = faces[0] if faces else None
    if faces:
        draw_mesh(drawn, faces[0])
    return classifier.of_picture(rgb, faces[:1]), len(faces), drawn


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
