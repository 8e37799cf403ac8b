"""`peerwatt statement`: what an account's windows came to, rebuilt from the logs and checked against the chain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from peerwatt.cli.errors import ConfigurationError, UsageError
from peerwatt.cli.options import command
from peerwatt.cli.session import Session
from peerwatt.cli.views import SIDES, From, Period, To, check_history, parse_period

if TYPE_CHECKING:
    from peerwatt.market.clock import MarketClock
    from peerwatt.market.sheet import Sheet
    from peerwatt.market.statement import Row
    from peerwatt.market.utility import UtilityShare
    from peerwatt.units import PriceGrid


def register(root: typer.Typer, panel: str) -> None:
    """Adds the command."""
    command(root, rich_help_panel=panel)(statement)


def statement(
    session: Session,
    from_: From = None,
    to: To = None,
    registers: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Your meter's registers (CSV, 1.8.0 and 2.8.0), for the utility bill."),
    ] = None,
    feed_in: Annotated[
        str | None, typer.Option(metavar="PRICE", help="What the utility credits for exports, e.g. 60.")
    ] = None,
) -> None:
    """Show what each window came to: filled, metered, paid, score, and what the utility still bills."""
    from peerwatt.cli.statement_text import paragraphs
    from peerwatt.market.sheet import make_sheet
    from peerwatt.market.statement import read_account_history
    from peerwatt.market.utility import WrongRegisters

    clock, grid = session.clock, session.grid
    period = parse_period(clock, from_, to)
    growths: Mapping[int, Mapping[int, int]] = {} if registers is None else _read_growths(registers, clock)
    feed_in_per_wh = _parse_feed_in(feed_in, grid)
    with session.waiting("reading the account's history"):
        history = read_account_history(session.gateway, session.address)
        try:
            sheet = make_sheet(session.gateway, history, period.first, period.last, growths, feed_in_per_wh)
        except WrongRegisters as error:
            raise UsageError(f"{registers}: {error}") from None
    session.emit(_data(sheet, period, clock, grid), lambda: "\n\n".join(paragraphs(sheet, clock, grid)))
    check_history(history)


def _parse_feed_in(text: str | None, grid: PriceGrid) -> int | None:
    from peerwatt.units import parse_unit_price

    return None if text is None else parse_unit_price(text, grid)


def _read_growths(path: Path, clock: MarketClock) -> Mapping[int, Mapping[int, int]]:
    """What each register of a file grew by in each window [Wh], by side."""
    from peerwatt.market.utility import to_growths
    from peerwatt.meter.csv_files import RegisterFileError, read_registers

    try:
        found = read_registers(path, clock).readings
    except RegisterFileError as error:
        raise ConfigurationError(str(error)) from None
    return {
        side: to_growths((reading.window, reading.register_wh) for reading in readings)
        for side, readings in found.items()
    }


def _data(sheet: Sheet, period: Period, clock: MarketClock, grid: PriceGrid) -> dict[str, Any]:
    from peerwatt.market.statement import add_up, sum_of
    from peerwatt.reference.reputation import rating

    history = sheet.history
    wallet, lifetime = history.wallet, add_up(history.rows)
    moved = {kind: sum_of(history.movements, kind) for kind in ("deposit", "withdrawal", "credit")}
    return {
        "account": history.account,
        "block_number": history.head.number,
        "currency": grid.currency,
        "decimals": grid.token_decimals,
        "from_window": period.first,
        "to_window": period.last,
        "retail_per_wh": sheet.prices.retail,
        "feed_in_per_wh": sheet.prices.feed_in,
        "feed_in_given": sheet.feed_in_given,
        "windows": [_row_data(row, sheet.shares.get(row.window), clock, grid) for row in sheet.rows],
        "movements": [
            {
                "kind": movement.kind,
                "amount": movement.amount,
                "time_s": time_s,
                "block_number": movement.block_number,
                "transaction_hash": movement.transaction_hash,
            }
            for time_s, movement in sheet.movements
        ],
        "totals": {
            **asdict(sheet.totals),
            "utility_amount": sheet.utility_amount,
            "utility_unknown_windows": sheet.unknown_windows,
        },
        "wallet": {
            "balance": wallet.balance,
            "reserved": wallet.reserved,
            "free": wallet.free,
            "score": wallet.score,
            "rating": rating(wallet.score),
            "rated": wallet.rated,
        },
        "lifetime": {
            "deposited_amount": moved["deposit"],
            "withdrawn_amount": moved["withdrawal"],
            "credited_amount": moved["credit"],
            "paid_amount": lifetime.paid_amount,
            "received_amount": lifetime.received_amount,
        },
        "checked_acts": len(history.acts),
        "differences": list(history.differences),
    }


def _row_data(row: Row, share: UtilityShare | None, clock: MarketClock, grid: PriceGrid) -> dict[str, Any]:
    from peerwatt.reference.reputation import rating

    return {
        "window": row.window,
        "start_s": clock.start_s(row.window),
        "end_s": clock.end_s(row.window),
        "side": SIDES[row.side],
        "status": row.status,
        "mark": row.mark or None,
        "ordered_wh": row.ordered_wh,
        "limit_per_wh": grid.price(row.limit_level),
        "filled_wh": row.filled_wh,
        "price_per_wh": row.price_per_wh,
        "imported_wh": row.imported_wh if share is None else share.imported_wh,
        "exported_wh": row.exported_wh if share is None else share.exported_wh,
        "delivered_wh": row.delivered_wh,
        "shortfall_wh": row.shortfall_wh,
        "energy_amount": row.energy_amount,
        "adjustment_amount": row.adjustment_amount,
        "fee_amount": row.fee_amount,
        "shortfall_amount": row.shortfall_amount,
        "paid_amount": row.paid_amount,
        "received_amount": row.received_amount,
        "score_after": row.score_after,
        "rating_after": None if row.score_after is None else rating(row.score_after),
        "utility_import_amount": None if share is None else share.import_amount,
        "utility_export_amount": None if share is None else share.export_amount,
        "block_number": row.block_number,
        "transaction_hash": row.transaction_hash,
    }
