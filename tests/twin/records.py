"""The reference's records as the contract's packed words, and its log as the contract's events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import lru_cache
from typing import Any

from peerwatt import signing
from peerwatt.market import words
from peerwatt.market.relay import pack_growths
from peerwatt.reference.auction import BookState, Result
from peerwatt.reference.messages import Enrolment, MeterSwap
from peerwatt.reference.meters import ExportRegister, ImportRegister
from peerwatt.reference.offers import Calendar, Order
from peerwatt.reference.participants import Agent, Device
from peerwatt.reference.state import Event
from peerwatt.reference.tariffs import Feeder, TariffHead
from peerwatt.reference.wallets import Wallet
from peerwatt.signing import Domain
from twin.chain import Log

KINDS: dict[type, Any] = {
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


@lru_cache(maxsize=1 << 16)
def word(record: Any) -> int:
    """The packed word of a record; 0 for none."""
    if record is None:
        return 0
    if isinstance(record, Calendar):
        return int(words.CalendarWord(record.bitmap, record.settled).encode())
    if isinstance(record, tuple):
        return int(words.TableWord(record).encode())
    return int(KINDS[type(record)](**asdict(record)).encode())


def message_of(message: Enrolment | MeterSwap) -> signing.Message:
    """The signed type of a reference message."""
    kind = signing.Enrolment if isinstance(message, Enrolment) else signing.MeterSwap
    return kind(**asdict(message))


def _plain(name: str, value: Any, domain: Domain) -> Any:
    if type(value) in KINDS or name in ("surcharges", "haircuts", "rebates") or (name == "result" and value is None):
        return word(value)
    if isinstance(value, Enrolment | MeterSwap):
        return message_of(value).digest(domain)
    return value


def _report(values: dict[str, Any], domain: Domain) -> dict[str, Any]:
    first, n, side, closing, settled = (values[k] for k in ("first", "n", "side", "closing_wh", "settled"))
    return {
        "account": values["account"],
        "report": first | n << 32 | side << 40 | closing << 48 | settled << 96,
        "wallet": word(values["wallet"]),
        "growths": tuple(pack_growths(values["growths"])),
    }


def _due(values: dict[str, Any], domain: Domain) -> dict[str, Any]:
    return {
        "account": values["account"],
        "windows": values["first"] | values["last"] << 32 | values["count"] << 64,
        "wallet": word(values["wallet"]),
    }


def _feeder(values: dict[str, Any], domain: Domain) -> dict[str, Any]:
    return {"feeder": values["feeder"], "feeder_word": word(values["word"])}


SHAPES: dict[str, Callable[[dict[str, Any], Domain], dict[str, Any]]] = {
    "ReportSettled": _report,
    "DueSettled": _due,
    "FeederSet": _feeder,
}


def log_of(event: Event, domain: Domain) -> Log:
    """The event that the contract logs for a record of the reference."""
    shape = SHAPES.get(event.name)
    if shape is not None:
        return Log(event.name, shape(event.values, domain))
    return Log(event.name, {name: _plain(name, value, domain) for name, value in event.values.items()})
