"""One webcam stream: frames in, annotated frames out, a snapshot to read from another thread.

The frame callback runs on a thread of the WebRTC library. It touches nothing of the page; the
page reads :attr:`Stream.snapshot`. Frames that arrive while one is being worked on are dropped,
the newest one is next, so latency stays bounded.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import av
import cv2
import numpy as np

from moodmesh.bundle import Bundle
from moodmesh.classifier import Expression, StreamClassifier
from moodmesh.colours import of_label
from moodmesh.errors import UserError
from moodmesh.face import Face, FaceTracker, draw_mesh, prepare
from moodmesh.holistic import Body, HolisticTracker, Kind, draw_body
from moodmesh.mood import SHOWN_SECONDS, Mood, MoodTracker, Smoothed
from moodmesh.pace import LEVELS, Level, Pace

LOGGER = logging.getLogger(__name__)

# The landmark network sees 256x256 of the face alone; a larger frame costs time and adds nothing.
LONGEST_SIDE = 960
# On an eased level a frame that comes sooner than this part of its interval is left out.
EARLY_SHARE = 0.8
# Mean luma (0-255) below which a face is found late or not at all.
DARK = 45
# A landmarker that fails this often in a row will not recover by being made anew.
MOST_FAILURES = 5
# Frame times are averaged over about this many frames.
AVERAGED_FRAMES = 20


@dataclass(frozen=True)
class Snapshot:
    """What the stream saw last.

    frames: how many frames were worked on; faces: how many faces (or persons) the last one had.
    face, body: the largest face, and the person where hands and shoulders are looked at as well.
    shown: label -> probability, lightly smoothed, for the bars; empty before the first face.
    frame_ms: mean time a frame takes here. frames_per_second: mean rate of frames worked on.
    brightness: mean of the last picture, 0-255. face_lost_s: seconds since a face was seen.
    problem: a sentence for the user where the stream cannot go on.
    level: how large and how fast a picture the machine keeps up with.
    """

    frames: int = 0
    faces: int = 0
    face: Face | None = None
    body: Body | None = None
    expression: Expression | None = None
    shown: dict[str, float] = field(default_factory=dict)
    mood: Mood = field(default_factory=Mood)
    frame_ms: float = 0.0
    frames_per_second: float = 0.0
    brightness: float = 0.0
    face_lost_s: float = 0.0
    problem: str | None = None
    level: Level = LEVELS[0]

    @property
    def eased(self) -> bool:
        """Whether the picture is kept smaller and slower, because the machine is busy."""
        return self.level.eased

    @property
    def dark(self) -> bool:
        """Whether the picture is too dark to read a face well."""
        return self.frames > 0 and self.brightness < DARK


# Is told what each frame shows (its person while hands and shoulders are looked at, else its
# largest face or None), its time in ms and its brightness, on the stream's thread and before the
# next frame: it must be quick.
Watcher = Callable[[Face | Body | None, int, float], None]


class Stream:
    """The frame callback of one webcam stream, with a landmarker of its own.

    ended: called once with the stream when it is over, from whatever thread says so.
    """

    def __init__(
        self,
        bundle: Bundle,
        plays_like: dict[str, str] | None = None,
        ended: Callable[[Stream], None] | None = None,
    ) -> None:
        self._lock = threading.Lock()  # guards the snapshot and the flags, never held for long
        self._working = threading.Lock()  # held while a frame is worked on
        self._snapshot = Snapshot()
        self._ended = False
        self._tell_ended = ended
        self._watcher: Watcher | None = None
        self._plays_like = plays_like or {}
        self._tracker: FaceTracker | HolisticTracker | None = None
        self._drawing: ThreadPoolExecutor | None = None
        self._wanted: Kind = "face"
        self._failures = 0
        self._pace = Pace()
        self._last_frame_s: float | None = None
        self._last_face_s = 0.0
        self._start_s = time.monotonic()
        prepare()  # takes seconds on a busy machine, and the first frame should not
        self.use(bundle)

    def use(self, bundle: Bundle) -> None:
        """Classifies with this bundle from the next frame on."""
        classifier = StreamClassifier(bundle)
        with self._lock:
            self._classifier = classifier
            self._shown = Smoothed(SHOWN_SECONDS)
            self._moods = MoodTracker(self._plays_like)

    def watch(self, watcher: Watcher | None) -> None:
        """Tells this watcher of each frame from the next one on, in place of any other."""
        with self._lock:
            self._watcher = watcher

    def look_at(self, kind: Kind) -> None:
        """Looks at this from the next frame on, or at more where the model in use needs it."""
        with self._lock:
            self._wanted = kind

    @property
    def snapshot(self) -> Snapshot:
        """What the stream saw last; safe to call from any thread."""
        with self._lock:
            return self._snapshot

    @property
    def silent_s(self) -> float:
        """Seconds since the last frame came in, or since the start."""
        return time.monotonic() - (self._last_frame_s or self._start_s)

    @property
    def ended(self) -> bool:
        """Whether the stream is over and its landmarker freed (or about to be)."""
        with self._lock:
            return self._ended

    async def recv_queued(self, frames: list[av.VideoFrame]) -> list[av.VideoFrame]:
        """The WebRTC library's callback: what came since the last call in, the newest out.

        Nothing comes out where frames come faster than the machine should work on them.
        """
        with self._lock:
            level, last_s = self._pace.level, self._last_frame_s
            for _ in frames[:-1]:
                self._pace.drop()
        early = last_s is not None and time.monotonic() - last_s < EARLY_SHARE / level.fps
        return [] if early and level.eased else [self.recv(frames[-1])]

    def recv(self, frame: av.VideoFrame) -> av.VideoFrame:
        """One frame in, the annotated frame out."""
        with self._working:
            if self.ended:
                self._free()
                return frame
            try:
                with self._lock:
                    longest = min(LONGEST_SIDE, self._pace.level.width)
                annotated = self._annotate(_rgb(frame, longest))
                self._failures = 0
            except Exception as error:
                self._fail(error)
                return frame
            finally:
                if self.ended:
                    self._free()
        # The frame is a view of the picture: copying it takes 0.2 ms.
        return av.VideoFrame.from_numpy_buffer(annotated, format="rgb24")

    def on_ended(self) -> None:
        """The WebRTC library's word that the stream is over: frees the landmarker.

        A frame that is still being worked on frees it when done, so that this never waits.
        """
        with self._lock:
            self._ended = True
            # Told once; what is told may hold on to the stream, which would keep both for ever.
            tell, self._tell_ended = self._tell_ended, None
        if tell:
            tell(self)
        if self._working.acquire(blocking=False):
            try:
                self._free()
            finally:
                self._working.release()

    def _free(self) -> None:
        tracker, self._tracker = self._tracker, None
        if tracker is not None:
            tracker.close()
        drawing, self._drawing = self._drawing, None
        if drawing is not None:
            drawing.shutdown(wait=False)

    def _fail(self, error: Exception) -> None:
        self._failures += 1
        LOGGER.warning("a frame could not be worked on: %s", error, exc_info=True)
        self._free()  # a landmarker that raised may stay broken; the next frame makes a new one
        if isinstance(error, UserError):
            self._publish(problem=str(error))
        elif self._failures >= MOST_FAILURES:
            self._publish(
                problem="The camera picture cannot be read right now. "
                "Turn the camera off and on again."
            )

    def _publish(self, **changes: object) -> None:
        with self._lock:
            self._snapshot = replace(self._snapshot, **changes)  # type: ignore[arg-type]

    def _tracker_of(self, kind: Kind) -> FaceTracker | HolisticTracker:
        """The landmarker of this kind; there is never more than one."""
        needed = HolisticTracker if kind == "holistic" else FaceTracker
        if not isinstance(self._tracker, needed):
            self._free()
            self._tracker = needed()
        return self._tracker

    def _annotate(self, rgb: np.ndarray) -> np.ndarray:
        """Works on one frame, uint8 (height, width, 3); returns a picture with the mesh."""
        began_s = time.monotonic()
        with self._lock:
            classifier, shown, moods = self._classifier, self._shown, self._moods
            watcher, wanted = self._watcher, self._wanted
            before = self._snapshot
        tracker = self._tracker_of("holistic" if classifier.kind == "holistic" else wanted)
        time_ms = int((began_s - self._start_s) * 1000)
        brightness = float(rgb[::16, ::16].mean())
        seen = tracker.track(rgb, time_ms)
        if isinstance(seen, Body):
            body, face, people = seen, seen.face, int(bool(seen))
        else:
            body, face, people = None, seen[0] if seen else None, len(seen)
        if watcher is not None:
            watcher(body if body is not None else face, time_ms, brightness)
        # The mesh is drawn while the networks work, in the colour of the mood so far.
        if self._drawing is None:
            self._drawing = ThreadPoolExecutor(1, "mesh")
        drawn = self._drawing.submit(_draw, rgb, body or face, of_label(moods.mood.label))
        expression = classifier.of_frame(rgb, seen, began_s)
        # A model of hands as well may read somebody whose hand hides the face.
        if face is not None or (body and classifier.kind == "holistic"):
            self._last_face_s = began_s
        if expression is not None:
            shown.update(expression.probabilities, began_s)
            moods.update(expression.probabilities, began_s)
        annotated = drawn.result()
        now_s = time.monotonic()
        interval_s = began_s - (self._last_frame_s or began_s - 1 / 15)
        self._last_frame_s = began_s
        share = 1 / min(before.frames + 1, AVERAGED_FRAMES)
        rate = 1 / max(interval_s, 1e-3)
        with self._lock:
            self._pace.work(now_s - began_s, now_s)
        self._publish(
            frames=before.frames + 1,
            faces=people,
            face=face,
            body=body,
            expression=expression,
            shown=dict(shown.probabilities),
            mood=moods.mood,
            frame_ms=before.frame_ms + share * ((now_s - began_s) * 1000 - before.frame_ms),
            frames_per_second=before.frames_per_second + share * (rate - before.frames_per_second),
            brightness=brightness,
            face_lost_s=now_s - max(self._last_face_s, self._start_s),
            problem=None,
            level=self._pace.level,
        )
        return annotated


def _draw(rgb: np.ndarray, seen: Face | Body | None, colour: tuple[int, int, int]) -> np.ndarray:
    """A copy of the picture, which others still read, with what was seen drawn over it."""
    annotated = rgb.copy()
    if isinstance(seen, Body):
        draw_body(annotated, seen, colour)
    elif seen is not None:
        draw_mesh(annotated, seen, colour)
    return annotated


def _rgb(frame: av.VideoFrame, most: int) -> np.ndarray:
    """The frame's picture, uint8 (height, width, 3), no side longer than `most` pixels."""
    longest = max(frame.width, frame.height)
    rgb: np.ndarray = frame.to_ndarray(format="rgb24")
    if longest > most:
        factor = most / longest
        rgb = cv2.resize(rgb, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return rgb
