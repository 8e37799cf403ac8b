"""Relayed items as the reference takes them: with the address that the contract recovers of a signature."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerwatt.market import relay as items
from peerwatt.reference import (
    ZERO_ADDRESS,
    CancelItem,
    CancelMessage,
    DueItem,
    Item,
    OrderItem,
    OrderMessage,
    ReportItem,
    ReportMessage,
)

if TYPE_CHECKING:
    from twin.twin import Twin


def to_reference(twin: Twin, item: items.Item) -> Item:
    """The item for the reference.

    The contract hashes an order with the meter bound now, a report with the meter whose register counts; so
    does this.
    """
    if isinstance(item, items.OrderItem):
        bound = twin.market.device(item.account).meter
        signer = twin.recovered(lambda: item.to_message(bound), item.r, item.vs)
        order = OrderMessage(
            maker=item.account,
            meter=bound,
            side=item.side,
            first_window=item.first,
            last_window=item.last,
            energy_wh=item.energy_wh,
            limit_level=item.limit_level,
            nonce=item.nonce,
        )
        return OrderItem(order, signer, item.agent)
    if isinstance(item, items.CancelItem):
        signer = twin.recovered(item.to_message, item.r, item.vs)
        cancel = CancelMessage(item.account, item.nonce, item.from_window, item.deadline)
        return CancelItem(cancel, signer, item.agent)
    if isinstance(item, items.ReportItem):
        meter = twin.market.export_register(item.account).meter
        signer = ZERO_ADDRESS
        if meter != ZERO_ADDRESS:
            signer = twin.recovered(lambda: item.to_message(meter), item.r, item.vs)
        report = ReportMessage(item.side, item.first, item.opening_wh, item.growths_wh)
        return ReportItem(item.account, report, item.hints, signer)
    return DueItem(item.account, item.hints, item.max_windows)
