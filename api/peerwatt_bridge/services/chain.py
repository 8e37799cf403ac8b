"""The chain as the bridge sees it: one market behind one node, its time even while the node is away."""

from __future__ import annotations

import time
from datetime import UTC
from functools import cached_property

from requests.exceptions import RequestException
from web3 import HTTPProvider, Web3
from web3.exceptions import BlockNotFound, Web3Exception

from peerwatt.market.clock import MarketClock, get_chain_time_s
from peerwatt.market.deployment import Deployment
from peerwatt.market.gateway import MarketGateway
from peerwatt.market.history import Head, read_head
from peerwatt.signing import Domain, TokenDomain
from peerwatt.units import PriceGrid

# What a node that is away, busy or behind raises.
TROUBLES = (Web3Exception, RequestException, OSError)


class Chain:
    """One market on one node."""

    def __init__(self, w3: Web3, deployment: Deployment, confirmations: int | None) -> None:
        """
        Args:
            confirmations: blocks on top of a final block; None: as the node says by its tag `finalized`.
        """
        self.w3 = w3
        self.deployment = deployment
        self.gateway = MarketGateway(w3, deployment)
        self.domain = Domain(deployment.chain_id, deployment.market)
        self._confirmations = confirmations
        self._offset_s = 0.0

    @classmethod
    def connect(cls, url: str, deployment: Deployment, timeout_s: float, confirmations: int | None) -> Chain:
        """A chain over HTTP; nothing is asked yet."""
        w3 = Web3(HTTPProvider(url, request_kwargs={"timeout": timeout_s}))
        return cls(w3, deployment, confirmations)

    @cached_property
    def grid(self) -> PriceGrid:
        """The market's prices and money."""
        return self.gateway.price_grid()

    @cached_property
    def token_domain(self) -> TokenDomain:
        """Where permits count."""
        return self.gateway.token_domain()

    def read_time(self) -> int:
        """Asks the chain for its time [Unix s]."""
        now_s = get_chain_time_s(self.w3)
        self._offset_s = now_s - time.time()
        return now_s

    def now_s(self) -> int:
        """The chain's time as last read, run on by this machine's clock [Unix s]; asks nobody."""
        return int(time.time() + self._offset_s)

    def clock(self, now_s: int | None = None) -> MarketClock:
        """The market's windows at a moment; now without one."""
        parameters = self.deployment.parameters
        at_s = self.now_s() if now_s is None else now_s
        return MarketClock(parameters.window_seconds, parameters.lead_seconds, at_s, UTC)

    def head(self) -> Head:
        """The newest block."""
        return read_head(self.w3)

    def final_number(self, head: int) -> int:
        """Number of the newest block that stays; -1 if there is none."""
        if self._confirmations is not None:
            return head - self._confirmations
        try:
            return int(self.w3.eth.get_block("finalized")["number"])
        except BlockNotFound:
            return -1

    def is_canonical(self, number: int, block_hash: bytes) -> bool:
        """Whether the chain has this very block."""
        try:
            return bytes(self.w3.eth.get_block(number)["hash"]) == block_hash
        except BlockNotFound:
            return False
