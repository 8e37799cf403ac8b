"""Books whose clearing was worked out by hand."""

from __future__ import annotations

from contracts.helpers_auction import ALL_CROSSING, BIDS_RATIONED, BUY, NO_TRADE, OFFERS_RATIONED, SELL

# Every fill by hand; the price level and kind of each book first.
BOOKS = {
    "empty": ((0, NO_TRADE, 0), [], []),
    "bids only": ((0, NO_TRADE, 0), [(BUY, 9, 10), (BUY, 8, 5)], [0, 0]),
    "offers only": ((0, NO_TRADE, 0), [(SELL, 9, 10), (SELL, 0, 5)], [0, 0]),
    "no overlap": ((0, NO_TRADE, 0), [(BUY, 3, 10), (SELL, 4, 10)], [0, 0]),
    "one level, more offered": ((7, OFFERS_RATIONED, 10), [(BUY, 7, 10), (SELL, 7, 30)], [10, 10]),
    "one level, more bid": ((7, BIDS_RATIONED, 10), [(BUY, 7, 30), (SELL, 7, 10)], [10, 10]),
    "one level, equal": ((7, BIDS_RATIONED, 10), [(BUY, 7, 10), (SELL, 7, 10)], [10, 10]),
    "lowest level": ((0, OFFERS_RATIONED, 5), [(BUY, 0, 5), (SELL, 0, 9)], [5, 5]),
    "highest level": ((255, BIDS_RATIONED, 5), [(BUY, 255, 9), (SELL, 255, 5)], [5, 5]),
    "equal, gap even": ((15, ALL_CROSSING, 10), [(BUY, 20, 10), (SELL, 10, 10)], [10, 10]),
    "equal, gap odd": ((15, ALL_CROSSING, 10), [(BUY, 21, 10), (SELL, 10, 10)], [10, 10]),
    "equal, whole grid between": ((127, ALL_CROSSING, 10), [(BUY, 255, 10), (SELL, 0, 10)], [10, 10]),
    "equal, neighbouring levels": ((10, ALL_CROSSING, 10), [(BUY, 11, 10), (SELL, 10, 10)], [10, 10]),
    "equal, a bid at the price": (
        (10, ALL_CROSSING, 10),
        [(BUY, 11, 10), (BUY, 10, 8), (SELL, 10, 10)],
        [10, 0, 10],
    ),
    "equal, an offer above the price": (
        (15, ALL_CROSSING, 10),
        [(BUY, 30, 10), (SELL, 10, 10), (SELL, 20, 10)],
        [10, 10, 0],
    ),
    "offers rationed, rounded down": (
        (10, OFFERS_RATIONED, 10),
        [(BUY, 20, 10), (SELL, 10, 7), (SELL, 10, 7), (SELL, 9, 1), (SELL, 11, 50)],
        [10, 4, 4, 1, 0],
    ),
    "bids rationed, rounded up": (
        (20, BIDS_RATIONED, 10),
        [(SELL, 10, 10), (BUY, 20, 7), (BUY, 20, 7), (BUY, 21, 1), (BUY, 19, 50)],
        [10, 5, 5, 1, 0],
    ),
    "ten thousand bids of one Wh": (
        (20, BIDS_RATIONED, 1),
        [(SELL, 10, 1), *((BUY, 20, 1) for _ in range(10_000))],
        [1, *(1 for _ in range(10_000))],
    ),
    "largest energies": (
        (10, OFFERS_RATIONED, 2**24 - 1),
        [(BUY, 10, 2**24 - 1), *((SELL, 10, 2**24 - 1) for _ in range(100))],
        [2**24 - 1, *(167_772 for _ in range(100))],
    ),
}
