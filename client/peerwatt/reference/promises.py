"""The promises about what happened: prices, deliveries, money and energy, scores, registers, nonces.

Part of `invariants`, which collects all that is always true. The promises are numbered as in docs/market.md.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from .auction import ALL_CROSSING, NO_TRADE, clear_book, fill_of, split
from .meters import ExportRegister, ImportRegister
from .offers import SLOTS, Order, get_calendar
from .reputation import FULL_SCORE
from .settlement import DEFAULTED, REPORTED, Settled
from .state import MarketState
from .values import BUY

Violations = list[str]


def open_windows(market: MarketState) -> Iterator[tuple[str, int, Order, int]]:
    """Every order still to settle, window by window: account, slot, order, window."""
    for (account, slot), order in market.orders.items():
        settled = get_calendar(market, account).settled
        for window in order.windows:
            if window > settled:
                yield account, slot, order, window


def by_window(market: MarketState) -> dict[int, list[Settled]]:
    entries: dict[int, list[Settled]] = defaultdict(list)
    for entry in market.ledger:
        entries[entry.window].append(entry)
    return entries


def expect(found: object, expected: object, what: str) -> Violations:
    return [] if found == expected else [f"{what}: {found}, not {expected}"]


def as_int(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"{value!r} is no int")
    return value


def fills_bracket_the_volume(market: MarketState) -> Violations:
    """Promise 7: sellers' fills <= V <= buyers' fills, and they differ by less than one Wh for each rationed
    order."""
    sold: Counter[int] = Counter()
    bought: Counter[int] = Counter()
    rationed: Counter[int] = Counter()
    orders = [(order, window) for _, _, order, window in open_windows(market)]
    orders += [(entry.order, entry.window) for entry in market.ledger]
    for order, window in orders:
        result = market.results.get(window)
        if result is None:
            continue
        (bought if order.side == BUY else sold)[window] += fill_of(market, order, window)
        at_price = order.effective_level == result.level and result.kind not in (NO_TRADE, ALL_CROSSING)
        rationed[window] += at_price
    found: Violations = []
    for window in market.results:
        clearing = clear_book(*split(market.books.get(window, {})))
        if not sold[window] <= clearing.traded_wh <= bought[window]:
            volumes = (sold[window], clearing.traded_wh, bought[window])
            found.append(f"window {window}: sold, traded and bought {volumes} Wh")
        if bought[window] - sold[window] > max(rationed[window] - 1, 0):
            found.append(f"window {window}: {bought[window] - sold[window]} Wh lost in rounding")
    return found


def nobody_pays_above_the_limit(market: MarketState) -> Violations:
    """Promise 4: a buyer's all-in price is at most the signed limit, a seller's at least; no order costs more
    than its reserve."""
    found: Violations = []
    for entry in market.ledger:
        limit = market.parameters.price(entry.order.limit_level)
        paid, received = entry.payment.paid, entry.payment.received
        where = f"{entry.account} in window {entry.window}"
        if entry.order.side == BUY and paid > entry.fill_wh * limit:
            found.append(f"{where} paid {paid} for {entry.fill_wh} Wh at {limit}")
        if entry.order.side != BUY and received < entry.delivered_wh * limit:
            found.append(f"{where} got {received} for {entry.delivered_wh} Wh at {limit}")
        if paid > entry.released:
            found.append(f"{where} paid {paid}, reserved {entry.released}")
    return found


def only_metered_energy_is_paid(market: MarketState) -> Violations:
    """Promise 6: a seller is paid for no Wh that its meter did not count, nor for more than its fill."""
    return [
        f"{entry.account} delivered {entry.delivered_wh} of {entry.fill_wh} Wh, metered {entry.growth_wh}"
        for entry in market.ledger
        if not 0 <= entry.delivered_wh <= min(entry.fill_wh, entry.growth_wh or 0)
    ]


def money_is_conserved(market: MarketState) -> Violations:
    """Promise 7: in a finished window payments = receipts + network account + balancing account."""
    entries = by_window(market)
    found: Violations = []
    for window, result in market.results.items():
        if result.left_wh:
            continue
        payments = [entry.payment for entry in entries[window]]
        balancing = sum(payment.balancing for payment in payments)
        balancing += result.net_wh * market.parameters.price(result.level)
        paid = sum(payment.paid for payment in payments)
        received = sum(payment.received for payment in payments)
        network = sum(payment.network for payment in payments)
        found += expect(paid, received + network + balancing, f"payments of window {window}")
    return found


def energy_is_conserved(market: MarketState) -> Violations:
    """Promise 7: in a finished window Wh bought = delivered + shortfall + rounding."""
    entries = by_window(market)
    found: Violations = []
    for window, result in market.results.items():
        if result.left_wh:
            continue
        bought = sum(entry.fill_wh for entry in entries[window] if entry.order.side == BUY)
        sales = [entry for entry in entries[window] if entry.order.side != BUY]
        delivered = sum(entry.delivered_wh for entry in sales)
        shortfall = sum(entry.fill_wh - entry.delivered_wh for entry in sales)
        rounding = market.rounding_wh.get(window)
        if rounding is None:
            found.append(f"window {window} was finished but not closed")
        else:
            found += expect(bought, delivered + shortfall + rounding, f"Wh bought in window {window}")
    return found


def scores_are_in_range(market: MarketState) -> Violations:
    """A score lies between 0 and 10000 points."""
    return [
        f"{account}: score {wallet.score}"
        for account, wallet in market.wallets.items()
        if not 0 <= wallet.score <= FULL_SCORE
    ]


def scores_move_by_metering_alone(market: MarketState) -> Violations:
    """Promise 9: only a reported or missing reading of a seller or a rated buyer moves a score."""
    return [
        f"{entry.account}: score {entry.score_before} to {entry.score_after} in window {entry.window}"
        for entry in market.ledger
        if entry.score_before != entry.score_after
        and (entry.cause not in (REPORTED, DEFAULTED) or (entry.order.side == BUY and not entry.order.rated))
    ]


def registers_only_grow(market: MarketState) -> Violations:
    """Promise 5: from one binding of a meter to the next, reports raise a register and its time."""
    last: dict[tuple[str, int], tuple[int, int]] = {}
    found: Violations = []
    for event in market.log:
        values = event.values
        account = str(values.get("account"))
        if event.name == "ParticipantBound":
            for side, name in enumerate(("imports", "exports")):
                register = values[name]
                if not isinstance(register, ExportRegister | ImportRegister):
                    raise TypeError(f"{name} of {account} is {register!r}")
                last[account, side] = (register.register_wh, register.window)
        elif event.name == "ReportSettled":
            end = as_int(values["first"]) + as_int(values["n"])
            reading = (as_int(values["closing_wh"]), end)
            before = last[account, as_int(values["side"])]
            if reading[0] < before[0] or reading[1] <= before[1] or reading[0] >= 2**48:
                found.append(f"{account}: reading {reading} after {before}")
            last[account, as_int(values["side"])] = reading
    return found


def nonces_only_grow(market: MarketState) -> Violations:
    """A slot's orders have its number as remainder and growing nonces, none of them burnt before: no
    replay."""
    highest: dict[tuple[str, int], int] = {}
    found: Violations = []
    for event in market.log:
        if event.name not in ("OrderPlaced", "OrderCancelled"):
            continue
        order = event.values["order"]
        if not isinstance(order, Order):
            raise TypeError(f"{event.name} without an order")
        # A burn can hit an empty slot: its number is then in the burnt nonce.
        slot = (str(event.values["account"]), max(order.nonce, order.burnt) % SLOTS)
        used = highest.get(slot, 0)
        if event.name == "OrderPlaced" and order.nonce <= used:
            found.append(f"{slot}: nonce {order.nonce} after {used}")
        highest[slot] = max(used, order.nonce, order.burnt)
    for (account, number), order in market.orders.items():
        if any(nonce and nonce % SLOTS != number for nonce in (order.nonce, order.burnt)):
            found.append(f"{account}: nonces {order.nonce}, {order.burnt} in slot {number}")
    return found
