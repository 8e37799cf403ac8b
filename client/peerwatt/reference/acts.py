"""Relaying: items of all kinds in one batch, each accepted whole or skipped with a reason code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from . import offers, settlement
from .messages import MAX_WORDS, CancelItem, DueItem, Item, OrderItem, ReportItem
from .reasons import Refused
from .settlement import Funds

if TYPE_CHECKING:
    from .state import MarketState


def relay(market: MarketState, now: int, items: Sequence[Item], strict: bool) -> list[int]:
    """Does what each item asks, one after the other.

    Args:
        strict: refuse the whole batch for one bad item, rather than skip it.
    Returns:
        The reason code of each item, 0 if it was accepted.
    Raises:
        Refused: strict, and an item is bad; or an unknown item. Nothing has changed then.
        ValueError: more than 1,024 words.
    """
    if any(not isinstance(item, OrderItem | CancelItem | ReportItem | DueItem) for item in items):
        raise Refused("relay: unknown item")
    if sum(item.words for item in items) > MAX_WORDS:
        raise ValueError(f"a relay carries at most {MAX_WORDS} words: split the batch")
    saved = market.snapshot() if strict else None
    funds = Funds()
    codes: list[int] = []
    for index, item in enumerate(items):
        try:
            do_item(market, now, item, funds)
        except Refused as refusal:
            if saved is not None:
                market.restore(saved)
                raise
            if refusal.code is None:
                raise AssertionError(f"{refusal.reason!r} has no code") from refusal
            codes.append(refusal.code)
            market.emit("ItemSkipped", account=item.account, index=index, reason=refusal.code)
        else:
            codes.append(0)
    settlement.credit_funds(market, funds)
    return codes


def do_item(market: MarketState, now: int, item: Item, funds: Funds) -> None:
    """Does what one item asks; what the balancing and the network account receive is added to `funds`.

    Raises:
        Refused: the item is bad.
    """
    if isinstance(item, OrderItem):
        offers.place_signed(market, now, item.order, item.agent, item.signer)
    elif isinstance(item, CancelItem):
        cut = item.cancel
        offers.cancel_signed(
            market, now, cut.maker, cut.nonce, cut.from_window, cut.deadline, item.agent, item.signer
        )
    elif isinstance(item, ReportItem):
        settlement.settle_report(market, now, item.account, item.report, item.hints, item.signer, funds)
    else:
        settlement.settle_due(market, now, item.account, item.hints, item.max_windows, funds)
