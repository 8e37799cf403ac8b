"""Following a market block by block, also over blocks that the chain takes back."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from web3.exceptions import BlockNotFound

from peerwatt.market.events import Event, decode_logs, get_topic
from peerwatt.market.gateway import MarketGateway
from peerwatt.market.history import Head, read_head, read_ranges

# Heads remembered to find where two branches of the chain part.
MEMORY = 256
NEWS = (
    "AgentSet",
    "BookClosed",
    "Deposited",
    "DeviceSet",
    "DueSettled",
    "FeederSet",
    "ItemSkipped",
    "OrderCancelled",
    "OrderPlaced",
    "ParticipantBound",
    "ParticipantRevoked",
    "Paused",
    "RatedSet",
    "ReportSettled",
    "RetailSet",
    "TariffSet",
    "WindDownAnnounced",
    "WindowCleared",
    "Withdrawn",
)


@dataclass(frozen=True)
class News:
    """What happened since the last look.

    Attributes:
        head: newest block.
        replaced_from: the first block that the chain replaced since then, None if it kept all; what happened in the
            new ones is among the events.
        events: in their sequence, each with the timestamp of its block [Unix s].
    """

    head: Head
    replaced_from: int | None
    events: tuple[tuple[int, Event], ...]


class Follower:
    """Reads what is new at each look.

    Args:
        first: the first block of interest.
    """

    def __init__(self, gateway: MarketGateway, first: int) -> None:
        self._gateway = gateway
        self._first = first
        self._heads: deque[Head] = deque(maxlen=MEMORY)
        self._topics = [[get_topic(name) for name in NEWS]]

    def look(self) -> News:
        """What is new.

        Raises:
            Web3Exception, RequestException, OSError: the node fails. The next look misses nothing.
        """
        head = read_head(self._gateway.w3)
        kept = list(self._heads)
        while kept and not self._is_on_chain(kept[-1], head):
            kept.pop()
        replaced_from = None
        first = kept[-1].number + 1 if kept else self._first
        if len(kept) < len(self._heads):
            if not kept:
                # All that is remembered is gone: as far back as that may matter.
                first = min(self._first, self._heads[0].number, head.number)
            replaced_from = first
        events = [event for part in self._read(first, head.number) for event in part]
        news = News(head, replaced_from, tuple(self._with_times(events, head)))
        # Only now: had the node failed above, the next look would begin at the same block.
        if not kept or kept[-1].number < head.number:
            kept.append(head)
        self._heads = deque(kept, maxlen=MEMORY)
        return news

    def _is_on_chain(self, seen: Head, head: Head) -> bool:
        if seen.number >= head.number:
            return seen == head
        try:
            return read_head(self._gateway.w3, seen.number).hash == seen.hash
        except BlockNotFound:
            return False

    def _read(self, first: int, last: int) -> list[list[Event]]:
        deployment = self._gateway.deployment
        addresses = [deployment.market, deployment.registry]
        parts = read_ranges(self._gateway.w3, addresses, self._topics, first, last)
        return [list(decode_logs(part.logs)) for part in parts]

    def _with_times(self, events: list[Event], head: Head) -> list[tuple[int, Event]]:
        times = {head.number: head.time_s}
        for event in events:
            if event.block_number not in times:
                times[event.block_number] = read_head(self._gateway.w3, event.block_number).time_s
        return [(times[event.block_number], event) for event in events]
