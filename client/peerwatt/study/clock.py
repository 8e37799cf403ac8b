"""The study's clock on a chain: moved where the chain allows it, waited for where not."""

from __future__ import annotations

import time
from typing import Protocol

from web3 import Web3

from peerwatt.node.embedded import EmbeddedChain
from peerwatt.node.travel import can_travel, travel_to

# The same weekday of another year, so that the sun of the study stands nearly where its clock says.
YEAR_S = 364 * 86400


class Clock(Protocol):
    """Moves a chain's time."""

    simulated: bool

    def now_s(self) -> int:
        """Timestamp of the newest block [s]."""
        ...

    def advance_to(self, time_s: int) -> None:
        """Returns when the next block will have at least this timestamp [s]."""
        ...


class EmbeddedClock:
    """The clock of the chain in this process."""

    simulated = True

    def __init__(self, chain: EmbeddedChain) -> None:
        self._chain = chain

    def now_s(self) -> int:
        return int(self._chain.w3.eth.get_block("latest")["timestamp"])

    def advance_to(self, time_s: int) -> None:
        if self.now_s() < time_s:
            self._chain.travel_to(time_s)


class TravellingClock:
    """A local chain behind a node: `peerwatt node`, anvil."""

    simulated = True

    def __init__(self, w3: Web3) -> None:
        self._w3 = w3

    @classmethod
    def detect(cls, w3: Web3) -> TravellingClock | None:
        """A clock for the node if it can travel, else None."""
        return cls(w3) if can_travel(w3) else None

    def now_s(self) -> int:
        return int(self._w3.eth.get_block("latest")["timestamp"])

    def advance_to(self, time_s: int) -> None:
        if self.now_s() < time_s:
            travel_to(self._w3, time_s)


class RealClock:
    """A node that lives in real time: the study waits."""

    simulated = False

    def __init__(self, w3: Web3) -> None:
        self._w3 = w3

    def now_s(self) -> int:
        return int(self._w3.eth.get_block("latest")["timestamp"])

    def advance_to(self, time_s: int) -> None:
        # A block after this moment carries at least this timestamp; no block may come before somebody sends something.
        while (left_s := time_s - time.time()) > 0:
            time.sleep(min(left_s, 1.0))


def shift_into_future(start_s: int, earliest_s: int) -> int:
    """`start_s` moved by whole years of 52 weeks until it is not before `earliest_s` [s]."""
    years = max(0, -((start_s - earliest_s) // YEAR_S))
    return start_s + years * YEAR_S
