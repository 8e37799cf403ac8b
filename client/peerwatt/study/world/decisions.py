"""How homes decide (paper, Fig. 3): store or sell, buy or not, at which price, with which money.

Pure functions: everything a decision rests on is in its arguments, and all of that is known at the gate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from peerwatt.study.models import LEVELS, DecisionModel, Market
from peerwatt.study.world.storage import Battery

BUY, SELL = 0, 1
Action = Literal["sell", "store", "buy", "hold"]


@dataclass(frozen=True)
class Intent:
    """An order that a home wants to sign; windows are counted from the study's first, both included."""

    home_id: str
    side: int
    first_window_index: int
    last_window_index: int
    energy_wh: int
    limit_level: int


@dataclass(frozen=True)
class Decision:
    """What a home decided, and why; `available_wh` is what it had to sell, or its need when below 0."""

    home_id: str
    window: int
    action: Action
    reason: str
    available_wh: int
    energy_wh: int
    limit_level: int | None


@dataclass(frozen=True)
class Outlook:
    """What a prosumer knows at the gate of a window.

    Attributes:
        hour: of the day. evening_factor: largest time-of-day factor of the rest of the day.
        surplus_wh, spread_wh: expected generation less load in the window, and the deviation of that
        forecast. later_surplus_wh: expected in the rest of the day. later_need_wh: what it will lack then.
        stored_wh: expected in the battery when the window starts. rated_wh: most its sources give in a
        window. free_money: not reserved [base units]. retail_price, feed_in: base units per Wh. markup: 0..1.
    """

    home_id: str
    window: int
    hour: float
    evening_factor: float
    surplus_wh: float
    spread_wh: float
    later_surplus_wh: float
    later_need_wh: float
    battery: Battery | None
    stored_wh: int
    rated_wh: float
    import_limit_wh: int
    export_limit_wh: int
    free_money: int
    retail_price: int
    network_fee: int
    feed_in: int
    markup: float
    willingness: float


def ask_level(outlook: Outlook, offered_wh: float, market: Market, model: DecisionModel) -> int:
    """Level a prosumer asks: price from available energy and time of day (Fig. 3).

    Its mark-up on the way from feed-in to retail, higher in the evening, lower the more of its plant is on
    offer.
    """
    abundance = min(offered_wh / outlook.rated_wh, 1.0) if outlook.rated_wh > 0 else 0.0
    share = outlook.markup * model.hour_factor(outlook.hour) * (1.0 - model.abundance_discount * abundance)
    price = outlook.feed_in + math.ceil(share * max(outlook.retail_price - outlook.feed_in, 0))
    level = market.level_at_least(price)
    return LEVELS - 1 if level is None else level


def _worth_storing(outlook: Outlook, battery: Battery, model: DecisionModel) -> bool:
    """Whether the evening's price, after the battery's losses, beats the price now."""
    kept = battery.charge_permille * battery.discharge_permille / 1_000_000
    return outlook.evening_factor * kept > model.hour_factor(outlook.hour) * (1.0 + model.storing_gain)


def _wanted_level(outlook: Outlook, battery: Battery, model: DecisionModel) -> int:
    """Energy the battery shall hold in the evening: all it can if that sells better then, else own need."""
    if _worth_storing(outlook, battery, model):
        return battery.capacity_wh
    need = outlook.later_need_wh * 1000.0 / battery.discharge_permille
    return min(int(battery.reserve_wh + need), battery.capacity_wh)


def decide_prosumer(outlook: Outlook, market: Market, model: DecisionModel) -> tuple[Decision, Intent | None]:
    """Store, sell, or buy (to use or to store), for one window."""
    battery = outlook.battery
    missing = 0.0
    excess = 0.0
    if battery:
        wanted = _wanted_level(outlook, battery, model)
        missing = max(wanted - outlook.stored_wh, 0) * 1000.0 / battery.charge_permille
        if not _worth_storing(outlook, battery, model):
            spare = max(outlook.stored_wh - wanted, 0) * battery.discharge_permille / 1000.0
            excess = min(spare, battery.discharge_room_wh(outlook.stored_wh))
    backed = battery is not None and battery.discharge_room_wh(outlook.stored_wh) >= outlook.spread_wh
    sigmas = model.margin_sigmas_battery if backed else model.margin_sigmas
    sure = outlook.surplus_wh - sigmas * outlook.spread_wh
    # The rest of the day fills the battery as far as it surely can; only what it cannot fill is stored now.
    store_now = max(missing - 0.8 * outlook.later_surplus_wh, 0.0)
    if battery:
        store_now = min(store_now, battery.charge_room_wh(outlook.stored_wh))
    offer = int(min(sure - store_now + excess, outlook.export_limit_wh))
    if offer >= market.min_order_wh:
        return _sell(outlook, offer, market, model)
    need = _need_wh(outlook, missing, model)
    if need >= market.min_order_wh:
        return _buy(outlook, need, missing > 0, market, model)
    action: Action = "store" if battery and sure > 0 and missing > 0 else "hold"
    reason = "own surplus fills the battery" if action == "store" else "nothing worth an order"
    return Decision(outlook.home_id, outlook.window, action, reason, int(sure), 0, None), None


def _need_wh(outlook: Outlook, missing: float, model: DecisionModel) -> int:
    """What a prosumer buys: its sure lack in the window, and what no later surplus can store."""
    lack = max(-outlook.surplus_wh - model.margin_sigmas * outlook.spread_wh, 0.0)
    to_store = 0.0
    if outlook.battery:
        own = max(outlook.surplus_wh, 0.0)
        room = outlook.battery.charge_room_wh(outlook.stored_wh) - own
        to_store = max(min(missing - own - outlook.later_surplus_wh, room), 0.0)
    return int(min(lack + to_store, outlook.import_limit_wh))


def _sell(o: Outlook, offer: int, market: Market, model: DecisionModel) -> tuple[Decision, Intent | None]:
    level = ask_level(o, offer, market, model)
    per_wh = market.imbalance_price - market.price(level)
    energy = min(offer, o.free_money // per_wh)
    if energy < market.min_order_wh:
        return Decision(
            o.home_id, o.window, "hold", "wallet: too little for the imbalance reserve", offer, 0, level
        ), None
    reason = "sells its surplus" if energy == offer else "wallet: smaller offer"
    decision = Decision(o.home_id, o.window, "sell", reason, offer, energy, level)
    return decision, Intent(o.home_id, SELL, o.window, o.window, energy, level)


def _buy(
    o: Outlook, need: int, to_store: bool, market: Market, model: DecisionModel
) -> tuple[Decision, Intent | None]:
    price = o.retail_price * o.willingness
    if to_store and o.battery:
        kept = o.battery.charge_permille * o.battery.discharge_permille / 1_000_000
        price = min(price, o.retail_price * kept * (1.0 - model.storing_gain))
    level = market.level_at_most(int(price))
    if level is None or market.price(level) < market.floor_price + o.network_fee:
        return Decision(o.home_id, o.window, "hold", "no gain below retail", -need, 0, None), None
    energy = min(need, o.free_money // market.price(level))
    if energy < market.min_order_wh:
        return Decision(o.home_id, o.window, "hold", "wallet: too little money", -need, 0, level), None
    reason = "buys to store" if to_store else "buys what it lacks"
    decision = Decision(o.home_id, o.window, "buy", reason, -need, energy, level)
    return decision, Intent(o.home_id, BUY, o.window, o.window, energy, level)


def decide_consumer(
    home_id: str,
    windows: int,
    need_wh: int,
    limit_price: int,
    network_fee: int,
    free_money: int,
    market: Market,
) -> tuple[Decision, Intent | None]:
    """A consumer's standing order over all windows.

    Args:
        need_wh: what it asks for in each window. limit_price: all-in, base units per Wh. free_money: base
        units.
    """
    level = market.level_at_most(limit_price)
    if level is None or market.price(level) < market.floor_price + network_fee:
        return Decision(home_id, 0, "hold", "no gain below retail", -need_wh, 0, None), None
    if need_wh < market.min_order_wh:
        return Decision(home_id, 0, "hold", "need below the smallest order", -need_wh, 0, level), None
    energy = min(need_wh, free_money // (windows * market.price(level)))
    if energy < market.min_order_wh:
        return Decision(home_id, 0, "hold", "wallet: too little money", -need_wh, 0, level), None
    reason = "buys its forecast need" if energy == need_wh else "wallet: smaller order"
    decision = Decision(home_id, 0, "buy", reason, -need_wh, energy, level)
    return decision, Intent(home_id, BUY, 0, windows - 1, energy, level)
