"""Relayed items as the reference takes them: each with the address that its signature recovers to."""

from __future__ import annotations

from collections.abc import Callable

from peerwatt.audit.digests import digest_item
from peerwatt.audit.recovery import recover_records, to_record
from peerwatt.exceptions import BadMessage
from peerwatt.market import relay
from peerwatt.reference import (
    ZERO_ADDRESS,
    CancelItem,
    CancelMessage,
    DueItem,
    Item,
    Market,
    OrderItem,
    OrderMessage,
    ReportItem,
    ReportMessage,
)
from peerwatt.signing import Domain, Message


def recover_or_nobody(make: Callable[[], Message], domain: Domain, r: int, vs: int) -> str:
    """Whom the contract recovers from a signature over a message, lower case; the zero address for nobody."""
    try:
        record = to_record(make().digest(domain), r, vs)
    except BadMessage:
        return ZERO_ADDRESS
    return f"0x{recover_records(record).hex()}"


def signing_meter(market: Market, item: relay.Item) -> str:
    """The meter that the signed message of an item names: an order's the one bound now, a report's the one whose
    register counts."""
    if isinstance(item, relay.OrderItem):
        return market.device(item.account).meter
    if isinstance(item, relay.ReportItem):
        return market.export_register(item.account).meter
    return ZERO_ADDRESS


def find_signer(item: relay.Item, meter: str, domain: Domain) -> str:
    """Whom an item's signature recovers to, lower case; the zero address for nobody.

    Args:
        meter: of `signing_meter`.
    """
    record = to_signature_record(item, meter, domain)
    return ZERO_ADDRESS if record is None else f"0x{recover_records(record).hex()}"


def to_signature_record(item: relay.Item, meter: str, domain: Domain) -> bytes | None:
    """The record of an item's signature; None for an item that nobody signed or can have signed."""
    if isinstance(item, relay.DueItem):
        return None
    digest = digest_item(item, meter, domain)
    return None if digest is None else to_record(digest, item.r, item.vs)


def to_reference(item: relay.Item, meter: str, signer: str) -> Item:
    """The item for the reference, with meter and signer as found."""
    if isinstance(item, relay.OrderItem):
        order = OrderMessage(
            maker=item.account,
            meter=meter,
            side=item.side,
            first_window=item.first,
            last_window=item.last,
            energy_wh=item.energy_wh,
            limit_level=item.limit_level,
            nonce=item.nonce,
        )
        return OrderItem(order, signer, item.agent)
    if isinstance(item, relay.CancelItem):
        cancel = CancelMessage(item.account, item.nonce, item.from_window, item.deadline)
        return CancelItem(cancel, signer, item.agent)
    if isinstance(item, relay.ReportItem):
        report = ReportMessage(item.side, item.first, item.opening_wh, item.growths_wh)
        return ReportItem(item.account, report, item.hints, signer)
    return DueItem(item.account, item.hints, item.max_windows)
