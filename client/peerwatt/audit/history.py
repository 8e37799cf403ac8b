"""What an auditor knows of a chain: blocks, transactions and logs of one market, in their sequence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Log:
    """One log of the market, its registry, or its token.

    Attributes:
        address: contract that logged it, lower case.
        topics: 32 bytes each.
        block, index: its place in the chain.
        transaction: hash.
    """

    address: str
    topics: tuple[bytes, ...]
    data: bytes
    block: int
    index: int
    transaction: bytes


@dataclass(frozen=True, slots=True)
class Block:
    """A block's header, as far as an audit needs it."""

    number: int
    hash: bytes
    parent_hash: bytes
    time_s: int


@dataclass(frozen=True, slots=True)
class Call:
    """A successful call to the market or its registry.

    Attributes:
        contract: called address, lower case.
        caller: who called, lower case: the transaction's sender, or the contract it went through.
        data: calldata.
    """

    contract: str
    caller: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction that the market logged something in.

    Attributes:
        sender, to: lower case; `to` is empty for a deployment.
        data: its calldata.
        authentic: whether its hash and its signature were recomputed and are right; None if the node gave no signature.
        calls: calls to the contracts in it, in their sequence; None if it went through another contract and the node
            gives no trace.
        logs: of the contracts, in their sequence.
    """

    hash: bytes
    block: int
    index: int
    sender: str
    to: str
    data: bytes
    authentic: bool | None
    calls: tuple[Call, ...] | None
    logs: tuple[Log, ...]


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stretch of the chain, read at once.

    Attributes:
        first: number of its first block.
        end: its last block; reading can go on after it.
        blocks: by number, those that hold one of the logs.
        transactions: those in which a contract of the market logged something, in the chain's sequence.
        transfers: the token's logs of what moved to the market or from it, in the chain's sequence.
    """

    first: int
    end: Block
    blocks: dict[int, Block]
    transactions: tuple[Transaction, ...]
    transfers: tuple[Log, ...]

    def pairs(self) -> Iterator[tuple[Transaction, Block]]:
        """Each transaction with its block."""
        for transaction in self.transactions:
            yield transaction, self.blocks[transaction.block]
