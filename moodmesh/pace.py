"""How large and how fast a camera's picture should be, from how the machine keeps up with it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Level:
    """What is worked on: pixels and frames a second."""

    width: int
    height: int
    fps: int

    @property
    def eased(self) -> bool:
        """Whether it is less than a machine with time to spare works on."""
        return self != LEVELS[0]


# The landmark network looks at 256x256 of the face: 640x480 is plenty, and a face at arm's length
# is still found in 320x240. Each step down halves what decoding, drawing and encoding cost.
# The rates are whole shares of the camera's: others would make some frames wait for the next.
LEVELS = (Level(640, 480, 24), Level(480, 360, 12), Level(320, 240, 8))
WINDOW_SECONDS = 3.0
# Where so many frames are overtaken before they are worked on, the machine does not keep up.
BUSY_SHARE = 0.35
# Where so few are, and the next level up would leave this much of the time idle, there is room.
CALM_SHARE = 0.05
IDLE_SHARE = 0.5
# Calm for so many windows in a row before a step up; each one that fails doubles it, so that the
# picture does not breathe in and out.
CALM_WINDOWS = 4
MOST_CALM_WINDOWS = 64


class Pace:
    """The level of one stream; steps down soon and up late."""

    def __init__(self) -> None:
        self._place = 0
        self._began_s: float | None = None
        self._worked = 0
        self._worked_s = 0.0
        self._dropped = 0
        self._calm = 0
        self._calm_needed = CALM_WINDOWS
        self._just_rose = False

    @property
    def level(self) -> Level:
        """What to work on now."""
        return LEVELS[self._place]

    @property
    def eased(self) -> bool:
        """Whether the picture is smaller and slower than it could be."""
        return self.level.eased

    def drop(self) -> None:
        """A frame was overtaken before it was worked on."""
        self._dropped += 1

    def work(self, seconds: float, now_s: float) -> None:
        """A frame was worked on for so long."""
        if self._began_s is None:
            self._began_s = now_s
        self._worked += 1
        self._worked_s += seconds
        if now_s - self._began_s >= WINDOW_SECONDS:
            self._judge()
            self._began_s, self._worked, self._worked_s, self._dropped = now_s, 0, 0.0, 0

    def _judge(self) -> None:
        lost = self._dropped / (self._dropped + self._worked)
        if lost > BUSY_SHARE:
            if self._just_rose:
                self._calm_needed = min(2 * self._calm_needed, MOST_CALM_WINDOWS)
            self._place = min(self._place + 1, len(LEVELS) - 1)
            self._calm, self._just_rose = 0, False
            return
        self._just_rose = False
        above = LEVELS[max(0, self._place - 1)]
        busy = self._worked_s / self._worked * above.fps
        if not self._place or lost > CALM_SHARE or busy > IDLE_SHARE:
            self._calm = 0
            return
        self._calm += 1
        if self._calm >= self._calm_needed:
            self._place -= 1
            self._calm, self._just_rose = 0, True
