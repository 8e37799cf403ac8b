"""A small community for a local chain, so that whoever tries the market has somebody to trade with.

Their keys follow from public text: whoever reads this file can spend their money. They serve local chains only.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from functools import cached_property

from eth_keys.datatypes import PrivateKey
from eth_utils.crypto import keccak

from peerwatt.market import relay
from peerwatt.market.accounts import AccountState, read_accounts
from peerwatt.market.chains import is_local
from peerwatt.market.clock import get_chain_time_s
from peerwatt.market.gateway import MarketGateway
from peerwatt.market.publication import OPERATOR, get_holder
from peerwatt.market.senders import NodeAccount, Sender
from peerwatt.market.words import FEEDING_IN, ONLY_CONSUMING
from peerwatt.signing import BUY, EXPORTS, SELL, Domain, Enrolment, Order, Permit, Report, sign
from peerwatt.units import LEVELS

# Windows for which everybody has an order after a run; new ones are placed when a quarter of them is missing.
HORIZON_WINDOWS = 96
TOP_UP_WINDOWS = HORIZON_WINDOWS // 4
# Of a report: what the market takes, and so that a run catches up in a few transactions.
MAX_REPORT_WINDOWS = 224
MAX_CLEAR_WINDOWS = 255
DEADLINE_S = 3600
LIMIT_WH = 3450
RETAIL_CLASS = 0


class NoNeighbours(RuntimeError):
    """The chain can't be filled. The message says why, and what to do."""


@dataclass(frozen=True)
class Neighbour:
    """A home that is always the same.

    Attributes:
        energy_wh: it sells or buys in each window [Wh], at least the market's smallest order.
        level: its price limit.
        feeder: where it is connected, if the market has such a feeder.
    """

    name: str
    side: int
    energy_wh: int
    level: int
    feeder: int

    @cached_property
    def account_key(self) -> bytes:
        """Private key of the account, for everybody to read."""
        return bytes(keccak(text=f"peerwatt neighbour {self.name} account"))

    @cached_property
    def meter_key(self) -> bytes:
        """Private key of the meter, for everybody to read."""
        return bytes(keccak(text=f"peerwatt neighbour {self.name} meter"))

    @cached_property
    def account(self) -> str:
        """Address of the account."""
        return str(PrivateKey(self.account_key).public_key.to_checksum_address())

    @cached_property
    def meter(self) -> str:
        """Address of the meter."""
        return str(PrivateKey(self.meter_key).public_key.to_checksum_address())


# Together they offer more than they want, so that there is something left to buy, and want it at prices above those of
# the offers, so that there is room for another offer.
NEIGHBOURS = (
    Neighbour("Ada", SELL, 1500, 64, 0),
    Neighbour("Bola", BUY, 400, 200, 0),
    Neighbour("Chidi", BUY, 300, 215, 0),
    Neighbour("Dayo", BUY, 500, 230, 1),
    Neighbour("Emeka", SELL, 900, 90, 1),
    Neighbour("Funmi", BUY, 350, 245, 1),
)
assert all(0 <= neighbour.level < LEVELS for neighbour in NEIGHBOURS)


@dataclass(frozen=True)
class Standing:
    """A neighbour and the windows for which it has an order after a run."""

    neighbour: Neighbour
    energy_wh: int
    first_window: int
    last_window: int


class Neighbourhood:
    """The neighbours on one market of a local chain, acted for by the node's unlocked accounts."""

    def __init__(self, gateway: MarketGateway) -> None:
        """
        Raises:
            NoNeighbours: the chain is not local, the node does not hold operator and minter, or nothing is published.
        """
        w3 = gateway.w3
        if not is_local(w3):
            raise NoNeighbours(
                f"chain {w3.eth.chain_id} is not local, and everybody knows the neighbours' keys; nothing was sent"
            )
        self._gateway = gateway
        self._unlocked = [str(account) for account in w3.eth.accounts]
        self._operator = self._get_sender("operator", get_holder(gateway, OPERATOR))
        self._minter = self._get_sender("token's minter", str(gateway.token.functions.minter().call()))
        # Anyone may relay; the last account is nobody else, so that its nonces are its own.
        self._relayer: Sender = NodeAccount(self._unlocked[-1])
        if gateway.registry.functions.retail(RETAIL_CLASS).call() == 0:
            raise NoNeighbours("the market has no retail price yet; publish one with: peerwatt deploy --publish")
        self._domain = Domain(gateway.deployment.chain_id, gateway.deployment.market)
        self._deadline = self._now_s() + DEADLINE_S

    def fill(self) -> list[Standing]:
        """Enrols whoever is missing, settles what is due, and places orders for the coming windows.

        A second run changes nothing until windows have passed.

        Raises:
            MarketError: the market refused something.
        """
        self._enrol()
        self._settle()
        self._order()
        return self._list_standing()

    def _now_s(self) -> int:
        return get_chain_time_s(self._gateway.w3)

    def _get_sender(self, role: str, address: str) -> Sender:
        if address not in self._unlocked:
            raise NoNeighbours(
                f"the {role} {address} is no unlocked account of the node; use a market from: peerwatt deploy"
            )
        return NodeAccount(address)

    def _read(self) -> list[tuple[Neighbour, AccountState]]:
        states = read_accounts(self._gateway, [neighbour.account for neighbour in NEIGHBOURS])
        return list(zip(NEIGHBOURS, states, strict=True))

    def _enrol(self) -> None:
        applications = [self._apply(neighbour) for neighbour, state in self._read() if not state.enrolled]
        if applications:
            self._gateway.act(self._operator, self._gateway.registry.functions.enrol_many(applications))

    def _apply(self, neighbour: Neighbour) -> tuple[object, ...]:
        message = Enrolment(neighbour.account, neighbour.meter, 0, 0, self._deadline)
        by_account = sign(message, self._domain, neighbour.account_key)
        by_meter = sign(message, self._domain, neighbour.meter_key)
        accepted = int(self._gateway.registry.functions.accepted_classes().call())
        # The highest class is the most modest claim about a meter.
        meter_class = accepted.bit_length() - 1
        feeder = neighbour.feeder if self._gateway.feeder(neighbour.feeder).import_scale_bps else 0
        status = FEEDING_IN if neighbour.side == SELL else ONLY_CONSUMING
        limit_wh = max(LIMIT_WH, self._gateway.deployment.parameters.min_order_wh)
        terms = (limit_wh, limit_wh, feeder, status, meter_class, RETAIL_CLASS)
        connection = keccak(text=f"peerwatt neighbour {neighbour.name} connection")
        words = (by_account.r, by_account.vs, by_meter.r, by_meter.vs)
        return (connection, terms, astuple(message), *words)

    def _settle(self) -> None:
        """Clears what is gated; sellers report that they delivered what they offered, buyers pay."""
        numbers = self._gateway.deployment.parameters
        while True:
            now_s, book = self._now_s(), self._gateway.book_state()
            if book.cleared < (now_s + numbers.lead_seconds) // numbers.window_seconds:
                self._gateway.clear(self._relayer, MAX_CLEAR_WINDOWS)
                continue
            last = min(now_s // numbers.window_seconds - 1, book.cleared)
            items = [item for neighbour, state in self._read() if (item := self._settle_one(neighbour, state, last))]
            if not items:
                return
            self._relay(items)

    def _settle_one(self, neighbour: Neighbour, state: AccountState, last: int) -> relay.Item | None:
        due = [window for window in state.open_windows if window <= last]
        if neighbour.side == BUY:
            hints = relay.pack_hints(state.slots_met(last))
            return relay.DueItem(neighbour.account, len(due), hints) if due else None
        first = state.exports.window
        numbers = self._gateway.deployment.parameters
        age_s = self._now_s() - first * numbers.window_seconds
        # Who does not report for long may not sell any more.
        if first > last or (not due and age_s <= numbers.max_reading_age_seconds // 2):
            return None
        until = min(last, first + MAX_REPORT_WINDOWS - 1)
        slots = state.slots_met(until)
        registers = [state.exports.register_wh]
        for window in range(first, until + 1):
            slot = state.slot_of(window)
            registers.append(registers[-1] + (0 if slot is None else state.orders[slot].energy_wh))
        report = Report(neighbour.meter, EXPORTS, first, tuple(registers))
        signature = sign(report, self._domain, neighbour.meter_key)
        return relay.ReportItem.from_message(neighbour.account, report, signature, slots)

    def _order(self) -> None:
        numbers = self._gateway.deployment.parameters
        book, head = self._gateway.book_state(), self._gateway.tariff_head()
        gated = (self._now_s() + numbers.lead_seconds) // numbers.window_seconds
        last = gated + HORIZON_WINDOWS
        items: list[relay.Item] = []
        for neighbour, state in self._read():
            first = max(gated, *state.open_windows, 0) + 1
            if last - first + 1 < TOP_UP_WINDOWS:
                continue
            energy_wh = max(neighbour.energy_wh, numbers.min_order_wh)
            order = Order(
                maker=neighbour.account,
                meter=neighbour.meter,
                side=neighbour.side,
                first_window=first,
                last_window=last,
                energy_wh=energy_wh,
                limit_level=neighbour.level,
                nonce=state.next_nonce(book),
            )
            limit = numbers.floor_price + neighbour.level * numbers.price_step
            imbalance = numbers.floor_price + head.imbalance_steps * numbers.price_step
            unit = limit if neighbour.side == BUY else imbalance - limit
            self._fund(neighbour, state, (last - first + 1) * energy_wh * unit)
            items.append(relay.OrderItem.from_message(order, sign(order, self._domain, neighbour.account_key)))
        self._relay(items)

    def _fund(self, neighbour: Neighbour, state: AccountState, need: int) -> None:
        """Twice of what an order reserves, minted and deposited, unless it is there."""
        if state.wallet.free >= need:
            return
        gateway, amount = self._gateway, 2 * need
        gateway.act(self._minter, gateway.token.functions.mint(neighbour.account, amount))
        nonce = int(gateway.token.functions.nonces(neighbour.account).call())
        permit = Permit(neighbour.account, gateway.deployment.market, amount, nonce, self._deadline)
        signed = sign(permit, gateway.token_domain(), neighbour.account_key)
        r, s = (number.to_bytes(32, "big") for number in (signed.r, signed.s))
        call = gateway.market.functions.deposit_permit(neighbour.account, amount, self._deadline, signed.v, r, s)
        gateway.act(self._relayer, call)

    def _relay(self, items: list[relay.Item]) -> None:
        for words in relay.batches(items):
            self._gateway.relay(self._relayer, words, strict=True)

    def _list_standing(self) -> list[Standing]:
        standing = []
        for neighbour, state in self._read():
            windows = list(state.open_windows)
            slot = state.slot_of(windows[-1])
            assert slot is not None
            standing.append(Standing(neighbour, state.orders[slot].energy_wh, windows[0], windows[-1]))
        return standing
