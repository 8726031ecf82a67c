"""Fixtures that several test files share."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from typing import Any

# First of all: some tests import TensorFlow with the training code, and under aiortc pylibsrtp
# crashes where TensorFlow was there before it.
import aiortc  # noqa: F401
import pytest

from moodmesh.face import Face, FaceFinder
from tests import browser, warped_face


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tries a failed browser test once more, and says so in the last line.

    Camera, WebRTC and Chromium share the cores with whatever else runs on a machine: once in some
    hundred visits one of them takes longer than any sensible time limit.
    """
    for item in items:
        if item.get_closest_marker("browser") is not None:
            item.add_marker(pytest.mark.flaky(reruns=1, reruns_delay=5))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Keeps a picture of what the browsers of a failed test show."""
    report = yield
    if report.when == "call" and report.failed:
        for value in getattr(item, "funcargs", {}).values():
            chromium = getattr(value, "chromium", value)
            if hasattr(chromium, "contexts"):
                browser.photograph_failure(chromium)
    return report


@pytest.fixture(autouse=True)
def own_main() -> Iterator[None]:
    """Takes Streamlit's AppTest's page off `__main__`, which new processes would try to import."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@pytest.fixture(scope="session")
def finder() -> Iterator[FaceFinder]:
    """A finder of faces in stills."""
    with FaceFinder() as finder:
        yield finder


@pytest.fixture(scope="session")
def happy_face(finder: FaceFinder) -> Face:
    """The face of the fixture as it is: smiling, upright, in the middle of 640x480."""
    return finder.find(warped_face.render("happy"))[0]
