"""`peerwatt try` and `peerwatt next`: from nothing to a first trade."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from peerwatt.cli.errors import NodeError, UserError
from peerwatt.cli.options import command
from peerwatt.cli.session import Session

LISTENING = "listening on "
WELCOME = """\
You are in a shell of your own: a local chain with a market and a few neighbours, and no key yet.
Nothing here is real money, and everything is gone when you leave with: exit

`peerwatt next` always says what to type next; `peerwatt --help` lists the rest."""


def register(root: typer.Typer, panel: str) -> None:
    """Adds the commands."""
    command(root, "next", rich_help_panel=panel)(next_)
    command(root, "try", rich_help_panel=panel)(try_)


def next_(session: Session) -> None:
    """Say what to type next, from no key to money back in your account."""
    from peerwatt.cli.guide import find_next

    step = find_next(session)
    session.emit({"command": step.command, "why": step.why}, f"{step.command}\n  {step.why}")


def try_(
    session: Session,
    folder: Annotated[
        Path | None,
        typer.Option("--dir", metavar="DIR", help="Where keys and manifest go and stay; a temporary one otherwise."),
    ] = None,
    start: Annotated[
        str | None, typer.Option("--time", metavar="TIME", help="When the chain starts; now if not given.")
    ] = None,
) -> None:
    """Start a local chain with a market and neighbours, and a shell to trade in."""
    place = Path(tempfile.mkdtemp(prefix="peerwatt-try-")) if folder is None else folder.expanduser().resolve()
    place.mkdir(parents=True, exist_ok=True)
    log = place / "node.log"
    try:
        with log.open("w") as printed:
            # Ctrl-C in the shell is the shell's, not the chain's.
            node = subprocess.Popen(
                [*_peerwatt(), "node", "--port", "0", *(() if start is None else ("--time", start))],
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
                cwd=place,
                start_new_session=True,
            )
        try:
            with session.waiting("starting a chain"):
                url = _read_url(node, log)
            _trade(session, place, url)
        finally:
            node.terminate()
            node.wait()
    finally:
        if folder is None:
            shutil.rmtree(place, ignore_errors=True)


def _trade(session: Session, place: Path, url: str) -> None:
    environment = {
        **os.environ,
        "XDG_CONFIG_HOME": str(place / "config"),
        "XDG_DATA_HOME": str(place / "data"),
        "PEERWATT_RPC": url,
        "PEERWATT_DEPLOYMENT": str(place / "deployment.json"),
        # The programs of this install first, for the shell.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "PS1": "peerwatt> ",
    }
    for name in ("PEERWATT_CONFIG", "PEERWATT_ACCOUNT", "ETH_KEYSTORE", "ETH_KEYSTORE_ACCOUNT", "ETH_PASSWORD"):
        environment.pop(name, None)
    with session.waiting("deploying a market"):
        _run(["deploy", "--yes"], environment, place)
    with session.waiting("neighbours move in"):
        _run(["seed"], environment, place)
    session.say(f"\n{WELCOME}\n")
    _run(["next"], environment, place, quiet=False)
    session.say("")
    subprocess.run(_shell(), env=environment, cwd=place, check=False)


def _run(arguments: list[str], environment: dict[str, str], place: Path, *, quiet: bool = True) -> None:
    # What the session was asked to print before comes first.
    sys.stdout.flush()
    done = subprocess.run(
        [*_peerwatt(), *arguments], env=environment, cwd=place, capture_output=quiet, text=True, check=False
    )
    if done.returncode:
        raise UserError(f"`peerwatt {' '.join(arguments)}` failed: {(done.stderr or '').strip()}")


def _read_url(node: subprocess.Popen[bytes], log: Path) -> str:
    """The URL that the chain prints in its first line."""
    while node.poll() is None:
        first, ended, _ = log.read_text().partition("\n")
        if ended and first.startswith(LISTENING):
            return first.removeprefix(LISTENING)
        time.sleep(0.1)
    raise NodeError(f"the local chain did not start: {log.read_text().strip() or 'it printed nothing'}")


def _peerwatt() -> list[str]:
    return [sys.executable, "-m", "peerwatt"]


def _shell() -> list[str]:
    """A shell with a prompt of its own: bash without its files, which would set another."""
    bash = shutil.which("bash")
    if bash is not None:
        return [bash, "--noprofile", "--norc", *(["-i"] if sys.stdin.isatty() else [])]
    return [os.environ.get("SHELL") or "/bin/sh"]
