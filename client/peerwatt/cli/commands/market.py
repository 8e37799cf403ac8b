"""`peerwatt market`: the coming window's book and what it would clear at, the last prices, the tariff."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from peerwatt.cli import output
from peerwatt.cli.errors import RefusedError
from peerwatt.cli.options import command
from peerwatt.cli.session import Session
from peerwatt.cli.views import energy, known_address, price_number

if TYPE_CHECKING:
    from peerwatt.market.clock import MarketClock
    from peerwatt.market.prices import TariffNow
    from peerwatt.reference.auction import Clearing
    from peerwatt.reference.offers import Levels
    from peerwatt.units import PriceGrid

RECENT_WINDOWS = 6
LOOKBACK_S = 86_400
FEEDERS = 16
# Windows beyond the newest cleared one that take orders.
HORIZON = 254
STATES = {
    "open": "Orders are welcome.",
    "paused": "The regulator has paused new orders; what is in the book clears and settles as always.",
    "closed": "The market was wound down: no new orders, and windows that were not cleared fill nothing.",
}


def register(root: typer.Typer, panel: str) -> None:
    """Adds the command."""
    command(root, rich_help_panel=panel)(market)


def market(
    session: Session,
    window: Annotated[
        str | None, typer.Option(metavar="TIME", help="Start of another window than the next, e.g. 14:00.")
    ] = None,
) -> None:
    """Show the coming window's book and the price it would clear at, the last prices and the tariff."""
    from peerwatt.market import prices
    from peerwatt.market.history import read_head
    from peerwatt.reference.auction import clear_book, split

    with session.waiting("reading the market"):
        clock, grid, gateway = session.clock, session.grid, session.gateway
        state, head = gateway.book_state(), read_head(session.w3)
        shown = clock.next_open if window is None else clock.parse_window_start(window)
        book_end = state.cleared + HORIZON
        if window is not None and shown > book_end:
            raise RefusedError(
                f"the book reaches to {clock.format_window(book_end)} and {clock.format_window(shown)} lies beyond it; "
                "choose an earlier window"
            )
        clears = state.cleared < shown <= book_end and not state.closed
        levels = gateway.book(shown) if clears else {}
        result = prices.read_clearing(gateway, head, shown) if shown <= state.cleared else None
        recent = prices.read_recent(gateway, head, RECENT_WINDOWS, lookback_s=LOOKBACK_S)
        tariff = prices.read_tariff(gateway, clock.window)
        address = known_address(session)
        device = None if address is None else gateway.device(address)
        feeders = range(FEEDERS) if device is None or not device.encode() else [device.feeder]
        fees = prices.read_fees(gateway, feeders)
    data = {
        "currency": grid.currency,
        "decimals": grid.token_decimals,
        "now_s": clock.now_s,
        "state": "closed" if state.closed else "paused" if state.paused else "open",
        "cleared_window": state.cleared,
        "book_end_window": book_end,
        "window": shown,
        "start_s": clock.start_s(shown),
        "end_s": clock.end_s(shown),
        "gate_s": clock.gate_s(shown),
        "seconds_to_gate": max(clock.gate_s(shown) - clock.now_s, 0),
        "phase": "cleared" if shown <= state.cleared else "gated" if shown <= clock.gated else "open",
        "book": _book_data(levels, grid),
        "preview": _preview_data(clear_book(*split(levels)), grid) if clears else None,
        "result": None if result is None else result.to_json(clock),
        "recent": [cleared.to_json(clock) for cleared in recent],
        "tariff": _tariff_data(tariff, clock),
        "network_fees": [{"feeder": feeder, "fee_per_wh": fee} for feeder, fee in fees.items()],
    }
    session.emit(data, lambda: "\n\n".join(_paragraphs(data, clock, grid)))


def _book_data(levels: Levels, grid: PriceGrid) -> list[dict[str, Any]]:
    """Levels with orders, the highest price first. `demand_wh`: bid at the level or above; `supply_wh`: offered there
    or below."""
    rows = []
    demand_wh = 0
    supply_wh = sum(offer_wh for _, offer_wh in levels.values())
    for level in sorted(levels, reverse=True):
        bid_wh, offer_wh = levels[level]
        demand_wh += bid_wh
        rows.append(
            {
                "level": level,
                "price_per_wh": grid.price(level),
                "bid_wh": bid_wh,
                "offer_wh": offer_wh,
                "demand_wh": demand_wh,
                "supply_wh": supply_wh,
            }
        )
        supply_wh -= offer_wh
    return rows


def _preview_data(clearing: Clearing, grid: PriceGrid) -> dict[str, Any]:
    from peerwatt.market.words import KINDS
    from peerwatt.reference.auction import NO_TRADE

    result = clearing.result
    traded = result.kind != NO_TRADE
    return {
        "kind": KINDS[result.kind],
        "level": result.level if traded else None,
        "price_per_wh": grid.price(result.level) if traded else None,
        "traded_wh": clearing.traded_wh,
        "supply_wh": clearing.supply_wh,
        "demand_wh": clearing.demand_wh,
        "filled_wh": result.num,
        "rationed_wh": result.den,
    }


def _tariff_data(tariff: TariffNow, clock: MarketClock) -> dict[str, Any]:
    return {
        "version": tariff.version,
        "imbalance_per_wh": tariff.imbalance_price,
        "next_version": tariff.next_version,
        "next_from_window": tariff.next_from,
        "next_from_s": None if tariff.next_from is None else clock.start_s(tariff.next_from),
        "next_imbalance_per_wh": tariff.next_imbalance_price,
    }


def _paragraphs(data: dict[str, Any], clock: MarketClock, grid: PriceGrid) -> list[str]:
    parts = [_head_text(data, clock), *_window_text(data, grid)]
    if data["recent"]:
        columns = ("window", f">price [{grid.currency}/kWh]", ">traded", ">supply", ">demand")
        rows = [
            (
                clock.format_window(row["window"]),
                price_number(row["price_per_wh"], grid),
                energy(row["traded_wh"]),
                energy(row["supply_wh"]),
                energy(row["demand_wh"]),
            )
            for row in data["recent"]
        ]
        parts.append("Last windows\n" + output.table(columns, rows))
    else:
        parts.append("No window with orders was cleared in the last 24 hours.")
    return [*parts, _tariff_text(data, clock, grid)]


def _head_text(data: dict[str, Any], clock: MarketClock) -> str:
    from peerwatt.market.durations import format_duration

    shown = data["window"]
    name = f"Window {clock.format_window(shown)}"
    gate = clock.format_time(data["gate_s"])
    times = {
        "open": f"gate at {gate}, in {format_duration(data['seconds_to_gate'])}",
        "gated": f"gate closed at {gate}, not cleared yet",
        "cleared": "cleared",
    }
    state = STATES[data["state"]]
    if shown > data["book_end_window"] and data["state"] != "closed":
        state += "\nNobody has cleared for long, so it takes no orders yet; clear first, with: peerwatt keeper"
    return f"{name}: {times[data['phase']]}. Times in {clock.zone_name()}.\n{state}"


def _window_text(data: dict[str, Any], grid: PriceGrid) -> list[str]:
    if data["phase"] == "cleared":
        row = data["result"]
        if row is None:
            return ["It was cleared without orders."]
        if not row["traded_wh"]:
            return [f"No trade: {energy(row['demand_wh'])} bid, {energy(row['supply_wh'])} offered."]
        price = f"{price_number(row['price_per_wh'], grid)} {grid.currency}/kWh"
        supply, demand = energy(row["supply_wh"]), energy(row["demand_wh"])
        return [f"{energy(row['traded_wh'])} traded at {price}; {supply} offered, {demand} bid."]
    if not data["book"]:
        return ["The book is empty."]
    preview = data["preview"]
    price_level = None if preview is None else preview["level"]
    rows = []
    for row in data["book"]:
        rows.append(
            (
                price_number(row["price_per_wh"], grid),
                energy(row["bid_wh"]),
                energy(row["offer_wh"]),
                energy(row["demand_wh"]),
                energy(row["supply_wh"]),
                "<" if row["level"] == price_level else "",
            )
        )
    columns = (f">{grid.currency}/kWh", ">bids", ">offers", ">bid here or above", ">offered here or below", "")
    table = output.table(columns, rows)
    return [table] if preview is None else [table, _preview_text(data, grid)]


def _preview_text(data: dict[str, Any], grid: PriceGrid) -> str:
    from peerwatt.units import format_share

    preview = data["preview"]
    if preview["kind"] == "no_trade":
        bids = [row["price_per_wh"] for row in data["book"] if row["bid_wh"]]
        offers = [row["price_per_wh"] for row in data["book"] if row["offer_wh"]]
        if not bids or not offers:
            return f"If it cleared now: no trade, there is no {'offer' if bids else 'bid'}."
        best = [price_number(price, grid) for price in (max(bids), min(offers))]
        return f"If it cleared now: no trade; the highest bid is {best[0]}, the lowest offer {best[1]}."
    price = f"{price_number(preview['price_per_wh'], grid)} {grid.currency}/kWh"
    text = f"If it cleared now: {energy(preview['traded_wh'])} at {price}"
    if preview["kind"] != "all_crossing" and preview["filled_wh"] < preview["rationed_wh"]:
        side = "offers" if preview["kind"] == "offers_rationed" else "bids"
        share = format_share(10_000 * preview["filled_wh"] // preview["rationed_wh"])
        text += f"; {side} at that price would get {share} of their energy"
    return f"{text}.\nThese are prices before surcharge, haircut and network fee; limits stand where they count all in."


def _tariff_text(data: dict[str, Any], clock: MarketClock, grid: PriceGrid) -> str:
    tariff, fees = data["tariff"], data["network_fees"]
    if not tariff["version"]:
        return "No tariff is published yet, so nobody can order."
    money = f"{grid.currency}/kWh"
    lines = [f"Tariff {tariff['version']}: imbalance price {price_number(tariff['imbalance_per_wh'], grid)} {money}."]
    if fees:
        each = [f"{price_number(fee['fee_per_wh'], grid)} {money} on feeder {fee['feeder']}" for fee in fees]
        lines.append(f"Network fee: {', '.join(each)}.")
    if tariff["next_version"] is not None:
        lines.append(
            f"Tariff {tariff['next_version']} holds from {clock.format_time(tariff['next_from_s'])}: "
            f"imbalance price {price_number(tariff['next_imbalance_per_wh'], grid)} {money}."
        )
    return "\n".join(lines)
