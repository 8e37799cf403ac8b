"""Reading what the contracts logged: in ranges of blocks that fit the node, and only what is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from requests.exceptions import ConnectionError as NobodyAnswers
from requests.exceptions import RequestException
from web3 import Web3
from web3.exceptions import BlockNotFound, MethodUnavailable, Web3Exception, Web3RPCError
from web3.types import BlockIdentifier, LogReceipt

from peerwatt.market.events import Event, decode_logs, get_topic
from peerwatt.market.gateway import MarketGateway

# Blocks of the first range, and of the longest.
START_SPAN = 4_096
MAX_SPAN = 2**20
# Answers after which a length that was refused is tried again, at first and at most.
PATIENCE = 4
MAX_PATIENCE = 64
MAX_TRIES = 3

# What the market logs with the account in the first topic.
ACCOUNT_EVENTS = (
    "Deposited",
    "DeviceSet",
    "DueSettled",
    "OrderCancelled",
    "OrderPlaced",
    "ParticipantBound",
    "ParticipantRevoked",
    "RatedSet",
    "ReportSettled",
    "Withdrawn",
)

Result = TypeVar("Result")


class ChainReorganised(Web3Exception):
    """The newest block changed each time while its logs were read."""


@dataclass(frozen=True)
class Head:
    """A block at which something was read.

    Attributes:
        number, time_s: number and timestamp [Unix s].
        hash: 0x-prefixed hex.
    """

    number: int
    hash: str
    time_s: int


@dataclass(frozen=True)
class Range:
    """Blocks first to last and their logs."""

    first: int
    last: int
    logs: Sequence[LogReceipt]


def read_head(w3: Web3, block: BlockIdentifier = "latest") -> Head:
    """The newest block, or another one."""
    found = w3.eth.get_block(block)
    return Head(int(found["number"]), Web3.to_hex(found["hash"]), int(found["timestamp"]))


def read_ranges(
    w3: Web3,
    address: str | Sequence[str],
    topics: Sequence[Any],
    first: int,
    last: int,
    *,
    newest_first: bool = False,
    span: int = START_SPAN,
) -> Iterator[Range]:
    """Logs of blocks first to last, in ranges as long as the node allows; what it refuses is asked for in parts.

    Args:
        topics: as of eth_getLogs; None stands for any.
        newest_first: the newest range first.
        span: blocks of the first range.
    Raises:
        Web3RPCError, RequestException: the node refuses even one block, or is gone.
    """
    length = _Length(span)
    while first <= last:
        blocks = min(length.blocks, last - first + 1)
        low = last - blocks + 1 if newest_first else first
        high = low + blocks - 1
        wanted: Any = {"address": address, "fromBlock": low, "toBlock": high, "topics": list(topics)}
        try:
            logs = w3.eth.get_logs(wanted)
        except (MethodUnavailable, NobodyAnswers):
            raise
        except (Web3RPCError, RequestException):
            if blocks == 1:
                raise
            length.shrink(blocks)
            continue
        length.grow(blocks)
        yield Range(low, high, logs)
        first, last = (first, low - 1) if newest_first else (high + 1, last)


class _Length:
    """How many blocks to ask for: twice as many while all goes well, half after a refusal, then in between.

    Nodes limit the blocks, the logs or the time of an answer, and none says which. So a length that was refused is
    tried again now and then, the more rarely the more often it was.
    """

    def __init__(self, blocks: int) -> None:
        self.blocks = blocks
        self._good = 0
        self._limit = MAX_SPAN
        self._streak = 0
        self._patience = PATIENCE

    def shrink(self, refused: int) -> None:
        """After a refusal of so many blocks."""
        self._limit = refused - 1
        self.blocks = self._good if 0 < self._good < refused else refused // 2
        self._streak, self._patience = 0, min(2 * self._patience, MAX_PATIENCE)

    def grow(self, answered: int) -> None:
        """After an answer for so many blocks."""
        if answered > self._good:
            self._patience = max(self._patience // 2, PATIENCE)
        self._good = answered
        self._streak += 1
        if self._streak >= self._patience:
            self._limit, self._streak = min(2 * self._limit, MAX_SPAN), 0
        gap = self._limit - self.blocks
        if gap > self.blocks // 8:
            self.blocks += min(self.blocks, (gap + 1) // 2)


def read_events(
    gateway: MarketGateway,
    names: Sequence[str],
    last: int,
    *,
    first: int | None = None,
    indexed: Sequence[Any] = (),
    address: str | None = None,
) -> Iterator[Event]:
    """Decoded events of these names, in their sequence.

    Args:
        first, last: blocks; from the market's own if first is None.
        indexed: the topics after the name's, see `topic_of_address` and `topic_of_number`.
        address: the contract; the market if None.
    """
    topics = [[get_topic(name) for name in names], *indexed]
    start = gateway.deployment.block if first is None else first
    for part in read_ranges(gateway.w3, address or gateway.deployment.market, topics, start, last):
        yield from decode_logs(part.logs)


def read_account_events(gateway: MarketGateway, account: str, last: int) -> list[Event]:
    """Everything that moved an account's money, orders or score up to a block, and the clearings it may need.

    An account that ever received what goes to the balancing or the network account has those credits among them.
    """
    own = list(read_events(gateway, ACCOUNT_EVENTS, last, indexed=[topic_of_address(account)]))
    first_order = min((event.block_number for event in own if event.name == "OrderPlaced"), default=None)
    # One walk for both: a node is asked for a range of blocks once, however little it holds.
    names = ["FundAccountsSet"] if first_order is None else ["FundAccountsSet", "WindowCleared"]
    common = list(read_events(gateway, names, last))
    funds = [event for event in common if event.name == "FundAccountsSet"]
    clearings = [
        event for event in common if event.name == "WindowCleared" and event.block_number >= (first_order or 0)
    ]
    roles = gateway.deployment.roles
    holders = {roles.balancing_account, roles.network_account}
    holders |= {str(event.args[name]) for event in funds for name in ("balancing", "network")}
    if account.lower() in {holder.lower() for holder in holders}:
        funds += read_events(gateway, ["FundsCredited"], last)
    return sorted([*own, *funds, *clearings], key=lambda event: (event.block_number, event.log_index))


def read_steadily(w3: Web3, read: Callable[[Head], Result]) -> Result:
    """Calls `read` with the newest block; again if the chain replaced that block meanwhile.

    Raises:
        ChainReorganised: it did so each time.
    """
    for _ in range(MAX_TRIES):
        head = read_head(w3)
        result = read(head)
        try:
            if read_head(w3, head.number).hash == head.hash:
                return result
        except BlockNotFound:
            continue
    raise ChainReorganised("the chain replaced its newest block each time it was read")


def find_block(w3: Web3, time_s: int, first: int, last: int) -> int:
    """The first block of first to last whose timestamp is at or after a moment; last + 1 if there is none."""
    low, high = first, last + 1
    while low < high:
        middle = (low + high) // 2
        if int(w3.eth.get_block(middle)["timestamp"]) >= time_s:
            high = middle
        else:
            low = middle + 1
    return low


def topic_of_address(address: str) -> str:
    """An indexed address as a topic."""
    return "0x" + address.removeprefix("0x").lower().rjust(64, "0")


def topic_of_number(number: int) -> str:
    """An indexed integer as a topic."""
    return f"0x{number:064x}"
