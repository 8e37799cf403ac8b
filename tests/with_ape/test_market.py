"""A market as an ape user meets it: deployed by the script, called through `project`, its time moved by `chain`."""

from __future__ import annotations

import runpy
from typing import Any

import ape
import click
import pytest

from peerwatt.market.deploying import Outcome
from peerwatt.market.neighbours import NEIGHBOURS, Neighbourhood
from peerwatt.signing import SELL

WINDOW_S = 900


def test_deploy__script__everything_published(project: Any, accounts: Any, market: Any, outcome: Outcome) -> None:
    registry = project.EnergyRegistry.at(outcome.gateway.deployment.registry)
    assert registry.market() == market.address
    assert [registry.holders(role) for role in range(4)] == [account.address for account in accounts[:4]]
    assert outcome.left == []
    assert registry.retail(0) == 209_500
    assert market.window_seconds() == WINDOW_S


def test_deploy__twice__refused(accounts: Any, chain: Any, outcome: Outcome, project: Any) -> None:
    script = runpy.run_path(str(project.path / "scripts" / "deploy.py"))
    height = chain.blocks.height
    with pytest.raises(click.ClickException, match="deployed already"):
        script["deploy"](accounts[0], outcome.manifest)
    assert chain.blocks.height == height


def test_place__not_enrolled__reverts(accounts: Any, chain: Any, market: Any) -> None:
    window = chain.pending_timestamp // WINDOW_S + 3
    with ape.reverts("participants: not enrolled"):
        market.place(accounts[5], 0, window, window, 100, 100, 1, sender=accounts[6])


def test_trade__place_clear_settle__money_follows_the_energy(
    accounts: Any, chain: Any, market: Any, neighbours: Neighbourhood
) -> None:
    cleared = market.book_state() & (2**32 - 1)
    window = (chain.pending_timestamp + 300) // WINDOW_S + 1
    chain.pending_timestamp = window * WINDOW_S - 300
    market.clear(255, sender=accounts[5])
    assert market.book_state() & (2**32 - 1) == window > cleared
    assert market.results(window) > 0

    before = {home.name: balance(market, home.account) for home in NEIGHBOURS}
    chain.pending_timestamp = (window + 1) * WINDOW_S
    chain.mine()
    neighbours.fill()
    after = {home.name: balance(market, home.account) for home in NEIGHBOURS}
    earned = {home.name for home in NEIGHBOURS if after[home.name] > before[home.name]}
    paid = {home.name for home in NEIGHBOURS if after[home.name] < before[home.name]}
    sellers = {home.name for home in NEIGHBOURS if home.side == SELL}
    assert earned and earned <= sellers
    assert paid == {home.name for home in NEIGHBOURS} - sellers


def balance(market: Any, account: str) -> int:
    """Money of an account in the market [base units]."""
    return int(market.wallets(account)) & (2**104 - 1)
