"""Where the eth-tester engine keeps its chain: in memory, or in one SQLite file that survives the process."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from eth.db.atomic import AtomicDB
from eth.db.backends.base import BaseDB

from peerwatt.node.errors import NodeSetupError

# "pwch": so that no other SQLite file is taken for a chain.
APPLICATION_ID = 0x70776368
FORMAT = 1


class SqliteDB(BaseDB):
    """py-evm's key-value store in a SQLite file; what was written is on disk after `commit`."""

    def __init__(self, path: Path) -> None:
        """Opens the file or makes it.

        Raises:
            NodeSetupError: the file can't be written, is in use, or holds something else.
        """
        try:
            # One worker thread uses it, not the one that opens it.
            self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=0.1)
            self._connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            # A commit survives the end of this process; for a power cut a local chain need not wait.
            self._connection.execute("PRAGMA synchronous = OFF")
            self._connection.execute("BEGIN IMMEDIATE")
            self._check(path)
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS words (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID"
            )
            self._connection.execute("COMMIT")
            self._connection.execute("BEGIN")
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise NodeSetupError(f"{path} is in use by another node; stop that one or name another file") from error
            text = f"{path} can't be used for the chain ({error}); name a file that can be written"
            raise NodeSetupError(text) from error
        except sqlite3.DatabaseError as error:
            raise NodeSetupError(_foreign(path)) from error

    def _check(self, path: Path) -> None:
        execute = self._connection.execute
        tables = execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        found = execute("PRAGMA application_id").fetchone()[0], execute("PRAGMA user_version").fetchone()[0]
        if tables and found != (APPLICATION_ID, FORMAT):
            raise NodeSetupError(_foreign(path))
        execute(f"PRAGMA application_id = {APPLICATION_ID}")
        execute(f"PRAGMA user_version = {FORMAT}")

    def __getitem__(self, key: bytes) -> bytes:
        row = self._connection.execute("SELECT value FROM words WHERE key = ?", (key,)).fetchone()
        if row is None:
            raise KeyError(key)
        return bytes(row[0])

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self._connection.execute("INSERT OR REPLACE INTO words VALUES (?, ?)", (key, value))

    def __delitem__(self, key: bytes) -> None:
        if self._connection.execute("DELETE FROM words WHERE key = ?", (key,)).rowcount == 0:
            raise KeyError(key)

    def _exists(self, key: bytes) -> bool:
        return self._connection.execute("SELECT 1 FROM words WHERE key = ?", (key,)).fetchone() is not None

    def commit(self) -> None:
        """Makes everything written so far permanent."""
        self._connection.execute("COMMIT")
        self._connection.execute("BEGIN")

    def close(self) -> None:
        """Commits and releases the file."""
        self._connection.execute("COMMIT")
        self._connection.close()


def _foreign(path: Path) -> str:
    return (
        f"{path} is no chain of the eth-tester engine; name another file, "
        "or `--engine anvil` if anvil wrote it"
    )


class Store:
    """The database of a chain.

    Attributes:
        db: what py-evm reads and writes.
    """

    def __init__(self, path: Path | None = None) -> None:
        """
        Args:
            path: file that keeps the chain; None keeps it in memory.
        Raises:
            NodeSetupError: the file can't be used.
        """
        self._file = None if path is None else SqliteDB(path)
        self.db = AtomicDB() if self._file is None else AtomicDB(self._file)

    def get(self, key: bytes) -> bytes | None:
        """A value, None if there is none."""
        try:
            return bytes(self.db[key])
        except KeyError:
            return None

    def commit(self) -> None:
        """Makes everything written so far permanent."""
        if self._file is not None:
            self._file.commit()

    def close(self) -> None:
        """Commits and releases the file."""
        if self._file is not None:
            self._file.close()
