"""The reference's events as the contracts log them: topics and data, to the byte."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from eth_abi.abi import encode
from eth_utils.abi import collapse_if_tuple
from eth_utils.crypto import keccak

from peerwatt import artifacts
from peerwatt.audit.decoding import decode
from peerwatt.audit.history import Log
from peerwatt.market.records import to_arguments
from peerwatt.reference.state import Event
from peerwatt.signing import Domain


def to_log(event: Event, domain: Domain) -> tuple[tuple[bytes, ...], bytes]:
    """Topics and data that the contract logs for an event of the reference."""
    signature, indexed, data = _get_shape(event.name)
    arguments = to_arguments(event, domain)
    topics = (signature, *(to_word(arguments[name]) for name in indexed))
    if all(is_word(kind) for _, kind in data):
        return topics, b"".join([to_word(arguments[name]) for name, _ in data])
    return topics, encode([kind for _, kind in data], [arguments[name] for name, _ in data])


def read_event(log: Log) -> dict[str, Any]:
    """The arguments of a log by their names in its ABI, addresses in lower case.

    Raises:
        KeyError: no event of the market or its registry.
        DecodingError: it is not what the event's ABI says.
    """
    return read_values(log.topics, log.data)


def read_values(topics: Sequence[bytes], data: bytes) -> dict[str, Any]:
    """See `read_event`.

    Raises:
        ValueError: too few or too many topics.
    """
    _, indexed, rest = _get_shape(event_name(topics[0]))
    kinds = _kinds()[topics[0]]
    values = {name: decode([kinds[name]], topic)[0] for name, topic in zip(indexed, topics[1:], strict=True)}
    values.update(zip((name for name, _ in rest), decode([kind for _, kind in rest], data), strict=True))
    return values


def event_name(topic: bytes) -> str:
    """Name of the event with this first topic, or the topic where no contract of peerwatt has it."""
    return _names().get(topic, f"unknown event 0x{topic.hex()}")


def is_word(kind: str) -> bool:
    """Whether an ABI type takes exactly one word, as `to_word` makes it."""
    return kind in ("address", "bool", "bytes32") or (kind.startswith(("uint", "int")) and "[" not in kind)


def to_word(value: Any) -> bytes:
    """The 32 bytes of a value whose type `is_word`."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return bytes.fromhex(value[2:]).rjust(32, b"\0")
    return int(value).to_bytes(32, "big", signed=value < 0)


_Shape = tuple[bytes, Sequence[str], Sequence[tuple[str, str]]]


@cache
def _shapes() -> dict[str, _Shape]:
    shapes: dict[str, _Shape] = {}
    for contract in ("EnergyMarket", "EnergyRegistry"):
        for entry in artifacts.load(contract).abi:
            if entry["type"] != "event":
                continue
            kinds = [collapse_if_tuple(argument) for argument in entry["inputs"]]
            signature = bytes(keccak(text=f"{entry['name']}({','.join(kinds)})"))
            arguments = list(zip(entry["inputs"], kinds, strict=True))
            shapes[entry["name"]] = (
                signature,
                [argument["name"] for argument, _ in arguments if argument["indexed"]],
                [(argument["name"], kind) for argument, kind in arguments if not argument["indexed"]],
            )
    return shapes


def _get_shape(name: str) -> _Shape:
    return _shapes()[name]


@cache
def _names() -> dict[bytes, str]:
    return {shape[0]: name for name, shape in _shapes().items()}


@cache
def _kinds() -> dict[bytes, dict[str, str]]:
    kinds: dict[bytes, dict[str, str]] = {}
    for contract in ("EnergyMarket", "EnergyRegistry"):
        for entry in artifacts.load(contract).abi:
            if entry["type"] == "event":
                arguments = {argument["name"]: collapse_if_tuple(argument) for argument in entry["inputs"]}
                kinds[_shapes()[entry["name"]][0]] = arguments
    return kinds
