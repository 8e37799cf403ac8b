"""The database: one engine, transactions that say whether they write, and the schema's versions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

MIGRATIONS = Path(__file__).parent / "migrations"
# How long a write is tried against other writers.
BUSY_S = 15
POOL = 20
# Failures that pass by themselves: a deadlock that PostgreSQL resolved, a lock that SQLite did not get.
RETRIES = 5
# A write that failed counts so long, if the like of it is not done before.
REMEMBER_S = 15

Result = TypeVar("Result")


class DatabaseError(RuntimeError):
    """The database can't be used as it is. The message says why, and what to do."""


class Database:
    """Where a bridge keeps everything. Thread-safe."""

    def __init__(self, url: str, busy_s: float = BUSY_S) -> None:
        """
        Args:
            url: of SQLAlchemy: sqlite:///FILE or postgresql+pg8000://USER:PASSWORD@HOST/NAME.
            busy_s: SQLite waits so long for another writer before it gives up.
        Raises:
            DatabaseError: no such URL.
        """
        try:
            parsed = make_url(url)
        except ArgumentError:
            raise DatabaseError(
                "the database's URL is none; write sqlite:///bridge.db or postgresql+pg8000://..."
            ) from None
        # Kinds of writes that failed when they were tried last, and when [s]: a full disk takes some and others not.
        self._failed: dict[str, float] = {}
        self._busy_s = max(busy_s, 1)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        if not self.is_sqlite and parsed.get_backend_name() != "postgresql":
            raise DatabaseError(f"{parsed.get_backend_name()} is not supported; use SQLite or PostgreSQL")
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+pg8000")
        options: dict[str, Any] = {"pool_size": POOL, "max_overflow": POOL, "pool_pre_ping": not self.is_sqlite}
        if self.is_sqlite:
            options["connect_args"] = {"timeout": busy_s, "check_same_thread": False}
        self.engine: Engine = create_engine(parsed, **options)
        if self.is_sqlite:
            _set_up_sqlite(self.engine)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that writes nothing."""
        with self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that is on the disk when the block ends, or undone whole by an exception."""
        with self.engine.connect().execution_options(writes=True) as connection, connection.begin():
            yield connection

    def write(self, work: Callable[[Connection], Result]) -> Result:
        """Does work in a writing transaction, again if another one got in the way."""
        began_s = time.monotonic()
        for tries in range(RETRIES):
            try:
                with self.writing() as connection:
                    result = work(connection)
                self._failed.pop(work.__qualname__, None)
                return result
            except DBAPIError as error:
                waited_s = time.monotonic() - began_s
                if tries + 1 == RETRIES or waited_s >= self._busy_s or not _passes(error):
                    self._failed[work.__qualname__] = time.monotonic()
                    raise
                time.sleep(0.02 * 2**tries)
        raise AssertionError("unreachable")

    # Versions

    def migrate(self) -> None:
        """Brings the schema to this program's version."""
        with self.engine.begin() as connection:
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def check(self) -> None:
        """Makes sure that the schema is this program's.

        Raises:
            DatabaseError: older or newer.
        """
        wanted = ScriptDirectory.from_config(_config()).get_current_head()
        with self.reading() as connection:
            found = MigrationContext.configure(connection).get_current_revision()
        if found != wanted:
            raise DatabaseError(
                f"the database has schema {found or 'none'}, this program needs {wanted}; run: peerwatt-bridge migrate"
            )

    def ping(self) -> None:
        """Makes sure that the database takes writes.

        Raises:
            SQLAlchemyError: it does not.
            DatabaseError: what failed a short while ago was not done since.
        """
        if any(time.monotonic() - failed_s < REMEMBER_S for failed_s in list(self._failed.values())):
            raise DatabaseError("the database did not take the last write; see the log for why, and make room for it")
        with self.writing() as connection:
            connection.exec_driver_sql("SELECT 1")

    def close(self) -> None:
        """Closes all connections."""
        self.engine.dispose()


def now_ms() -> int:
    """The wall clock [Unix ms]."""
    return time.time_ns() // 1_000_000


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


def _passes(error: DBAPIError) -> bool:
    text = str(error.orig).lower()
    return any(sign in text for sign in ("locked", "deadlock", "40001", "40p01", "could not serialize", "23505"))


def _set_up_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def set_up(connection: Any, _: Any) -> None:
        # The driver must not begin transactions by itself: it begins them too late to hold the write lock.
        connection.isolation_level = None
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A reader that becomes a writer could find that somebody wrote meanwhile.
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
