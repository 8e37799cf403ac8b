"""Villages, databases and bridges for the tests of the bridge."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api.databases import new_database, postgres
from api.fixtures import bridge_at, client_of, fund_relayer, sqlite_url
from cli.village import Village
from peerwatt_bridge.services.bridge import Bridge


@pytest.fixture(scope="module")
def village_once() -> Village:
    made = Village()
    fund_relayer(made)
    return made


@pytest.fixture
def village(village_once: Village) -> Iterator[Village]:
    """A village as it was at first, for each test."""
    snapshot = village_once.chain.take_snapshot()
    yield village_once
    village_once.chain.revert_to(snapshot)


@pytest.fixture(scope="session")
def postgres_socket() -> Iterator[Path]:
    with postgres() as found:
        yield found


@pytest.fixture(params=("sqlite", "postgresql"))
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database, on each engine."""
    if request.param == "sqlite":
        yield sqlite_url(tmp_path)
        return
    with new_database(request.getfixturevalue("postgres_socket")) as made:
        yield made


@pytest.fixture
def bridge(village: Village, tmp_path: Path) -> Iterator[Bridge]:
    with bridge_at(village, sqlite_url(tmp_path)) as made:
        yield made


@pytest.fixture
def client(bridge: Bridge) -> Iterator[TestClient]:
    with client_of(bridge) as made:
        yield made
