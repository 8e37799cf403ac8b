"""Settled windows for people and for scripts: what was sold and bought, metered, received and paid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from peerwatt.cli import output

if TYPE_CHECKING:
    from peerwatt.market.clock import MarketClock
    from peerwatt.reference.settlement import Settled
    from peerwatt.units import PriceGrid

SIDES = {0: "buy", 1: "sell"}
COLUMNS = ("window", "order", ">filled", ">price", ">metered", ">short", ">receives", ">pays")


def to_json(line: Settled, clock: MarketClock) -> dict[str, Any]:
    """A settled window as every command prints it."""
    short_wh = line.fill_wh - line.delivered_wh if line.order.side else 0
    return {
        "account": line.account,
        "window": line.window,
        "start_s": clock.start_s(line.window),
        "end_s": clock.end_s(line.window),
        "side": SIDES[line.order.side],
        "cause": line.cause,
        "ordered_wh": line.order.energy_wh,
        "filled_wh": line.fill_wh,
        "price_per_wh": line.price_per_wh,
        "metered_wh": line.growth_wh,
        "delivered_wh": line.delivered_wh,
        "short_wh": short_wh,
        "received_amount": line.payment.received,
        "paid_amount": line.payment.paid,
        "score_before": line.score_before,
        "score_after": line.score_after,
    }


def to_table(lines: Sequence[Settled], clock: MarketClock, grid: PriceGrid) -> str:
    """Settled windows as a table."""
    from peerwatt.units import format_energy, format_money, format_unit_price

    rows = []
    for line in lines:
        short_wh = line.fill_wh - line.delivered_wh if line.order.side else 0
        rows.append(
            (
                clock.format_window(line.window),
                f"{SIDES[line.order.side]} {format_energy(line.order.energy_wh)}",
                format_energy(line.fill_wh),
                format_unit_price(line.price_per_wh, grid) if line.fill_wh else "-",
                "-" if line.growth_wh is None else format_energy(line.growth_wh),
                format_energy(short_wh) if short_wh else "-",
                format_money(line.payment.received, grid) if line.payment.received else "-",
                format_money(line.payment.paid, grid) if line.payment.paid else "-",
            )
        )
    return output.table(COLUMNS, rows)


def summarise(lines: Sequence[Settled], grid: PriceGrid) -> str:
    """What settled windows of one account come to, in a sentence."""
    from peerwatt.reference.reputation import SCORE_ONE, rating
    from peerwatt.units import format_money

    received = sum(line.payment.received for line in lines)
    paid = sum(line.payment.paid for line in lines)
    before, after = lines[0].score_before, lines[-1].score_after
    points = [f"{score / SCORE_ONE:,.1f} ({rating(score)})" for score in (before, after)]
    score = f"moves from {points[0]} to {points[1]}" if before != after else f"stays {points[1]}"
    return (
        f"The account receives {format_money(received, grid)} and pays {format_money(paid, grid)}; "
        f"{format_money(sum(line.released for line in lines), grid)} are no longer reserved; its score {score}."
    )


def in_words(line: Settled, clock: MarketClock, grid: PriceGrid) -> str:
    """One settled window in a sentence."""
    from peerwatt.units import format_energy, format_money

    window = clock.format_window(line.window)
    if line.fill_wh == 0:
        return f"{window}: the order found no partner, nothing was paid"
    if line.order.side == 0:
        return f"{window}: bought {format_energy(line.fill_wh)}, paid {format_money(line.payment.paid, grid)}"
    short_wh = line.fill_wh - line.delivered_wh
    text = (
        f"{window}: sold {format_energy(line.fill_wh)}, delivered {format_energy(line.delivered_wh)}, "
        f"received {format_money(line.payment.received, grid)}"
    )
    if not short_wh:
        return text
    return f"{text}, paid {format_money(line.payment.paid, grid)} for {format_energy(short_wh)} short"
