"""`peerwatt seed`: neighbours for a local chain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from peerwatt.cli import output
from peerwatt.cli.options import command
from peerwatt.cli.session import Session

if TYPE_CHECKING:
    from peerwatt.market.neighbours import Standing


def register(root: typer.Typer, panel: str) -> None:
    """Adds the command."""
    command(root, rich_help_panel=panel)(seed)


def seed(session: Session) -> None:
    """Fill a local chain with a few homes that trade; run it again to settle and top up their orders."""
    from peerwatt.market.neighbours import Neighbourhood

    neighbourhood = Neighbourhood(session.gateway)
    with session.waiting("the neighbours settle and order"):
        standing = neighbourhood.fill()
    session.emit([_to_json(item) for item in standing], lambda: _to_text(session, standing))


def _to_json(item: Standing) -> dict[str, object]:
    neighbour = item.neighbour
    return {
        "name": neighbour.name,
        "account": neighbour.account,
        "meter": neighbour.meter,
        "side": "sell" if neighbour.side else "buy",
        "energy_wh": item.energy_wh,
        "limit_level": neighbour.level,
        "first_window": item.first_window,
        "last_window": item.last_window,
    }


def _to_text(session: Session, standing: list[Standing]) -> str:
    from peerwatt.units import format_energy, format_price

    clock = session.clock
    rows = []
    for item in standing:
        neighbour = item.neighbour
        act = f"{'sells' if neighbour.side else 'buys up to'} {format_energy(item.energy_wh)}"
        bound = f"{'from' if neighbour.side else 'to'} {format_price(neighbour.level, session.grid)}"
        until = clock.format_time(clock.end_s(item.last_window))
        rows.append((neighbour.name, act, bound, until, neighbour.account))
    return output.table(("neighbour", "in each window", "price", "until", "account"), rows)
