"""Orders: what one must fulfil, the slots and calendar that keep it unique, and the book of each window."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from . import meters, participants, reputation, tariffs, wallets
from .messages import OrderMessage, pack_hints
from .parameters import MarketParameters
from .reasons import Refused, require
from .values import BUY, SELL

if TYPE_CHECKING:
    from .state import MarketState

SLOTS = 16
HORIZON = 255
CALENDAR_WINDOWS = 224
MAX_ENERGY_WH = 2**24

# The Wh bid and offered at each level of a window.
Levels = dict[int, tuple[int, int]]


@dataclass(frozen=True)
class Calendar:
    """The windows of an account with an order still to settle, and the one up to which all are settled.

    `bitmap` is how the contract keeps the open windows: bit i is window settled + 1 + i.
    """

    open: frozenset[int] = frozenset()
    settled: int = 0

    @property
    def bitmap(self) -> int:
        return sum(1 << (window - self.settled - 1) for window in self.open)

    @property
    def next_open(self) -> int | None:
        return min(self.open, default=None)

    def moved_up(self, cleared: int) -> Calendar:
        """The calendar with its pointer as far up as it goes: an idle home can always order."""
        next_open = self.next_open
        reachable = cleared if next_open is None else min(cleared, next_open - 1)
        return replace(self, settled=max(self.settled, reachable))

    def with_open(self, windows: Iterable[int]) -> Calendar:
        return replace(self, open=self.open | frozenset(windows))

    def without(self, windows: Iterable[int]) -> Calendar:
        return replace(self, open=self.open - frozenset(windows))


@dataclass(frozen=True)
class Order:
    """What stands in a slot: `energy_wh` in each of `count` windows from `first`.

    What it was accepted at never changes: `adjustment_bps` (a buyer's surcharge, a seller's haircut),
    `fee_per_wh` (buyers), `imbalance_steps`, tariff `version`, and whether the buyer is `rated`. `single`:
    accepted for one window. A slot also remembers the highest nonce `burnt` by a cancel.
    """

    nonce: int = 0
    burnt: int = 0
    first: int = 0
    count: int = 0
    energy_wh: int = 0
    limit_level: int = 0
    effective_level: int = 0
    side: int = BUY
    rated: bool = False
    single: bool = False
    adjustment_bps: int = 0
    imbalance_steps: int = 0
    version: int = 0
    fee_per_wh: int = 0

    @property
    def windows(self) -> range:
        return range(self.first, self.first + self.count)

    @property
    def last(self) -> int:
        """The last window; only of an order with windows."""
        return self.first + self.count - 1

    def unit_reserve(self, parameters: MarketParameters) -> int:
        """What each of its Wh could cost at worst [base units]."""
        return tariffs.unit_reserve(parameters, self.side, self.limit_level, self.imbalance_steps)


@dataclass(frozen=True)
class Terms:
    """What an order would be accepted at now, whatever its limit; the fields are those of `Order`."""

    side: int
    rated: bool
    adjustment_bps: int
    imbalance_steps: int
    version: int
    fee_per_wh: int

    def effective_level(self, parameters: MarketParameters, limit_level: int) -> int | None:
        """Where an order with this limit would stand in the book; None if nowhere."""
        return tariffs.effective_level(parameters, self.side, limit_level, self.adjustment_bps, self.fee_per_wh)


def get_terms(market: MarketState, now: int, account: str, side: int) -> Terms:
    """The tariff in force, by the account's score and at its feeder."""
    wallet = market.wallet(account)
    tariff = tariffs.get_tariff(market, market.parameters.window_at(now))
    band = reputation.band(wallet.score)
    if side == BUY:
        adjustment_bps = tariff.tables.surcharges[band]
        feeder = participants.get_device(market, account).feeder
        full_fee = market.feeders.get(feeder, tariffs.Feeder()).fee_per_wh
        fee_per_wh = tariffs.fee_after_rebate(full_fee, tariff.tables.rebates[band])
    else:
        adjustment_bps = tariff.tables.haircuts[band]
        fee_per_wh = 0
    rated = wallet.rated and side == BUY
    return Terms(side, rated, adjustment_bps, tariff.imbalance_steps, tariff.version, fee_per_wh)


def get_order(market: MarketState, account: str, slot: int) -> Order:
    return market.orders.get((account, slot), Order())


def get_calendar(market: MarketState, account: str) -> Calendar:
    return market.calendars.get(account, Calendar())


def book(market: MarketState, window: int) -> Levels:
    """Wh bid and offered at each level of a window; levels without orders are absent."""
    return dict(market.books.get(window, {}))


def live(market: MarketState) -> Levels:
    """The live totals: the book of the newest cleared window, from which the next one is rolled on."""
    return book(market, market.book_state.cleared)


def hints_for(market: MarketState, account: str) -> int:
    """The hints for everything the account has open: slots in the sequence in which its windows meet them."""
    opened = get_calendar(market, account).open
    starts = {}
    for slot in range(SLOTS):
        windows = [window for window in get_order(market, account, slot).windows if window in opened]
        if windows:
            starts[slot] = min(windows)
    return pack_hints(sorted(starts, key=lambda slot: starts[slot]))


class HintedOrders:
    """Finds the orders of an account's open windows, in sequence, by the hints of whoever asked."""

    def __init__(self, market: MarketState, account: str, hints: int) -> None:
        self._market = market
        self._account = account
        self._hints = hints
        self._order = Order()

    def at(self, window: int) -> Order | None:
        """The order of the account's next open window; None if the next hint names another order."""
        if window not in self._order.windows:
            self._order = get_order(self._market, self._account, self._hints & 15)
            self._hints >>= 4
        return self._order if window in self._order.windows else None


def add_to_levels(levels: Levels, order: Order, energy_wh: int) -> None:
    """Adds energy of an order to a book, or takes it out (below zero); a level without any is absent."""
    bid, offer = levels.get(order.effective_level, (0, 0))
    entry = (bid + energy_wh, offer) if order.side == BUY else (bid, offer + energy_wh)
    if any(entry):
        levels[order.effective_level] = entry
    else:
        del levels[order.effective_level]


def add_to_book(market: MarketState, order: Order, windows: Iterable[int], sign: int) -> None:
    """Adds an order to the books of some windows, or takes it out (sign -1), and follows what is open."""
    energy = sign * order.energy_wh
    total = 0
    for window in windows:
        add_to_levels(market.books.setdefault(window, {}), order, energy)
        total += energy
    state = market.book_state
    market.book_state = replace(state, open_wh=state.open_wh + total)


def place(market: MarketState, now: int, account: str, order: OrderMessage) -> None:
    """Accepts an order that the account itself calls for."""
    _check_open(market, order)
    device = participants.check_enrolled(market, account)
    require(order.meter == device.meter, "meters: not the bound meter")
    _accept(market, now, account, order, device, None)


def place_signed(market: MarketState, now: int, order: OrderMessage, agent: str, signer: str) -> None:
    """Accepts a relayed order. Its signature covers the meter now bound: that needs no check of its own."""
    account = order.maker
    _check_open(market, order)
    device = participants.check_enrolled(market, account)
    mandate = participants.check_signer(market, now, account, agent, signer)
    if mandate is not None:
        participants.check_levels(mandate, order)
    _accept(market, now, account, order, device, mandate)


def _check_open(market: MarketState, order: OrderMessage) -> None:
    require(not market.book_state.paused, "offers: paused")
    require(not market.book_state.closed, "offers: market closed")
    require(order.side in (BUY, SELL), "offers: bad side")


def _accept(
    market: MarketState,
    now: int,
    account: str,
    order: OrderMessage,
    device: participants.Device,
    mandate: participants.Agent | None,
) -> None:
    """The checks that every order meets, then its acceptance for the windows that are left of it."""
    parameters = market.parameters
    enough = order.energy_wh >= parameters.min_order_wh
    require(enough and order.energy_wh < MAX_ENERGY_WH, "offers: energy out of bounds")
    require(order.first_window <= order.last_window, "offers: windows reversed")
    gated = parameters.gated_at(now)
    require(order.last_window > gated, "offers: gate closed")
    first, last = max(order.first_window, gated + 1), order.last_window

    calendar = get_calendar(market, account).moved_up(market.cleared)
    in_ring = last + 1 <= market.cleared + HORIZON
    require(in_ring and last <= calendar.settled + CALENDAR_WINDOWS, "offers: beyond the horizon")
    slot = order.nonce % SLOTS
    previous = get_order(market, account, slot)
    require(order.nonce > max(previous.nonce, previous.burnt), "offers: nonce used")
    require(previous.count == 0 or previous.last <= calendar.settled, "offers: slot in use")
    windows = range(first, last + 1)
    require(calendar.open.isdisjoint(windows), "offers: window taken")

    participants.check_status(device, order.side)
    if order.side == SELL:
        meters.check_age(market, now, account)
    limit_wh = device.import_limit_wh if order.side == BUY else device.export_limit_wh
    scaled_wh = tariffs.scaled_limit(market, device.feeder, order.side, limit_wh)
    require(order.energy_wh <= scaled_wh, "meters: over the envelope")

    terms = get_terms(market, now, account, order.side)
    level = terms.effective_level(parameters, order.limit_level)
    if level is None:
        raise Refused("offers: no price level")
    accepted = Order(
        nonce=order.nonce,
        burnt=previous.burnt,
        first=first,
        count=len(windows),
        energy_wh=order.energy_wh,
        limit_level=order.limit_level,
        effective_level=level,
        side=order.side,
        rated=terms.rated,
        single=len(windows) == 1,
        adjustment_bps=terms.adjustment_bps,
        imbalance_steps=terms.imbalance_steps,
        version=terms.version,
        fee_per_wh=terms.fee_per_wh,
    )
    wallet = market.wallet(account)
    cost = len(windows) * order.energy_wh * accepted.unit_reserve(parameters)
    require(wallet.free >= cost, "wallets: not enough free money")
    if mandate is not None:
        require(wallet.reserved + cost <= mandate.max_reserve, "participants: over the agent's caps")

    enter(market, account, accepted)
    market.emit("OrderPlaced", account=account, order=accepted)


def enter(market: MarketState, account: str, order: Order) -> None:
    """Puts an accepted order into its slot, the calendar, the book and the reserve."""
    calendar = get_calendar(market, account).moved_up(market.cleared)
    market.orders[account, order.nonce % SLOTS] = order
    market.calendars[account] = calendar.with_open(order.windows)
    wallets.reserve(market, account, order.count * order.energy_wh * order.unit_reserve(market.parameters))
    add_to_book(market, order, order.windows, 1)


def cancel(market: MarketState, now: int, account: str, nonce: int, from_window: int) -> None:
    """Cuts the order with this nonce from a window on, or burns a nonce above the slot's order.

    Windows whose gate has closed, and the one after them, stay: nobody pulls out at the last second.
    """
    slot = nonce % SLOTS
    order = get_order(market, account, slot)
    require(nonce >= order.nonce, "offers: nothing to cancel")
    if nonce > order.nonce:
        require(nonce > order.burnt, "offers: nothing to cancel")
        burnt = replace(order, burnt=nonce)
        market.orders[account, slot] = burnt
        market.emit("OrderCancelled", account=account, order=burnt)
        return
    earliest = max(from_window, market.parameters.gated_at(now) + 2)
    require(_cut(market, account, slot, earliest), "offers: nothing to cancel")


def cancel_signed(
    market: MarketState,
    now: int,
    account: str,
    nonce: int,
    from_window: int,
    deadline: int,
    agent: str,
    signer: str,
) -> None:
    """As `cancel`, relayed with the signature of the account or of an agent it authorised."""
    require(deadline >= now, "offers: cancel expired")
    participants.check_signer(market, now, account, agent, signer)
    cancel(market, now, account, nonce, from_window)


def revoke(market: MarketState, now: int, account: str) -> None:
    """Cuts off a connection: windows before their gate are cancelled, the others are left to settle."""
    window = market.parameters.window_at(now)
    market.devices.pop(account, None)
    market.exports[account] = replace(meters.get_exports(market, account), revoked=True)
    market.imports[account] = replace(meters.get_imports(market, account), revoked_window=window)
    for slot in range(SLOTS):
        _cut(market, account, slot, market.parameters.gated_at(now) + 1)
    market.emit("ParticipantRevoked", account=account, window=window)


def _cut(market: MarketState, account: str, slot: int, from_window: int) -> bool:
    """Ends an order before a window and releases what the rest had reserved; False if there is no rest."""
    order = get_order(market, account, slot)
    calendar = get_calendar(market, account).moved_up(market.cleared)
    cut = max(from_window, order.first, calendar.settled + 1)
    if order.count == 0 or cut > order.last:
        return False
    shortened = shorten(market, account, slot, cut)
    market.emit("OrderCancelled", account=account, order=shortened)
    return True


def shorten(market: MarketState, account: str, slot: int, cut: int) -> Order:
    """Takes an order's windows from `cut` on, none of them settled, out of slot, calendar, book and reserve.

    Returns:
        What is left of the order.
    """
    order = get_order(market, account, slot)
    calendar = get_calendar(market, account).moved_up(market.cleared)
    rest = range(cut, order.last + 1)
    shortened = replace(order, count=cut - order.first)
    market.orders[account, slot] = shortened
    market.calendars[account] = calendar.without(rest)
    unit = order.unit_reserve(market.parameters)
    wallets.release(market, account, len(rest) * order.energy_wh * unit)
    add_to_book(market, order, rest, -1)
    return shortened
