"""Keys are listed and copied, act by their names, and are never shown."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import typer
from eth_account import Account

from cli.conftest import Run
from cli.key_files import CAST_ACCOUNT, FILES, mode, open_key, prepare
from cli.secrets import line
from cli.village import ADA, BOLA, write_keystore
from peerwatt.cli.commands import wallet

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def run(run: Run, monkeypatch: pytest.MonkeyPatch, home_folder: Path) -> Run:
    return prepare(run, monkeypatch, home_folder)


def test_list__own_folder_and_foundrys__each_with_its_account(run: Run, keys: Path, home_folder: Path) -> None:
    assert f"There is no key in {keys}; make one with: peerwatt wallet new" in run("wallet", "list").out
    assert run("wallet", "list", "--json").json == []
    path = write_keystore(keys, "ada", ADA.account_key)
    (keys / "notes.txt").write_text("not a key")
    foundry = home_folder / ".foundry" / "keystores"
    foundry.mkdir(parents=True)
    shutil.copy(FILES / "cast-import.json", foundry / "caston")
    (foundry / "caston").chmod(0o644)
    assert run("wallet", "list", "--json").json == [
        {"name": "ada", "address": ADA.account, "file": str(path), "default": True, "readable_by_others": False},
        {
            "name": "caston",
            "address": None,
            "file": str(foundry / "caston"),
            "default": False,
            "readable_by_others": True,
        },
    ]
    rows = run("wallet", "list", "--account", "caston").out.splitlines()
    assert rows[1].split() == ["ada", ADA.account, str(path)]
    assert rows[2].startswith("*  caston  not in the file") and rows[2].endswith("(others can read it)")


def test_list__keystore_is_a_file__that_one(run: Run, keys: Path) -> None:
    path = write_keystore(keys, "ada", ADA.account_key)
    write_keystore(keys, "bola", BOLA.account_key)
    (listed,) = run("wallet", "list", "--keystore", path, "--json").json
    assert (listed["name"], listed["default"]) == ("ada", True)


@pytest.mark.usefixtures("village")
def test_key__of_foundrys_folder__acts_by_its_name(run: Run, keys: Path, home_folder: Path) -> None:
    write_keystore(keys, "ada", ADA.account_key)
    foundry = home_folder / ".foundry" / "keystores"
    foundry.mkdir(parents=True)
    shutil.copy(FILES / "cast-import.json", foundry / "caston")
    ran = run("wallet", "balance", "--account", "caston", "--json")
    assert ran.json["account"] == CAST_ACCOUNT
    assert f"others can read {foundry / 'caston'}; run: chmod 600" in ran.err


@pytest.mark.usefixtures("village")
def test_key__file_of_another_account__does_not_sign(run: Run, keys: Path) -> None:
    path = write_keystore(keys, "ada", ADA.account_key)
    ran = run("wallet", "withdraw", "1 NGN", "--keystore", path, "--account", BOLA.account, "--yes", expect=5)
    assert f"{path} holds the key of {ADA.account}, not of {BOLA.account}" in ran.err


def test_export__keystore__printed_or_copied(run: Run, keys: Path, home_folder: Path) -> None:
    path = write_keystore(keys, "ada", ADA.account_key)
    assert run("wallet", "export").out == path.read_text() + "\n"
    assert run("wallet", "export", "ada", "--json").json["keystore"] == json.loads(path.read_text())
    ran = run("wallet", "export", "ada", "--out", "copy", "--json")
    assert ran.json == {"name": "ada", "address": ADA.account, "file": str(path), "copy": "copy", "encrypted": True}
    assert open_key(home_folder / "copy") == ADA.account and mode(home_folder / "copy") == 0o600
    assert "copy exists; name another file" in line(run("wallet", "export", "--out", "copy", expect=5))
    assert "there is no key 'bola' in" in line(run("wallet", "export", "bola", expect=5))


def test_export__no_key_at_all__says_how_to_make_one(run: Run, keys: Path) -> None:
    ran = run("wallet", "export", expect=5)
    assert f"there is no key in {keys}; make one with: peerwatt wallet new" in line(ran)


def test_export__private_key__only_into_a_new_file_and_when_confirmed(run: Run, keys: Path, home_folder: Path) -> None:
    write_keystore(keys, "ada", ADA.account_key)
    raw = home_folder / "raw"
    assert "never printed; name a new file with --out" in line(run("wallet", "export", "--private-key", expect=2))
    ran = run("wallet", "export", "--private-key", "--out", "raw", input="n\n", expect=7)
    assert "Whoever reads that file can take all money of the account" in ran.out and not raw.exists()
    assert run("wallet", "export", "--private-key", "--out", "raw", expect=7).code == 7
    ran = run("wallet", "export", "--private-key", "--out", "raw", "--json", input="y\n")
    assert ran.json["encrypted"] is False and list(ran.json) == ["name", "address", "file", "copy", "encrypted"]
    assert raw.read_text() == f"0x{ADA.account_key.hex()}\n" and mode(raw) == 0o600
    assert "raw exists" in line(run("wallet", "export", "--private-key", "--out", "raw", "--yes", expect=5))
    ran = run("wallet", "export", "--private-key", "--out", ".", "--yes")
    assert (home_folder / "ada.key").read_text() == raw.read_text()
    assert Account.from_key(raw.read_text().strip()).address == ADA.account


def test_document__commands_in_its_table__are_those_that_exist() -> None:
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8").partition("\n## Keys and money\n")[2]
    told = re.findall(r"^\| `wallet (\w+)", text.partition("\n## ")[0], re.MULTILINE)
    group = typer.main.get_group(wallet.app)
    assert told == list(group.commands)
