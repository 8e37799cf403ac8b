"""One table of a TOML file, read key by key: whatever is wrong is noted, and reading goes on."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from peerwatt.exceptions import BadAmount, BadMessage
from peerwatt.integers import is_int
from peerwatt.signing.kinds import check_address
from peerwatt.units import PriceGrid, parse_unit_price


@dataclass(frozen=True)
class Bounds:
    """What a whole number of the file may be.

    Attributes:
        low, high: both included.
        unit: in words, for the message.
        example: a value that makes sense.
    """

    low: int
    high: int
    unit: str
    example: int


class TomlTable:
    """A table whose keys are asked for one after the other.

    A value that is missing or wrong is noted in `problems` and something harmless is returned, so that one reading
    finds all there is to find; `has(...)` tells whether values can be relied on.
    """

    def __init__(self, title: str, content: object, problems: list[str]) -> None:
        """
        Args:
            title: how the table is called in messages, such as `[market]`; nothing for the file itself.
            content: what the file has in its place; None if nothing.
            problems: of the whole file; new ones are appended.
        """
        self.title = title
        self.problems = problems
        self._wrong: set[str] = set()
        self._asked: dict[str, None] = {}
        self._content: dict[str, Any] = content if isinstance(content, dict) else {}
        if content is not None and not isinstance(content, dict):
            self.note(f"is {content!r}, not a table; write {title} and its keys on lines of their own")

    def note(self, text: str, *keys: str) -> None:
        """Notes a problem, and that the values of these keys can't be relied on."""
        self.problems.append(f"{self.title} {text}".strip())
        self._wrong.update(keys)

    def has(self, *keys: str) -> bool:
        """Whether these keys were read without a problem."""
        return not self._wrong.intersection(keys)

    def whole(self, key: str, bounds: Bounds, default: int | None = None) -> int:
        """A whole number within its bounds."""
        value = self._take(key, bounds.example if default is None else default, default is not None)
        return value if self._check_whole(key, value, bounds) else bounds.example

    def wholes(self, key: str, bounds: Bounds, count: int | None = None) -> tuple[int, ...]:
        """A list of whole numbers, of this length if one is given."""
        example = (bounds.example,) * (count or 1)
        values = self._take(key, list(example), False)
        if not isinstance(values, list):
            self.note(f"{key} is {_show(values)}, not a list; write it in brackets: [{bounds.example}, ...]", key)
            return example
        if count is not None and len(values) != count:
            self.note(f"{key} has {len(values)} entries; write {count}, the lowest band first", key)
            return example
        fine = [self._check_whole(f"{key}[{i}]", value, bounds) for i, value in enumerate(values)]
        if all(fine):
            return tuple(values)
        self._wrong.add(key)
        return example

    def price(self, key: str, units: PriceGrid, default: int | None = None) -> int:
        """A price per kWh, as a number or with its unit, in base units per Wh.

        Args:
            units: its currency and decimals count, not its levels.
        """
        value = self._take(key, 0, default is not None)
        if key not in self._content:
            return default or 0
        text = f"{value:f}" if isinstance(value, Decimal) else str(value) if is_int(value) else value
        try:
            price = parse_unit_price(text, units)
        except BadAmount as error:
            self.note(f"{key}: {error}", key)
            return 0
        if price >= 2**64:
            self.note(f"{key} is {_show(value)}, 2^64 base units per Wh or more; check the token's decimals", key)
        return price

    def text(self, key: str, default: str | None = None) -> str:
        """A text that is not empty."""
        value = self._take(key, default or "", default is not None)
        if isinstance(value, str) and (value or default is not None or key not in self._content):
            return value
        self.note(f"{key} is {_show(value)}, not a text; write it in quotes", key)
        return ""

    def address(self, key: str) -> str | None:
        """An address in checksum form, None if the file has none."""
        value = self._take(key, None, True)
        if value is None:
            return None
        try:
            return check_address(value, key)
        except BadMessage as error:
            self.note(str(error), key)
            return None

    def close(self) -> None:
        """Notes the keys that nobody asked for."""
        for key in sorted(self._content.keys() - self._asked.keys()):
            self.note(f"{key} is unknown; {suggest(key, self._asked)}", key)

    def _take(self, key: str, stand_in: Any, optional: bool) -> Any:
        self._asked[key] = None
        if key in self._content:
            return self._content[key]
        if not optional:
            self.note(f"{key} is missing; add it", key)
        return stand_in

    def _check_whole(self, key: str, value: object, bounds: Bounds) -> bool:
        advice = f"write {bounds.low} to {bounds.high} {bounds.unit}, such as {bounds.example}"
        if not is_int(value):
            self.note(f"{key} is {_show(value)}, not a whole number; {advice}", key)
        elif not bounds.low <= int(str(value)) <= bounds.high:
            side = f"below {bounds.low}" if int(str(value)) < bounds.low else f"above {bounds.high}"
            self.note(f"{key} is {value}, {side}; {advice}", key)
        else:
            return True
        return False


def suggest(key: str, known: Iterable[str]) -> str:
    """What somebody may have meant by an unknown key."""
    names = list(known)
    near = difflib.get_close_matches(key, names, n=1)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(names)}"


def _show(value: object) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else repr(value)
