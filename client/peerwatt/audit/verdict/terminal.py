"""A report in the terminal: the verdict, a line for each promise, what was violated or not checked, and the totals."""

from __future__ import annotations

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from peerwatt.audit.report import HOLDS, INCOMPLETE, VIOLATED, Report
from peerwatt.audit.verdict import words
from peerwatt.pages.numbers import MINUS, STAY, grouped, plural

STYLES = {HOLDS: "bold green", VIOLATED: "bold red", INCOMPLETE: "bold yellow"}
STATUS_STYLES = {"holds": "green", "violated": "bold red", "unchecked": "yellow", words.BY_DESIGN: "dim"}
# Of one check's violations.
SHOWN = 3
# Of the checks that a divergence left undone; the first divergence says what matters.
NAMES = 3


def render_verdict(report: Report) -> RenderableType:
    """Everything that people want to know first; print it with a rich console."""
    parts: list[RenderableType] = [_title(report), _checks(report)]
    if report.divergence is not None:
        parts.append(_divergence(report))
    parts += [_list(f"{check.name} found {plural(check.violations_count, 'violation')}",
                    check.violations[:SHOWN], "red")
              for check in report.checks if check.violations_count and check.name != "replay"]  # fmt: skip
    parts += [_list("Not checked", words.unchecked(report, NAMES), "yellow"), _list("Note", words.notes(report), "")]
    parts += [_facts("Totals", words.totals(report)), _classes(report)] if report.checks else []
    parts.append(_digest(report))
    return Group(*(Padding(part, (0, 0, 1, 1)) for part in parts if not isinstance(part, Text) or part.plain))


def _plain(text: str) -> str:
    """What every console has."""
    return text.replace(MINUS, "-").replace(STAY, " ")


def _title(report: Report) -> Text:
    market, block = report.market, report.block
    text = Text()
    text.append(words.VERDICT[report.verdict].upper(), STYLES[report.verdict])
    text.append(f"\n{words.headline(report)}\n")
    facts = f"market {market['EnergyMarket']} on chain {market['chain_id']}, deployed in block {market['block']}"
    text.append(facts, "dim")
    if block["number"] is not None:
        text.append(f"\nblock {block['number']}, {block['hash']}, {words.moment(block['time_s'])}", "dim")
    return text


def _checks(report: Report) -> Table | Text:
    if not report.checks:
        return Text()
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    table.add_column("About", no_wrap=True)
    table.add_column("What", overflow="fold")
    table.add_column("Checks", justify="right", no_wrap=True)
    table.add_column("Made", justify="right", no_wrap=True)
    table.add_column("Result", no_wrap=True)
    for part in words.group(report):
        table.add_row(
            Text(part.label),
            Text(part.subject.title),
            Text(grouped(len(part.checks)) if part.checks else ""),
            Text(grouped(part.count) if part.checks else ""),
            Text(words.STATUS[part.status], STATUS_STYLES[part.status]),
        )
    return table


def _divergence(report: Report) -> Text:
    assert report.divergence is not None
    one = report.divergence
    text = Text()
    text.append("First divergence", "bold red")
    for name, value in (
        ("where", words.place(one)),
        ("expected", one.expected),
        ("found", one.found),
        ("at stake", words.at_stake(one, words.money_of(report))),
    ):
        text.append(f"\n  {name:9}", "dim")
        text.append(_plain(value))
    return text


def _list(title: str, lines: list[str] | tuple[str, ...], style: str) -> Text:
    text = Text()
    if lines:
        text.append(title, f"bold {style}".strip())
        for line in lines:
            text.append(f"\n  {_plain(line)}")
    return text


def _facts(title: str, pairs: list[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 2))
    for _ in range(2):
        table.add_column(style="dim", overflow="fold")
        table.add_column(justify="right", overflow="fold")
    half = (len(pairs) + 1) // 2
    for index in range(half):
        row = [*pairs[index], *(pairs[index + half] if index + half < len(pairs) else ("", ""))]
        table.add_row(*(Text(_plain(cell)) for cell in row))
    table.title, table.title_justify, table.title_style = title, "left", "bold"
    return table


def _classes(report: Report) -> Text:
    found = report.totals.delivered_wh_by_meter_class
    lines = [f"class {words.meter_class(key)}: {grouped(energy_wh)} Wh" for key, energy_wh in found.items()]
    return _list("Delivered energy by meter class", lines, "")


def _digest(report: Report) -> Text:
    return Text.assemble(("Digest  ", "bold"), report.digest, ("\nThe same again: ", "dim"), words.again(report))
