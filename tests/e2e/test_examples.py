"""The examples, each run as a reader would run it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted(path.name for path in (ROOT / "examples").glob("*.py"))
MONEY = re.compile(r"^  (\w[\w ]*?)\s{2,}([\d.]+) NGN   reserved ([\d.]+) NGN$", re.MULTILINE)


def run(name: str, folder: Path) -> str:
    """What an example prints, run from another folder."""
    result = subprocess.run(
        [sys.executable, str(ROOT / "examples" / name)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "client")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def balances(text: str, title: str) -> dict[str, tuple[Decimal, Decimal]]:
    """Balance and reserve by name, from the block under a title."""
    block = text.partition(f"{title}\n")[2]
    lines = block.splitlines()
    rows = [line for line in lines[: next((i for i, x in enumerate(lines) if x[:2] != "  "), len(lines))]]
    return {name: (Decimal(money), Decimal(kept)) for name, money, kept in MONEY.findall("\n".join(rows))}


def test_examples__folder__holds_those_that_are_tested() -> None:
    assert EXAMPLES == ["audit_data.py", "library_quickstart.py", "worked_trade.py"]


def test_worked_trade__run__prints_a_balance_of_zero(tmp_path: Path) -> None:
    text = run("worked_trade.py", tmp_path)
    assert re.search(r"^  sum of all changes +0\.00 NGN$", text, re.MULTILINE)
    assert len(text.splitlines()) > 30


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory: pytest.TempPathFactory) -> str:
    return run("library_quickstart.py", tmp_path_factory.mktemp("quickstart"))


def test_library_quickstart__money__moves_from_buyer_to_seller(quickstart: str) -> None:
    before, settled = balances(quickstart, "Before"), balances(quickstart, "Settled")
    assert set(before) == set(settled) == {"Ada", "Bola", "balancing account", "network account"}
    assert settled["Ada"][0] > before["Ada"][0] and settled["Bola"][0] < before["Bola"][0]
    assert sum(money for money, _ in before.values()) == sum(money for money, _ in settled.values())


def test_library_quickstart__reserves__are_held_from_order_to_payment(quickstart: str) -> None:
    ordered, settled = balances(quickstart, "Both ordered"), balances(quickstart, "Settled")
    assert ordered["Ada"][1] == Decimal(250) and ordered["Bola"][1] == Decimal(225)
    assert all(kept == 0 for _, kept in settled.values())


def test_library_quickstart__withdrawal__takes_everything(quickstart: str) -> None:
    settled = balances(quickstart, "Settled")
    taken = dict(re.findall(r"^(\w+) withdraws ([\d.]+) NGN$", quickstart, re.MULTILINE))
    assert {name: Decimal(money) for name, money in taken.items()} == {
        name: settled[name][0] for name in ("Ada", "Bola")
    }


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[list[str]]]:
    """The answers about a market's data: the rows of the table under each question."""
    text = run("audit_data.py", tmp_path_factory.mktemp("data"))
    blocks = [block.strip().splitlines() for block in text.split("\n\n")]
    return {block[0]: [line.split() for line in block[1:] if re.search(r"\d", line)] for block in blocks}


def test_audit_data__who_earned_what__sellers_first(data: dict[str, list[list[str]]]) -> None:
    rows = [(account, *map(Decimal, numbers)) for account, *numbers in data["Who earned what?"]]
    earned = [row[3] for row in rows]
    assert earned == sorted(earned, reverse=True) and earned[0] > 0 > earned[-1]
    assert rows[0][1] > rows[0][2] and rows[-1][2] > rows[-1][1]
    assert 0 < sum(row[1] for row in rows) <= sum(row[2] for row in rows)


def test_audit_data__price_duration_curve__falls_to_all_windows(data: dict[str, list[list[str]]]) -> None:
    rows = [tuple(map(Decimal, row)) for row in data["The price duration curve"]]
    prices = [row[0] for row in rows]
    assert len(rows) >= 8 and prices == sorted(prices, reverse=True) and prices[0] > prices[-1] > 60
    assert rows[-1][1:] == (100, 100)


def test_audit_data__who_fell_short__energy_and_money(data: dict[str, list[list[str]]]) -> None:
    rows = [tuple(map(Decimal, row[1:])) for row in data["Who fell short?"]]
    assert rows
    for windows, sold_wh, delivered_wh, shortfall_wh, cost in rows:
        assert windows >= 1 and sold_wh - delivered_wh == shortfall_wh > 0
        # The imbalance price is at most some 225 NGN/kWh, and far above what was sold for.
        assert 0 < cost / shortfall_wh < Decimal("0.225")


def test_audit_data__folder_without_tables__one_line(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "examples" / "audit_data.py"), str(tmp_path)]
    result = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(ROOT / "client")}, capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    expected = f"{tmp_path} holds no settlements.parquet; write it with: peerwatt audit --parquet {tmp_path}"
    assert result.stderr.strip() == expected
