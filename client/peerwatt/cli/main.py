"""The command line: each command imports what it runs, so that `peerwatt --help` is quick."""

from __future__ import annotations

import sys
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Annotated

import typer

from peerwatt.extras import MissingExtra

app = typer.Typer(
    name="peerwatt",
    help="A peer-to-peer electricity market: signed orders, a clearing contract, metered settlement.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def peerwatt() -> None:
    """A peer-to-peer electricity market: signed orders, a clearing contract, metered settlement."""


@app.command()
def version() -> None:
    """Print the installed version."""
    typer.echo(installed_version("peerwatt"))


@app.command()
def study(
    seed: Annotated[int, typer.Option(help="Seed of everything random.", min=0)] = 0,
    consumers: Annotated[int, typer.Option(help="Homes that only consume.", min=1)] = 246,
    prosumers: Annotated[int, typer.Option(help="Homes that also produce.", min=1)] = 14,
    windows: Annotated[int, typer.Option(help="Trading windows of 15 minutes.", min=1)] = 10,
    scenario: Annotated[
        str, typer.Option(help="base, peak-demand, fluctuating-renewables or unexpected-consumption.")
    ] = "base",
    rpc: Annotated[
        str | None,
        typer.Option(metavar="URL", help="JSON-RPC node to run on, instead of the embedded chain."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON and nothing else.")] = False,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Directory for the results.")] = Path("out/study"),
) -> None:
    """Run the paper's community on a chain, from signed order to paid delivery."""
    from peerwatt.study.runner import StudyOptions, run_study

    options = StudyOptions(
        seed=seed,
        consumers=consumers,
        prosumers=prosumers,
        windows=windows,
        scenario=scenario,
        rpc=rpc,
        json=json,
        out=out,
    )
    raise typer.Exit(run_study(options))


def main() -> None:
    """Run the command line; a missing extra is said in one line, with the command that installs it."""
    try:
        app()
    except MissingExtra as error:
        typer.echo(f"peerwatt: {error}", err=True)
        sys.exit(1)
