"""The packed words of relayed items, their order hints and their growths (docs/contract.md)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated

from ..exceptions import BadWord
from ..integers import is_int
from .bitfields import Bits, PackedWord

SLOTS = 16
MAX_HINTS = 16
GROWTH_BITS = 32
GROWTHS_PER_WORD = 8


@dataclass(frozen=True)
class Head(PackedWord):
    """First word of any item."""

    account: Annotated[str, Bits(0, 160)]
    body: Annotated[int, Bits(160, 248)]
    kind: Annotated[int, Bits(248, 256)]


@dataclass(frozen=True)
class OrderHead(PackedWord):
    """First word of an order."""

    account: Annotated[str, Bits(0, 160)]
    nonce: Annotated[int, Bits(160, 192)]
    first: Annotated[int, Bits(192, 224)]
    energy_wh: Annotated[int, Bits(224, 248)]
    kind: Annotated[int, Bits(248, 256)]


@dataclass(frozen=True)
class OrderSecond(PackedWord):
    """Second word of an order."""

    agent: Annotated[str, Bits(0, 160)]
    last: Annotated[int, Bits(160, 192)]
    limit_level: Annotated[int, Bits(192, 200)]
    side: Annotated[int, Bits(200, 208)]


@dataclass(frozen=True)
class CancelHead(PackedWord):
    """First word of a cancel."""

    account: Annotated[str, Bits(0, 160)]
    nonce: Annotated[int, Bits(160, 192)]
    from_window: Annotated[int, Bits(192, 224)]
    kind: Annotated[int, Bits(248, 256)]


@dataclass(frozen=True)
class CancelSecond(PackedWord):
    """Second word of a cancel."""

    agent: Annotated[str, Bits(0, 160)]
    deadline: Annotated[int, Bits(160, 224)]


@dataclass(frozen=True)
class ReportHead(PackedWord):
    """First word of a report of n windows."""

    account: Annotated[str, Bits(0, 160)]
    hints: Annotated[int, Bits(160, 224)]
    n: Annotated[int, Bits(224, 232)]
    side: Annotated[int, Bits(232, 240)]
    kind: Annotated[int, Bits(248, 256)]


@dataclass(frozen=True)
class ReportSecond(PackedWord):
    """Second word of a report."""

    first: Annotated[int, Bits(0, 32)]
    opening_wh: Annotated[int, Bits(32, 96)]


@dataclass(frozen=True)
class DueHead(PackedWord):
    """The word of a due item."""

    account: Annotated[str, Bits(0, 160)]
    hints: Annotated[int, Bits(160, 224)]
    max_windows: Annotated[int, Bits(224, 232)]
    kind: Annotated[int, Bits(248, 256)]


@dataclass(frozen=True)
class Word(PackedWord):
    """A word without fields."""

    value: Annotated[int, Bits(0, 256)]


@dataclass(frozen=True)
class Growth(PackedWord):
    """What a register grew by in one window [Wh]."""

    growth_wh: Annotated[int, Bits(0, GROWTH_BITS)]


def pack_hints(slots: Iterable[int]) -> int:
    """Hints of a report or due item.

    Args:
        slots: of the orders in the sequence in which they are met in the account's open windows, each once.
    Returns:
        16 nibbles, the first slot lowest.
    Raises:
        BadWord: more than 16 slots, or one that is not 0 to 15.
    """
    hints = 0
    for i, slot in enumerate(slots):
        if not is_int(slot) or not 0 <= slot < SLOTS or i >= MAX_HINTS:
            raise BadWord(f"hint {i} is slot {slot!r}; give at most {MAX_HINTS} slots of 0 to {SLOTS - 1}")
        hints |= slot << (4 * i)
    return hints


def unpack_hints(hints: int, count: int = MAX_HINTS) -> tuple[int, ...]:
    """The first `count` slots of packed hints."""
    return tuple(hints >> (4 * i) & (SLOTS - 1) for i in range(count))


def pack_growths(growths_wh: Sequence[int]) -> list[int]:
    """Growths of a report [Wh], 8 to a word, the first lowest.

    Raises:
        BadWord: a growth of 2^32 Wh or more, or negative.
    """
    words = [0] * count_growth_words(len(growths_wh))
    for i, growth_wh in enumerate(growths_wh):
        words[i // GROWTHS_PER_WORD] |= Growth(growth_wh).encode() << (GROWTH_BITS * (i % GROWTHS_PER_WORD))
    return words


def unpack_growths(words: Sequence[int], count: int) -> tuple[int, ...]:
    """The first `count` growths of packed words [Wh], as relayed and as `ReportSettled` logs them.

    Raises:
        BadWord: the words hold fewer.
    """
    if len(words) < count_growth_words(count):
        raise BadWord(f"{len(words)} words hold fewer than {count} growths; give all words of the report")
    mask = (1 << GROWTH_BITS) - 1
    return tuple(
        words[i // GROWTHS_PER_WORD] >> (GROWTH_BITS * (i % GROWTHS_PER_WORD)) & mask for i in range(count)
    )


def count_growth_words(windows: int) -> int:
    """Words that the growths of so many windows take."""
    return -(-windows // GROWTHS_PER_WORD)
