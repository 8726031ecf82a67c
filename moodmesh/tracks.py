"""The stream's plumbing: streamlit-webrtc's tracks, so that no frame queues and no stop waits.

Three things in streamlit-webrtc 0.79 stand against a picture that is there at once and always new:

- Its relay keeps every frame until the encoder asks for it. An encoder that is slower than the
  camera falls behind further and further: 2.3 s after four seconds at 10 of 24 frames a second.
- Stopping a track waits for the frame that is worked on, on the event loop of the whole server:
  one slow frame holds up everybody's stream.
- Where the page is redrawn at the moment when a connection starts, the browser starts a second one
  and waits for that one's answer, while the first offer is answered: nothing is seen until both are
  given up, half a minute later. So an offer that differs from the one before is answered anew.
"""

from __future__ import annotations

from typing import Any

import streamlit_webrtc.component
import streamlit_webrtc.relay
import streamlit_webrtc.webrtc
from aiortc import MediaStreamTrack
from aiortc.contrib.media import MediaRelay
from streamlit_webrtc.process import AsyncVideoProcessTrack


class NewestRelay(MediaRelay):
    """Hands on the newest frame; one that nobody asked for in time is gone."""

    def subscribe(self, track: MediaStreamTrack, buffered: bool = False) -> MediaStreamTrack:
        """A further consumer of the track; buffered is ignored."""
        return super().subscribe(track, buffered=False)


class WaitlessTrack(AsyncVideoProcessTrack):
    """Works on frames in a thread of its own; stopping it never waits for that thread."""

    def __init__(self, track: MediaStreamTrack, processor: Any, stop_timeout: float = 0.0) -> None:
        super().__init__(track, processor, stop_timeout=0.0)

    def stop(self) -> None:
        """Ends it now. A frame that is worked on is finished meanwhile; see Stream.on_ended."""
        if self._thread is None:  # no frame has come: the original has no queue to close yet
            MediaStreamTrack.stop(self)
            self.track.stop()
            self.processor.on_ended()
        else:
            super().stop()


# The offer that a camera's part of the page had answered last.
_ANSWERED = "moodmesh_answered_offer"
_answer = streamlit_webrtc.component._handle_worker_lifecycle


def answer_newest(context: Any, key: str, sdp_offer: dict[str, Any] | None, **how: Any) -> None:
    """streamlit-webrtc's step that answers an offer, with a new answer for each new offer."""
    if sdp_offer:
        before = getattr(context, _ANSWERED, None)
        if before not in (None, sdp_offer["sdp"]) and context._get_worker():
            state = context.state
            streamlit_webrtc.component._reset_context(context)
            context._set_state(state)  # the browser is where it was
        setattr(context, _ANSWERED, sdp_offer["sdp"])
    _answer(context, key, sdp_offer, **how)


def install() -> None:
    """Makes streamlit-webrtc use them; before its first stream."""
    streamlit_webrtc.component._handle_worker_lifecycle = answer_newest
    streamlit_webrtc.relay.MediaRelay = NewestRelay  # type: ignore[misc]
    streamlit_webrtc.webrtc.AsyncVideoProcessTrack = WaitlessTrack  # type: ignore[misc,assignment]
