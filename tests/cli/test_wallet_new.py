"""A key is made once, and lost for good without its backup."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from cli.conftest import Run
from cli.key_files import FILES, mode, open_key, prepare
from cli.secrets import check_no_secret, line
from cli.village import ADA, BOLA, PASSWORD, write_keystore
from peerwatt.wallet.keystores import Keystore


@pytest.fixture
def run(run: Run, monkeypatch: pytest.MonkeyPatch, home_folder: Path) -> Run:
    return prepare(run, monkeypatch, home_folder)


# New keys and their backups


def test_new__nobody_answers__a_key_that_only_its_owner_reads_and_no_backup(run: Run, keys: Path) -> None:
    ran = run("wallet", "new", "ada", "--json")
    path = keys / "ada"
    assert ran.json == {"name": "ada", "address": open_key(path), "file": str(path), "backup": None}
    assert (mode(path), mode(keys)) == (0o600, 0o700)
    key = Keystore.open(path).unlock(PASSWORD).key.hex().removeprefix("0x")
    check_no_secret(ran, key)
    assert json.loads(path.read_text())["version"] == 3
    text = ran.err.replace("\n", " ")
    assert "Money of a lost key cannot be recovered by anybody." in text
    assert "`peerwatt operator move-out` and a new enrolment give the home its connection and score back" in text
    assert "and nobody its money" in text


def test_new__two_keys__differ(run: Run, keys: Path) -> None:
    run("wallet", "new", "--yes")
    run("wallet", "new", "other", "--yes")
    assert open_key(keys / "home") != open_key(keys / "other")


@pytest.mark.parametrize("answer", ["usb", "usb/copy.json", "~/usb"])
def test_new__path_answered__backup_that_opens(run: Run, keys: Path, home_folder: Path, answer: str) -> None:
    (home_folder / "usb").mkdir()
    ran = run("wallet", "new", "ada", input=f"{answer}\n")
    copy = home_folder / "usb" / ("copy.json" if answer.endswith("json") else "ada")
    assert copy.read_bytes() == (keys / "ada").read_bytes() and mode(copy) == 0o600
    assert "Where shall a backup of it go, now?" in ran.out
    assert "was read back and opens with your password." in ran.out


def test_new__folder_open_to_others__says_how_to_close_it(run: Run, keys: Path) -> None:
    keys.mkdir(parents=True)
    keys.chmod(0o755)
    assert f"others can look into {keys}; run: chmod 700 {keys}" in run("wallet", "new", "--yes").err
    keys.chmod(0o700)
    assert "chmod" not in run("wallet", "new", "other", "--yes").err


def test_new__disk_full__no_half_key_stays(run: Run, keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    ran = run("wallet", "new", "ada", expect=5)
    assert f"{keys / 'ada'} cannot be written (No space left on device)" in line(ran)
    assert list(keys.iterdir()) == []


def test_new__folder_cannot_be_made__says_so(run: Run, home_folder: Path) -> None:
    ran = run("wallet", "new", "ada", "--keystore", home_folder / "password" / "keys", expect=5)
    assert "password/keys/ada cannot be written (Not a directory)" in line(ran)


def test_new__bad_path_answered__asked_again(run: Run, home_folder: Path) -> None:
    (home_folder / "taken").write_text("mine")
    ran = run("wallet", "new", "ada", input="taken\nno/such/folder/x\ncopy\n")
    assert "peerwatt: taken exists; name another file" in ran.err
    assert "peerwatt: there is no folder no/such/folder; make it" in ran.err
    assert (home_folder / "taken").read_text() == "mine" and open_key(home_folder / "copy")


def test_new__backup_option__written_without_a_question(run: Run, keys: Path, home_folder: Path) -> None:
    ran = run("wallet", "new", "ada", "--backup", "copy", "--json")
    assert ran.json["backup"] == "copy" and "Where shall" not in ran.err
    assert (home_folder / "copy").read_bytes() == (keys / "ada").read_bytes()


@pytest.mark.parametrize(("backup", "says"), [("taken", "taken exists"), ("gone/copy", "there is no folder gone")])
def test_new__backup_cannot_be_written__no_key_is_made(
    run: Run, keys: Path, home_folder: Path, backup: str, says: str
) -> None:
    (home_folder / "taken").write_text("mine")
    assert says in line(run("wallet", "new", "ada", "--backup", backup, expect=5))
    assert not keys.exists()


def test_new__name_taken__nothing_is_overwritten(run: Run, keys: Path) -> None:
    path = write_keystore(keys, "ada", ADA.account_key)
    before = path.read_bytes()
    for command in (["new", "ada"], ["import", "ada"], ["import", "ada", "--from", FILES / "cast-new.json"]):
        ran = run("wallet", *command, input=f"{BOLA.account_key.hex()}\n", expect=5)
        assert f"{path} exists; choose another name, nothing is overwritten" in line(ran)
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["../ada", "", ".ada", "a b", "a/b", "é", "a" * 65])
def test_new__no_name_for_a_file__says_what_is(run: Run, keys: Path, name: str) -> None:
    assert "is no name for a key; use letters, digits" in line(run("wallet", "new", name, expect=5))
    assert not keys.exists()


@pytest.mark.parametrize(
    "command",
    [
        "wallet new KEY",
        "wallet new 0xKEY",
        "wallet import KEY",
        "wallet export 0xKEY",
        "wallet balance --account KEY",
        "wallet balance --account 0xKEY",
        "wallet revoke 0xKEY",
    ],
)
@pytest.mark.usefixtures("village")
def test_any__private_key_as_argument__refused_and_not_repeated(run: Run, keys: Path, command: str) -> None:
    write_keystore(keys, "bola", BOLA.account_key)
    ran = run(*command.replace("KEY", ADA.account_key.hex()).split(), expect=5)
    assert "this looks like a private key; other programs and the shell's history see it" in line(ran)
    assert [path.name for path in keys.iterdir()] == ["bola"]


def test_new__keystore_is_a_file__says_so(run: Run, keys: Path) -> None:
    path = write_keystore(keys, "ada", ADA.account_key)
    assert f"{path} is a file; a new key needs a folder" in line(
        run("wallet", "new", "x", "--keystore", path, expect=5)
    )


# Passwords


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read (No such file or directory); name another"),
        (b"", "the password is empty; choose one that nobody guesses"),
        (b"geheim\xff", "is not UTF-8 text; name another"),
    ],
)
def test_new__bad_password_file__exit_code_5(
    run: Run, keys: Path, home_folder: Path, content: bytes | None, says: str
) -> None:
    path = home_folder / "other"
    if content is not None:
        path.write_bytes(content)
    ran = run("wallet", "new", "ada", "--password-file", path, expect=5)
    assert says in line(ran) and "xff" not in ran.err
    assert not (keys / "ada").exists()


def test_new__nobody_types_a_password__says_how_to_give_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ETH_PASSWORD")
    ran = run("wallet", "new", "ada", input=f"{PASSWORD}\n{PASSWORD}\n", expect=5)
    assert "nobody is here to type the password; give --password-file, set ETH_PASSWORD" in line(ran)


def test_export_key__wrong_password_or_tampered__exit_code_5(run: Run, keys: Path, home_folder: Path) -> None:
    def refused(**changes: object) -> str:
        path = write_keystore(keys, "ada", ADA.account_key)
        fields = json.loads(path.read_text())
        for name, value in changes.items():
            holder = fields if name in fields else fields["crypto"]
            holder[name] = value
        path.write_text(json.dumps(fields))
        ran = run("wallet", "export", "ada", "--private-key", "--out", "raw", "--yes", expect=5)
        assert not (home_folder / "raw").exists()
        return line(ran)

    assert "somebody changed it, take your backup" in refused(address=BOLA.account[2:].lower())
    assert "does not open: the password is wrong or the file was damaged" in refused(ciphertext="00" * 32)
    assert "does not open" in refused(mac="00" * 32)
    assert "does not open" in refused(cipherparams={"iv": 3})
    assert "beyond all measure" in refused(kdf="scrypt", kdfparams={"n": 2**40, "r": 8, "p": 1})
    (home_folder / "password").write_text("wrong\n")
    assert "does not open" in refused()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "file is no keystore, it is not JSON; name another file"),
        ("\x00", "file is no keystore, it is not JSON; name another file"),
        ("[1]", "file is no keystore; name another file"),
        ("{}", "file is no V3 keystore (version None); export the key again"),
        ('{"version": 1, "crypto": {}}', "file is no V3 keystore (version 1); export the key again"),
        (" " * 70_000, "file is too large for a keystore; name another file"),
    ],
)
def test_import__file_is_no_keystore__exit_code_5(run: Run, home_folder: Path, text: str, says: str) -> None:
    (home_folder / "file").write_text(text)
    assert says in line(run("wallet", "import", "x", "--from", "file", expect=5))
    assert "there is no key" in line(run("wallet", "export", "file", "--keystore", home_folder, expect=5))
