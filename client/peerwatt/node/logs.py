"""Logs by address, topics and range; an index by block makes thousands of blocks cheap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eth_bloom.bloom import BloomFilter

from peerwatt.node.chain import LocalChain
from peerwatt.node.encode import Json, logs_json
from peerwatt.node.errors import InvalidParams
from peerwatt.node.params import read_addresses, read_data, read_selector, read_topics, show

FIELDS = {"fromBlock", "toBlock", "address", "topics", "blockHash"}


@dataclass(frozen=True)
class LogFilter:
    """Which logs are asked for.

    Attributes:
        first, last: numbers of the blocks, both included.
        addresses: of the contracts, None for any.
        topics: for each position the words that may stand there, None for any.
    """

    first: int
    last: int
    addresses: frozenset[bytes] | None
    topics: Sequence[frozenset[int] | None]

    @classmethod
    def read(cls, value: Any, chain: LocalChain) -> LogFilter:
        """A filter object of a request.

        Raises:
            InvalidParams: a field is wrong or unknown.
        """
        if not isinstance(value, dict):
            raise InvalidParams(f"the filter is {show(value)}; give an object")
        unknown = set(value) - FIELDS
        if unknown:
            raise InvalidParams(f"a filter has no field {sorted(unknown)[0]!r}; there are {', '.join(sorted(FIELDS))}")
        addresses, topics = read_addresses(value.get("address")), read_topics(value.get("topics"))
        if "blockHash" in value:
            if "fromBlock" in value or "toBlock" in value:
                raise InvalidParams("a filter has either blockHash or fromBlock and toBlock; leave out one of them")
            block = chain.block_by_hash(read_data(value["blockHash"], "blockHash", 32))
            if block is None:
                raise InvalidParams(f"there is no block with hash {value['blockHash']}")
            return cls(block.number, block.number, addresses, topics)
        first, last = (
            chain.height if isinstance(selector, str) else selector
            for selector in (read_selector(value.get(name), chain) for name in ("fromBlock", "toBlock"))
        )
        if first > last and isinstance(value.get("toBlock"), str) and value["toBlock"].startswith("0x"):
            raise InvalidParams(f"the filter goes from block {first} to {last}; give the lower one first")
        return cls(first, last, addresses, topics)

    def matches(self, entry: Json) -> bool:
        """Whether a log is one of them; its block is not looked at."""
        if self.addresses is not None and bytes.fromhex(entry["address"][2:]) not in self.addresses:
            return False
        found = entry["topics"]
        return len(found) >= len(self.topics) and all(
            words is None or int(topic, 16) in words for words, topic in zip(self.topics, found, strict=False)
        )

    def masks(self) -> list[list[int]]:
        """For each condition the bloom bits of its alternatives; a block without any of them has no such log."""
        conditions = [self.addresses] if self.addresses is not None else []
        conditions += [frozenset(word.to_bytes(32, "big") for word in words) for words in self.topics if words]
        return [[int(BloomFilter.from_iterable([value])) for value in values] for values in conditions]


class LogIndex:
    """The logs of a chain's blocks, decoded once."""

    def __init__(self, chain: LocalChain) -> None:
        self._chain = chain
        # By hash, so that what a revert forgot is never found again.
        self._blooms: dict[bytes, int] = {}
        self._logs: dict[bytes, list[Json]] = {}

    def select(self, wanted: LogFilter) -> list[Json]:
        """The logs that a filter asks for, in the chain's sequence."""
        masks = wanted.masks()
        found: list[Json] = []
        for number in range(max(0, wanted.first), min(wanted.last, self._chain.height) + 1):
            block_hash = self._chain.block_hash(number)
            bloom = self._bloom(block_hash)
            if bloom and all(any(bloom & mask == mask for mask in masks_of_one) for masks_of_one in masks):
                found += [entry for entry in self._decoded(block_hash, number) if wanted.matches(entry)]
        return found

    def _bloom(self, block_hash: bytes) -> int:
        if block_hash not in self._blooms:
            self._blooms[block_hash] = int(self._chain.header_by_hash(block_hash).bloom)
        return self._blooms[block_hash]

    def _decoded(self, block_hash: bytes, number: int) -> list[Json]:
        if block_hash not in self._logs:
            block = self._chain.block(number)
            assert block is not None
            self._logs[block_hash] = logs_json(block)
        return self._logs[block_hash]


@dataclass
class Watch:
    """A filter that was installed: what it wants and how far it was read."""

    kind: str
    seen: int
    criteria: Any = None
    reported: frozenset[bytes] = frozenset()


class Watches:
    """The filters that clients installed."""

    def __init__(self, chain: LocalChain, index: LogIndex) -> None:
        self._chain = chain
        self._index = index
        self._watches: dict[int, Watch] = {}
        self._next = 1

    def install(self, kind: str, criteria: Any = None) -> int:
        """Installs a filter for "logs", "blocks" or "transactions"; returns its number."""
        if kind == "logs":
            LogFilter.read(criteria, self._chain)
        number, self._next = self._next, self._next + 1
        self._watches[number] = Watch(kind, self._chain.height, criteria)
        return number

    def uninstall(self, number: int) -> bool:
        """Removes a filter; False if there is none."""
        return self._watches.pop(number, None) is not None

    def rewind(self) -> None:
        """After a revert: the blocks that come in the place of those forgotten are new to everybody."""
        for watch in self._watches.values():
            watch.seen = min(watch.seen, self._chain.height)

    def changes(self, number: int) -> list[Any]:
        """What came since the last time.

        Raises:
            InvalidParams: no such filter.
        """
        watch = self._get(number)
        first, height = watch.seen + 1, self._chain.height
        watch.seen = height
        if watch.kind == "logs":
            wanted = LogFilter.read(watch.criteria, self._chain)
            last = height if watch.criteria.get("toBlock") in (None, "latest", "pending") else wanted.last
            return self._index.select(LogFilter(first, min(last, height), wanted.addresses, wanted.topics))
        if watch.kind == "blocks":
            return ["0x" + self._chain.block_hash(block).hex() for block in range(first, height + 1)]
        waiting = [bytes(transaction.hash) for transaction in self._chain.pool.all()]
        mined = [bytes(t.hash) for n in range(first, height + 1) for t in self._transactions(n)]
        fresh = [key for key in dict.fromkeys(mined + waiting) if key not in watch.reported]
        watch.reported = frozenset(waiting)
        return ["0x" + key.hex() for key in fresh]

    def logs(self, number: int) -> list[Json]:
        """All logs that a log filter wants.

        Raises:
            InvalidParams: no such filter, or not for logs.
        """
        watch = self._get(number)
        if watch.kind != "logs":
            raise InvalidParams(f"filter {number} is not for logs; read it with eth_getFilterChanges")
        return self._index.select(LogFilter.read(watch.criteria, self._chain))

    def _transactions(self, number: int) -> Sequence[Any]:
        block = self._chain.block(number)
        return () if block is None else block.transactions

    def _get(self, number: int) -> Watch:
        if number not in self._watches:
            raise InvalidParams(f"filter not found: {number}; install it again")
        return self._watches[number]
