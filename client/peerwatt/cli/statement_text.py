"""A statement as people read it."""

from __future__ import annotations

import typer

from peerwatt.cli import output
from peerwatt.cli.views import SIDES, energy, money_number, price_number, score_text
from peerwatt.market.clock import MarketClock
from peerwatt.market.sheet import Sheet
from peerwatt.market.statement import AccountHistory, Row, Totals, sum_of
from peerwatt.market.utility import UtilityShare
from peerwatt.units import PriceGrid

# How a row that stands out is coloured on a terminal.
COLOURS = {"unfilled": "yellow", "in_part": "yellow", "short": "red", "defaulted": "red", "revoked": "red"}
METER_KNOWS = "your meter knows"


def paragraphs(sheet: Sheet, clock: MarketClock, grid: PriceGrid) -> list[str]:
    """The statement in paragraphs."""
    parts = []
    if sheet.rows:
        parts += [_rows_text(sheet, clock, grid)]
        parts += [_totals_text(sheet.totals, grid), _utility_text(sheet, grid)] if sheet.totals.windows else []
    else:
        parts.append("No window with an order in this time.")
    if sheet.movements:
        rows = [
            (clock.format_time(time_s), movement.kind, money_number(movement.amount, grid))
            for time_s, movement in sheet.movements
        ]
        parts.append("Money in and out\n" + output.table(("time", "what", f">{grid.currency}"), rows))
    return [*parts, _balance_text(sheet.history, grid)]


def _rows_text(sheet: Sheet, clock: MarketClock, grid: PriceGrid) -> str:
    columns = ("window", "order", ">filled", ">price", ">metered", ">energy", ">surcharge, haircut", ">fee",
               ">shortfall", ">total", ">score after", ">utility bill", "")  # fmt: skip
    cells = []
    for row in sheet.rows:
        share = sheet.shares.get(row.window)
        metered_wh = None
        if share is not None:
            metered_wh = share.exported_wh if row.side else share.imported_wh
        sold = 1 if row.side else -1
        cells.append(
            (
                clock.format_window(row.window),
                f"{SIDES[row.side]} {energy(row.ordered_wh)}",
                "open" if row.filled_wh is None else energy(row.filled_wh) if row.filled_wh else "nothing",
                price_number(row.price_per_wh, grid),
                "-" if metered_wh is None else energy(metered_wh) if metered_wh else "0 Wh",
                _signed(row.energy_amount, sold, grid),
                _signed(row.adjustment_amount, -1, grid),
                _signed(row.fee_amount, -1, grid),
                _signed(row.shortfall_amount, -1, grid),
                _signed(None if row.paid_amount is None else (row.received_amount or 0) - row.paid_amount, 1, grid),
                "-" if row.score_after is None else score_text(row.score_after),
                _share_text(row, share, grid),
                _mark_text(row),
            )
        )
    head, *lines = output.table(columns, cells).splitlines()
    coloured = [
        typer.style(line, fg=COLOURS[row.mark]) if row.mark else line
        for row, line in zip(sheet.rows, lines, strict=True)
    ]
    note = f"Prices in {grid.currency}/kWh, money in {grid.currency}; + you receive, - you pay. {clock.zone_name()}."
    return "\n".join([note, head, *coloured])


def _signed(amount: int | None, sign: int, grid: PriceGrid) -> str:
    return "-" if not amount else money_number(sign * amount, grid, sign=True)


def _share_text(row: Row, share: UtilityShare | None, grid: PriceGrid) -> str:
    if share is None:
        return "-"
    # A seller's exports are on the chain; what a buyer imported is not, unless the buyer is rated.
    known = share.export_amount if row.side and share.import_amount is None else share.amount
    if known is None or (not row.side and share.import_amount is None):
        return METER_KNOWS
    return money_number(-known, grid, sign=True)


def _mark_text(row: Row) -> str:
    if row.mark == "short":
        return f"short {energy(row.shortfall_wh)}"
    if row.mark == "defaulted":
        return f"default: no report came, short {energy(row.shortfall_wh)}" if row.side else "default: no report came"
    if row.status == "cleared" and not row.mark:
        return "not settled yet"
    return row.mark.replace("_", " ")


def _totals_text(totals: Totals, grid: PriceGrid) -> str:
    def money(amount: int) -> str:
        return f"{money_number(amount, grid)} {grid.currency}"

    lines = [f"Settled: {totals.windows} windows, paid {money(totals.paid_amount)}, "
             f"received {money(totals.received_amount)}."]  # fmt: skip
    if totals.bought_wh:
        lines.append(
            f"Bought {energy(totals.bought_wh)} for {money(totals.energy_bought_amount)}, surcharge "
            f"{money(totals.surcharge_amount)}, network fee {money(totals.fee_amount)}."
        )
    if totals.sold_wh:
        lines.append(
            f"Sold {energy(totals.sold_wh)}, delivered {energy(totals.delivered_wh)} for "
            f"{money(totals.energy_sold_amount)}, haircut {money(totals.haircut_amount)}; "
            f"short {energy(totals.shortfall_wh)}, which cost {money(totals.shortfall_amount)}."
        )
    return "\n".join(lines)


def _utility_text(sheet: Sheet, grid: PriceGrid) -> str:
    prices = sheet.prices
    money = f"{grid.currency}/kWh"
    retail = "no retail price is known"
    if prices.retail is not None:
        retail = f"retail {price_number(prices.retail, grid)} {money}"
    feed_in = f"feed-in {price_number(prices.feed_in, grid)} {money}"
    if not sheet.feed_in_given:
        feed_in += " (the lowest price of the market; give yours with --feed-in)"
    verb = "charges" if sheet.utility_amount >= 0 else "credits"
    amount = f"{money_number(abs(sheet.utility_amount), grid)} {grid.currency}"
    lines = []
    if any(share.amount is not None for share in sheet.shares.values()):
        lines.append(
            f"Beside the market the utility {verb} {amount} for these windows, as far as known here: {retail}, "
            f"{feed_in}."
        )
    unknown = sheet.unknown_windows
    if unknown:
        lines.append(
            f"In {unknown} settled window{'' if unknown == 1 else 's'} only your meter knows what you imported; "
            "give its registers with --registers FILE."
        )
    return "\n".join(lines)


def _balance_text(history: AccountHistory, grid: PriceGrid) -> str:
    wallet = history.wallet
    money = [
        f"{money_number(amount, grid)} {grid.currency}" for amount in (wallet.balance, wallet.reserved, wallet.free)
    ]
    line = f"Balance {money[0]}, of it reserved {money[1]}, free {money[2]}."
    if history.retail_class is not None:
        line += f" Score {score_text(wallet.score)}."
    if history.differences:
        return line
    credited = sum_of(history.movements, "credit")
    if credited:
        line += f"\nCredited as balancing or network account: {money_number(credited, grid)} {grid.currency}."
    block = history.head.number
    return (
        f"{line}\nRebuilt from {len(history.acts)} logs by the market's rules; equal to the contract at block {block}."
    )
