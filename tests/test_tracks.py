"""Unit: the stream's plumbing on stand-in cameras: what a slow consumer and a slow frame cost."""

from __future__ import annotations

import asyncio
import threading
import time
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
import streamlit_webrtc.component
import streamlit_webrtc.relay
import streamlit_webrtc.webrtc
from aiortc import MediaStreamTrack, RTCSessionDescription
from streamlit_webrtc.component import WebRtcStreamerContext, WebRtcStreamerState

from moodmesh import tracks
from moodmesh.tracks import NewestRelay, WaitlessTrack


class Webcam(MediaStreamTrack):
    """Frames that carry their number, 100 a second."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self.number = 0
        self._began_s = time.monotonic()

    async def recv(self) -> av.VideoFrame:
        self.number += 1
        await asyncio.sleep(max(0.0, self._began_s + self.number / 100 - time.monotonic()))
        frame = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")
        frame.pts, frame.time_base = self.number, Fraction(1, 100)
        return frame


class Worker:
    """A processor whose frames take so long."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.working, self.ended = threading.Event(), threading.Event()

    async def recv_queued(self, frames: list[av.VideoFrame]) -> list[av.VideoFrame]:
        self.working.set()
        time.sleep(self.seconds)
        return frames[-1:]

    def on_ended(self) -> None:
        self.ended.set()


def test_a_slow_consumer_gets_the_newest_frame() -> None:
    async def behind() -> int:
        camera = Webcam()
        consumer = NewestRelay().subscribe(camera)
        for _ in range(20):
            frame = await consumer.recv()
            await asyncio.sleep(0.05)
        last: int = camera.number - (await consumer.recv()).pts
        assert frame.pts > 60, "frames came one by one"
        camera.stop()
        return last

    assert asyncio.run(behind()) <= 2


def test_stopping_does_not_wait_for_a_frame_of_two_seconds() -> None:
    async def stopping() -> tuple[float, int]:
        slow, other = Worker(2.0), Worker(0.0)
        track, beside = WaitlessTrack(Webcam(), slow), WaitlessTrack(Webcam(), other)
        await track.recv()
        while not slow.working.is_set():
            await beside.recv()
        began_s = time.monotonic()
        track.stop()
        waited_s = time.monotonic() - began_s
        assert slow.ended.is_set()
        frames = 0
        while time.monotonic() < began_s + 0.5:  # the other stream goes on meanwhile
            await beside.recv()
            frames += 1
        beside.stop()
        return waited_s, frames

    waited_s, frames = asyncio.run(stopping())
    assert waited_s < 0.1
    assert frames > 25


def test_a_track_that_had_no_frame_can_be_stopped() -> None:
    async def stopping() -> bool:
        worker = Worker(0.0)
        track = WaitlessTrack(Webcam(), worker)
        track.stop()
        track.stop()
        return worker.ended.is_set()

    assert asyncio.run(stopping())


class Answering:
    """A worker that answers one offer."""

    def __init__(self) -> None:
        self.offer = ""
        self.stopped = False

    def process_offer(self, sdp: str, type_: str, timeout: float) -> None:
        self.offer = sdp

    @property
    def local_description(self) -> RTCSessionDescription:
        return RTCSessionDescription(f"answer to {self.offer}", "answer")

    def stop(self) -> None:
        self.stopped = True


def test_the_newest_offer_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser that starts a second connection waits for that one's answer."""
    monkeypatch.setattr(streamlit_webrtc.component, "rerun", lambda: None)
    context: Any = WebRtcStreamerContext(None, WebRtcStreamerState(False, True))
    made: list[Answering] = []

    def make_worker() -> Answering:
        made.append(Answering())
        return made[-1]

    for offer in ("first", "first", "second", "second"):
        described = {"sdp": offer, "type": "offer"}
        tracks.answer_newest(context, "camera", described, make_worker=make_worker)
        assert context._sdp_answer_json is not None
        assert f"answer to {offer}" in context._sdp_answer_json
        assert context.state.signalling
    assert [(worker.offer, worker.stopped) for worker in made] == [
        ("first", True),
        ("second", False),
    ]


def test_the_web_page_uses_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streamlit_webrtc.relay, "MediaRelay", None)
    monkeypatch.setattr(streamlit_webrtc.webrtc, "AsyncVideoProcessTrack", None)
    monkeypatch.setattr(streamlit_webrtc.component, "_handle_worker_lifecycle", None)
    tracks.install()
    assert streamlit_webrtc.relay.MediaRelay is NewestRelay
    assert streamlit_webrtc.webrtc.AsyncVideoProcessTrack is WaitlessTrack
    assert streamlit_webrtc.component._handle_worker_lifecycle is tracks.answer_newest
