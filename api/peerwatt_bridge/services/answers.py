"""Answers from a view of the market, as plain values by the names of `routes/shapes.py`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from web3 import Web3

from peerwatt.market.clock import MarketClock
from peerwatt.market.standing import Terms
from peerwatt.market.statement import Row
from peerwatt.market.words import KINDS
from peerwatt.reference import auction, meters, offers
from peerwatt.reference.participants import Device
from peerwatt.reference.reputation import POINTS_PER_BAND, SCORE_ONE, START_SCORE, band, rating
from peerwatt.reference.state import MarketState
from peerwatt.reference.tariffs import (
    BANDS,
    Feeder,
    Tables,
    all_in_price,
    fee_after_rebate,
    get_tariff,
    scaled_limit,
)
from peerwatt.reference.values import BUY, SELL
from peerwatt_bridge.services.model import FullReplay

SIDES = ("buy", "sell")
STATUSES = ("off", "consuming", "feeding_in")


def tell_connection(state: MarketState, device: Device) -> dict[str, Any]:
    """A connection and its operating envelope."""
    feeder = state.feeders.get(device.feeder, Feeder())
    return {
        "meter": Web3.to_checksum_address(device.meter),
        "feeder": device.feeder,
        "status": STATUSES[device.status],
        "meter_class": device.meter_class,
        "retail_class": device.retail_class,
        "import_limit_wh": device.import_limit_wh,
        "export_limit_wh": device.export_limit_wh,
        "import_scale_bps": feeder.import_scale_bps,
        "export_scale_bps": feeder.export_scale_bps,
        "import_envelope_wh": scaled_limit(state, device.feeder, BUY, device.import_limit_wh),
        "export_envelope_wh": scaled_limit(state, device.feeder, SELL, device.export_limit_wh),
    }


def tell_participant(state: MarketState, account: str) -> dict[str, Any]:
    """An account in short."""
    key = account.lower()
    wallet, device = state.wallet(key), state.devices.get(key)
    return {
        "account": account,
        "balance": wallet.balance,
        "reserved": wallet.reserved,
        "free": wallet.free,
        "score": wallet.score,
        "rating": None if device is None else rating(wallet.score),
        "rated": wallet.rated,
        "connection": None if device is None else tell_connection(state, device),
        "open_windows": len(offers.get_calendar(state, key).open),
    }


def tell_participant_in_full(state: MarketState, account: str) -> dict[str, Any]:
    """An account with its orders and registers."""
    key = account.lower()
    exports, imports = meters.get_exports(state, key), meters.get_imports(state, key)
    opened = offers.get_calendar(state, key).open
    orders = []
    for slot in range(offers.SLOTS):
        order = offers.get_order(state, key, slot)
        windows = sorted(opened.intersection(order.windows))
        if windows:
            orders.append(
                {
                    "nonce": order.nonce,
                    "side": SIDES[order.side],
                    "first_window": order.first,
                    "last_window": order.last,
                    "energy_wh": order.energy_wh,
                    "limit_level": order.limit_level,
                    "limit_per_wh": state.parameters.price(order.limit_level),
                    "effective_level": order.effective_level,
                    "rated": order.rated,
                    "open_windows": windows,
                }
            )
    return {
        **tell_participant(state, account),
        "orders": orders,
        "exported_wh": exports.register_wh,
        "exported_window": exports.window,
        "imported_wh": imports.register_wh,
        "imported_window": imports.window,
    }


def tell_book(state: MarketState, window: int) -> list[dict[str, Any]]:
    """The levels of a window's book, the highest price first."""
    levels = offers.book(state, window)
    rows = []
    demand_wh, supply_wh = 0, sum(offer_wh for _, offer_wh in levels.values())
    for level in sorted(levels, reverse=True):
        bid_wh, offer_wh = levels[level]
        demand_wh += bid_wh
        rows.append(
            {
                "level": level,
                "price_per_wh": state.parameters.price(level),
                "bid_wh": bid_wh,
                "offer_wh": offer_wh,
                "demand_wh": demand_wh,
                "supply_wh": supply_wh,
            }
        )
        supply_wh -= offer_wh
    return rows


def tell_preview(state: MarketState, window: int) -> dict[str, Any]:
    """What a window's book would clear at."""
    clearing = auction.clear_book(*auction.split(offers.book(state, window)))
    result = clearing.result
    traded = result.kind != auction.NO_TRADE
    return {
        "kind": KINDS[result.kind],
        "level": result.level if traded else None,
        "price_per_wh": state.parameters.price(result.level) if traded else None,
        "traded_wh": clearing.traded_wh,
        "supply_wh": clearing.supply_wh,
        "demand_wh": clearing.demand_wh,
        "filled_wh": result.num,
        "rationed_wh": result.den,
    }


def tell_trade(row: Row, clock: MarketClock) -> dict[str, Any]:
    """A window of an account."""
    return {
        **asdict(row),
        "start_s": clock.start_s(row.window),
        "end_s": clock.end_s(row.window),
        "side": SIDES[row.side],
        "mark": row.mark,
    }


def tell_move(row: Row, clock: MarketClock) -> dict[str, Any]:
    """A window that moved a score."""
    names = ["window", "status", "filled_wh", "delivered_wh", "imported_wh"]
    names += ["score_before", "score_after", "transaction_hash"]
    told = {name: getattr(row, name) for name in names}
    return {**told, "start_s": clock.start_s(row.window), "side": SIDES[row.side]}


def tell_standing(state: MarketState, account: str, window: int, price_per_wh: int | None) -> dict[str, Any]:
    """An account's terms by the tariff in force at a window, at a price [base units/Wh].

    The figures are those of `peerwatt.market.standing`, from the model instead of the chain.
    """
    key = account.lower()
    device, wallet = state.devices.get(key), state.wallet(key)
    tariff = get_tariff(state, window)
    feeder = state.feeders.get(0 if device is None else device.feeder, Feeder())

    def terms_of(index: int) -> dict[str, Any]:
        tables, score_from = tariff.tables, index * POINTS_PER_BAND * SCORE_ONE
        fee = fee_after_rebate(feeder.fee_per_wh, tables.rebates[index])
        buying = selling = None
        if price_per_wh is not None:
            buying = all_in_price(BUY, price_per_wh, tables.surcharges[index], fee)
            selling = all_in_price(SELL, price_per_wh, tables.haircuts[index], 0)
        surcharge, haircut, rebate = (table[index] for table in (tables.surcharges, tables.haircuts, tables.rebates))
        return asdict(Terms(rating(score_from), score_from, surcharge, haircut, rebate, fee, buying, selling))

    own = band(wallet.score)
    following = terms_of(own + 1) if own + 1 < BANDS else None
    return {
        "account": account,
        "enrolled": device is not None,
        "score": wallet.score,
        "rating": rating(wallet.score),
        "rated": wallet.rated,
        "last_price_per_wh": price_per_wh,
        "tariff_version": tariff.version,
        "now": terms_of(own),
        "neutral": terms_of(band(START_SCORE)),
        "next": following,
        "score_to_next": None if following is None else following["score_from"] - wallet.score,
    }


def tell_tariffs(replay: FullReplay, clock: MarketClock) -> dict[str, Any]:
    """The tariff in force, the next one, retail prices and feeders."""
    state, head = replay.state, replay.state.tariff_head
    tariff, pending = get_tariff(state, clock.window), head.next_from > clock.window

    def version_of(version: int, steps: int) -> dict[str, Any]:
        tables = state.tables.get(version, Tables())
        return {
            "version": version,
            "imbalance_per_wh": state.parameters.price(steps),
            "surcharges_bps": tables.surcharges,
            "haircuts_bps": tables.haircuts,
            "rebates_bps": tables.rebates,
        }

    return {
        "window": clock.window,
        "version": version_of(tariff.version, tariff.imbalance_steps) if tariff.version else None,
        "next": version_of(head.next_version, head.next_imbalance_steps) if pending else None,
        "next_from_window": head.next_from if pending else None,
        "next_from_s": clock.start_s(head.next_from) if pending else None,
        "retail": [{"retail_class": name, "price_per_wh": price} for name, price in sorted(replay.retail.items())],
        "network_fees": [{"feeder": name, **asdict(feeder)} for name, feeder in sorted(state.feeders.items())],
    }


def tell_totals(replay: FullReplay) -> dict[str, Any]:
    """Sums of the community."""
    state, totals = replay.state, asdict(replay.totals)
    settled_windows = totals.pop("windows")
    return {
        "participants": len(state.devices),
        "accounts": len({*state.wallets, *state.devices}),
        "deposited": sum(wallet.balance for wallet in state.wallets.values()),
        "reserved": sum(wallet.reserved for wallet in state.wallets.values()),
        "cleared_window": state.book_state.cleared,
        "windows": replay.cleared_windows,
        "traded_wh": replay.traded_wh,
        "traded_amount": replay.traded_amount,
        "settled_windows": settled_windows,
        **totals,
        "differences": len(replay.differences),
    }
