"""The page around the figures: title, key numbers, checks, how to read it."""

from __future__ import annotations

from importlib import resources

from peerwatt.pages.layout import document, key_number
from peerwatt.pages.markup import Markup, join, tag
from peerwatt.pages.numbers import MINUS, Money, clock, day, duration, grouped, kwh, kwh_number, percent, plural, share

from ..results import StudyResult, Summary
from .amounts import check_words, mean_price
from .bills import bills_figure
from .curves import curves_figure
from .energy import energy_figure
from .flows import flows_figure
from .prices import prices_figure
from .reputation import reputation_figure

READING = {
    "Window": "A quarter of an hour or another fixed time in which energy is traded and metered.",
    "Bid and offer": (
        "Signed orders to buy and to sell, each with energy and a limit price. Nobody pays more, or gets "
        "less for what was delivered, than was signed."
    ),
    "Clearing price": (
        "One price per window, computed by the contract from all bids and offers. Traded energy is the "
        "volume at that price; who bids more or offers for less trades first."
    ),
    "Delivered": "What the sellers' meters counted, up to what each had sold. Only this is paid to sellers.",
    "Shortfall": "Sold and not delivered. The utility supplies it; who fell short pays the imbalance price.",
    "Feed-in and retail": (
        "What the utility pays for surplus and what it charges for supply; the bill without a market has "
        "only these two."
    ),
    "Rounding Wh": (
        "Fills are whole Wh: a buyer's is rounded up, a seller's down. The utility supplies the difference."
    ),
    "Reliability": "Delivered energy in per cent of sold energy.",
    "Gas": (
        "The chain's measure of work. Per participant and window: everything for orders, clearing and "
        "settlement, divided by the settled pairs of a home and a window in which it had an order."
    ),
}


def render_page(result: StudyResult) -> str:
    """The whole page as a document that needs nothing else."""
    figures = (
        energy_figure(result),
        curves_figure(result),
        prices_figure(result),
        bills_figure(result),
        reputation_figure(result),
        flows_figure(result),
    )
    style = resources.files(__package__).joinpath("style.css").read_text(encoding="utf-8")
    return document(
        f"peerwatt study: {_community(result.summary)}",
        _header(result),
        tag("main", [figure.render(number) for number, figure in enumerate(figures, start=1)]),
        _footer(result),
        style=style,
    )


def _community(summary: Summary) -> str:
    return f"{plural(summary.consumers, 'consumer')} and {plural(summary.prosumers, 'prosumer')}"


def _header(result: StudyResult) -> Markup:
    summary = result.summary
    time = duration(summary.window_seconds * summary.windows)
    when = ""
    if result.windows:
        when = f"{day(result.windows[0].starts_at)}, from {clock(result.windows[0].starts_at)}"
    facts = [when, plural(summary.windows, "window") + f" of {duration(summary.window_seconds)}",
             f"scenario {summary.scenario}", f"seed {summary.seed}"]  # fmt: skip
    return tag(
        "header",
        tag("p", "peerwatt study", class_="kicker"),
        tag("h1", f"{_community(summary)} trade for {time}"),
        tag("p", " \u00b7 ".join(fact for fact in facts if fact), class_="facts"),
        tag("p", _story(result), class_="story"),
        tag("dl", _key_numbers(result), class_="keys"),
        tag("h2", "What was checked", class_="quiet"),
        tag(
            "ul",
            [
                tag("li", tag("span", "\u2713" if holds else "\u2717", class_="mark", aria_hidden="true"),
                    words, class_="holds" if holds else "broken")
                for holds, words in check_words(summary)
            ],
            class_="checks",
        ),
    )  # fmt: skip


def _story(result: StudyResult) -> str:
    summary, money = result.summary, Money.of(result.summary)
    saved = summary.baseline_cost - summary.market_cost
    mean = mean_price(result.windows)
    if mean is None:
        return (
            "Nobody found a partner: in no window did a bid reach an offer, and every home paid its utility "
            "bill as before."
        )
    change = f"saves {money.amount(saved)}" if saved >= 0 else f"pays {money.amount(-saved)} more"
    return (
        f"Neighbours sold each other {kwh(summary.traded_wh)} at {money.price(round(mean))} on average, "
        f"and {share(summary.delivered_wh, summary.delivered_wh + summary.shortfall_wh)} of it arrived. "
        f"Together the community {change} against the utility's prices alone. Every order and every meter "
        "reading was signed, and a contract computed every price and paid every delivery."
    )


def _key_numbers(result: StudyResult) -> list[Markup]:
    summary, money = result.summary, Money.of(result.summary)
    mean = mean_price(result.windows)
    prices = [w.price_per_wh for w in result.windows if w.price_per_wh is not None]
    price_range = "no trade"
    if prices:
        low, high = money.price_number(min(prices)), money.price_number(max(prices))
        price_range = f"{low} to {high} by window" if low != high else "the same in every window"
    sold = summary.delivered_wh + summary.shortfall_wh
    return [
        key_number(
            percent(summary.bill_reduction_pct),
            "",
            "Bills fall by" if summary.bill_reduction_pct >= 0 else f"Bills fall by ({MINUS} is a rise)",
            [
                f"consumers {percent(summary.bill_reduction_consumers_pct)}",
                f"prosumers {percent(summary.bill_reduction_prosumers_pct)}",
            ],
        ),
        key_number(
            kwh_number(summary.traded_wh),
            "kWh",
            "Traded",
            [f"{kwh(summary.delivered_wh)} delivered",
             f"{share(summary.delivered_wh, summary.demand_wh)} of demand"],
        ),
        key_number(
            money.price_number(round(mean)) if mean is not None else "\u2013",
            money.price_unit if mean is not None else "",
            "Price of a kWh",
            [price_range, *(["mean, weighted by energy"] if len(set(prices)) > 1 else [])],
        ),
        key_number(
            percent(summary.reliability_pct) if sold else "\u2013",
            "",
            "Reliability",
            [f"of {kwh(sold)} sold arrived", f"{kwh(summary.shortfall_wh)} short"],
        ),
        key_number(
            grouped(summary.gas_per_participant_window),
            "gas",
            "Per participant and window",
            [f"over {grouped(summary.participant_windows)} of them", f"orders {grouped(summary.gas_order)}",
             f"settlement {grouped(summary.gas_settle)}"],
        ),
        key_number(
            grouped(summary.gas_clear_per_window),
            "gas",
            "Clearing a window",
            [f"all windows {grouped(summary.gas_clear)}", f"setting up {grouped(summary.gas_setup)}, once"],
        ),
        key_number(
            percent(100 * summary.forecast_nrmse_load, 0),
            "",
            "Forecast error, load",
            [f"sun and wind {percent(100 * summary.forecast_nrmse_pv, 0)}", "root mean square, normalised"],
        ),
        key_number(
            grouped(summary.seconds_total, 1),
            "s",
            "The study took",
            [f"of it on the chain {grouped(summary.seconds_chain, 1)} s"],
        ),
    ]  # fmt: skip


def _footer(result: StudyResult) -> Markup:
    summary = result.summary
    notes = [
        tag("h2", "Notes", class_="quiet"),
        tag("ul", [tag("li", note) for note in result.notes], class_="notes"),
    ]
    again = (
        f"peerwatt study --seed {summary.seed} --consumers {summary.consumers} --prosumers "
        f"{summary.prosumers} --windows {summary.windows} --scenario {summary.scenario}"
    )
    return tag(
        "footer",
        notes if result.notes else None,
        tag("h2", "How to read this page", class_="quiet"),
        tag(
            "p",
            "Energy is in kWh, money in the currency of the study, prices per kWh. Point at a bar or a "
            "home for its numbers; under every figure, \u201cThe numbers\u201d opens all of them.",
        ),
        tag(
            "dl",
            [join(tag("dt", word), tag("dd", meaning)) for word, meaning in READING.items()],
            class_="words",
        ),
        tag("p", "The same study again: ", tag("code", again), class_="again"),
    )
