"""The trading of the study: orders signed and relayed, windows cleared, meters read, windows settled."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from peerwatt.market import relay
from peerwatt.market.parity import find_differences
from peerwatt.reference import auction
from peerwatt.reference import messages as reference
from peerwatt.reference.offers import Order as AcceptedOrder
from peerwatt.signing import BUY, EXPORTS, Order, Report, sign
from peerwatt.study.clock import Clock
from peerwatt.study.community import Participant
from peerwatt.study.stage import SignedItem, Stage
from peerwatt.study.world.decisions import Intent
from peerwatt.study.world.world import World

# Between a gate and the first block after it.
AFTER_GATE_S = 5
SLOTS = 16
# Windows that the book of the contract holds: the same place in it is used again after so many.
RING = 256
PRACTICE_LEVEL = 64
EXPORTER = "prosumer"


@dataclass(frozen=True)
class Placed:
    """An order of a home, and its windows on the chain."""

    participant: Participant
    intent: Intent
    nonce: int


class Trading:
    """Plays a world's windows on a stage.

    Attributes:
        first_window: number on the chain of the study's first window.
        differences: where storage and reference differed, over all windows.
        uses: per window, per home: growth of import and export register [Wh].
        seconds_comparing: time spent on finding differences [s].
    """

    def __init__(
        self, world: World, stage: Stage, participants: Iterable[Participant], clock: Clock, first_window: int
    ) -> None:
        self.world = world
        self.stage = stage
        self.clock = clock
        self.first_window = first_window
        self.participants = {participant.home.id: participant for participant in participants}
        self.placed: list[Placed] = []
        self.uses: list[dict[str, tuple[int, int]]] = []
        self.differences: list[str] = []
        self.seconds_comparing = 0.0
        self._reported = 0
        self._parameters = stage.market.parameters
        for participant in self.participants.values():
            participant.registers_wh = [participant.exported_wh]

    def run(self, on_window: Callable[[int], None]) -> None:
        """All windows, from the first order to the last payment; `on_window` hears of each one done."""
        self.clock.advance_to(self._gate_of(0) - 120)
        # Idle windows are passed in one step; the book plans ahead from the newest cleared one.
        self.stage.clear()
        self._place(self.world.standing_intents())
        for index in range(self.world.windows):
            self._place(self.world.intents(index, self._free_money()))
            self.clock.advance_to(self._gate_of(index) + AFTER_GATE_S)
            self.stage.clear()
            self._deliver(index)
            # At this gate the window before last has ended.
            if index > 1 and (index - 1) % self.world.config.settlement.settle_every_windows == 0:
                self._settle(index - 1, with_buyers=False)
            if index == self.world.windows - 1:
                self._settle(self.world.windows, with_buyers=True)
            self._compare(index)
            on_window(index)

    def practise(self) -> None:
        """A session before the first: everybody bids, nobody offers, nothing trades, every order settles empty.

        After it the storage that the study writes has been written before, as in a community that trades every day; so
        gas figures are those of any day, not of the very first. The windows are one turn of the book's ring earlier.
        """
        first, lead_s = self.first_window - RING, self._parameters.lead_seconds
        self.clock.advance_to(self._parameters.start_of(first) - 2 * self._parameters.window_seconds)
        standing = {intent.home_id: intent for intent in self.world.standing_intents()}
        intents = list(standing.values())
        smallest, windows = self._parameters.min_order_wh, range(self.world.windows)
        exporters = [p for p in self.participants.values() if p.home.kind == EXPORTER]
        for number, participant in enumerate(exporters):
            for index in windows:
                level = PRACTICE_LEVEL + (7 * number + index) % PRACTICE_LEVEL
                intents.append(Intent(participant.home.id, BUY, index, index, smallest, level))
        for start in range(0, self.world.windows, SLOTS):
            part = range(start, min(start + SLOTS, self.world.windows))
            self._place((i for i in intents if i.first_window_index in part), first)
            # Once in between, so that what stays in the book is written; what fills nothing is due once cleared.
            for index in sorted({part[0], part[-1]}):
                self.clock.advance_to(self._parameters.start_of(first + index) - lead_s + AFTER_GATE_S)
                self.stage.clear()
            self.stage.relay_settlements([self._due(p) for p in self.participants.values() if self._has_open(p)])
        for participant in self.participants.values():
            participant.order_count = -(-participant.order_count // SLOTS) * SLOTS
        self.placed.clear()
        self.stage.count_as_setup()

    def _has_open(self, participant: Participant) -> bool:
        return bool(self.stage.market.calendar(participant.account).open)

    def free_of(self, participant: Participant) -> int:
        """Free money of a home [base units]."""
        return self.stage.market.wallet(participant.account.lower()).free

    def order_of(self, participant: Participant, window: int) -> AcceptedOrder | None:
        """The order that a home has for a window on the chain, if any."""
        for slot in range(SLOTS):
            order = self.stage.market.order(participant.account, slot)
            if window in order.windows:
                return order
        return None

    def _gate_of(self, index: int) -> int:
        return self._parameters.start_of(self.first_window + index) - self._parameters.lead_seconds

    def _free_money(self) -> dict[str, int]:
        return {home: self.free_of(p) for home, p in self.participants.items() if p.home.kind == EXPORTER}

    def _place(self, intents: Iterable[Intent], first_window: int | None = None) -> None:
        first = self.first_window if first_window is None else first_window
        items = []
        for intent in intents:
            participant = self.participants[intent.home_id]
            order = Order(
                maker=participant.account,
                meter=participant.meter,
                side=intent.side,
                first_window=first + intent.first_window_index,
                last_window=first + intent.last_window_index,
                energy_wh=intent.energy_wh,
                limit_level=intent.limit_level,
                nonce=participant.take_nonce(),
            )
            signature = sign(order, self.stage.domain, participant.account_key)
            model = reference.OrderMessage(
                order.maker,
                order.meter,
                order.side,
                order.first_window,
                order.last_window,
                order.energy_wh,
                order.limit_level,
                order.nonce,
            )
            items.append(
                SignedItem(
                    relay.OrderItem.from_message(order, signature).pack(),
                    reference.OrderItem(model, participant.account),
                )
            )
            self.placed.append(Placed(participant, intent, order.nonce))
        self.stage.relay_orders(items)

    def _deliver(self, index: int) -> None:
        window = self.first_window + index
        fills = {}
        for home_id, participant in self.participants.items():
            order = self.order_of(participant, window)
            if order is not None:
                fills[home_id] = auction.fill_of(self.stage.market, order, window)
        grown = self.world.deliver(index, fills)
        for home_id, (imported_wh, exported_wh) in grown.items():
            participant = self.participants[home_id]
            participant.imported_wh += imported_wh
            participant.exported_wh += exported_wh
            participant.registers_wh.append(participant.exported_wh)
        self.uses.append(grown)

    def _settle(self, until: int, *, with_buyers: bool) -> None:
        """Reports of all sellers up to a window's end; at the end also what is due without a report."""
        self.clock.advance_to(self._parameters.start_of(self.first_window + until) + AFTER_GATE_S)
        sellers, silent = [], []
        for participant in self.participants.values():
            if participant.home.kind == EXPORTER:
                sellers.append(self._report(participant, until))
            elif with_buyers and self._has_open(participant):
                silent.append(self._due(participant))
        self._reported = until
        self.stage.relay_settlements(sellers)
        self.stage.relay_settlements(silent)

    def _report(self, participant: Participant, until: int) -> SignedItem:
        hints = self.stage.market.hints(participant.account)
        first = self.first_window + self._reported
        report = Report(
            participant.meter, EXPORTS, first, tuple(participant.registers_wh[self._reported : until + 1])
        )
        signature = sign(report, self.stage.domain, participant.meter_key)
        model = reference.ReportMessage(EXPORTS, first, report.registers[0], report.growths_wh)
        return SignedItem(
            replace(relay.ReportItem.from_message(participant.account, report, signature), hints=hints).pack(),
            reference.ReportItem(participant.account, model, hints, participant.meter),
        )

    def _due(self, participant: Participant) -> SignedItem:
        account, hints = participant.account, self.stage.market.hints(participant.account)
        return SignedItem(
            relay.DueItem(account, self.world.windows, hints).pack(),
            reference.DueItem(account, hints, self.world.windows),
        )

    def _compare(self, index: int) -> None:
        """Every storage view of every home and window against the reference.

        Of the books the next one is read: all later ones are rolled on from it, window by window. After the first
        window and after the last all are read.
        """
        started = time.perf_counter()
        consumers = [p.account for p in self.participants.values() if p.home.kind != EXPORTER]
        others = [p.account for p in self.participants.values() if p.home.kind == EXPORTER]
        others += [self.stage.cast.balancing_account, self.stage.cast.network_account]
        last = self.first_window + self.world.windows
        results = range(self.first_window - 1, last + 1)
        upcoming = range(self.stage.market.book_state.cleared + 1, last + 2)
        books = upcoming if index in (0, self.world.windows - 1) else upcoming[:1]
        market, gateway = self.stage.market, self.stage.gateway
        slots = 1 + max(p.nonce % SLOTS for p in self.placed if p.participant.home.kind != EXPORTER) if consumers else 1
        self.differences += find_differences(gateway, market, consumers, (), slots=slots)
        self.differences += find_differences(gateway, market, others, results, books)
        self.seconds_comparing += time.perf_counter() - started
