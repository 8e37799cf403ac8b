"""Signatures are most of an audit's work: they are recovered on all cores, ahead of the replay."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from itertools import islice

from peerwatt.audit.acts import Found
from peerwatt.audit.calldata import MARKET, decode_call
from peerwatt.audit.encoding import event_name, read_event
from peerwatt.audit.history import Block, Transaction
from peerwatt.audit.items import find_signer
from peerwatt.exceptions import ItemCutShort, UnknownItem
from peerwatt.market import relay
from peerwatt.market.words import DeviceWord, ExportsWord
from peerwatt.reference import ZERO_ADDRESS
from peerwatt.signing import Domain

# Items of a job: enough that the way to another process is worth it.
ITEMS_PER_JOB = 400
# Transactions whose signers are sought ahead.
AHEAD = 256

Job = list[tuple[relay.Item, str]]
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


def find_signers(domain: Domain, job: Job) -> list[str]:
    """Whom the signatures of items recover to; runs in any process."""
    return [find_signer(item, meter, domain) for item, meter in job]


class SignerPool:
    """Recovers signatures ahead of the replay.

    Attributes:
        workers: processes; one means this one.
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
        self._pool: Executor | None = ProcessPoolExecutor(self.workers) if self.workers > 1 else None

    def close(self) -> None:
        """Ends the processes."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def ahead(self, pairs: Iterable[Pair]) -> Iterator[tuple[Transaction, Block, Found | None]]:
        """The transactions with the signers of their relays, those that could be found beforehand."""
        stream = iter(pairs)
        while batch := list(islice(stream, AHEAD)):
            jobs = [self._read(transaction) for transaction, _ in batch]
            flat = [entry for job in jobs for entry in job]
            parts = [flat[at : at + ITEMS_PER_JOB] for at in range(0, len(flat), ITEMS_PER_JOB)]
            if self._pool is None or len(parts) < 2:
                signers = iter(find_signers(self._domain, flat))
            else:
                futures = [self._pool.submit(find_signers, self._domain, part) for part in parts]
                signers = iter([signer for future in futures for signer in future.result()])
            for (transaction, block), job in zip(batch, jobs, strict=True):
                found = [(meter, next(signers)) for _, meter in job]
                yield transaction, block, found or None

    def _read(self, transaction: Transaction) -> Job:
        """Items with their meters, of a transaction that is one relay; what else it holds is left to the replay."""
        job: Job = []
        calls = transaction.calls or ()
        if len(calls) == 1 and calls[0].contract == self._market:
            try:
                invocation = decode_call(MARKET, calls[0].data)
                if invocation.function == "relay":
                    items = relay.unpack(invocation.arguments[0])
                    job = [(item, self._bindings.meter(item)) for item in items]
            except (ValueError, UnknownItem, ItemCutShort):
                job = []
        self._bindings.follow(transaction)
        return job
