"""Every storage view of the contracts, with the word that the reference expects of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from peerwatt.market.records import pack, to_message
from peerwatt.reference import ZERO_ADDRESS, Market, Registry
from peerwatt.reference.offers import SLOTS, Order
from peerwatt.signing import Domain

# A view's name, its arguments, and the word that the reference expects of it.
View = tuple[str, tuple[Any, ...], int]
RETAIL_CLASSES = 16
# The word of a slot that was never used.
NO_ORDER = pack(Order())


def account_views(market: Market, account: str, slots: int = SLOTS) -> Iterator[View]:
    """What the market stores of an account, in the sequence of the lens's `account_words`."""
    yield "wallets", (account,), pack(market.wallet(account))
    yield "calendars", (account,), pack(market.calendar(account))
    device = market.devices.get(account)
    yield "devices", (account,), pack(device)
    # An unbound account's word is empty, where the record says so field by field.
    yield "exports_of", (account,), pack(market.export_register(account))
    yield "imports_of", (account,), pack(market.import_register(account))
    yield "nonces", (account,), market.nonces.get(account, 0)
    orders = market.orders
    for slot in range(slots):
        order = orders.get((account, slot))
        yield "orders", (account, slot), NO_ORDER if order is None else pack(order)


def market_views(market: Market) -> Iterator[View]:
    """What the market stores of no single account."""
    yield "book_state", (), pack(market.book_state)
    yield "tariff_head", (), pack(market.tariff_head)
    yield "balancing_account", (), int(market.balancing_account, 16)
    yield "network_account", (), int(market.network_account, 16)
    for version, tables in market.tables.items():
        yield "surcharges", (version,), pack(tables.surcharges)
        yield "haircuts", (version,), pack(tables.haircuts)
        yield "rebates", (version,), pack(tables.rebates)
    for feeder, record in market.feeders.items():
        yield "feeders", (feeder,), pack(record)
    for (account, agent), mandate in market.agents.items():
        yield "agents", (account, agent), pack(mandate)


def result_views(market: Market, windows: Iterable[int]) -> Iterator[View]:
    """The clearing of windows."""
    for window in windows:
        yield "results", (window,), pack(market.results.get(window))


def registry_views(
    registry: Registry, domain: Domain, accounts: Iterable[str], meters: Iterable[str]
) -> Iterator[View]:
    """What the registry stores, but for its records of connections."""
    for role, holder in registry.holders.items():
        yield "holders", (role,), int(holder, 16)
        yield "offered", (role,), int(registry.offered.get(role, ZERO_ADDRESS), 16)
    for retail_class in range(RETAIL_CLASSES):
        yield "retail", (retail_class,), registry.retail.get(retail_class, 0)
    yield "participants", (), registry.participants
    yield "accepted_classes", (), registry.accepted_classes
    yield "notice_time", (), registry.notice_time
    yield "notice_cleared", (), registry.notice_cleared
    for account in accounts:
        connection = registry.connection_of.get(account, bytes(32))
        yield "connection_of", (account,), int.from_bytes(connection, "big")
        yield "agent_nonces", (account,), registry.agent_nonces.get(account, 0)
        yield "rating_nonces", (account,), registry.rating_nonces.get(account, 0)
    for meter in meters:
        yield "meter_bound_to", (meter,), int(registry.meter_bound_to.get(meter, ZERO_ADDRESS), 16)
    for account, message in registry.consents:
        yield "consents", (account, to_message(message).digest(domain)), 1
