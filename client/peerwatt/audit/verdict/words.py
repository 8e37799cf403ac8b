"""A report in words: its checks by what they are about, its amounts as people read them, how to make it again."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from peerwatt.audit.checks import Check
from peerwatt.audit.replay import Divergence
from peerwatt.audit.report import HOLDS, INCOMPLETE, VIOLATED, Report
from peerwatt.pages.numbers import Money, grouped

BY_DESIGN = "by design"
STATUS = {"holds": "holds", "violated": "VIOLATED", "unchecked": "not checked", BY_DESIGN: BY_DESIGN}
VERDICT = {HOLDS: "All promises hold", VIOLATED: "Violated", INCOMPLETE: "Incomplete"}
METER_CLASSES = {"0": "hardware-signed", "1": "edge-signed"}


@dataclass(frozen=True)
class Subject:
    """What several checks are about.

    Attributes:
        key: number of the promise, or a word.
        title: in few words.
        sentence: what holds if all its checks do, in plain words.
    """

    key: str
    title: str
    sentence: str


SUBJECTS = (
    Subject(
        "identity",
        "The contracts are the published ones",
        "The code at the market's addresses is, byte by byte, the code that this auditor was published with, with the "
        "parameters of this market in it.",
    ),
    Subject(
        "replay",
        "Every act was done again",
        "Every transaction of the market, done again by a second, independent implementation of its rules, logs the "
        "same to the byte. Each transaction has the hash and the signature that follow from its content.",
    ),
    Subject(
        "1",
        "No intermediary decides anything",
        "Every order, cancel, report and withdrawal carries the signature of who had to sign it. Each window, cleared "
        "once more by another method, comes to the same price.",
    ),
    Subject(
        "2",
        "Every matched trade is funded before delivery",
        "What each open order could cost is reserved in its owner's wallet, and no wallet reserves more than it holds.",
    ),
    Subject(
        "3",
        "Free money leaves at any time",
        "The market holds the tokens behind all free money. The token's own records show the same deposits and "
        "withdrawals, and nothing else that left.",
    ),
    Subject(
        "4",
        "Nobody pays more than they signed",
        "Of no settled order is the price, with all surcharges and fees, worse than the signed limit.",
    ),
    Subject(
        "5",
        "One Wh is sold once",
        "Registers only grow, no order was replayed, and each home has one order for each window, settled once.",
    ),
    Subject(
        "6",
        "Only metered energy is paid to a seller",
        "No seller was paid for more than its meter counted.",
    ),
    Subject(
        "7",
        "Money is conserved to the base unit, energy to the Wh",
        "For each finished window what was paid is what sellers and the two accounts received, and what was bought "
        "is what was delivered, fell short, or was rounded.",
    ),
    Subject(
        "8",
        "Silence can't block anybody",
        "What is left to settle is counted exactly, no open window is forgotten, and an idle home can always order.",
    ),
    Subject(
        "9",
        "Reputation comes from metered delivery alone",
        "Each change of a score, computed again from the metered delivery, is the same.",
    ),
    Subject(
        "10",
        "The chain is pseudonymous",
        "Not a matter of what happened, but of what can be written: no call and no log of these contracts has a field "
        "for a name or a place, and consumption is shown only by a report that the home's own meter signs.",
    ),
    Subject(
        "storage",
        "What is stored is what follows",
        "Every storage word of the contracts is what the replay has come to.",
    ),
)
_FOUND = {
    "violated": "This is not so, or not all of it: ",
    "unchecked": "This was not checked, or not to its end: ",
}
_REPLAY = {"transactions", "replay", "words_fit", "two_nodes"}


@dataclass(frozen=True)
class Part:
    """A subject with its checks."""

    subject: Subject
    checks: tuple[Check, ...]

    @property
    def count(self) -> int:
        """How many things were checked."""
        return sum(check.count for check in self.checks)

    @property
    def status(self) -> str:
        """The worst of its checks."""
        found = {check.status for check in self.checks}
        if not self.checks:
            return BY_DESIGN if self.subject.key == "10" else "unchecked"
        return next(status for status in ("violated", "unchecked", "holds") if status in found)

    @property
    def sentence(self) -> str:
        """What was found, in plain words."""
        return f"{_FOUND.get(self.status, '')}{self.subject.sentence}"

    @property
    def label(self) -> str:
        """Such as `promise 1`, or the subject's own word."""
        return f"promise {self.subject.key}" if self.subject.key.isdigit() else self.subject.key


def subject_of(check: Check) -> str:
    """Key of the subject that a check belongs to."""
    if check.promise is not None:
        return str(check.promise)
    if check.name == "storage":
        return "storage"
    return "replay" if check.name in _REPLAY else "identity"


def group(report: Report) -> tuple[Part, ...]:
    """The checks by their subjects, in the sequence in which they are read."""
    return tuple(
        Part(subject, tuple(check for check in report.checks if subject_of(check) == subject.key))
        for subject in SUBJECTS
    )


def money_of(report: Report) -> Money:
    """The market's money; base units where the token does not tell its symbol."""
    symbol, decimals = report.market.get("currency"), report.market.get("token_decimals")
    return Money(str(symbol), int(decimals)) if symbol and decimals is not None else Money("base units", 0)


def amount(money: Money, base_units: int) -> str:
    """An amount to its last base unit where two decimals would hide some of it."""
    unit = 10 ** max(0, money.decimals - 2)
    if base_units % unit == 0:
        return money.amount(base_units) if money.decimals else f"{grouped(base_units)} {money.currency}"
    return f"{grouped(money.value(base_units), money.decimals)} {money.currency}"


def headline(report: Report) -> str:
    """The verdict in one sentence."""
    block = report.block["number"]
    where = f"up to block {block}" if block is not None else "nothing was audited"
    if report.verdict == HOLDS:
        return f"Every promise of this market holds, {where}."
    if report.verdict == VIOLATED:
        at = f", first in block {report.divergence.block}" if report.divergence else ""
        if any(check.name == "two_nodes" and check.violations_count for check in report.checks):
            return f"The two nodes tell different histories{at}: this is no verdict on the market."
        return f"This market is not what it must be{at}."
    return f"Not everything could be checked ({where}). This is no verdict on the market."


def place(divergence: Divergence) -> str:
    """Where a divergence is."""
    text = f"block {divergence.block}"
    if divergence.transaction:
        text += f", transaction {divergence.transaction}"
    return text if divergence.log_index is None else f"{text}, log {divergence.log_index}"


def at_stake(divergence: Divergence, money: Money) -> str:
    """Energy and money of a divergence."""
    if not divergence.energy_wh and not divergence.amount:
        return "neither energy nor money in this difference alone"
    return f"{grouped(divergence.energy_wh)} Wh and {amount(money, divergence.amount)}"


def unchecked(report: Report, names: int | None = None) -> list[str]:
    """Exactly what could not be checked, one thing a line.

    Args:
        names: so many checks are named of those that a violation left undone; all if None.
    """
    lines = list(report.incomplete)
    by_reason: dict[str, list[str]] = {}
    for check in report.checks:
        if check.unchecked is not None:
            by_reason.setdefault(check.unchecked, []).append(check.name)
    for reason, found in by_reason.items():
        shown = found if names is None or report.verdict != VIOLATED else found[:names]
        more = f" and {len(found) - len(shown)} more checks" if len(shown) < len(found) else ""
        lines.append(f"{', '.join(shown)}{more}: {reason}")
    lines += [f"{one.transaction}: {one.what}" for one in report.unchecked]
    rest = report.unchecked_count - len(report.unchecked)
    if rest > 0:
        lines.append(f"and {grouped(rest)} more transactions")
    return lines


def notes(report: Report) -> list[str]:
    """What a reader must know besides the checks."""
    found = []
    if not report.market.get("manifest", True):
        found.append(
            "No manifest was given to compare with: addresses, parameters and first roles are those that the chain "
            "itself tells. Compare them with what the operator publishes."
        )
        if "MarketLens" not in report.market:
            found.append("The lens, which only decodes, was not found and not looked at.")
    if report.totals.given:
        found.append(f"{grouped(report.totals.given)} base units came to the market without a deposit: nobody's.")
    return found


def meter_class(key: str) -> str:
    """Name of a meter class."""
    return f"{key} ({METER_CLASSES[key]})" if key in METER_CLASSES else key


def moment(time_s: int | None) -> str:
    """A block's time, in UTC so that it is the same on each machine."""
    if time_s is None:
        return "unknown"
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def again(report: Report) -> str:
    """The command that makes the same report on anybody's machine."""
    named = ("--deployment", "deployment.json")
    if not report.market.get("manifest", True):
        named = ("--market", str(report.market["EnergyMarket"]))
    block = report.block["hash"]
    words: Sequence[str] = ("peerwatt", "audit", "--rpc", "URL", *named, *(("--block", str(block)) if block else ()))
    extra = {check.name: flag for check in report.checks for name, flag in EXTRA.items() if check.name == name}
    return shlex.join([*words, *(word for flag in extra.values() for word in flag)])


# What the command says for checks that are not always made.
EXTRA = {"sources_compile": ("--compile",), "two_nodes": ("--rpc", "URL2")}


def totals(report: Report) -> list[tuple[str, str]]:
    """Names and values of what happened in the market."""
    totals, money = report.totals, money_of(report)
    return [
        ("participants", grouped(totals.participants)),
        ("transactions", grouped(totals.transactions)),
        ("signatures", grouped(totals.signatures)),
        ("windows cleared", grouped(totals.windows)),
        ("settlements", grouped(totals.participant_windows)),
        ("sold", f"{grouped(totals.sold_wh)} Wh"),
        ("delivered", f"{grouped(totals.delivered_wh)} Wh"),
        ("fell short", f"{grouped(totals.shortfall_wh)} Wh"),
        ("rounded", f"{grouped(totals.rounding_wh)} Wh"),
        ("paid by participants", amount(money, totals.paid)),
        ("received by participants", amount(money, totals.received)),
        ("balancing account", amount(money, totals.balancing)),
        ("network account", amount(money, totals.network)),
        ("deposited", amount(money, totals.deposited)),
        ("withdrawn", amount(money, totals.withdrawn)),
        ("held by the market", amount(money, totals.tokens)),
    ]
