"""Two nodes beside each other: the first place where they tell different histories, and which one is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from peerwatt.audit.authentic import Raw, is_authentic
from peerwatt.audit.chunks import UNREADABLE, ChunkReader
from peerwatt.audit.failures import SourcesDisagree
from peerwatt.audit.headers import hash_header
from peerwatt.audit.history import Block, Chunk, Log, Transaction
from peerwatt.audit.proofs import check_receipts
from peerwatt.audit.source import History
from peerwatt.audit.transport import Transport


@dataclass(frozen=True)
class _Difference:
    """Where two histories part, and what each says there; None for nothing."""

    block: int
    transaction: bytes | None
    log_index: int | None
    told: tuple[object, object]


def crosscheck(history: History, other: Transport) -> Iterator[Chunk]:
    """The chunks of a history, each one after another node has told the same.

    Raises:
        SourcesDisagree: it tells something else.
        SourceIncomplete, SourceContradiction: of either node, see `History`.
    """
    place = history.place
    reader = ChunkReader(other, place.market, place.registry, place.token)
    for chunk in history:
        first = chunk.first
        parts = []
        while first <= chunk.end.number:
            parts.append(reader.read(first, chunk.end.number))
            first = parts[-1].end.number + 1
        difference = _compare(chunk, parts)
        if difference is not None:
            raise _judge(difference, history.transport, other)
        yield chunk


def _compare(chunk: Chunk, parts: list[Chunk]) -> _Difference | None:
    found = [_find_transactions(chunk, parts), _find_logs(chunk, parts), _find_blocks(chunk, parts)]
    differences = [one for one in found if one is not None]
    return min(differences, key=lambda one: (one.block, one.log_index or 0), default=None)


def _find_blocks(chunk: Chunk, parts: list[Chunk]) -> _Difference | None:
    one = {**chunk.blocks, chunk.end.number: chunk.end}
    two = {number: block for part in parts for number, block in part.blocks.items()}
    two[parts[-1].end.number] = parts[-1].end
    for number in sorted({*one, *two}):
        if number in one and number in two and one[number] != two[number]:
            return _Difference(number, None, None, (one[number], two[number]))
    return None


def _find_transactions(chunk: Chunk, parts: list[Chunk]) -> _Difference | None:
    """Differences in a transaction that are in none of its logs."""
    two = {transaction.hash: transaction for part in parts for transaction in part.transactions}
    for ours in chunk.transactions:
        theirs = two.get(ours.hash)
        if theirs is not None and _fields(ours) != _fields(theirs):
            return _Difference(ours.block, ours.hash, None, (_fields(ours), _fields(theirs)))
    return None


def _fields(transaction: Transaction) -> tuple[object, ...]:
    return transaction.block, transaction.index, transaction.sender, transaction.to, transaction.data


def _find_logs(chunk: Chunk, parts: list[Chunk]) -> _Difference | None:
    one, two = _logs(chunk), [log for part in parts for log in _logs(part)]
    for ours, theirs in zip_longest(sorted(one, key=_place), sorted(two, key=_place)):
        if ours != theirs:
            first = min((log for log in (ours, theirs) if log is not None), key=_place)
            at = _place(first)
            told = tuple(log if log is not None and _place(log) == at else None for log in (ours, theirs))
            return _Difference(first.block, first.transaction, first.index, (told[0], told[1]))
    return None


def _logs(chunk: Chunk) -> list[Log]:
    return [log for transaction in chunk.transactions for log in transaction.logs] + list(chunk.transfers)


def _place(log: Log) -> tuple[int, int]:
    return log.block, log.index


# Who is wrong


def _judge(difference: _Difference, one: Transport, two: Transport) -> SourcesDisagree:
    """Asks both for what the block's hash commits to."""
    names = (one.name, two.name) if one.name != two.name else (f"{one.name} (first)", f"{two.name} (second)")
    wrong = {}
    headers = []
    for name, transport in zip(names, (one, two), strict=True):
        header = _ask(transport, "eth_getBlockByNumber", hex(difference.block), False)
        headers.append(header)
        reason = _fault_of_header(header, difference)
        if reason is not None:
            wrong[name] = reason
    if not wrong and headers[0] is not None and headers[1] is not None and headers[0]["hash"] == headers[1]["hash"]:
        wrong = _judge_contents(difference, dict(zip(names, (one, two), strict=True)), headers[0])
    told = {name: _describe(value) for name, value in zip(names, difference.told, strict=True)}
    hash_text = None if difference.transaction is None else f"0x{difference.transaction.hex()}"
    return SourcesDisagree(difference.block, hash_text, difference.log_index, told, wrong)


def _fault_of_header(header: Raw | None, difference: _Difference) -> str | None:
    if header is None:
        return f"it gives no block {difference.block}"
    try:
        computed = hash_header(header)
    except UNREADABLE as error:
        return f"its header of block {difference.block} can't be read ({error!r})"
    if f"0x{computed.hex()}" != header["hash"]:
        return f"its header of block {difference.block} hashes to 0x{computed.hex()}, not to {header['hash']}"
    return None


def _judge_contents(difference: _Difference, nodes: dict[str, Transport], header: Raw) -> dict[str, str]:
    """Both give the same header: its roots, and signatures, tell who is right about what is in the block."""
    if difference.log_index is None:
        return _judge_transaction(difference, nodes)
    for transport in nodes.values():
        receipts = _ask(transport, "eth_getBlockReceipts", hex(difference.block))
        if receipts is None or not check_receipts(header, receipts):
            continue
        logs = [log for receipt in receipts for log in receipt["logs"]]
        true = logs[difference.log_index] if difference.log_index < len(logs) else None
        return {
            name: "the receipts to which the header commits say otherwise"
            for name, told in zip(nodes, difference.told, strict=True)
            if not _is_log(told, true)
        }
    return {}


def _judge_transaction(difference: _Difference, nodes: dict[str, Transport]) -> dict[str, str]:
    if difference.transaction is None:
        return {}
    wanted = f"0x{difference.transaction.hex()}"
    raws = {name: _ask(transport, "eth_getTransactionByHash", wanted) for name, transport in nodes.items()}
    reason = "hash and sender do not follow from the transaction's fields"
    return {name: reason for name, raw in raws.items() if raw is not None and is_authentic(raw) is False}


def _is_log(told: object, true: Raw | None) -> bool:
    if not isinstance(told, Log) or true is None:
        return told is None and true is None
    topics = tuple(bytes.fromhex(topic[2:]) for topic in true["topics"])
    return (told.address, told.topics, told.data) == (true["address"].lower(), topics, bytes.fromhex(true["data"][2:]))


def _ask(transport: Transport, method: str, *params: Any) -> Any:
    """A result, None where there is none."""
    result = transport.many([(method, list(params))])[0]
    return result if isinstance(result, dict | list) else None


def _describe(value: object) -> str:
    if value is None:
        return "there is no log"
    if isinstance(value, Block):
        return f"hash 0x{value.hash.hex()}, parent 0x{value.parent_hash.hex()}, time {value.time_s} s"
    if isinstance(value, Log):
        topics = ", ".join(f"0x{topic.hex()}" for topic in value.topics)
        return f"{value.address} logs [{topics}] 0x{value.data.hex()} in transaction 0x{value.transaction.hex()}"
    if isinstance(value, tuple):
        block, index, sender, to, data = value
        shown = data.hex() if len(data) <= 100 else f"{data[:100].hex()}... ({len(data)} bytes)"
        return f"transaction {index} of block {block} from {sender} to {to or 'nobody'} with 0x{shown}"
    return str(value)
