"""A chain made of nothing but answers, and a node that can be told to lie, to limit and to fail.

Blocks hash, roots fit and transactions are signed, as on a real chain; only nobody executed them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import rlp
from eth_account import Account
from eth_utils.crypto import keccak
from trie import HexaryTrie

from peerwatt.audit.chunks import TRANSFER
from peerwatt.audit.headers import hash_header
from peerwatt.audit.proofs import encode_receipt
from peerwatt.audit.transport import InProcess, RpcError

MARKET, REGISTRY, TOKEN, WALLET = (f"0x{digit * 40}" for digit in "abcd")
CHAIN_ID = 100
KEY = Account.from_key(keccak(text="peerwatt fake chain"))
EVENT = f"0x{keccak(text='Something(uint256)').hex()}"
Json = dict[str, Any]
# Changes an answer: gets method, parameters and what an honest node says.
Lie = Callable[[str, list[Any], Any], Any]


@dataclass(frozen=True)
class Place:
    """Where the market is."""

    block_hash: str
    chain_id: int = CHAIN_ID
    market: str = MARKET
    registry: str = REGISTRY
    token: str = TOKEN
    block: int = 1


def word(value: int | str) -> str:
    number = value if isinstance(value, int) else int(value, 16)
    return f"0x{number:064x}"


def event(value: int, address: str = MARKET) -> Json:
    return {"address": address, "topics": [EVENT], "data": word(value)}


def transfer(sender: str, receiver: str, amount: int) -> Json:
    return {"address": TOKEN, "topics": [TRANSFER, word(sender), word(receiver)], "data": word(amount)}


@dataclass
class FakeChain:
    """Blocks with receipts; block 0 has none.

    Attributes:
        blocks: with transactions in full.
        traces: of the transactions through other contracts.
    """

    blocks: list[Json] = field(default_factory=list)
    receipts: list[list[Json]] = field(default_factory=list)
    traces: dict[str, Json] = field(default_factory=dict)
    nonce: int = 0

    def mine(self, *transactions: tuple[str, Sequence[Json]], salt: str = "") -> None:
        """A block of transactions, each one the address it goes to and what it logs."""
        number = len(self.blocks)
        signed = [self._sign(to, f"{salt}{number}") for to, _ in transactions]
        receipts = []
        position = 0
        for index, (one, (_, logs)) in enumerate(zip(signed, transactions, strict=True)):
            entries = []
            for log in logs:
                place = {"transactionHash": one["hash"], "transactionIndex": hex(index), "logIndex": hex(position)}
                entries.append({**log, **place, "blockNumber": hex(number), "removed": False})
                position += 1
            receipts.append(
                {
                    "type": "0x2",
                    "status": "0x1",
                    "cumulativeGasUsed": hex(21_000 * (index + 1)),
                    "logsBloom": "0x" + "00" * 256,
                    "logs": entries,
                }
            )
        parent = self.blocks[-1]["hash"] if self.blocks else word(0)
        header = self._header(number, parent, salt, signed, receipts)
        header["hash"] = f"0x{hash_header(header).hex()}"
        for index, one in enumerate(signed):
            one.update(blockHash=header["hash"], blockNumber=hex(number), transactionIndex=hex(index))
        for receipt in receipts:
            for log in receipt["logs"]:
                log["blockHash"] = header["hash"]
        self.blocks.append({**header, "transactions": signed})
        self.receipts.append(receipts)

    def fork(self, number: int) -> FakeChain:
        """The chain up to a block, with a life of its own from there."""
        return FakeChain(self.blocks[: number + 1], self.receipts[: number + 1], dict(self.traces), self.nonce)

    def _sign(self, to: str, data: str) -> Json:
        fields = {
            "type": 2,
            "chainId": CHAIN_ID,
            "nonce": self.nonce,
            "maxPriorityFeePerGas": 1,
            "maxFeePerGas": 2,
            "gas": 100_000,
            "to": Account.from_key(b"\1" * 32).address if to == "" else to,
            "value": 0,
            "data": "0x" + data.encode().hex(),
        }
        self.nonce += 1
        one = Account.sign_transaction({**fields, "to": bytes.fromhex(to[2:])}, KEY.key)
        numbers = {name: hex(value) for name, value in fields.items() if isinstance(value, int)}
        return {
            **numbers,
            "accessList": [],
            "to": to,
            "input": fields["data"],
            "from": KEY.address,
            "hash": f"0x{one.hash.hex()}",
            "yParity": hex(one.v),
            "r": hex(one.r),
            "s": hex(one.s),
        }

    @staticmethod
    def _header(number: int, parent: str, salt: str, signed: list[Json], receipts: list[Json]) -> Json:
        trie = HexaryTrie({})
        for index, receipt in enumerate(receipts):
            trie[rlp.encode(index)] = encode_receipt(receipt)
        zero = word(0)
        return {
            "parentHash": parent,
            "sha3Uncles": zero,
            "miner": "0x" + "00" * 20,
            "stateRoot": zero,
            "transactionsRoot": f"0x{keccak(text=''.join(one['hash'] for one in signed)).hex()}",
            "receiptsRoot": f"0x{trie.root_hash.hex()}",
            "logsBloom": "0x" + "00" * 256,
            "difficulty": "0x0",
            "number": hex(number),
            "gasLimit": "0x1",
            "gasUsed": "0x1",
            "timestamp": hex(1_700_000_000 + 12 * number),
            "extraData": "0x" + salt.encode().hex(),
            "mixHash": zero,
            "nonce": "0x" + "00" * 8,
            "baseFeePerGas": "0x1",
        }


@dataclass
class FakeNode:
    """Answers about a chain.

    Attributes:
        final: number of the newest final block; None for a node that knows of none.
        largest: blocks it takes in one question for logs.
        lie: changes the answers.
        asked: how often each method was.
    """

    chain: FakeChain
    final: int | None = None
    largest: int = 10_000
    lie: Lie = lambda method, params, answer: answer
    traces: bool = True
    asked: dict[str, int] = field(default_factory=dict)

    def transport(self, name: str = "the fake node") -> InProcess:
        return InProcess(self.answer, name)

    def answer(self, method: str, params: list[Any]) -> Any:
        self.asked[method] = self.asked.get(method, 0) + 1
        return self.lie(method, params, getattr(self, method, self._unknown)(*params))

    def _unknown(self, *_: Any) -> Any:
        raise RpcError(-32601, "the method does not exist")

    def eth_chainId(self) -> str:
        return hex(CHAIN_ID)

    def eth_getBlockByNumber(self, number: str, full: bool) -> Json | None:
        tags = {"latest": len(self.chain.blocks) - 1, "finalized": self.final}
        wanted = tags[number] if number in tags else int(number, 16)
        if wanted is None:
            raise RpcError(-39001, "finalized block not found")
        return self._short(self.chain.blocks[wanted], full) if wanted < len(self.chain.blocks) else None

    def eth_getBlockByHash(self, wanted: str, full: bool) -> Json | None:
        return next((self._short(one, full) for one in self.chain.blocks if one["hash"] == wanted), None)

    @staticmethod
    def _short(block: Json, full: bool) -> Json:
        return block if full else {**block, "transactions": [one["hash"] for one in block["transactions"]]}

    def eth_getLogs(self, wanted: Json) -> list[Json]:
        if "blockHash" in wanted:
            first = last = next(
                index for index, one in enumerate(self.chain.blocks) if one["hash"] == wanted["blockHash"]
            )
        else:
            first, last = int(wanted["fromBlock"], 16), int(wanted["toBlock"], 16)
            if last - first + 1 > self.largest:
                raise RpcError(-32005, f"query exceeds the range of {self.largest} blocks")
        addresses = wanted["address"] if isinstance(wanted["address"], list) else [wanted["address"]]
        return [
            dict(log)
            for receipts in self.chain.receipts[first : last + 1]
            for receipt in receipts
            for log in receipt["logs"]
            if log["address"] in addresses and _matches(log["topics"], wanted.get("topics", []))
        ]

    def eth_getTransactionByHash(self, wanted: str) -> Json | None:
        return next(
            (dict(one) for block in self.chain.blocks for one in block["transactions"] if one["hash"] == wanted), None
        )

    def eth_getTransactionByBlockHashAndIndex(self, wanted: str, index: str) -> Json | None:
        block = self.eth_getBlockByHash(wanted, True)
        return None if block is None else dict(block["transactions"][int(index, 16)])

    def eth_getBlockReceipts(self, number: str) -> list[Json]:
        return [{**one, "logs": [dict(log) for log in one["logs"]]} for one in self.chain.receipts[int(number, 16)]]

    def debug_traceTransaction(self, wanted: str, options: Json) -> Json:
        if not self.traces:
            self._unknown()
        if wanted not in self.chain.traces:
            raise RpcError(-32000, "required historical state unavailable")
        return self.chain.traces[wanted]


def _matches(topics: list[str], wanted: list[str | None]) -> bool:
    return len(topics) >= len(wanted) and all(two in (None, one) for one, two in zip(topics, wanted, strict=False))


def make_chain(blocks: int = 12) -> FakeChain:
    """A market in block 1, and something in most of the blocks after it: logs of both contracts in one transaction, two
    transactions in a block, deposits, and a gift of tokens that the market knows nothing of."""
    chain = FakeChain()
    chain.mine()
    for number in range(1, blocks):
        if number % 5 == 4:
            chain.mine()
        elif number % 5 == 3:
            chain.mine((TOKEN, [transfer(WALLET, MARKET, number)]), (MARKET, [event(number)]))
        else:
            deposit = [transfer(WALLET, MARKET, number), event(number), event(number + 1, REGISTRY)]
            chain.mine((MARKET, deposit), (REGISTRY, [event(number + 2, REGISTRY)]))
    return chain


def place_of(chain: FakeChain) -> Place:
    return Place(chain.blocks[1]["hash"])
