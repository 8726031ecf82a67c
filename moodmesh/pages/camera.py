"""The webcam in a page: the one way in which Listen and Teach show it."""

from __future__ import annotations

import time

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit_webrtc import WebRtcMode, webrtc_streamer

from moodmesh.live import Stream
from moodmesh.pages import session
from moodmesh.pages.component import component
from moodmesh.pages.session import Camera, Session

CONSTRAINTS = {
    # The landmark network looks at 256x256 of the face: more pixels only cost time. 'ideal', so
    # that a camera with other sizes still starts.
    "video": {"width": {"ideal": 640}, "height": {"ideal": 480}, "frameRate": {"ideal": 24}},
    "audio": False,
}
VIDEO_ATTRIBUTES = {
    "autoPlay": True,
    "controls": False,
    "muted": True,
    # People know their own face from the mirror.
    "style": {"width": "100%", "transform": "scaleX(-1)", "borderRadius": "16px"},
}


def lobby(visitor: Session, title: str) -> None:
    """What stands in the video's place before the camera: consent, a check, one button."""
    asked = component("lobby")(key="lobby", data={"title": title}, on_granted_change=lambda: None)
    if asked.granted:
        visitor.camera = Camera.ON
        visitor.camera_since_s = time.monotonic()
        st.rerun()


def off_button(visitor: Session, place: DeltaGenerator) -> bool:
    """The button that turns the camera off; True in the run after it was pressed."""

    def stop() -> None:
        # A callback, because it runs even if the camera's next word interrupts the drawing.
        visitor.camera = Camera.STOPPING

    return place.button("Turn off camera", icon=":material/videocam_off:", on_click=stop)


def show(visitor: Session, key: str = "camera") -> None:
    """The video with the mesh; sets ``visitor.stream`` once frames can come.

    While ``visitor.camera`` is STOPPING it stays in the page until the browser has let go of the
    camera, then sets OFF.
    """
    model = session.model_in_use(visitor)
    wanted = visitor.camera is Camera.ON
    if not wanted and visitor.stream:
        visitor.stream.on_ended()  # frees the landmarker now, not when the connection is down
    context = webrtc_streamer(  # type: ignore[type-var]  # it asks for recv and on_ended only
        key=key,
        mode=WebRtcMode.SENDRECV,
        video_processor_factory=lambda: Stream(model),
        media_stream_constraints=CONSTRAINTS,
        rtc_configuration={"iceServers": []},
        video_html_attrs=VIDEO_ATTRIBUTES,
        # The component starts a connection at every redraw until the first has begun, and only
        # one of them gets the answer. So it is drawn once idle: when it has reported itself, it
        # is there and nothing else redraws it.
        desired_playing_state=wanted and visitor.camera_mounted,
        media_toggle_controls=False,
        async_processing=True,
    )
    visitor.camera_mounted = True
    visitor.stream = context.video_processor if wanted else None
    if not wanted and not context.state.playing and not context.state.signalling:
        visitor.camera = Camera.OFF
        visitor.camera_mounted = False
        st.rerun()
