"""The reference's events as the contracts log them: topics and data, to the byte."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import cache
from typing import Any

from eth_abi.abi import decode, encode
from eth_utils.abi import collapse_if_tuple
from eth_utils.crypto import keccak

from peerwatt import artifacts, signing
from peerwatt.audit.history import Log
from peerwatt.market import words
from peerwatt.market.bitfields import PackedWord
from peerwatt.market.relay_words import pack_growths
from peerwatt.reference.auction import BookState, Result
from peerwatt.reference.messages import Enrolment, MeterSwap
from peerwatt.reference.meters import ExportRegister, ImportRegister
from peerwatt.reference.offers import Calendar, Order
from peerwatt.reference.participants import Agent, Device
from peerwatt.reference.state import Event
from peerwatt.reference.tariffs import Feeder, TariffHead
from peerwatt.reference.wallets import Wallet

# The packed word of each of the reference's records.
WORDS: dict[type, type[PackedWord]] = {
    Agent: words.AgentWord,
    BookState: words.BookStateWord,
    Device: words.DeviceWord,
    ExportRegister: words.ExportsWord,
    Feeder: words.FeederWord,
    ImportRegister: words.ImportsWord,
    Order: words.OrderWord,
    Result: words.ResultWord,
    TariffHead: words.TariffHeadWord,
    Wallet: words.WalletWord,
}
TABLES = ("surcharges", "haircuts", "rebates")


def pack(record: Any) -> int:
    """The packed word of a record of the reference; 0 for none."""
    if record is None:
        return 0
    if isinstance(record, Calendar):
        return words.CalendarWord(record.bitmap, record.settled).encode()
    if isinstance(record, tuple):
        return words.TableWord(record).encode()
    return WORDS[type(record)].encode_record(record)


def to_message(message: Enrolment | MeterSwap) -> signing.Message:
    """The signed type of a message of the reference."""
    kind = signing.Enrolment if isinstance(message, Enrolment) else signing.MeterSwap
    return kind(**asdict(message))


def to_arguments(event: Event, domain: signing.Domain) -> dict[str, Any]:
    """The arguments that the contract logs for an event of the reference, by their names in its ABI."""
    shape = _SHAPES.get(event.name)
    if shape is not None:
        return shape(event.values)
    return {name: _plain(name, value, domain) for name, value in event.values.items()}


def to_log(event: Event, domain: signing.Domain) -> tuple[tuple[bytes, ...], bytes]:
    """Topics and data that the contract logs for an event of the reference."""
    signature, indexed, data = _get_shape(event.name)
    arguments = to_arguments(event, domain)
    topics = (signature, *(_to_word(arguments[name]) for name in indexed))
    if all(kind in _WORD_KINDS for _, kind in data):
        return topics, b"".join([_to_word(arguments[name]) for name, _ in data])
    return topics, encode([kind for _, kind in data], [arguments[name] for name, _ in data])


def read_event(log: Log) -> dict[str, Any]:
    """The arguments of a log by their names in its ABI, addresses in lower case.

    Raises:
        KeyError: no event of the market or its registry.
        DecodingError: it is not what the event's ABI says.
    """
    _, indexed, data = _get_shape(event_name(log.topics[0]))
    kinds = _kinds()[log.topics[0]]
    values = {name: decode([kinds[name]], topic)[0] for name, topic in zip(indexed, log.topics[1:], strict=True)}
    values.update(zip((name for name, _ in data), decode([kind for _, kind in data], log.data), strict=True))
    return values


def event_name(topic: bytes) -> str:
    """Name of the event with this first topic, or the topic where no contract of peerwatt has it."""
    return _names().get(topic, f"unknown event 0x{topic.hex()}")


_WORD_KINDS = {"uint256", "int256", "address", "bool", "bytes32"}


def _to_word(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return bytes.fromhex(value[2:]).rjust(32, b"\0")
    return int(value).to_bytes(32, "big", signed=value < 0)


def _plain(name: str, value: Any, domain: signing.Domain) -> Any:
    if type(value) in WORDS or name in TABLES or (name == "result" and value is None):
        return pack(value)
    if isinstance(value, Enrolment | MeterSwap):
        return to_message(value).digest(domain)
    return value


def _report(values: dict[str, Any]) -> dict[str, Any]:
    first, n, side, closing, settled = (values[key] for key in ("first", "n", "side", "closing_wh", "settled"))
    return {
        "account": values["account"],
        "report": first | n << 32 | side << 40 | closing << 48 | settled << 96,
        "wallet": pack(values["wallet"]),
        "growths": tuple(pack_growths(values["growths"])),
    }


def _due(values: dict[str, Any]) -> dict[str, Any]:
    return {
        "account": values["account"],
        "windows": values["first"] | values["last"] << 32 | values["count"] << 64,
        "wallet": pack(values["wallet"]),
    }


def _feeder(values: dict[str, Any]) -> dict[str, Any]:
    return {"feeder": values["feeder"], "feeder_word": pack(values["word"])}


_SHAPES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "ReportSettled": _report,
    "DueSettled": _due,
    "FeederSet": _feeder,
}
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
