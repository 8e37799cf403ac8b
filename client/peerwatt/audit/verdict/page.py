"""A report as a page that a regulator reads: complete in one file, and the same bytes for the same report."""

from __future__ import annotations

from importlib import resources

from peerwatt.audit.checks import Check
from peerwatt.audit.report import HOLDS, VIOLATED, Report
from peerwatt.audit.verdict import words
from peerwatt.pages.layout import Table, document, key_number, paragraphs
from peerwatt.pages.markup import Markup, join, tag
from peerwatt.pages.numbers import grouped, kwh_number, plural

MARKS = {"holds": "\u2713", "violated": "\u2717", "unchecked": "?", words.BY_DESIGN: "\u2013"}
CLASSES = {"holds": "holds", "violated": "broken", "unchecked": "open", words.BY_DESIGN: "quiet"}
VERDICT_CLASSES = {HOLDS: "holds", VIOLATED: "broken"}
# Of one check's violations.
SHOWN = 5

HOW = (
    "The auditor is a program that anybody can run. It trusts no company, no server and no database. It reads the "
    "market's public record (blocks, transactions and logs) from any node of the chain, does every transaction again "
    "with an implementation of the rules that shares no code with the contracts, and compares the two to the byte.",
    "What it cannot prove: that a meter measures right, that the operator bound a meter to the right house, and that "
    "the block named above is the one that the chain's validators agreed on. The first two are the operator's "
    "certificate; the third can be compared with any other node, by the block's hash.",
)


def render_page(report: Report) -> str:
    """The whole page as a document that needs nothing else."""
    style = resources.files(__package__).joinpath("style.css").read_text(encoding="utf-8")
    return document(
        f"peerwatt audit: {words.VERDICT[report.verdict].lower()}",
        _header(report),
        tag("main", _divergence(report), _open(report), _checks(report), _totals(report), _market(report)),
        _footer(report),
        style=style,
    )


def _header(report: Report) -> Markup:
    market, block = report.market, report.block
    number = f"block {grouped(block['number'])}, {words.moment(block['time_s'])}" if block["number"] is not None else ""
    facts = [f"market {market['EnergyMarket']}", f"chain {market['chain_id']}", number]
    return tag(
        "header",
        tag("p", "peerwatt audit", class_="kicker"),
        tag("h1", words.VERDICT[report.verdict], class_=VERDICT_CLASSES.get(report.verdict, "open")),
        tag("p", " \u00b7 ".join(fact for fact in facts if fact), class_="facts"),
        tag("p", words.headline(report), class_="story"),
        [tag("p", note, class_="facts") for note in words.notes(report)],
        tag("dl", _key_numbers(report), class_="keys") if report.checks else None,
    )


def _key_numbers(report: Report) -> list[Markup]:
    totals, money = report.totals, words.money_of(report)
    made = sum(check.count for check in report.checks)
    parts = [kwh_number(totals.delivered_wh), "kWh"]
    return [
        key_number(grouped(made), "", "Single facts checked", [f"in {plural(len(report.checks), 'named check')}"]),
        key_number(
            grouped(totals.signatures), "", "Signatures verified", [f"in {plural(totals.transactions, 'transaction')}"]
        ),
        key_number(parts[0], parts[1], "Delivered", [f"{grouped(totals.shortfall_wh)} Wh fell short"]),
        key_number(
            money.number(totals.received), money.currency, "Paid out for it",
            [f"{plural(totals.participant_windows, 'settlement')} of {plural(totals.participants, 'participant')}"],
        ),
    ]  # fmt: skip


def _divergence(report: Report) -> Markup | None:
    one = report.divergence
    if one is None:
        return None
    pairs = (
        ("Where", words.place(one)),
        ("Expected", one.expected),
        ("Found", one.found),
        ("At stake", words.at_stake(one, words.money_of(report))),
    )
    return tag(
        "section",
        tag("h2", "The first divergence"),
        tag("dl", [join(tag("dt", name), tag("dd", value)) for name, value in pairs], class_="words"),
        tag("p", "Nothing after it was judged: what follows from a wrong act is wrong, too.", class_="nothing"),
        id="divergence",
    )


def _open(report: Report) -> Markup | None:
    lines = words.unchecked(report)
    if not lines:
        return None
    return tag(
        "section",
        tag("h2", "What could not be checked"),
        tag("ul", [tag("li", line) for line in lines], class_="notes"),
        id="unchecked",
    )


def _checks(report: Report) -> Markup | None:
    if not report.checks:
        return None
    return tag("section", tag("h2", "What was checked"), [_part(part) for part in words.group(report)], id="checks")


def _part(part: words.Part) -> Markup:
    number = f"{part.label}: " if part.subject.key.isdigit() else ""
    rows = [[check.what, grouped(check.count), words.STATUS[check.status], check.name] for check in part.checks]
    table = Table(["What it proves", "Made", "Result", "Name"], rows)
    return tag(
        "section",
        tag(
            "h3",
            tag("span", MARKS[part.status], class_="mark", aria_hidden="true"),
            f" {number[:1].upper()}{number[1:]}{part.subject.title}",
            tag("span", f" {words.STATUS[part.status]}", class_="result"),
        ),
        tag("p", part.sentence),
        [_violations(check) for check in part.checks if check.violations_count],
        tag("details", tag("summary", plural(len(part.checks), "check")), table.render(part.subject.title))
        if part.checks
        else None,
        class_=f"part {CLASSES[part.status]}",
        id=f"promise-{part.subject.key}" if part.subject.key.isdigit() else part.subject.key,
    )


def _violations(check: Check) -> Markup:
    rest = check.violations_count - len(check.violations[:SHOWN])
    lines = [*check.violations[:SHOWN], *([f"and {grouped(rest)} more"] if rest else [])]
    return tag("ul", [tag("li", f"{check.name}: {line}") for line in lines], class_="notes")


def _totals(report: Report) -> Markup | None:
    if not report.checks:
        return None
    classes = report.totals.delivered_wh_by_meter_class
    by_class = Table(
        ["Meter class", "Delivered [Wh]"],
        [[words.meter_class(key), grouped(energy_wh)] for key, energy_wh in classes.items()],
        total=["All", grouped(report.totals.delivered_wh)],
    )
    return tag(
        "section",
        tag("h2", "What happened in the market"),
        Table(["Total", "Value"], [list(pair) for pair in words.totals(report)]).render("Up to the audited block"),
        tag("h3", "Delivered energy by meter class"),
        by_class.render("How much of the paid energy was counted by which class of meter"),
        id="totals",
    )


def _market(report: Report) -> Markup:
    market = report.market
    contracts = ("EnergyMarket", "EnergyRegistry", "MarketLens", "SettlementToken")
    rows = [[name, str(market[name])] for name in contracts if name in market]
    rows += [[name, str(value)] for name, value in market["parameters"].items()]
    return tag(
        "section",
        tag("h2", "Which market"),
        tag(
            "details",
            tag("summary", "Addresses and parameters"),
            Table(["Name", "Value"], rows, texts=2).render("As they stand on the chain"),
        ),
        id="market",
    )


def _footer(report: Report) -> Markup:
    block = report.block
    return tag(
        "footer",
        tag("h2", "How this was found", class_="quiet"),
        paragraphs(HOW),
        tag("h2", "Do it again", class_="quiet"),
        tag("p", "With a node of your own choice for URL:"),
        tag("p", tag("code", words.again(report)), class_="again"),
        tag("p", "Block ", tag("code", str(block["hash"])), class_="again") if block["hash"] else None,
        tag("p", "Digest of this report (SHA-256) ", tag("code", report.digest), class_="again"),
        tag("p", "The same chain up to the same block gives the same digest on any machine."),
    )
