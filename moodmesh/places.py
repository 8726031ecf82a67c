"""Where this user's own files are: the folders that the operating system has for them."""

from __future__ import annotations

from pathlib import Path

import platformdirs

NAME = "moodmesh"


def data() -> Path:
    """What must last: the history, the listener's own songs, the people of a shared server."""
    return Path(platformdirs.user_data_dir(NAME, appauthor=False))


def cache() -> Path:
    """What can be fetched again."""
    return Path(platformdirs.user_cache_dir(NAME, appauthor=False))
