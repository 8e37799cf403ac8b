"""`peerwatt keeper`: clears windows on time and settles what is due."""

from __future__ import annotations

import json
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from peerwatt.cli import output
from peerwatt.cli.fees import need_gas_money
from peerwatt.cli.options import command
from peerwatt.cli.session import Session
from peerwatt.cli.settings import data_home

if TYPE_CHECKING:
    from peerwatt.keeper import Doing, FollowerState, Keeper

CLEAR_GAS = 150_000


def register(root: typer.Typer, panel: str) -> None:
    """Adds the command."""
    command(root, rich_help_panel=panel)(keeper)


def keeper(
    session: Session,
    once: Annotated[bool, typer.Option("--once", help="Do what can be done now, then end.")] = False,
    interval: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.5, help="How often to look whether there is something to do.")
    ] = 15,
    state: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to remember how far the logs were read.")
    ] = None,
) -> None:
    """Clear windows on time and settle buyers and overdue meters, until Ctrl-C. --account pays the gas.

    Anybody may run one, and several do no harm. With --json it prints one line for each thing done.
    """
    from peerwatt.keeper import Keeper, Trouble

    deployment = session.deployment
    path = state or data_home() / "keeper" / f"{deployment.chain_id}-{deployment.market}.json"
    payer = session.w3.to_checksum_address(session.address)
    # Of a first clear; what follows is said as it is paid.
    need_gas_money(session, payer, int(session.w3.eth.get_balance(payer)), CLEAR_GAS)
    tender = Keeper(session.gateway, session.sender(), _load(path))
    totals, trouble = _Totals(), ""
    if not once:
        session.say(f"keeping the market {deployment.market}, every {interval:g} s; Ctrl-C ends it")
    try:
        while True:
            for doing in tender.tick():
                if once and isinstance(doing, Trouble):
                    raise doing.error
                totals.count(doing)
                trouble = _print(session, doing, trouble)
            _save(path, tender)
            if once:
                break
            time.sleep(interval)
    except KeyboardInterrupt:
        if once:
            raise
    if once and not totals.doings and not session.json:
        session.say("nothing to clear and nothing to settle")
    if not once or totals.doings:
        session.say(totals.sentence())


class _Totals:
    """What a run came to."""

    def __init__(self) -> None:
        self.doings = self.cleared = self.settled = self.gas = self.cost_wei = 0

    def count(self, doing: Doing) -> None:
        from peerwatt.keeper import WindowsCleared, WindowsSettled

        self.doings += 1
        if isinstance(doing, WindowsCleared):
            self.cleared += len(doing.windows)
        elif isinstance(doing, WindowsSettled):
            self.settled += sum(account.windows for account in doing.accounts)
        else:
            return
        self.gas += doing.cost.gas_used
        self.cost_wei += doing.cost.cost_wei

    def sentence(self) -> str:
        return (
            f"in all: {self.cleared} window(s) with orders cleared, {self.settled} order window(s) settled; "
            f"{self.gas:,} gas, {output.gas_money(self.cost_wei)}"
        )


def _load(path: Path) -> FollowerState | None:
    """Where an earlier run stopped; None without one, or if its file is damaged: the logs are still there."""
    from peerwatt.keeper import FollowerState

    try:
        return FollowerState.from_json(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except ValueError:
        output.complain(f"{path} is no state of a keeper; reading the logs from the market's first block on")
        return None


def _save(path: Path, tender: Keeper) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Written whole or not at all.
    beside = path.with_name(path.name + ".new")
    beside.write_text(json.dumps(tender.follower.state.to_json()) + "\n", encoding="utf-8")
    beside.replace(path)


def _print(session: Session, doing: Doing, trouble: str) -> str:
    """Says what was done; a trouble that lasts is said once. Returns the trouble, nothing if there is none."""
    from peerwatt.keeper import Trouble
    from peerwatt.market.clock import parse_zone

    if session.json:
        typer.echo(json.dumps(_to_json(doing), ensure_ascii=False))
        return ""
    text = _in_words(session, doing)
    if text != trouble:
        typer.echo(f"{datetime.now(parse_zone(session.settings['time_zone'])):%H:%M:%S}  {text}")
    return text if isinstance(doing, Trouble) else ""


def _to_json(doing: Doing) -> dict[str, Any]:
    from dataclasses import asdict

    from peerwatt.keeper import Overtaken, Reorganised, Trouble, WindowsCleared

    if isinstance(doing, Trouble):
        return {"did": "trouble", "error": str(doing.error)}
    if isinstance(doing, Overtaken):
        return {"did": "overtaken", "what": doing.what, "reason": doing.reason}
    if isinstance(doing, Reorganised):
        return {"did": "reread", "block": doing.block}
    fields = asdict(doing)
    cost = fields.pop("cost")
    if isinstance(doing, WindowsCleared):
        return {"did": "cleared", **fields, **cost}
    skipped = [{"account": account, "reason": reason} for account, reason in doing.skipped]
    return {"did": "settled", **fields, "skipped": skipped, **cost}


def _in_words(session: Session, doing: Doing) -> str:
    from requests.exceptions import ConnectionError as NodeAway
    from requests.exceptions import Timeout

    from peerwatt.cli.errors import describe
    from peerwatt.keeper import Overtaken, Reorganised, Trouble, WindowsCleared
    from peerwatt.units import format_energy, format_price

    if isinstance(doing, Trouble):
        away = isinstance(doing.error, NodeAway | Timeout)
        text = f"nobody answers at {session.settings['rpc']}" if away else describe(doing.error)[1]
        return f"{text}; trying again"
    if isinstance(doing, Overtaken):
        return f"somebody else was quicker to {doing.what} ({doing.reason})"
    if isinstance(doing, Reorganised):
        return f"the chain took back blocks; reading its logs again from block {doing.block} on"
    paid = output.gas_money(doing.cost.cost_wei)
    cost = f"{doing.cost.gas_used:,} gas, {paid}, transaction {doing.cost.transaction_hash}"
    if isinstance(doing, WindowsCleared):
        texts = [
            f"{session.clock.format_window(window.window)} "
            + (
                "no trade"
                if window.level is None
                else f"{format_energy(window.traded_wh)} at {format_price(window.level, session.grid)}"
            )
            for window in doing.windows
        ]
        reached = session.clock.format_time(session.clock.end_s(doing.cleared))
        return f"cleared up to {reached}: {'; '.join(texts) or 'no orders'}; {cost}"
    windows = sum(account.windows for account in doing.accounts)
    late = f", {len(doing.skipped)} account(s) were settled by somebody else" if doing.skipped else ""
    return f"settled {windows} window(s) of {len(doing.accounts)} account(s){late}; {cost}"
