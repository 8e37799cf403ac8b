"""Pseudonyms of connections: what the chain sees instead of a connection's number."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

from eth_utils.crypto import keccak

from peerwatt.wallet.keystores import write_private

SALT_BYTES = 32
_PSEUDONYM = re.compile(r"0x[0-9a-fA-F]{64}")


def is_pseudonym(text: str) -> bool:
    """Whether a connection is written as its pseudonym: 0x and 64 hex digits."""
    return _PSEUDONYM.fullmatch(text.strip()) is not None


class SaltError(ValueError):
    """There is no salt, or the file holds none."""


class Pseudonyms:
    """Turns the operator's connection numbers into pseudonyms.

    A number alone is quickly guessed, so a secret salt goes before it. Whoever has the salt can tell which connection
    is whose. Without it an operator no longer finds a connection, and its score starts anew.
    """

    def __init__(self, salt: bytes) -> None:
        self._salt = salt

    def of(self, number: str) -> bytes:
        """The pseudonym of a connection.

        Args:
            number: as the operator writes it; spaces around it do not count. A pseudonym in hex stands for itself.
        Raises:
            SaltError: no number.
        """
        number = number.strip()
        if is_pseudonym(number):
            return bytes.fromhex(number[2:])
        if not number:
            raise SaltError("the connection has no number; give the one by which you know it")
        return bytes(keccak(self._salt + number.encode()))


def load_pseudonyms(path: Path) -> Pseudonyms:
    """Reads the salt's file.

    Raises:
        SaltError: no such file, or no salt in it. The message never shows it.
    """
    try:
        salt = bytes.fromhex(path.read_text(encoding="utf-8").strip())
    except FileNotFoundError:
        raise SaltError(
            f"there is no salt for connection numbers at {path}; copy the file from where you enrolled the first "
            "home, or start a new market's with --new-salt"
        ) from None
    except OSError as error:
        raise SaltError(f"{path} cannot be read ({error.strerror}); name another file with --salt") from None
    except ValueError:
        salt = b""
    if len(salt) != SALT_BYTES:
        raise SaltError(f"{path} holds no salt (64 hex digits); take your backup")
    return Pseudonyms(salt)


def make_salt(path: Path) -> Pseudonyms:
    """Makes a salt and writes it, for its owner only.

    Raises:
        KeystoreError: the file exists; nothing is ever overwritten.
    """
    salt = secrets.token_bytes(SALT_BYTES)
    write_private(path, salt.hex())
    return Pseudonyms(salt)
