"""Tests of one webcam stream in this process: real frames, a real landmarker, no browser."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator

import av
import cv2
import numpy as np
import pytest

from moodmesh import bundle, live
from moodmesh.bundle import Bundle
from moodmesh.face import FaceTracker
from moodmesh.live import Stream
from tests import warped_face


@pytest.fixture(scope="module")
def model() -> Bundle:
    return bundle.read(bundle.GENERAL)


@pytest.fixture
def stream(model: Bundle) -> Iterator[Stream]:
    stream = Stream(model)
    yield stream
    stream.on_ended()


def test_a_stream_says_once_that_it_is_over(model: Bundle) -> None:
    told: list[Stream] = []
    stream = Stream(model, ended=told.append)
    assert told == []
    stream.on_ended()
    stream.on_ended()
    assert told == [stream]


def frame(rgb: np.ndarray) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(rgb, format="rgb24")


def test_a_frame_comes_back_with_the_mesh_and_the_snapshot_says_what_was_seen(
    stream: Stream,
) -> None:
    rgb = warped_face.render("happy")
    for _ in range(4):
        back = stream.recv(frame(rgb)).to_ndarray(format="rgb24")
    changed = np.abs(back.astype(int) - rgb).max(axis=2) > 40
    assert 0.01 < changed.mean() < 0.25
    seen = stream.snapshot
    assert (seen.frames, seen.faces) == (4, 1)
    assert seen.expression is not None
    assert seen.expression.likeliest == "happy"
    assert sum(seen.shown.values()) == pytest.approx(1.0)
    assert seen.frame_ms > 0
    assert seen.problem is None


def test_a_frame_without_a_face_comes_back_as_it_was(stream: Stream) -> None:
    rgb = warped_face.empty()
    back = stream.recv(frame(rgb)).to_ndarray(format="rgb24")
    assert np.array_equal(back, rgb)
    assert stream.snapshot.faces == 0
    assert stream.snapshot.mood.label is None


def test_darkness_is_noticed(stream: Stream) -> None:
    stream.recv(frame(np.full((480, 640, 3), 12, np.uint8)))
    assert stream.snapshot.dark
    stream.recv(frame(np.full((480, 640, 3), 120, np.uint8)))
    assert not stream.snapshot.dark


@pytest.mark.parametrize("size", [(1, 1), (2, 640), (33, 47), (1080, 1920)])
def test_frames_of_any_size_are_defined(stream: Stream, size: tuple[int, int]) -> None:
    back = stream.recv(frame(np.zeros((*size, 3), np.uint8)))
    assert max(back.width, back.height) <= max(live.LONGEST_SIDE, 1)
    assert stream.snapshot.problem is None


def test_a_landmarker_that_raises_is_replaced(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    rgb = warped_face.render("happy")
    track = FaceTracker.track
    broken = {"left": 2}

    def fail_twice(self: FaceTracker, rgb: np.ndarray, time_ms: int) -> object:
        if broken["left"]:
            broken["left"] -= 1
            raise RuntimeError("graph has errors")
        return track(self, rgb, time_ms)

    monkeypatch.setattr(FaceTracker, "track", fail_twice)
    for _ in range(2):
        assert np.array_equal(stream.recv(frame(rgb)).to_ndarray(format="rgb24"), rgb)
    stream.recv(frame(rgb))
    assert stream.snapshot.faces == 1
    assert stream.snapshot.problem is None


def test_a_landmarker_that_always_raises_is_said_in_plain_words(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: FaceTracker, rgb: np.ndarray, time_ms: int) -> object:
        raise RuntimeError("graph has errors")

    monkeypatch.setattr(FaceTracker, "track", fail)
    for _ in range(live.MOST_FAILURES):
        stream.recv(frame(warped_face.render("happy")))
    assert "Turn the camera off and on again" in (stream.snapshot.problem or "")


def test_the_landmarker_is_freed_when_the_stream_ends_even_in_the_middle_of_a_frame(
    model: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[FaceTracker] = []
    close = FaceTracker.close
    monkeypatch.setattr(FaceTracker, "close", lambda self: (closed.append(self), close(self)))
    at_work, go_on = threading.Event(), threading.Event()
    track = FaceTracker.track

    def wait_in_the_middle(self: FaceTracker, rgb: np.ndarray, time_ms: int) -> object:
        at_work.set()
        assert go_on.wait(20)
        return track(self, rgb, time_ms)

    monkeypatch.setattr(FaceTracker, "track", wait_in_the_middle)
    stream = Stream(model)
    worker = threading.Thread(target=stream.recv, args=(frame(warped_face.render("happy")),))
    worker.start()
    assert at_work.wait(20)
    stream.on_ended()  # must not wait for the frame
    assert not closed
    go_on.set()
    worker.join(20)
    assert len(closed) == 1
    stream.recv(frame(warped_face.render("happy")))
    assert len(closed) == 1, "an ended stream must not make a landmarker again"


def test_streams_do_not_share_anything(model: Bundle) -> None:
    one, other = Stream(model), Stream(model)
    try:
        one.recv(frame(warped_face.render("happy")))
        assert other.snapshot.frames == 0
        other.recv(frame(warped_face.empty()))
        assert one.snapshot.faces == 1
    finally:
        one.on_ended()
        other.on_ended()


def test_the_live_path_never_imports_tensorflow() -> None:
    code = (
        "import sys; import moodmesh.live, moodmesh.pages.shell; "
        "from moodmesh import bundle, face; face.FaceFinder().close(); "
        "moodmesh.live.Stream(bundle.read(bundle.GENERAL)); "
        "sys.exit(any(m == 'tensorflow' or m.startswith('tensorflow.') for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_a_picture_that_changes_its_size_is_read_on(stream: Stream) -> None:
    rgb = warped_face.render("happy")
    for size in ((640, 480), (320, 240), (480, 360)):
        back = stream.recv(frame(cv2.resize(rgb, size)))
        assert (back.width, back.height) == size
        assert stream.snapshot.faces == 1
        assert stream.snapshot.problem is None
