"""The embedded chain as a node answers about it: what reads JSON-RPC can read it in process."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from eth.abc import BlockHeaderAPI
from eth.exceptions import BlockNotFound, HeaderNotFound, TransactionNotFound
from eth_typing import BlockNumber, Hash32

from peerwatt.node.chain import Block
from peerwatt.node.embedded import EmbeddedChain
from peerwatt.node.errors import RpcError
from peerwatt.node.methods import Node
from peerwatt.node.pool import Pool

CACHED_BLOCKS = 64


class EmbeddedView:
    """The part of `LocalChain` that reads, over an eth-tester chain.

    Attributes:
        chain_id: EIP-155 id.
        pool: empty; the embedded chain mines at once.
    """

    def __init__(self, chain: EmbeddedChain) -> None:
        self.chain_id = int(chain.w3.eth.chain_id)
        self.pool = Pool()
        self._embedded = chain
        self._cache: OrderedDict[bytes, Block] = OrderedDict()

    @property
    def _chain(self) -> Any:
        # Asked for each time: a snapshot that is taken back makes another one.
        return self._embedded.tester.backend.chain

    @property
    def height(self) -> int:
        """Number of the newest block."""
        return int(self._chain.get_canonical_head().block_number)

    def block(self, selector: int | str) -> Block | None:
        """A block by its number or "latest", None if there is none.

        Raises:
            RpcError: the pending one.
        """
        if selector == "pending":
            raise RpcError("what is pending is not told here; ask for the latest block")
        try:
            number = self.height if selector == "latest" else int(selector)
            return self._load(self.block_hash(number))
        except (BlockNotFound, HeaderNotFound):
            return None

    def block_hash(self, number: int) -> bytes:
        """Hash of a block of the chain."""
        return bytes(self._chain.chaindb.get_canonical_block_hash(BlockNumber(number)))

    def header_by_hash(self, block_hash: bytes) -> BlockHeaderAPI:
        """The header of a block that is known to exist."""
        header: BlockHeaderAPI = self._chain.chaindb.get_block_header_by_hash(Hash32(block_hash))
        return header

    def block_by_hash(self, block_hash: bytes) -> Block | None:
        """A block of the chain, None if it has none with this hash."""
        try:
            block = self._load(block_hash)
            return block if self.block_hash(block.number) == block_hash else None
        except (BlockNotFound, HeaderNotFound):
            return None

    def find(self, transaction_hash: bytes) -> tuple[Block, int] | None:
        """The block of a transaction and its index in it, None if it is in no block."""
        try:
            number, index = self._chain.chaindb.get_transaction_index(Hash32(transaction_hash))
        except TransactionNotFound:
            return None
        block = self.block(number)
        # A snapshot that is taken back leaves the entries of what it forgot.
        if block is None or index >= len(block.transactions) or block.transactions[index].hash != transaction_hash:
            return None
        return block, index

    def _load(self, block_hash: bytes) -> Block:
        if block_hash in self._cache:
            self._cache.move_to_end(block_hash)
            return self._cache[block_hash]
        block = self._chain.get_block_by_hash(Hash32(block_hash))
        found = self._cache[block_hash] = Block(block, tuple(block.get_receipts(self._chain.chaindb)))
        if len(self._cache) > CACHED_BLOCKS:
            self._cache.popitem(last=False)
        return found


def view_node(chain: EmbeddedChain) -> Node:
    """A node that answers what reads blocks, transactions, receipts and logs of an embedded chain."""
    view: Any = EmbeddedView(chain)
    return Node(view)
