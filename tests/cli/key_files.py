"""Keystores of other programs, and what the tests of key files share."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from eth_utils.crypto import keccak

from cli.conftest import Run
from cli.secrets import guarded
from cli.village import PASSWORD
from peerwatt.wallet import keystores
from peerwatt.wallet.keystores import Keystore

# Written by `cast wallet import` and `cast wallet new` 1.7.1; the pbkdf2 vector of the Web3 Secret Storage Definition.
FILES = Path(__file__).parent / "keystores"
CAST_KEY = bytes(keccak(text="peerwatt test account cast"))
CAST_ACCOUNT = "0x26138284B0FaFF9f75cc98A1e540bEc5a0133199"
ELSEWHERE = [
    ("cast-import.json", PASSWORD, CAST_ACCOUNT),
    ("cast-new.json", PASSWORD, "0x8b48d5dcF1543D71b4D951C2fA4a58dEa62C2c25"),
    ("specification.json", "testpassword", "0x008AeEda4D805471dF9b2A5B0f38A0C3bCBA786b"),
]


def prepare(run: Run, monkeypatch: pytest.MonkeyPatch, home_folder: Path) -> Run:
    """Commands with a password file and a key derivation that costs nothing; nothing shows a secret."""
    monkeypatch.setattr(keystores, "SCRYPT_N", 2)
    (home_folder / "password").write_text(PASSWORD + "\n")
    monkeypatch.setenv("ETH_PASSWORD", str(home_folder / "password"))
    return guarded(run, CAST_KEY.hex())


def mode(path: Path) -> int:
    """Permission bits of a file or folder."""
    return stat.S_IMODE(path.stat().st_mode)


def open_key(path: Path, password: str = PASSWORD) -> str:
    """The account whose key a file holds."""
    return str(Keystore.open(path).unlock(password).address)
