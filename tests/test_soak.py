"""Streams opened and closed again and again, as a day of visitors does, in seconds."""

from __future__ import annotations

import asyncio

from benchmarks import soak


def test_visits_leave_nothing_behind() -> None:
    before, after = asyncio.run(soak.soak(soak.WARM_UP + 20))
    threads, handles, megabytes = (late - early for early, late in zip(before, after, strict=True))
    assert threads <= 0
    assert handles <= 0
    assert megabytes <= soak.SLACK_MB
