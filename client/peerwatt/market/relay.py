"""Relayed items (docs/contract.md): packed for `relay(items, strict)`, and unpacked again by whoever checks.

An item holds its signature as the two words that were relayed, good or bad: an auditor also reads
what was skipped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from ..exceptions import BadWord, ItemCutShort, UnknownItem
from ..signing import Cancel, Order, Report, Signature
from .relay_words import (
    CancelHead,
    CancelSecond,
    DueHead,
    Head,
    OrderHead,
    OrderSecond,
    ReportHead,
    ReportSecond,
    Word,
    count_growth_words,
    pack_growths,
    pack_hints,
    unpack_growths,
    unpack_hints,
)

__all__ = [
    "OrderItem",
    "CancelItem",
    "ReportItem",
    "DueItem",
    "Item",
    "pack",
    "unpack",
    "batches",
    "pack_hints",
    "unpack_hints",
    "pack_growths",
    "unpack_growths",
    "MAX_WORDS",
    "NOBODY",
]

# Words that one relay takes.
MAX_WORDS = 1024
NOBODY = "0x" + "00" * 20


@dataclass(frozen=True)
class OrderItem:
    """A signed order on its way. `agent` is the zero address if the account signed itself."""

    KIND: ClassVar[int] = 1

    account: str
    nonce: int
    first: int
    last: int
    energy_wh: int
    limit_level: int
    side: int
    r: int
    vs: int
    agent: str = NOBODY

    @classmethod
    def from_message(cls, order: Order, signature: Signature, agent: str = NOBODY) -> OrderItem:
        """The item of an order; name the agent if it signed."""
        return cls(
            order.maker,
            order.nonce,
            order.first_window,
            order.last_window,
            order.energy_wh,
            order.limit_level,
            order.side,
            signature.r,
            signature.vs,
            agent,
        )

    def to_message(self, meter: str) -> Order:
        """The order that was signed, given the meter bound to the account when it was relayed."""
        return Order(
            self.account,
            meter,
            self.side,
            self.first,
            self.last,
            self.energy_wh,
            self.limit_level,
            self.nonce,
        )

    def pack(self) -> list[int]:
        """The item's 4 words.

        Raises:
            BadWord: a value does not fit.
        """
        return [
            OrderHead(self.account, self.nonce, self.first, self.energy_wh, self.KIND).encode(),
            OrderSecond(self.agent, self.last, self.limit_level, self.side).encode(),
            Word(self.r).encode(),
            Word(self.vs).encode(),
        ]

    @classmethod
    def _unpack(cls, words: Sequence[int]) -> OrderItem:
        head = OrderHead.decode(words[0])
        second = OrderSecond.decode(words[1], ignore_rest=True)
        return cls(
            head.account,
            head.nonce,
            head.first,
            second.last,
            head.energy_wh,
            second.limit_level,
            second.side,
            words[2],
            words[3],
            second.agent,
        )


@dataclass(frozen=True)
class CancelItem:
    """A signed cancel on its way. `agent` is the zero address if the account signed itself."""

    KIND: ClassVar[int] = 2

    account: str
    nonce: int
    from_window: int
    deadline: int
    r: int
    vs: int
    agent: str = NOBODY

    @classmethod
    def from_message(cls, cancel: Cancel, signature: Signature, agent: str = NOBODY) -> CancelItem:
        """The item of a cancel; name the agent if it signed."""
        return cls(
            cancel.maker, cancel.nonce, cancel.from_window, cancel.deadline, signature.r, signature.vs, agent
        )

    def to_message(self) -> Cancel:
        """The cancel that was signed."""
        return Cancel(self.account, self.nonce, self.from_window, self.deadline)

    def pack(self) -> list[int]:
        """The item's 4 words.

        Raises:
            BadWord: a value does not fit.
        """
        return [
            CancelHead(self.account, self.nonce, self.from_window, self.KIND).encode(),
            CancelSecond(self.agent, self.deadline).encode(),
            Word(self.r).encode(),
            Word(self.vs).encode(),
        ]

    @classmethod
    def _unpack(cls, words: Sequence[int]) -> CancelItem:
        head = CancelHead.decode(words[0], ignore_rest=True)
        second = CancelSecond.decode(words[1], ignore_rest=True)
        return cls(
            head.account, head.nonce, head.from_window, second.deadline, words[2], words[3], second.agent
        )


@dataclass(frozen=True)
class ReportItem:
    """A signed report on its way, for the account that the meter is bound to.

    Register i is the opening plus the first i growths [Wh]. `hints` as of `pack_hints`.
    """

    KIND: ClassVar[int] = 3

    account: str
    side: int
    first: int
    opening_wh: int
    growths_wh: tuple[int, ...]
    r: int
    vs: int
    hints: int = 0

    @classmethod
    def from_message(
        cls, account: str, report: Report, signature: Signature, slots: Iterable[int] = ()
    ) -> ReportItem:
        """The item of a report.

        Args:
            slots: of the orders met in the account's open windows, see `pack_hints`.
        """
        return cls(
            account,
            report.side,
            report.first_window,
            report.registers[0],
            report.growths_wh,
            signature.r,
            signature.vs,
            pack_hints(slots),
        )

    @property
    def registers(self) -> tuple[int, ...]:
        """What the meter read [Wh]."""
        registers = [self.opening_wh]
        for growth_wh in self.growths_wh:
            registers.append(registers[-1] + growth_wh)
        return tuple(registers)

    def to_message(self, meter: str) -> Report:
        """The report that was signed, given the meter bound to the account when it was relayed."""
        return Report(meter, self.side, self.first, self.registers)

    def pack(self) -> list[int]:
        """The item's 4 words and one for every 8 windows.

        Raises:
            BadWord: a value does not fit; growths are below 2^32 Wh, windows at most 255.
        """
        return [
            ReportHead(self.account, self.hints, len(self.growths_wh), self.side, self.KIND).encode(),
            ReportSecond(self.first, self.opening_wh).encode(),
            *pack_growths(self.growths_wh),
            Word(self.r).encode(),
            Word(self.vs).encode(),
        ]

    @classmethod
    def _unpack(cls, words: Sequence[int]) -> ReportItem:
        head = ReportHead.decode(words[0], ignore_rest=True)
        second = ReportSecond.decode(words[1], ignore_rest=True)
        growths = unpack_growths(words[2:-2], head.n)
        return cls(
            head.account,
            head.side,
            second.first,
            second.opening_wh,
            growths,
            words[-2],
            words[-1],
            head.hints,
        )


@dataclass(frozen=True)
class DueItem:
    """The request to settle what is due without a report. `hints` as of `pack_hints`."""

    KIND: ClassVar[int] = 4

    account: str
    max_windows: int
    hints: int = 0

    def pack(self) -> list[int]:
        """The item's one word.

        Raises:
            BadWord: a value does not fit.
        """
        return [DueHead(self.account, self.hints, self.max_windows, self.KIND).encode()]

    @classmethod
    def _unpack(cls, words: Sequence[int]) -> DueItem:
        head = DueHead.decode(words[0], ignore_rest=True)
        return cls(head.account, head.max_windows, head.hints)


Item = OrderItem | CancelItem | ReportItem | DueItem


def pack(items: Iterable[Item]) -> list[int]:
    """The words of a relay.

    Raises:
        BadWord: a value does not fit.
    """
    return [word for item in items for word in item.pack()]


def batches(items: Iterable[Item], max_words: int = MAX_WORDS) -> Iterator[list[int]]:
    """The words of as few relays as the sequence of the items allows.

    Args:
        max_words: of one relay; the market takes 1,024 at most.
    Raises:
        BadWord: a value does not fit, or an item is longer than a relay.
    """
    batch: list[int] = []
    for item in items:
        words = item.pack()
        if len(words) > max_words:
            raise BadWord(f"an item has {len(words)} words, a relay takes {max_words}; split the report")
        if len(batch) + len(words) > max_words:
            yield batch
            batch = []
        batch += words
    if batch:
        yield batch


def unpack(words: Sequence[int]) -> list[Item]:
    """The items of a relay, read as the market reads them: bits without a meaning are passed over.

    Raises:
        UnknownItem, ItemCutShort: the market refuses the whole relay, with the same reason.
    """
    items: list[Item] = []
    at = 0
    while at < len(words):
        head = Head.decode(words[at])
        length = _count_words(head)
        if at + length > len(words):
            raise ItemCutShort(index=len(items), words=len(words) - at, needed=length)
        item = words[at : at + length]
        if head.kind == OrderItem.KIND:
            items.append(OrderItem._unpack(item))
        elif head.kind == CancelItem.KIND:
            items.append(CancelItem._unpack(item))
        elif head.kind == ReportItem.KIND:
            items.append(ReportItem._unpack(item))
        elif head.kind == DueItem.KIND:
            items.append(DueItem._unpack(item))
        else:
            raise UnknownItem(index=len(items), kind=head.kind)
        at += length
    return items


def _count_words(head: Head) -> int:
    if head.kind == ReportItem.KIND:
        return 4 + count_growth_words(ReportHead.decode(head.encode(), ignore_rest=True).n)
    return 4 if head.kind in (OrderItem.KIND, CancelItem.KIND) else 1
