"""Orders, cancels and reports that homes sign, as the relay carries them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from peerwatt.market import relay as items
from peerwatt.reference import BUY, SELL, Market
from peerwatt.reference.offers import SLOTS
from peerwatt.signing import Cancel, Domain, Order, Report
from twin.keys import Home, Key

ZERO = "0x" + "00" * 20


class SignedItems:
    """What a home signs. Part of `Twin`; nothing here touches the chain."""

    market: Market
    domain: Domain
    now: int

    def next_nonce(self, home: Home) -> int:
        """The next nonce of a home, in a slot that is free if any is."""
        nonce = home.nonce
        for _ in range(SLOTS):
            nonce += 1
            order = self.market.order(home.low, nonce % SLOTS)
            settled = self.market.calendar(home.low).moved_up(self.market.cleared).settled
            fresh = nonce > max(order.nonce, order.burnt)
            if fresh and (order.count == 0 or order.last <= settled):
                break
        else:
            nonce = home.nonce + 1
        home.nonce = nonce
        return nonce

    def order_item(
        self,
        home: Home,
        side: int,
        first: int,
        last: int,
        energy_wh: int,
        level: int,
        *,
        nonce: int | None = None,
        by_agent: bool = False,
        signer: Key | None = None,
        meter: str | None = None,
        agent: str | None = None,
    ) -> items.OrderItem:
        """A signed order.

        Args:
            by_agent: the home's agent signs and is named.
            signer, meter, agent: who signs, which meter the message names, which agent the item, if not as it
                should be.
        """
        nonce = self.next_nonce(home) if nonce is None else nonce
        named = (home.agent.address if by_agent else ZERO) if agent is None else agent
        signer = signer or (home.agent if by_agent else home.account)
        meter = home.meter.address if meter is None else meter
        order = Order(home.account.address, meter, side, first, last, energy_wh, level, nonce)
        return items.OrderItem.from_message(order, signer.sign(order, self.domain), named)

    def bid_item(self, home: Home, first: int, last: int, energy_wh: int, level: int) -> items.OrderItem:
        return self.order_item(home, BUY, first, last, energy_wh, level)

    def offer_item(self, home: Home, first: int, last: int, energy_wh: int, level: int) -> items.OrderItem:
        return self.order_item(home, SELL, first, last, energy_wh, level)

    def cancel_item(
        self,
        home: Home,
        nonce: int,
        from_window: int = 0,
        *,
        deadline: int | None = None,
        by_agent: bool = False,
        signer: Key | None = None,
        agent: str | None = None,
    ) -> items.CancelItem:
        """A signed cancel; as `order_item`."""
        deadline = self.now + 3600 if deadline is None else deadline
        named = (home.agent.address if by_agent else ZERO) if agent is None else agent
        signer = signer or (home.agent if by_agent else home.account)
        cancel = Cancel(home.account.address, nonce, from_window, deadline)
        return items.CancelItem.from_message(cancel, signer.sign(cancel, self.domain), named)

    def report_item(
        self,
        home: Home,
        growths: Sequence[int],
        *,
        side: int = SELL,
        first: int | None = None,
        opening_wh: int | None = None,
        hints: int | None = None,
        signer: Key | None = None,
        meter: str | None = None,
    ) -> items.ReportItem:
        """A signed report of the home's meter, from where its register was last read."""
        exports, imports = self.market.export_register(home.low), self.market.import_register(home.low)
        register = imports if side == BUY else exports
        first = register.window if first is None else first
        opening_wh = register.register_wh if opening_wh is None else opening_wh
        hints = self.market.hints(home.low) if hints is None else hints
        meter = home.meter.address if meter is None else meter
        report = Report(meter, side, first, tuple(accumulate(growths, initial=opening_wh)))
        signature = (signer or home.meter).sign(report, self.domain)
        return items.ReportItem(
            home.account.address, side, first, opening_wh, tuple(growths), signature.r, signature.vs, hints
        )

    def due_item(self, home: Home, max_windows: int = 224, hints: int | None = None) -> items.DueItem:
        """The request to settle what is due; unsigned."""
        hints = self.market.hints(home.low) if hints is None else hints
        return items.DueItem(home.account.address, max_windows, hints)
