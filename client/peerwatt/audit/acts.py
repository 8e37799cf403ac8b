"""Every function of the contracts, done again by the reference."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from peerwatt import signing
from peerwatt.audit.calldata import MARKET, Invocation
from peerwatt.audit.items import find_signer, recover_or_nobody, signing_meter, to_reference
from peerwatt.market import relay
from peerwatt.market.records import to_message
from peerwatt.market.words import TableWord
from peerwatt.reference import Enrolment, Item, Market, MeterSwap, Registry, Terms
from peerwatt.reference.participants import Agent
from peerwatt.reference.registry import Application
from peerwatt.reference.state import Event
from peerwatt.reference.tariffs import Tables

# A relay's items with what was found beforehand: the meter that was assumed for each, and who signed.
Found = Sequence[tuple[relay.Item, str, str]]


class Acts:
    """The reference of one market, acted on as the chain's calls say.

    Attributes:
        market, registry: the reference.
        signatures: how many signatures were checked.
        unsure_nonces: accounts with a withdrawal that nobody saw: it may have used up a nonce.
    """

    def __init__(self, market: Market, registry: Registry, domain: signing.Domain) -> None:
        self.market = market
        self.registry = registry
        self.domain = domain
        self.signatures = 0
        self.unsure_nonces: set[str] = set()
        self._consented: set[tuple[str, bytes]] = set()

    def do(
        self, invocation: Invocation, now_s: int, caller: str, deposits: Iterator[int], found: Found | None = None
    ) -> None:
        """Does one call again.

        Args:
            now_s: time of its block [Unix s].
            deposits: what the market logged as deposited in the transaction, in sequence [base units]: what a token
                moves is the token's affair, and checked against the token's own logs.
            found: the signers of a relay's items, if they were found before.
        Raises:
            Refused: the contracts must not have accepted the call.
        """
        function, arguments = invocation.function, invocation.arguments
        if invocation.contract == MARKET:
            self._on_market(function, arguments, now_s, caller, deposits, found)
        else:
            _REGISTRY[function](self, now_s, caller, *arguments)

    def _on_market(
        self,
        function: str,
        arguments: Sequence[Any],
        now_s: int,
        caller: str,
        deposits: Iterator[int],
        found: Found | None,
    ) -> None:
        market = self.market
        if function == "relay":
            words, strict = arguments
            market.relay(now_s, self._items(words, found), strict)
        elif function in ("place", "cancel"):
            getattr(market, function)(now_s, caller, *arguments)
        elif function == "clear":
            market.clear(now_s, *arguments)
        elif function == "deposit":
            market.deposit(now_s, caller, arguments[0], next(deposits, 0))
        elif function == "deposit_permit":
            owner, amount = arguments[:2]
            market.deposit_permit(now_s, owner, amount, amount, next(deposits, 0))
        elif function == "withdraw":
            market.withdraw(now_s, caller, *arguments)
        elif function == "withdraw_signed":
            account, recipient, amount, nonce, deadline, r, vs = arguments
            if account in self.unsure_nonces:
                self.market.nonces[account] = max(nonce, self.market.nonces.get(account, 0))
            signer = self._recover(lambda: signing.Withdrawal(account, recipient, amount, nonce, deadline), r, vs)
            market.withdraw_signed(now_s, account, recipient, amount, nonce, deadline, signer)
        else:
            # The setters of the registry: nobody else gets through, so the reference refuses it.
            market.set_paused(now_s, caller, False)

    def _items(self, words: list[int], found: Found | None) -> list[Item]:
        if found is None:
            found = [(item, "", "") for item in relay.unpack(words)]
        items = []
        for item, assumed, signer in found:
            meter = signing_meter(self.market, item)
            if assumed != meter:
                signer = find_signer(item, meter, self.domain)
            self.signatures += not isinstance(item, relay.DueItem)
            items.append(to_reference(item, meter, signer))
        return items

    def _recover(self, make: Callable[[], signing.Message], r: int, vs: int) -> str:
        self.signatures += 1
        return recover_or_nobody(make, self.domain, r, vs)

    def _agree(self, message: Enrolment | MeterSwap, words: Sequence[int]) -> tuple[str | None, str]:
        """Who signed for account and meter; None where a contract wallet consented by a call."""
        account_r, account_vs, meter_r, meter_vs = words
        meter_signer = self._recover(lambda: to_message(message), meter_r, meter_vs)
        if account_r or account_vs:
            return self._recover(lambda: to_message(message), account_r, account_vs), meter_signer
        if (message.account, to_message(message).digest(self.domain)) in self._consented:
            self.registry.consents.add((message.account, message))
        return None, meter_signer

    def application(
        self, connection: bytes, terms: Sequence[int], enrolment: Sequence[Any], *words: int
    ) -> Application:
        """One home of `enrol` or `enrol_many`."""
        message = Enrolment(*enrolment)
        return Application(connection, Terms(*terms), message, *self._agree(message, words))

    def enrol(self, now_s: int, caller: str, *arguments: Any) -> None:
        one = self.application(*arguments)
        self.registry.enrol(
            now_s, caller, one.connection, one.terms, one.enrolment, one.account_signer, one.meter_signer
        )

    def enrol_many(self, now_s: int, caller: str, applications: Sequence[Any]) -> None:
        self.registry.enrol_many(now_s, caller, [self.application(*one) for one in applications])

    def swap_meter(self, now_s: int, caller: str, swap: Sequence[Any], meter_class: int, *words: int) -> None:
        message = MeterSwap(*swap)
        account_signer, meter_signer = self._agree(message, words)
        self.registry.swap_meter(now_s, caller, message, meter_class, account_signer, meter_signer)

    def consent(self, now_s: int, caller: str, digest: bytes) -> None:
        """The contract is given a digest; the message behind it shows when it is used."""
        self._consented.add((caller, digest))
        self.registry.log.append(Event("Consented", {"account": caller, "digest": digest}))

    def set_terms(self, now_s: int, caller: str, account: str, terms: Sequence[int]) -> None:
        self.registry.set_terms(now_s, caller, account, Terms(*terms))

    def publish_tariff(self, now_s: int, caller: str, imbalance_steps: int, *tables: int) -> None:
        rows = (TableWord.decode(table).bands for table in tables)
        self.registry.publish_tariff(now_s, caller, imbalance_steps, Tables(*rows))

    def authorise(self, now_s: int, caller: str, agent: str, *mandate: int) -> None:
        self.registry.authorise(now_s, caller, agent, Agent(*mandate))

    def authorise_signed(self, now_s: int, caller: str, account: str, agent: str, *rest: int) -> None:
        expiry, buy, sell, reserve, nonce, r, vs = rest
        signer = self._recover(lambda: signing.Agent(account, agent, expiry, buy, sell, reserve, nonce), r, vs)
        self.registry.authorise_signed(now_s, account, agent, Agent(expiry, buy, sell, reserve), nonce, signer)

    def rate_signed(
        self, now_s: int, caller: str, account: str, rated: bool, nonce: int, deadline: int, r: int, vs: int
    ) -> None:
        signer = self._recover(lambda: signing.Rating(account, rated, nonce, deadline), r, vs)
        self.registry.rate_signed(now_s, account, rated, nonce, deadline, signer)


def _as_it_is(function: str) -> Callable[..., None]:
    """A function whose arguments the reference takes as they are."""
    return lambda acts, now_s, caller, *arguments: getattr(acts.registry, function)(now_s, caller, *arguments)


def _by_anyone(function: str) -> Callable[..., None]:
    return lambda acts, now_s, caller: getattr(acts.registry, function)(now_s)


_REGISTRY: dict[str, Callable[..., None]] = {
    "enrol": Acts.enrol,
    "enrol_many": Acts.enrol_many,
    "swap_meter": Acts.swap_meter,
    "consent": Acts.consent,
    "set_terms": Acts.set_terms,
    "publish_tariff": Acts.publish_tariff,
    "authorise": Acts.authorise,
    "authorise_signed": Acts.authorise_signed,
    "rate_signed": Acts.rate_signed,
    **{
        function: _as_it_is(function)
        for function in (
            "offer_role",
            "accept_role",
            "set_paused",
            "set_retail",
            "set_feeder_scale",
            "set_feeder_fee",
            "move_out",
            "revoke",
            "accept_classes",
            "rate",
        )
    },
    "announce_wind_down": _by_anyone("announce_wind_down"),
    "wind_down": _by_anyone("wind_down"),
}
