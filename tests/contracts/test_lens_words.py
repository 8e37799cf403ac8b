"""MarketLens: the packed words of many accounts in one call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boa
import pytest

from contracts.helpers import CONTRACTS, Registry, address, key, load, refused

ALICE, METER = key(61), key(63)
NOBODY = address(64)


@pytest.fixture
def enrolled() -> Iterator[tuple[Any, Registry]]:
    with boa.env.anchor():
        registry = Registry()
        registry.open_classes()
        registry.enrol(ALICE, METER)
        yield load(CONTRACTS / "MarketLens.vy", registry.market.address), registry


@pytest.mark.parametrize("slots", [0, 2, 16])
def test_account_words__several_accounts__words_of_the_market(enrolled: tuple[Any, Registry], slots: int) -> None:
    lens, registry = enrolled
    market = registry.market
    expected: list[int] = []
    for account in (NOBODY, ALICE.address):
        for getter in (market.wallets, market.calendars, market.devices, market.exports_of, market.imports_of):
            expected.append(getter(account))
        expected.append(market.nonces(account))
        expected += [market.orders(account, slot) for slot in range(slots)]
    assert lens.account_words([NOBODY, ALICE.address], slots) == expected
    assert any(expected[6 + slots :])


def test_account_words__seventeen_slots__reverts(enrolled: tuple[Any, Registry]) -> None:
    with refused("lens: too many slots"):
        enrolled[0].account_words([NOBODY], 17)
