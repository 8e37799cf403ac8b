"""The contracts and the reference side by side: every act is done to both, and they must agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from peerwatt import signing
from peerwatt.exceptions import BadMessage, MalformedSignature
from peerwatt.market import relay as items
from peerwatt.reference import BUY, SELL, Market, Refused, Registry
from peerwatt.reference.reasons import REASONS
from peerwatt.reference.state import Event
from twin.chain import (
    BALANCING,
    NETWORK,
    OPERATOR,
    REGULATOR,
    START,
    STRANGER,
    Contract,
    Deployment,
    Outcome,
    Setup,
    deploy,
    deploy_on,
)
from twin.compare import all_differences, quick_differences
from twin.deeds import to_reference
from twin.engines import Revm
from twin.keys import Home, Key
from twin.money import MoneyActs
from twin.records import log_of
from twin.registry_acts import RegistryActs
from twin.signed import SignedItems
from twin.storage import Storage


class Difference(AssertionError):
    """The contracts and the reference do not agree."""


class Twin(SignedItems, MoneyActs, RegistryActs):
    """A market of contracts and its reference, at the same second.

    Every act returns what it gives (None if nothing), or the reason string of its refusal; a relay the list
    of reason codes. `now` is the time of the next act [Unix s]; `outcomes` counts each act by reason, "" for
    accepted.
    """

    def __init__(self, contracts: Deployment, *, published: bool = True) -> None:
        self.contracts = contracts
        self.engine = contracts.engine
        self.setup = contracts.setup
        self.now = START
        self.domain = signing.Domain(self.engine.chain_id, contracts.market.address)
        self.market = Market(START, contracts.market_parameters, contracts.market.address)
        self.registry = Registry(self.market, contracts.registry_parameters)
        self.market_storage = Storage(contracts.market)
        self.registry_storage = Storage(contracts.registry)
        self.token_storage = Storage(contracts.token)
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.skipped: Counter[str] = Counter()
        self.gas = self.agent_orders = 0
        self.accounts = {key.low for key in (OPERATOR, REGULATOR, BALANCING, NETWORK, STRANGER)}
        self.meters: set[str] = set()
        self.connections: set[bytes] = set()
        if published:
            self._publish_defaults()

    @property
    def calls(self) -> int:
        """How many acts were done, refused ones included."""
        return self.outcomes.total()

    # Time

    def travel(self, seconds: int) -> None:
        """Lets time pass."""
        self.now += seconds

    def travel_to(self, window: int, seconds: int = 0) -> None:
        """Goes to so many seconds after the start of a window; never back."""
        at = self.market.parameters.start_of(window) + seconds
        if at < self.now:
            raise ValueError(f"window {window} began before now; time goes forward")
        self.now = at

    @property
    def now_window(self) -> int:
        return self.market.parameters.window_at(self.now)

    @property
    def gated(self) -> int:
        return self.market.parameters.gated_at(self.now)

    # One act on both sides

    def act(
        self,
        contract: Contract,
        function: str,
        arguments: Sequence[Any],
        sender: str,
        reference: Callable[[], Any],
        allowed: frozenset[str] = frozenset(),
    ) -> Any:
        """Does an act to both sides and makes sure that they agree.

        Args:
            reference: the same act on the reference.
            allowed: reasons of a token that the reference knows as "wallets: transfer failed".
        Raises:
            Difference: one side refused, or for another reason, or they logged something else.
        """
        self.engine.now = self.now
        marks = len(self.market.log), len(self.registry.log)
        outcome = contract.send(sender, function, *arguments)
        self.gas += outcome.gas
        reason: str | None = None
        value: Any = None
        try:
            value = reference()
        except Refused as refusal:
            reason = refusal.reason
        found = "wallets: transfer failed" if outcome.reason in allowed else outcome.reason
        self.outcomes[function, reason or ""] += 1
        if found != reason:
            act = f"{function}{tuple(arguments)} at {self.now}"
            raise Difference(f"{act}: the contract says {found!r}, the reference {reason!r}")
        self._compare_logs(function, outcome, marks)
        if reason is not None:
            return reason
        if outcome.value is not None and outcome.value != value:
            raise Difference(f"{function} returned {outcome.value}, in the reference {value}")
        return value

    def _compare_logs(self, function: str, outcome: Outcome, marks: tuple[int, int]) -> None:
        for contract, log, mark in (
            (self.contracts.market, self.market.log, marks[0]),
            (self.contracts.registry, self.registry.log, marks[1]),
        ):
            expected = [log_of(event, self.domain) for event in log[mark:]]
            found = contract.decode(outcome.logs.get(contract.address.lower(), []))
            if found != expected:
                extra = [log for log in found if log not in expected]
                missing = [log for log in expected if log not in found]
                raise Difference(f"{function} logged {extra}, in the reference {missing} (or in another order)")

    def events(self, name: str) -> list[Event]:
        """The reference's events of a name, the registry's included; the contract logged the same."""
        return [event for event in (*self.market.log, *self.registry.log) if event.name == name]

    # Orders and settlement

    def place(
        self,
        home: Home,
        side: int,
        first: int,
        last: int,
        energy_wh: int,
        level: int,
        *,
        nonce: int | None = None,
        meter: str | None = None,
    ) -> str | None:
        """An order called for by the account itself."""
        meter = home.meter.address if meter is None else meter
        nonce = self.next_nonce(home) if nonce is None else nonce
        arguments = (meter, side, first, last, energy_wh, level, nonce)
        return self._on_market(home.account, "place", arguments)

    def bid(self, home: Home, first: int, last: int, energy_wh: int, level: int) -> str | None:
        return self.place(home, BUY, first, last, energy_wh, level)

    def offer(self, home: Home, first: int, last: int, energy_wh: int, level: int) -> str | None:
        return self.place(home, SELL, first, last, energy_wh, level)

    def cancel(self, home: Home, nonce: int, from_window: int = 0) -> str | None:
        """A cancel by the account itself."""
        return self._on_market(home.account, "cancel", (nonce, from_window))

    def clear(self, max_windows: int = 255, sender: Key = STRANGER) -> int | str:
        return self.act(
            self.contracts.market,
            "clear",
            (max_windows,),
            sender.address,
            lambda: self.market.clear(self.now, max_windows),
        )

    def relay(self, *relayed: items.Item, strict: bool = False, sender: Key = STRANGER) -> list[int] | str:
        """Relays items to both; what an item's signature recovers to is computed for the reference."""
        words = items.pack(relayed)
        twins = [to_reference(self, item) for item in relayed]
        codes = self.act(
            self.contracts.market,
            "relay",
            (words, strict),
            sender.address,
            lambda: self.market.relay(self.now, twins, strict),
        )
        if isinstance(codes, list):
            for item, code in zip(relayed, codes, strict=True):
                self.skipped[f"{type(item).__name__}: {REASONS[code] if code else 'done'}"] += 1
                by_agent = isinstance(item, items.OrderItem) and int(item.agent, 16) > 0
                self.agent_orders += code == 0 and by_agent
        return codes

    def relay_words(self, words: Sequence[int], reason: str) -> str | None:
        """Relays words that the reference can't be given, unknown or cut short; refused with the reason."""
        self.engine.now = self.now
        outcome = self.contracts.market.send(STRANGER.address, "relay", list(words), False)
        self.outcomes["relay", reason] += 1
        if outcome.reason != reason:
            raise Difference(f"relay of {words}: the contract says {outcome.reason!r}, not {reason!r}")
        return outcome.reason

    def _on_market(self, caller: Key, function: str, arguments: Sequence[Any]) -> Any:
        method = getattr(self.market, function)
        return self.act(
            self.contracts.market,
            function,
            arguments,
            caller.address,
            lambda: method(self.now, caller.address, *arguments),
        )

    def recovered(self, make: Callable[[], signing.Message], r: int, vs: int) -> str:
        """Whom the contract recovers from a signature over a message; the zero address for nobody."""
        try:
            return signing.recover(make(), self.domain, signing.Signature(r, vs)).lower()
        except (BadMessage, MalformedSignature):
            return "0x" + "00" * 20

    # The whole state

    def differences(self) -> list[str]:
        """Every storage view that differs, read through the contracts' getters."""
        self.engine.now = self.now
        return list(all_differences(self, thorough=True))

    def compare(self, *, thorough: bool = True) -> None:
        """Compares every storage view of all known accounts and windows.

        Args:
            thorough: through the getters; else the same words from storage, several times faster.
        Raises:
            Difference: any differs.
        """
        self.engine.now = self.now
        differences = list(all_differences(self, thorough=thorough))
        if differences:
            raise Difference("\n".join(differences))

    def compare_quickly(self, accounts: Sequence[str], windows: Sequence[int]) -> None:
        """Compares what an act on these accounts and windows can have changed, read from storage.

        Raises:
            Difference: any differs.
        """
        differences = list(quick_differences(self, accounts, windows))
        if differences:
            raise Difference("\n".join(differences))


@contextmanager
def fresh(setup: Setup | None = None, *, published: bool = True, engine: str = "py-evm") -> Iterator[Twin]:
    """A market of its own; what happens in it is undone at the end.

    Args:
        setup: other parameters than the usual ones.
        published: with a tariff, feeder 1 and retail classes 0 and 1.
        engine: what runs the contracts, one of `ENGINES`.
    """
    setup = setup or Setup()
    contracts = deploy(setup) if engine == "py-evm" else deploy_on(Revm(), setup)
    with contracts.engine.anchor():
        yield Twin(contracts, published=published)
