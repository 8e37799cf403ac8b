"""The tutorial: every command of it prints what is written there; and `peerwatt try` leads to the same end."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from e2e.tools import environment

ROOT = Path(__file__).resolve().parents[2]
PEERWATT = [str(Path(sys.executable).parent / "peerwatt")]
# What a newcomer does who only ever types what `peerwatt next` says.
OBEDIENT = """
echo "correct horse" > password; chmod 600 password; export ETH_PASSWORD=$PWD/password PEERWATT_TIME_ZONE=Africa/Lagos
for step in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do
    line=$(peerwatt next --json | python -c 'import json, sys; print(json.load(sys.stdin)["command"])')
    case "$line" in
        "peerwatt --help") echo "trade done after $step steps"; break ;;
        *" join "*|*" operator "*|*" deposit "*|*" withdraw "*|*" sell "*|*" report "*) line="$line --yes" ;;
    esac
    echo "+ $line"
    eval "$line" < /dev/null || exit 1
done
peerwatt wallet balance
"""


@pytest.fixture(scope="module")
def script() -> dict[str, object]:
    return runpy.run_path(str(ROOT / "scripts" / "record_tutorial.py"))


def test_tutorial__every_command__prints_what_is_written(script: dict[str, object]) -> None:
    written = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    replay, compare = script["replay"], script["compare"]
    assert callable(replay) and callable(compare)
    differences = compare(written, replay(written, PEERWATT))
    assert not differences, "run scripts/record_tutorial.py if this is meant:\n" + "\n".join(differences)


def test_compare__another_amount_and_another_address__only_the_amount_counts(script: dict[str, object]) -> None:
    compare = script["compare"]
    assert callable(compare)
    one, two = f"0x{'1' * 40} got 5 NGN for 123 gas\n", f"0x{'2' * 40} got 5 NGN for 124 gas\n"
    assert compare(one, two) == []
    assert compare(one, two.replace("5 NGN", "6 NGN"))


def test_try__whoever_types_what_next_says__has_traded(tmp_path: Path) -> None:
    done = subprocess.run(
        [*PEERWATT, "try", "--dir", str(tmp_path / "place"), "--time", "2027-06-01T10:02+01:00"],
        input=OBEDIENT,
        env=environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    steps = re.findall(r"^\+ peerwatt (.*)$", done.stdout, re.MULTILINE)
    commands = "wallet faucet meter join operator wallet sell travel keeper travel meter wallet"
    assert [step.split()[0] for step in steps] == commands.split(), done.stdout
    assert "trade done after 13 steps" in done.stdout
    # 500 Wh at 94.5 NGN/kWh less 1 %.
    assert "outside the market     1046.7775 NGN" in done.stdout
