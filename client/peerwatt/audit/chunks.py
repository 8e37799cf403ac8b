"""One stretch of a market's chain from a node, checked against itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from eth_utils.crypto import keccak

from peerwatt.audit.authentic import Raw, is_authentic
from peerwatt.audit.failures import RpcFailed, SourceContradiction, SourceIncomplete
from peerwatt.audit.headers import hash_header
from peerwatt.audit.history import Block, Call, Chunk, Log, Transaction
from peerwatt.audit.ranges import Ranges
from peerwatt.audit.traces import Tracer
from peerwatt.audit.transport import Request, Transport
from peerwatt.market.deployment import predict_address

TRANSFER = f"0x{keccak(text='Transfer(address,address,uint256)').hex()}"
# Of a hash in hex.
HASH_LENGTH = 66
# What an answer that is not as it must be raises when it is read.
UNREADABLE = (AttributeError, IndexError, KeyError, TypeError, ValueError)


class ChunkReader:
    """Reads chunks of a chain.

    Attributes:
        ranges: how many blocks the node takes in one question.
        tracer: whether it gives traces.
        check_headers: compute the hash of each header.
    """

    def __init__(
        self,
        transport: Transport,
        market: str,
        registry: str,
        token: str,
        check_headers: bool = False,
        only: Sequence[Sequence[Any]] | None = None,
    ) -> None:
        """
        Args:
            only: topics as of `eth_getLogs`: logs of the contracts with any of them, and none of the token. All if
                None.
        """
        self.ranges = Ranges()
        self._transport = transport
        self._contracts = (market.lower(), registry.lower())
        self._token = token.lower()
        self.tracer = Tracer(transport, self._contracts)
        self.check_headers = check_headers
        party = "0x" + market[2:].lower().rjust(64, "0")
        own = {"address": list(self._contracts)}
        self._of_contracts: list[dict[str, Any]] = [own] if only is None else [{**own, "topics": one} for one in only]
        self._of_token: list[dict[str, Any]] = (
            [
                {"address": self._token, "topics": [TRANSFER, party]},
                {"address": self._token, "topics": [TRANSFER, None, party]},
            ]
            if only is None
            else []
        )

    def read(self, first: int, last: int) -> Chunk:
        """The chunk that begins with a block; as large as the node likes it, and not beyond `last`.

        Raises:
            SourceIncomplete: something can't be had.
            SourceContradiction: the answers contradict each other.
        """
        while True:
            end = self.ranges.end(first, last)
            found = self._logs(first, end)
            if found is not None:
                self.ranges.took(sum(len(logs) for logs in found))
                break
            self.ranges.refused()
        try:
            return self._assemble(first, end, *found)
        except UNREADABLE as error:
            text = f"{self._transport.name} gives blocks {first} to {end} in a form that can't be read ({error!r})"
            raise SourceContradiction(text) from error

    def _logs(self, first: int, end: int) -> tuple[list[Raw], list[Raw]] | None:
        """Logs of the contracts, and of the token; None if the node wants to be asked for fewer blocks."""
        stretch = {"fromBlock": hex(first), "toBlock": hex(end)}
        single = first == end
        try:
            answers = self._ask(stretch, None if single else 2)
        except RpcFailed:
            # It may be too much for the node: a timeout, or a broken connection.
            if single:
                raise
            return None
        refusal = next((one for one in answers if not isinstance(one, list)), None)
        if refusal is not None:
            if not single:
                return None
            answers = self._ask({"blockHash": f"0x{read_block(self._transport, first).hash.hex()}"}, None)
            refusal = next((one for one in answers if not isinstance(one, list)), None)
        if refusal is not None:
            raise SourceIncomplete(f"{self._transport.name} does not give the logs of block {first}: {refusal}")
        middle = len(self._of_contracts)
        return _merge(answers[:middle]), _merge(answers[middle:])

    def _ask(self, stretch: dict[str, str], attempts: int | None) -> list[Any]:
        filters = (*self._of_contracts, *self._of_token)
        return self._transport.many([("eth_getLogs", [{**stretch, **one}]) for one in filters], attempts)

    def _assemble(self, first: int, end: int, contract_logs: list[Raw], token_logs: list[Raw]) -> Chunk:
        logs = self._in_sequence(contract_logs, first, end, self._contracts)
        transfers = self._in_sequence(token_logs, first, end, (self._token,))
        in_blocks = {int(log["blockNumber"], 16): log for log in (*logs, *transfers)}
        hashes = list(dict.fromkeys(log["transactionHash"] for log in logs))
        numbers = sorted({*in_blocks, end})
        requests: list[Request] = [("eth_getBlockByNumber", [hex(number), False]) for number in numbers]
        requests += [("eth_getTransactionByHash", [one]) for one in hashes]
        answers = self._transport.many(requests)
        headers = dict(zip(numbers, answers, strict=False))
        blocks = self._blocks(headers)
        for log in (*logs, *transfers):
            self._check_place(log, headers[int(log["blockNumber"], 16)])
        raws = self._transactions(dict(zip(hashes, answers[len(numbers) :], strict=True)), logs)
        calls = self._calls(raws)
        transactions = tuple(
            self._transaction(raws[one], calls[one], group)
            for one, group in groupby(logs, key=lambda log: str(log["transactionHash"]))
        )
        return Chunk(
            first,
            blocks[end],
            {number: block for number, block in blocks.items() if number in in_blocks},
            transactions,
            tuple(_log(log) for log in transfers),
        )

    # Logs

    def _in_sequence(self, logs: list[Raw], first: int, end: int, addresses: Sequence[str]) -> list[Raw]:
        """The logs in the chain's sequence.

        Raises:
            SourceContradiction: one was not asked for, is twice there, or was removed.
        """
        ordered = sorted(logs, key=lambda log: (int(log["blockNumber"], 16), int(log["logIndex"], 16)))
        before: Raw | None = None
        for log in ordered:
            if log.get("removed"):
                raise self._contradiction("gives a log that it calls removed", log)
            if not first <= int(log["blockNumber"], 16) <= end or log["address"].lower() not in addresses:
                raise self._contradiction(f"was asked for blocks {first} to {end}, and gives another log", log)
            if before is not None and _place(before) == _place(log):
                raise self._contradiction("gives a log twice", log)
            if before is not None and before["blockNumber"] == log["blockNumber"]:
                earlier, later = int(before["transactionIndex"], 16), int(log["transactionIndex"], 16)
                same = before["transactionHash"] == log["transactionHash"]
                if earlier > later or same != (earlier == later):
                    raise self._contradiction("gives logs in another sequence than their transactions", log)
            before = log
        return ordered

    def _check_place(self, log: Raw, header: Raw) -> None:
        if log["blockHash"] != header["hash"]:
            text = f"gives a log with block hash {log['blockHash']}, and the block with hash {header['hash']}"
            raise self._contradiction(text, log)
        index, listed = int(log["transactionIndex"], 16), header["transactions"]
        if index >= len(listed) or listed[index] != log["transactionHash"]:
            raise self._contradiction(f"gives a log of transaction {index}, which the block does not list there", log)

    # Blocks

    def _blocks(self, headers: dict[int, Any]) -> dict[int, Block]:
        blocks: dict[int, Block] = {}
        for number, raw in headers.items():
            block = blocks[number] = _to_block(self._transport, number, raw)
            before = blocks.get(number - 1)
            if before is not None and before.hash != block.parent_hash:
                text = f"has block 0x{before.hash.hex()} before one whose parent is 0x{block.parent_hash.hex()}"
                raise SourceContradiction(f"{self._transport.name} {text}", number)
            if self.check_headers and hash_header(raw) != block.hash:
                text = f"gives a header that hashes to 0x{hash_header(raw).hex()}, and calls it {raw['hash']}"
                raise SourceContradiction(f"{self._transport.name} {text}", number)
        return blocks

    # Transactions

    def _transactions(self, found: dict[str, Any], logs: Iterable[Raw]) -> dict[str, Raw]:
        """The transactions of logs, by hash, at the places that the logs say."""
        logged = {log["transactionHash"]: log for log in reversed(list(logs))}
        # A node that keeps no index of old transactions still finds them in their blocks.
        missing = [one for one, raw in found.items() if not isinstance(raw, dict)]
        places = [[logged[one]["blockHash"], logged[one]["transactionIndex"]] for one in missing]
        again = self._transport.many([("eth_getTransactionByBlockHashAndIndex", place) for place in places])
        found = {**found, **dict(zip(missing, again, strict=True))}
        for one, raw in found.items():
            log = logged[one]
            if not isinstance(raw, dict):
                text = f"does not give transaction {one} of block {int(log['blockNumber'], 16)}"
                raise SourceIncomplete(f"{self._transport.name} {text}: {'it has none' if raw is None else raw}")
            names = ("blockHash", "blockNumber", "transactionIndex")
            for name, told, expected in [("hash", raw["hash"], one), *((name, raw[name], log[name]) for name in names)]:
                if told != expected:
                    text = f"gives a log with {name} {expected}, and the transaction with {told}"
                    raise self._contradiction(text, log)
        return found

    def _calls(self, raws: dict[str, Raw]) -> dict[str, tuple[Call, ...] | None]:
        """The calls to the contracts in each transaction."""
        calls: dict[str, tuple[Call, ...] | None] = {}
        through = []
        for one, raw in raws.items():
            to = (raw["to"] or "").lower()
            if to in self._contracts:
                calls[one] = (Call(to, raw["from"].lower(), bytes.fromhex(raw["input"][2:])),)
            elif not to and _created(raw) in self._contracts:
                calls[one] = ()
            else:
                through.append(one)
        return {**calls, **dict(zip(through, self.tracer.calls(through), strict=True))}

    def _transaction(self, raw: Raw, calls: tuple[Call, ...] | None, logs: Iterable[Raw]) -> Transaction:
        return Transaction(
            hash=bytes.fromhex(raw["hash"][2:]),
            block=int(raw["blockNumber"], 16),
            index=int(raw["transactionIndex"], 16),
            sender=raw["from"].lower(),
            to=(raw["to"] or "").lower(),
            data=bytes.fromhex(raw["input"][2:]),
            authentic=is_authentic(raw),
            calls=calls,
            logs=tuple(_log(log) for log in logs),
        )

    def _contradiction(self, text: str, log: Raw) -> SourceContradiction:
        block, index, transaction = int(log["blockNumber"], 16), int(log["logIndex"], 16), str(log["transactionHash"])
        place = f"block {block}, transaction {transaction}, log {index}"
        return SourceContradiction(f"{self._transport.name} {text} ({place})", block, transaction, index)


def read_block(transport: Transport, block: int | str) -> Block:
    """A block by its number, its hash or a tag.

    Raises:
        SourceIncomplete: the node has none.
    """
    if isinstance(block, str) and len(block) == HASH_LENGTH:
        method, name = "eth_getBlockByHash", block.lower()
    else:
        method, name = "eth_getBlockByNumber", hex(block) if isinstance(block, int) else block
    raw = transport.many([(method, [name, False])])[0]
    try:
        return _to_block(transport, block, raw)
    except UNREADABLE as error:
        raise SourceContradiction(f"{transport.name} gives block {block} in a form that can't be read") from error


def headers_hash(transport: Transport, numbers: Iterable[int]) -> bool:
    """Whether the headers of blocks hash to what the node calls the blocks' hashes."""
    requests: list[Request] = [("eth_getBlockByNumber", [hex(number), False]) for number in numbers]
    try:
        return all(f"0x{hash_header(raw).hex()}" == raw["hash"] for raw in transport.many(requests))
    except UNREADABLE:
        return False


def _to_block(transport: Transport, asked: int | str, raw: Any) -> Block:
    if not isinstance(raw, dict):
        why = "it has none" if raw is None else str(raw)
        raise SourceIncomplete(f"{transport.name} does not give block {asked}: {why}")
    block = Block(
        int(raw["number"], 16),
        bytes.fromhex(raw["hash"][2:]),
        bytes.fromhex(raw["parentHash"][2:]),
        int(raw["timestamp"], 16),
    )
    if isinstance(asked, int) and block.number != asked:
        raise SourceContradiction(f"{transport.name} was asked for block {asked}, and gives {block.number}", asked)
    if isinstance(asked, str) and len(asked) == HASH_LENGTH and raw["hash"] != asked.lower():
        raise SourceContradiction(f"{transport.name} was asked for block {asked}, and gives {raw['hash']}")
    return block


def _merge(answers: Sequence[list[Raw]]) -> list[Raw]:
    """All logs; those that several filters let through, such as what the market sends to itself, once."""
    merged: list[Raw] = []
    for answer in answers:
        known = {_place(log): log for log in merged}
        merged += [log for log in answer if known.get(_place(log)) != log]
    return merged


def _place(log: Raw) -> tuple[str, str]:
    return log["blockNumber"], log["logIndex"]


def _log(raw: Raw) -> Log:
    return Log(
        address=raw["address"].lower(),
        topics=tuple([bytes.fromhex(topic[2:]) for topic in raw["topics"]]),
        data=bytes.fromhex(raw["data"][2:]),
        block=int(raw["blockNumber"], 16),
        index=int(raw["logIndex"], 16),
        transaction=bytes.fromhex(raw["transactionHash"][2:]),
    )


def _created(raw: Raw) -> str:
    """Address of the contract that a transaction deployed, lower case."""
    return predict_address(raw["from"], int(raw["nonce"], 16)).lower()
