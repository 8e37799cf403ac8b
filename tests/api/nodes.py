"""A village on a node that is a process of its own."""

from __future__ import annotations

from typing import Any

from web3 import HTTPProvider, Web3

from cli.village import START_S


class AnvilChain:
    """What a village needs of a chain, on anvil."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.w3 = Web3(HTTPProvider(url))
        self.accounts = [str(account) for account in self.w3.eth.accounts]
        self.travel_to(START_S)

    @property
    def time_s(self) -> int:
        """The newest block's time [s]."""
        return int(self.w3.eth.get_block("latest")["timestamp"])

    def travel_to(self, time_s: int) -> None:
        """Mines a block at this time [s]."""
        self.ask("evm_setNextBlockTimestamp", time_s)
        self.mine()

    def mine(self, blocks: int = 1) -> None:
        """Mines blocks."""
        self.ask("anvil_mine", hex(blocks))

    def reorganise(self, depth: int) -> None:
        """Replaces so many blocks by empty ones; what they had is gone, from the pool too."""
        self.ask("anvil_reorg", depth, [])

    def ask(self, method: str, *parameters: Any) -> Any:
        """A call that is no standard one.

        Raises:
            AssertionError: the node refused it.
        """
        answer = self.w3.provider.make_request(method, list(parameters))  # type: ignore[arg-type]
        assert "error" not in answer, (method, answer)
        return answer.get("result")
