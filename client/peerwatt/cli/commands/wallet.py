"""`peerwatt wallet`: keys in keystore files. Money and agents are in the two files beside this one."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from peerwatt.cli import output
from peerwatt.cli.commands import wallet_agents, wallet_money
from peerwatt.cli.errors import UsageError
from peerwatt.cli.options import command
from peerwatt.cli.session import Session

if TYPE_CHECKING:
    from peerwatt.wallet.keystores import Keystore

app = typer.Typer(help="Keys, money, and the agents that may trade for you.", no_args_is_help=True)

LOST = (
    "Money of a lost key cannot be recovered by anybody. After a lost key, `peerwatt operator move-out` and a new\n"
    "enrolment give the home its connection and score back, and nobody its money."
)
NewName = Annotated[str, typer.Argument(metavar="NAME", help="Name of the key, and of its file.")]
Backup = Annotated[
    Path | None, typer.Option("--backup", metavar="FILE", help="Write a copy there too: a new file, or a folder.")
]


def register(root: typer.Typer, panel: str) -> None:
    """Adds the commands."""
    app.add_typer(wallet_money.app)
    app.add_typer(wallet_agents.app)
    root.add_typer(app, name="wallet", rich_help_panel=panel)


@command(app, asks=True)
def new(session: Session, name: NewName = "home", backup: Backup = None) -> None:
    """Make a key, and a backup of it."""
    from peerwatt.wallet import copies, keystores

    folder = session.settings.path_of("keystore")
    keystores.check_new(folder, name)
    if backup is not None:
        copies.find_target(name, backup)
    password = session.read_password(f"Password of the new key {name}", confirm=True)
    with session.waiting("encrypting the key"):
        keystore = keystores.create(folder, name, copies.make_key(), password)
    _check_folder(folder)
    session.say(f"Key {name} of account {keystore.address} is in {keystore.path}\n{LOST}")
    copied = _back_up(session, keystore, password, backup)
    session.emit(
        {**_describe(keystore), "backup": None if copied is None else str(copied)},
        f"No backup was made. Make one with: peerwatt wallet export {name} --out FILE"
        if copied is None
        else f"The backup {copied} was read back and opens with your password.",
    )


@command(app, "import")
def import_(
    session: Session,
    name: NewName,
    key_file: Annotated[
        Path | None,
        typer.Option("--key-file", metavar="FILE", help="File with the private key as hex; - for standard input."),
    ] = None,
    source: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="Keystore file of another program.")
    ] = None,
) -> None:
    """Bring in a key: from a hidden prompt, a file, standard input, or another program's keystore."""
    from peerwatt.wallet import copies, keystores

    folder = session.settings.path_of("keystore")
    keystores.check_new(folder, name)
    if key_file is not None and source is not None:
        raise UsageError("--key-file and --from are two ways to bring in one key; give one of them")
    if source is not None:
        found = keystores.Keystore.open(source.expanduser())
        password = session.read_password(f"Password of {found.path}")
        with session.waiting("opening the keystore"):
            keystore = copies.adopt(folder, name, found.path, password)
    else:
        key = _read_key(session, key_file)
        password = session.read_password(f"Password of the new key {name}", confirm=True)
        with session.waiting("encrypting the key"):
            keystore = keystores.create(folder, name, key, password)
    _check_folder(folder)
    leftover = key_file is not None and str(key_file) != "-"
    session.emit(
        _describe(keystore),
        f"Key {name} of account {keystore.address} is in {keystore.path}\n{LOST}"
        + (f"\n{key_file} still holds the key as plain text; delete it when you have a backup." if leftover else ""),
    )


@command(app, "list")
def list_(session: Session) -> None:
    """List the keys: the own folder's, then those of Foundry."""
    from peerwatt.wallet import keystores

    path = session.settings.path_of("keystore")
    own = [keystores.Keystore.open(path)] if path.is_file() else []
    known = own + keystores.list_keystores(session.key_folders)
    try:
        default = session.keystore.path
    except keystores.KeystoreError:
        default = None
    rows = [
        (
            "*" if keystore.path == default else "",
            keystore.name,
            keystore.address or "not in the file",
            f"{keystore.path}{'  (others can read it)' if keystore.readable_by_others() else ''}",
        )
        for keystore in known
    ]
    session.emit(
        [
            {
                **_describe(keystore),
                "default": keystore.path == default,
                "readable_by_others": keystore.readable_by_others(),
            }
            for keystore in known
        ],
        lambda: (
            output.table(("", "name", "account", "file"), rows)
            if rows
            else f"There is no key in {path}; make one with: peerwatt wallet new"
        ),
    )


@command(app, asks=True)
def export(
    session: Session,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="The key of --account without it.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="A new file, or a folder; printed without it.")
    ] = None,
    private_key: Annotated[
        bool, typer.Option("--private-key", help="Write the raw key, unencrypted, into the file of --out.")
    ] = False,
) -> None:
    """Copy a key's keystore file, for a backup or another program."""
    import json

    from peerwatt.wallet import copies, keystores

    keystore = session.keystore if name is None else keystores.find(session.key_folders, name)
    if private_key:
        if out is None:
            raise UsageError("a raw key is never printed; name a new file with --out")
        copies.find_target(f"{keystore.name}.key", out)
        session.confirm(
            f"You write the raw key of {keystore.name} into {out}. Whoever reads that file can take all money of the "
            "account, at once and for good. Write it?"
        )
        key = bytes(session.unlock(keystore).key)
        target = copies.write_key(key, f"{keystore.name}.key", out)
        session.emit(
            {**_describe(keystore), "copy": str(target), "encrypted": False},
            f"{target} holds the raw key; only you can read it. Delete it as soon as you can.",
        )
    elif out is not None:
        target = copies.copy(keystore, out)
        session.emit(
            {**_describe(keystore), "copy": str(target), "encrypted": True},
            f"{target} is a copy of {keystore.path}; it opens with the same password.",
        )
    else:
        text = keystore.path.read_text(encoding="utf-8").strip()
        session.emit({**_describe(keystore), "keystore": json.loads(text)}, text)


def _check_folder(folder: Path) -> None:
    """Others who can write into the folder can put a key of theirs under a name of yours."""
    if os.name == "posix" and folder.stat().st_mode & 0o077:
        output.complain(f"others can look into {folder}; run: chmod 700 {folder}")


def _read_key(session: Session, key_file: Path | None) -> bytes:
    """A private key from its file, from a hidden prompt, or from standard input."""
    from peerwatt.wallet import copies

    if key_file is not None and str(key_file) != "-":
        return copies.read_key(key_file.expanduser())
    if key_file is None and sys.stdin.isatty():
        return copies.parse_key(session.ask_hidden("Private key (hidden): "))
    return copies.parse_key(sys.stdin.readline())


def _back_up(session: Session, keystore: Keystore, password: str, backup: Path | None) -> Path | None:
    """The copy of a new key: where `--backup` says, else where the person says now, if anywhere."""
    from peerwatt.wallet import copies
    from peerwatt.wallet.keystores import KeystoreError

    if backup is not None:
        return copies.copy(keystore, backup, password)
    while answer := session.ask("Where shall a backup of it go, now? A file or folder, best on another disk: "):
        try:
            return copies.copy(keystore, Path(answer), password)
        except KeystoreError as error:
            output.complain(str(error))
    return None


def _describe(keystore: Keystore) -> dict[str, object]:
    return {"name": keystore.name, "address": keystore.address, "file": str(keystore.path)}
