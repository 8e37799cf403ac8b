"""Books of windows to come, added up from what a market stores of them."""

from __future__ import annotations

from audit.lives import live
from audit.script import script
from peerwatt.audit.books import read_books
from peerwatt.audit.bundles import Words
from peerwatt.audit.chunks import read_block
from peerwatt.audit.state import compare_state
from peerwatt.reference import Market


def books_of(market: Market) -> dict[int, object]:
    cleared = market.book_state.cleared
    return {window: market.book(window) for window in range(cleared + 1, cleared + 256)}


def test_read_books__open_orders__as_the_reference_adds_them_up() -> None:
    lives = [live(seed, 30).twin for seed in (2, 3)]
    assert any(book for twin in lives for book in books_of(twin.market).values())
    for twin in (script(), *lives):
        transport = twin.chain.transport()
        block = read_block(transport, twin.chain.chain.height)
        found = read_books(Words(transport, block), twin.manifest.market, twin.market.book_state.cleared)
        assert found == books_of(twin.market)


def test_compare_state__an_order_that_the_reference_has_more__found_in_the_book() -> None:
    twin = script()
    transport = twin.chain.transport()
    block = read_block(transport, twin.chain.chain.height)
    market, window = twin.market, max(window for window, book in twin.market.books.items() if book)
    (level,), books = market.book(window), market.books
    bid, offer = market.book(window)[level]
    market.books = {**books, window: {level: (bid + 1, offer)}}
    try:
        found = compare_state(transport, twin.manifest, block, market, twin.registry)
    finally:
        market.books = books
    assert [one.view for one in found.differences] == [
        f"EnergyMarket: bid and offer of window {window} at level {level}"
    ]
    assert [(one.expected, one.found) for one in found.differences] == [(bid + 1 | offer << 48, bid | offer << 48)]
