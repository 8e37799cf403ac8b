"""Follows the chain: what market and registry logged is stored, and removed when the chain takes it back."""

from __future__ import annotations

import time
from collections.abc import Sequence

import structlog
from sqlalchemy import Connection
from web3 import Web3
from web3.exceptions import BlockNotFound
from web3.types import LogReceipt

from peerwatt.market.events import Event, decode_logs
from peerwatt.market.history import Head, Range, read_head, read_ranges
from peerwatt_bridge.services.chain import Chain
from peerwatt_bridge.services.rows import reopen
from peerwatt_bridge.storage import history, notices
from peerwatt_bridge.storage.database import Database
from peerwatt_bridge.storage.leases import Leases

log = structlog.get_logger(__name__)
LEASE = "follower"
LEASE_S = 30
# Blocks that are looked at together on the way back to a fork.
STEP = 64
# What happened longer ago is history, not news [s].
NEWS_S = 86_400
PRUNE_EVERY_S = 60


class Follower:
    """Keeps the store at the chain's head; of all bridges on one database only one does."""

    def __init__(self, database: Database, chain: Chain, leases: Leases) -> None:
        self._database = database
        self._chain = chain
        self._leases = leases
        self._pruned_s = 0.0

    def round(self) -> None:
        """Follows to the newest block; nothing if another bridge does.

        Raises:
            Web3Exception, RequestException, OSError: the node fails. The next round goes on where this one ended.
        """
        if not self._leases.hold(LEASE, LEASE_S):
            return
        head = self._chain.head()
        known, gone = self._find_fork(head)
        final = min(self._chain.final_number(head.number), head.number)
        if gone:
            self._database.write(lambda connection: self._rewind(connection, known, final))
        start = self._chain.deployment.block if known is None else known + 1
        addresses = [self._chain.deployment.market, self._chain.deployment.registry]
        for part in read_ranges(self._chain.w3, addresses, [], start, head.number):
            if not self._leases.hold(LEASE, LEASE_S) or not self._keep(part, head, final):
                return
        with self._database.reading() as connection:
            followed = history.read_position(connection)
        if followed != (head.number, final):
            self._database.write(lambda connection: self._finish(connection, head.number, final))
        if time.monotonic() - self._pruned_s > PRUNE_EVERY_S:
            self._pruned_s = time.monotonic()
            self._database.write(notices.prune)

    def _find_fork(self, head: Head) -> tuple[int | None, bool]:
        """The newest block that store and chain share (None: not one), and whether the store has others above it."""
        below: int | None = None
        gone = False
        while True:
            with self._database.reading() as connection:
                kept = history.read_blocks_back(connection, below, STEP)
            if not kept:
                return None, gone
            for block in kept:
                if self._is_on_chain(block, head):
                    return block.number, gone
                gone = True
            below = kept[-1].number

    def _is_on_chain(self, block: Head, head: Head) -> bool:
        if block.number >= head.number:
            return block == head
        try:
            return read_head(self._chain.w3, block.number).hash == block.hash
        except BlockNotFound:
            return False

    def _rewind(self, connection: Connection, known: int | None, final: int) -> None:
        if not self._leases.check(connection, LEASE):
            return
        fork = self._chain.deployment.block - 1 if known is None else known
        _, was_final = history.read_position(connection)
        # The chain took back what it had promised to keep, or `confirmations` is too low for it.
        if history.has_logs_between(connection, fork, was_final):
            reopened = reopen(connection, fork)
            notices.notify(connection, "reopened", [{"block": fork, "was_final": was_final, "relays": reopened}])
            log.error("final-taken-back", block=fork, was_final=was_final, relays=reopened)
        dropped = history.drop_above(connection, fork)
        history.write_position(connection, fork, min(final, fork))
        notices.notify(connection, "rewound", [{"block": fork, "events": dropped}])
        log.info("rewound", block=fork, events=dropped)

    def _keep(self, part: Range, head: Head, final: int) -> bool:
        """Keeps a range; False if the chain changed while it was read, so that the next round has to look again."""
        w3 = self._chain.w3
        found = list(decode_logs(part.logs))
        hashes = _hashes_of(part.logs)
        try:
            # The end of the range too, so that a reorganisation is found where it happened.
            heads = [read_head(w3, number) for number in sorted({*hashes, part.last})]
            steady = read_head(w3, head.number) == head
        except BlockNotFound:
            return False
        # The head is still there: so are all blocks below it, which were read after it.
        if not steady or any(hashes.get(block.number, block.hash) != block.hash for block in heads):
            return False
        return self._database.write(lambda connection: self._add(connection, heads, found, final))

    def _add(self, connection: Connection, heads: Sequence[Head], found: Sequence[Event], final: int) -> bool:
        if not self._leases.check(connection, LEASE):
            return False
        known = history.read_blocks_back(connection, None, 1)
        if known and known[0].number >= heads[0].number:
            return False
        history.add_blocks(connection, heads, found)
        _, was_final = history.read_position(connection)
        history.write_position(connection, heads[-1].number, was_final)
        times = {block.number: block.time_s for block in heads}
        since_s = self._chain.now_s() - NEWS_S
        news = [_tell(event, final) for event in found if times[event.block_number] >= since_s]
        notices.notify(connection, "market", news)
        return True

    def _finish(self, connection: Connection, head_number: int, final: int) -> None:
        if not self._leases.check(connection, LEASE):
            return
        was_head, was_final = history.read_position(connection)
        # Only marks that no longer can be needed to find a fork.
        history.drop_marks(connection, min(final, head_number))
        if final > was_final and was_head == head_number:
            history.write_position(connection, head_number, final)
            notices.notify(connection, "final", [{"block": final}])


def _hashes_of(logs: Sequence[LogReceipt]) -> dict[int, str]:
    return {int(entry["blockNumber"]): Web3.to_hex(entry["blockHash"]) for entry in logs}


def _tell(event: Event, final: int) -> dict[str, object]:
    return {
        "name": event.name,
        "account": event.args.get("account"),
        "window": event.args.get("window"),
        "block": event.block_number,
        "transaction": event.transaction_hash,
        "final": event.block_number <= final,
    }
