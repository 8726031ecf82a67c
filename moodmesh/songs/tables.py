"""The tables of the history, for SQLite and PostgreSQL alike, and how a database is opened.

Times are seconds since 1970 in UTC, as numbers: both engines store and compare them alike.
Every change to these tables is a file in `migrations/versions`.
"""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    Engine,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    event,
    inspect,
    text,
)
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from moodmesh import places
from moodmesh.errors import UserError

URL_VARIABLE = "MOODMESH_DATABASE_URL"
# The newest migration; a database that says so needs no migrating, and Alembic is not even loaded.
NEWEST = "0001"
# Long enough for another writer to finish, short enough that the page does not feel it.
SQLITE_PATIENCE_S = 1.5
POSTGRES_PATIENCE_S = 3
# PostgreSQL would wait for a locked table for ever, and the page with it.
POSTGRES_LOCK_MS = 1500
MIGRATION_PATIENCE_MS = 60_000
# Any number will do, so long as every replica asks for the same lock while migrating.
MIGRATION_LOCK = 5_091_977

metadata = MetaData()
_Id = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up INTEGER keys alone

events = Table(
    "events",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    # Made by whoever records: writing the same event twice leaves one row.
    Column("uid", String(80), nullable=False, unique=True),
    Column("listener", String(64), nullable=False),
    Column("at", Double, nullable=False),
    Column("kind", String(20), nullable=False),
    Column("song_id", String(64), nullable=False),
    Column("title", Text, nullable=False),
    Column("artist", Text, nullable=False),
    Column("video_id", String(11)),
    Column("position_s", Integer, nullable=False),
    Column("duration_s", Integer, nullable=False),
    Column("mood", String(40)),
    Column("valence", Double, nullable=False),
    Column("arousal", Double, nullable=False),
    Column("mode", String(10), nullable=False),
    Index("events_of_a_listener", "listener", "at"),
)
moods = Table(
    "moods",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("uid", String(80), nullable=False, unique=True),
    Column("listener", String(64), nullable=False),
    Column("began", Double, nullable=False),
    Column("ended", Double, nullable=False),
    Column("label", String(40), nullable=False),
    Column("valence", Double, nullable=False),
    Column("arousal", Double, nullable=False),
    Index("moods_of_a_listener", "listener", "began"),
)
# What was found out about videos; it holds for every listener.
videos = Table(
    "videos",
    metadata,
    Column("video_id", String(11), primary_key=True),
    Column("song_id", String(64), nullable=False),
    Column("plays", Integer, nullable=False),  # 1 found or seen playing, 0 does not play here
    Column("found_by", String(20), nullable=False),
    Column("at", Double, nullable=False),
    Index("videos_of_a_song", "song_id"),
)


def database_url(url: str | None = None) -> URL:
    """The given address, else the environment's, else a file in the user's data folder."""
    text_url = url or os.environ.get(URL_VARIABLE)
    if not text_url:
        return URL.create("sqlite", database=str(places.data() / "history.sqlite"))
    try:
        parsed = make_url(text_url)
    except ArgumentError as error:
        raise UserError(
            f"{URL_VARIABLE} is not a database address. Write it as "
            "postgresql://USER:PASSWORD@HOST/DATABASE or sqlite:////path/to/history.sqlite"
        ) from error
    if parsed.drivername in {"postgres", "postgresql"}:
        parsed = parsed.set(drivername="postgresql+psycopg")
    return parsed


def open_database(url: str | None = None) -> Engine:
    """An engine on a database whose tables are up to date, made where it does not exist yet."""
    address = database_url(url)
    shown = address.render_as_string(hide_password=True)
    if address.get_backend_name() not in {"sqlite", "postgresql"}:
        raise UserError(f"moodmesh keeps its history in SQLite or PostgreSQL, not in {shown}.")
    try:
        engine = _engine(address)
        with engine.execution_options(writes=True).begin() as connection:
            _migrate(connection)
    except (SQLAlchemyError, OSError) as error:
        raise UserError(
            f"The history in {shown} cannot be opened ({_first_line(error)}). Check that the place "
            f"exists and can be written to, or name another with {URL_VARIABLE}."
        ) from error
    return engine


def _engine(address: URL) -> Engine:
    if address.get_backend_name() != "sqlite":
        return create_engine(
            address,
            pool_pre_ping=True,
            connect_args={
                "connect_timeout": POSTGRES_PATIENCE_S,
                "options": f"-c lock_timeout={POSTGRES_LOCK_MS}",
            },
        )
    if address.database and address.database != ":memory:":
        Path(address.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(address, connect_args={"timeout": SQLITE_PATIENCE_S})

    @event.listens_for(engine, "connect")
    def _prepare(connection, _record):  # type: ignore[no-untyped-def]
        # The driver's own transaction handling starts too late to order concurrent writers.
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        # What a listener deletes is overwritten, not only forgotten.
        connection.execute("PRAGMA secure_delete=ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A writer queues up at once: a read that turns into a write could not wait any more.
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def wipe(engine: Engine) -> None:
    """Empties SQLite's log of the last changes, where deleted rows could still be read."""
    if engine.dialect.name == "sqlite":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def _migrate(connection: Connection) -> None:
    """Bring the tables up to date, one process at a time."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SET LOCAL lock_timeout = {MIGRATION_PATIENCE_MS}"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
    if inspect(connection).has_table("alembic_version"):
        version = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        if version == NEWEST:
            return
        if version is not None and version > NEWEST:
            raise UserError(
                "The history was written by a newer moodmesh. Update this one, or name another "
                f"place for the history with {URL_VARIABLE}."
            )
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _first_line(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error
    return str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__
