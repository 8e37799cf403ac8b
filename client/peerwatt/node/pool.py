"""Transactions that wait for a block, and what a node checks before it takes one."""

from __future__ import annotations

from collections.abc import Callable

from eth.abc import BlockHeaderAPI, SignedTransactionAPI, StateAPI
from eth.vm.forks.prague.state import PragueTransactionExecutor
from eth_keys.exceptions import BadSignature
from eth_typing import Address
from eth_utils.exceptions import ValidationError

from peerwatt.node.errors import RpcError

BLOB_TYPE = 3
# A transaction takes another one's place if it pays this much more [%].
REPLACEMENT_PCT = 10


class Pool:
    """Waiting transactions in the sequence of their arrival."""

    def __init__(self) -> None:
        self._waiting: list[SignedTransactionAPI] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def all(self) -> list[SignedTransactionAPI]:
        """All that wait."""
        return list(self._waiting)

    def replace(self, transactions: list[SignedTransactionAPI]) -> None:
        """Puts these in the place of all others."""
        self._waiting = list(transactions)

    def find(self, transaction_hash: bytes) -> SignedTransactionAPI | None:
        """A waiting transaction, None if there is none with this hash."""
        return next((waiting for waiting in self._waiting if waiting.hash == transaction_hash), None)

    def add(self, transaction: SignedTransactionAPI) -> None:
        """Takes a transaction, in the place of one with its sender and nonce that pays less.

        Raises:
            RpcError: the pool has it, or one that it can't replace.
        """
        for index, waiting in enumerate(self._waiting):
            if waiting.hash == transaction.hash:
                raise RpcError("already known")
            if (waiting.sender, waiting.nonce) == (transaction.sender, transaction.nonce):
                if transaction.max_fee_per_gas * 100 < waiting.max_fee_per_gas * (100 + REPLACEMENT_PCT):
                    raise RpcError("replacement transaction underpriced")
                self._waiting[index] = transaction
                return
        self._waiting.append(transaction)

    def ready(self, nonce_of: Callable[[Address], int]) -> list[SignedTransactionAPI]:
        """Those whose nonces follow on from the accounts' nonces."""
        nonces: dict[Address, int] = {}
        chosen: list[SignedTransactionAPI] = []
        left = self.all()
        while True:
            rest = []
            for transaction in left:
                nonce = nonces.setdefault(transaction.sender, nonce_of(transaction.sender))
                if transaction.nonce == nonce:
                    nonces[transaction.sender] = nonce + 1
                    chosen.append(transaction)
                else:
                    rest.append(transaction)
            if len(rest) == len(left):
                return chosen
            left = rest

    def next_nonce(self, account: Address, nonce: int) -> int:
        """The nonce of the account's next transaction, the waiting ones counted."""
        taken = {waiting.nonce for waiting in self._waiting if waiting.sender == account}
        while nonce in taken:
            nonce += 1
        return nonce

    def prune(self, nonce_of: Callable[[Address], int]) -> None:
        """Drops those whose nonces are used."""
        self._waiting = [waiting for waiting in self._waiting if waiting.nonce >= nonce_of(waiting.sender)]


def check_transaction(
    transaction: SignedTransactionAPI, state: StateAPI, header: BlockHeaderAPI, chain_id: int
) -> None:
    """Refuses what can never be included, in geth's words, by which clients recognise the cause.

    Args:
        state: the state on which it would run.
        header: the block that would include it.
    Raises:
        RpcError: it can't be included.
    """
    if transaction.type_id == BLOB_TYPE:
        raise RpcError("blob transactions are not supported by the eth-tester engine; `--engine anvil` takes them")
    if transaction.chain_id not in (None, chain_id):
        raise RpcError(f"invalid chain id for signer: have {transaction.chain_id} want {chain_id}")
    try:
        sender = transaction.sender
    except (BadSignature, ValidationError) as error:
        raise RpcError(f"invalid sender: {error}") from error
    if transaction.gas > header.gas_limit:
        raise RpcError(f"exceeds block gas limit: gas {transaction.gas}, limit {header.gas_limit}")
    least = max(transaction.intrinsic_gas, PragueTransactionExecutor.calc_data_floor_gas(transaction, 0, 0))
    if transaction.gas < least:
        raise RpcError(f"intrinsic gas too low: gas {transaction.gas}, minimum needed {least}")
    if transaction.max_priority_fee_per_gas > transaction.max_fee_per_gas:
        raise RpcError(
            "max priority fee per gas higher than max fee per gas: "
            f"maxPriorityFeePerGas: {transaction.max_priority_fee_per_gas}, maxFeePerGas: {transaction.max_fee_per_gas}"
        )
    base_fee = header.base_fee_per_gas or 0
    if transaction.max_fee_per_gas < base_fee:
        raise RpcError(
            "max fee per gas less than block base fee: "
            f"maxFeePerGas: {transaction.max_fee_per_gas}, baseFee: {base_fee}"
        )
    nonce = state.get_nonce(sender)
    if transaction.nonce < nonce:
        raise RpcError(f"nonce too low: next nonce {nonce}, tx nonce {transaction.nonce}")
    balance, cost = state.get_balance(sender), transaction.gas * transaction.max_fee_per_gas + transaction.value
    if balance < cost:
        raise RpcError(
            f"insufficient funds for gas * price + value: balance {balance}, tx cost {cost}, "
            f"overshot {cost - balance}"
        )
