"""The reference's records as the contracts' packed words, and its events as the contracts' arguments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import lru_cache
from typing import Any

from peerwatt import signing
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


# Records are frozen: the same ones are compared and logged again and again.
@lru_cache(maxsize=1 << 12)
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
