"""What homes sign beside readings: orders, cancels, agent keys, deposits by permit, withdrawals, ratings.

Each is checked against the chain's state with the client's own rules before it is kept, so that a home hears at once
why the market would refuse it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select

from peerwatt.exceptions import BadMessage, BadPermit
from peerwatt.market.cancels import judge_cancel
from peerwatt.market.mirror import read_mirror
from peerwatt.market.orders import judge
from peerwatt.signing import Agent, Cancel, Message, Order, Permit, Rating, Signature, Withdrawal
from peerwatt.signing.kinds import check_address
from peerwatt.signing.typed import SignedDomain, check_signer
from peerwatt_bridge.services.chain import Chain
from peerwatt_bridge.storage.database import Database, now_ms
from peerwatt_bridge.storage.notices import notify
from peerwatt_bridge.storage.tables import Kind, Status, acts

TYPES: dict[Kind, type[Message]] = {
    Kind.ORDER: Order,
    Kind.CANCEL: Cancel,
    Kind.AGENT: Agent,
    Kind.DEPOSIT: Permit,
    Kind.WITHDRAWAL: Withdrawal,
    Kind.RATING: Rating,
}
# An act without an end of its own is given up after so long.
PATIENCE_S = 86_400
# Whoever sends them, these acts do the same; where the bridge has no key, a node is asked for this sender.
ANYBODY = "0x" + "00" * 19 + "01"


@dataclass(frozen=True)
class SignedAct:
    """A signed act as it came in. `agent`: the key that signed an order or a cancel for the account."""

    kind: Kind
    message: Message
    signature: Signature
    agent: str | None = None

    @property
    def account(self) -> str:
        """Whose act it is."""
        for name in ("maker", "account", "owner"):
            if hasattr(self.message, name):
                return str(getattr(self.message, name))
        raise AssertionError(f"{type(self.message).__name__} has no account")


@dataclass(frozen=True)
class Kept:
    """An act that is kept, and where it is on its way."""

    id: int
    digest: bytes
    act: SignedAct
    status: Status
    reason: str | None
    detail: str | None
    received_s: int
    relay_id: int | None
    duplicate: bool = False


class Acts:
    """Takes acts."""

    def __init__(self, database: Database, chain: Chain, payer: str = ANYBODY) -> None:
        """
        Args:
            payer: address that would send the transactions.
        """
        self._database = database
        self._chain = chain
        self._payer = payer

    def accept(self, act: SignedAct) -> Kept:
        """Checks an act against the chain and keeps it; the same one again is found, not doubled.

        Raises:
            MarketError: the market would refuse it; nothing is kept.
            Web3Exception, RequestException, OSError: the node is away; nothing is kept.
        """
        digest = act.message.digest(self._domain(act.kind))
        known = self.find(digest)
        if known is not None:
            return Kept(**{**vars(known), "duplicate": True})
        deadline_s = self._check(act)
        return self._database.write(lambda connection: self._keep(connection, act, digest, deadline_s))

    def find(self, digest: bytes) -> Kept | None:
        """An act by its digest."""
        with self._database.reading() as connection:
            row = connection.execute(select(acts).where(acts.c.digest == digest)).first()
        return None if row is None else to_kept(row)

    def list(self, account: str, after: int, limit: int) -> list[Kept]:
        """An account's acts after a number, the oldest first."""
        query = select(acts).where(acts.c.account == bytes.fromhex(account[2:]), acts.c.id > after)
        with self._database.reading() as connection:
            return [to_kept(row) for row in connection.execute(query.order_by(acts.c.id).limit(limit))]

    def _domain(self, kind: Kind) -> SignedDomain:
        return self._chain.token_domain if kind is Kind.DEPOSIT else self._chain.domain

    def _check(self, act: SignedAct) -> int:
        """Makes sure that the market would take it; until when [Unix s]."""
        message = act.message
        # First what costs the node nothing: a forged signature is nobody's.
        check_signer(message, self._domain(act.kind), act.signature, act.agent or act.account)
        now_s = self._chain.read_time()
        clock = self._chain.clock(now_s)
        if isinstance(message, Order | Cancel):
            mirror = read_mirror(self._chain.gateway, message.maker, act.agent)
            if isinstance(message, Order):
                judge(mirror, clock, self._chain.grid, message, agent=act.agent)
                return clock.gate_s(message.last_window)
            judge_cancel(mirror, clock, message, agent=act.agent)
            return message.deadline
        if isinstance(message, Permit):
            self._check_permit(act)
            return min(message.deadline, now_s + PATIENCE_S)
        self._chain.gateway.simulate(self._payer, call_of(self._chain, act))
        deadline_s = getattr(message, "deadline", now_s + PATIENCE_S)
        return min(deadline_s, now_s + PATIENCE_S)

    def _check_permit(self, act: SignedAct) -> None:
        permit, market = act.message, self._chain.deployment.market
        assert isinstance(permit, Permit)
        if permit.spender != market:
            raise BadMessage(
                f"the permit lets {permit.spender} take the tokens, not the market {market}; sign it again"
            )
        held = self._chain.gateway.token_balance(permit.owner)
        if held < permit.value:
            raise BadPermit(f"{permit.owner} has {held} base units of the token, and the permit is for {permit.value}")
        self._chain.gateway.simulate(self._payer, call_of(self._chain, act))

    def _keep(self, connection: Connection, act: SignedAct, digest: bytes, deadline_s: int) -> Kept:
        known = connection.execute(select(acts).where(acts.c.digest == digest)).first()
        if known is not None:
            return Kept(**{**vars(to_kept(known)), "duplicate": True})
        received_s = now_ms() // 1000
        inserted = connection.execute(
            insert(acts).values(
                digest=digest,
                kind=act.kind.value,
                account=bytes.fromhex(act.account[2:]),
                agent=None if act.agent is None else bytes.fromhex(act.agent[2:]),
                message=json.dumps(act.message.to_json(), separators=(",", ":")),
                signature=act.signature.to_compact(),
                deadline_ms=deadline_s * 1000,
                status=int(Status.RECEIVED),
                received_s=received_s,
            )
        )
        assert inserted.inserted_primary_key is not None
        kept = Kept(int(inserted.inserted_primary_key[0]), digest, act, Status.RECEIVED, None, None, received_s, None)
        notify(connection, "act", [tell(kept)])
        return kept


def call_of(chain: Chain, act: SignedAct) -> Any:
    """The contract call that brings an act that is not an item of a relay."""
    message, signature = act.message, act.signature
    market, registry = chain.gateway.market.functions, chain.gateway.registry.functions
    if isinstance(message, Withdrawal):
        return market.withdraw_signed(
            message.account,
            message.recipient,
            message.amount,
            message.nonce,
            message.deadline,
            signature.r,
            signature.vs,
        )
    if isinstance(message, Agent):
        return registry.authorise_signed(
            message.account,
            message.agent,
            message.expiry,
            message.max_buy_level,
            message.min_sell_level,
            message.max_reserve,
            message.nonce,
            signature.r,
            signature.vs,
        )
    if isinstance(message, Rating):
        return registry.rate_signed(
            message.account, message.rated, message.nonce, message.deadline, signature.r, signature.vs
        )
    assert isinstance(message, Permit)
    r, s = signature.r.to_bytes(32, "big"), signature.s.to_bytes(32, "big")
    return market.deposit_permit(message.owner, message.value, message.deadline, signature.v, r, s)


def parse(kind: Kind, message: dict[str, Any], signature: str, agent: str | None) -> SignedAct:
    """An act from JSON.

    Raises:
        BadMessage: a field is missing, unknown or no value of its type.
        MalformedSignature: no signature.
    """
    checked = None if agent is None else check_address(agent, "agent")
    return SignedAct(kind, TYPES[kind].from_json(message), Signature.from_hex(signature), checked)


def to_kept(row: Any) -> Kept:
    """A row of `acts`."""
    kind = Kind(row.kind)
    agent = None if row.agent is None else check_address("0x" + row.agent.hex(), "agent")
    message = TYPES[kind].from_json(json.loads(row.message))
    act = SignedAct(kind, message, Signature.from_bytes(row.signature), agent)
    return Kept(row.id, row.digest, act, Status(row.status), row.reason, row.detail, row.received_s, row.relay_id)


def tell(kept: Kept) -> dict[str, Any]:
    """An act as those who listen hear of it."""
    told: dict[str, Any] = {
        "id": kept.id,
        "digest": "0x" + kept.digest.hex(),
        "kind": kept.act.kind.value,
        "account": kept.act.account,
        "status": kept.status.name.lower(),
    }
    return told if kept.reason is None else {**told, "reason": kept.reason}
