"""The embedded chain as a node answers about it: what reads JSON-RPC can read it in process."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from eth.abc import BlockHeaderAPI, StateAPI
from eth.exceptions import BlockNotFound, HeaderNotFound, TransactionNotFound
from eth_typing import BlockNumber, Hash32

from peerwatt.node.chain import Block
from peerwatt.node.embedded import EmbeddedChain
from peerwatt.node.errors import InvalidParams, RpcError
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
        number = self.height if selector == "latest" else int(selector)
        # A snapshot that is taken back leaves the entries of what it forgot.
        return None if number > self.height else self._load(self.block_hash(number))

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
        except (BlockNotFound, HeaderNotFound):
            return None
        return block if block.number <= self.height and self.block_hash(block.number) == block_hash else None

    def find(self, transaction_hash: bytes) -> tuple[Block, int] | None:
        """The block of a transaction and its index in it, None if it is in no block."""
        try:
            number, index = self._chain.chaindb.get_transaction_index(Hash32(transaction_hash))
        except TransactionNotFound:
            return None
        block = self.block(number)
        if block is None or index >= len(block.transactions) or block.transactions[index].hash != transaction_hash:
            return None
        return block, index

    # State

    @property
    def database(self) -> Any:
        """The nodes of all tries."""
        return self._chain.chaindb.db

    def header_for(self, selector: int | str) -> BlockHeaderAPI:
        """The block after which a call runs.

        Raises:
            InvalidParams: there is no such block.
        """
        block = self.block(selector)
        if block is None:
            raise InvalidParams(f"there is no block {selector}; the newest one is {self.height}")
        return block.header

    def state(self, selector: int | str) -> StateAPI:
        """The state after a block; see `header_for`."""
        return self.state_in(self.header_for(selector))

    def state_in(self, header: BlockHeaderAPI) -> StateAPI:
        """A state to run a transaction in; nothing of it is kept."""
        state: StateAPI = self._chain.get_vm(at_header=header).state
        return state

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
    """A node that answers whatever only reads an embedded chain: blocks, logs, state, calls."""
    view: Any = EmbeddedView(chain)
    return Node(view)
