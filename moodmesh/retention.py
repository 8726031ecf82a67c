"""Deletes what is older than the settings let it grow: `python -m moodmesh purge`.

The app does the same once a day while people visit it; the command is for a timer, so that it also
happens on a server that nobody visits. Takes and journals of everybody on this machine are looked
through. A personal model stays: it holds no recording, and its owner deletes it in the page.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import delete
from sqlalchemy.exc import SQLAlchemyError

from moodmesh import people, settings, takes
from moodmesh.errors import UserError
from moodmesh.settings import Privacy
from moodmesh.songs import tables

DAY_S = 86_400.0


@dataclass(frozen=True)
class Purged:
    """How many takes and how many rows of journals were deleted."""

    takes: int = 0
    rows: int = 0


def purge(
    privacy: Privacy,
    now_s: float | None = None,
    folders: Iterable[Path] | None = None,
    database: str | None = None,
) -> Purged:
    """Deletes what is too old for these settings.

    now_s: seconds since 1970. folders: with takes; those of everybody here without any.
    database: an address, else the history's own. Raises UserError where something stayed.
    """
    now_s = time.time() if now_s is None else now_s
    gone_takes = gone_rows = 0
    if privacy.takes_days is not None:
        before_s = now_s - privacy.takes_days * DAY_S
        gone_takes = _purge_takes(_folders() if folders is None else folders, before_s)
    if privacy.history_days is not None:
        gone_rows = _purge_history(now_s - privacy.history_days * DAY_S, database)
    return Purged(gone_takes, gone_rows)


def _folders() -> list[Path]:
    return [people.HOME.takes, *people.root().glob("*/takes")]


def _purge_takes(folders: Iterable[Path], before_s: float) -> int:
    old = [path for folder in folders for path in takes.paths(folder) if _made_s(path) < before_s]
    for path in old:
        try:
            takes.delete(path)
        except OSError as error:
            raise UserError(
                f"{path} is too old and cannot be deleted ({error.strerror}). Give this program "
                "the right to, or delete it by hand."
            ) from error
    return len(old)


def _made_s(path: Path) -> float:
    """When the take was recorded, which its name says; a copy has another file time."""
    try:
        made = datetime.strptime(path.name.split("-")[0], "%Y%m%dT%H%M%SZ")
        return made.replace(tzinfo=UTC).timestamp()
    except ValueError:
        return path.stat().st_mtime


def _purge_history(before_s: float, database: str | None) -> int:
    engine = tables.open_database(database)
    events, moods = tables.events, tables.moods
    try:
        with engine.execution_options(writes=True).begin() as connection:
            rows = connection.execute(delete(events).where(events.c.at < before_s)).rowcount
            rows += connection.execute(delete(moods).where(moods.c.ended < before_s)).rowcount
        tables.wipe(engine)
    except SQLAlchemyError as error:
        raise UserError(
            f"The journals could not be cleared of what is too old ({error.__class__.__name__}). "
            "Close other programs that use them and try again."
        ) from error
    finally:
        engine.dispose()
    return int(rows)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`purge` takes none: the settings say what is too old."""


def run(args: argparse.Namespace) -> int:
    """Deletes and says how much."""
    privacy = settings.current().privacy
    if privacy.takes_days is None and privacy.history_days is None:
        print("Takes and journals are kept for ever: privacy.takes_days and history_days say so.")
        return 0
    gone = purge(privacy)
    print(f"Deleted {gone.takes} takes and {gone.rows} rows of journals.")
    return 0
