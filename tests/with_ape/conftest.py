"""What `ape test` runs: ape's own fixtures, on the chain that ape made. `pytest` leaves this folder out."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from peerwatt.market.deploying import Outcome
from peerwatt.market.neighbours import Neighbourhood


@pytest.fixture(scope="module")
def outcome(project: Any, accounts: Any, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """A market, deployed as `ape run deploy` does."""
    script = runpy.run_path(str(Path(project.path) / "scripts" / "deploy.py"))
    deployed: Outcome = script["deploy"](accounts[0], tmp_path_factory.mktemp("market") / "deployment.json")
    return deployed


@pytest.fixture(scope="module")
def market(project: Any, outcome: Outcome) -> Any:
    """The market as a contract of the project."""
    return project.EnergyMarket.at(outcome.gateway.deployment.market)


@pytest.fixture
def neighbours(outcome: Outcome) -> Neighbourhood:
    """The market with homes in it that have orders for the coming windows."""
    neighbourhood = Neighbourhood(outcome.gateway)
    neighbourhood.fill()
    return neighbourhood
