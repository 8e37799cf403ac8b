"""Keys that come from elsewhere, and copies of them that go elsewhere."""

from __future__ import annotations

import secrets
from pathlib import Path

from peerwatt.signing.signature import CURVE_ORDER
from peerwatt.wallet.keystores import Keystore, KeystoreError, create, write_private

KEY_BYTES = 32


def make_key() -> bytes:
    """A new private key from the system's randomness, 32 bytes."""
    return (1 + secrets.randbelow(CURVE_ORDER - 1)).to_bytes(KEY_BYTES, "big")


def parse_key(text: str) -> bytes:
    """A private key as people keep it.

    Args:
        text: 64 hex digits, with or without 0x.
    Raises:
        KeystoreError: no key. The message never shows the text.
    """
    try:
        key = bytes.fromhex(text.strip().removeprefix("0x"))
    except ValueError:
        key = b""
    if len(key) == KEY_BYTES and 0 < int.from_bytes(key, "big") < CURVE_ORDER:
        return key
    raise KeystoreError("this is no private key; give its 64 hex digits, nothing was written")


def read_key(path: Path) -> bytes:
    """The private key in a text file.

    Raises:
        KeystoreError: no such file, or no key in it.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise KeystoreError(f"{path} cannot be read ({error.strerror}); name another file") from None
    except UnicodeDecodeError:
        text = ""
    try:
        return parse_key(text)
    except KeystoreError:
        raise KeystoreError(f"{path} holds no private key (64 hex digits); name another file") from None


def adopt(folder: Path, name: str, path: Path, password: str) -> Keystore:
    """Brings a keystore file of another program into the folder: opens it, and encrypts its key anew with the same
    password, since not every program makes guessing it expensive.

    Raises:
        KeystoreError: it does not open, or the name or key is there already.
    """
    return create(folder, name, bytes(Keystore.open(path).unlock(password).key), password)


def find_target(name: str, path: Path) -> Path:
    """Where a copy of a key's file goes: into a folder under the key's name, else to the very path.

    Raises:
        KeystoreError: there is a file, or no folder for it.
    """
    target = path.expanduser()
    target = target / name if target.is_dir() else target
    if target.exists():
        raise KeystoreError(f"{target} exists; name another file, nothing is overwritten")
    if not target.parent.is_dir():
        raise KeystoreError(f"there is no folder {target.parent}; make it or name another file")
    return target


def copy(keystore: Keystore, path: Path, password: str | None = None) -> Path:
    """A copy of a keystore file that only its owner can read, checked by reading it back.

    Args:
        path: a new file, or a folder.
        password: open the copy with it, too.
    Returns:
        The copy's path.
    Raises:
        KeystoreError: nothing was written, or the copy is not what it should be.
    """
    target = find_target(keystore.path.name, path)
    text = keystore.path.read_text(encoding="utf-8").rstrip("\n")
    write_private(target, text)
    if target.read_text(encoding="utf-8").rstrip("\n") != text:
        raise KeystoreError(f"{target} reads back other than it was written; do not trust that disk, name another")
    if password is not None:
        Keystore.open(target).unlock(password)
    return target


def write_key(key: bytes, name: str, path: Path) -> Path:
    """The raw key in a new file that only its owner can read.

    Args:
        name: of the file, where the path is a folder.

    Raises:
        KeystoreError: the file exists or cannot be written.
    """
    target = find_target(name, path)
    write_private(target, f"0x{key.hex()}")
    return target
