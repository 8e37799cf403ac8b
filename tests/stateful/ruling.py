"""What operator, regulator and accounts do at the registry, at random."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from peerwatt.market import relay as items
from peerwatt.market.records import to_message
from peerwatt.reference import Enrolment, Terms
from peerwatt.reference.tariffs import Tables
from twin import BALANCING, NETWORK, STRANGER, TABLES, TERMS, Home, Key, Twin

FLAT = Tables()
STEEP = Tables(surcharges=tuple(range(10_000, 9_984, -1)), haircuts=(9_999,) * 15 + (1,), rebates=(10_000,) * 16)
WRONG = Tables(surcharges=(0,) * 15 + (1,))


class Ruling:
    """Connections, tariffs, roles and mandates of a life. Every act returns the accounts it touched."""

    twin: Twin
    rng: random.Random
    homes: list[Home]
    report_item: Callable[[Home], items.ReportItem]

    def some_home(self) -> Home:
        return self.rng.choice(self.homes)

    def _or_stranger(self, key: Key) -> Key:
        return STRANGER if self.rng.random() < 0.05 else key

    def _terms(self) -> Terms:
        rng = self.rng
        terms = Terms(
            rng.choice((20_000, 20_000, 5_000, 0, 2**24 - 1)),
            rng.choice((20_000, 20_000, 5_000, 0, 2**24 - 1)),
            rng.choice((1, 1, 1, 2)),
            rng.choice((2, 2, 2, 1, 0)),
            rng.choice((0, 0, 1, 2)),
            rng.choice((0, 0, 1)),
        )
        if rng.random() < 0.1:
            field, value = rng.choice(
                (
                    ("import_limit_wh", 2**24),
                    ("feeder", 2**16),
                    ("status", 3),
                    ("meter_class", 9),
                    ("retail_class", 15),
                )
            )
            return replace(terms, **{field: value})
        return terms

    # Connections

    def enrol(self) -> list[str]:
        """A home that moved out comes back with a new meter, or one that is there tries again."""
        twin, rng, home = self.twin, self.rng, self.some_home()
        gone = [each for each in self.homes if each.low not in twin.registry.connection_of]
        if gone and rng.random() < 0.9:
            home = rng.choice(gone)
            home.meter = home.next_meter()
        consented = rng.random() < 0.2
        connection = self.some_home().connection if rng.random() < 0.2 else None
        deadline = twin.now + rng.choice((0, 60)) if rng.random() < 0.9 else twin.now - 1
        if consented and rng.random() < 0.8:
            enrolment = Enrolment(home.account.address, home.meter.address, 1_000, 500, deadline)
            twin.consent(home.account, enrolment)
            # Consent is for this message and no other.
            assert to_message(enrolment).digest(twin.domain)
        signer = STRANGER if rng.random() < 0.05 else None
        done = twin.enrol(
            home,
            TERMS if rng.random() < 0.6 else self._terms(),
            connection=connection,
            deadline=deadline,
            consented=consented,
            account_signer=signer,
            meter_signer=STRANGER if rng.random() < 0.03 else None,
            imported_wh=2**48 if rng.random() < 0.03 else 1_000,
            caller=self._or_stranger(twin.operator),
        )
        if done is None and connection is not None:
            # The homes have traded places.
            for each in self.homes:
                if each is not home and each.connection == connection:
                    each.connection = home.connection
            home.connection = connection
        return [home.low]

    def enrol_many(self) -> list[str]:
        """All that are gone come back at once; sometimes one of them has signed nothing."""
        twin, rng = self.twin, self.rng
        gone = [home for home in self.homes if home.low not in twin.registry.connection_of]
        for home in gone:
            home.meter = home.next_meter()
        if rng.random() < 0.1:
            gone.append(self.some_home())
        signers = [STRANGER if rng.random() < 0.1 else None for _ in gone]
        street = [twin.apply(home, account_signer=key) for home, key in zip(gone, signers, strict=True)]
        twin.enrol_many(street, self._or_stranger(twin.operator))
        return [home.low for home in gone]

    def move_out(self) -> list[str]:
        home = self.some_home()
        self.twin.move_out(home.connection, self._or_stranger(self.twin.operator))
        return [home.low]

    def revoke(self) -> list[str]:
        home = self.some_home()
        self.twin.revoke(home.connection, self._or_stranger(self.twin.operator))
        return [home.low]

    def swap_meter(self) -> list[str]:
        twin, rng, home = self.twin, self.rng, self.some_home()
        old = self.some_home().meter.address if rng.random() < 0.1 else None
        new = self.some_home().meter if rng.random() < 0.1 else None
        twin.swap_meter(
            home,
            rng.choice((0, 1, 2, 9)),
            old_meter=old,
            new_meter=new,
            deadline=twin.now - 1 if rng.random() < 0.05 else None,
            account_signer=STRANGER if rng.random() < 0.05 else None,
            consented=rng.random() < 0.05,
            caller=self._or_stranger(twin.operator),
        )
        return [home.low]

    def set_terms(self) -> list[str]:
        home = self.some_home()
        self.twin.set_terms(home, self._terms(), self._or_stranger(self.twin.operator))
        return [home.low]

    def restore_terms(self) -> list[str]:
        """Most of the time everybody is well connected."""
        self.twin.set_feeder_scale(1, 10_000, 10_000)
        for home in self.homes:
            self.twin.set_terms(home, TERMS)
        return [home.low for home in self.homes]

    # Tariffs and limits

    def publish_tariff(self) -> list[str]:
        rng = self.rng
        steps = rng.choice((300, 301, 320, 400, 65_535, 255, 256, 65_536))
        tables = rng.choice((TABLES, TABLES, FLAT, FLAT, STEEP, WRONG))
        self.twin.publish_tariff(steps, tables, self._or_stranger(self.twin.regulator))
        return []

    def set_numbers(self) -> list[str]:
        """A fee, a scale, a retail price or the meter classes."""
        twin, rng = self.twin, self.rng
        operator, regulator = self._or_stranger(twin.operator), self._or_stranger(twin.regulator)
        what = rng.randrange(4)
        if what == 0:
            fee = rng.choice((0, 1, *[twin.setup.fee_per_wh] * 3, 20_000, 2**64 - 1, 2**64))
            twin.set_feeder_fee(rng.choice((1, 1, 2, 2**16)), fee, regulator)
        elif what == 1:
            bps = (rng.choice((10_000, 10_000, 5_000, 0, 10_001)), rng.choice((10_000, 10_000, 1)))
            twin.set_feeder_scale(rng.choice((1, 1, 2, 2**16)), *bps, operator)
        elif what == 2:
            price = rng.choice((0, 1, *twin.setup.retail, 2**64))
            twin.set_retail(rng.choice((0, 1, 2, 15, 16)), price, regulator)
        else:
            twin.accept_classes(rng.choice((0b111, 0b111, 0b1, 2**64 - 1, 2**64)), regulator)
        return []

    def pause(self) -> list[str]:
        """Pauses for a short while."""
        paused = not self.twin.market.book_state.paused and self.rng.random() < 0.5
        self.twin.set_paused(paused, self._or_stranger(self.twin.regulator))
        return []

    # Roles

    def hand_over(self) -> list[str]:
        """One step of a hand-over, back or forth between two holders."""
        twin, rng = self.twin, self.rng
        role = rng.randrange(5)
        pairs = {
            0: (Key.named("operator"), Key.named("second operator")),
            1: (Key.named("regulator"), Key.named("second regulator")),
            2: (BALANCING, self.homes[0].account),
            3: (NETWORK, Key.named("second network")),
        }
        first, second = pairs.get(role, (STRANGER, STRANGER))
        holder = second if twin.registry.holders.get(role) == second.low else first
        other = first if holder is second else second
        offered = int(twin.registry.offered.get(role, "0x0"), 16)
        if rng.random() < (0.2 if offered else 0.9):
            twin.offer_role(role, rng.choice((other, other, other, None)), self._or_stranger(holder))
        else:
            twin.accept_role(role, self._or_stranger(other))
        return [first.low, second.low]

    # Mandates

    def authorise(self) -> list[str]:
        twin, rng, home = self.twin, self.rng, self.some_home()
        expiry = rng.choice((None, None, twin.now + 30 * 86_400, 0, twin.now, twin.now + 1))
        caps = {
            "max_buy_level": rng.choice((255, 255, 150)),
            "min_sell_level": rng.choice((0, 0, 90)),
            "max_reserve": rng.choice((2**128 - 1, 2**128 - 1, 10**11, 0)),
        }
        agent = home.account.address if rng.random() < 0.05 else None
        if rng.random() < 0.5:
            twin.authorise(home, expiry=expiry, agent=agent, **caps)
        else:
            nonce = rng.choice((None, None, None, 0))
            signer = STRANGER if rng.random() < 0.1 else None
            twin.authorise_signed(home, expiry=expiry, agent=agent, nonce=nonce, signer=signer, **caps)
        return [home.low]

    def rate(self) -> list[str]:
        twin, rng, home = self.twin, self.rng, self.some_home()
        rated = rng.random() < 0.5
        if rng.random() < 0.5:
            twin.rate(home, rated)
        else:
            deadline = twin.now - 1 if rng.random() < 0.1 else None
            signer = STRANGER if rng.random() < 0.1 else None
            twin.rate_signed(home, rated, nonce=rng.choice((None, None, 0)), deadline=deadline, signer=signer)
        return [home.low]

    # Back to normal, so that a life does not run dry

    def mend(self) -> list[str]:
        """Puts something right: a pause, a book behind, a lost connection, an old reading, an agent's authority."""
        twin, market = self.twin, self.twin.market
        if market.book_state.paused:
            twin.set_paused(False)
            return []
        if twin.gated - market.book_state.cleared > 3 and not market.book_state.closed:
            twin.clear()
            return []
        home = min(self.homes, key=self._health)
        age = twin.now - market.parameters.start_of(market.export_register(home.low).window)
        if home.low not in twin.registry.connection_of:
            home.meter = home.next_meter()
            twin.enrol(home, TERMS)
        elif home.low not in market.devices:
            twin.relay(twin.due_item(home), self.report_item(home))
            twin.move_out(home.connection)
        elif age > market.parameters.max_reading_age_seconds // 2:
            twin.relay(self.report_item(home), twin.due_item(home))
        else:
            home = self.some_home()
            twin.authorise(home, expiry=twin.now + 5 * 86_400)
        return [home.low]

    def _health(self, home: Home) -> int:
        """The lower, the more is wrong with a home."""
        connected = home.low in self.twin.registry.connection_of
        return self.twin.market.export_register(home.low).window if connected else -1

    # The end

    def wind_down(self) -> list[str]:
        if self.rng.random() < 0.5:
            self.twin.announce_wind_down()
        else:
            self.twin.wind_down()
        return []
