"""`peerwatt reputation`: a score, what it costs or saves, and what moved it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from peerwatt.cli import output
from peerwatt.cli.options import command
from peerwatt.cli.session import Session
from peerwatt.cli.views import SIDES, check_history, energy, price_number

if TYPE_CHECKING:
    from peerwatt.market.clock import MarketClock
    from peerwatt.market.standing import Standing, Terms
    from peerwatt.market.statement import AccountHistory
    from peerwatt.units import PriceGrid

LOOKBACK_S = 7 * 86_400
CAUSES = {"reported": "by report", "defaulted": "default, no report came", "revoked": "meter revoked"}


def register(root: typer.Typer, panel: str) -> None:
    """Adds the command."""
    command(root, rich_help_panel=panel)(reputation)


def reputation(
    session: Session,
    last: Annotated[int, typer.Option(metavar="N", min=1, help="Windows that moved it, the newest N.")] = 10,
) -> None:
    """Show a score, its letter, what it costs or saves, and what moved it."""
    from peerwatt.market.prices import read_recent
    from peerwatt.market.standing import read_standing
    from peerwatt.market.statement import read_account_history

    with session.waiting("reading the account's history"):
        history = read_account_history(session.gateway, session.address)
        recent = read_recent(session.gateway, history.head, 1, lookback_s=LOOKBACK_S, traded_only=True)
        price = recent[0].price_per_wh if recent else None
        standing = read_standing(session.gateway, history.account, history.wallet, session.clock.window, price)
    clock, grid = session.clock, session.grid
    moves = [move for move in _moves(history, clock) if move["score_before"] != move["score_after"]][-last:]
    wallet = history.wallet
    data = {
        "account": history.account,
        "currency": grid.currency,
        "decimals": grid.token_decimals,
        "enrolled": standing.enrolled,
        "score": wallet.score,
        "rating": standing.now.rating,
        "rated": wallet.rated,
        "last_price_per_wh": price,
        "tariff_version": standing.version,
        "now": _terms_data(standing.now),
        "neutral": _terms_data(standing.neutral),
        "next": None if standing.next is None else _terms_data(standing.next),
        "score_to_next": None if standing.next is None else standing.next.score_from - wallet.score,
        "moves": moves,
    }
    session.emit(data, lambda: "\n\n".join(_paragraphs(history, standing, moves, clock, grid)))
    check_history(history)


def _terms_data(terms: Terms) -> dict[str, Any]:
    return {
        "rating": terms.rating,
        "score_from": terms.score_from,
        "surcharge_bps": terms.surcharge_bps,
        "haircut_bps": terms.haircut_bps,
        "rebate_bps": terms.rebate_bps,
        "fee_per_wh": terms.fee_per_wh,
        "buying_per_wh": terms.buying_per_wh,
        "selling_per_wh": terms.selling_per_wh,
    }


def _moves(history: AccountHistory, clock: MarketClock) -> list[dict[str, Any]]:
    settled = sorted((row for row in history.rows if row.settled), key=lambda row: (row.block_number or 0, row.window))
    return [
        {
            "window": row.window,
            "start_s": clock.start_s(row.window),
            "side": SIDES[row.side],
            "status": row.status,
            "filled_wh": row.filled_wh,
            "delivered_wh": row.delivered_wh,
            "imported_wh": row.imported_wh,
            "score_before": row.score_before,
            "score_after": row.score_after,
            "transaction_hash": row.transaction_hash,
        }
        for row in settled
    ]


def _paragraphs(
    history: AccountHistory,
    standing: Standing,
    moves: list[dict[str, Any]],
    clock: MarketClock,
    grid: PriceGrid,
) -> list[str]:
    from peerwatt.reference.reputation import POINTS, SCORE_ONE

    score, terms = history.wallet.score, standing.now
    if not standing.enrolled:
        return [f"{history.account} has no connection in this market now, so no score counts for it."]
    head = f"{terms.rating}: {score / SCORE_ONE:,.2f} of {POINTS:,} points."
    rated = (
        "Purchases are rated too: imports have to be reported, silence counts as zero."
        if history.wallet.rated
        else "Only sales are rated; purchases are not, and imports stay private."
    )
    parts = [f"{head} {rated}", _terms_text(standing, grid), _worth_text(standing, grid)]
    if standing.next is not None:
        points = (standing.next.score_from - score) / SCORE_ONE
        parts.append(f"{points:,.2f} points to {standing.next.rating}: deliver what you sell.")
    if not moves:
        return [*parts, "Nothing has moved it yet."]
    columns = ("window", "order", ">filled", ">metered", ">before", ">after", ">change", "settled")
    rows = []
    for move in moves:
        metered = move["delivered_wh"] if move["side"] == "sell" else move["imported_wh"]
        before, after = move["score_before"] / SCORE_ONE, move["score_after"] / SCORE_ONE
        cells = (f"{before:,.2f}", f"{after:,.2f}", f"{after - before:+,.2f}")
        span = clock.format_window(move["window"])
        cause = CAUSES.get(move["status"], move["status"])
        rows.append((span, move["side"], energy(move["filled_wh"]), energy(metered), *cells, cause))
    return [*parts, "What moved it\n" + output.table(columns, rows)]


def _terms_text(standing: Standing, grid: PriceGrid) -> str:
    from peerwatt.units import format_share

    money = f"{grid.currency}/kWh"
    columns = ("", "rating", ">surcharge", ">haircut", ">rebate", f">fee [{money}]", f">buying costs [{money}]",
               f">selling brings [{money}]")  # fmt: skip
    named = [("you", standing.now), ("neutral", standing.neutral)]
    if standing.next is not None:
        named.append(("next", standing.next))
    rows = [
        (
            name,
            terms.rating,
            format_share(terms.surcharge_bps),
            format_share(terms.haircut_bps),
            format_share(terms.rebate_bps),
            price_number(terms.fee_per_wh, grid),
            price_number(terms.buying_per_wh, grid),
            price_number(terms.selling_per_wh, grid),
        )
        for name, terms in named
    ]
    return output.table(columns, rows)


def _worth_text(standing: Standing, grid: PriceGrid) -> str:
    if standing.price_per_wh is None:
        return "No window has traded lately, so there is no price to say what this is worth."
    price = f"{price_number(standing.price_per_wh, grid)} {grid.currency}/kWh"
    lines = [f"At the last price, {price}:"]
    lines.append(f"- compared with a neutral score {_compare(standing.now, standing.neutral, grid)};")
    if standing.next is not None:
        rating = standing.next.rating
        lines.append(f"- with {rating} instead of {standing.now.rating} {_compare(standing.next, standing.now, grid)}.")
    return "\n".join(lines)


def _compare(one: Terms, other: Terms, grid: PriceGrid) -> str:
    assert one.buying_per_wh is not None and other.buying_per_wh is not None
    assert one.selling_per_wh is not None and other.selling_per_wh is not None
    buying = _difference(one.buying_per_wh - other.buying_per_wh, grid)
    selling = _difference(one.selling_per_wh - other.selling_per_wh, grid)
    return f"buying costs {buying} and selling brings {selling}"


def _difference(price_per_wh: int, grid: PriceGrid) -> str:
    if not price_per_wh:
        return "the same"
    return f"{price_number(abs(price_per_wh), grid)} {grid.currency}/kWh {'more' if price_per_wh > 0 else 'less'}"
