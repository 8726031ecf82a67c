"""The mood map in the page."""

from moodmesh.pages.moodmap.moodmap import Steering, moodmap

__all__ = ["Steering", "moodmap"]
