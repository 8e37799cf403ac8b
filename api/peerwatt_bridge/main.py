"""`peerwatt-bridge`: serve, migrate, settings."""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from typing import Annotated

import structlog
import typer
import uvicorn
from pydantic import ValidationError
from web3 import HTTPProvider, Web3

from peerwatt.market.deployment import ManifestError
from peerwatt.wallet.keystores import KeystoreError
from peerwatt_bridge.app import create_app
from peerwatt_bridge.demo.prepare import StackError, prepare
from peerwatt_bridge.demo.stack import Stack
from peerwatt_bridge.logs import set_up_logs
from peerwatt_bridge.services.bridge import Bridge, build
from peerwatt_bridge.settings import Settings
from peerwatt_bridge.storage.database import Database, DatabaseError

app = typer.Typer(
    name="peerwatt-bridge",
    help="The bridge between homes and chain: it keeps what they signed, and brings it to the chain.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
CONFIGURATION = 3
Folder = Annotated[Path, typer.Option("--dir", metavar="DIR", help="Of logs, database, keys and manifest.")]
DEFAULT_FOLDER = Path("out/up")


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
    Server(server, bridge).run()


class Server(uvicorn.Server):
    """A server that ends the streams of events when it is told to stop; it would wait for them."""

    def __init__(self, config: uvicorn.Config, bridge: Bridge) -> None:
        super().__init__(config)
        self._bridge = bridge

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stops."""
        self._bridge.streams.close_all()
        await super().shutdown(sockets)


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


@app.command()
def up(
    folder: Folder = DEFAULT_FOLDER,
    chain_port: Annotated[int, typer.Option(min=0, max=65535, help="Of the local chain; 0 for any.")] = 8545,
    bridge_port: Annotated[int, typer.Option(min=1, max=65535)] = 8750,
    window_seconds: Annotated[int, typer.Option(min=60, max=3600, help="Length of the market's windows.")] = 60,
) -> None:
    """Start a chain, a market, a bridge and homes that trade through it, in the background."""
    url = Stack(folder).up(
        chain_port=chain_port, bridge_port=bridge_port, window_seconds=window_seconds, say=typer.echo
    )
    typer.echo(f"""
The bridge is at {url}, logs and keys are in {folder}.
  curl {url}/healthz               how it is
  curl {url}/v1/market             which market this is
  curl '{url}/v1/readings?limit=5' what meters signed, and where it is on its way
Stop everything with: peerwatt-bridge down""")


@app.command()
def down(folder: Folder = DEFAULT_FOLDER) -> None:
    """Stop what `up` started."""
    stopped = Stack(folder).down()
    typer.echo(f"stopped: {', '.join(stopped)}" if stopped else "nothing was running")


@app.command("prepare")
def prepare_market(
    rpc: Annotated[str, typer.Option(metavar="URL", help="Of a local chain.")] = "http://127.0.0.1:8545",
    folder: Folder = DEFAULT_FOLDER,
    window_seconds: Annotated[int, typer.Option(min=60, max=3600)] = 60,
) -> None:
    """Deploy a market on a local chain and make a relayer's key with gas money, unless both are there."""
    relayer = prepare(rpc, folder, window_seconds)
    typer.echo(f"{relayer.address} pays the gas; manifest and keys are in {folder}")


@app.command()
def community(
    bridge: Annotated[str, typer.Option(metavar="URL", help="The bridge.")] = "http://127.0.0.1:8750",
    pause: Annotated[float, typer.Option(min=0.5, metavar="SECONDS", help="Between two rounds.")] = 5,
) -> None:
    """Let the neighbours of a local chain trade through a bridge, until Ctrl-C."""
    from peerwatt.market.deployment import Deployment
    from peerwatt.market.gateway import MarketGateway
    from peerwatt_bridge.demo.community import Community

    settings = load_settings()
    set_up_logs(settings.log_level)
    w3 = Web3(HTTPProvider(settings.rpc, request_kwargs={"timeout": settings.node_timeout_s}))
    homes = Community(MarketGateway(w3, Deployment.load(settings.deployment)), bridge)
    homes.move_in()
    structlog.get_logger(__name__).info("moved-in")
    homes.run(pause)


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
    except (ManifestError, DatabaseError, KeystoreError, StackError, OSError) as error:
        typer.echo(f"peerwatt-bridge: {' '.join(str(error).split())}", err=True)
        sys.exit(CONFIGURATION)
