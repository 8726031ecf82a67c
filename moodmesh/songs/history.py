"""What was played and felt when, kept on the listener's own machine.

Recording never stops the music: what cannot be written now (a locked, full or vanished database)
waits in memory and is written when the database is back; :attr:`History.problem` says so in one
sentence for the page. Writing the same event twice leaves one.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace

from sqlalchemy import Engine, Row, Table, delete, false, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from moodmesh.errors import UserError
from moodmesh.songs import tables
from moodmesh.songs.tables import database_url, open_database

LOCAL_LISTENER = "local"
# A song heard now is fresh again after about a month: half-way back after this many days.
FRESHNESS_HALF_LIFE_DAYS = 7.0
# Right after it was heard a song has this share of its usual odds.
FRESHNESS_FLOOR = 0.05
FRESHNESS_WINDOW_DAYS = 40
# The same mood seen again within this time is one stretch of it.
MOOD_GAP_S = 120.0
# How often a stretch that goes on is written down, and how long to wait after a failed write.
MOOD_WRITE_EVERY_S = 10.0
RETRY_AFTER_S = 5.0
# Each attempt at a silent server holds the page up, so the pauses between them double up to this.
LONGEST_PAUSE_S = 40.0
# Events are small (about 500 bytes); more than this many unwritten ones mean weeks of listening.
MOST_WAITING = 50_000
DAY_S = 86_400.0
HEARD_KINDS = ("playing", "finished", "skipped_early", "skipped_late", "disliked", "replayed")


def new_uid() -> str:
    """A name for one event that no other has."""
    return uuid.uuid4().hex


@dataclass(frozen=True, slots=True)
class Heard:
    """One event of the player with the mood of the moment. `at` in seconds since 1970, UTC."""

    at: float
    kind: str
    song_id: str
    title: str = ""
    artist: str = ""
    video_id: str | None = None
    position_s: int = 0
    duration_s: int = 0
    mood: str | None = None
    valence: float = 0.0
    arousal: float = 0.0
    mode: str = "match"
    uid: str = field(default_factory=new_uid)


@dataclass(frozen=True, slots=True)
class Felt:
    """A stretch of one mood, from `began` to `ended` (seconds since 1970, UTC)."""

    began: float
    ended: float
    label: str
    valence: float
    arousal: float
    uid: str = field(default_factory=new_uid)


class History:
    """One listener's past. Safe to share between threads; nothing here raises while music plays,
    except :meth:`delete`, whose failure the listener must know.
    """

    def __init__(
        self,
        url: str | None = None,
        listener: str = LOCAL_LISTENER,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.url = url
        self.listener = listener
        self.clock = clock
        self.problem: str | None = None
        self._engine: Engine | None = None
        self._waiting: deque[tuple[Table, dict[str, object]]] = deque(maxlen=MOST_WAITING)
        self._lock = threading.RLock()
        self._not_before, self._pause_s = 0.0, RETRY_AFTER_S
        self._videos: tuple[dict[str, str], set[str]] = ({}, set())
        self._stretch: Felt | None = None
        self._stretch_written = 0.0

    # --- writing ------------------------------------------------------------------------------

    def record(self, *heard: Heard) -> None:
        """Keep these events; they are written now, or as soon as the database lets them."""
        with self._lock:
            for one in heard:
                self._waiting.append((tables.events, self._row(asdict(one))))
                if one.kind == "unplayable" and one.video_id:
                    self._know_video(one.video_id, one.song_id, plays=False, found_by="player")
        self.flush()

    def felt(self, label: str, valence: float, arousal: float) -> None:
        """The mood at this moment; stretches of the same mood become one row."""
        now = self.clock()
        with self._lock:
            stretch = self._stretch
            if stretch and stretch.label == label and now - stretch.ended < MOOD_GAP_S:
                self._stretch = replace(stretch, ended=now)
            else:
                # The former stretch ends where it was last seen, which may not be written yet.
                self._write_stretch()
                self._stretch = Felt(now, now, label, valence, arousal)
                self._stretch_written = 0.0
            if now - self._stretch_written >= MOOD_WRITE_EVERY_S:
                self._write_stretch()
                self._stretch_written = now
        self.flush()

    def found_video(self, song_id: str, video_id: str, found_by: str) -> None:
        """Remember the video of a song that had none; one that was tried and refused stays so."""
        with self._lock:
            self._know_video(video_id, song_id, plays=True, found_by=found_by)
        self.flush()

    def refused_video(self, song_id: str, video_id: str, found_by: str) -> None:
        """Remember that a video of a song does not play in a page."""
        with self._lock:
            self._know_video(video_id, song_id, plays=False, found_by=found_by)
        self.flush()

    def flush(self, *, patiently: bool = False) -> bool:
        """Write what waits; whether nothing waits any more. `patiently` ignores the pause after a
        failure.
        """
        with self._lock:
            if not self._waiting:
                return True
            if not patiently and time.monotonic() < self._not_before:
                return False
            rows = list(self._waiting)
            try:
                with self._open().execution_options(writes=True).begin() as connection:
                    for table, row in rows:
                        _put(connection, table, row)
            except (SQLAlchemyError, UserError, OSError) as error:
                self._failed(error)
                return False
            self._waiting.clear()
            self._recovered()
            return True

    @property
    def waiting(self) -> int:
        """How many rows are not written yet."""
        return len(self._waiting)

    def delete(self, began: float | None = None, ended: float | None = None) -> int:
        """Delete events and moods of a span (all without one); how many. Of a mood that reaches
        over an end of the span, what lies outside stays. Raises :class:`UserError` where that
        fails, because a listener must be able to rely on it.
        """
        with self._lock:
            events, moods = tables.events, tables.moods
            chosen_events = [events.c.listener == self.listener]
            chosen_moods = [moods.c.listener == self.listener]
            if began is not None:
                chosen_events.append(events.c.at >= began)
                chosen_moods.append(or_(moods.c.began >= began, moods.c.ended > began))
            if ended is not None:
                chosen_events.append(events.c.at < ended)
                chosen_moods.append(moods.c.began < ended)
            if not self.flush(patiently=True):
                raise UserError(f"Nothing was deleted: {self.problem}")
            try:
                with self._open().execution_options(writes=True).begin() as connection:
                    gone = connection.execute(delete(events).where(*chosen_events)).rowcount
                    touched = list(connection.execute(select(moods).where(*chosen_moods)))
                    gone += connection.execute(delete(moods).where(*chosen_moods)).rowcount
                    for row in touched:
                        for part in _outside(_felt(row), began, ended):
                            connection.execute(insert(moods).values(**self._row(asdict(part))))
                tables.wipe(self._open())
            except SQLAlchemyError as error:
                raise UserError(
                    f"Nothing was deleted: the history cannot be written ({_plain(error)}). "
                    "Close other programs that use it and try again."
                ) from error
            self._stretch = None
            return int(gone)

    # --- reading ------------------------------------------------------------------------------

    def events(
        self,
        began: float | None = None,
        ended: float | None = None,
        kinds: Iterable[str] = (),
        limit: int | None = None,
    ) -> list[Heard]:
        """Events of a span, oldest first; with `limit` the newest ones. Empty where the database
        does not answer.
        """
        table = tables.events
        query = select(table).where(table.c.listener == self.listener)
        if began is not None:
            query = query.where(table.c.at >= began)
        if ended is not None:
            query = query.where(table.c.at < ended)
        if kinds := tuple(kinds):
            query = query.where(table.c.kind.in_(kinds))
        query = query.order_by(table.c.at.desc(), table.c.id.desc())
        rows = self._read(query.limit(limit) if limit else query)
        names = Heard.__dataclass_fields__
        return [Heard(**{name: getattr(row, name) for name in names}) for row in reversed(rows)]

    def moods(self, began: float | None = None, ended: float | None = None) -> list[Felt]:
        """Stretches of mood that touch a span, oldest first."""
        table = tables.moods
        query = select(table).where(table.c.listener == self.listener)
        if began is not None:
            query = query.where(table.c.ended >= began)
        if ended is not None:
            query = query.where(table.c.began < ended)
        return [_felt(row) for row in self._read(query.order_by(table.c.began, table.c.id))]

    def freshness(self) -> dict[str, float]:
        """Song id -> factor below 1 for songs heard in the last weeks, lowest just after."""
        now = self.clock()
        table = tables.events
        query = select(table.c.song_id, table.c.at).where(
            table.c.listener == self.listener,
            table.c.at >= now - FRESHNESS_WINDOW_DAYS * DAY_S,
            table.c.kind.in_(HEARD_KINDS),
        )
        last: dict[str, float] = {}
        for song_id, at in self._read(query):
            last[song_id] = max(at, last.get(song_id, 0.0))
        return {
            song_id: 1.0
            - (1.0 - FRESHNESS_FLOOR)
            * 0.5 ** (max(0.0, now - at) / DAY_S / FRESHNESS_HALF_LIFE_DAYS)
            for song_id, at in last.items()
        }

    def verdicts(self) -> tuple[set[str], set[str]]:
        """The songs liked and the songs disliked, by the last word on each."""
        liked: set[str] = set()
        disliked: set[str] = set()
        for one in self.events(kinds=("liked", "unliked", "disliked")):
            liked.discard(one.song_id)
            disliked.discard(one.song_id)
            if one.kind == "liked":
                liked.add(one.song_id)
            elif one.kind == "disliked":
                disliked.add(one.song_id)
        return liked, disliked

    def videos(self) -> tuple[dict[str, str], set[str]]:
        """Song id -> video found for it, and the videos that do not play here. What was last known
        where the database does not answer: the queue would change for nothing.
        """
        rows = self._ask(select(tables.videos).order_by(tables.videos.c.at))
        if rows is not None:
            self._videos = (
                {row.song_id: row.video_id for row in rows if row.plays},
                {row.video_id for row in rows if not row.plays},
            )
        return self._videos

    # --- inside -------------------------------------------------------------------------------

    def _open(self) -> Engine:
        if self._engine is None:
            self._engine = open_database(self.url)
        return self._engine

    def _read(self, query):  # type: ignore[no-untyped-def]
        return self._ask(query) or []

    def _ask(self, query):  # type: ignore[no-untyped-def]
        """The rows, or None where the database does not answer."""
        self.flush()
        # A server that is silent is waited for seconds; a file that cannot be written can be read.
        if self._is_far and time.monotonic() < self._not_before:
            return None
        try:
            with self._open().connect() as connection:
                rows = list(connection.execute(query))
        except (SQLAlchemyError, UserError, OSError) as error:
            self._failed(error)
            return None
        if not self.waiting:
            self._recovered()
        return rows

    @property
    def _is_far(self) -> bool:
        try:
            return database_url(self.url).get_backend_name() != "sqlite"
        except UserError:
            return False  # opening it says what is wrong

    def _recovered(self) -> None:
        self.problem = None
        self._not_before, self._pause_s = 0.0, RETRY_AFTER_S

    def _failed(self, error: Exception) -> None:
        self._not_before = time.monotonic() + self._pause_s
        if self._is_far:
            self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        reason = str(error) if isinstance(error, UserError) else f"It says: {_plain(error)}."
        self.problem = (
            "The journal cannot be reached just now; the music goes on, and what you hear is "
            f"written down when it is back. {reason}"
        )

    def _row(self, values: dict[str, object]) -> dict[str, object]:
        return {**values, "listener": self.listener}

    def _write_stretch(self) -> None:
        if self._stretch:
            self._waiting.append((tables.moods, self._row(asdict(self._stretch))))

    def _know_video(self, video_id: str, song_id: str, *, plays: bool, found_by: str) -> None:
        row: dict[str, object] = {
            "video_id": video_id,
            "song_id": song_id,
            "plays": int(plays),
            "found_by": found_by,
            "at": self.clock(),
        }
        self._waiting.append((tables.videos, row))


class NoHistory(History):
    """The history of a listener of whom nothing is kept: what goes in is forgotten."""

    def flush(self, *, patiently: bool = False) -> bool:
        """Nothing waits; nothing is written."""
        with self._lock:
            self._waiting.clear()
        return True

    def delete(self, began: float | None = None, ended: float | None = None) -> int:
        """There is nothing to delete."""
        return 0

    def _ask(self, query):  # type: ignore[no-untyped-def]
        return []


def _felt(row: Row[tuple[object, ...]]) -> Felt:
    return Felt(**{name: getattr(row, name) for name in Felt.__dataclass_fields__})


def _outside(felt: Felt, began: float | None, ended: float | None) -> Iterator[Felt]:
    """What of a stretch lies before and after a span, each as a stretch of its own."""
    if began is not None and felt.began < began:
        yield replace(felt, ended=began, uid=new_uid())
    if ended is not None and felt.ended > ended:
        yield replace(felt, began=ended, uid=new_uid())


def _put(connection: Connection, table: Table, row: dict[str, object]) -> None:
    """Insert, or leave or update what is there under the same key."""
    make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    adding = make(table).values(**row)
    if table is tables.videos:
        newer = {name: row[name] for name in ("song_id", "plays", "found_by", "at")}
        # A search cannot know that a video does not play in a page: only who tried it does.
        tried = table.c.plays == 0 if row["plays"] else false()
        connection.execute(
            adding.on_conflict_do_update(index_elements=["video_id"], set_=newer, where=~tried)
        )
        return
    connection.execute(adding.on_conflict_do_nothing(index_elements=["uid"]))
    if table is tables.moods:
        connection.execute(
            update(table)
            .where(table.c.uid == row["uid"], table.c.ended < row["ended"])
            .values(ended=row["ended"])
        )


def _plain(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error
    lines = str(cause).strip().splitlines()
    return lines[0] if lines else type(cause).__name__
