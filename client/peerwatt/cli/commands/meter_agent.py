"""`peerwatt meter agent`: reads counters, signs registers, sends them to a bridge, and keeps a copy."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from peerwatt.cli import output
from peerwatt.cli.commands.join import find_meter
from peerwatt.cli.errors import ConfigurationError
from peerwatt.cli.options import command
from peerwatt.cli.session import Session
from peerwatt.cli.settings import config_home, data_home

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from peerwatt.meter.agent.check import Checked
    from peerwatt.meter.agent.journal import Kept
    from peerwatt.meter.agent.mapping import Mapping

CHECK_S = 15.0


def register(app: typer.Typer) -> None:
    """Adds the command."""
    command(app)(agent)


def agent(
    session: Session,
    mapping: Annotated[
        Path | None, typer.Option("--mapping", metavar="FILE", help="Which counters are which register; TOML.")
    ] = None,
    meter: Annotated[str | None, typer.Option("--meter", metavar="NAME", help="Meter key, by name or address.")] = None,
    meter_password_file: Annotated[
        Path | None,
        typer.Option("--meter-password-file", metavar="FILE", help="Password of the meter key, if not the account's."),
    ] = None,
    journal: Annotated[
        Path | None, typer.Option("--journal", metavar="FILE", help="Where registers and signed reports are kept.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Listen for a while, say what each counter gives, and sign nothing.")
    ] = False,
    seconds: Annotated[
        float, typer.Option("--seconds", min=0.5, max=3600, help="How long --check listens.")
    ] = CHECK_S,
    export: Annotated[
        Path | None,
        typer.Option("--export", metavar="FILE", help="Write signed reports to a file for: peerwatt meter submit."),
    ] = None,
    side: Annotated[
        Literal["export", "import"], typer.Option("--side", help="Which register's reports --export writes.")
    ] = "export",
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="With --export: only windows from then on.")
    ] = None,
    every_report: Annotated[
        bool,
        typer.Option(
            "--all", help="With --export: also those that are on the chain, and of windows in which nothing was sold."
        ),
    ] = False,
) -> None:
    """Read the home's counters, sign what they show at each boundary, and send it to a bridge, until Ctrl-C.

    docs/meter-agent.md has a quick start for each usual device.
    """
    if export is not None:
        found = _journal_path(session, meter, meter_password_file, journal)
        _export(session, found, export, side, since, every_report)
        return
    says = _load(config_home() / "meter-agent.toml" if mapping is None else mapping.expanduser())
    if check:
        _check(session, says, seconds)
    else:
        _run(session, says, meter, meter_password_file, journal)


def _load(path: Path) -> Mapping:
    from peerwatt.meter.agent.mapping import MappingError, load_mapping

    try:
        return load_mapping(path)
    except MappingError as error:
        raise ConfigurationError(str(error)) from None


def _journal_path(
    session: Session, meter: str | None, password_file: Path | None, journal: Path | None
) -> tuple[Path, str]:
    """The journal of a meter key, and the key's address."""
    keystore = find_meter(session, meter)
    address = keystore.address or str(session.unlock(keystore, password_file).address)
    return journal or data_home() / "meter-agent" / f"{address}.sqlite", address


def _check(session: Session, mapping: Mapping, seconds: float) -> None:
    from peerwatt.meter.agent.check import check
    from peerwatt.meter.readings import REGISTERS

    session.say(f"listening to {mapping.source.name} for {seconds:g} s")
    found: list[Checked] = _await(check(mapping, seconds, output.complain))
    lines = [f"{REGISTERS[one.side]}  {'ok  ' if one.problem is None else 'NO  '}{one.to_words()}" for one in found]
    session.emit(
        [
            {
                "register": REGISTERS[one.side],
                "address": one.address,
                "message": one.message,
                "messages": one.messages,
                "energy_wh": None if one.energy_wh is None else int(one.energy_wh),
                "problem": one.problem,
            }
            for one in found
        ],
        "\n".join(lines),
    )
    bad = sum(one.problem is not None for one in found)
    if bad:
        raise ConfigurationError(f"{bad} of {len(found)} counters give no register; mend the mapping or the device")


def _run(
    session: Session, mapping: Mapping, meter: str | None, password_file: Path | None, journal: Path | None
) -> None:
    from peerwatt.market.clock import parse_zone
    from peerwatt.meter.agent.bridge import BridgeClient
    from peerwatt.meter.agent.journal import Journal, JournalError
    from peerwatt.meter.agent.runner import Agent
    from peerwatt.meter.agent.says import Says
    from peerwatt.signing import Report, Signature, sign

    keystore = find_meter(session, meter)
    key = session.unlock(keystore, password_file)
    path = journal or data_home() / "meter-agent" / f"{key.address}.sqlite"
    zone = parse_zone(session.settings["time_zone"])

    def line(text: str) -> None:
        typer.echo(f"{datetime.now(zone):%Y-%m-%d %H:%M:%S}  {text}", err=True)

    try:
        kept = Journal(path, str(key.address))
    except JournalError as error:
        raise ConfigurationError(str(error)) from None

    def sign_report(report: Report) -> Signature:
        known = kept.market()
        assert known is not None
        return sign(report, known[0], bytes(key.key))

    async def work() -> None:
        async with BridgeClient(mapping.bridge, str(key.address), bytes(key.key)) as bridge:
            await Agent(mapping, kept, bridge, sign_report, Says(line), zone).run()

    try:
        _await(work())
    except (KeyboardInterrupt, asyncio.CancelledError):
        line(f"ended; what was signed is in {path}")
    finally:
        kept.close()


def _await(work: Coroutine[Any, Any, Any]) -> Any:
    """Runs something; SIGTERM ends it as Ctrl-C does, and the first error of its parts is the error."""
    from peerwatt.meter.agent.journal import JournalError
    from peerwatt.meter.agent.mapping import MappingError

    async def main() -> Any:
        task = asyncio.current_task()
        assert task is not None
        if sys.platform != "win32":
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await work

    try:
        return asyncio.run(main())
    except* (MappingError, JournalError) as group:
        raise ConfigurationError(str(_first(group))) from None
    except* Exception as group:
        raise _first(group) from None


def _first(group: BaseExceptionGroup[Any]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _export(
    session: Session, found: tuple[Path, str], target: Path, side: str, since: str | None, every_report: bool
) -> None:
    from peerwatt.meter.agent.journal import Journal, JournalError
    from peerwatt.meter.files import to_json
    from peerwatt.signing import BUY, SELL

    target = target.expanduser()
    if target.exists():
        raise ConfigurationError(f"{target} exists; name another file, nothing is overwritten")
    try:
        journal = Journal(found[0], found[1], only_read=True)
        market, reports = journal.market(), journal.all_reports()
        journal.close()
    except JournalError as error:
        raise ConfigurationError(str(error)) from None
    chosen = _choose(reports, SELL if side == "export" else BUY, every_report)
    if market is not None and since is not None:
        first = _parse_since(session, since, market[1])
        chosen = [kept for kept in chosen if kept.signed.report.first_window >= first]
    if market is None or not chosen:
        said = "" if every_report else " that has to go on the chain; --all writes the others too"
        raise ConfigurationError(f"{found[0]} has no signed report of the {side} register{said}")
    content = to_json(market[0], [one.signed for one in chosen])
    target.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    session.emit(
        {"file": str(target), "reports": len(chosen)},
        f"{len(chosen)} signed report(s) in {target}; relay with: peerwatt meter submit {target}",
    )


def _parse_since(session: Session, text: str, window_seconds: int) -> int:
    """The first window that starts at a time or after it; a time of day is the last that was."""
    from peerwatt.market.clock import MarketClock, parse_zone
    from peerwatt.meter.readings import DAY_S

    now_s = int(time.time())
    clock = MarketClock(window_seconds, 0, now_s, parse_zone(session.settings["time_zone"]))
    return -(-clock.parse_time(text, not_before_s=now_s - DAY_S + 1) // window_seconds)


def _choose(reports: list[Kept], side: int, every_report: bool) -> list[Kept]:
    """Reports for a file, in the sequence of their windows."""
    from peerwatt.meter.agent.journal import DONE_WITH

    chosen = [
        kept
        for kept in reports
        if kept.signed.report.side == side and (every_report or kept.status not in DONE_WITH)
    ]
    ends = {kept.signed.report.first_window + 1 for kept in chosen if len(kept.signed.report.registers) == 2}
    # A register alone says nothing new where a window's report ends with it, and the market would refuse it there.
    chosen = [
        kept
        for kept in chosen
        if len(kept.signed.report.registers) > 1 or kept.signed.report.first_window not in ends
    ]
    return sorted(chosen, key=lambda kept: (kept.signed.report.first_window, kept.id))
