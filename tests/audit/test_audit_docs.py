"""docs/audit.md says what the auditor does."""

from __future__ import annotations

import re
from pathlib import Path

from audit.conftest import TWO, Audit
from peerwatt.audit.checks import PROMISES
from peerwatt.audit.verdict import words
from peerwatt.cli.commands.audit import EXIT_CODES

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "audit.md"


def rows(title: str) -> list[list[str]]:
    """The table under a heading, without its head."""
    part = DOCUMENT.read_text(encoding="utf-8").partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_document__checks__those_that_are_made(audit: Audit) -> None:
    told = {row[0].strip("`"): (row[1], re.sub(r" \(with .*`\)$", "", row[2])) for row in rows("The checks")}
    made = {check["name"]: check for check in audit("--json", "--rpc", TWO).json["checks"]}
    assert set(told) == {*made, "sources_compile"}
    assert {invariant.__name__ for invariant in PROMISES} < set(told)
    for name, check in made.items():
        assert told[name] == ("" if check["promise"] is None else str(check["promise"]), check["what"])


def test_document__exit_codes__those_of_the_command() -> None:
    assert {int(code): text for code, text in rows("Exit codes")} == EXIT_CODES


def test_document__fields__those_of_the_report(audit: Audit) -> None:
    told = {name for row in rows("The report as JSON") for name in re.findall(r"`(\w+)`", row[0])}
    assert told == {*audit("--json", "--participant", "0x" + "1" * 40).json}


def test_subjects__promises__titles_of_the_market() -> None:
    text = (DOCUMENT.parent / "market.md").read_text(encoding="utf-8")
    titles = dict(re.findall(r"^(\d+)\. \*\*(.+?)\.?\*\*", text, re.MULTILINE))
    assert len(titles) == 10
    for subject in words.SUBJECTS:
        if subject.key.isdigit():
            assert titles[subject.key].startswith(subject.title), subject.key
