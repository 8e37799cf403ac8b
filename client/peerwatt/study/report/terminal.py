"""The summary of a study in the terminal: what people want to know first, on one screen."""

from __future__ import annotations

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from peerwatt.pages.numbers import MINUS, Money, clock, day, duration, grouped, kwh, kwh_short, percent, plural, share

from ..results import StudyResult, WindowResult
from .amounts import check_words, mean_price
from .flows import left_over, paid_in, receipts

# More windows than this are shown by their beginning and their end.
SHOWN = 24
HEAD, TAIL = 12, 8


def render_summary(result: StudyResult) -> RenderableType:
    """Key numbers, a line per window, where the money went, gas, checks; print it with a rich console."""
    parts: tuple[Text | Table, ...] = (
        _title(result),
        _key_numbers(result),
        _windows(result),
        _money(result),
        _gas(result),
        _checks(result),
    )
    return Group(*(Padding(part, (0, 0, 1, 1)) for part in parts))


def _cell(words: str, style: str = "") -> Text:
    """Words in a style; never read as rich markup, and with the minus sign that every console has."""
    return Text(words.replace(MINUS, "-"), style)


def _title(result: StudyResult) -> Text:
    summary = result.summary
    text = Text()
    text.append(
        f"{plural(summary.consumers, 'consumer')} and {plural(summary.prosumers, 'prosumer')}", "bold"
    )
    text.append(f" traded for {duration(summary.window_seconds * summary.windows)}\n", "bold")
    when = f"{day(result.windows[0].starts_at)}, " if result.windows else ""
    text.append(
        f"{when}{plural(summary.windows, 'window')}, scenario {summary.scenario}, seed {summary.seed}", "dim"
    )
    return text


def _key_numbers(result: StudyResult) -> Table:
    summary, money = result.summary, Money.of(result.summary)
    mean = mean_price(result.windows)
    price = round(mean) if mean is not None else None
    sold = summary.delivered_wh + summary.shortfall_wh
    saved = summary.baseline_cost - summary.market_cost
    rows = (
        ("Bills fall by", percent(summary.bill_reduction_pct),
         f"consumers {percent(summary.bill_reduction_consumers_pct)}, prosumers "
         f"{percent(summary.bill_reduction_prosumers_pct)}; {money.amount(saved)} saved"),
        ("Traded", kwh(summary.traded_wh), f"{kwh(summary.delivered_wh)} delivered, "
         f"{share(summary.delivered_wh, summary.demand_wh)} of demand"),
        ("Price of a kWh", money.price_number(price) + f" {money.currency}" if price is not None else "none",
         f"feed-in {money.price_number(result.feed_in_price)}, "
         f"imbalance {money.price_number(result.imbalance_price)}"),
        ("Reliability", percent(summary.reliability_pct) if sold else "no sale",
         f"{kwh(summary.shortfall_wh)} of {kwh(sold)} sold fell short"),
        ("Forecast error", percent(100 * summary.forecast_nrmse_load, 0),
         f"of load; sun and wind {percent(100 * summary.forecast_nrmse_pv, 0)} (NRMSE)"),
    )  # fmt: skip
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", style="bold", no_wrap=True)
    table.add_column(style="dim")
    for name, value, detail in rows:
        table.add_row(_cell(name), _cell(value), _cell(detail))
    return table


def _windows(result: StudyResult) -> Table:
    money = Money.of(result.summary)
    table = Table(
        box=box.SIMPLE_HEAD, show_footer=True, pad_edge=False, header_style="bold", footer_style="bold"
    )
    windows, summary = result.windows, result.summary
    mean = mean_price(windows)
    columns = (
        ("Window\nfrom", "All", "left"),
        ("Bids\nkWh", kwh_short(sum(w.bids_wh for w in windows)), "right"),
        ("Offers\nkWh", kwh_short(sum(w.offers_wh for w in windows)), "right"),
        (
            f"Price\n{money.price_unit}",
            money.price_number(round(mean) if mean is not None else None),
            "right",
        ),
        ("Traded\nkWh", kwh_short(summary.traded_wh), "right"),
        ("Delivered\nkWh", kwh_short(summary.delivered_wh), "right"),
        ("Short\nkWh", kwh_short(summary.shortfall_wh), "right"),
    )
    for head, foot, justify in columns:
        table.add_column(
            _cell(head), _cell(foot), justify="left" if justify == "left" else "right", no_wrap=True
        )
    if len(windows) <= SHOWN:
        _add_rows(table, windows, money)
        return table
    _add_rows(table, windows[:HEAD], money)
    table.add_row(Text("\u2026", "dim"), *[Text("\u2026", "dim")] * 6)
    _add_rows(table, windows[-TAIL:], money)
    table.caption = f"{len(windows) - HEAD - TAIL} more windows are in the report"
    table.caption_justify = "left"
    return table


def _add_rows(table: Table, windows: tuple[WindowResult, ...], money: Money) -> None:
    for window in windows:
        price = money.price_number(window.price_per_wh) if window.price_per_wh is not None else "no trade"
        table.add_row(
            _cell(clock(window.starts_at)),
            _cell(kwh_short(window.bids_wh)),
            _cell(kwh_short(window.offers_wh)),
            _cell(price, "cyan" if window.price_per_wh is not None else "dim"),
            _cell(kwh_short(window.traded_wh)),
            _cell(kwh_short(window.delivered_wh), "green"),
            _cell(kwh_short(window.shortfall_wh), "yellow" if window.shortfall_wh else "dim"),
        )


def _money(result: StudyResult) -> Table:
    money, flows = Money.of(result.summary), result.flows
    total = paid_in(flows)
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(style="dim")

    def add(who: str, amount: int, why: str, style: str = "") -> None:
        table.add_row(
            _cell(who, style), _cell(money.amount(amount), style), _cell(share(amount, total, 2)), _cell(why)
        )

    add("Paid in", total, f"buyers {money.number(flows.buyers_paid)}, sellers who fell short "
        f"{money.number(flows.imbalance_paid)}", "bold")  # fmt: skip
    for use in receipts(flows):
        add(f"  to {use.who}", use.amount, use.why)
    rest = left_over(flows)
    add("Left over", rest, f"{grouped(rest)} base units", "bold" if rest == 0 else "bold red")
    return table


def _gas(result: StudyResult) -> Text:
    summary = result.summary
    text = Text()
    text.append(grouped(summary.gas_per_participant_window), "bold")
    text.append(f" gas per participant and window ({grouped(summary.participant_windows)} of them), ")
    text.append(grouped(summary.gas_clear_per_window), "bold")
    text.append(" to clear a window\n")
    text.append(
        f"orders {grouped(summary.gas_order)}, clearing {grouped(summary.gas_clear)}, settlement "
        f"{grouped(summary.gas_settle)}, setting up {grouped(summary.gas_setup)}; "
        f"{grouped(summary.seconds_total, 1)} s, on the chain {grouped(summary.seconds_chain, 1)} s",
        "dim",
    )
    return text


def _checks(result: StudyResult) -> Text:
    lines = Text()
    for index, (holds, words) in enumerate(check_words(result.summary)):
        lines.append("\n" if index else "")
        lines.append("ok  " if holds else "NO  ", "bold green" if holds else "bold red")
        lines.append(words.replace(MINUS, "-"))
    for note in result.notes:
        lines.append(f"\n    {note}", "dim")
    return lines
