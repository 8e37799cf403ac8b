"""A PostgreSQL of the tests' own: the server of the package `pgserver`, on a socket in a folder, for any user."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from peerwatt_bridge.storage.database import Database


@contextmanager
def postgres() -> Iterator[Path]:
    """A server; yields its socket. Skips where it can't run, except in CI.

    A socket's path has at most 107 bytes, so the folder is no pytest folder.
    """
    folder = Path(tempfile.mkdtemp(prefix="pw-pg-"))
    try:
        try:
            with warnings.catch_warnings():
                # Without a session's runtime folder it takes one in the temporary folder, and says so.
                warnings.simplefilter("ignore")
                import pgserver

                server = pgserver.get_server(folder / "data", cleanup_mode="stop")
        except Exception as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(f"PostgreSQL does not start ({type(error).__name__}: {error}); install the package pgserver")
        try:
            yield server.get_postmaster_info().socket_path
        finally:
            server.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def new_database(socket: Path) -> Iterator[str]:
    """The URL of an empty database."""
    name = f"t{uuid.uuid4().hex}"
    administration = Database(_url(socket, "postgres"))
    engine = administration.engine.execution_options(isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
    finally:
        administration.close()
    # It goes with its server.
    yield _url(socket, name)


def _url(socket: Path, name: str) -> str:
    return f"postgresql+pg8000://postgres@/{name}?unix_sock={socket}"
