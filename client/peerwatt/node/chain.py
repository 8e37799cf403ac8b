"""The chain of the eth-tester engine: py-evm under Prague rules, with a clock, a pool, snapshots and a file.

Block after block in one line; a revert moves the head back, and what was above it is forgotten.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import rlp
from eth.abc import BlockAPI, BlockHeaderAPI, ReceiptAPI, SignedTransactionAPI, StateAPI
from eth.consensus.context import ConsensusContext
from eth.constants import POST_MERGE_DIFFICULTY, POST_MERGE_NONCE, ZERO_ADDRESS
from eth.db.atomic import AtomicDB
from eth.db.chain import ChainDB
from eth.rlp.headers import BlockHeader
from eth.vm.chain_context import ChainContext
from eth.vm.forks.prague import PragueVM
from eth_typing import Address, BlockNumber, Hash32
from eth_utils.crypto import keccak
from eth_utils.exceptions import ValidationError

from peerwatt.node.accounts import BALANCE_WEI, BLOCK_GAS_LIMIT, CHAIN_ID, dev_accounts
from peerwatt.node.clock import ChainClock
from peerwatt.node.errors import STARTED, InvalidParams, NodeSetupError, RpcError
from peerwatt.node.operations import QuickVM
from peerwatt.node.pool import Pool, check_transaction
from peerwatt.node.store import Store

Selector = int | Literal["latest", "pending"]
# Decoded blocks at hand; the rest is read from the store again.
CACHED_BLOCKS = 512

CHAIN_ID_KEY = b"peerwatt/chain-id"
OFFSET_KEY = b"peerwatt/offset"
HEAD_KEY = b"peerwatt/head"
ROOT_KEY = b"peerwatt/root"


def block_key(number: int) -> bytes:
    """Key of a block's hash."""
    return b"peerwatt/block/%d" % number


def transaction_key(transaction_hash: bytes) -> bytes:
    """Key of a transaction's block number and index."""
    return b"peerwatt/transaction/" + transaction_hash


def sender_key(transaction_hash: bytes) -> bytes:
    """Key of the sender of a transaction that nobody signed."""
    return b"peerwatt/sender/" + transaction_hash


@dataclass(frozen=True)
class Block:
    """A block with its receipts.

    Attributes:
        block: header and transactions.
        receipts: one for each transaction.
    """

    block: BlockAPI
    receipts: tuple[ReceiptAPI, ...]

    @property
    def header(self) -> BlockHeaderAPI:
        """The block's header."""
        return self.block.header

    @property
    def number(self) -> int:
        """The block's number."""
        return int(self.block.header.block_number)

    @property
    def transactions(self) -> tuple[SignedTransactionAPI, ...]:
        """The block's transactions."""
        return tuple(self.block.transactions)


@dataclass
class _Snapshot:
    head: BlockHeaderAPI
    root: bytes
    clock: ChainClock
    waiting: list[SignedTransactionAPI] = field(default_factory=list)


class LocalChain:
    """A chain of its own.

    Attributes:
        clock: gives blocks their timestamps.
        pool: transactions that are not in a block yet.
        automine: a block for each transaction.
        chain_id: EIP-155 id.
        head: header of the newest block.
    """

    def __init__(
        self,
        store: Store | None = None,
        *,
        chain_id: int = CHAIN_ID,
        start_s: int | None = None,
        automine: bool = True,
        clock: ChainClock | None = None,
    ) -> None:
        """Makes the chain, or goes on with the one in the store.

        Args:
            store: where the chain is kept; in memory if None.
            start_s: Unix time at which a new chain starts [s]; the wall clock if None.
        Raises:
            NodeSetupError: the store has a chain with another id, or one that has started already.
        """
        self.clock = clock or ChainClock()
        self.pool = Pool()
        self.automine = automine
        self.chain_id = chain_id
        self._store = store or Store()
        self._chaindb = ChainDB(self._store.db)
        self._context = ChainContext(chain_id)
        self._snapshots: list[_Snapshot] = []
        self._cache: OrderedDict[bytes, Block] = OrderedDict()
        kept = self._store.get(HEAD_KEY)
        if kept is None:
            self._start(start_s)
        else:
            self._resume(kept, start_s)

    def _start(self, start_s: int | None) -> None:
        if start_s is not None:
            self.clock.set_now(start_s)
        before = BlockHeader(difficulty=0, block_number=BlockNumber(-1), gas_limit=0)
        state = PragueVM.build_state(self._store.db, before, self._context)
        for account in dev_accounts():
            state.set_balance(Address(bytes.fromhex(account.address[2:])), BALANCE_WEI)
        state.persist()
        header = PragueVM.create_genesis_header(
            difficulty=POST_MERGE_DIFFICULTY,
            nonce=POST_MERGE_NONCE,
            gas_limit=BLOCK_GAS_LIMIT,
            timestamp=self.clock.now_s(),
            state_root=state.state_root,
        )
        self._store.db[CHAIN_ID_KEY] = str(self.chain_id).encode()
        self._append(PragueVM.get_block_class().from_header(header, self._chaindb))

    def _resume(self, head: bytes, start_s: int | None) -> None:
        chain_id = int(self._store.db[CHAIN_ID_KEY])
        if chain_id != self.chain_id:
            raise NodeSetupError(
                f"the state file has chain {chain_id}, asked for {self.chain_id}; "
                f"leave out --chain-id {self.chain_id} or name another file"
            )
        if start_s is not None:
            raise NodeSetupError(STARTED)
        self.head = self.header_by_hash(head)
        self.root = self._store.db[ROOT_KEY]
        self.clock.offset_s = int(self._store.db[OFFSET_KEY])

    def close(self) -> None:
        """Keeps what has to be kept and releases the file."""
        self._keep()
        self._store.close()

    @property
    def database(self) -> AtomicDB:
        """The nodes of all tries."""
        return self._store.db

    # Blocks

    @property
    def height(self) -> int:
        """Number of the newest block."""
        return int(self.head.block_number)

    def block(self, selector: Selector) -> Block | None:
        """A block, None if there is none with this number. The pending one is what would be mined now."""
        if selector == "pending":
            return self._assemble(self._next_header(), self.pool.ready(self.state("latest").get_nonce))
        number = self.height if selector == "latest" else int(selector)
        return None if number > self.height else self._load(self.block_hash(number))

    def block_hash(self, number: int) -> bytes:
        """Hash of a block of the chain."""
        return bytes(self._store.db[block_key(number)])

    def header_by_hash(self, block_hash: bytes) -> BlockHeaderAPI:
        """The header of a block that is known to exist."""
        return self._chaindb.get_block_header_by_hash(Hash32(block_hash))

    def block_by_hash(self, block_hash: bytes) -> Block | None:
        """A block of the chain, None if it has none with this hash."""
        try:
            block = self._load(block_hash)
        except Exception:  # py-evm has no single type for bytes that are no hash of a header
            return None
        return block if block.number <= self.height and self.block_hash(block.number) == block_hash else None

    def find(self, transaction_hash: bytes) -> tuple[Block, int] | None:
        """The block of a transaction and its index in it, None if it is in no block."""
        place = self._store.get(transaction_key(transaction_hash))
        if place is None:
            return None
        number, index = rlp.decode(place, rlp.sedes.List([rlp.sedes.big_endian_int] * 2))
        block = self.block(number)
        # A revert leaves the entries of what it forgot.
        if block is None or index >= len(block.transactions) or block.transactions[index].hash != transaction_hash:
            return None
        return block, index

    def _load(self, block_hash: bytes) -> Block:
        if block_hash in self._cache:
            self._cache.move_to_end(block_hash)
            return self._cache[block_hash]
        block = PragueVM.get_block_class().from_header(self.header_by_hash(block_hash), self._chaindb)
        for transaction in block.transactions:
            sender = self._store.get(sender_key(transaction.hash))
            if sender is not None:
                set_sender(transaction, sender)
        return self._remember(Block(block, tuple(block.get_receipts(self._chaindb))))

    def _remember(self, block: Block) -> Block:
        self._cache[bytes(block.block.hash)] = block
        if len(self._cache) > CACHED_BLOCKS:
            self._cache.popitem(last=False)
        return block

    # Mining

    def submit(self, transaction: SignedTransactionAPI) -> None:
        """Takes a transaction into the pool, and mines it at once if the chain does so.

        Raises:
            RpcError: it can never be included.
        """
        check_transaction(transaction, self.state("latest"), self._next_header(), self.chain_id)
        if self.find(transaction.hash) is not None:
            raise RpcError("already known")
        self.pool.add(transaction)
        if self.automine:
            self.mine()

    def mine(self, time_s: int | None = None) -> Block:
        """Makes a block of what waits in the pool and can be included.

        Args:
            time_s: its timestamp [s]; the clock's if None.
        Raises:
            InvalidParams: the time is not after the newest block's.
        """
        if time_s is not None:
            self.set_next_time(time_s)
        ready = self.pool.ready(self.state("latest").get_nonce)
        header = self._next_header()
        self.clock.take(int(self.head.timestamp))
        block = self._assemble(header, ready)
        for transaction in block.transactions:
            if "sender" in vars(transaction) and getattr(transaction, "unsigned", False):
                self._store.db[sender_key(transaction.hash)] = bytes(transaction.sender)
        self._append(block.block)
        self.pool.prune(self.state("latest").get_nonce)
        return self._remember(block)

    def set_next_time(self, time_s: int) -> None:
        """The next block gets this timestamp [s], and the clock goes on from there.

        Raises:
            InvalidParams: it is not after the newest block's.
        """
        if time_s <= self.head.timestamp:
            raise InvalidParams(
                f"timestamp {time_s} is not after the newest block's, {self.head.timestamp}; choose a later time"
            )
        self.clock.exact_s = time_s

    def _next_header(self) -> BlockHeaderAPI:
        parent = self.head
        header: BlockHeaderAPI = PragueVM.create_header_from_parent(
            parent,
            timestamp=self.clock.next_block_s(int(parent.timestamp)),
            gas_limit=parent.gas_limit,
            coinbase=ZERO_ADDRESS,
            # PREVRANDAO: the same for a call and for the block that follows it.
            mix_hash=keccak(parent.hash),
        )
        return header.copy(state_root=self.root)

    def _assemble(self, header: BlockHeaderAPI, transactions: Sequence[SignedTransactionAPI]) -> Block:
        vm = self._vm(header)
        done: list[SignedTransactionAPI] = []
        receipts: list[ReceiptAPI] = []
        for transaction in transactions:
            try:
                receipt, _ = vm.apply_transaction(header, transaction)
            except ValidationError:
                # Not payable now (a base fee above its limit, a block that is full): it goes on waiting.
                continue
            header = vm.add_receipt_to_header(header, receipt)
            done.append(transaction)
            receipts.append(receipt)
        filled = vm.set_block_transactions_and_withdrawals(vm.get_block(), header, tuple(done), tuple(receipts))
        return Block(vm.mine_block(filled).block, tuple(receipts))

    def _append(self, block: BlockAPI) -> None:
        header = block.header
        self._store.db[header.hash] = rlp.encode(header)
        self._store.db[block_key(header.block_number)] = header.hash
        for index, transaction in enumerate(block.transactions):
            self._store.db[transaction_key(transaction.hash)] = rlp.encode([header.block_number, index])
        self.head = header
        self.root = bytes(header.state_root)
        self._keep()

    def _keep(self) -> None:
        self._store.db[HEAD_KEY] = self.head.hash
        self._store.db[ROOT_KEY] = self.root
        self._store.db[OFFSET_KEY] = str(self.clock.offset_s).encode()
        self._store.commit()

    # State

    def header_for(self, selector: Selector) -> BlockHeaderAPI:
        """The block in which a call runs: for "latest" and "pending" the next one, else the one named, with the state
        after it.

        Raises:
            InvalidParams: there is no such block.
        """
        if selector == "latest":
            return self._next_header()
        if selector == "pending":
            if not self.pool:
                return self._next_header()
            pending = self.block("pending")
            assert pending is not None
            return pending.header
        if selector == self.height:
            return self.head.copy(state_root=self.root)
        block = self.block(selector)
        if block is None:
            raise InvalidParams(f"there is no block {selector}; the newest one is {self.height}")
        return block.header

    def state(self, selector: Selector) -> StateAPI:
        """The state after a block; for "latest" with what was set by hand since.

        Raises:
            InvalidParams: there is no such block.
        """
        return self.state_in(self.header_for(selector))

    def state_in(self, header: BlockHeaderAPI) -> StateAPI:
        """A state to run a transaction in; nothing of it is kept."""
        return self._vm(header).state

    def edit(self, change: Callable[[StateAPI], Any]) -> None:
        """Changes the newest state without a transaction, for tests."""
        state = self.state("latest")
        change(state)
        state.persist()
        self.root = bytes(state.state_root)
        self._keep()

    def _vm(self, header: BlockHeaderAPI) -> PragueVM:
        return QuickVM(header, self._chaindb, self._context, ConsensusContext(self._store.db))

    # Snapshots

    def snapshot(self) -> int:
        """Marks this moment: blocks, state, clock and pool; returns the mark."""
        self._snapshots.append(_Snapshot(self.head, self.root, self.clock.copy(), self.pool.all()))
        return len(self._snapshots) - 1

    def revert(self, mark: int) -> bool:
        """Goes back to a mark and forgets it and those after it; False if there is none."""
        if not 0 <= mark < len(self._snapshots):
            return False
        kept = self._snapshots[mark]
        del self._snapshots[mark:]
        self.head, self.root, self.clock = kept.head, kept.root, kept.clock
        self.pool.replace(kept.waiting)
        self._keep()
        return True


def set_sender(transaction: SignedTransactionAPI, sender: bytes) -> None:
    """Makes a transaction somebody's who did not sign it."""
    vars(transaction).update(sender=Address(sender), unsigned=True)
