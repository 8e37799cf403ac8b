"""A small market with a bit of everything on a chain in this process, and the node that tells of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from eth_account import Account
from eth_tester.exceptions import TransactionFailed
from hexbytes import HexBytes
from web3 import Web3
from web3.datastructures import AttributeDict
from web3.exceptions import BlockNotFound, TransactionNotFound, Web3Exception

from cli.village import ADA, BOLA, CHIDI, Home, Village
from peerwatt.audit.transport import InProcess, RpcError
from peerwatt.market import relay
from peerwatt.market.accounts import read_account
from peerwatt.market.senders import KeyAccount
from peerwatt.node.encode import header_json
from peerwatt.signing import SELL, Report, sign

TAGS = ("latest", "earliest")


Lie = Callable[[str, list[Any], Any], Any]


def _truth(method: str, params: list[Any], answer: Any) -> Any:
    return answer


class Node:
    """The embedded chain in the words of JSON-RPC. It answers each question once, and then from memory.

    Attributes:
        lie: changes the answers; gets method, parameters and the truth.
        oldest: number of the first block whose state it keeps.
    """

    def __init__(self, w3: Web3) -> None:
        self.lie: Lie = _truth
        self.oldest = 0
        self._w3 = w3
        self._known: dict[tuple[str, str], Any] = {}

    def transport(self, name: str = "the node") -> InProcess:
        return InProcess(self.answer, name)

    def answer(self, method: str, params: list[Any]) -> Any:
        asked = method, json.dumps(params)
        if asked not in self._known:
            self._known[asked] = _to_json(getattr(self, method, self._unknown)(*params))
        if method in ("eth_call", "eth_getCode"):
            self._check_state(params[1])
        return self.lie(method, params, deepcopy(self._known[asked]))

    def beside(self) -> Node:
        """Another node of the same chain, which remembers the same answers and can lie on its own."""
        other = Node(self._w3)
        other._known = self._known
        return other

    def _unknown(self, *_: Any) -> Any:
        raise RpcError(-32601, "the method does not exist")

    def eth_chainId(self) -> int:
        return self._w3.eth.chain_id

    def eth_blockNumber(self) -> int:
        return self._w3.eth.block_number

    def eth_getBlockByNumber(self, number: str, full: bool) -> Any:
        if number not in TAGS and not number.startswith("0x"):
            raise RpcError(-39001, f"{number} block not found")
        return self._block(number if number in TAGS else int(number, 16), full)

    def eth_getBlockByHash(self, block_hash: str, full: bool) -> Any:
        return self._block(HexBytes(block_hash), full)

    def _block(self, which: Any, full: bool) -> Any:
        try:
            block = self._w3.eth.get_block(which, full)
            # eth-tester leaves out some of what a header hashes to.
            chain = self._w3.provider.ethereum_tester.backend.chain  # type: ignore[union-attr]
            header = chain.get_canonical_block_header_by_number(block["number"])
            return {**block, **header_json(header, pending=False)}
        except BlockNotFound:
            return None

    def eth_getTransactionByHash(self, transaction_hash: str) -> Any:
        try:
            return self._w3.eth.get_transaction(HexBytes(transaction_hash))
        except TransactionNotFound:
            return None

    def eth_getTransactionByBlockHashAndIndex(self, block_hash: str, index: str) -> Any:
        return self._w3.eth.get_transaction_by_block(HexBytes(block_hash), int(index, 16))

    def eth_getLogs(self, wanted: dict[str, Any]) -> Any:
        addresses = wanted["address"] if isinstance(wanted["address"], list) else [wanted["address"]]
        where: Any = {**wanted, "address": [Web3.to_checksum_address(address) for address in addresses]}
        return self._w3.eth.get_logs(where)

    def eth_getCode(self, address: str, block: str) -> Any:
        return self._w3.eth.get_code(Web3.to_checksum_address(address), self._state(block))

    def eth_call(self, call: dict[str, str], block: str) -> Any:
        try:
            receiver = {"to": Web3.to_checksum_address(call["to"])} if "to" in call else {}
            request: Any = {**receiver, "data": call["data"]}
            return self._w3.eth.call(request, self._state(block))
        except (TransactionFailed, Web3Exception) as error:
            raise RpcError(3, f"execution reverted: {error}") from error

    @staticmethod
    def _state(block: str) -> Any:
        return block if block in TAGS else int(block, 16)

    def _check_state(self, block: str) -> None:
        if block not in TAGS and int(block, 16) < self.oldest:
            raise RpcError(-32000, "missing trie node")


def _to_json(value: Any) -> Any:
    if isinstance(value, AttributeDict | dict):
        return {key: _to_json(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_to_json(entry) for entry in value]
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    return hex(value) if isinstance(value, int) and not isinstance(value, bool) else value


class Market:
    """A village in which ada sells, bola and chidi buy, one order is cancelled, ada falls short once, money leaves.

    Attributes:
        half: number of a block in the middle of it.
    """

    def __init__(self) -> None:
        self.village = village = Village()
        first = village.window + 2
        village.offer(ADA, first, first + 2, "1 kWh", "100 NGN/kWh")
        village.bid(BOLA, first, first + 1, "1.5 kWh", "150 NGN/kWh")
        village.bid(CHIDI, first, first + 3, "1 kWh", "120 NGN/kWh", nonce=5)
        self.half = int(village.w3.eth.block_number)
        village.gateway.cancel(KeyAccount(Account.from_key(CHIDI.account_key)), 5, first + 3)
        village.travel_to(first)
        village.clear()
        village.travel_to(first + 3)
        village.clear()
        self.report(ADA, first, (0, 1_200, 2_000, 2_000))
        for home in (BOLA, CHIDI):
            self.settle(home)
        village.gateway.withdraw(KeyAccount(Account.from_key(BOLA.account_key)), village.money("20 NGN"))
        self.node = Node(village.w3)

    def report(self, home: Home, first: int, registers: tuple[int, ...]) -> None:
        village = self.village
        report = Report(home.meter, SELL, first, registers)
        slots = read_account(village.gateway, home.account).slots_met(first + len(registers))
        item = relay.ReportItem.from_message(
            home.account, report, sign(report, village.domain, home.meter_key), slots
        )
        village.gateway.relay(village.relayer, item.pack(), strict=True)

    def settle(self, home: Home) -> None:
        village = self.village
        slots = read_account(village.gateway, home.account).slots_met()
        item = relay.DueItem(home.account, 255, relay.pack_hints(slots))
        village.gateway.relay(village.relayer, item.pack(), strict=True)
