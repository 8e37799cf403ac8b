"""The books of windows that were not cleared, added up from the words that a market stores of them.

The words are differences (docs/contract.md): what is live, and what enters and leaves at each window to come.
"""

from __future__ import annotations

from collections.abc import Sequence

from peerwatt.audit.bundles import Words
from peerwatt.audit.calldata import MARKET
from peerwatt.audit.getters import call_getter
from peerwatt.audit.transport import RpcError

# Level -> Wh bid and offered.
Book = dict[int, tuple[int, int]]
RING, LEVELS = 256, 256
# Bits of a level's word: its offer, the second level of a pair; of an entry: its second net, its singles, its tag.
OFFER, ODD, NET_OFFER, SINGLES, TAG = 48, 96, 56, 112, 208
M48, M56, M96 = (1 << 48) - 1, (1 << 56) - 1, (1 << 96) - 1
NO_NET = 1 << 55


def read_books(reader: Words, market: str, cleared: int) -> dict[int, Book]:
    """The books of all windows that an order can be for at a block.

    Args:
        reader: of the words at the block.
        market: address.
        cleared: the newest window that was cleared.
    Raises:
        RpcError: the node refuses a word.
    """

    def read(name: str, arguments: Sequence[tuple[int, ...]]) -> list[int]:
        found: list[int] = []
        for word in reader.read([call_getter(market, MARKET, name, one) for one in arguments]):
            if isinstance(word, RpcError):
                raise word
            found.append(word)
        return found

    windows = range(cleared + 1, cleared + RING)
    (levels,) = read("live_levels", [()])
    held = _bits(levels)
    pairs = sorted({level >> 1 for level in held})
    live = dict(zip(pairs, read("live", [(pair,) for pair in pairs]), strict=True))
    halves = {level: live[level >> 1] >> (level & 1) * ODD & M96 for level in held}
    totals = {level: (half & M48, half >> OFFER) for level, half in halves.items()}
    touched = read("touched", [(window % RING,) for window in windows])
    places = [(window, level) for window, bits in zip(windows, touched, strict=True) for level in _bits(bits)]
    entries = read("entries", [(window % RING, level) for window, level in places])
    at: dict[int, list[tuple[int, int]]] = {}
    for (window, level), entry in zip(places, entries, strict=True):
        # An entry of another lap of the ring is nothing any more.
        if entry >> TAG == window // RING:
            at.setdefault(window, []).append((level, entry))
    books: dict[int, Book] = {}
    for window in windows:
        singles: Book = {}
        for level, entry in at.get(window, ()):
            bid, offer = totals.get(level, (0, 0))
            totals[level] = (bid + (entry & M56) - NO_NET, offer + (entry >> NET_OFFER & M56) - NO_NET)
            singles[level] = (entry >> SINGLES & M48, entry >> SINGLES + OFFER & M48)
        book = {
            level: tuple(map(sum, zip(totals.get(level, (0, 0)), singles.get(level, (0, 0)), strict=True)))
            for level in totals.keys() | singles.keys()
        }
        books[window] = {level: (wh[0], wh[1]) for level, wh in book.items() if wh != (0, 0)}
    return books


def _bits(word: int) -> list[int]:
    return [bit for bit in range(LEVELS) if word >> bit & 1]
