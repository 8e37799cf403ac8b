"""What all commands share: the options that say where chain and key are, and how errors end a run."""

from __future__ import annotations

import functools
import inspect
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from peerwatt.cli import output
from peerwatt.cli.errors import describe
from peerwatt.cli.session import Session
from peerwatt.cli.settings import Settings

PANEL = "Chain and key"

Rpc = Annotated[str | None, typer.Option("--rpc", metavar="URL", help="JSON-RPC node.", rich_help_panel=PANEL)]
BridgeUrl = Annotated[
    str | None,
    typer.Option(
        "--bridge",
        metavar="URL",
        help="Bridge that sends what you sign, and pays the gas; none for none.",
        rich_help_panel=PANEL,
    ),
]
Manifest = Annotated[
    Path | None, typer.Option("--deployment", metavar="FILE", help="Manifest of the market.", rich_help_panel=PANEL)
]
AccountName = Annotated[
    str | None,
    typer.Option("--account", metavar="NAME", help="Key to act with, by name or address.", rich_help_panel=PANEL),
]
KeystorePath = Annotated[
    Path | None,
    typer.Option("--keystore", metavar="PATH", help="Folder of keystores, or one file.", rich_help_panel=PANEL),
]
PasswordFile = Annotated[
    Path | None,
    typer.Option("--password-file", metavar="FILE", help="Password of the keystore.", rich_help_panel=PANEL),
]
TimeZone = Annotated[
    str | None, typer.Option("--time-zone", metavar="ZONE", help="Such as Africa/Lagos.", rich_help_panel=PANEL)
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.", rich_help_panel=PANEL)]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.", rich_help_panel=PANEL)]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.", rich_help_panel=PANEL)]

COMMON: dict[str, tuple[Any, Any]] = {
    "rpc": (Rpc, None),
    "bridge": (BridgeUrl, None),
    "deployment": (Manifest, None),
    "account": (AccountName, None),
    "keystore": (KeystorePath, None),
    "password_file": (PasswordFile, None),
    "time_zone": (TimeZone, None),
    "json": (Json, False),
    "yes": (Yes, False),
    "debug": (Debug, False),
}
# Of no use to a command that never signs.
KEYS = ("account", "keystore", "password_file", "time_zone")
FLAGS = ("rpc", "bridge", "deployment", "account", "keystore", "password_file", "time_zone")


def command(
    app: typer.Typer,
    name: str | None = None,
    *,
    asks: bool = False,
    keys: bool = True,
    ends: Callable[[BaseException], tuple[int, str]] = describe,
    **options: Any,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Registers a command whose first parameter is a `Session`, and gives it the options that all share.

    Args:
        name: of the command; the function's, with dashes, if None.
        asks: it signs or sends, so that it has `--yes`.
        keys: it may act with a key, so that it has the options that name one.
        ends: exit code and line of an error.
        options: of `typer.Typer.command`.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        hints = get_type_hints(function, include_extras=True)
        own = list(inspect.signature(function).parameters.values())[1:]
        taken = {parameter.name for parameter in own}
        common = [
            inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
            for option, (kind, default) in COMMON.items()
            if option not in taken and (asks or option not in ("yes", "bridge")) and (keys or option not in KEYS)
        ]
        parameters = [
            parameter.replace(annotation=hints[parameter.name], kind=inspect.Parameter.KEYWORD_ONLY)
            for parameter in own
        ]

        @functools.wraps(function)
        def run(**values: Any) -> None:
            given = {parameter.name: values.pop(parameter.name) for parameter in common}
            with ending(bool(given.get("debug")), ends):
                flags = {flag: None if given.get(flag) is None else str(given[flag]) for flag in FLAGS}
                session = Session(
                    Settings(flags), json=bool(given.get("json")), assume_yes=bool(given.get("yes"))
                )
                function(session, **values)

        run.__signature__ = inspect.Signature([*parameters, *common])  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in [*parameters, *common]}
        app.command(name, **options)(run)
        return function

    return register


class ending:
    """Ends a run with one line on stderr and an exit code, whatever goes wrong inside."""

    def __init__(self, debug: bool, ends: Callable[[BaseException], tuple[int, str]] = describe) -> None:
        self._debug = debug
        self._ends = ends

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        # Typer's own ways to end a run, such as a wrong option, go on as they are.
        if error is None or isinstance(error, SystemExit) or type(error).__module__.startswith("typer"):
            return
        if not isinstance(error, Exception | KeyboardInterrupt):
            return
        if self._debug:
            traceback.print_exception(error)
        code, text = self._ends(error)
        output.complain(text)
        raise typer.Exit(code) from None
