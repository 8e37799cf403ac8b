"""`peerwatt trades`: windows that traded, of the whole market or of one account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from peerwatt.cli import output
from peerwatt.cli.options import command
from peerwatt.cli.session import Session
from peerwatt.cli.views import (
    SIDES,
    From,
    To,
    check_history,
    energy,
    money_number,
    parse_period,
    price_number,
    wants_own,
)

if TYPE_CHECKING:
    from peerwatt.cli.views import Period
    from peerwatt.market.clock import MarketClock
    from peerwatt.market.statement import AccountHistory
    from peerwatt.units import PriceGrid


def register(root: typer.Typer, panel: str) -> None:
    """Adds the command."""
    command(root, rich_help_panel=panel)(trades)


def trades(
    session: Session,
    mine: Annotated[bool, typer.Option("--mine", help="Only those of --account.")] = False,
    from_: From = None,
    to: To = None,
    last: Annotated[int | None, typer.Option(metavar="N", min=1, help="Only the newest N windows.")] = None,
) -> None:
    """List the windows that traded: of the whole market, or with --mine or --account of one account."""
    clock, grid = session.clock, session.grid
    period = parse_period(clock, from_, to)
    newest = slice(-last if last else None, None)
    if not wants_own(session, mine):
        rows = _read_all(session, clock, period)[newest]
        session.emit(_data(None, rows, grid), lambda: _all_text(rows, clock, grid))
        return

    from peerwatt.market.statement import read_account_history

    with session.waiting("reading the account's history"):
        history = read_account_history(session.gateway, session.address)
    rows = _own_rows(history, clock, period)[newest]
    session.emit(_data(history.account, rows, grid), lambda: _own_text(rows, clock, grid))
    check_history(history)


def _data(account: str | None, rows: list[dict[str, Any]], grid: PriceGrid) -> dict[str, Any]:
    return {"account": account, "currency": grid.currency, "decimals": grid.token_decimals, "windows": rows}


def _read_all(session: Session, clock: MarketClock, period: Period) -> list[dict[str, Any]]:
    from peerwatt.market import prices
    from peerwatt.market.history import read_steadily

    with session.waiting("reading the market's history"):
        found = read_steadily(session.w3, lambda head: list(prices.read_clearings(session.gateway, head, period.first)))
    return [cleared.to_json(clock) for cleared in found if cleared.traded_wh and cleared.window in period]


def _own_rows(history: AccountHistory, clock: MarketClock, period: Period) -> list[dict[str, Any]]:
    return [
        {
            "window": row.window,
            "start_s": clock.start_s(row.window),
            "end_s": clock.end_s(row.window),
            "side": SIDES[row.side],
            "status": row.status,
            "filled_wh": row.filled_wh,
            "delivered_wh": row.delivered_wh,
            "price_per_wh": row.price_per_wh,
            "paid_amount": row.paid_amount,
            "received_amount": row.received_amount,
            "transaction_hash": row.transaction_hash,
        }
        for row in history.rows
        if row.filled_wh and row.window in period
    ]


def _all_text(rows: list[dict[str, Any]], clock: MarketClock, grid: PriceGrid) -> str:
    if not rows:
        return "No window traded in this time."
    columns = (
        "window",
        ">traded",
        f">price [{grid.currency}/kWh]",
        f">worth [{grid.currency}]",
        ">supply",
        ">demand",
    )
    cells = [
        (
            clock.format_window(row["window"]),
            energy(row["traded_wh"]),
            price_number(row["price_per_wh"], grid),
            money_number(row["amount"], grid),
            energy(row["supply_wh"]),
            energy(row["demand_wh"]),
        )
        for row in rows
    ]
    total = energy(sum(row["traded_wh"] for row in rows))
    worth = money_number(sum(row["amount"] for row in rows), grid)
    return f"{output.table(columns, cells)}\n\n{len(rows)} windows, {total}, worth {worth} {grid.currency}"


def _own_text(rows: list[dict[str, Any]], clock: MarketClock, grid: PriceGrid) -> str:
    if not rows:
        return "This account traded nothing in this time."
    columns = (
        "window",
        "order",
        ">filled",
        ">delivered",
        f">price [{grid.currency}/kWh]",
        f">paid [{grid.currency}]",
        f">received [{grid.currency}]",
        "settled",
    )
    cells = [
        (
            clock.format_window(row["window"]),
            row["side"],
            energy(row["filled_wh"]),
            energy(row["delivered_wh"]),
            price_number(row["price_per_wh"], grid),
            money_number(row["paid_amount"], grid),
            money_number(row["received_amount"], grid),
            "not yet" if row["status"] == "cleared" else row["status"],
        )
        for row in rows
    ]
    paid = money_number(sum(row["paid_amount"] or 0 for row in rows), grid)
    received = money_number(sum(row["received_amount"] or 0 for row in rows), grid)
    return (
        f"{output.table(columns, cells)}\n\n"
        f"{len(rows)} windows, paid {paid} {grid.currency}, received {received} {grid.currency}"
    )
