"""Which acts go to the chain now: orders and cancels together in a relay, every other act by its own call."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from peerwatt.market import relay
from peerwatt.refusals.base import MarketError
from peerwatt.signing import Cancel, Order
from peerwatt_bridge.services.acts import Kept, call_of, to_kept
from peerwatt_bridge.services.chain import Chain
from peerwatt_bridge.services.outbox import Job
from peerwatt_bridge.services.rows import Item
from peerwatt_bridge.storage.database import Database
from peerwatt_bridge.storage.tables import Status, acts

# Acts that are looked at in one round, and items of one relay: so many orders fit into a transaction's gas.
MAX_ACTS = 400
MAX_ITEMS = 120


@dataclass(frozen=True)
class ActPlan:
    """Transactions to send, and acts that are over, with status, reason and detail."""

    jobs: tuple[Job, ...]
    ends: tuple[tuple[Item, Status, str, str], ...]


class ActRelay:
    """Plans the transactions of acts."""

    def __init__(self, database: Database, chain: Chain, payer: str) -> None:
        """
        Args:
            payer: address that sends the transactions.
        """
        self._database = database
        self._chain = chain
        self._payer = payer
        self.max_items = MAX_ITEMS

    def plan(self, busy: frozenset[str]) -> ActPlan:
        """The next transactions.

        Args:
            busy: accounts with something on its way. What they sent later waits: the chain must see it later too.
        Raises:
            Web3Exception, RequestException, OSError: the node is away.
        """
        waiting = self._read_waiting()
        if not waiting:
            return ActPlan((), ())
        now_ms = self._chain.read_time() * 1000
        jobs: list[Job] = []
        ends: list[tuple[Item, Status, str, str]] = []
        relayed: list[tuple[Kept, relay.Item]] = []
        taken = set(busy)
        for kept, deadline_ms in waiting:
            item = Item("acts", kept.id, 0)
            if deadline_ms <= now_ms:
                text = "it could not be brought to the chain in time; sign it again"
                ends.append((item, Status.EXPIRED, "expired", text))
            elif kept.act.account in taken:
                continue
            elif isinstance(kept.act.message, Order | Cancel):
                if len(relayed) < self.max_items:
                    relayed.append((kept, _to_item(kept)))
            else:
                taken.add(kept.act.account)
                try:
                    self._chain.gateway.simulate(self._payer, call_of(self._chain, kept.act))
                except MarketError as refusal:
                    ends.append((item, Status.REFUSED, refusal.problem, str(refusal)))
                    continue
                jobs.append(self._to_job(kept))
        # An account with a call of its own in this round has its orders in the next.
        relayed = [pair for pair in relayed if pair[0].act.account not in taken]
        if relayed:
            jobs.insert(0, self._to_relay(relayed))
        return ActPlan(tuple(jobs), tuple(ends))

    def _read_waiting(self) -> list[tuple[Kept, int]]:
        query = select(acts).where(acts.c.status == int(Status.RECEIVED)).order_by(acts.c.id).limit(MAX_ACTS)
        with self._database.reading() as connection:
            return [(to_kept(row), row.deadline_ms) for row in connection.execute(query)]

    def _to_relay(self, relayed: list[tuple[Kept, relay.Item]]) -> Job:
        call = self._chain.gateway.market.functions.relay(relay.pack(item for _, item in relayed), False)
        items = tuple(Item("acts", kept.id, place) for place, (kept, _) in enumerate(relayed))
        return Job("orders", self._chain.deployment.market, _data_of(call), items)

    def _to_job(self, kept: Kept) -> Job:
        call = call_of(self._chain, kept.act)
        return Job(kept.act.kind.value, str(call.address), _data_of(call), (Item("acts", kept.id, 0),))


def _to_item(kept: Kept) -> relay.Item:
    message, signature, agent = kept.act.message, kept.act.signature, kept.act.agent or relay.NOBODY
    if isinstance(message, Order):
        return relay.OrderItem.from_message(message, signature, agent)
    assert isinstance(message, Cancel)
    return relay.CancelItem.from_message(message, signature, agent)


def _data_of(call: object) -> bytes:
    return bytes.fromhex(str(call._encode_transaction_data())[2:])  # type: ignore[attr-defined]
