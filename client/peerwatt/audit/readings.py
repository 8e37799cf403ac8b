"""Logs and storage words in their fields, and in which of them two differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from eth_abi.exceptions import DecodingError

from peerwatt.audit.encoding import event_name, read_values
from peerwatt.exceptions import BadWord
from peerwatt.market import words
from peerwatt.market.bitfields import Bits, PackedWord
from peerwatt.market.relay_words import unpack_growths
from peerwatt.reference.reasons import REASONS

# Which log it is, rather than what it says.
IDENTITY = ("account", "connection", "agent", "window", "version", "feeder", "role", "meter", "recipient")


@dataclass(frozen=True)
class _ReportWord(PackedWord):
    """What of a report was settled, as `ReportSettled` logs it."""

    first: Annotated[int, Bits(0, 32)]
    count: Annotated[int, Bits(32, 40)]
    side: Annotated[int, Bits(40, 48)]
    closing_wh: Annotated[int, Bits(48, 96)]
    settled: Annotated[int, Bits(96, 128)]


@dataclass(frozen=True)
class _WindowsWord(PackedWord):
    """The windows that `DueSettled` is about."""

    first: Annotated[int, Bits(0, 32)]
    last: Annotated[int, Bits(32, 64)]
    count: Annotated[int, Bits(64, 96)]


# The packed word behind an argument of an event.
ARGUMENTS: dict[str, type[PackedWord]] = {
    "agent_word": words.AgentWord,
    "device": words.DeviceWord,
    "exports": words.ExportsWord,
    "feeder_word": words.FeederWord,
    "head": words.TariffHeadWord,
    "imports": words.ImportsWord,
    "order": words.OrderWord,
    "report": _ReportWord,
    "result": words.ResultWord,
    "wallet": words.WalletWord,
    "windows": _WindowsWord,
}
TABLES = ("surcharges", "haircuts", "rebates")
# The packed word behind a getter.
GETTERS: dict[str, type[PackedWord]] = {
    "agents": words.AgentWord,
    "book_state": words.BookStateWord,
    "calendars": words.CalendarWord,
    "devices": words.DeviceWord,
    "exports_of": words.ExportsWord,
    "feeders": words.FeederWord,
    "imports_of": words.ImportsWord,
    "orders": words.OrderWord,
    "results": words.ResultWord,
    "tariff_head": words.TariffHeadWord,
    "wallets": words.WalletWord,
}


@dataclass(frozen=True)
class Reading:
    """A log or a storage word.

    Attributes:
        name: of the event or the getter.
        fields: values by name, those of a packed word as `wallet.balance`.
    """

    name: str
    fields: dict[str, Any]

    def number(self, field: str) -> int:
        """A field that is a number; 0 where there is none."""
        value = self.fields.get(field, 0)
        return value if isinstance(value, int) else 0

    def describe(self, only: Sequence[str] | None = None) -> str:
        """In words: its name, which one it is, and its values.

        Args:
            only: fields that count; all if None.
        """
        which = [f"{key} {self.fields[key]}" for key in IDENTITY if key in self.fields]
        shown = [key for key in self.fields if key not in IDENTITY and (only is None or key in only)]
        # A field in which two logs differ is shown even where it says which log it is: it is among `which`.
        values = ", ".join(f"{key} {self.fields[key]}" for key in shown)
        head = f"{self.name}({', '.join(which)})" if which else self.name
        return f"{head}: {values}" if values else head


def read_log(topics: Sequence[bytes], data: bytes) -> Reading:
    """A log of the market or its registry in its fields; raw words where it is none of theirs."""
    name = event_name(topics[0]) if topics else "a log without topics"
    try:
        values = read_values(topics, data)
    except (DecodingError, IndexError, KeyError, ValueError):
        raw = {f"topic {index}": f"0x{topic.hex()}" for index, topic in enumerate(topics[1:], 1)}
        return Reading(name, {**raw, "data": f"0x{data.hex()}"})
    fields: dict[str, Any] = {}
    for key, value in values.items():
        if name == "ItemSkipped" and key == "reason":
            fields[key] = REASONS.get(value, value)
        elif key == "growths":
            fields[key] = _growths(value, fields)
        else:
            fields.update(_spread(key, value, ARGUMENTS.get(key)))
    return Reading(name, fields)


def read_word(view: str, getter: str, word: int) -> Reading:
    """A getter's word in its fields.

    Args:
        view: contract, getter and arguments, as it is shown.
    """
    return Reading(view, _spread("value", word, GETTERS.get(getter)))


def tell_apart(expected: Reading, found: Reading) -> tuple[str, str]:
    """Both in words, and of each only what the other one does not have."""
    if expected.name != found.name:
        return expected.describe(), found.describe()
    keys = list(dict.fromkeys((*expected.fields, *found.fields)))
    differing = [key for key in keys if expected.fields.get(key) != found.fields.get(key)]
    return expected.describe(differing), found.describe(differing)


def _spread(key: str, value: Any, kind: type[PackedWord] | None) -> dict[str, Any]:
    prefix = "" if key == "value" else f"{key}."
    if key in TABLES:
        return {f"{prefix}{band}": bps for band, bps in enumerate(words.TableWord.decode(value).bands)}
    if kind is None:
        return {key: f"0x{value.hex()}" if isinstance(value, bytes) else value}
    try:
        return {f"{prefix}{name}": part for name, part in asdict(kind.decode(value)).items()}
    except BadWord:
        # Bits that no honest contract sets.
        return {key: f"{value:#x}"}


def _growths(packed: Sequence[int], fields: dict[str, Any]) -> Any:
    try:
        return unpack_growths(packed, fields.get("report.count", 0))
    except BadWord:
        return tuple(hex(word) for word in packed)
