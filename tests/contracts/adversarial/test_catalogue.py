"""docs/attacks.md is the list of these attacks: each line has its test, each test its line."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from contracts.helpers import ROOT
from peerwatt.reference.reasons import CODES, DIRECT

HERE = Path(__file__).resolve().parent
DOCUMENT = ROOT / "docs" / "attacks.md"
COLUMNS = ["number", "attack", "who", "defence", "test"]
# A reason string as the document quotes it: "<module>: <fact>".
QUOTED = re.compile(r"`([a-z]+: [^`]+)`")
TOKEN_AND_RELAY = {"relay: item cut short", "relay: unknown item", "market: senseless parameter"}


def _rows() -> list[dict[str, str]]:
    """The lines of the document's tables."""
    found = []
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and cells[0].isdigit():
            assert len(cells) == len(COLUMNS), line
            found.append(dict(zip(COLUMNS, cells, strict=True)))
    return found


def _tests() -> set[str]:
    """Path and name of every attack's test, as the document writes them."""
    found = set()
    for path in sorted(HERE.glob("test_*.py")):
        if path != Path(__file__).resolve():
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                    found.add(f"`{path.name}::{node.name}`")
    return found


def test_document__names_each_test_once_and_no_other() -> None:
    named = [row["test"] for row in _rows()]
    assert sorted(named) == sorted(_tests())


def test_document__is_numbered_and_complete() -> None:
    table = _rows()
    assert [int(row["number"]) for row in table] == list(range(1, len(table) + 1))
    assert len(table) >= 60
    assert all(all(row.values()) for row in table)


def test_document__quotes_only_reasons_that_exist() -> None:
    known = CODES.keys() | DIRECT | TOKEN_AND_RELAY
    quoted = {reason for row in _rows() for reason in QUOTED.findall(row["defence"])}
    assert quoted and quoted <= known, quoted - known
