"""`peerwatt node` and `peerwatt travel`: a local chain, and its clock."""

from __future__ import annotations

import enum
import time
from pathlib import Path
from typing import Annotated

import typer

from peerwatt.cli.errors import ConfigurationError, NodeError, UsageError
from peerwatt.cli.options import command, ending
from peerwatt.cli.session import Session

# The end of the year 9999: calendars stop there.
LAST_S = 253_402_300_799


class Engine(enum.StrEnum):
    """What runs the chain."""

    ETH_TESTER = "eth-tester"
    ANVIL = "anvil"


def register(root: typer.Typer, panel: str) -> None:
    """Adds the commands."""
    root.command(rich_help_panel=panel)(node)
    command(root, rich_help_panel=panel)(travel)


def node(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.", min=0, max=65535)] = 8545,
    engine: Annotated[Engine, typer.Option(help="eth-tester needs no other software.")] = Engine.ETH_TESTER,
    block_time: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="Time from block to block; without it each transaction makes a block."),
    ] = None,
    state: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep the chain in a file, and go on with it next time.")
    ] = None,
    chain_id: Annotated[int, typer.Option(help="EIP-155 id.", min=1, max=2**53 - 1)] = 31337,
    start: Annotated[
        str | None,
        typer.Option("--time", metavar="TIME", help="When the chain starts: 14:00, 2026-10-14T14:00, or Unix seconds."),
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Run a local chain for development: ten accounts with money, a clock that travels, nothing else to install."""
    with ending(debug):
        from peerwatt.node.errors import NodeError as ChainError
        from peerwatt.node.errors import NodeSetupError
        from peerwatt.node.options import NodeOptions

        if block_time is not None and not 0 < block_time < float("inf"):
            raise UsageError(f"a block every {block_time:g} seconds can't be; give --block-time a positive number")
        options = NodeOptions(host, port, chain_id, block_time, state, None if start is None else parse_start(start))
        try:
            if engine is Engine.ANVIL:
                from peerwatt.node.anvil import run_anvil as run
            else:
                from peerwatt.node.launch import run_eth_tester as run
            run(options, typer.echo)
        except NodeSetupError as error:
            raise ConfigurationError(str(error)) from error
        except ChainError as error:
            raise NodeError(str(error)) from error


def parse_start(text: str) -> int:
    """A moment as people write it, or Unix seconds [s].

    Raises:
        BadAmount, UsageError: it is neither.
    """
    from peerwatt.market.clock import MarketClock, parse_zone

    if text.isdecimal():
        if int(text) > LAST_S:
            raise UsageError(f"{text} is after the year 9999; give --time Unix seconds, not milliseconds")
        return int(text)
    return MarketClock(900, 0, int(time.time()), parse_zone(None)).parse_time(text)


def travel(
    session: Session,
    span: Annotated[
        str | None, typer.Argument(metavar="[SPAN]", help="How far: 30m, 1h30m, 2d, 45s.")
    ] = None,
    to: Annotated[str | None, typer.Option(metavar="TIME", help="Until when: 14:00 or 2026-10-14T14:00.")] = None,
    windows: Annotated[
        int | None, typer.Option(help="To the start of this many windows of the market further.", min=1)
    ] = None,
) -> None:
    """Move the clock of a local chain forward."""
    from peerwatt.market.clock import MarketClock, get_chain_time_s, parse_zone
    from peerwatt.node.errors import NodeError as ChainError
    from peerwatt.node.travel import parse_span, travel_to

    if sum(one is not None for one in (span, to, windows)) != 1:
        raise UsageError("say how far in one way: peerwatt travel 30m, --to 14:00, or --windows 2")
    if windows is not None:
        clock = session.clock
    else:
        clock = MarketClock(900, 0, get_chain_time_s(session.w3), parse_zone(session.settings["time_zone"]))
    if span is not None:
        time_s = clock.now_s + parse_span(span)
    elif to is not None:
        time_s = clock.parse_time(to)
    else:
        time_s = clock.start_s(clock.window + (windows or 0))
    try:
        block = travel_to(session.w3, time_s)
    except ChainError as error:
        raise NodeError(str(error)) from error
    session.emit(
        {"time_s": time_s, "block": block},
        f"the chain's clock shows {clock.local(time_s):%Y-%m-%d %H:%M:%S} {clock.zone_name()}, block {block}",
    )
