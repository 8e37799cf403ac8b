"""`peerwatt study`: the paper's community on a chain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(root: typer.Typer, panel: str) -> None:
    """Adds the command."""
    root.command(rich_help_panel=panel)(study)


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
