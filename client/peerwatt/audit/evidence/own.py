"""The transactions that one account's money depends on, read by their topics: few, however large the market."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from peerwatt.audit.chunks import ChunkReader
from peerwatt.audit.history import Block, Log, Transaction
from peerwatt.audit.source import read_history
from peerwatt.audit.transport import Transport
from peerwatt.market.deployment import Deployment
from peerwatt.market.events import Event, decode_log, get_topic
from peerwatt.market.history import topic_of_address, topic_of_number
from peerwatt.market.words import OrderWord

Pair = tuple[Transaction, Block]

# What moves an account's money, orders, registers or score, or says who may do so.
OWN = (
    "AgentSet",
    "Consented",
    "Deposited",
    "DeviceSet",
    "DueSettled",
    "OrderCancelled",
    "OrderPlaced",
    "ParticipantBound",
    "ParticipantRevoked",
    "RatedSet",
    "ReportSettled",
    "Withdrawn",
)
# What is everybody's.
COMMON = ("BookClosed", "FundAccountsSet")
# Windows in one filter: nodes limit how many topics they look for at once.
WINDOWS_AT_ONCE = 250


def read_own(transport: Transport, deployment: Deployment, account: str, last: int | str) -> list[Pair]:
    """The transactions up to a block, in the chain's sequence; of their logs those that were asked for.

    Args:
        last: number or hash of the block.
    Raises:
        SourceIncomplete, SourceContradiction: the node does not give them.
    """
    own: list[list[Any]] = [[_topics(OWN), topic_of_address(account)], [_topics(COMMON)]]
    pairs = _read(transport, deployment, own, last)
    if account.lower() in fund_accounts(deployment, pairs):
        pairs += _read(transport, deployment, [[_topics(("FundsCredited",))]], last)
    windows = sorted(ordered_windows(account, pairs))
    cleared = [
        [_topics(("WindowCleared",)), [topic_of_number(window) for window in windows[at : at + WINDOWS_AT_ONCE]]]
        for at in range(0, len(windows), WINDOWS_AT_ONCE)
    ]
    pairs += _read(transport, deployment, cleared, last) if cleared else []
    return _merge(pairs)


def to_events(transaction: Transaction, market: str) -> list[Event]:
    """What the market logged in a transaction, decoded."""
    logs = [log for log in transaction.logs if log.address == market.lower()]
    return [event for event in map(_to_event, logs) if event is not None]


def ordered_windows(account: str, pairs: Iterable[Pair]) -> set[int]:
    """All windows that orders of an account ever covered."""
    windows: set[int] = set()
    for transaction, _ in pairs:
        for event in map(_to_event, transaction.logs):
            if event is not None and event.name == "OrderPlaced" and event.args["account"].lower() == account.lower():
                order = OrderWord.decode(event.args["order"])
                windows |= set(range(order.first, order.first + order.count))
    return windows


def fund_accounts(deployment: Deployment, pairs: Iterable[Pair]) -> set[str]:
    """All accounts that ever were the balancing or the network account, lower case."""
    accounts = {deployment.roles.balancing_account.lower(), deployment.roles.network_account.lower()}
    for transaction, _ in pairs:
        for event in map(_to_event, transaction.logs):
            if event is not None and event.name == "FundAccountsSet":
                accounts |= {str(event.args[name]).lower() for name in ("balancing", "network")}
    return accounts


def _topics(names: Sequence[str]) -> list[str]:
    return [get_topic(name) for name in names]


def _read(transport: Transport, deployment: Deployment, only: Sequence[Sequence[Any]], last: int | str) -> list[Pair]:
    history = read_history(transport, deployment, last)
    history.reader = ChunkReader(transport, deployment.market, deployment.registry, deployment.token, only=only)
    return [pair for chunk in history for pair in chunk.pairs()]


def _merge(pairs: Iterable[Pair]) -> list[Pair]:
    """In the chain's sequence, each transaction once with all its logs that were found."""
    merged: dict[bytes, Pair] = {}
    for transaction, block in pairs:
        if transaction.hash in merged:
            known = merged[transaction.hash][0]
            logs = {log.index: log for log in (*known.logs, *transaction.logs)}
            transaction = replace(known, logs=tuple(logs[index] for index in sorted(logs)))
        merged[transaction.hash] = transaction, block
    return sorted(merged.values(), key=lambda pair: (pair[0].block, pair[0].index))


def _to_event(log: Log) -> Event | None:
    raw: Any = {
        "address": log.address,
        "topics": list(log.topics),
        "data": log.data,
        "blockNumber": log.block,
        "logIndex": log.index,
        "transactionHash": log.transaction,
    }
    return decode_log(raw)
