"""The webcam in a page: the one way in which Listen and Teach show it."""

from __future__ import annotations

import time

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit_webrtc import WebRtcMode, webrtc_streamer

from moodmesh import crowd, ice, probe, settings, system, tracks
from moodmesh.crowd import Crowd
from moodmesh.errors import UserError
from moodmesh.holistic import Kind
from moodmesh.live import Stream
from moodmesh.pace import LEVELS
from moodmesh.pages import session
from moodmesh.pages.component import component
from moodmesh.pages.session import Camera, Session

tracks.install()

# How often the page asks for its place among the live cameras; see crowd.GONE_SECONDS.
TEND_SECONDS = 2.0
# A connection that has not come by then is begun anew, once: behind a firewall it never comes.
HANGING_SECONDS = 20.0
CONSTRAINTS = {
    # 'ideal', so that a camera with other sizes still starts. They stay as they are: with others
    # the browser would begin its camera anew, so a busy machine makes the picture smaller here.
    "video": {
        "width": {"ideal": LEVELS[0].width},
        "height": {"ideal": LEVELS[0].height},
        "frameRate": {"ideal": LEVELS[0].fps},
    },
    "audio": False,
}
VIDEO_ATTRIBUTES = {
    "autoPlay": True,
    "controls": False,
    "muted": True,
    # People know their own face from the mirror. The width is known before the camera's form is, so
    # the height hangs on it alone, as in shell.css: nothing moves when the picture comes.
    "style": {
        "width": "100%",
        "height": "max(75vw, min(100vw, 360px))",
        "objectFit": "cover",
        "transform": "scaleX(-1)",
        "borderRadius": "16px",
    },
}


def lobby(visitor: Session, title: str) -> None:
    """What stands in the video's place before the camera: consent, a check, one button."""
    chosen = settings.current()
    component("lobby")(
        key="lobby",
        data={
            "title": title,
            "keeps": chosen.privacy.history_days != 0,
            "rtc": ice.browser(chosen.network, visitor.name),
            "answer": visitor.check_answer,
        },
        on_granted_change=lambda: _turn_on(visitor),
        on_offer_change=lambda: _answer_check(visitor),
    )


def _turn_on(visitor: Session) -> None:
    """The visitor has agreed. A callback: a redraw that another part asks for at that moment would
    cut the drawing short before it came to read the press."""
    if st.session_state["lobby"].granted:
        visitor.camera = Camera.ON
        visitor.camera_since_s = time.monotonic()


@st.cache_resource(show_spinner=False)
def _line() -> Crowd:
    """The line of everybody on this server who wants a live camera."""
    return Crowd(crowd.most_sessions())


def _wait(ahead: int) -> None:
    """What stands in the video's place while others have all of this machine's places."""
    component("queue")(
        key="queue",
        data={
            "title": crowd.words(ahead),
            "text": "This computer looks at as many faces at once as it can do well. Leave this "
            "page open: your camera comes on when it is your turn.",
        },
    )


def _answer_check(visitor: Session) -> None:
    """Answers the trial connection of the lobby's check, in the redraw that it asked for."""
    match st.session_state["lobby"].offer:
        case {"number": int(number), "sdp": str(offer)}:
            servers = ice.servers(settings.current().network, visitor.name)
            try:
                said = {"sdp": probe.answer(offer, servers)}
            except UserError as error:
                said = {"problem": str(error)}
            visitor.check_answer = {"number": number, **said}


def off_button(visitor: Session, place: DeltaGenerator) -> bool:
    """The button that turns the camera off; True in the run after it was pressed."""

    def stop() -> None:
        # A callback, because it runs even if the camera's next word interrupts the drawing.
        turn_off(visitor)

    return place.button("Turn off camera", icon=":material/videocam_off:", on_click=stop)


def turn_off(visitor: Session) -> None:
    """Lets go of the camera: its landmarker now, the browser's side as soon as it has been told.

    Until then the camera is STOPPING and :func:`show` has to be drawn on.
    """
    visitor.ahead = 0
    visitor.camera_played = visitor.restarting = visitor.camera_retried = False
    _line().leave(visitor.name)
    visitor.end_stream()
    if visitor.camera is Camera.ON:
        # Without a video in the page there is nothing that could say it has stopped.
        visitor.camera = Camera.STOPPING if visitor.camera_mounted else Camera.OFF


def show(visitor: Session, looks_at: Kind = "face") -> None:
    """The video with the mesh; sets ``visitor.stream`` once frames can come.

    looks_at: what the page wants to see, beyond what the model in use needs.

    While ``visitor.camera`` is STOPPING it stays in the page until the browser has let go of the
    camera, then sets OFF.
    """
    wanted = visitor.camera is Camera.ON
    if wanted:
        visitor.ahead = _line().ask(visitor.name)
        st.fragment(_tend, run_every=TEND_SECONDS)(visitor)
        if visitor.ahead:
            visitor.camera_since_s = time.monotonic()
            _lose_stream(visitor)
            return
    model, line = session.model_in_use(visitor), _line()

    def ended(stream: Stream) -> None:
        # A closed tab asks for nothing any more: the next in line need not wait until that shows.
        if visitor.stream in (None, stream):
            line.leave(visitor.name)

    network = settings.current().network
    context = webrtc_streamer(  # type: ignore[type-var]  # it asks for recv and on_ended only
        key="camera",
        mode=WebRtcMode.SENDRECV,
        video_processor_factory=lambda: Stream(model, ended=ended),
        media_stream_constraints=CONSTRAINTS,
        frontend_rtc_configuration=ice.browser(network, visitor.name),
        server_rtc_configuration={"iceServers": ice.servers(network, visitor.name)},
        video_html_attrs=VIDEO_ATTRIBUTES,
        # The component starts a connection at every redraw until the first has begun, and only
        # one of them gets the answer. So it is drawn once idle: when it has reported itself, it
        # is there and nothing else redraws it.
        desired_playing_state=wanted and visitor.camera_mounted,
        media_toggle_controls=False,
        async_processing=True,
    )
    if visitor.camera_mounted_s is None:
        visitor.camera_mounted_s = time.monotonic()
    visitor.stream = context.video_processor if wanted else None
    if context.state.playing:
        visitor.camera_played, visitor.camera_retried = wanted, False
    elif visitor.camera_played and wanted and not context.state.signalling:
        # The computer slept or the network was away for long, and the browser has noticed.
        visitor.restarting, visitor.camera_since_s = True, time.monotonic()
        _lose_stream(visitor)
        st.rerun()
    if visitor.stream:
        visitor.stream.look_at(looks_at)
        system.settle("camera")  # the stream has loaded MediaPipe
    if not wanted and not context.state.playing and not context.state.signalling:
        visitor.camera = Camera.OFF
        visitor.camera_mounted_s = None
        st.rerun()


def _lose_stream(visitor: Session) -> None:
    """Ends the stream; the video has to mount, or to be drawn idle, before it connects again."""
    visitor.end_stream()
    visitor.camera_mounted_s, visitor.camera_played = None, False


def _tend(visitor: Session) -> None:
    """Keeps the visitor's place among the live cameras; shows the queue while there is none."""
    if visitor.camera is not Camera.ON:
        return
    ahead, before = _line().ask(visitor.name), visitor.ahead
    visitor.ahead = ahead
    if bool(before) != bool(ahead):  # their turn has come, or their place was lost while away
        st.rerun()
    if ahead:
        _wait(visitor.ahead)
    elif visitor.restarting and visitor.camera_mounted:  # it has been drawn idle
        visitor.restarting = False
        st.rerun()
    elif _hangs(visitor):
        visitor.restarting = visitor.camera_retried = True
        _lose_stream(visitor)
        st.rerun()


def _hangs(visitor: Session) -> bool:
    # By the frames: after quick changes of pages the browser may say it plays where nothing comes.
    since_s, stream = visitor.camera_mounted_s, visitor.stream
    if since_s is None or visitor.camera_retried or (stream and stream.snapshot.frames):
        return False
    return time.monotonic() - since_s > HANGING_SECONDS
