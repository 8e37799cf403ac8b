"""What the contracts logged, decoded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from eth_abi.abi import decode
from eth_utils.abi import collapse_if_tuple
from eth_utils.crypto import keccak
from web3 import Web3
from web3.types import LogReceipt

from peerwatt import artifacts


@dataclass(frozen=True)
class Event:
    """One log of a market or its registry.

    Attributes:
        name: the event's name in docs/contract.md.
        args: its arguments by name; words are packed as in docs/contract.md, see `peerwatt.market.words`.
        address: contract that logged it.
        block_number, log_index: its place in the chain.
        transaction_hash: 0x-prefixed hex.
    """

    name: str
    args: dict[str, Any]
    address: str
    block_number: int
    transaction_hash: str
    log_index: int


@dataclass(frozen=True)
class _Shape:
    name: str
    indexed: tuple[tuple[str, str], ...]
    data: tuple[tuple[str, str], ...]


@cache
def _get_shapes() -> dict[bytes, _Shape]:
    shapes: dict[bytes, _Shape] = {}
    for contract in ("EnergyMarket", "EnergyRegistry", "SettlementToken"):
        for entry in artifacts.load(contract).abi:
            if entry["type"] != "event":
                continue
            types = [collapse_if_tuple(argument) for argument in entry["inputs"]]
            arguments = [
                (argument["name"], kind, argument["indexed"])
                for argument, kind in zip(entry["inputs"], types, strict=True)
            ]
            shapes[keccak(text=f"{entry['name']}({','.join(types)})")] = _Shape(
                entry["name"],
                tuple((name, kind) for name, kind, indexed in arguments if indexed),
                tuple((name, kind) for name, kind, indexed in arguments if not indexed),
            )
    return shapes


@cache
def get_topic(name: str) -> str:
    """The first topic of an event's logs, 0x-prefixed hex.

    Raises:
        KeyError: no contract of peerwatt has such an event.
    """
    return {shape.name: Web3.to_hex(topic) for topic, shape in _get_shapes().items()}[name]


def _readable(kind: str, value: Any) -> Any:
    return Web3.to_checksum_address(value) if kind == "address" else value


def decode_log(log: LogReceipt) -> Event | None:
    """Decodes one log; None if it is of no event of the market, the registry or the token."""
    topics = [bytes(topic) for topic in log["topics"]]
    shape = _get_shapes().get(topics[0]) if topics else None
    if shape is None or len(topics) != 1 + len(shape.indexed):
        return None
    args: dict[str, Any] = {}
    for (name, kind), topic in zip(shape.indexed, topics[1:], strict=True):
        args[name] = _readable(kind, decode([kind], topic)[0])
    values = decode([kind for _, kind in shape.data], bytes(log["data"]))
    for (name, kind), value in zip(shape.data, values, strict=True):
        args[name] = _readable(kind, value)
    return Event(
        shape.name,
        args,
        log["address"],
        log["blockNumber"],
        Web3.to_hex(log["transactionHash"]),
        log["logIndex"],
    )


def decode_logs(logs: Iterable[LogReceipt]) -> Iterator[Event]:
    """Decodes logs in their sequence, leaving out those of other contracts."""
    for log in logs:
        event = decode_log(log)
        if event is not None:
            yield event
