"""Who has orders: follows the market's logs from its first block on, through restarts and reorganisations."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from eth_utils.crypto import keccak
from web3 import Web3
from web3.exceptions import BlockNotFound, Web3Exception

from peerwatt.market.events import decode_logs
from peerwatt.market.gateway import MarketGateway

ORDER_PLACED = Web3.to_hex(keccak(text="OrderPlaced(address,uint256)"))
# Blocks that one question covers: less if the node finds the answer too long, more if it answers.
FIRST_SPAN, LONGEST_SPAN = 2_000, 50_000
# Places remembered on the way, to find out how far back a reorganisation went.
CHECKPOINTS = 64


@dataclass
class FollowerState:
    """How far the logs were read, to go on from there.

    Attributes:
        market: address of the market.
        origin: hash of the market's block; on a chain that was reset it differs.
        checkpoints: number and hash of blocks up to which everything was read, the newest last.
        accounts: those that may have windows to settle.
    """

    market: str
    origin: str
    checkpoints: list[tuple[int, str]] = field(default_factory=list)
    accounts: set[str] = field(default_factory=set)

    def to_json(self) -> dict[str, Any]:
        """The state for a file."""
        return {
            "market": self.market,
            "origin": self.origin,
            "checkpoints": [list(checkpoint) for checkpoint in self.checkpoints],
            "accounts": sorted(self.accounts),
        }

    @classmethod
    def from_json(cls, fields: Any) -> FollowerState:
        """The state of a file.

        Raises:
            ValueError: it is none.
        """
        try:
            return cls(
                str(fields["market"]),
                str(fields["origin"]),
                [(int(number), str(block_hash)) for number, block_hash in fields["checkpoints"]],
                {Web3.to_checksum_address(account) for account in fields["accounts"]},
            )
        except (LookupError, TypeError, ValueError) as error:
            raise ValueError(f"no state of a keeper ({error})") from error


class OrderFollower:
    """The accounts that placed an order and may have something to settle."""

    def __init__(self, gateway: MarketGateway, state: FollowerState | None = None) -> None:
        """
        Args:
            state: of an earlier run; one of another market or chain is not used.
        """
        self._gateway = gateway
        deployment = gateway.deployment
        fresh = FollowerState(deployment.market, deployment.block_hash)
        same = state is not None and (state.market, state.origin) == (fresh.market, fresh.origin)
        self.state = state if state is not None and same else fresh
        self._span = FIRST_SPAN

    def update(self) -> tuple[set[str], int | None]:
        """Reads the logs since the last time.

        Returns:
            Accounts with a new order; and the block from which logs had to be read again after a reorganisation, else
            None.
        Raises:
            Web3Exception, OSError: of the node; what was read so far is kept.
        """
        reread = self._step_back()
        seen: set[str] = set()
        newest = self._gateway.w3.eth.get_block("latest")
        head = int(newest["number"])
        first = self._next_block()
        while first <= head:
            last = min(first + self._span - 1, head)
            accounts = self._read(first, last)
            if accounts is None:
                continue
            seen |= accounts
            self.state.accounts |= accounts
            block = newest if last == head else self._gateway.w3.eth.get_block(last)
            self.state.checkpoints.append((last, Web3.to_hex(block["hash"])))
            del self.state.checkpoints[:-CHECKPOINTS]
            first = last + 1
        return seen, reread

    def forget(self, accounts: Iterable[str]) -> None:
        """Drops accounts that have nothing to settle; their next order brings them back."""
        self.state.accounts.difference_update(accounts)

    def _next_block(self) -> int:
        checkpoints = self.state.checkpoints
        return checkpoints[-1][0] + 1 if checkpoints else self._gateway.deployment.block

    def _step_back(self) -> int | None:
        """Forgets the checkpoints that the chain no longer has."""
        checkpoints = self.state.checkpoints
        before = len(checkpoints)
        while checkpoints and not self._is_on_chain(*checkpoints[-1]):
            checkpoints.pop()
        return self._next_block() if len(checkpoints) < before else None

    def _is_on_chain(self, number: int, block_hash: str) -> bool:
        try:
            return Web3.to_hex(self._gateway.w3.eth.get_block(number)["hash"]) == block_hash
        except BlockNotFound:
            return False

    def _read(self, first: int, last: int) -> set[str] | None:
        """The accounts of orders in blocks; None if the node would not answer for so many."""
        try:
            logs = self._gateway.w3.eth.get_logs(
                {
                    "address": self._gateway.deployment.market,
                    "topics": [ORDER_PLACED],
                    "fromBlock": first,
                    "toBlock": last,
                }
            )
        except Web3Exception:
            if last == first:
                raise
            # Nodes limit the blocks or the logs of an answer, each in words of its own.
            self._span = max(1, (last - first + 1) // 2)
            return None
        self._span = min(self._span * 2, LONGEST_SPAN)
        return {str(event.args["account"]) for event in decode_logs(logs)}
