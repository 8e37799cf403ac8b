"""The documents: links resolve, definitions are complete, figures are what the programs print."""

from __future__ import annotations

import json
import os
import re
import runpy
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ElementTree
from dataclasses import fields
from importlib import resources
from pathlib import Path

import pytest

from peerwatt import signing
from peerwatt.reference.reputation import LETTERS, POINTS_PER_BAND
from peerwatt.study.results import Summary
from peerwatt.study.world.scenarios import SCENARIOS

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
LINK = re.compile(r"(?<!`)!?\[[^\]\n]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.*)$", re.MULTILINE)
CODE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"(?<![\w.,])\d[\d,]*(?:\.\d+)?")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def anchors(path: Path) -> set[str]:
    """The anchors that a code host makes of headings."""
    return {
        re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-")
        for title in HEADING.findall(CODE.sub("", read(path)))
    }


def section(text: str, title: str) -> str:
    """The text under a heading of the second rank."""
    found = text.partition(f"\n## {title}\n")[2]
    assert found, f"no section {title!r}"
    return found.partition("\n## ")[0]


def rows(text: str) -> list[list[str]]:
    """The cells of all table rows."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


@pytest.fixture(scope="module")
def worked_trade() -> str:
    """What examples/worked_trade.py prints."""
    result = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "worked_trade.py")],
        env={**os.environ, "PYTHONPATH": str(ROOT / "client")},
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout


def test_documents__all_that_are_promised__exist() -> None:
    names = {path.name for path in DOCUMENTS}
    assert names >= {"README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"}
    assert names >= {"market.md", "study.md", "units.md", "architecture.md", "contract.md"}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links__inside_the_tree__resolve(path: Path) -> None:
    broken = []
    for link in LINK.findall(CODE.sub("", read(path))):
        if link.startswith(("http://", "https://")):
            continue
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_index__documents__are_all_listed() -> None:
    text = read(DOCS / "README.md")
    assert {path.name for path in DOCS.glob("*.md")} - {"README.md"} - set(LINK.findall(text)) == set()


def test_study__fields_of_the_summary__are_each_defined_once() -> None:
    defined = [row[0] for row in rows(section(read(DOCS / "study.md"), "What is measured"))[2:]]
    assert sorted(defined) == sorted(f"`{field.name}`" for field in fields(Summary))
    meanings = [row[1] for row in rows(section(read(DOCS / "study.md"), "What is measured"))[2:]]
    assert all(len(meaning) > 8 for meaning in meanings)


def test_study__scenarios__are_each_described() -> None:
    described = [row[0] for row in rows(section(read(DOCS / "study.md"), "What comes out"))]
    assert [name for name in described if name.startswith("`")] == [f"`{name}`" for name in SCENARIOS]


def test_market__worked_trade__is_what_the_example_prints(worked_trade: str) -> None:
    block = CODE.search(section(read(DOCS / "market.md"), "One trade in numbers"))
    assert block is not None
    assert block.group().removeprefix("```\n").removesuffix("```") == worked_trade


def test_market__numbers_in_the_story__are_all_printed_by_the_example(worked_trade: str) -> None:
    story = CODE.sub("", section(read(DOCS / "market.md"), "One trade in numbers"))
    printed = set(NUMBER.findall(worked_trade))
    told = [number.rstrip(",") for number in NUMBER.findall(story)]
    assert len(told) > 40
    assert sorted(set(told) - printed) == []


def test_market__signed_types__are_those_that_the_library_signs() -> None:
    block = re.search(r"```\n(Order\(.*?)```", read(DOCS / "market.md"), re.DOTALL)
    assert block is not None
    assert block[1].splitlines() == [message.type_string() for message in signing.MESSAGES]


def test_market__promises__are_ten_in_sequence() -> None:
    numbers = re.findall(r"^(\d+)\. \*\*", section(read(DOCS / "market.md"), "Ten promises"), re.MULTILINE)
    assert numbers == [str(number) for number in range(1, 11)]


def test_market__ratings__are_those_of_the_study() -> None:
    file = resources.files("peerwatt.study").joinpath("community.toml").read_text(encoding="utf-8")
    tables = tomllib.loads(file)["reputation"]
    expected = []
    for band in reversed(range(16)):
        upper = "10,000" if band == 15 else f"below {POINTS_PER_BAND * (band + 1):,}"
        prices = [f"{tables[name][band] / 100:g} %" for name in ("surcharge_bps", "haircut_bps", "rebate_bps")]
        expected.append([LETTERS[15 - band], f"{POINTS_PER_BAND * band:,}", upper, *prices])
    assert rows(section(read(DOCS / "market.md"), "Reputation"))[2:] == expected


def test_architecture__code_sizes__are_those_of_the_artifacts() -> None:
    text = section(read(DOCS / "architecture.md"), "Three contracts")
    sizes = {row[0].strip("`"): row[1] for row in rows(text)[2:]}
    sizes["SettlementToken"] = re.findall(r"`SettlementToken` \(([\d,]+) bytes\)", text)[0]
    for name, written in sizes.items():
        artifact = json.loads(read(ROOT / "client" / "peerwatt" / "artifacts" / f"{name}.json"))
        size = len(artifact["runtime_bytecode"]) // 2 - 1 + artifact["immutables_size"]
        stale = f"{name} has {size:,} bytes, docs/architecture.md says {written}"
        assert abs(size - int(written.replace(",", ""))) <= 0.02 * size, stale


def test_readme__python__runs_as_it_is_written() -> None:
    blocks = re.findall(r"```python\n(.*?)```", read(ROOT / "README.md"), re.DOTALL)
    assert len(blocks) == 1
    names: dict[str, object] = {}
    exec(blocks[0], names)
    order, domain, signature = names["order"], names["domain"], names["signature"]
    assert isinstance(order, signing.Order) and isinstance(domain, signing.Domain)
    assert isinstance(signature, signing.Signature)
    assert signing.recover(order, domain, signature) == order.maker
    assert (order.energy_wh, order.limit_level) == (400, 177)


@pytest.mark.parametrize("name", ["energy.svg", "clearing.svg"])
def test_pictures__as_files__need_nothing_else(name: str) -> None:
    text = read(DOCS / "images" / name)
    root = ElementTree.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert not re.search(r"var\(|<script|<image|href=|url\(|@import", text)
    drawn = {name for names in re.findall(r'class="([^"]*)"', text) for name in names.split()}
    styled = set(re.findall(r"\.([a-z][\w-]*)", text.partition("<style>")[2].partition("</style>")[0]))
    assert {"tick", "label"} <= drawn and styled <= drawn


def test_pictures__of_any_study__are_drawn_with_legend_and_background() -> None:
    from client.test_report import study

    script = runpy.run_path(str(ROOT / "scripts" / "make_pictures.py"))
    pictures = script["render_pictures"](study())
    assert sorted(pictures) == ["clearing.svg", "energy.svg"]
    assert pictures == script["render_pictures"](study())
    for text in pictures.values():
        ElementTree.fromstring(text)
        assert 'fill="#fbfaf7"' in text
    assert "offered, not sold" in pictures["energy.svg"] and "clearing point" in pictures["clearing.svg"]
