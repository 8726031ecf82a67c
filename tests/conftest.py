"""Fixtures that several test files share."""

from __future__ import annotations

from collections.abc import Iterator

# First of all: some tests import TensorFlow with the training code, and under aiortc pylibsrtp
# crashes where TensorFlow was there before it.
import aiortc  # noqa: F401
import pytest

from moodmesh.face import Face, FaceFinder
from tests import warped_face


@pytest.fixture(scope="session")
def finder() -> Iterator[FaceFinder]:
    """A finder of faces in stills."""
    with FaceFinder() as finder:
        yield finder


@pytest.fixture(scope="session")
def happy_face(finder: FaceFinder) -> Face:
    """The face of the fixture as it is: smiling, upright, in the middle of 640x480."""
    return finder.find(warped_face.render("happy"))[0]
