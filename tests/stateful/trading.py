"""What homes, relayers and keepers do, at random: most of it as it should be, some of it not."""

from __future__ import annotations

import random
from dataclasses import replace

from peerwatt.market import relay as items
from peerwatt.reference import BUY, SELL
from peerwatt.reference.auction import fill_of
from peerwatt.reference.offers import CALENDAR_WINDOWS, HORIZON, SLOTS, Order
from twin import STRANGER, Home, Twin

# Few values, so that orders meet at one level and their sums come out even.
ENERGIES_WH = (50, 51, 60, 100, 100, 100, 200, 200, 333, 500, 777, 1_000, 2_500, 10_000, 20_000)
BID_LEVELS = (255, 240, 200, 200, 180, 180, 150, 150, 120, 100, 60)
OFFER_LEVELS = (0, 10, 20, 20, 60, 60, 100, 100, 120, 150, 180, 200)
STARTS = (0,) * 24 + (1,) * 8 + (2,) * 6 + (3, 5, 8, 20, 150, 223)
LENGTHS = (1,) * 24 + (2,) * 12 + (3,) * 6 + (4, 4, 6, 12, 24, 224)
HIGH_S = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
PARITY = 1 << 255


class Trading:
    """Orders, cancels, clearing, reports and money of a life. Every act returns the accounts it touched."""

    twin: Twin
    rng: random.Random
    homes: list[Home]

    def some_home(self) -> Home:
        return self.rng.choice(self.homes)

    # Orders

    def order_item(self) -> items.OrderItem:
        """A signed order, bad in some way one time in eight."""
        twin, rng = self.twin, self.rng
        home = self.some_home()
        side, first, last, energy_wh, level = self._order_numbers(home)
        by_agent = rng.random() < 0.2
        if rng.random() >= 0.125:
            return twin.order_item(home, side, first, last, energy_wh, level, by_agent=by_agent)
        other = self.some_home()
        fault = rng.randrange(12)
        if fault == 0:
            return twin.order_item(home, side, first, last, energy_wh, level, signer=other.account)
        if fault == 1:
            return twin.order_item(home, side, first, last, energy_wh, level, meter=other.meter.address)
        if fault == 2:
            return twin.order_item(home, side, first, last, energy_wh, level, agent=other.agent.address)
        if fault == 3:
            nonce = rng.randrange(home.nonce + 1)
            return twin.order_item(home, side, first, last, energy_wh, level, nonce=nonce)
        if fault == 4:
            energy_wh = rng.choice((0, 1, 49, 20_001, 2**24 - 1))
        elif fault == 5:
            first, last = last + 1, first
        elif fault == 6:
            first, last = twin.gated - rng.randrange(5), twin.gated - rng.randrange(3)
        elif fault == 7:
            last = first + rng.choice((223, 224, 254, 255, 256, 10_000))
        elif fault == 8:
            level = 0 if side == BUY else 255
        item = twin.order_item(home, side, first, last, energy_wh, level, by_agent=by_agent)
        if fault == 9:
            return replace(item, side=rng.randrange(2, 256))
        if fault == 10:
            # The same signature in its second form.
            return replace(item, vs=(HIGH_S - item.vs % PARITY) | (PARITY - item.vs // PARITY * PARITY))
        return replace(item, limit_level=item.limit_level ^ 1) if fault == 11 else item

    def _order_numbers(self, home: Home) -> tuple[int, int, int, int, int]:
        market, rng = self.twin.market, self.rng
        device = market.device(home.low)
        sells = device.status == 2 and rng.random() < 0.65
        side = SELL if sells or rng.random() < 0.02 else BUY
        calendar = market.calendar(home.low).moved_up(market.cleared)
        first = self.twin.gated + 1 + rng.choice(STARTS)
        if first in calendar.open and rng.random() < 0.9:
            first = max(calendar.open) + 1
        last = first + rng.choice(LENGTHS) - 1
        if rng.random() < 0.95:
            last = min(last, market.cleared + HORIZON - 1, calendar.settled + CALENDAR_WINDOWS)
        if rng.random() < 0.1:
            first -= rng.randrange(4)  # late: its first windows are gated
        level = rng.choice(BID_LEVELS if side == BUY else OFFER_LEVELS)
        if rng.random() < 0.2:
            level = rng.randrange(256)
        return side, first, max(first, last), rng.choice(ENERGIES_WH), level

    def relay_orders(self) -> list[str]:
        batch = [self.order_item() for _ in range(self.rng.choice((1, 1, 1, 2, 3, 5)))]
        self.twin.relay(*batch, strict=self.rng.random() < 0.1)
        return [item.account for item in batch]

    def relay_market(self) -> list[str]:
        """Everybody orders for the same few windows: what makes a price."""
        twin, rng = self.twin, self.rng
        first = twin.gated + 1
        last = first + rng.choice((0, 0, 0, 1, 2, 5))
        price = rng.choice((60, 100, 150))
        batch: list[items.Item] = []
        for home in self.homes:
            sells = twin.market.device(home.low).status == 2 and rng.random() < 0.6
            side, spread = (SELL, -rng.choice((0, 20, 60))) if sells else (BUY, rng.choice((20, 60, 100)))
            batch.append(twin.order_item(home, side, first, last, rng.choice(ENERGIES_WH), price + spread))
        rng.shuffle(batch)
        twin.relay(*batch)
        return [item.account for item in batch]

    def place(self) -> list[str]:
        home = self.some_home()
        side, first, last, energy_wh, level = self._order_numbers(home)
        meter = self.some_home().meter.address if self.rng.random() < 0.05 else None
        if self.rng.random() < 0.02:
            side = 2
        if self.rng.random() < 0.02:
            energy_wh = 2**24
        self.twin.place(home, side, first, last, energy_wh, level, meter=meter)
        return [home.low]

    # Cancels

    def _nonce_to_cancel(self, home: Home) -> int:
        orders = [self.twin.market.order(home.low, slot) for slot in range(SLOTS)]
        live = [order.nonce for order in orders if order.count]
        if live and self.rng.random() < 0.8:
            return self.rng.choice(live)
        return home.nonce + self.rng.choice((-20, -3, -1, 1, 2, 16)) if home.nonce > 20 else home.nonce + 1

    def _window_to_cancel(self) -> int:
        return self.rng.choice((0, 0, self.twin.gated + self.rng.randrange(6), 2**32 - 1))

    def cancel(self) -> list[str]:
        home = self.some_home()
        self.twin.cancel(home, self._nonce_to_cancel(home), self._window_to_cancel())
        return [home.low]

    def relay_cancel(self) -> list[str]:
        twin, rng, home = self.twin, self.rng, self.some_home()
        nonce, window = self._nonce_to_cancel(home), self._window_to_cancel()
        deadline = twin.now - 1 if rng.random() < 0.05 else None
        signer = self.some_home().account if rng.random() < 0.05 else None
        item = twin.cancel_item(home, nonce, window, deadline=deadline, by_agent=rng.random() < 0.3, signer=signer)
        twin.relay(item, strict=rng.random() < 0.1)
        return [home.low]

    # Clearing and settlement

    def clear(self) -> list[str]:
        self.twin.clear(self.rng.choice((0, 1, 1, 2, 5, 255, 255, 255, 2**256 - 1)))
        return []

    def _fills(self, home: Home) -> dict[int, int]:
        """What the home's open windows got."""
        market = self.twin.market
        calendar = market.calendar(home.low)
        fills: dict[int, int] = {}
        for slot in range(SLOTS):
            order: Order = market.order(home.low, slot)
            for window in order.windows:
                if window in calendar.open and window <= market.book_state.cleared:
                    fills[window] = fill_of(market, order, window)
        return fills

    def report_item(self, home: Home) -> items.ReportItem:
        """An honest report of a home's meter, of deliveries good and bad; one in eight is none of the kind."""
        twin, rng, market = self.twin, self.rng, self.twin.market
        orders = [market.order(home.low, slot) for slot in range(SLOTS)]
        calendar = market.calendar(home.low)
        rated = any(order.rated and order.side == BUY and calendar.open.intersection(order.windows) for order in orders)
        side = BUY if rated or rng.random() < 0.1 else SELL
        register = market.import_register(home.low) if side == BUY else market.export_register(home.low)
        until = min(twin.now_window, market.cleared + 1)
        fills = self._fills(home)
        first = register.window
        count = max(0, min(until - first, 224 if rng.random() < 0.9 else rng.randrange(1, 20)))
        growths = [self._growth(fills.get(window, 0)) for window in range(first, first + count)]
        opening = register.register_wh
        if count == 0 and rng.random() < 0.8:
            first = twin.now_window
        if rng.random() < 0.1:
            back = rng.randrange(1, 5)
            if opening >= 10 * back and count + back <= 224:
                first, opening, growths = first - back, opening - 10 * back, [10] * back + growths
        if rng.random() >= 0.125:
            return twin.report_item(home, growths, side=side, first=first, opening_wh=opening)
        fault = rng.randrange(9)
        if fault == 0:
            other = self.some_home()
            return twin.report_item(home, growths, side=side, first=first, opening_wh=opening, signer=other.meter)
        if fault == 1:
            growths.append(rng.randrange(500))
        elif fault == 2:
            first += rng.randrange(1, 4)
        elif fault == 3:
            opening += rng.choice((-1, 1, 2**47, 2**48)) if opening else 1
        elif fault == 4:
            growths = growths + [0] * (225 - len(growths))
        elif fault == 5:
            return twin.report_item(
                home, growths, side=side, first=first, opening_wh=opening, hints=rng.getrandbits(64)
            )
        elif fault == 6:
            side = BUY + SELL - side
        item = twin.report_item(home, growths, side=side, first=first, opening_wh=opening)
        if fault == 7 and item.growths_wh:
            return replace(item, growths_wh=(*item.growths_wh[:-1], item.growths_wh[-1] + 1))
        return replace(item, side=rng.randrange(2, 256)) if fault == 8 else item

    def _growth(self, fill_wh: int) -> int:
        rng = self.rng
        if not fill_wh:
            return rng.choice((0, 0, 0, 7, 120))
        return rng.choice((fill_wh, fill_wh, fill_wh + 3, fill_wh * 98 // 100, fill_wh * 97 // 100, fill_wh // 2, 0))

    def relay_report(self) -> list[str]:
        home = self.some_home()
        self.twin.relay(self.report_item(home), strict=self.rng.random() < 0.1)
        return [home.low]

    def relay_due(self) -> list[str]:
        home, rng = self.some_home(), self.rng
        hints = rng.getrandbits(64) if rng.random() < 0.05 else None
        item = self.twin.due_item(home, rng.choice((0, 1, 2, 224, 224, 255)), hints)
        self.twin.relay(item, strict=rng.random() < 0.1)
        return [home.low]

    def relay_all(self) -> list[str]:
        """What a keeper does: everybody's report or due windows, in one batch."""
        batch: list[items.Item] = []
        words = 0
        for home in self.homes:
            item = self.report_item(home) if self.rng.random() < 0.5 else self.twin.due_item(home)
            words += len(item.pack())
            if words <= items.MAX_WORDS:
                batch.append(item)
        self.rng.shuffle(batch)
        self.twin.relay(*batch)
        return [item.account for item in batch]

    def relay_mixed(self) -> list[str]:
        """Items of all kinds, a home's own one after the other among them."""
        home, rng = self.some_home(), self.rng
        batch: list[items.Item] = [self.order_item(), self.twin.due_item(home), self.report_item(home)]
        batch += [self.twin.cancel_item(home, self._nonce_to_cancel(home)), self.order_item()]
        rng.shuffle(batch)
        self.twin.relay(*batch, strict=rng.random() < 0.2)
        return [item.account for item in batch]

    # Money

    def deposit(self) -> list[str]:
        home = self.some_home()
        amount = self.rng.choice((0, 1, 10**9, 10**11, 10**12))
        if self.rng.random() < 0.5:
            self.twin.deposit(home, amount, minted=self.rng.random() < 0.9)
        else:
            signer = STRANGER if self.rng.random() < 0.1 else None
            used = signer is None and self.rng.random() < 0.2
            self.twin.deposit_permit(home, amount, signer=signer, used_before=used)
        return [home.low]

    def withdraw(self) -> list[str]:
        twin, rng, home = self.twin, self.rng, self.some_home()
        free = twin.market.wallet(home.low).free
        amount = rng.choice((0, 1, free // 10, free // 3, free, free + 1))
        recipient = rng.choice((None, None, None, STRANGER.address, twin.contracts.market.address))
        if rng.random() < 0.5:
            twin.withdraw(home, amount, recipient)
        else:
            nonce = rng.choice((None, None, None, 0, 5))
            deadline = twin.now - 1 if rng.random() < 0.1 else None
            signer = STRANGER if rng.random() < 0.1 else None
            twin.withdraw_signed(home, amount, recipient, nonce=nonce, deadline=deadline, signer=signer)
        return [home.low]
