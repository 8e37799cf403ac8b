"""The village that is attacked, and what it means that an attack fails: it is refused for the reason that the attack's
line in docs/attacks.md names, and its victims have what they had."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import boa
from boa.util.abi import Address

from peerwatt.market.records import pack
from peerwatt.market.relay import Item
from peerwatt.market.words import OrderWord, WalletWord
from peerwatt.reference import BUY, SELL, Terms
from peerwatt.reference.invariants import check_all
from peerwatt.reference.reasons import CODES
from twin.keys import Home, Key
from twin.twin import Twin

# What one transaction may use since Osaka (EIP-7825).
GAS_CAP = 2**24
DAY = 86_400
MONEY = 10**12
# Levels at which bids and offers of the village surely cross, surcharge, haircut and fee included.
HIGH, LOW = 200, 40


class Scene:
    """A market with a village around it."""

    def __init__(self, twin: Twin) -> None:
        self.twin = twin
        self.market = twin.contracts.market
        self.token = twin.contracts.token

    # The village

    def homes(self, *names: str, money: int = MONEY, terms: Terms | None = None) -> list[Home]:
        return [self.twin.home(name, deposit=money, terms=terms) for name in names]

    @property
    def next(self) -> int:
        """The first window that still takes orders."""
        return self.twin.gated + 1

    def trade(self, seller: Home, buyer: Home, windows: int = 1, wh: int = 1_000, other_wh: int | None = None) -> int:
        """An offer and a bid that cross, from the next window on, cleared and delivered by the clock.

        Returns:
            The first of the windows; they have ended.
        """
        first = self.next
        last = first + windows - 1
        self.done(self.twin.offer(seller, first, last, wh, LOW))
        self.done(self.twin.bid(buyer, first, last, wh if other_wh is None else other_wh, HIGH))
        self.to_end(last)
        self.cleared()
        return first

    def to_end(self, window: int, seconds: int = 0) -> None:
        """Goes to the end of a window, or so many seconds later."""
        self.twin.travel_to(window + 1, seconds)

    def to_gate(self, window: int, seconds: int = 0) -> None:
        """Goes to the gate of a window, or so many seconds later (earlier if negative)."""
        self.twin.travel_to(window, seconds - self.twin.setup.lead_seconds)

    def cleared(self, windows: int = 255) -> int:
        done = self.twin.clear(windows)
        assert isinstance(done, int), done
        return done

    def settle(self, *items: Item) -> None:
        """Relays items that must all be good."""
        assert self.twin.relay(*items) == [0] * len(items)

    def settle_all(self, *homes: Home) -> None:
        """Settles what homes have due."""
        self.settle(*(self.twin.due_item(home) for home in homes))

    def force_score(self, home: Home, score: int) -> None:
        """Gives a home without open windows another score, as its registry could."""
        twin, address = self.twin, home.account.address
        market, registry = twin.market, twin.contracts.registry.address
        device, exports = market.device(address), market.export_register(address)
        imports = market.import_register(address)
        words = (pack(device), pack(exports), pack(imports), score)
        self.done(
            twin.act(
                self.market,
                "bind",
                (address, *words),
                registry,
                lambda: market.bind(twin.now, registry, address, device, exports, imports, score),
            )
        )

    @staticmethod
    def done(outcome: Any) -> None:
        """Makes sure that an act of the village itself was accepted."""
        assert not isinstance(outcome, str), outcome

    # What is watched

    def wallet(self, home: Home | Key) -> WalletWord:
        address = home.account.address if isinstance(home, Home) else home.address
        return WalletWord.decode(self.market.view("wallets", address))

    def order(self, home: Home, nonce: int) -> OrderWord:
        """What the market keeps of the slot of a nonce."""
        return OrderWord.decode(self.market.view("orders", home.account.address, nonce & 15))

    def free(self, home: Home | Key) -> int:
        return self.wallet(home).free

    def tokens(self, address: str) -> int:
        return int(self.token.view("balanceOf", address))

    def belongings(self, home: Home | Key) -> tuple[Any, ...]:
        """All that the market and the token know of somebody: money, reserves, score, orders, registers, nonces."""
        address = home.account.address if isinstance(home, Home) else home.address
        words = [
            self.market.view(name, address)
            for name in ("wallets", "calendars", "devices", "exports_of", "imports_of", "nonces")
        ]
        words += [self.market.view("orders", address, slot) for slot in range(16)]
        return (*words, self.tokens(address))

    @contextmanager
    def unharmed(self, *victims: Home | Key) -> Iterator[None]:
        """Whatever happens inside, the victims have afterwards what they had before."""
        before = [self.belongings(victim) for victim in victims]
        yield
        assert [self.belongings(victim) for victim in victims] == before
        self.sound()

    @contextmanager
    def untouched(self) -> Iterator[None]:
        """Whatever happens inside, every word of the market's storage is afterwards what it was before."""
        address = Address(self.market.address)

        def words(slots: set[int]) -> dict[int, int]:
            return {slot: int(boa.env.evm.get_storage(address, slot)) for slot in slots}

        before = words(set(boa.env.sstore_trace.get(address, ())))
        assert before, "nothing is known of the market's storage"
        yield
        # A slot that was never written before held nothing.
        after = words(set(boa.env.sstore_trace.get(address, ())))
        assert after == dict.fromkeys(after, 0) | before

    def sound(self) -> None:
        """Every promise holds."""
        assert check_all(self.twin.market) == []

    # How an attack fails

    def skips(self, reason: str, *items: Item, victims: Sequence[Home | Key] = ()) -> None:
        """Each item is skipped for the reason and leaves no trace; strict, it reverts with it."""
        for item in items:
            with self.unharmed(*victims), self.untouched():
                assert self.twin.relay(item) == [CODES[reason]]
                assert self.twin.relay(item, strict=True) == reason


def terms(**changed: int) -> Terms:
    """The village's usual terms, changed."""
    usual = {
        "import_limit_wh": 20_000,
        "export_limit_wh": 20_000,
        "feeder": 1,
        "status": 2,
        "meter_class": 0,
        "retail_class": 0,
    }
    return Terms(**usual | changed)


__all__ = ["BUY", "DAY", "GAS_CAP", "HIGH", "LOW", "MONEY", "SELL", "Scene", "terms"]
