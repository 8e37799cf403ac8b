"""Keys from elsewhere: raw, and in the keystores of other programs."""

from __future__ import annotations

import json
import os
import pty
import select
import sys
import time
from pathlib import Path

import pytest

from cli.conftest import Run
from cli.key_files import CAST_ACCOUNT, CAST_KEY, ELSEWHERE, FILES, mode, open_key, prepare
from cli.secrets import check_no_secret, line
from cli.village import ADA, PASSWORD, write_keystore

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def run(run: Run, monkeypatch: pytest.MonkeyPatch, home_folder: Path) -> Run:
    return prepare(run, monkeypatch, home_folder)


@pytest.mark.parametrize("prefix", ["", "0x"])
@pytest.mark.parametrize("way", ["key-file", "dash", "stdin"])
def test_import__private_key__opens_and_is_not_shown(
    run: Run, keys: Path, home_folder: Path, way: str, prefix: str
) -> None:
    text = f"{prefix}{CAST_KEY.hex()}\n"
    (home_folder / "raw").write_text(text)
    options = {"key-file": ["--key-file", "raw"], "dash": ["--key-file", "-"], "stdin": []}[way]
    ran = run("wallet", "import", "mine", *options, input=None if way == "key-file" else text)
    assert open_key(keys / "mine") == CAST_ACCOUNT and mode(keys / "mine") == 0o600
    assert CAST_ACCOUNT in ran.out and "cannot be recovered by anybody" in ran.out
    assert ("raw still holds the key as plain text; delete it" in ran.out) == (way == "key-file")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00" * 32,
        "ff" * 32,
        "12" * 31,
        "12" * 33,
        "0x0x" + "12" * 31,
        f"{CAST_KEY.hex()[:-1]}g",
        "test test test test test test test test test test test junk",
    ],
)
def test_import__no_private_key__refused_and_not_repeated(run: Run, keys: Path, home_folder: Path, text: str) -> None:
    ran = run("wallet", "import", "mine", "--debug", input=f"{text}\n", expect=5)
    assert ran.err.endswith("peerwatt: this is no private key; give its 64 hex digits, nothing was written\n")
    (home_folder / "raw").write_text(text)
    filed = run("wallet", "import", "mine", "--key-file", "raw", expect=5)
    assert "raw holds no private key (64 hex digits)" in line(filed)
    if text:
        check_no_secret(ran, text)
        check_no_secret(filed, text)
    assert not keys.exists()


def test_import__key_file_gone_or_two_ways__one_line(run: Run) -> None:
    gone = run("wallet", "import", "x", "--key-file", "gone", expect=5)
    assert "gone cannot be read (No such file or directory)" in line(gone)
    assert "gone cannot be read" in line(run("wallet", "import", "x", "--from", "gone", expect=5))
    both = run("wallet", "import", "x", "--key-file", "a", "--from", "b", expect=2)
    assert "--key-file and --from are two ways" in line(both)


def test_import__key_known_already__names_its_file(run: Run, keys: Path) -> None:
    path = write_keystore(keys, "ada", ADA.account_key)
    ran = run("wallet", "import", "again", input=ADA.account_key.hex(), expect=5)
    assert f"{path} holds the key of {ADA.account} already; use it" in line(ran)


@pytest.mark.parametrize(("name", "password", "account"), ELSEWHERE)
def test_import__keystore_of_another_program__opened_and_encrypted_anew(
    run: Run, keys: Path, home_folder: Path, name: str, password: str, account: str
) -> None:
    (home_folder / "password").write_text(password)
    ran = run("wallet", "import", "mine", "--from", FILES / name, "--json")
    assert ran.json == {"name": "mine", "address": account, "file": str(keys / "mine")}
    assert open_key(keys / "mine", password) == account
    fields = json.loads((keys / "mine").read_text())
    assert fields["address"].lower() == account[2:].lower() and fields["crypto"]["kdfparams"]["n"] == 2


def test_import__keystore_with_wrong_password__nothing_written(run: Run, keys: Path, home_folder: Path) -> None:
    (home_folder / "password").write_text("wrong")
    ran = run("wallet", "import", "mine", "--from", FILES / "cast-new.json", expect=5)
    assert "cast-new.json does not open: the password is wrong" in line(ran)
    assert not keys.exists()


# As a person at a terminal, with the key derivation that real keys get


def test_import__typed_at_a_terminal__hidden_and_expensive_to_guess(home_folder: Path, keys: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "client")}
    command = [sys.executable, "-m", "peerwatt", "wallet", "import", "mine"]
    process, terminal = pty.fork()
    if process == 0:
        os.execvpe(command[0], command, environment)
    shown = b""
    typed = [
        (b"Private key (hidden): ", CAST_KEY.hex()),
        (b"key mine: ", PASSWORD),
        (b"The same again: ", PASSWORD),
    ]
    ends_s = time.monotonic() + 60
    while time.monotonic() < ends_s:
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            chunk = os.read(terminal, 4096)
        except OSError:
            break
        if not chunk:
            break
        shown += chunk
        if typed and shown.endswith(typed[0][0]):
            os.write(terminal, typed.pop(0)[1].encode() + b"\n")
    os.close(terminal)
    assert os.waitpid(process, 0)[1] == 0, shown
    text = shown.decode()
    assert CAST_ACCOUNT in text and CAST_KEY.hex() not in text and PASSWORD not in text
    fields = json.loads((keys / "mine").read_text())
    assert (fields["crypto"]["kdf"], fields["crypto"]["kdfparams"]["n"]) == ("scrypt", 2**18)
