"""Signatures are most of an audit's work: they are recovered on all cores, ahead of the replay."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future

from peerwatt.audit.acts import Found
from peerwatt.audit.calldata import MARKET, decode_call
from peerwatt.audit.encoding import event_name, read_event
from peerwatt.audit.history import Block, Transaction
from peerwatt.audit.items import to_signature_record
from peerwatt.audit.recovery import ADDRESS, Helpers, recover_records
from peerwatt.exceptions import ItemCutShort, UnknownItem
from peerwatt.market import relay
from peerwatt.market.words import DeviceWord, ExportsWord
from peerwatt.reference import ZERO_ADDRESS
from peerwatt.signing import Domain

# Signatures that are recovered at once, and transactions that are read for them at the most.
RECORDS_AT_ONCE, AHEAD = 1_000, 256
# Fewer signatures are recovered sooner than a process starts.
WORTH_HELPERS = 3_000

# A relay's items, the meters that they name, and the records of their signatures.
Job = list[tuple[relay.Item, str, bytes | None]]
Pair = tuple[Transaction, Block]


class Bindings:
    """Which meter signs for an account, as the logs tell; the replay checks that it was so."""

    def __init__(self) -> None:
        self._bound: dict[str, str] = {}
        self._counting: dict[str, str] = {}

    def follow(self, transaction: Transaction) -> None:
        """Takes the bindings that a transaction logged."""
        for log in transaction.logs:
            name = event_name(log.topics[0]) if log.topics else ""
            if name == "ParticipantBound":
                values = read_event(log)
                account = values["account"]
                self._bound[account] = DeviceWord.decode(values["device"]).meter.lower()
                self._counting[account] = ExportsWord.decode(values["exports"]).meter.lower()
            elif name == "ParticipantRevoked":
                self._bound.pop(read_event(log)["account"], None)

    def meter(self, item: relay.Item) -> str:
        """The meter that an item's message names."""
        if isinstance(item, relay.OrderItem):
            return self._bound.get(item.account.lower(), ZERO_ADDRESS)
        if isinstance(item, relay.ReportItem):
            return self._counting.get(item.account.lower(), ZERO_ADDRESS)
        return ZERO_ADDRESS


class SignerPool:
    """Recovers signatures ahead of the replay.

    Attributes:
        workers: processes at the most; one means this one.
    """

    def __init__(
        self, domain: Domain, market: str, workers: int | None = None, bindings: Bindings | None = None
    ) -> None:
        """
        Args:
            workers: as many as there are cores if None.
            bindings: of an earlier part of the chain; none if None.
        """
        self.workers = workers or len(os.sched_getaffinity(0))
        self._domain = domain
        self._market = market.lower()
        self._bindings = bindings or Bindings()
        self._seen = 0
        self._helpers: Helpers | None = None

    def close(self) -> None:
        """Ends the processes."""
        if self._helpers is not None:
            self._helpers.close()
            self._helpers = None

    def ahead(self, pairs: Iterable[Pair]) -> Iterator[tuple[Transaction, Block, Found | None]]:
        """The transactions with the signers of their relays, those that could be found beforehand.

        The signatures of the next batch are recovered while the caller works on this one.
        """
        waiting: deque[tuple[list[Pair], list[Job], list[Future[bytes]]]] = deque()
        for batch in self._batches(pairs):
            waiting.append(batch)
            if len(waiting) > 1:
                yield from _join(*waiting.popleft())
        for batch in waiting:
            yield from _join(*batch)

    def _batches(self, pairs: Iterable[Pair]) -> Iterator[tuple[list[Pair], list[Job], list[Future[bytes]]]]:
        batch: list[Pair] = []
        jobs: list[Job] = []
        records: list[bytes] = []
        for transaction, block in pairs:
            job = self._read(transaction)
            batch.append((transaction, block))
            jobs.append(job)
            records += [record for _, _, record in job if record is not None]
            if len(records) >= RECORDS_AT_ONCE or len(batch) == AHEAD:
                yield batch, jobs, self._submit(records)
                batch, jobs, records = [], [], []
        if batch:
            yield batch, jobs, self._submit(records)

    def _submit(self, records: list[bytes]) -> list[Future[bytes]]:
        self._seen += len(records)
        if self._helpers is None and self.workers > 1 and self._seen > WORTH_HELPERS:
            self._helpers = Helpers(self.workers)
        if self._helpers is None:
            done: Future[bytes] = Future()
            done.set_result(recover_records(b"".join(records)))
            return [done]
        size = -(-len(records) // self.workers) or 1
        parts = [records[at : at + size] for at in range(0, len(records), size)]
        return [self._helpers.submit(b"".join(part)) for part in parts]

    def _read(self, transaction: Transaction) -> Job:
        """Items with their meters, of a transaction that is one relay; what else it holds is left to the replay."""
        job: Job = []
        calls = transaction.calls or ()
        if len(calls) == 1 and calls[0].contract == self._market:
            try:
                invocation = decode_call(MARKET, calls[0].data)
                if invocation.function == "relay":
                    items = relay.unpack(invocation.arguments[0])
                    for item in items:
                        meter = self._bindings.meter(item)
                        job.append((item, meter, to_signature_record(item, meter, self._domain)))
            except (ValueError, UnknownItem, ItemCutShort):
                job = []
        self._bindings.follow(transaction)
        return job


def _join(
    pairs: list[Pair], jobs: list[Job], futures: list[Future[bytes]]
) -> Iterator[tuple[Transaction, Block, Found | None]]:
    """Transactions with their items, meters and signers."""
    addresses = b"".join([future.result() for future in futures])
    at = 0
    for (transaction, block), job in zip(pairs, jobs, strict=True):
        found = []
        for item, meter, record in job:
            signer = ZERO_ADDRESS
            if record is not None:
                signer, at = f"0x{addresses[at : at + ADDRESS].hex()}", at + ADDRESS
            found.append((item, meter, signer))
        yield transaction, block, found or None
