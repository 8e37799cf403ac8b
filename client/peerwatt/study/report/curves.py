"""Figure: supply and demand of every window, with the point where they clear."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from peerwatt.pages.layout import Figure, Table, legend, plot
from peerwatt.pages.markup import Markup, join, tag
from peerwatt.pages.numbers import WH_PER_KWH, Money, clock, kwh, kwh_exact

from ..results import StudyResult, WindowResult
from .plot import WIDTH, Scale, left_axis, line, nice_scale, picture, points, text, text_width, tick_text

# A side that goes on this many times farther than the other is cut, and the cut is said.
CROP = 3.0
SMALL_WIDTH, SMALL_HEIGHT = 176.0, 140.0
Place = tuple[float, float]


@dataclass(frozen=True)
class Steps:
    """A side of the book: (price, cumulative kWh) from its best price to its worst, and its kind."""

    prices: tuple[float, ...]
    energies: tuple[float, ...]

    @property
    def total(self) -> float:
        """All of it [kWh]."""
        return self.energies[-1] if self.energies else 0.0

    def places(self, until: float | None = None) -> list[Place]:
        """Corners (kWh, price) of the stairs; only up to so many kWh if given."""
        corners: list[Place] = []
        before = 0.0
        for price, energy in zip(self.prices, self.energies, strict=True):
            end = energy if until is None else min(energy, until)
            corners += [(before, price), (end, price)]
            before = end
            if until is not None and energy >= until:
                break
        return corners


@dataclass(frozen=True)
class Book:
    """Both sides of a window's book, and its clearing point (kWh, price) if it traded."""

    window: WindowResult
    bids: Steps
    offers: Steps
    point: Place | None


def curves_figure(result: StudyResult) -> Figure:
    """The book of the window with the median price large, every window small."""
    money = Money.of(result.summary)
    books = [_book(window, result, money) for window in result.windows]
    chosen = _median(books)
    prices = [price for book in books for side in (book.bids, book.offers) for price in side.prices]
    reach = max((_reach(book) for book in books), default=1.0)
    lead = (
        "Offers are stacked from the cheapest up, bids from the dearest down. Where the two meet is the "
        "clearing price, one for all who trade. The shaded area is what buyers and sellers together gain "
        "against their limits."
    )
    body = [plot(_large(chosen, prices, money))] if chosen else []
    if len(books) > 1:
        small = [_small(book, prices, reach, money) for book in books]
        body.append(tag("div", small, class_="small" if len(books) <= 24 else "small many"))
    return Figure(
        "curves",
        "Supply, demand and the clearing price",
        lead,
        join(body),
        _table(result, money),
        legend(
            ("supply rule", "supply (offers)"), ("demand rule", "demand (bids)"), ("dot", "clearing point")
        ),
    )


def _book(window: WindowResult, result: StudyResult, money: Money) -> Book:
    def steps(curve: Sequence[tuple[int, int]]) -> Steps:
        prices = tuple(
            float(money.per_kwh(result.floor_price + level * result.price_step)) for level, _ in curve
        )
        return Steps(
            prices, tuple(energy / WH_PER_KWH for energy in accumulate(energy for _, energy in curve))
        )

    point = None
    if window.price_per_wh is not None:
        point = (window.traded_wh / WH_PER_KWH, float(money.per_kwh(window.price_per_wh)))
    bids = sorted((entry for entry in window.bid_curve if entry[1] > 0), reverse=True)
    offers = sorted(entry for entry in window.offer_curve if entry[1] > 0)
    return Book(window, steps(bids), steps(offers), point)


def _median(books: Sequence[Book]) -> Book | None:
    """The window with the median price; without any trade the fullest book."""
    traded = sorted((book for book in books if book.point), key=lambda book: book.window.price_per_wh or 0)
    if traded:
        return traded[(len(traded) - 1) // 2]
    return max(books, key=lambda book: book.window.bids_wh + book.window.offers_wh, default=None)


def _reach(book: Book) -> float:
    """How far right a book is drawn [kWh]."""
    shorter, longer = sorted((book.bids.total, book.offers.total))
    if shorter == 0:
        return longer or 1.0
    return min(longer, shorter * CROP)


def _large(book: Book, prices: Sequence[float], money: Money) -> Markup:
    left, right, top, height = 58.0, 20.0, 34.0, 330.0
    y = nice_scale(prices, top + height, top, zero=False)
    shown = _reach(book)
    x = nice_scale([shown], left, WIDTH - right, 8)
    parts = [left_axis(y, left, WIDTH - right, money.price_unit), _energy_axis(x, top + height)]
    parts += _stairs(book, x, y)
    window = book.window
    time = clock(window.starts_at)
    if book.point:
        px, py = x(book.point[0]), y(book.point[1])
        words = f"{money.price(window.price_per_wh)}, {kwh(window.traded_wh)}"
        parts += [
            line(left, py, px, py, "drop"),
            line(px, py, px, top + height, "drop"),
            tag("circle", cx=px, cy=py, r=6, class_="dot"),
            _note(words, px, py, [*_pixels(book.bids, x, y, y.low), *_pixels(book.offers, x, y, y.high)], x),
        ]
    parts += [
        text(
            WIDTH - right, top - 14, f"window from {time}{'' if book.point else ', no trade'}", "axis", "end"
        ),
        _cut(book, x, top),
    ]
    return picture(
        "curves",
        WIDTH,
        top + height + 46,
        f"Supply and demand in the window from {time}",
        _words(book, money),
        *parts,
    )


def _small(book: Book, prices: Sequence[float], reach: float, money: Money) -> Markup:
    left, right, top, bottom = 30.0, 6.0, 27.0, 20.0
    y = nice_scale(prices, SMALL_HEIGHT - bottom, top, 3, zero=False)
    x = nice_scale([reach], left, SMALL_WIDTH - right, 8)
    window = book.window
    time = clock(window.starts_at)
    grid = []
    for value in y.ticks(3):
        grid.append(line(left, y(value), SMALL_WIDTH - right, y(value), "grid"))
        grid.append(text(left - 5, y(value) + 3.5, tick_text(value), "tiny", "end"))
    ends = [text(left, SMALL_HEIGHT - 6, "0", "tiny"),
            text(x.end, SMALL_HEIGHT - 6, f"{tick_text(x.high)} kWh", "tiny", "end")]  # fmt: skip
    dot = (
        tag("circle", cx=x(book.point[0]), cy=y(book.point[1]), r=4, class_="dot small-dot")
        if book.point
        else None
    )
    price = money.price_number(window.price_per_wh) if book.point else "no trade"
    return picture(
        f"curve-{window.index}",
        SMALL_WIDTH,
        SMALL_HEIGHT,
        f"Window from {time}",
        _words(book, money),
        text(left, 15, time, "head"),
        text(SMALL_WIDTH - right, 15, price, "strong" if book.point else "faint", "end"),
        grid,
        ends,
        _stairs(book, x, y),
        dot,
    )


def _stairs(book: Book, x: Scale, y: Scale) -> list[Markup]:
    """Shaded gain and both stairs, cut at the right edge; then each goes on to the edge of the prices."""
    parts: list[Markup] = []
    if book.point and book.point[0] > 0:
        edge = [*book.bids.places(book.point[0]), *reversed(book.offers.places(book.point[0]))]
        parts.append(tag("path", d=points((x(e), y(p)) for e, p in edge) + "Z", class_="gain"))
    for side, name, end in ((book.offers, "supply-line", y.high), (book.bids, "demand-line", y.low)):
        if side.prices:
            parts.append(tag("path", d=points(_pixels(side, x, y, end)), class_=name))
    return parts


def _pixels(side: Steps, x: Scale, y: Scale, end: float) -> list[Place]:
    """A side as drawn: to the right edge at most; one that ends before goes on to the price `end`."""
    places = side.places(x.high)
    if places and side.total <= x.high:
        places.append((side.total, end))
    return [(x(energy), y(price)) for energy, price in places]


def _note(words: str, px: float, py: float, corners: Sequence[Place], x: Scale) -> Markup:
    """The clearing point in words, in that corner around it where the fewest stairs run."""
    width, height = text_width(words, 14), 18.0
    best: tuple[int, float, float, str] | None = None
    for left, baseline in (
        (px + 14, py - 12),
        (px + 14, py + 24),
        (px - 14 - width, py - 12),
        (px - 14 - width, py + 24),
    ):
        low, high = baseline - height, baseline + 6
        crossed = sum(
            min(x1, x2) < left + width and max(x1, x2) > left and min(y1, y2) < high and max(y1, y2) > low
            for (x1, y1), (x2, y2) in pairwise(corners)
        )
        if left < x.start or left + width > x.end:
            crossed += 1000
        anchor = "start" if left > px else "end"
        if best is None or crossed < best[0]:
            best = (crossed, left if anchor == "start" else left + width, baseline, anchor)
    _, at, baseline, anchor = best or (0, px, py, "start")
    return text(at, baseline, words, "strong halo-text", anchor)


def _energy_axis(x: Scale, y: float) -> Markup:
    marks = []
    for value in x.ticks(8):
        marks += [
            line(x(value), y, x(value), y + 5, "zero"),
            text(x(value), y + 19, tick_text(value), "tick", "middle"),
        ]
    return join(
        marks, text(x.end, y + 38, "kWh, all offers up to a price, all bids down to it", "axis", "end")
    )


def _cut(book: Book, x: Scale, top: float) -> Markup:
    for side, name in ((book.bids, "bids"), (book.offers, "offers")):
        if side.total > x.high:
            total = kwh(book.window.bids_wh if name == "bids" else book.window.offers_wh)
            return text(x.end, top + 14, f"{name} go on to {total} \u2192", "faint", "end")
    return Markup()


def _words(book: Book, money: Money) -> str:
    window = book.window
    sides = f"{kwh(window.offers_wh)} offered, {kwh(window.bids_wh)} bid for"
    if book.point is None:
        return f"{sides}; no trade."
    return f"{sides}; {kwh(window.traded_wh)} traded at {money.price(window.price_per_wh)}."


def _range(curve: Sequence[tuple[int, int]], result: StudyResult, money: Money) -> str:
    levels = [level for level, energy in curve if energy > 0]
    if not levels:
        return "\u2013"
    low, high = (money.price_number(result.floor_price + level * result.price_step)
                 for level in (min(levels), max(levels)))  # fmt: skip
    return low if low == high else f"{low} to {high}"


def _table(result: StudyResult, money: Money) -> Table:
    head = ("Window from", f"Clearing price {money.price_unit}", "Traded kWh", "Offers kWh",
            f"Offer prices {money.price_unit}", "Bids kWh", f"Bid prices {money.price_unit}")  # fmt: skip
    rows = [
        [clock(w.starts_at), money.price_number(w.price_per_wh), kwh_exact(w.traded_wh),
         kwh_exact(w.offers_wh), _range(w.offer_curve, result, money), kwh_exact(w.bids_wh),
         _range(w.bid_curve, result, money)]
        for w in result.windows
    ]  # fmt: skip
    return Table(head, rows)
