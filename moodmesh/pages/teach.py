"""Teach: show it your expressions, train, try. Three steps on one page."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from moodmesh import bundle, exchange, quality, takes
from moodmesh.bundle import Bundle
from moodmesh.classifier import Classifier, Expression
from moodmesh.colours import hex_of, shape_of
from moodmesh.errors import UserError
from moodmesh.face import connections
from moodmesh.features import frontal_landmarks
from moodmesh.holistic import UPPER, Kind, skeletons
from moodmesh.holistic_features import shoulder_places
from moodmesh.live import Snapshot
from moodmesh.mood import VALENCE_AROUSAL
from moodmesh.pages import camera, session
from moodmesh.pages.component import component
from moodmesh.pages.session import Camera, Session
from moodmesh.recording import SECONDS
from moodmesh.takes import Take
from moodmesh.teaching import LiveTake, Phase, TrainingRun

# A personal model has about 6 MB.
LARGEST_MODEL_MB = 20
# A countdown has to be seen to move.
LOOK_SECONDS = 0.3
TRAINING_SECONDS = 0.5
# More takes of one label than this, or of all labels together, are kept and counted, but not drawn.
DRAWN_TAKES, MOST_DRAWN = 8, 200
# Bytes of deleted takes that wait in memory for an undo: some two hundred takes.
MOST_UNDONE = 200 * 2**20
# So many labels have a card; nobody looks through more.
MOST_CARDS = 60
# Frames of the small moving mesh, and its size in pixels (takes_strip.css).
DRAWN_FRAMES, DRAWN_WIDTH, DRAWN_HEIGHT = 8, 72, 88
# Eye distances that the small mesh shows: a face is about 2.6 wide and 3.2 high.
_EYES_TO_PIXELS = 22
# Shoulder widths that it shows of a person, and where the middle between the shoulders stands.
_SHOULDERS_TO_PIXELS, _SHOULDERS_AT = 30, 0.72
KINDS: dict[Kind, str] = {"face": "Face only", "holistic": "Face, hands and shoulders"}
_KIND_HELP = {
    "face": "The quickest, and all that an expression needs.",
    "holistic": "For signs such as a thumbs up or a facepalm. It takes this machine more work, so "
    "the picture moves less smoothly.",
}


@dataclass
class Teaching:
    """What this visitor is in the middle of.

    added: labels without a take yet. chosen: the label that was last chosen for them, by choices of
    this number. said: what to tell about the last take.
    unsaved: the last take, where it could not be written.
    removed: the last deleted takes' paths and contents, for undo.
    kind: what the model is to look at. outcome: what to tell about the last training or import.
    import_problem: why the last file was refused.
    """

    kind: Kind = "face"
    added: list[str] = field(default_factory=list)
    chosen: str | None = None
    choices: int = 0
    live: LiveTake | None = None
    said: list[str] = field(default_factory=list)
    unsaved: Take | None = None
    removed: list[tuple[Path, bytes]] = field(default_factory=list)
    training: TrainingRun | None = None
    outcome: str | None = None
    import_problem: str | None = None


def _teaching() -> Teaching:
    state = st.session_state.setdefault("teaching", Teaching())
    assert isinstance(state, Teaching)
    return state


def forget() -> None:
    """Lets go of the takes and models in memory that no visit's state holds."""
    _take.clear()
    _bundle.clear()


def page() -> None:
    """Draws the page."""
    visitor, teaching = session.current(), _teaching()
    stored = _stored()
    left, right = st.columns([5, 6], gap="large")
    with left:
        with st.container(key="stage"):
            if visitor.camera is Camera.OFF:
                camera.lobby(visitor, "Teach it your own face")
            else:
                camera.show(visitor, looks_at=_looks_at(visitor, teaching))
        # A fragment of its own: redrawing the page while the camera connects would make it start
        # again.
        live = LOOK_SECONDS if visitor.camera is Camera.ON else None
        st.fragment(_record, run_every=live)(visitor, teaching, stored)
        _choose_kind(teaching)
    with right:
        _show(teaching, stored)
        st.divider()
        _train(teaching, stored)
        st.divider()
        _try(visitor)


def _choose_kind(teaching: Teaching) -> None:
    def choose() -> None:
        teaching.kind = st.session_state["teach_kind"] or "face"

    st.segmented_control(
        "What the model looks at",
        list(KINDS),
        default=teaching.kind,
        required=True,
        format_func=KINDS.__getitem__,
        key="teach_kind",
        on_change=choose,  # before the page is drawn, for the video comes first
        disabled=teaching.live is not None or teaching.training is not None,
    )
    st.caption(_KIND_HELP[teaching.kind])


def _looks_at(visitor: Session, teaching: Teaching) -> Kind:
    # The model under "Try" may need the hands even while a face is shown.
    personal = _kind_of(visitor.person.model) if session.has_personal() else None
    return "holistic" if "holistic" in (teaching.kind, personal) else "face"


def _kind_of(folder: Path) -> Kind | None:
    try:
        return _bundle(folder, (folder / bundle.MANIFEST).stat().st_mtime).kind
    except (UserError, OSError):
        return None


# --- what is stored ---------------------------------------------------------------------------


def _stored() -> dict[str, list[Path]]:
    """The files of all takes by label, oldest first."""
    found: dict[str, list[Path]] = {}
    for path in takes.paths(session.person().takes):
        found.setdefault(path.parent.name, []).append(path)
    return found


@dataclass(frozen=True)
class Drawn:
    """What the page needs of a take: a few of its frames, and how many there are."""

    take: Take
    samples: int


@st.cache_resource(max_entries=1000, show_spinner=False)
def _take(path: Path, changed: float) -> Drawn | str:
    """The take as it was when its file last changed, or why it cannot be read.

    A whole take has 1 MB: hundreds of them, of each visitor, are not kept in memory.
    """
    try:
        whole = takes.read(path)
    except UserError as error:
        return str(error)
    return Drawn(whole.thinned(DRAWN_FRAMES), len(whole))


def _readable(
    paths: list[Path], kind: Kind | None = None
) -> tuple[list[tuple[Path, Drawn]], list[str]]:
    """Those takes of these files that serve a model of this kind, and what is wrong with others."""
    good: list[tuple[Path, Drawn]] = []
    problems: list[str] = []
    for path in paths:
        if not path.is_file():
            continue
        drawn = _take(path, path.stat().st_mtime)
        if isinstance(drawn, str):
            problems.append(drawn)
        elif kind in (None, "face", drawn.take.kind):
            good.append((path, drawn))
    return good, problems


# --- 1 Show -----------------------------------------------------------------------------------


def _record(visitor: Session, teaching: Teaching, stored: dict[str, list[Path]]) -> None:
    # Right under the video, where people look while they are counted down.
    told = st.container(key="told")
    labels = list(dict.fromkeys([*stored, *teaching.added, *VALENCE_AROUSAL]))
    with st.container(key="teach_label"):
        label = st.pills(
            "Which expression will you show?",
            labels,
            format_func=lambda name: f"{shape_of(name)} {name}",
            default=teaching.chosen if teaching.chosen in labels else None,
            key=_label_key(teaching),
            wrap=True,
        )
    with st.form("own_label", border=False):
        row = st.container(horizontal=True, vertical_alignment="bottom")
        # A field of a new name with each choice, which empties it; emptied by the browser at the
        # press, the camera's next word would bring no text, and might be heard with the press.
        text = f"own_label_text_{teaching.choices}"
        row.text_input("or one of your own", placeholder="wink, focused, …", max_chars=60, key=text)
        # Callbacks, here and below: they run even if the camera's next word interrupts the page's
        # drawing, which would lose a press that the drawing has to come to.
        row.form_submit_button("Add", on_click=_add_label, args=(teaching, text))
    stream = visitor.stream
    ready = stream is not None and not stream.ended and stream.snapshot.frames > 0
    row = st.container(horizontal=True, vertical_alignment="center")
    row.button(
        f"Record {SECONDS:g} seconds",
        type="primary",
        icon=":material/radio_button_checked:",
        disabled=not (ready and label) or teaching.live is not None,
        help=None if ready and label else _FIRST,
        on_click=_count_down,
        args=(visitor, teaching, label),
    )
    with row:
        component("hold")(
            key="hold",
            data={
                "text": "Hold to record",
                "disabled": not (ready and label),
                "help": "Records as long as you hold it." if ready and label else _FIRST,
            },
            on_held_change=lambda: _held(visitor, teaching, label),
        )
    if visitor.camera is not Camera.OFF and camera.off_button(visitor, row):
        st.rerun()
    with told:
        _tell(visitor, teaching, ready)


def _tell(visitor: Session, teaching: Teaching, ready: bool) -> None:
    """The countdown, the counter, what was recorded, and what is wrong right now."""
    _recording(visitor, teaching)
    for line in teaching.said:
        st.markdown(line)
    stream = visitor.stream
    if teaching.live is None:
        wrong = ""
        if ready and stream is not None:
            seen = stream.snapshot
            wrong = quality.at_once(seen.face, seen.dark, seen.faces > 0)
        if wrong or not teaching.said:
            st.caption(wrong or _HOW)
    if teaching.unsaved is not None and teaching.live is None:
        save = (teaching, teaching.unsaved)
        if st.button("Save it now", icon=":material/save:", on_click=_save_again, args=save):
            st.rerun()  # its card is outside of this fragment


_HOW = "Choose an expression and record it: five seconds, or as long as you hold the button."
_FIRST = "Turn on the camera and choose an expression first."


def _begin(visitor: Session, teaching: Teaching, live: LiveTake) -> None:
    if visitor.stream is None:
        return
    teaching.live = live
    teaching.said = []
    visitor.stream.watch(live.see)


def _count_down(visitor: Session, teaching: Teaching, label: str | None) -> None:
    if label and teaching.live is None:
        _begin(visitor, teaching, LiveTake(label, kind=teaching.kind))


def _held(visitor: Session, teaching: Teaching, label: str | None) -> None:
    """The button that is held was pressed or let go."""
    if st.session_state["hold"].held != "pressed":
        if teaching.live is not None and teaching.live.held:
            teaching.live.stop()
    elif label and teaching.live is None:
        _begin(visitor, teaching, LiveTake(label, kind=teaching.kind, held=True))


def _label_key(teaching: Teaching) -> str:
    return f"teach_label_{teaching.choices}"


def _choose_label(teaching: Teaching, label: str) -> None:
    """Chooses a label for the visitor, by choices of a new name.

    A value set for the old ones would be lost where the page sends its own before it has heard of
    it, as it does while the camera connects.
    """
    teaching.chosen = label
    teaching.choices += 1


def _add_label(teaching: Teaching, text: str) -> None:
    """Adds what stands in the field of this key."""
    try:
        label = takes.check_label(st.session_state[text])
    except UserError as error:
        teaching.said = [f":red[{error}]"]
        return
    if label not in teaching.added:
        teaching.added.append(label)
    teaching.said = []
    _choose_label(teaching, label)


def _recording(visitor: Session, teaching: Teaching) -> None:
    """The countdown and the counter of a take that is being recorded."""
    live = teaching.live
    if live is None:
        return
    if live.phase is Phase.COUNTDOWN:
        st.markdown(f"### Get ready: {int(np.ceil(live.left_s))}")
        st.progress(0.0, f"Show '{live.label}' and move a little while you hold it.")
    elif live.phase is Phase.RECORDING and visitor.stream and not visitor.stream.ended:
        left = "let go to stop" if live.held else f"{int(np.ceil(live.left_s))}"
        st.markdown(f"### Hold it: {left}")
        seen = visitor.stream.snapshot
        wrong = quality.at_once(seen.face, seen.dark, seen.faces > 0)
        done = 1 - live.left_s / live.seconds
        st.progress(min(1.0, done), wrong or f"{live.samples} samples of '{live.label}'")
    else:
        teaching.live = None
        if visitor.stream:
            visitor.stream.watch(None)
        _keep(teaching, live)
        st.rerun()


def _keep(teaching: Teaching, live: LiveTake) -> None:
    """Writes the take; what was good and what could be better goes to ``teaching.said``."""
    recording = live.recording()
    try:
        take = recording.take()
    except UserError as error:
        teaching.said = [f":red[{error}]"]
        return
    if not _save(teaching, take):
        return
    others = [
        drawn.take
        for label, paths in list(_stored().items())[:MOST_CARDS]
        if label != live.label
        for _, drawn in _readable(paths[-1:])[0]
    ]
    brightness = float(np.mean(recording.brightness))
    hints = quality.hints(take, recording.frames, brightness, others)
    teaching.said += [f":orange[{hint.text}]" for hint in hints] or ["That was a good one."]


def _save_again(teaching: Teaching, take: Take) -> None:
    _save(teaching, take)


def _save(teaching: Teaching, take: Take) -> bool:
    """Whether the take could be written; one that could not waits for another try."""
    try:
        takes.write(take, session.person().takes)
    except UserError as error:
        teaching.unsaved = take
        teaching.said = [f":red[{error}]", "Until you leave this page the take waits here."]
        return False
    teaching.unsaved = None
    teaching.said = [f"**{len(take)} samples of '{take.label}' kept.**"]
    return True


def _show(teaching: Teaching, stored: dict[str, list[Path]]) -> None:
    st.subheader("1 Show", anchor=False)
    # Above the cards: below them it would move away under the press when a card goes.
    with st.container(key="undo"):
        if teaching.removed:
            st.button("Undo delete", icon=":material/undo:", on_click=_undo, args=(teaching,))
    labels = list(dict.fromkeys([*stored, *teaching.added]))
    if not labels:
        st.markdown(
            "Turn on the camera, choose an expression and hold it for five seconds. Two or more "
            "expressions make a model; three short takes of each, from different distances, make "
            "a good one. Only points of you are kept, never a picture."
        )
    advice = []
    most = max(quality.TAKES, min(DRAWN_TAKES, MOST_DRAWN // max(1, len(labels))))
    for label in labels[:MOST_CARDS]:
        mine = stored.get(label, [])
        good, problems = _readable(mine[-most:], teaching.kind)
        (one,) = quality.advice({label: [drawn.take for _, drawn in good]})
        advice.append(one)
        _card(teaching, one, good, len(mine), min(len(mine), most) - len(good) - len(problems))
        for problem in problems:
            st.warning(problem)
    if len(labels) > MOST_CARDS:
        st.caption(f"{len(labels) - MOST_CARDS} more labels are kept and learned, but not drawn.")
    for problem in takes.strange(session.person().takes):
        st.warning(problem)
    if labels:
        done = sum(one.done for one in advice) / len(advice) * min(1.0, len(labels) / 2)
        wanting = next((one for one in advice if one.text), None)
        missing = (
            "another expression, to tell them apart"
            if len(labels) < 2
            else f"{wanting.label}: {wanting.text}"
            if wanting
            else ""
        )
        st.progress(done, f"Still to show: {missing}" if missing else "That is plenty: train it.")


def _undo(teaching: Teaching) -> None:
    if teaching.removed:
        try:
            for path, content in teaching.removed:
                takes.restore(path, content)
        except UserError as error:
            teaching.said = [f":red[{error}]"]
            return
        teaching.removed = []


def _card(
    teaching: Teaching,
    advice: quality.Advice,
    good: list[tuple[Path, Drawn]],
    count: int,
    others: int,
) -> None:
    """A label's name, what it lacks, and its takes as small moving meshes.

    count: how many takes it has. others: how many of them serve no model of this kind.
    """
    label = advice.label
    text = f"next: {advice.text}" if advice.text else "well shown"
    # With a key an open "Edit" goes with its label; without, the next label's would stand open.
    row = st.container(
        horizontal=True, vertical_alignment="center", gap="small", key=f"row-{label}"
    )
    row.markdown(
        f"{shape_of(label)} **{label}** · {count} take{'s' * (count != 1)} · {text}",
        width="stretch",
    )
    if count:
        with row:
            _edit(teaching, label)
    if others > 0 and teaching.kind == "holistic":
        st.caption(f"{others} of the face alone do not count for a model with hands.")
    mesh, person = _drawn_mesh(), _drawn_person()
    key = f"takes-{label}"
    component("takes_strip")(
        key=key,
        data={
            "label": label,
            "colour": hex_of(label),
            "edges": {"face": mesh[1], "holistic": person[1]},
            "missing": max(0, quality.TAKES - len(good)),
            "takes": [
                {
                    "id": path.name,
                    "samples": drawn.samples,
                    "kind": drawn.take.kind,
                    "frames": _sketch(drawn.take, mesh[0])
                    if drawn.take.kind == "face"
                    else _sketch_person(drawn.take, person[0]),
                }
                for path, drawn in good
            ],
        },
        # A callback, because it runs even if the camera's next word interrupts the page's drawing.
        on_removed_change=lambda: _remove(teaching, [path for path, _ in good], key),
    )


def _remove(teaching: Teaching, paths: list[Path], key: str) -> None:
    """Deletes the take that was asked for in the strip of this key; it can be put back."""
    for path in paths:
        if path.name == st.session_state[key].removed and path.is_file():
            _take_away(teaching, [path])


def _take_away(teaching: Teaching, paths: list[Path]) -> None:
    try:
        few = sum(path.stat().st_size for path in paths if path.is_file()) <= MOST_UNDONE
        kept = [(path, path.read_bytes()) for path in paths if few and path.is_file()]
        for path in paths:
            takes.delete(path)
        teaching.removed = kept
        if not few:
            teaching.said = [f"{len(paths)} takes are deleted: too many to be put back."]
    except OSError as error:
        teaching.said = [f":red[It could not be deleted ({error.strerror}). Try again.]"]


def _edit(teaching: Teaching, label: str) -> None:
    """Another name for a label, or none of it any more."""
    with st.popover(
        "Edit", icon=":material/edit:", help=f"Rename or delete '{label}'", key=f"edit-{label}"
    ):
        st.text_input(
            f"Another name for '{label}'",
            value=label,
            max_chars=60,
            key=f"rename-{label}",
            on_change=_rename,
            args=(teaching, label),
            help="Press Enter to keep it. The takes of a name that exists already are joined.",
        )
        st.button(
            f"Delete all takes of '{label}'",
            icon=":material/delete:",
            key=f"delete-{label}",
            on_click=lambda: _take_away(teaching, takes.paths(session.person().takes, label)),
        )


def _rename(teaching: Teaching, old: str) -> None:
    text = st.session_state[f"rename-{old}"]
    if text.strip() == old:  # a field that is left reports even what it always held
        return
    try:
        new = takes.rename(session.person().takes, old, text)
    except UserError as error:
        teaching.said = [f":red[{error}]"]
        return
    if old in teaching.added:
        teaching.added[teaching.added.index(old)] = new
    # They would come back under the old name.
    teaching.removed = [one for one in teaching.removed if one[0].parent.name != old]
    if st.session_state.get(_label_key(teaching)) == old:
        _choose_label(teaching, new)
    if new != old:
        teaching.said = [f"'{old}' is called '{new}' now."]


@st.cache_resource(show_spinner=False)
def _drawn_mesh() -> tuple[list[int], list[list[int]]]:
    """The landmarks of the contours, and their edges as indices into them."""
    contours = connections()["contours"]
    points, edges = np.unique(contours, return_inverse=True)
    return points.tolist(), edges.reshape(-1, 2).tolist()


def _sketch(take: Take, points: list[int]) -> list[list[float]]:
    """A few frames of the take as x, y, x, y, … in pixels, mirrored as the person saw it."""
    chosen = np.linspace(0, len(take) - 1, min(DRAWN_FRAMES, len(take))).astype(int)
    frontal = frontal_landmarks(take.landmarks[chosen], np.array(take.size))[:, points, :2]
    places = frontal * _EYES_TO_PIXELS * np.array([-1, 1])
    places += np.array([DRAWN_WIDTH / 2, DRAWN_HEIGHT * 0.42])
    rounded: list[list[float]] = np.round(places.reshape(len(chosen), -1), 1).tolist()
    return rounded


@st.cache_resource(show_spinner=False)
def _drawn_person() -> tuple[list[int], list[list[int]]]:
    """The mesh's points, and the edges of mesh, upper body, left and right hand as indices into
    those points, then the upper body's, then the hands'."""
    points, edges = _drawn_mesh()
    bones = skeletons()
    upper = bones["upper"] + len(points)
    left = bones["hand"] + len(points) + UPPER
    right = left + bones["hand"].max() + 1
    return points, [*edges, *upper.tolist(), *left.tolist(), *right.tolist()]


def _sketch_person(take: Take, points: list[int]) -> list[list[float | None]]:
    """As :func:`_sketch` of face, shoulders and hands; None where a part was not seen."""
    assert take.hands is not None and take.upper is not None and take.seen is not None
    chosen = np.linspace(0, len(take) - 1, min(DRAWN_FRAMES, len(take))).astype(int)
    parts = [
        take.landmarks[chosen][:, points, :2],
        take.upper[chosen][:, :, :2],
        take.hands[chosen][:, 0, :, :2],
        take.hands[chosen][:, 1, :, :2],
    ]
    places = shoulder_places(
        np.concatenate(parts, axis=1), take.landmarks[chosen], take.upper[chosen],
        take.seen[chosen], np.array(take.size),
    )  # fmt: skip
    places = places * _SHOULDERS_TO_PIXELS * np.array([-1, 1])
    places += np.array([DRAWN_WIDTH / 2, DRAWN_HEIGHT * _SHOULDERS_AT])
    flat = np.round(places.reshape(len(chosen), -1), 1)
    return [[None if np.isnan(x) else float(x) for x in row] for row in flat]


# --- 2 Train ----------------------------------------------------------------------------------


def _train(teaching: Teaching, stored: dict[str, list[Path]]) -> None:
    st.subheader("2 Train", anchor=False)
    # Each in a container of its own key, so that none of the other's parts linger.
    if teaching.training is not None:
        with st.container(key="training"):
            st.fragment(_progress, run_every=TRAINING_SECONDS)(teaching)
    else:
        with st.container(key="trained"):
            _start(teaching, stored)


def _start(teaching: Teaching, stored: dict[str, list[Path]]) -> None:
    if teaching.outcome:
        st.info(teaching.outcome)
    enough = len(stored) >= 2
    if teaching.kind == "holistic":
        serving = (
            label for label, mine in stored.items() if _readable(mine[-DRAWN_TAKES:], "holistic")[0]
        )
        enough = len(list(islice(serving, 2))) == 2
    st.button(
        "Train my model",
        type="primary",
        icon=":material/model_training:",
        disabled=not enough,
        help=None if enough else "Show at least two expressions first.",
        on_click=_begin_training,
        args=(teaching,),
    )
    if session.has_personal():
        _judgement(list(stored))


def _begin_training(teaching: Teaching) -> None:
    if teaching.training is None:
        person = session.person()
        teaching.outcome = None
        teaching.training = TrainingRun(person.takes, person.model, teaching.kind)


def _progress(teaching: Teaching) -> None:
    run = teaching.training
    if run is None:
        return
    state = run.state
    if state.ended:
        teaching.training = None
        teaching.outcome = state.problem or "Your model is trained. Try it below."
        visitor = session.current()
        if state.problem is None and visitor.model == session.PERSONAL:
            _use(visitor, session.PERSONAL)  # the live page still has the one from before
        st.rerun()
    left = f" · about {state.left_s:.0f} s left" if state.left_s is not None else ""
    st.progress(state.fraction, f"{state.stage}{left}")
    if state.curve:
        curve = pd.DataFrame(state.curve).set_index("epoch")
        columns = {"accuracy": "your takes", "val_accuracy": "takes left out"}
        curve = 100 * curve[[name for name in columns if name in curve]].rename(columns=columns)
        st.line_chart(curve, height=200, x_label="round", y_label="read right, %")
    st.button("Cancel", icon=":material/stop:", on_click=run.cancel)


def _judgement(stored: list[str]) -> None:
    try:
        made = bundle.read(session.person().model)
    except UserError as error:
        st.warning(str(error))
        return
    if gone := [label for label in made.labels if label not in stored]:
        names = ", ".join(f"'{label}'" for label in gone)
        st.markdown(f"It still knows {names}, of which there is no take now: train it again.")
    figures = made.metrics.get("held_out", {})
    if figures.get("frames"):
        _before_and_after(figures)
        st.caption(
            f"{figures['frames']} frames of your own takes. Each take was judged by a model that "
            "learned without it, so the number says how it does on your next one, as long as that "
            "is recorded like these. Another room or another day can be harder."
        )
    single = [name for name, one in figures.get("by_label", {}).items() if one["takes"] < 2]
    if single:
        names = ", ".join(f"'{name}'" for name in single)
        st.markdown(f"Not judged yet: {names}. Record a second take of each.")
    if figures.get("frames") and made.has("confusion_matrix.png"):
        with st.expander("What it mixes up"):
            st.dataframe(
                [
                    {
                        "label": name,
                        "takes": one["takes"],
                        "found": f"{100 * one['recall']:.0f}%",
                        "right when shown": f"{100 * one['precision']:.0f}%",
                    }
                    for name, one in figures["by_label"].items()
                    if one["takes"] > 1
                ],
                hide_index=True,
            )
            st.image(made.path("confusion_matrix.png").read_bytes())


def _before_and_after(figures: dict[str, Any]) -> None:
    """The general and the personal model on the same takes, which neither had learned from."""
    share = 100 * figures["accuracy"]
    before = figures.get("general", {"frames": 0})
    if not before["frames"]:
        st.metric("Your model reads right", f"{share:.0f}%")
        st.caption("The general model knows none of these expressions.")
        return
    old, new = 100 * before["accuracy"], 100 * before["personal_accuracy"]
    left, right = st.columns(2)
    left.metric("Before: general model", f"{old:.0f}%")
    gained = f"{new - old:+.0f} points" if round(new - old) else None
    right.metric("After: your model", f"{new:.0f}%", gained)
    if before["frames"] < figures["frames"]:
        known = ", ".join(before["labels"])
        st.markdown(
            f"That is of {known}, which both know. Of all that you taught, yours reads "
            f"**{share:.0f}%** right."
        )


# --- 3 Try ------------------------------------------------------------------------------------


def _try(visitor: Session) -> None:
    st.subheader("3 Try", anchor=False)
    if session.has_personal():
        live = LOOK_SECONDS if visitor.camera is Camera.ON else None
        st.fragment(_versus, run_every=live)(visitor)
        if visitor.model == session.PERSONAL:
            st.markdown("The live page uses your model.")
            general = (visitor, session.GENERAL)
            st.button("Use the general model instead", on_click=_use, args=general)
        else:
            own = (visitor, session.PERSONAL)
            st.button("Use my model", type="primary", on_click=_use, args=own)
    else:
        st.markdown("When your model is trained, it shows here what it sees.")
    _carry(visitor)


def _use(visitor: Session, model: str) -> None:
    visitor.model = model
    if visitor.stream:
        visitor.stream.use(session.model_in_use(visitor))


@st.cache_resource(max_entries=4, show_spinner=False)
def _bundle(folder: Path, changed: float) -> Bundle:
    return bundle.read(folder)


def _classifier(folder: Path) -> Classifier:
    """This visitor's own classifier of the bundle: networks are not shared between threads."""
    changed = (folder / bundle.MANIFEST).stat().st_mtime
    kept = st.session_state.setdefault("try_classifiers", {})
    if kept.get(folder, (None, None))[0] != changed:
        kept[folder] = (changed, Classifier(_bundle(folder, changed)))
    classifier = kept[folder][1]
    assert isinstance(classifier, Classifier)
    return classifier


def _versus(visitor: Session) -> None:
    seen = visitor.stream.snapshot if visitor.stream else Snapshot()
    sides = {}
    for side, folder, title in (
        ("left", bundle.GENERAL, "General model"),
        ("right", visitor.person.model, "Your model"),
    ):
        try:
            classifier = _classifier(folder)
        except (UserError, OSError):
            return
        if seen.body is not None:
            said = classifier.of_body(seen.body)
        elif seen.face is not None and classifier.kind == "face":
            said = classifier.of_face(seen.face)
        else:
            said = None
        sides[side] = _side(title, classifier.bundle, said)
    component("versus")(key="versus", data=sides)


def _side(title: str, made: Bundle, seen: Expression | None) -> dict[str, object]:
    says = "…" if seen is None else (seen.label or "not sure")
    shown = seen.probabilities if seen else {}
    return {
        "title": title,
        "says": says,
        "labels": [
            {"label": label, "colour": hex_of(label), "percent": round(100 * shown.get(label, 0))}
            for label in made.labels
        ],
    }


def _carry(visitor: Session) -> None:
    with st.expander("Carry it to another machine", icon=":material/swap_horiz:"):
        if session.has_personal():
            try:
                content = exchange.pack(bundle.read(session.person().model))
            except UserError as error:
                st.warning(str(error))
            else:
                st.download_button("Export my model", content, f"my-expressions{exchange.SUFFIX}")
        upload = st.file_uploader(
            "Import a model", type=["zip"], key="import_model", max_upload_size=LARGEST_MODEL_MB
        )
        if upload is not None:
            st.button("Replace my model with it", on_click=_import, args=(visitor, upload))
        if problem := _teaching().import_problem:
            st.error(problem)


def _import(visitor: Session, upload: UploadedFile) -> None:
    teaching = _teaching()
    try:
        made = exchange.unpack(upload.getvalue(), visitor.person.model)
    except UserError as error:
        teaching.import_problem = str(error)
        return
    teaching.import_problem = None
    teaching.outcome = f"Imported a model that knows {', '.join(made.labels)}."
    _use(visitor, session.PERSONAL)
