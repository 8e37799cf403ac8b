"""Who pays the gas of a transaction: a key in this process, or an account unlocked on the node."""

from __future__ import annotations

from typing import Protocol

from eth_account.signers.local import LocalAccount
from eth_typing import ChecksumAddress
from hexbytes import HexBytes
from web3 import Web3
from web3.types import TxParams, Wei


class Sender(Protocol):
    """Anything that can put a transaction on the chain in the name of one address."""

    @property
    def address(self) -> ChecksumAddress:
        """The account that pays."""
        ...

    def send(self, w3: Web3, transaction: TxParams) -> HexBytes:
        """Signs if needed, sends, and returns the transaction's hash."""
        ...


class NodeAccount:
    """An account that the node itself holds unlocked (embedded chain, anvil)."""

    def __init__(self, address: str) -> None:
        self._address = Web3.to_checksum_address(address)

    @property
    def address(self) -> ChecksumAddress:
        return self._address

    def send(self, w3: Web3, transaction: TxParams) -> HexBytes:
        return HexBytes(w3.eth.send_transaction({**transaction, "from": self._address}))


class KeyAccount:
    """A private key held by this process; the node sees signed transactions only."""

    def __init__(self, account: LocalAccount) -> None:
        self._account = account

    @property
    def address(self) -> ChecksumAddress:
        return self._account.address

    def send(self, w3: Web3, transaction: TxParams) -> HexBytes:
        # What it will use and a fifth: the account needs no money for a limit that it does not reach, and what would
        # be refused is refused here, before it costs anything.
        estimated = estimate_gas(w3, {**transaction, "from": self.address})
        priority_fee = w3.eth.max_priority_fee
        base_fee = w3.eth.get_block("latest").get("baseFeePerGas", Wei(0))
        full: TxParams = {
            **transaction,
            "from": self.address,
            "chainId": w3.eth.chain_id,
            "nonce": w3.eth.get_transaction_count(self.address, "pending"),
            "gas": min(transaction.get("gas", estimated * 6 // 5), estimated * 6 // 5),
            "maxPriorityFeePerGas": priority_fee,
            "maxFeePerGas": Wei(2 * base_fee + priority_fee),
        }
        signed = self._account.sign_transaction(full)  # type: ignore[arg-type]
        return HexBytes(w3.eth.send_raw_transaction(signed.raw_transaction))


def estimate_gas(w3: Web3, transaction: TxParams) -> int:
    """The gas that a transaction would use in the next block.

    Raises:
        Web3Exception: it would fail; `get_reason` finds the contract's reason in it.
    """
    from peerwatt.market.transactions import get_reason

    try:
        # At the time that the next block will have: on a quiet chain the newest one's can be long past.
        return int(w3.eth.estimate_gas(transaction, "pending"))
    except Exception as error:
        if get_reason(error) is not None:
            raise
        # Not every node serves the pending block.
        return int(w3.eth.estimate_gas(transaction))
