"""A market on the local chain of each engine: deployed, travelled to by windows, and studied."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from e2e.tools import RunningNode
from peerwatt.cli.main import app
from peerwatt.market.deployment import MarketNumbers, Roles, deploy_market
from peerwatt.market.gateway import MarketGateway
from peerwatt.market.senders import NodeAccount
from peerwatt.node.accounts import dev_accounts
from peerwatt.refusals.base import MarketError

WINDOW_S = 900
NUMBERS = MarketNumbers(WINDOW_S, 600, 61_500, 500, 86_400, 86_400, 1, 500, 1000)


def peerwatt(*arguments: object, folder: Path) -> Any:
    """What a command prints as JSON; a home of its own."""
    settings = {name: None for name in os.environ if name.startswith(("PEERWATT_", "ETH_", "XDG_"))}
    done = CliRunner().invoke(
        app, [*map(str, arguments), "--json"], env={**settings, "XDG_DATA_HOME": str(folder), "TERM": "dumb"}
    )
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_market__on_a_local_chain__deploys_refuses_and_travels(local_chain: RunningNode, tmp_path: Path) -> None:
    w3 = local_chain.w3
    operator, regulator, balancing, network = (account.address for account in dev_accounts()[:4])
    deployment = deploy_market(
        w3, NodeAccount(operator), NUMBERS, Roles(operator, regulator, balancing, network)
    )
    manifest = tmp_path / "deployment.json"
    deployment.save(manifest)
    gateway = MarketGateway(w3, deployment)
    with pytest.raises(MarketError) as caught:
        gateway.clear(NodeAccount(operator))
    assert caught.value.reason == "auction: nothing to clear"
    window = int(w3.eth.get_block("latest")["timestamp"]) // WINDOW_S
    place = ("--rpc", local_chain.url, "--deployment", manifest)
    travelled = peerwatt("travel", "--windows", "2", *place, folder=tmp_path)
    assert travelled["time_s"] in ((window + 2) * WINDOW_S, (window + 3) * WINDOW_S)
    gateway.clear(NodeAccount(operator))
    assert gateway.book_state().cleared == (travelled["time_s"] + 600) // WINDOW_S


def test_study__on_a_local_chain__runs_in_its_time(local_chain: RunningNode, tmp_path: Path) -> None:
    small = ("--consumers", 4, "--prosumers", 2, "--windows", 2, "--out", tmp_path / "out")
    before = int(local_chain.w3.eth.get_block("latest")["timestamp"])
    summary = peerwatt("study", "--rpc", local_chain.url, *small, folder=tmp_path)
    assert summary["windows"] == 2
    assert int(local_chain.w3.eth.get_block("latest")["timestamp"]) > before + 2 * WINDOW_S
