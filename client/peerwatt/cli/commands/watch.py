"""`peerwatt watch`: what happens in the market, as it happens."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from peerwatt.cli import output
from peerwatt.cli.options import command
from peerwatt.cli.session import Session
from peerwatt.cli.views import wants_own

if TYPE_CHECKING:
    from peerwatt.market.clock import MarketClock
    from peerwatt.market.follow import News

FIRST_RETRY_S, LAST_RETRY_S = 1.0, 30.0
CLEAR_LINE = "\r\x1b[2K"


def register(root: typer.Typer, panel: str) -> None:
    """Adds the command."""
    command(root, rich_help_panel=panel)(watch)


def watch(
    session: Session,
    blocks: Annotated[int, typer.Option(metavar="N", min=0, help="Begin with the newest N blocks.")] = 20,
    once: Annotated[bool, typer.Option("--once", help="End at the newest block.")] = False,
    mine: Annotated[bool, typer.Option("--mine", help="Of the homes only that of --account.")] = False,
    every: Annotated[float, typer.Option(metavar="SECONDS", min=0.1, help="Time between two looks.")] = 2.0,
) -> None:
    """Follow orders, cancels, clearings, settlements and tariffs as they happen, until Ctrl-C."""
    from peerwatt.market.follow import Follower
    from peerwatt.market.history import read_head

    gateway = session.gateway
    account = session.address if wants_own(session, mine) else None
    first = max(read_head(session.w3).number - blocks + 1, gateway.deployment.block)
    screen = _Screen(session, account)
    follower = Follower(gateway, first)
    try:
        if once:
            screen.show(follower.look(), session.clock)
            return
        _follow(session, follower, screen, every)
    except KeyboardInterrupt:
        screen.end()


def _follow(session: Session, follower: Any, screen: _Screen, every: float) -> None:
    """Looks again and again; a node that fails is asked again later and later."""
    from requests.exceptions import RequestException
    from web3.exceptions import Web3Exception

    retry_s = FIRST_RETRY_S
    while True:
        try:
            news, clock = follower.look(), session.clock
        except (RequestException, Web3Exception, OSError) as error:
            screen.complain(f"the node does not answer ({type(error).__name__}); trying again in {retry_s:g} s")
            _pause(retry_s)
            retry_s = min(2 * retry_s, LAST_RETRY_S)
            continue
        if retry_s > FIRST_RETRY_S:
            screen.complain("the node is back")
            retry_s = FIRST_RETRY_S
        screen.show(news, clock)
        screen.status(news, clock)
        _pause(every)


def _pause(seconds: float) -> None:
    time.sleep(seconds)


class _Screen:
    """Lines on stdout, and on a terminal a last line with the countdown to the gate.

    Args:
        account: of homes only this one; all if None.
    """

    def __init__(self, session: Session, account: str | None) -> None:
        self._session = session
        self._account = account
        self._terminal = not session.json and sys.stdout.isatty()

    def show(self, news: News, clock: MarketClock) -> None:
        """The lines of what is new."""
        from peerwatt.cli.news import to_line

        if news.replaced_from is not None:
            text = f"the chain replaced its blocks from {news.replaced_from} on; what follows takes their place"
            self._print(
                f"{clock.format_time(news.head.time_s)}  reorg    {text}",
                {"event": "reorg", "time_s": news.head.time_s, "block_number": news.replaced_from},
            )
        for time_s, event in news.events:
            if self._account is not None and event.args.get("account", self._account) != self._account:
                continue
            # Times in the line are as of then, so that the day is said once.
            line = to_line(event, replace(clock, now_s=time_s), self._session.grid)
            moment = clock.local(time_s)
            day = f"{moment:%Y-%m-%d} " if moment.date() != clock.local(clock.now_s).date() else ""
            self._print(f"{day}{moment:%H:%M:%S}  {line.topic:8} {line.text}", line.data(event, time_s))

    def status(self, news: News, clock: MarketClock) -> None:
        """The countdown, on a terminal."""
        from peerwatt.market.durations import format_duration

        if self._terminal:
            window = clock.next_open
            rest = format_duration(max(clock.gate_s(window) - clock.now_s, 0))
            text = f"block {news.head.number}, gate of {clock.format_window(window)} in {rest}"
            sys.stdout.write(f"{CLEAR_LINE}{text}")
            sys.stdout.flush()

    def complain(self, text: str) -> None:
        """A line on stderr."""
        self.end()
        output.complain(text)

    def end(self) -> None:
        """Takes the countdown away."""
        if self._terminal:
            sys.stdout.write(CLEAR_LINE)
            sys.stdout.flush()

    def _print(self, text: str, data: dict[str, Any]) -> None:
        self.end()
        typer.echo(json.dumps(data, ensure_ascii=False) if self._session.json else text)
