"""Figure: energy over the windows, offered, traded, delivered, beside what the homes used (paper, Fig. 7)."""

from __future__ import annotations

from peerwatt.pages.layout import Figure, Table, legend, plot
from peerwatt.pages.markup import Markup, join, tag
from peerwatt.pages.numbers import WH_PER_KWH, clock, duration, grouped, kwh, kwh_exact, share

from ..results import StudyResult, WindowResult
from .amounts import clocks
from .plot import WIDTH, Bands, Scale, clock_axis, hover, left_axis, nice_scale, picture, points, rect

LEFT, RIGHT, TOP = 58.0, 26.0, 34.0
HEIGHT, OWN_HEIGHT = 300.0, 110.0
# Demand that dwarfs what is offered, or the other way round, gets a panel of its own below.
RATIO = 5


def energy_figure(result: StudyResult) -> Figure:
    """Energy per window as stacked bars with the demand as a line."""
    summary, windows = result.summary, result.windows
    offered = sum(w.offers_wh for w in windows)
    lead = (
        "The full height of a bar is what was offered. From below: delivered, sold but not delivered, "
        f"not sold. Homes drew {kwh(summary.demand_wh)} from the network in "
        f"{duration(summary.window_seconds * summary.windows)}; neighbours delivered "
        f"{share(summary.delivered_wh, summary.demand_wh)} of that, {kwh(summary.delivered_wh)}."
    )
    desc = (
        f"{kwh(offered)} offered, {kwh(summary.traded_wh)} traded, {kwh(summary.delivered_wh)} delivered, "
        f"{kwh(summary.demand_wh)} used."
    )
    return Figure(
        "energy",
        "Energy, window by window",
        lead,
        plot(_picture(windows, summary.window_seconds, desc)),
        _table(result),
        legend(
            ("delivered", "delivered"),
            ("short", "sold, not delivered (shortfall)"),
            ("unsold", "offered, not sold"),
            ("demand rule", "demand: metered imports of all homes"),
        ),
    )  # fmt: skip


def _picture(windows: tuple[WindowResult, ...], seconds: int, desc: str) -> Markup:
    bands = Bands(len(windows), LEFT, WIDTH - RIGHT)
    demand = max((w.demand_wh for w in windows), default=0)
    stack = max((max(w.offers_wh, w.sold_wh) for w in windows), default=0)
    apart = max(demand, stack) > RATIO * min(demand, stack)
    top = stack if apart else max(demand, stack)
    scale = nice_scale([top / WH_PER_KWH], TOP + HEIGHT, TOP)
    times = clocks(windows, seconds)
    parts = [left_axis(scale, LEFT, WIDTH - RIGHT, "kWh in the window")]
    parts += [_bar(w, bands, index, scale) for index, w in enumerate(windows)]
    floor = TOP + HEIGHT
    if apart:
        start = floor + 62
        own = nice_scale([demand / WH_PER_KWH], start + OWN_HEIGHT, start, count=3)
        parts += [clock_axis(bands, times, floor), left_axis(own, LEFT, WIDTH - RIGHT, "kWh of demand", 3)]
        parts.append(_demand(windows, bands, own))
        floor = start + OWN_HEIGHT
    else:
        parts.append(_demand(windows, bands, scale))
    parts.append(clock_axis(bands, times, floor))
    return picture("energy", WIDTH, floor + 28, "Energy offered, traded, delivered and used in each window",
                   desc, *parts)  # fmt: skip


def _bar(window: WindowResult, bands: Bands, index: int, scale: Scale) -> Markup:
    width = bands.width(0.72, 72)
    x = bands.centre(index) - width / 2
    edges = [0, window.delivered_wh, window.delivered_wh + window.shortfall_wh]
    edges.append(max(window.offers_wh, edges[-1]))
    boxes = []
    for name, low, high in zip(("delivered", "short", "unsold"), edges, edges[1:], strict=False):
        upper, lower = scale(high / WH_PER_KWH), scale(low / WH_PER_KWH)
        boxes.append(rect(x, upper, width, lower - upper, name))
    words = (
        f"{clock(window.starts_at)}: {kwh(window.offers_wh)} offered, {kwh(window.traded_wh)} traded, "
        f"{kwh(window.delivered_wh)} delivered, {kwh(window.shortfall_wh)} short, {kwh(window.demand_wh)} "
        "used"
    )
    whole = rect(bands.left(index), scale.end, bands.step, scale.start - scale.end, "touch")
    return tag("g", hover(words), whole, boxes, data_window=str(window.window))


def _demand(windows: tuple[WindowResult, ...], bands: Bands, scale: Scale) -> Markup:
    places = []
    for index, window in enumerate(windows):
        y = scale(window.demand_wh / WH_PER_KWH)
        places += [(bands.left(index), y), (bands.left(index + 1), y)]
    return join(
        tag("path", d=points(places), class_="halo"), tag("path", d=points(places), class_="demand-line")
    )


def _table(result: StudyResult) -> Table:
    windows = result.windows

    def row(name: str, rounding_wh: int, *energies: int) -> list[str]:
        return [name, *(kwh_exact(energy) for energy in energies), grouped(rounding_wh)]

    rows = [
        row(clock(w.starts_at), w.rounding_wh, w.demand_wh, w.bids_wh, w.offers_wh, w.traded_wh, w.bought_wh,
            w.sold_wh, w.delivered_wh, w.shortfall_wh)
        for w in windows
    ]  # fmt: skip
    summary = result.summary
    total = row(
        "All", summary.rounding_wh, summary.demand_wh, sum(w.bids_wh for w in windows),
        sum(w.offers_wh for w in windows), summary.traded_wh, sum(w.bought_wh for w in windows),
        sum(w.sold_wh for w in windows), summary.delivered_wh, summary.shortfall_wh,
    )  # fmt: skip
    head = ("Window from", "Demand kWh", "Bids kWh", "Offers kWh", "Traded kWh", "Bought kWh", "Sold kWh",
            "Delivered kWh", "Short kWh", "Rounding Wh")  # fmt: skip
    return Table(head, rows, total=total)
