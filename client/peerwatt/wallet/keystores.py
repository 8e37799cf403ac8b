"""Private keys in files: Ethereum's V3 keystores, as geth, Foundry and MetaMask's export know them.

A folder holds one file a key. The file's name is the key's name; `UTC--<time>--<address>`, as geth writes it, is also
found by its address.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.address import is_hex_address, to_checksum_address

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_RAW_KEY = re.compile(r"(0x)?[0-9a-fA-F]{64}")
# A keystore is a few hundred bytes; a larger file is something else.
MAX_BYTES = 65_536
# Cost n of scrypt for a new keystore, that of geth; tests take less.
SCRYPT_N = 2**18
# What a key derivation may cost: four times what geth and eth-account ask for (2^18 * 8).
MAX_SCRYPT_COST = 4 * 2**18 * 8
MAX_PBKDF2_ROUNDS = 10_000_000


class KeystoreError(ValueError):
    """A key cannot be read, written or unlocked. The message never shows a secret."""


@dataclass(frozen=True)
class Keystore:
    """One encrypted key.

    Attributes:
        name: of the key.
        path: its file.
        address: checksum address; None where the file does not say it (Foundry's do not).
    """

    name: str
    path: Path
    address: str | None

    @classmethod
    def open(cls, path: Path) -> Keystore:
        """The keystore in a file, still locked.

        Raises:
            KeystoreError: no V3 keystore.
        """
        address = _read(path).get("address")
        return cls(path.name.removesuffix(".json"), path, _to_address(address, path))

    def unlock(self, password: str) -> LocalAccount:
        """The key.

        Raises:
            KeystoreError: wrong password, or the file was damaged.
        """
        fields = _read(self.path)
        _check_cost(fields, self.path)
        try:
            account: LocalAccount = Account.from_key(Account.decrypt(fields, password))
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, MemoryError):
            # Which of the two it is the file does not tell; the error's text could hold part of it.
            raise KeystoreError(
                f"{self.path} does not open: the password is wrong or the file was damaged; try again, "
                "or take your backup"
            ) from None
        if self.address is not None and self.address != account.address:
            raise KeystoreError(
                f"{self.path} says it is the key of {self.address} but holds that of {account.address}; "
                "somebody changed it, take your backup"
            )
        return account

    def readable_by_others(self) -> bool:
        """Whether the file's permissions let others read it."""
        return os.name == "posix" and bool(self.path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))


def create(folder: Path, name: str, key: bytes, password: str) -> Keystore:
    """Encrypts a key into a new file that only its owner can read.

    Args:
        folder: made if it is missing.
        key: 32 bytes.
    Raises:
        KeystoreError: no name for a file, or a key of this name or address exists.
    """
    path = check_new(folder, name)
    if not password:
        raise KeystoreError("the password is empty; choose one that nobody guesses")
    account: LocalAccount = Account.from_key(key)
    for known in list_keystores([folder]):
        if known.address == account.address:
            raise KeystoreError(f"{known.path} holds the key of {account.address} already; use it")
    write_private(path, json.dumps(Account.encrypt(key, password, kdf="scrypt", iterations=SCRYPT_N)))
    return Keystore(name, path, account.address)


def check_new(folder: Path, name: str) -> Path:
    """The file that a new key of this name gets, before anybody chooses a password for it.

    Raises:
        KeystoreError: no name for a file, the name is taken, or the folder is none.
    """
    refuse_raw_key(name)
    if not NAME.fullmatch(name):
        raise KeystoreError(f"{name!r} is no name for a key; use letters, digits, dots, dashes and underscores")
    if folder.exists() and not folder.is_dir():
        raise KeystoreError(f"{folder} is a file; a new key needs a folder, name one with --keystore")
    if (folder / name).exists():
        raise KeystoreError(f"{folder / name} exists; choose another name, nothing is overwritten")
    return folder / name


def refuse_raw_key(text: str) -> None:
    """Makes sure that what should be a name or an address is no private key, before a message repeats it.

    Raises:
        KeystoreError: it looks like one.
    """
    if _RAW_KEY.fullmatch(text.strip()):
        raise KeystoreError(
            "this looks like a private key; other programs and the shell's history see it on the command line. "
            "Give the name or the address of a key, and bring a key in with: peerwatt wallet import NAME"
        )


def write_private(path: Path, text: str) -> None:
    """Writes a new file that only its owner can read; its folder too, if it is made.

    Raises:
        KeystoreError: the file exists, nothing is ever overwritten; or it cannot be written.
    """
    try:
        if not path.parent.exists():
            path.parent.mkdir(parents=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise KeystoreError(f"{path} exists; choose another name, nothing is overwritten") from None
    except OSError as error:
        raise KeystoreError(f"{path} cannot be written ({error.strerror}); name another") from None
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text + "\n")
            # On the disk before anybody sends money to the key.
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        path.unlink(missing_ok=True)
        raise KeystoreError(f"{path} cannot be written ({error.strerror}); name another") from None


def list_keystores(folders: Sequence[Path]) -> list[Keystore]:
    """The keystores of folders, in the sequence of the folders and their names; other files are passed over."""
    return list(_walk(folders))


def find(
    folders: Sequence[Path], wanted: str | None, *, flag: str = "--account", maker: str = "peerwatt wallet new"
) -> Keystore:
    """A key by name or address; without either, the only one there is.

    Args:
        flag: that names the key, for the messages.
        maker: command that makes such keys, for the messages.
    Raises:
        KeystoreError: there is none, or several could be meant.
    """
    known = list_keystores(folders)
    where = " or ".join(str(folder) for folder in folders)
    if wanted is None:
        # Foundry's folder is only looked into when one of its keys is named.
        own = list_keystores(folders[:1])
        if len(own) == 1:
            return own[0]
        if own:
            names = ", ".join(keystore.name for keystore in own)
            raise KeystoreError(f"there are several keys ({names}); name one with {flag}")
        raise KeystoreError(f"there is no key in {folders[0]}; make one with: {maker}")
    refuse_raw_key(wanted)
    if is_hex_address(wanted):
        address = to_checksum_address(wanted)
        for keystore in known:
            if keystore.address == address or keystore.name.lower().endswith(address[2:].lower()):
                return keystore
        raise KeystoreError(f"no keystore in {where} says that it holds the key of {address}; name it with {flag} NAME")
    for keystore in known:
        if keystore.name == wanted:
            return keystore
    names = ", ".join(keystore.name for keystore in known) or "no key at all"
    raise KeystoreError(f"there is no key {wanted!r} in {where}; there is {names}")


def _walk(folders: Sequence[Path]) -> Iterator[Keystore]:
    for folder in folders:
        try:
            paths = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
        except (FileNotFoundError, NotADirectoryError):
            continue
        for path in paths:
            try:
                yield Keystore.open(path)
            except KeystoreError:
                continue


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise KeystoreError(f"{path} is too large for a keystore; name another file")
        fields = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise KeystoreError(f"{path} cannot be read ({error.strerror}); name another file") from error
    except ValueError as error:
        if isinstance(error, KeystoreError):
            raise
        raise KeystoreError(f"{path} is no keystore, it is not JSON; name another file") from None
    if not isinstance(fields, dict):
        raise KeystoreError(f"{path} is no keystore; name another file")
    # MetaMask and old tools write "Crypto".
    crypto = fields.get("crypto", fields.get("Crypto"))
    if fields.get("version") != 3 or not isinstance(crypto, dict):
        raise KeystoreError(f"{path} is no V3 keystore (version {fields.get('version')!r}); export the key again")
    return {**fields, "crypto": crypto}


def _check_cost(fields: dict[str, Any], path: Path) -> None:
    """A hostile file must not eat the memory."""
    parameters = fields["crypto"].get("kdfparams")
    parameters = parameters if isinstance(parameters, dict) else {}
    numbers = {name: parameters.get(name, 0) for name in ("n", "r", "p", "c")}
    whole = all(isinstance(number, int) and number >= 0 for number in numbers.values())
    if (
        not whole
        or numbers["n"] * max(numbers["r"], 1) * max(numbers["p"], 1) > MAX_SCRYPT_COST
        or numbers["c"] > MAX_PBKDF2_ROUNDS
    ):
        raise KeystoreError(f"{path} asks for a key derivation beyond all measure; somebody changed it, use a backup")


def _to_address(value: object, path: Path) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not is_hex_address(value):
        raise KeystoreError(f"{path} has {value!r} where its address should be; somebody changed it, use a backup")
    return str(to_checksum_address(value))
