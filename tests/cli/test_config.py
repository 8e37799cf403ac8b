"""Flags over environment over file over default, and errors in one line."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cli.conftest import Run
from peerwatt.cli.errors import EXIT_CODES, describe
from peerwatt.cli.settings import DEFAULT_RPC, SETTINGS
from peerwatt.exceptions import BadAmount, GateClosed

ROOT = Path(__file__).resolve().parents[2]


def test_show__nothing_set__defaults(run: Run) -> None:
    values = run("config", "show", "--json").json
    assert list(values) == [setting.name for setting in SETTINGS]
    assert values["rpc"] == {"value": DEFAULT_RPC, "source": "default"}
    assert values["account"] == {"value": None, "source": "default"}


def test_show__file_environment_and_flag__the_nearest_counts(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("config", "set", "rpc", "http://file:1")
    shown = run("config", "show", "--json").json["rpc"]
    assert shown["value"] == "http://file:1" and shown["source"].endswith("config.toml")
    monkeypatch.setenv("ETH_RPC_URL", "http://cast:2")
    assert run("config", "show", "--json").json["rpc"] == {"value": "http://cast:2", "source": "ETH_RPC_URL"}
    monkeypatch.setenv("PEERWATT_RPC", "http://own:3")
    assert run("config", "show", "--json").json["rpc"] == {"value": "http://own:3", "source": "PEERWATT_RPC"}
    flag = run("config", "show", "--json", "--rpc", "http://flag:4").json["rpc"]
    assert flag == {"value": "http://flag:4", "source": "--rpc"}
    assert "http://flag:4" in run("config", "show", "--rpc", "http://flag:4").out


def test_set_and_unset__any_text__comes_back(run: Run) -> None:
    text = 'Adá\'s "key" \\ one'
    run("config", "set", "account", text)
    assert run("config", "show", "--json").json["account"]["value"] == text
    run("config", "unset", "account")
    assert run("config", "show", "--json").json["account"]["value"] is None
    assert "does not set account" in run("config", "unset", "account", expect=3).err


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("rpc = [", "is not TOML"),
        ("rcp = 'x'", "sets 'rcp', which is nothing; there are rpc, "),
        ("rpc = 3", 'write a text in quotes, rpc = "..."'),
    ],
)
def test_show__bad_file__one_line_and_exit_code_3(run: Run, home_folder: Path, text: str, says: str) -> None:
    path = home_folder / "config" / "peerwatt" / "config.toml"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    ran = run("config", "show", expect=3)
    assert says in ran.err and str(path) in ran.err
    assert ran.err.count("\n") == 1 and not ran.out


def test_set__unknown_name__names_those_that_exist(run: Run) -> None:
    assert "there is no setting 'colour'; there are rpc, " in run("config", "set", "colour", "red", expect=3).err


def test_describe__errors_of_all_layers__have_their_exit_codes() -> None:
    assert describe(GateClosed())[0] == 6
    assert describe(BadAmount("x"))[0] == 2
    assert describe(KeyboardInterrupt())[0] == 130
    code, text = describe(RuntimeError("a\nb"))
    assert code == 1 and text == "unexpected RuntimeError: a b; run again with --debug and report it"
    code, text = describe(FileNotFoundError(2, "No such file or directory", "gone.csv"))
    assert (code, text) == (3, "gone.csv: No such file or directory; name another file or mend this one")


def section(title: str) -> str:
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_exit_codes__of_the_document__are_those_of_the_program() -> None:
    rows = re.findall(r"^\| (\d+) \| (.*) \|$", section("Exit codes"), re.MULTILINE)
    assert {int(code): text for code, text in rows} == EXIT_CODES


def test_settings__of_the_document__are_those_of_the_program() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*) \| (.*) \| (.*) \|$", section("Settings"), re.MULTILINE)
    assert [(name, variables, meaning) for name, variables, meaning, _ in rows] == [
        (setting.name, ", ".join(f"`{variable}`" for variable in setting.variables), setting.meaning)
        for setting in SETTINGS
    ]


def test_help__of_the_program__imports_no_chain_library() -> None:
    heavy = "web3 eth_account eth_tester eth numpy pandas rich.console aiohttp"
    program = (
        "import sys\nfrom peerwatt.cli.main import app\n"
        f"print([name for name in {heavy.split()!r} if name in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "client")}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
