"""What an order or a cancel does, in words, before it is signed."""

from __future__ import annotations

from peerwatt.market.cancels import CancelQuote
from peerwatt.market.clock import MarketClock
from peerwatt.market.durations import format_duration
from peerwatt.market.orders import Quote, all_in_price
from peerwatt.signing import BUY
from peerwatt.units import PriceGrid, format_energy, format_money, format_price, format_share, format_unit_price

# Money is written with two decimals, so prices beside it are too.
DECIMALS = 2


def describe_order(quote: Quote, clock: MarketClock, grid: PriceGrid) -> str:
    """What is signed and its worst case, in one sentence.

    `You buy up to 1.2 kWh in each of 4 windows, 14:00-15:00, at 95.00 NGN/kWh or less; at most 456.00 NGN is reserved`
    """
    accepted = quote.accepted
    spans = clock.format_span(quote.first, quote.last)
    when = f"in each of {accepted.count} windows, {spans}," if accepted.count > 1 else f"in the window {spans},"
    price = format_price(accepted.limit_level, grid, DECIMALS)
    verb, bound = ("buy", "less") if accepted.side == BUY else ("sell", "more")
    worst = f"at most {format_money(quote.reserve, grid)} is reserved"
    if accepted.side != BUY:
        worst += " for energy that you sell and do not deliver"
    return f"You {verb} up to {format_energy(accepted.energy_wh)} {when} at {price} or {bound}; {worst}"


def order_facts(quote: Quote, clock: MarketClock, grid: PriceGrid) -> list[tuple[str, str]]:
    """What else counts: how the order stands in the book, what a shortfall costs, its gate, the money after it."""
    accepted, order = quote.accepted, quote.order
    facts = []
    if quote.late_windows:
        late = clock.format_span(quote.late_windows[0], quote.late_windows[-1])
        facts.append(("too late", f"{late}: the gate has closed, the order starts at {_start(clock, quote.first)}"))
    facts.append(("in the book", _book(quote, grid)))
    if accepted.side != BUY:
        shortfall = format_unit_price(quote.unit_reserve, grid, DECIMALS)
        imbalance = format_unit_price(quote.imbalance_price, grid, DECIMALS)
        facts.append(
            ("shortfall", f"what you sell and do not deliver costs up to {shortfall}: {imbalance} less your limit")
        )
    gate_s = clock.gate_s(quote.first)
    facts.append(("gate", f"{clock.format_time(gate_s)}, in {format_duration(max(gate_s - clock.now_s, 0))}"))
    free = [format_money(amount, grid) for amount in (quote.free_before, quote.free_after)]
    facts.append(("free money", f"{free[0]} now, {free[1]} after"))
    facts.append(("order", f"nonce {order.nonce}, meter {order.meter}"))
    facts.append(("signed by", f"agent {quote.agent} for {order.maker}" if quote.agent else order.maker))
    facts.append(("times", clock.zone_name()))
    return facts


def _book(quote: Quote, grid: PriceGrid) -> str:
    accepted = quote.accepted
    level = format_price(accepted.effective_level, grid, DECIMALS)
    all_in = format_unit_price(all_in_price(quote, grid), grid, DECIMALS)
    share = format_share(accepted.adjustment_bps)
    if accepted.side == BUY:
        fee = format_unit_price(accepted.fee_per_wh, grid, DECIMALS)
        return f"{level}; with {share} surcharge and {fee} network fee you pay up to {all_in}"
    return f"{level}; after {share} haircut you get {all_in} or more"


def _start(clock: MarketClock, window: int) -> str:
    return clock.format_time(clock.start_s(window))


def describe_cancel(quote: CancelQuote, clock: MarketClock, grid: PriceGrid) -> str:
    """What a cancel takes back, what stays and what money is free again, in one sentence."""
    order, nonce = quote.order, quote.cancel.nonce
    if quote.burns:
        return (
            f"No order has nonce {nonce}: you make sure that none with nonce {nonce} or a lower one of its slot "
            "is accepted any more"
        )
    act = "bid" if order.side == BUY else "offer"
    count = f"{len(quote.cut)} windows" if len(quote.cut) > 1 else "the window"
    cut = clock.format_span(quote.cut[0], quote.cut[-1])
    released = f"{format_money(quote.released, grid)} is free again"
    text = f"You cancel {count}, {cut}, of order {nonce}, a {act} of {format_energy(order.energy_wh)}; {released}"
    if quote.stay:
        text += f"; {clock.format_span(quote.stay[0], quote.stay[-1])} stays"
    return text
