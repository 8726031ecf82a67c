"""Model: how well it reads each expression, how it learned, how it is built, and the live map."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from moodmesh import importance
from moodmesh.bundle import Bundle
from moodmesh.errors import UserError
from moodmesh.face import Face
from moodmesh.importance import Importance
from moodmesh.pages import camera, session
from moodmesh.pages.landmark_map.landmark_map import landmark_map
from moodmesh.pages.session import Camera, Session

# Often enough for the mesh to follow a face, seldom enough to cost nothing beside the frames.
LOOK_SECONDS = 0.4
TABLE = "landmark_importance.csv"
# Where `train.py evaluate --samples` puts its drawing for this page: the pictures are not shipped.
SAMPLES = Path(__file__).resolve().parents[2] / "cache" / "samples.png"

_PARTING = "Where the two lines part, it began to learn its pictures by heart."
# File -> title, and what to see in it.
_PICTURES = {
    "confusion_matrix.png": (
        "How well it reads each expression",
        "A row is what people called the face, a column what the model read: on the diagonal they "
        "agree.",
    ),
    "curves.png": (
        "How the landmark network learned",
        _PARTING,
    ),
    "curves_cnn.png": (
        "How the picture network learned",
        _PARTING,
    ),
    "curves_cnn_2.png": (
        "How its second voice learned",
        _PARTING,
    ),
    "curves_cnn_3.png": (
        "How its third voice learned",
        _PARTING,
    ),
    "reliability.png": (
        "When it says it is sure, is it right?",
        "On the dashed line, of all it was 80% sure of, 80% were right.",
    ),
    "architecture.png": (
        "How the landmark network is built",
        "It reads the points of a face, and always answers first.",
    ),
    "architecture_cnn.png": (
        "How the picture network is built",
        "It is asked where the landmarks are not sure, or no face is found.",
    ),
    "architecture_cnn_2.png": (
        "How its second voice is built",
        "It grew on another network, so it is wrong about other faces; they are averaged.",
    ),
    "architecture_cnn_3.png": (
        "How its third voice is built",
        "It too grew on another network.",
    ),
}
# Rows of columns: wide pictures stand under each other, as high together as a tall one.
_ROWS = (
    (("confusion_matrix.png",), ("curves.png", "curves_cnn.png")),
    (("reliability.png",), ("curves_cnn_2.png", "curves_cnn_3.png")),
    (("architecture.png",), ("architecture_cnn.png",)),
    (("architecture_cnn_2.png",), ("architecture_cnn_3.png",)),
)

AVERAGE, CAMERA, PHOTO = "An average face", "My camera", "My photo"


def page() -> None:
    """Draws the page."""
    visitor = session.current()
    st.title("Model", anchor=False)
    model = session.model_in_use(visitor)
    kind = "your personal model" if visitor.model == session.PERSONAL else "the general model"
    st.markdown(f"This is **{kind}**. It knows: {', '.join(model.labels)}.")
    if said := in_plain_words(model.metrics):
        st.markdown(said)
    _map(visitor, model)
    _report(model)
    _samples()
    if model.has("MODEL_CARD.md"):
        with st.expander("Model card: data, licence, weak spots, who should not use it"):
            st.markdown(model.path("MODEL_CARD.md").read_text("utf-8"))
    if model.folder != visitor.person.model and not session.has_personal():
        st.caption("Teach it your own face on the Teach page to see your model's report here.")


def in_plain_words(metrics: dict[str, Any]) -> str:
    """What the general model's figures mean, in two sentences; empty for a model without them."""
    try:
        figures = metrics["private_test"]["ensemble"]
        right, sure = figures["accuracy"], figures["sure"]
        share, sure_right = sure["share"], sure["accuracy"]
    except (KeyError, TypeError):
        return ""
    if sure_right is None:
        return ""
    return (
        f"Of 100 faces it has never seen, it names for {100 * right:.0f} the expression that "
        "people chose; people among themselves agree on about 65. "
        f"It says it is sure about {100 * share:.0f} of the 100 and is right in "
        f"{100 * sure_right:.0f}% of those; for the others it says ‘not sure yet’."
    )


# --- the live map -----------------------------------------------------------------------------


def _table(model: Bundle) -> tuple[Importance, bool]:
    """The model's landmark table, and whether it is its own: else it is the general model's."""
    if model.has(TABLE):
        return importance.read(model.path(TABLE), model.labels), True
    general = session.general()
    return importance.read(general.path(TABLE), general.labels), False


def _map(visitor: Session, model: Bundle) -> None:
    st.subheader("Your face, point by point", anchor=False)
    try:
        table, own = _table(model)
    except UserError as error:
        st.info(str(error))
        return
    whose = "" if own else " Measured on the general model."
    st.caption(
        "Move over the points, tap them, or use the arrow keys. The bigger a point, the more of "
        f"what the model says can be told from it alone.{whose}"
    )
    choices = [AVERAGE, CAMERA, *([PHOTO] if visitor.photo else [])]
    live = visitor.camera is not Camera.OFF
    source = st.segmented_control(
        "Whose face",
        choices,
        default=CAMERA if live else choices[-1] if visitor.photo else AVERAGE,
        required=True,
        key="map_source",
        label_visibility="collapsed",
    )
    if source != CAMERA and live:
        camera.turn_off(visitor)
    if source == CAMERA or visitor.camera is not Camera.OFF:
        left, right = st.columns([7, 4], gap="large")
        with right:
            _camera(visitor)
    else:
        left = st.container()
    with left:
        every = LOOK_SECONDS if visitor.camera is Camera.ON else None
        st.fragment(_draw_map, run_every=every)(visitor, table, source)


def _camera(visitor: Session) -> None:
    with st.container(key="stage"):
        if visitor.camera is Camera.OFF:
            camera.lobby(visitor, "See your own face as points")
        else:
            camera.show(visitor)
    if visitor.camera is not Camera.OFF:
        camera.off_button(visitor, st.container())


def _draw_map(visitor: Session, table: Importance, source: str) -> None:
    landmark_map(table, _face(visitor, source), mirrored=source == CAMERA)


def _face(visitor: Session, source: str) -> Face | None:
    """The face in view; None shows the average one."""
    if source == PHOTO:
        return visitor.photo
    if source == CAMERA and visitor.stream is not None:
        return visitor.stream.snapshot.face
    return None


# --- the report -------------------------------------------------------------------------------


def _report(model: Bundle) -> None:
    for row in _ROWS:
        columns = [[name for name in names if model.has(name)] for names in row]
        columns = [names for names in columns if names]
        if not columns:
            continue
        for place, names in zip(st.columns(len(columns), gap="large"), columns, strict=True):
            with place:
                for name in names:
                    title, hint = _PICTURES[name]
                    st.subheader(title, anchor=False)
                    st.image(str(model.path(name)), width="stretch")
                    st.caption(hint)


def _samples() -> None:
    """Pictures it learned from, where the user has drawn them from their own copy of the data."""
    if SAMPLES.is_file():
        st.subheader("What it was tested on", anchor=False)
        st.image(str(SAMPLES), width="stretch")
        st.caption("Pictures of FER2013 with the mesh that was found in each, from your own copy.")
        return
    with st.expander("See some of the pictures it was tested on"):
        st.markdown(
            "FER2013's pictures may not be passed on, so they are not part of moodmesh. With your "
            "own copy, this draws some of them with their mesh, for this page:"
        )
        st.code(
            ".venv/bin/python train.py evaluate --data fer2013.csv --samples cache/samples.png",
            language="bash",
            wrap_lines=True,
        )
