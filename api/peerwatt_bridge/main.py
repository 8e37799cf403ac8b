"""`peerwatt-bridge`: serve, migrate, settings."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
import uvicorn
from pydantic import ValidationError

from peerwatt.market.deployment import ManifestError
from peerwatt.wallet.keystores import KeystoreError
from peerwatt_bridge.app import create_app
from peerwatt_bridge.logs import set_up_logs
from peerwatt_bridge.services.bridge import build
from peerwatt_bridge.settings import Settings
from peerwatt_bridge.storage.database import Database, DatabaseError

app = typer.Typer(
    name="peerwatt-bridge",
    help="The bridge between homes and chain: it keeps what they signed, and brings it to the chain.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
CONFIGURATION = 3


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Where to listen; else PEERWATT_BRIDGE_HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="Else PEERWATT_BRIDGE_PORT.", min=0, max=65535)] = None,
    migrate_first: Annotated[bool, typer.Option("--migrate", help="Bring the database's schema up to date.")] = False,
) -> None:
    """Run the bridge until Ctrl-C or SIGTERM."""
    settings = load_settings()
    set_up_logs(settings.log_level)
    if migrate_first:
        _migrate(settings)
    bridge = build(settings)
    server = uvicorn.Config(
        create_app(bridge),
        host=host or settings.host,
        port=settings.port if port is None else port,
        # Its own lines would not be structured.
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=20,
    )
    uvicorn.Server(server).run()


@app.command()
def migrate() -> None:
    """Bring the database's schema to this program's version."""
    settings = load_settings()
    _migrate(settings)
    typer.echo("the database has this program's schema")


@app.command("settings")
def show_settings() -> None:
    """Show every setting with its value; secrets are hidden."""
    settings = load_settings()
    for name, field in Settings.model_fields.items():
        about = f"  # {field.description}" if field.description else ""
        typer.echo(f"PEERWATT_BRIDGE_{name.upper()}={hide(name, getattr(settings, name))}{about}")


def hide(name: str, value: object) -> str:
    """A setting for people: a database's password is not shown."""
    if name == "database":
        from sqlalchemy import make_url

        return make_url(str(value)).render_as_string(hide_password=True)
    return "" if value is None else str(value)


def load_settings() -> Settings:
    """The settings; what is wrong with them is said in one line each."""
    try:
        return Settings()
    except ValidationError as error:
        for found in error.errors():
            name = "_".join(str(part) for part in found["loc"]).upper()
            typer.echo(f"peerwatt-bridge: PEERWATT_BRIDGE_{name}: {found['msg']}", err=True)
        sys.exit(CONFIGURATION)


def _migrate(settings: Settings) -> None:
    database = Database(settings.database)
    database.migrate()
    database.close()


def main() -> None:
    """Run the command line; what is missing or wrong is said in one line."""
    try:
        app()
    except (ManifestError, DatabaseError, KeystoreError, OSError) as error:
        typer.echo(f"peerwatt-bridge: {' '.join(str(error).split())}", err=True)
        sys.exit(CONFIGURATION)
