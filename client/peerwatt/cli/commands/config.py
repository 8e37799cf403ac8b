"""`peerwatt config`: what is set, and by what."""

from __future__ import annotations

from typing import Annotated

import typer

from peerwatt.cli import output
from peerwatt.cli.errors import ConfigurationError
from peerwatt.cli.options import command
from peerwatt.cli.session import Session
from peerwatt.cli.settings import BY_NAME, SETTINGS, read_file, write_file

app = typer.Typer(help="Settings and where they come from.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help=f"One of {', '.join(BY_NAME)}.")]


def register(root: typer.Typer, panel: str) -> None:
    """Adds the commands."""
    root.add_typer(app, name="config", rich_help_panel=panel)


@command(app)
def show(session: Session) -> None:
    """Show every setting, and whether a flag, the environment or the file set it."""
    values = {setting.name: session.settings.get(setting.name) for setting in SETTINGS}
    rows = [(name, value.value or "-", value.source, BY_NAME[name].meaning) for name, value in values.items()]
    session.emit(
        {name: {"value": value.value, "source": value.source} for name, value in values.items()},
        lambda: output.table(("setting", "value", "set by", "meaning"), rows),
    )


@command(app, "set")
def set_(
    session: Session, name: Name, value: Annotated[str, typer.Argument(metavar="VALUE", help="What it shall be.")]
) -> None:
    """Write a setting into the configuration file."""
    _check(name)
    path = session.settings.path
    write_file(path, {**read_file(path), name: value})
    session.emit({"name": name, "value": value, "file": str(path)}, f"{name} = {value} in {path}")


@command(app)
def unset(session: Session, name: Name) -> None:
    """Take a setting out of the configuration file."""
    _check(name)
    path = session.settings.path
    entries = read_file(path)
    if name not in entries:
        raise ConfigurationError(f"{path} does not set {name}; see: peerwatt config show")
    write_file(path, {key: entry for key, entry in entries.items() if key != name})
    session.emit({"name": name, "value": None, "file": str(path)}, f"{path} no longer sets {name}")


def _check(name: str) -> None:
    if name not in BY_NAME:
        raise ConfigurationError(f"there is no setting {name!r}; there are {', '.join(BY_NAME)}")
