"""The outbox: transactions that are signed and kept before they are sent, so that a crash loses and doubles nothing.

    keep(signed transaction + its items)  ->  send  ->  in a block  ->  in a block that stays

A crash before the first step leaves the items waiting; after it, the same bytes are sent again, and a chain takes the
same bytes once. A transaction that a reorganisation took out is sent again too.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from eth_account.signers.local import LocalAccount
from hexbytes import HexBytes
from sqlalchemy import Connection, Row, insert, select, update
from web3 import Web3
from web3.exceptions import TransactionNotFound, Web3RPCError
from web3.types import TxReceipt

from peerwatt.market.gateway import MAX_TRANSACTION_GAS
from peerwatt.market.senders import estimate_gas
from peerwatt.market.transactions import explain
from peerwatt_bridge.services.chain import Chain
from peerwatt_bridge.services.rows import (
    Item,
    finish,
    give_up,
    keep_attempt,
    read_items,
    set_status,
    take_back,
)
from peerwatt_bridge.storage.database import Database, now_ms
from peerwatt_bridge.storage.leases import Leases
from peerwatt_bridge.storage.tables import ITEM_TABLES, RelayState, Status, attempts, relays

log = structlog.get_logger(__name__)
# A node takes a replacement whose fees are higher by a tenth at least.
BUMP_PERCENT = 13
# Transactions on their way at once.
MAX_IN_FLIGHT = 8
LEASE_S = 20
TRANSFER_GAS = 21_000
# What nodes say to bytes that they or a block have.
HARMLESS = ("already known", "already imported", "known transaction", "nonce too low", "replacement transaction")


class LeaseLost(RuntimeError):
    """Another bridge took over this key meanwhile; nothing was sent."""


@dataclass(frozen=True)
class Job:
    """A transaction to make.

    Attributes:
        purpose: for people and metrics.
        target, data: of the call.
        gas: limit; None to ask the node.
        items: what it brings.
    """

    purpose: str
    target: str
    data: bytes
    items: tuple[Item, ...]
    gas: int | None = None


@dataclass(frozen=True)
class Mined:
    """A transaction that a block has. `settle` says what became of its items."""

    relay_id: int
    purpose: str
    receipt: TxReceipt
    items: tuple[Item, ...] = field(default=())


# What became of each item: its status, reason and detail.
Verdicts = dict[Item, tuple[Status, str | None, str | None]]
Judge = Callable[[Mined], Verdicts]


class Outbox:
    """The transactions of one key. One process at a time works on a key: whoever has its lease."""

    def __init__(
        self, database: Database, chain: Chain, leases: Leases, key: LocalAccount, judge: Judge, resend_s: float
    ) -> None:
        """
        Args:
            judge: reads from a receipt what became of the items.
            resend_s: a transaction that is not mined by then is signed again with higher fees.
        """
        self._database = database
        self._chain = chain
        self._leases = leases
        self._key = key
        self._judge = judge
        self._resend_ms = int(resend_s * 1000)
        self._sender = bytes.fromhex(key.address[2:])
        self._nonces = threading.Lock()
        # What the node said to the newest bytes of a relay that it did not take.
        self._refusals: dict[int, str] = {}
        self.lease = f"sender {key.address}"

    @property
    def address(self) -> str:
        """Who pays."""
        return self._key.address

    def hold(self) -> bool:
        """Whether this process may work on the key now."""
        return self._leases.hold(self.lease, LEASE_S)

    # Sending

    def send(self, job: Job) -> int:
        """Signs, keeps and sends a transaction; returns its id.

        Raises:
            LeaseLost: nothing was kept or sent.
            MarketError: the contract would refuse the whole call.
            Web3Exception, RequestException, OSError: the node is away. If the transaction is kept already, `work`
                sends it later.
        """
        # Relayer and keeper share the key: one nonce at a time.
        with self._nonces:
            return self._send(job)

    def newest_hash(self, relay_id: int) -> bytes:
        """Hash of a transaction as it was signed last."""
        return bytes(self._attempts(relay_id)[0].hash)

    def _send(self, job: Job, nonce: int | None = None) -> int:
        call: Any = {"from": self.address, "to": Web3.to_checksum_address(job.target), "data": job.data}
        gas = job.gas or min(self._estimate(call) * 6 // 5, MAX_TRANSACTION_GAS)
        nonce = self._next_nonce() if nonce is None else nonce
        fees = self._fees()
        raw, transaction_hash = self._sign(job.target, job.data, gas, nonce, fees)
        relay_id = self._database.write(
            lambda connection: self._keep(connection, job, gas, nonce, (raw, transaction_hash, fees))
        )
        self._push(relay_id, raw)
        return relay_id

    def _keep(
        self, connection: Connection, job: Job, gas: int, nonce: int, signed: tuple[bytes, bytes, tuple[int, int]]
    ) -> int:
        if not self._leases.check(connection, self.lease):
            raise LeaseLost(f"another bridge sends with {self.address} now")
        raw, transaction_hash, fees = signed
        inserted = connection.execute(
            insert(relays).values(
                sender=self._sender,
                nonce=nonce,
                purpose=job.purpose,
                target=bytes.fromhex(job.target[2:]),
                data=job.data,
                gas=gas,
                state=int(RelayState.SIGNED),
                created_ms=now_ms(),
            )
        )
        assert inserted.inserted_primary_key is not None
        relay_id = int(inserted.inserted_primary_key[0])
        keep_attempt(connection, relay_id, raw, transaction_hash, fees)
        for item in job.items:
            table = ITEM_TABLES[item.table]
            taken = connection.execute(
                update(table)
                .where(table.c.id == item.id, table.c.status == int(Status.RECEIVED))
                .values(status=int(Status.RELAYED), relay_id=relay_id, place=item.place)
            )
            if taken.rowcount != 1:
                raise LeaseLost(f"{item.table} {item.id} is on its way already")
        return relay_id

    def _estimate(self, call: Any) -> int:
        try:
            return estimate_gas(self._chain.w3, call)
        except Exception as error:
            explained = explain(error)
            if explained is error:
                raise
            raise explained from error

    def _next_nonce(self) -> int:
        """Above what the chain has seen, and above what is kept here and may not have arrived."""
        seen = int(self._chain.w3.eth.get_transaction_count(Web3.to_checksum_address(self.address), "pending"))
        with self._database.reading() as connection:
            open_nonces = [int(row.nonce) for row in self._open(connection)]
        return max([seen, *(nonce + 1 for nonce in open_nonces)])

    def _fees(self) -> tuple[int, int]:
        """Most and priority fee for a unit of gas [wei]."""
        w3 = self._chain.w3
        priority = int(w3.eth.max_priority_fee)
        base = int(w3.eth.get_block("latest").get("baseFeePerGas", 0))
        return 2 * base + priority, priority

    def _sign(self, target: str, data: bytes, gas: int, nonce: int, fees: tuple[int, int]) -> tuple[bytes, bytes]:
        signed = self._key.sign_transaction(
            {
                "type": 2,
                "chainId": self._chain.deployment.chain_id,
                "nonce": nonce,
                "to": Web3.to_checksum_address(target),
                "data": HexBytes(data),
                "value": 0,
                "gas": gas,
                "maxFeePerGas": fees[0],
                "maxPriorityFeePerGas": fees[1],
            }
        )
        return bytes(signed.raw_transaction), bytes(signed.hash)

    def _push(self, relay_id: int, raw: bytes) -> None:
        try:
            self._chain.w3.eth.send_raw_transaction(HexBytes(raw))
            self._refusals.pop(relay_id, None)
        except Web3RPCError as error:
            text = str(error)[:200]
            # It has these bytes already, or a block has them: `work` will see. Whatever else it is, `work` tries again.
            if not any(sign in text.lower() for sign in HARMLESS):
                self._refusals[relay_id] = text
                log.info("push-refused", relay=relay_id, error=text)

    # Following

    def in_flight(self) -> list[Row[Any]]:
        """Transactions that no block has yet."""
        with self._database.reading() as connection:
            return [row for row in self._open(connection) if row.state == RelayState.SIGNED]

    def work(self) -> list[Mined]:
        """Looks after every transaction that is not final: sends again what is missing, and notes what was mined.

        Returns:
            Those that a block has since the last time.
        """
        with self._database.reading() as connection:
            waiting = self._open(connection)
        self._refusals = {row.id: text for row in waiting if (text := self._refusals.get(row.id)) is not None}
        if not waiting:
            return []
        head = self._chain.head()
        final_number = self._chain.final_number(head.number)
        used = int(self._chain.w3.eth.get_transaction_count(Web3.to_checksum_address(self.address), "latest"))
        mined = [event for row in waiting if (event := self._look_after(row, final_number, used)) is not None]
        self._fill_gap()
        return mined

    def trouble(self) -> str | None:
        """What keeps a transaction from its block, None if nothing does."""
        refused = next(iter(self._refusals.items()), None)
        if refused is not None:
            return f"the node does not take transaction {refused[0]}: {refused[1]}"
        waiting = self.in_flight()
        late_ms = now_ms() - min((row.created_ms for row in waiting), default=now_ms())
        if late_ms < 2 * self._resend_ms:
            return None
        return f"transaction {waiting[0].id} with nonce {waiting[0].nonce} waits for a block since {late_ms // 1000} s"

    def _fill_gap(self) -> None:
        """An empty transaction for a nonce that nobody uses any more, so that those after it can be mined.

        A reorganisation makes such a gap where it drops a transaction that failed, or that another program sent.
        """
        with self._nonces:
            with self._database.reading() as connection:
                kept = {int(row.nonce) for row in self._open(connection)}
            seen = int(self._chain.w3.eth.get_transaction_count(Web3.to_checksum_address(self.address), "pending"))
            if not kept or seen in kept or seen > max(kept):
                return
            log.warning("nonce-gap", nonce=seen, newest=max(kept))
            self._send(Job("filler", self.address, b"", (), TRANSFER_GAS), seen)

    def _look_after(self, row: Row[Any], final_number: int, used: int) -> Mined | None:
        """One transaction; returns it if a block has it since the last time.

        Args:
            used: the first nonce that no block has used.
        """
        if row.state == RelayState.MINED:
            if self._chain.is_canonical(row.block_number, row.block_hash):
                if row.block_number <= final_number:
                    self._database.write(lambda connection: finish(connection, row))
                return None
            log.warning("reorganised", relay=row.id, block=row.block_number)
            self._database.write(lambda connection: take_back(connection, row))
        receipt = self._find_receipt(row.id)
        if receipt is not None:
            event = Mined(row.id, row.purpose, receipt, self._items(row.id))
            self._database.write(lambda connection: self._note(connection, event))
            return event
        if used > row.nonce:
            log.warning("nonce-taken", relay=row.id, nonce=row.nonce)
            self._database.write(lambda connection: give_up(connection, row.id, RelayState.LOST))
        else:
            self._push_again(row)
        return None

    def _open(self, connection: Connection) -> Sequence[Row[Any]]:
        return connection.execute(
            select(relays)
            .where(relays.c.sender == self._sender, relays.c.state < int(RelayState.FINAL))
            .order_by(relays.c.nonce)
        ).all()

    def _items(self, relay_id: int) -> tuple[Item, ...]:
        with self._database.reading() as connection:
            return tuple(read_items(connection, relay_id))

    def _find_receipt(self, relay_id: int) -> TxReceipt | None:
        for attempt in self._attempts(relay_id):
            try:
                return self._chain.w3.eth.get_transaction_receipt(HexBytes(attempt.hash))
            except TransactionNotFound:
                continue
        return None

    def _attempts(self, relay_id: int) -> Sequence[Row[Any]]:
        with self._database.reading() as connection:
            return connection.execute(
                select(attempts).where(attempts.c.relay_id == relay_id).order_by(attempts.c.signed_ms.desc())
            ).all()

    def _push_again(self, row: Row[Any]) -> None:
        newest = self._attempts(row.id)[0]
        try:
            self._chain.w3.eth.get_transaction(HexBytes(newest.hash))
            known = True
        except TransactionNotFound:
            known = False
        if not known:
            self._push(row.id, newest.raw)
        if now_ms() - newest.signed_ms >= self._resend_ms:
            fees = self._fees()
            if fees[0] <= int(newest.max_fee_wei) and fees[1] <= int(newest.priority_fee_wei):
                # It pays enough; a chain that stands still is no reason to pay more and more.
                return
            raised = [
                int(fee) * (100 + BUMP_PERCENT) // 100 + 1 for fee in (newest.max_fee_wei, newest.priority_fee_wei)
            ]
            fees = (max(fees[0], raised[0]), max(fees[1], raised[1]))
            target = Web3.to_checksum_address("0x" + row.target.hex())
            raw, transaction_hash = self._sign(target, row.data, row.gas, row.nonce, fees)
            log.info("fee-raised", relay=row.id, nonce=row.nonce, max_fee_wei=fees[0])
            # Kept before it is sent: its receipt has to be found.
            self._database.write(lambda connection: keep_attempt(connection, row.id, raw, transaction_hash, fees))
            self._push(row.id, raw)

    def _note(self, connection: Connection, event: Mined) -> None:
        receipt = event.receipt
        gas_used = int(receipt["gasUsed"])
        succeeded = receipt["status"] == 1
        connection.execute(
            update(relays)
            .where(relays.c.id == event.relay_id)
            .values(
                state=int(RelayState.MINED if succeeded else RelayState.REVERTED),
                mined_hash=bytes(receipt["transactionHash"]),
                block_number=int(receipt["blockNumber"]),
                block_hash=bytes(receipt["blockHash"]),
                gas_used=gas_used,
                cost_wei=str(gas_used * int(receipt.get("effectiveGasPrice", 0))),
            )
        )
        if not succeeded:
            give_up(connection, event.relay_id, RelayState.REVERTED)
            return
        for item, (status, reason, detail) in self._judge(event).items():
            set_status(connection, item, status, reason, detail)
