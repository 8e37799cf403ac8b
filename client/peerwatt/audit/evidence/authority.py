"""By whose will an account's log is there: the signature, or the call, behind each order, cancel and report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from peerwatt import signing
from peerwatt.audit.calldata import MARKET, REGISTRY, UnreadableCall, decode_call
from peerwatt.audit.history import Call
from peerwatt.audit.items import recover_or_nobody
from peerwatt.exceptions import BadMessage, BadWord, ItemCutShort, UnknownItem
from peerwatt.market import relay, words
from peerwatt.market.deployment import Deployment
from peerwatt.market.events import Event
from peerwatt.market.relay_words import unpack_growths
from peerwatt.reference import ZERO_ADDRESS, meters, offers, participants
from peerwatt.reference.state import MarketState
from peerwatt.reference.values import BUY

ACCOUNT, AGENT, METER, OPERATOR, ANYONE = "account", "agent", "meter", "operator", "anyone"
SIGNED, CALLED = "signed", "called"
UNSEEN = "it came through another contract: whose signature it carried is not to be seen"


@dataclass(frozen=True)
class Authority:
    """Who agreed to what a log says.

    Attributes:
        by: `account`, `agent`, `meter`, `operator` (whom the registry lets act), or `anyone` where nobody has to agree.
        address: whose key it was, lower case; None where no key is needed.
        how: `signed`, `called`, or None.
        kind, message, r, vs: type, content and words of the signature.
        wrong: why nobody who had to agreed; None if somebody did.
        unseen: why that can't be told; None if it can.
    """

    by: str
    address: str | None = None
    how: str | None = None
    kind: str | None = None
    message: dict[str, Any] | None = None
    r: int | None = None
    vs: int | None = None
    wrong: str | None = None
    unseen: str | None = None


@dataclass(frozen=True)
class Asked:
    """One call, or one item of a relay."""

    caller: str
    function: str
    arguments: Sequence[Any] = ()
    item: relay.Item | None = None


@dataclass(frozen=True)
class Signing:
    """A message with its signature, who had to sign it, and what else must hold."""

    make: Callable[[], signing.Message]
    r: int
    vs: int
    by: str
    address: str
    wrong: str | None = None


@dataclass
class Authorities:
    """Finds them for one account, log by log.

    Attributes:
        mandates, consents: of its agents, and digests it consented to by a call, as the logs so far tell.
    """

    deployment: Deployment
    account: str
    mandates: dict[str, words.AgentWord] = field(default_factory=dict)
    consents: set[bytes] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.account = self.account.lower()
        self._domain = signing.Domain(self.deployment.chain_id, self.deployment.market)
        self._contracts = {self.deployment.market.lower(): MARKET, self.deployment.registry.lower(): REGISTRY}

    def read(self, calls: Iterable[Call]) -> list[Asked]:
        """What calls to the contracts asked; those that no function takes are left out."""
        return [asked for call in calls for asked in self._read(call)]

    def find(
        self, event: Event, asked: list[Asked] | None, beside: Iterable[Event], state: MarketState, now_s: int
    ) -> Authority:
        """Who agreed to a log of the account.

        Args:
            asked: of `read`; None if the calls are not known.
            beside: all logs of its transaction.
            state: of the account before the log.
            now_s: time of the block [Unix s].
        """
        if event.name in ("Deposited", "DueSettled"):
            return Authority(ANYONE)
        if event.name in ("DeviceSet", "ParticipantRevoked"):
            return Authority(OPERATOR)
        revoked = any(other.name == "ParticipantRevoked" and self._is_own(other) for other in beside)
        if event.name == "OrderCancelled" and revoked:
            return Authority(OPERATOR)
        if event.name == "ParticipantBound" and event.args["device"] == 0:
            return Authority(OPERATOR)
        if asked is None:
            return Authority(ACCOUNT, unseen=UNSEEN)
        return self._choose(event, self._agreements(event, asked, state, now_s))

    def follow(self, event: Event) -> None:
        """Takes a mandate or a consent from a log of the account."""
        if event.name == "Consented":
            self.consents.add(event.args["digest"])
        if event.name == "AgentSet":
            self.mandates[str(event.args["agent"]).lower()] = words.AgentWord.decode(event.args["agent_word"])

    def _is_own(self, event: Event) -> bool:
        return str(event.args.get("account", "")).lower() == self.account

    def _read(self, call: Call) -> Iterator[Asked]:
        try:
            invocation = decode_call(self._contracts[call.contract], call.data)
            if invocation.function == "relay":
                for item in relay.unpack(invocation.arguments[0]):
                    yield Asked(call.caller, "relay", item=item)
            else:
                yield Asked(call.caller, invocation.function, invocation.arguments)
        except (KeyError, UnreadableCall, UnknownItem, ItemCutShort, BadWord):
            return

    def _choose(self, event: Event, agreements: Iterable[Authority]) -> Authority:
        """The first that holds; else why none of them does."""
        wrong: Authority | None = None
        for one in agreements:
            if one.wrong is None:
                return one
            wrong = wrong or one
        return wrong or Authority(ACCOUNT, wrong=f"nothing in the transaction's calldata asks for this {event.name}")

    def _agreements(self, event: Event, asked: list[Asked], state: MarketState, now_s: int) -> Iterator[Authority]:
        finder = _FINDERS.get(event.name)
        for one in asked if finder is not None else ():
            assert finder is not None
            for found in finder(self, event, one, state, now_s):
                yield self._check(found) if isinstance(found, Signing) else found

    def _check(self, found: Signing) -> Authority:
        signer = recover_or_nobody(found.make, self._domain, found.r, found.vs)
        wrong = found.wrong
        try:
            message = found.make()
            kind, content = type(message).__name__, message.to_json()
        except BadMessage as error:
            return Authority(found.by, found.address, SIGNED, r=found.r, vs=found.vs, wrong=str(error))
        if signer != found.address.lower() or signer == ZERO_ADDRESS:
            wrong = f"the {kind.lower()} was signed by {signer}, not by {found.address.lower()}, the {found.by}"
        return Authority(found.by, found.address.lower(), SIGNED, kind, content, found.r, found.vs, wrong)

    def _called(self, one: Asked) -> Iterator[Authority]:
        """A call by the account itself."""
        if one.caller == self.account:
            yield Authority(ACCOUNT, self.account, CALLED)

    # What may have caused each log

    def _order(self, event: Event, one: Asked, state: MarketState, now_s: int) -> Iterator[Authority | Signing]:
        order = words.OrderWord.decode(event.args["order"])
        wanted = order.side, order.first + order.count - 1, order.energy_wh, order.limit_level, order.nonce
        if one.function == "place":
            _, side, first, last, energy_wh, limit_level, nonce = one.arguments
            if (side, last, energy_wh, limit_level, nonce) == wanted and first <= order.first:
                yield from self._called(one)
        item = one.item
        if not isinstance(item, relay.OrderItem) or item.account.lower() != self.account:
            return
        if (item.side, item.last, item.energy_wh, item.limit_level, item.nonce) != wanted or item.first > order.first:
            return
        meter = participants.get_device(state, self.account).meter
        by, address, wrong = self._who(item.agent, now_s)
        if by == AGENT and wrong is None:
            wrong = self._over_caps(self.mandates[address], order, state)
        yield Signing(lambda: item.to_message(meter), item.r, item.vs, by, address, wrong)

    def _cancel(self, event: Event, one: Asked, state: MarketState, now_s: int) -> Iterator[Authority | Signing]:
        left = words.OrderWord.decode(event.args["order"])
        slot = max(left.nonce, left.burnt) % offers.SLOTS
        burns = left.burnt != offers.get_order(state, self.account, slot).burnt
        nonce, end = (left.burnt, None) if burns else (left.nonce, left.first + left.count)
        item = one.item
        if one.function == "cancel" and one.arguments[0] == nonce and (end is None or one.arguments[1] <= end):
            yield from self._called(one)
        if not isinstance(item, relay.CancelItem) or item.account.lower() != self.account:
            return
        if item.nonce != nonce or (end is not None and item.from_window > end):
            return
        by, address, wrong = self._who(item.agent, now_s)
        if item.deadline < now_s:
            wrong = f"the cancel's deadline was {item.deadline}, its block is of {now_s}"
        yield Signing(item.to_message, item.r, item.vs, by, address, wrong)

    def _report(self, event: Event, one: Asked, state: MarketState, now_s: int) -> Iterator[Authority | Signing]:
        item = one.item
        if not isinstance(item, relay.ReportItem) or item.account.lower() != self.account:
            return
        word = words.SettledReportWord.decode(event.args["report"])
        growths = unpack_growths(event.args["growths"], word.n)
        told = item.first, item.side, item.registers[-1], tuple(item.growths_wh)
        if told == (word.first, word.side, word.closing_wh, tuple(growths)):
            meter = meters.get_exports(state, self.account).meter
            yield Signing(lambda: item.to_message(meter), item.r, item.vs, METER, meter)

    def _withdrawal(self, event: Event, one: Asked, state: MarketState, now_s: int) -> Iterator[Authority | Signing]:
        recipient, amount = str(event.args["recipient"]).lower(), event.args["amount"]
        if one.function == "withdraw" and (one.arguments[0], one.arguments[1].lower()) == (amount, recipient):
            yield from self._called(one)
        if one.function == "withdraw_signed":
            account, to, much, nonce, deadline, r, vs = one.arguments
            if (account.lower(), to.lower(), much) == (self.account, recipient, amount):
                wrong = f"its deadline was {deadline}, its block is of {now_s}" if deadline < now_s else None
                yield Signing(
                    lambda: signing.Withdrawal(account, to, much, nonce, deadline), r, vs, ACCOUNT, account, wrong
                )

    def _mandate(self, event: Event, one: Asked, state: MarketState, now_s: int) -> Iterator[Authority | Signing]:
        word = words.AgentWord.decode(event.args["agent_word"])
        wanted = word.expiry, word.max_buy_level, word.min_sell_level, word.max_reserve
        agent = str(event.args["agent"]).lower()
        if one.function == "authorise":
            named, *mandate = one.arguments
            if (named.lower(), *mandate) == (agent, *wanted):
                yield from self._called(one)
        if one.function == "authorise_signed":
            account, named, expiry, buy, sell, reserve, nonce, r, vs = one.arguments
            if (account.lower(), named.lower(), expiry, buy, sell, reserve) == (self.account, agent, *wanted):
                yield Signing(
                    lambda: signing.Agent(account, named, expiry, buy, sell, reserve, nonce), r, vs, ACCOUNT, account
                )

    def _rating(self, event: Event, one: Asked, state: MarketState, now_s: int) -> Iterator[Authority | Signing]:
        rated = event.args["rated"]
        if one.function == "rate" and one.arguments[0] == rated:
            yield from self._called(one)
        if one.function == "rate_signed" and one.arguments[0].lower() == self.account and one.arguments[1] == rated:
            account, _, nonce, deadline, r, vs = one.arguments
            yield Signing(lambda: signing.Rating(account, rated, nonce, deadline), r, vs, ACCOUNT, account)

    def _binding(self, event: Event, one: Asked, state: MarketState, now_s: int) -> Iterator[Authority | Signing]:
        """The account's signature under its enrolment or its new meter; the meter's is checked with it."""
        meter = words.DeviceWord.decode(event.args["device"]).meter.lower()
        applications = {"enrol": [one.arguments], "enrol_many": one.arguments[0] if one.arguments else []}
        for _, _, enrolment, *signature in applications.get(one.function, ()):
            if (enrolment[0].lower(), enrolment[1].lower()) == (self.account, meter):
                yield from self._agreed(signing.Enrolment(*enrolment), meter, signature)
        if one.function == "swap_meter":
            swap, _, *signature = one.arguments
            if (swap[0].lower(), swap[2].lower()) == (self.account, meter):
                yield from self._agreed(signing.MeterSwap(*swap), meter, signature)

    def _agreed(
        self, message: signing.Enrolment | signing.MeterSwap, meter: str, signature: Sequence[int]
    ) -> Iterator[Authority | Signing]:
        account_r, account_vs, meter_r, meter_vs = signature
        by_meter = recover_or_nobody(lambda: message, self._domain, meter_r, meter_vs)
        wrong = None if by_meter == meter else f"signed by {by_meter}, not by the meter {meter}"
        if account_r or account_vs:
            yield Signing(lambda: message, account_r, account_vs, ACCOUNT, self.account, wrong)
        else:
            # A contract wallet, which called the digest in beforehand.
            if message.digest(self._domain) not in self.consents:
                wrong = wrong or "the account consented to something else"
            yield Authority(ACCOUNT, self.account, CALLED, wrong=wrong)

    def _who(self, agent: str, now_s: int) -> tuple[str, str, str | None]:
        """Whose key has to have signed, and why it may not have."""
        if agent == ZERO_ADDRESS:
            return ACCOUNT, self.account, None
        mandate = self.mandates.get(agent.lower())
        if mandate is None or mandate.expiry <= now_s:
            return AGENT, agent.lower(), f"agent {agent.lower()} had no mandate of the account at {now_s}"
        return AGENT, agent.lower(), None

    def _over_caps(self, mandate: words.AgentWord, order: words.OrderWord, state: MarketState) -> str | None:
        bound = order.limit_level <= mandate.max_buy_level
        if order.side != BUY:
            bound = order.limit_level >= mandate.min_sell_level
        unit = offers.Order(
            side=order.side, limit_level=order.limit_level, imbalance_steps=order.imbalance_steps
        ).unit_reserve(state.parameters)
        reserved = state.wallet(self.account).reserved + order.count * order.energy_wh * unit
        if bound and reserved <= mandate.max_reserve:
            return None
        return f"order {order.nonce} is over its agent's caps"


_Finder = Callable[[Authorities, Event, Asked, MarketState, int], Iterator[Authority | Signing]]
_FINDERS: dict[str, _Finder] = {
    "OrderPlaced": Authorities._order,
    "OrderCancelled": Authorities._cancel,
    "ReportSettled": Authorities._report,
    "Withdrawn": Authorities._withdrawal,
    "AgentSet": Authorities._mandate,
    "RatedSet": Authorities._rating,
    "ParticipantBound": Authorities._binding,
}
