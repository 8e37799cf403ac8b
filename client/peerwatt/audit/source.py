"""A market's history from a node, in chunks: logs, the transactions they are in, and their blocks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from peerwatt.audit.chunks import HASH_LENGTH, ChunkReader, read_block
from peerwatt.audit.failures import Reorganised, RpcFailed, SourceContradiction, SourceError, SourceIncomplete
from peerwatt.audit.history import Block, Chunk
from peerwatt.audit.transport import RpcError, Transport, ask

# Chains of developers: blocks are made on request, and nothing there is ever "finalized" in time.
LOCAL_CHAINS = {1337, 31337}
# How often a chunk is read before its contradictions are believed, and how often the chain may change meanwhile.
ATTEMPTS = 3
PAUSE_S = 0.5
MAX_REORGANISATIONS = 5


class Place(Protocol):
    """Where a market is on its chain; `peerwatt.market.deployment.Deployment` is one."""

    @property
    def chain_id(self) -> int: ...
    @property
    def market(self) -> str: ...
    @property
    def registry(self) -> str: ...
    @property
    def token(self) -> str: ...
    @property
    def block(self) -> int: ...
    @property
    def block_hash(self) -> str: ...


@dataclass
class History:
    """A market's chain up to a block; iterate over it for its chunks, once.

    Attributes:
        last: the block that the audit is about. Where it was not named by its hash, and the chain changes while it is
            read, it becomes the one that took its place.
        after: the block after which reading begins; None for all since the deployment.
        sleep: waits before a chunk is read again.
        reorganisations: how often the chain changed while it was read.
    """

    transport: Transport
    reader: ChunkReader
    place: Place
    last: Block
    named_by_hash: bool
    after: Block | None = None
    sleep: Callable[[float], None] = time.sleep
    reorganisations: int = 0
    _ends: list[Block] = field(default_factory=list)

    def __iter__(self) -> Iterator[Chunk]:
        """Reads on, chunk by chunk, in the chain's sequence.

        Raises:
            SourceIncomplete: something can't be had; `Reorganised` if it is because the chain changed.
            SourceContradiction: the node contradicts itself.
        """
        if self.after is not None:
            self._ends = [self.after]
        first = self.place.block if self.after is None else self.after.number + 1
        while first <= self.last.number:
            chunk = self._read_steadily(first)
            if chunk is None:
                continue
            self._ends.append(chunk.end)
            yield chunk
            first = chunk.end.number + 1
        self._check_ends()

    def _read_steadily(self, first: int) -> Chunk | None:
        """A chunk of the chain that ends in `last`; None if that is another block now."""
        attempt = 1
        while True:
            trouble: SourceError
            chunk = None
            try:
                chunk = self.reader.read(first, self.last.number)
            except RpcFailed:
                raise
            except (SourceContradiction, SourceIncomplete) as error:
                trouble = error
            # Read after everything else, so that what was read is of the chain that ends there.
            if not self.holds(self.last):
                self._move()
                return None
            if chunk is not None:
                if chunk.end.number < self.last.number or chunk.end == self.last:
                    return chunk
                text = f"{self.transport.name} gives now one block {self.last.number}, now another"
                trouble = SourceContradiction(text, self.last.number)
            if attempt == ATTEMPTS:
                raise trouble
            # Behind one URL may be several nodes, and one of them late.
            self.sleep(PAUSE_S * attempt)
            attempt += 1

    def holds(self, block: Block) -> bool:
        """Whether a block is still in the chain."""
        try:
            return read_block(self.transport, block.number).hash == block.hash
        except RpcFailed:
            raise
        except SourceIncomplete:
            # Gone: the chain is shorter now.
            return False

    def _move(self) -> None:
        """Takes the block that is now in the place of the last one."""
        self.reorganisations += 1
        was = f"block {self.last.number} (0x{self.last.hash.hex()}) is no longer in the chain of {self.transport.name}"
        if self.named_by_hash:
            raise Reorganised(f"{was}; name another block", self._consistent())
        if self.reorganisations > MAX_REORGANISATIONS:
            text = f"{was}, and so it went {self.reorganisations} times; name an earlier block"
            raise Reorganised(text, self._consistent())
        if self._ends and not self.holds(self._ends[-1]):
            consistent = self._consistent()
            since = "its deployment" if consistent is None else f"block {consistent.number}"
            raise Reorganised(f"{was}, nor is what was read before; read again from {since}", consistent)
        newest = read_block(self.transport, "latest")
        self.last = read_block(self.transport, min(self.last.number, newest.number))

    def _check_ends(self) -> None:
        """Looks at all blocks again at which chunks ended."""
        consistent = self._consistent()
        if not self._ends or consistent == self._ends[-1]:
            return
        since = "the deployment" if consistent is None else f"block {consistent.number}"
        text = f"the chain of {self.transport.name} changed while it was read; read again from {since}"
        raise Reorganised(text, consistent)

    def _consistent(self) -> Block | None:
        """The newest of the blocks at which chunks ended, up to which all are still in the chain."""
        requests = [("eth_getBlockByNumber", [hex(end.number), False]) for end in self._ends]
        found = None
        for end, raw in zip(self._ends, self.transport.many(requests), strict=True):
            if not isinstance(raw, dict) or raw.get("hash") != f"0x{end.hash.hex()}":
                break
            found = end
        return found


def read_history(
    transport: Transport,
    place: Place,
    last_block: int | str | None = None,
    *,
    after: Block | None = None,
    check_headers: bool = False,
    sleep: Callable[[float], None] = time.sleep,
) -> History:
    """Finds the block an audit is about, and prepares to read everything up to it.

    Args:
        last_block: its number, its hash, or a tag such as "latest". None is the newest final block; the newest one on
            a local chain, where the node knows nothing of finality, and where the market is too young to be final.
        after: read on after this block, which an earlier reading reached.
        check_headers: compute the hash of each header, too. (Chains with headers of their own fail this.)
        sleep: waits before a chunk is read again.
    Raises:
        SourceIncomplete: there is no such block, the node is behind it, or gives no answer.
        SourceContradiction: another chain, or another market than the manifest's.
    """
    try:
        found = int(ask(transport, "eth_chainId"), 16)
    except RpcError as error:
        raise SourceIncomplete(f"{transport.name} does not tell its chain: {error}") from error
    if found != place.chain_id:
        text = f"{transport.name} serves chain {found}, the market is on {place.chain_id}; name the right node"
        raise SourceContradiction(text)
    deployed = read_block(transport, place.block)
    if place.block_hash and f"0x{deployed.hash.hex()}" != place.block_hash.lower():
        raise SourceContradiction(
            f"block {place.block} is 0x{deployed.hash.hex()} at {transport.name}, "
            f"the manifest says {place.block_hash}; the chain was reset or the manifest is not of this market",
            place.block,
        )
    last, named_by_hash = _pin(transport, place, last_block)
    if last.number < place.block:
        raise SourceIncomplete(
            f"the market was deployed in block {place.block}, after block {last.number}; name a later block"
        )
    history = History(
        transport,
        ChunkReader(transport, place.market, place.registry, place.token, check_headers),
        place,
        last,
        named_by_hash,
        after,
        sleep,
    )
    if after is not None and not history.holds(after):
        raise Reorganised(
            f"block {after.number} (0x{after.hash.hex()}), up to which the history was read, is not in the chain of "
            f"{transport.name}; read it from its deployment",
            None,
        )
    return history


def _pin(transport: Transport, place: Place, asked: int | str | None) -> tuple[Block, bool]:
    if isinstance(asked, str) and len(asked) == HASH_LENGTH:
        block = read_block(transport, asked)
        if read_block(transport, block.number) != block:
            text = f"block {asked} is not in the chain of {transport.name}: its number {block.number} is another one"
            raise SourceIncomplete(text)
        return block, True
    if asked is None and place.chain_id not in LOCAL_CHAINS:
        raw: Any = transport.many([("eth_getBlockByNumber", ["finalized", False])])[0]
        if isinstance(raw, dict) and int(raw["number"], 16) >= place.block:
            # By its number, so that all later questions are about a block that the node can find again.
            return read_block(transport, int(raw["number"], 16)), False
    return read_block(transport, "latest" if asked is None else asked), False
