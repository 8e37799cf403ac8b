"""A chain in this process: eth-tester on py-evm, with a clock that can be moved.

No server, no other software; it is gone when the process ends.
"""

from __future__ import annotations

from eth_tester import EthereumTester, PyEVMBackend
from web3 import EthereumTesterProvider, Web3

from peerwatt.node.accounts import BLOCK_GAS_LIMIT
from peerwatt.node.operations import QuickVM

GENESIS_ACCOUNTS = 10
GENESIS_BALANCE_WEI = 10**24


class EmbeddedChain:
    """An eth-tester chain and the web3 that speaks to it.

    Attributes:
        w3: web3 over the in-process provider.
        tester: the chain itself.
        accounts: unlocked accounts with gas money, for deployers and relayers.
    """

    def __init__(self, start_time_s: int | None = None) -> None:
        """
        Args:
            start_time_s: Unix time from which the chain runs [s], in the future; the wall clock if None. (py-evm
                stamps a block with the wall clock, or one second after its parent where that is later.)
        Raises:
            ValueError: the time is not in the future.
        """
        genesis = PyEVMBackend.generate_genesis_params({"gas_limit": BLOCK_GAS_LIMIT})
        state = PyEVMBackend.generate_genesis_state(
            overrides={"balance": GENESIS_BALANCE_WEI}, num_accounts=GENESIS_ACCOUNTS
        )
        self.tester = EthereumTester(PyEVMBackend(genesis, state, vm_configuration=((0, QuickVM),)))
        self.w3 = Web3(EthereumTesterProvider(self.tester))
        self.accounts = [str(account) for account in self.w3.eth.accounts]
        if start_time_s is not None:
            self.travel_to(start_time_s)

    @property
    def time_s(self) -> int:
        """Timestamp that the next block will have at the earliest [s]."""
        return int(self.w3.eth.get_block("pending")["timestamp"])

    def travel_to(self, time_s: int) -> None:
        """Moves the clock forward, so that the next block has this timestamp.

        Raises:
            ValueError: the time is not after the newest block's.
        """
        newest_s = int(self.w3.eth.get_block("latest")["timestamp"])
        if time_s <= newest_s:
            raise ValueError(f"the chain is at {newest_s} s already, {time_s} s is not after it; choose a later time")
        self.tester.time_travel(time_s)

    def take_snapshot(self) -> int:
        """Remembers the chain as it is, for `revert_to`."""
        return int(self.tester.take_snapshot())

    def revert_to(self, snapshot: int) -> None:
        """Brings the chain back to a snapshot."""
        self.tester.revert_to_snapshot(snapshot)
