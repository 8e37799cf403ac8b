"""Figure: every home's bill without and with the market, consumers and prosumers apart."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from peerwatt.pages.layout import Figure, Table, legend, plot
from peerwatt.pages.markup import Markup, join, tag
from peerwatt.pages.numbers import Money, grouped, percent, plural

from ..results import HomeResult, StudyResult
from .plot import (
    WIDTH,
    Bands,
    Scale,
    hover,
    left_axis,
    line,
    name_label,
    nice_scale,
    picture,
    points,
    rect,
    text,
    tick_text,
)

# Up to so many homes get a row with a name; more are drawn as a row of sticks, by size of bill.
NAMED = 24
# Up to so many sticks say their home when pointed at; beyond, they are too narrow to point at.
POINTED = 480
ROW = 26.0
LEFT, RIGHT, TOP = 66.0, 8.0, 34.0


def bills_figure(result: StudyResult) -> Figure:
    """Bills before and after, dearest first."""
    money = Money.of(result.summary)
    groups = [(name, _sorted(result, name)) for name in ("consumer", "prosumer")]
    body = [_group(name, homes, money) for name, homes in groups if homes]
    lead = (
        "Before: the same meters at retail and feed-in, without a market. After: what the home paid and "
        "earned in the market, fees and imbalances included, and the rest of its utility bill. Below "
        "zero the home earns."
    )
    return Figure(
        "bills",
        "Bills before and after, by home",
        lead,
        join(body),
        _table([home for _, homes in groups for home in homes], money),
        legend(("before", "before"), ("good", "after, better off"), ("bad", "after, worse off")),
    )


def saving(home: HomeResult) -> int:
    """What the market saved a home [base units], negative if it cost."""
    return home.baseline_cost - home.market_cost


def saving_words(home: HomeResult) -> str:
    """The saving in per cent of the bill before; a dash for an empty bill."""
    return percent(100 * saving(home) / abs(home.baseline_cost)) if home.baseline_cost else "\u2013"


def _sorted(result: StudyResult, kind: str) -> list[HomeResult]:
    """The homes of a kind, dearest bill first. Any kind but consumer counts as prosumer."""
    homes = [home for home in result.homes if (home.kind == "consumer") == (kind == "consumer")]
    return sorted(homes, key=lambda home: (-home.baseline_cost, home.id))


def _outcome(homes: Sequence[HomeResult]) -> str:
    better = sum(saving(home) > 0 for home in homes)
    worse = sum(saving(home) < 0 for home in homes)
    same = len(homes) - better - worse
    if same == len(homes):
        return "all as before"
    parts = [f"{grouped(better)} better off"] if better else []
    parts += [f"{grouped(same)} as before"] if same else []
    parts += [f"{grouped(worse)} worse off"] if worse else []
    return ", ".join(parts)


def _group(kind: str, homes: Sequence[HomeResult], money: Money) -> Markup:
    rates = [100 * saving(home) / abs(home.baseline_cost) for home in homes if home.baseline_cost]
    middle = f"; median saving {percent(median(rates))}" if rates else ""
    words = f"{plural(len(homes), kind)}: {_outcome(homes)}{middle}"
    drawn = _rows(kind, homes, money, words) if len(homes) <= NAMED else _sticks(kind, homes, money, words)
    return join(tag("h3", words), plot(drawn))


def _tone(home: HomeResult) -> str:
    change = saving(home)
    return "good" if change > 0 else "bad" if change < 0 else "same"


def _value(money: Money, base_units: int) -> float:
    return float(money.value(base_units))


def _hover(home: HomeResult, money: Money) -> Markup:
    return hover(
        f"{home.id}, {home.category}: {money.amount(home.baseline_cost)} before, "
        f"{money.amount(home.market_cost)} after, {saving_words(home)} saved"
    )


def _rows(kind: str, homes: Sequence[HomeResult], money: Money, words: str) -> Markup:
    left, right, top = 206.0, 172.0, 30.0
    bottom = top + ROW * len(homes)
    values = [_value(money, cost) for home in homes for cost in (home.baseline_cost, home.market_cost)]
    x = nice_scale(values, left, WIDTH - right, 6)
    parts = [text(WIDTH - right + 88, top - 12, f"saved, {money.currency}", "axis", "end")]
    for value in x.ticks(6):
        parts += [line(x(value), top - 4, x(value), bottom, "zero" if value == 0 else "grid"),
                  text(x(value), bottom + 18, tick_text(value), "tick", "middle")]  # fmt: skip
    parts.append(text(x.end, bottom + 36, f"{money.currency} over the study", "axis", "end"))
    for index, home in enumerate(homes):
        y = top + ROW * (index + 0.5)
        before, after = x(_value(money, home.baseline_cost)), x(_value(money, home.market_cost))
        tone = _tone(home)
        parts.append(
            tag(
                "g",
                _hover(home, money),
                rect(0, y - ROW / 2, WIDTH, ROW, "touch"),
                name_label(home.id, home.category, left - 10, y + 4),
                line(before, y, after, y, f"{tone}-line"),
                tag("circle", cx=before, cy=y, r=4.5, class_="before-dot"),
                tag("circle", cx=after, cy=y, r=5, class_=f"{tone}-dot"),
                text(WIDTH - right + 88, y + 4, money.number(saving(home)), "label number", "end"),
                text(WIDTH - 4, y + 4, saving_words(home), "faint number", "end"),
            )
        )
    return picture(f"bills-{kind}", WIDTH, bottom + 46, f"Bills of {kind}s before and after", words, *parts)


def _sticks(kind: str, homes: Sequence[HomeResult], money: Money, words: str) -> Markup:
    height, own = 230.0, 100.0
    bands = Bands(len(homes), LEFT, WIDTH - RIGHT)
    costs = [_value(money, cost) for home in homes for cost in (home.baseline_cost, home.market_cost)]
    y = nice_scale(costs, TOP + height, TOP)
    start = TOP + height + 46
    savings = [_value(money, saving(home)) for home in homes]
    z = nice_scale(savings, start + own, start, 3)
    before = points(
        place
        for index, home in enumerate(homes)
        for place in ((bands.left(index), y(_value(money, home.baseline_cost))),
                      (bands.left(index + 1), y(_value(money, home.baseline_cost))))
    )  # fmt: skip
    parts = [
        left_axis(y, LEFT, WIDTH - RIGHT, f"bill, {money.currency}"),
        left_axis(z, LEFT, WIDTH - RIGHT, f"saved, {money.currency}", 3),
    ]
    for tone in ("good", "bad", "same"):
        chosen = [(index, home) for index, home in enumerate(homes) if _tone(home) == tone]
        parts.append(_bundle(chosen, bands, y, f"{tone}-stick", money, from_baseline=True))
        parts.append(_bundle(chosen, bands, z, f"{tone}-stick", money, from_baseline=False))
    parts.append(tag("path", d=before, class_="before-line"))
    if len(homes) <= POINTED:
        parts += [
            tag(
                "g", _hover(home, money), rect(bands.left(index), TOP, bands.step, start + own - TOP, "touch")
            )
            for index, home in enumerate(homes)
        ]
    parts.append(
        text(WIDTH - RIGHT, start + own + 22, f"each {kind} one stick, dearest bill first", "axis", "end")
    )
    return picture(
        f"bills-{kind}", WIDTH, start + own + 30, f"Bills of {kind}s before and after", words, *parts
    )


def _bundle(
    homes: Sequence[tuple[int, HomeResult]],
    bands: Bands,
    scale: Scale,
    class_: str,
    money: Money,
    *,
    from_baseline: bool,
) -> Markup:
    """All sticks of a colour in one path: from bill before to bill after, or from zero to the saving."""
    if not homes:
        return Markup()
    pieces = []
    for index, home in homes:
        low, high = (home.baseline_cost, home.market_cost) if from_baseline else (0, saving(home))
        y1, y2 = scale(_value(money, low)), scale(_value(money, high))
        pieces.append(f"M{bands.centre(index):.2f} {y1:.1f}V{y2:.1f}")
    return tag("path", d="".join(pieces), class_=class_, style=f"stroke-width:{_stick_width(bands):.2f}px")


def _stick_width(bands: Bands) -> float:
    """Gaps between sticks only where they are wide enough to be seen as gaps."""
    return bands.width(0.78 if bands.step > 2.5 else 1.05, 14)


def _table(homes: Sequence[HomeResult], money: Money) -> Table:
    unit = money.currency
    head = ("Home", "Kind", "Category", f"Before {unit}", f"After {unit}", f"Saved {unit}", "Saved")
    rows = [
        [home.id, home.kind, home.category, money.number(home.baseline_cost), money.number(home.market_cost),
         money.number(saving(home)), saving_words(home)]
        for home in homes
    ]  # fmt: skip
    before, after = sum(home.baseline_cost for home in homes), sum(home.market_cost for home in homes)
    rate = percent(100 * (before - after) / abs(before)) if before else "\u2013"
    total = ["All", "", "", money.number(before), money.number(after), money.number(before - after), rate]
    return Table(head, rows, texts=3, total=total)
