"""The command line: the app, and the sequence in which `peerwatt --help` shows its commands."""

from __future__ import annotations

import sys
from importlib.metadata import version as installed_version

import typer

from peerwatt.cli import output
from peerwatt.cli.commands import (
    audit,
    config,
    deploy,
    external,
    faucet,
    first_steps,
    join,
    keeper,
    market,
    meter,
    node,
    operator,
    orders,
    reputation,
    seed,
    statement,
    study,
    trades,
    verify,
    wallet,
    watch,
)
from peerwatt.cli.errors import CONFIGURATION
from peerwatt.extras import MissingExtra

app = typer.Typer(
    name="peerwatt",
    help="A peer-to-peer electricity market: signed orders, a clearing contract, metered settlement.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def peerwatt() -> None:
    """A peer-to-peer electricity market: signed orders, a clearing contract, metered settlement."""


first_steps.register(app, "First steps")
orders.register(app, "Trade")
external.register(app, "Trade")
market.register(app, "Trade")
watch.register(app, "Trade")
trades.register(app, "Trade")
statement.register(app, "Trade")
reputation.register(app, "Trade")
wallet.register(app, "Keys and money")
faucet.register(app, "Keys and money")
join.register(app, "Keys and money")
meter.register(app, "Meters")
operator.register(app, "Community")
keeper.register(app, "Community")
deploy.register(app, "Chain")
seed.register(app, "Chain")
node.register(app, "Chain")
study.register(app, "Chain")
audit.register(app, "Chain")
verify.register(app, "Chain")
config.register(app, "Settings")


@app.command(rich_help_panel="Settings")
def version() -> None:
    """Print the installed version."""
    typer.echo(installed_version("peerwatt"))


def main() -> None:
    """Run the command line; a missing extra is said in one line, with the command that installs it."""
    try:
        app()
    except MissingExtra as error:
        output.complain(str(error))
        sys.exit(CONFIGURATION)
