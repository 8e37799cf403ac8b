"""Figure: clearing prices over the windows, between feed-in, retail and imbalance price."""

from __future__ import annotations

from peerwatt.pages.layout import Figure, Table, legend, plot
from peerwatt.pages.markup import Markup, tag
from peerwatt.pages.numbers import Money, clock, kwh, kwh_exact

from ..results import StudyResult
from .amounts import clocks, mean_price
from .plot import (
    WIDTH,
    Bands,
    Scale,
    clock_axis,
    fit,
    hover,
    left_axis,
    line,
    nice_scale,
    picture,
    rect,
    spread,
    text,
)

LEFT, RIGHT, TOP, HEIGHT = 58.0, 226.0, 34.0, 320.0
# Up to so many windows each price is written at its mark.
WRITTEN = 14


def prices_figure(result: StudyResult) -> Figure:
    """A mark per window on the scale from feed-in to imbalance price."""
    money = Money.of(result.summary)
    mean = mean_price(result.windows)
    known = [w.price_per_wh for w in result.windows if w.price_per_wh is not None]
    if mean is None:
        found = "No window traded, so there is no price."
    else:
        found = (
            f"On average, weighted by energy, a kWh changed hands for {money.price(round(mean))}; "
            f"the cheapest window cleared at {money.price_number(min(known))}, the dearest at "
            f"{money.price_number(max(known))}."
            if min(known) < max(known)
            else f"A kWh changed hands for {money.price(known[0])}."
        )
    lead = (
        f"{found} A trade is worth while for both sides between what the utility pays for surplus "
        "(feed-in) and what it charges (retail); whoever sells and falls short pays the imbalance price "
        "for the missing energy."
    )
    return Figure(
        "prices",
        "Clearing prices",
        lead,
        plot(_picture(result, money, found)),
        _table(result, money),
        legend(
            ("price rule", "clearing price"),
            ("feedin dash", "feed-in"),
            ("retail dash", "retail"),
            ("imbalance dash", "imbalance price"),
        ),
    )


def _lines(result: StudyResult) -> list[tuple[int, str, str]]:
    """The prices of the utility: (base units/Wh, name, class), lowest first."""
    rows = [(price, f"retail, {name}", "retail") for name, price in result.retail_prices.items()]
    rows += [
        (result.feed_in_price, "feed-in", "feedin"),
        (result.imbalance_price, "imbalance price", "imbalance"),
    ]
    return sorted(rows)


def _picture(result: StudyResult, money: Money, found: str) -> Markup:
    windows = result.windows
    bands = Bands(len(windows), LEFT, WIDTH - RIGHT)
    utility = _lines(result)
    prices = [float(money.per_kwh(price)) for price, _, _ in utility]
    prices += [float(money.per_kwh(w.price_per_wh)) for w in windows if w.price_per_wh is not None]
    y = nice_scale(prices, TOP + HEIGHT, TOP, 6, zero=False)
    dearest = max(result.retail_prices.values(), default=result.feed_in_price)
    room = [y(float(money.per_kwh(price))) for price in (result.feed_in_price, dearest)]
    parts = [
        rect(LEFT, room[1], WIDTH - RIGHT - LEFT, room[0] - room[1], "room"),
        left_axis(y, LEFT, WIDTH - RIGHT, money.price_unit, 6),
        clock_axis(bands, clocks(windows, result.summary.window_seconds), TOP + HEIGHT),
        *_utility(utility, y, money),
        *_marks(result, bands, y, money),
    ]
    names = "; ".join(f"{name} {money.price_number(price)}" for price, name, _ in utility)
    return picture(
        "prices", WIDTH, TOP + HEIGHT + 28, "Clearing price of each window", f"{found} {names}.", *parts
    )


def _utility(utility: list[tuple[int, str, str]], y: Scale, money: Money) -> list[Markup]:
    """Lines of the utility's prices, named at the right with a leader from line to name."""
    heights = [y(float(money.per_kwh(price))) for price, _, _ in utility]
    labels = spread(heights, 18, TOP + 2, TOP + HEIGHT)
    parts = []
    edge = WIDTH - RIGHT
    for (price, name, class_), height, label in zip(utility, heights, labels, strict=True):
        parts += [
            line(LEFT, height, edge, height, f"{class_}-line"),
            tag(
                "path",
                d=f"M{edge:.1f} {height:.1f}L{edge + 16:.1f} {label:.1f}H{edge + 22:.1f}",
                class_="leader",
            ),
            tag(
                "text",
                tag("tspan", money.price_number(price), class_="strong"),
                f"  {fit(name, RIGHT - 84)}",
                x=edge + 28,
                y=label + 4,
                class_="label",
            ),
        ]
    return parts


def _marks(result: StudyResult, bands: Bands, y: Scale, money: Money) -> list[Markup]:
    parts = []
    width = bands.width(0.82, 110)
    for index, window in enumerate(result.windows):
        x = bands.centre(index)
        whole = rect(bands.left(index), y.end, bands.step, y.start - y.end, "touch")
        words = (
            f"{clock(window.starts_at)}: {money.price(window.price_per_wh)}, {kwh(window.traded_wh)} traded"
        )
        if window.price_per_wh is None:
            words = f"{clock(window.starts_at)}: no trade"
            said = "no trade" if len(result.windows) <= WRITTEN and bands.step > 60 else "\u00d7"
            mark = text(x, (y.start + y.end) / 2, said, "faint halo-text", "middle")
        else:
            height = y(float(money.per_kwh(window.price_per_wh)))
            mark = line(x - width / 2, height, x + width / 2, height, "price-line")
            if len(result.windows) <= WRITTEN:
                mark = tag(
                    "g",
                    mark,
                    text(
                        x, height - 9, money.price_number(window.price_per_wh), "strong halo-text", "middle"
                    ),
                )
        parts.append(tag("g", hover(words), whole, mark, data_window=str(window.window)))
    return parts


def _table(result: StudyResult, money: Money) -> Table:
    rows = [
        [clock(w.starts_at), money.price_number(w.price_per_wh), kwh_exact(w.traded_wh)]
        for w in result.windows
    ]
    rows += [[name, money.price_number(price), "\u2013"] for price, name, _ in _lines(result)]
    return Table(("Window from, or price of the utility", f"Price {money.price_unit}", "Traded kWh"), rows)
