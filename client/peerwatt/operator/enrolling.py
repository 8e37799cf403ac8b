"""Enrolling homes: what would be refused is found out first, and what was done before is not done again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from web3 import Web3
from web3.types import TxReceipt

from peerwatt.exceptions import (
    AccountNotEnrolled,
    AlreadyEnrolled,
    ClassNotAccepted,
    ConnectionTaken,
    EnrolmentPaused,
    MeterBoundBefore,
    NotTheOperator,
    OpenWindows,
    SenselessTerms,
)
from peerwatt.market.clock import get_chain_time_s
from peerwatt.market.gateway import MarketGateway
from peerwatt.market.senders import Sender
from peerwatt.operator.applications import ALREADY, ENROLLED, READY, Row
from peerwatt.operator.consent import ConsentError
from peerwatt.refusals.base import MarketError
from peerwatt.signing import Domain

# What `enrol_many` takes.
MAX_APPLICATIONS = 32


def check_rows(gateway: MarketGateway, operator: str, rows: Sequence[Row]) -> None:
    """Marks what is enrolled already and what the registry would refuse.

    Args:
        operator: address in whose name the enrolments are simulated.
    Raises:
        EnrolmentPaused: none could be enrolled now.
    """
    if gateway.book_state().paused:
        raise EnrolmentPaused()
    domain = Domain(gateway.deployment.chain_id, gateway.deployment.market)
    now_s = get_chain_time_s(gateway.w3)
    for row in rows:
        if row.outcome != READY or row.consent is None:
            continue
        if is_enrolled(gateway, row):
            row.outcome = ALREADY
            continue
        try:
            row.consent.check(domain, now_s)
            _simulate(gateway, operator, row)
        except (MarketError, ConsentError) as error:
            row.refuse(str(error))


def is_enrolled(gateway: MarketGateway, row: Row) -> bool:
    """Whether exactly this was done before: the account with the meter at the connection."""
    assert row.consent is not None
    message = row.consent.enrolment
    holder = gateway.registry.functions.connections(row.connection).call()[0]
    return bool(holder == message.account and gateway.device(message.account).meter == message.meter)


def enrol_rows(gateway: MarketGateway, sender: Sender, rows: Sequence[Row]) -> Iterator[TxReceipt]:
    """Enrols the rows that are ready, in as few transactions as the registry allows; yields each one's receipt.

    If the market changed meanwhile, only the rows that it refuses now are lost.
    """
    ready = [row for row in rows if row.outcome == READY]
    for start in range(0, len(ready), MAX_APPLICATIONS):
        yield from _enrol(gateway, sender, ready[start : start + MAX_APPLICATIONS])


def _enrol(gateway: MarketGateway, sender: Sender, rows: Sequence[Row]) -> Iterator[TxReceipt]:
    call = gateway.registry.functions.enrol_many([row.to_application() for row in rows])
    try:
        receipt = gateway.act(sender, call)
    except NotTheOperator:
        raise
    except MarketError as error:
        if len(rows) == 1:
            rows[0].refuse(str(_with_values(gateway, rows[0], error)))
            return
        middle = len(rows) // 2
        yield from _enrol(gateway, sender, rows[:middle])
        yield from _enrol(gateway, sender, rows[middle:])
        return
    for row in rows:
        row.outcome, row.transaction = ENROLLED, Web3.to_hex(receipt["transactionHash"])
    yield receipt


def _simulate(gateway: MarketGateway, operator: str, row: Row) -> None:
    try:
        gateway.simulate(operator, gateway.registry.functions.enrol_many([row.to_application()]))
    except MarketError as error:
        raise _with_values(gateway, row, error) from error


def _with_values(gateway: MarketGateway, row: Row, error: MarketError) -> MarketError:
    """The refusal with the values that it is about."""
    assert row.consent is not None and row.terms is not None
    message, functions = row.consent.enrolment, gateway.registry.functions
    values: dict[str, Any] = {}
    if isinstance(error, ConnectionTaken):
        values = {"connection": row.number, "account": functions.connections(row.connection).call()[0]}
    elif isinstance(error, MeterBoundBefore):
        values = {"meter": message.meter, "account": functions.meter_bound_to(message.meter).call()}
    elif isinstance(error, AlreadyEnrolled | OpenWindows | AccountNotEnrolled):
        values = {"account": message.account}
    elif isinstance(error, ClassNotAccepted):
        bitmap = int(functions.accepted_classes().call())
        accepted = ", ".join(str(number) for number in range(64) if bitmap >> number & 1)
        values = {"meter_class": row.terms.meter_class, "accepted": accepted}
    elif isinstance(error, SenselessTerms):
        prices = {number: int(functions.retail(number).call()) for number in range(16)}
        priced = ", ".join(str(number) for number, price in prices.items() if price)
        values = {"retail_class": row.terms.retail_class, "classes_with_a_price": priced or "none"}
    return type(error)(**values)
