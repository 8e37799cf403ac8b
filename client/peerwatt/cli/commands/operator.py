"""`peerwatt operator`: connections, limits and tariffs, for whoever runs a community."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from peerwatt.cli import output, roles
from peerwatt.cli.commands import operator_registry, operator_tariff
from peerwatt.cli.errors import ConfigurationError, RefusedError, UsageError
from peerwatt.cli.options import command
from peerwatt.cli.session import Session
from peerwatt.cli.settings import data_home

if TYPE_CHECKING:
    from peerwatt.operator.applications import Row
    from peerwatt.operator.pseudonyms import Pseudonyms

app = typer.Typer(help="Connections, limits and tariffs: what operator and regulator do.", no_args_is_help=True)

Salt = Annotated[
    Path | None, typer.Option("--salt", metavar="FILE", help="Secret that makes pseudonyms of connection numbers.")
]
Limit = Annotated[str | None, typer.Option(metavar="LIMIT", help="Energy in a window (5kWh), or power (20kW).")]
Status = Annotated[str | None, typer.Option(metavar="STATUS", help="off, consuming or feeding-in.")]
Number = Annotated[str | None, typer.Option(metavar="N")]
Who = Annotated[str, typer.Argument(metavar="CONNECTION", help="Connection number, pseudonym or account.")]


def register(root: typer.Typer, panel: str) -> None:
    """Adds the commands."""
    operator_tariff.register(app)
    operator_registry.register(app)
    root.add_typer(app, name="operator", rich_help_panel=panel)


def salt_path(salt: Path | None) -> Path:
    """Where the salt of the connection numbers is."""
    return salt or data_home() / "operator" / "salt"


@command(app, asks=True)
def enrol(
    session: Session,
    consents: Annotated[
        list[Path] | None, typer.Argument(metavar="CONSENT.json...", help="Written by the homes with: peerwatt join.")
    ] = None,
    connection: Annotated[
        list[str] | None, typer.Option("--connection", metavar="NUMBER", help="Your number; one for each consent.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Homes in a list: consent, connection and terms.")
    ] = None,
    import_limit: Limit = None,
    export_limit: Limit = None,
    feeder: Number = None,
    status: Status = None,
    meter_class: Number = None,
    retail_class: Number = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and show, and send nothing.")] = False,
    salt: Salt = None,
    new_salt: Annotated[bool, typer.Option("--new-salt", help="Start a new salt although there are homes.")] = False,
) -> None:
    """Enrol homes that consented. Run it again after an interruption: who is enrolled stays so."""
    from peerwatt.operator.applications import (
        ALREADY,
        ENROLLED,
        READY,
        REFUSED,
        ListError,
        Reader,
        read_list,
        refuse_twins,
    )
    from peerwatt.operator.enrolling import check_rows, enrol_rows

    consents, numbers = consents or [], connection or []
    if bool(consents) == bool(csv):
        raise UsageError("give consent files, or a list of them with --csv")
    if consents and len(numbers) != len(consents):
        raise UsageError(f"there are {len(consents)} consents and {len(numbers)} numbers; give --connection for each")
    usual = {
        "import_limit": import_limit,
        "export_limit": export_limit,
        "feeder": feeder,
        "status": status,
        "meter_class": meter_class,
        "retail_class": retail_class,
    }
    reader = Reader(
        _pseudonyms(session, salt_path(salt), new_salt),
        session.deployment.parameters.window_seconds,
        {name: value for name, value in usual.items() if value is not None},
    )
    try:
        rows = (
            read_list(csv, reader)
            if csv
            else [reader.read(str(file), file, number, {}) for file, number in zip(consents, numbers, strict=True)]
        )
    except ListError as error:
        raise ConfigurationError(str(error)) from None
    refuse_twins(rows)
    with session.waiting(f"checking {roles.many(rows, 'home')}"):
        check_rows(session.gateway, roles.holder(session, roles.OPERATOR), rows)
    counts = {outcome: sum(row.outcome == outcome for row in rows) for outcome in (READY, ALREADY, REFUSED)}
    session.say(_table(rows))
    transactions = []
    if counts[READY] and not dry_run:
        sender = roles.sender_of(session, roles.OPERATOR)
        roles.say_fees(session, sender, roles.ENROL_GAS * counts[READY])
        session.confirm(f"Enrol {counts[READY]} as the operator {sender.address}?")
        done = 0
        for receipt in enrol_rows(session.gateway, sender, rows):
            transactions.append({"hash": receipt["transactionHash"].to_0x_hex(), "gas_used": int(receipt["gasUsed"])})
            done = sum(row.outcome == ENROLLED for row in rows)
            if done < counts[READY]:
                session.say(f"{done} of {counts[READY]} are enrolled")
    bad = [row for row in rows if row.outcome == REFUSED]
    enrolled = [row for row in rows if row.outcome == ENROLLED]
    session.emit(
        {"dry_run": dry_run, "homes": [_to_json(row) for row in rows], "transactions": transactions},
        f"{len(enrolled)} enrolled, {counts[ALREADY]} enrolled before, {len(bad)} refused"
        if not dry_run
        else f"{counts[READY]} would be enrolled, {counts[ALREADY]} are already, {len(bad)} would be refused",
    )
    if bad:
        first = bad[0]
        raise RefusedError(f"{roles.many(bad, 'home')} of {len(rows)} refused; {first.place}: {first.problem}")


def _pseudonyms(session: Session, path: Path, new_salt: bool) -> Pseudonyms:
    from peerwatt.operator.pseudonyms import SaltError, load_pseudonyms, make_salt

    if not path.exists():
        homes = int(session.gateway.registry.functions.participants().call())
        # On a toy chain, whose node holds the operator unlocked, nothing is lost.
        toy = session.is_unlocked(roles.holder(session, roles.OPERATOR))
        if homes == 0 or new_salt or toy:
            session.say(
                f"A new secret makes pseudonyms of your connection numbers: {path}. Keep a backup: without it a number "
                "no longer leads to its connection, and a home that moves loses its score."
            )
            return make_salt(path)
    try:
        return load_pseudonyms(path)
    except SaltError as error:
        raise ConfigurationError(str(error)) from None


def _table(rows: list[Row]) -> str:
    from peerwatt.operator.terms import describe_terms

    cells = [
        (
            row.place,
            row.number,
            row.consent.enrolment.account if row.consent else "-",
            row.outcome,
            row.problem or (describe_terms(row.terms) if row.terms else "-"),
        )
        for row in rows
    ]
    return output.table(("home", "connection", "account", "outcome", "terms or problem"), cells)


def _to_json(row: Row) -> dict[str, Any]:
    from peerwatt.operator.terms import terms_to_json

    message = row.consent.enrolment if row.consent else None
    return {
        "place": row.place,
        "number": row.number,
        "connection": None if row.connection is None else f"0x{row.connection.hex()}",
        "account": message.account if message else None,
        "meter": message.meter if message else None,
        "terms": None if row.terms is None else terms_to_json(row.terms),
        "outcome": row.outcome,
        "problem": row.problem,
        "transaction": row.transaction,
    }


@command(app, asks=True)
def envelope(
    session: Session,
    who: Who,
    import_limit: Annotated[str | None, typer.Option("--import", metavar="LIMIT", help="5kWh a window, or kW.")] = None,
    export_limit: Annotated[str | None, typer.Option("--export", metavar="LIMIT", help="The same, fed in.")] = None,
    feeder: Number = None,
    status: Status = None,
    meter_class: Number = None,
    retail_class: Number = None,
    salt: Salt = None,
) -> None:
    """Change the limits and the other terms of a connection, for orders from now on; what is not named stays."""
    from dataclasses import astuple

    from peerwatt.exceptions import AccountNotEnrolled
    from peerwatt.operator.terms import describe_terms, read_terms, terms_of, terms_to_json

    connection, account = roles.find_connection(session, who, salt_path(salt))
    device = session.gateway.device(account)
    if device.encode() == 0:
        raise AccountNotEnrolled(account=account)
    before = terms_of(device)
    given = {
        "import_limit": import_limit,
        "export_limit": export_limit,
        "feeder": feeder,
        "status": status,
        "meter_class": meter_class,
        "retail_class": retail_class,
    }
    window_seconds = session.deployment.parameters.window_seconds
    after = read_terms({name: value for name, value in given.items() if value}, window_seconds, before)
    if after == before:
        raise UsageError(f"{account} has these terms already: {describe_terms(before)}; name what shall change")
    roles.act(
        session,
        roles.OPERATOR,
        session.gateway.registry.functions.set_terms(account, astuple(after)),
        f"The terms of {account}, until now {describe_terms(before)}, become: {describe_terms(after)}. Orders that the "
        "market accepted stay as they are.",
        {"account": account, "connection": f"0x{connection.hex()}", "terms": terms_to_json(after)},
    )


@command(app, asks=True)
def scale(
    session: Session,
    feeder: Annotated[str, typer.Argument(metavar="FEEDER", help="Number of the feeder.")],
    import_share: Annotated[str | None, typer.Option("--import", metavar="SHARE", help="Such as 80%.")] = None,
    export_share: Annotated[str | None, typer.Option("--export", metavar="SHARE", help="Such as 50%.")] = None,
) -> None:
    """Scale the limits of all connections of a feeder, for orders from now on."""
    from peerwatt.operator.terms import parse_share

    if import_share is None and export_share is None:
        raise UsageError("name a share with --import, --export or both")
    number = roles.parse_number(feeder, 2**16 - 1, "feeder")
    now = session.gateway.feeder(number)
    shares = (
        now.import_scale_bps if import_share is None else parse_share(import_share),
        now.export_scale_bps if export_share is None else parse_share(export_share),
    )
    roles.act(
        session,
        roles.OPERATOR,
        session.gateway.registry.functions.set_feeder_scale(number, *shares),
        f"On feeder {number} connections may use {shares[0] / 100:g} % of their import limit (until now "
        f"{now.import_scale_bps / 100:g} %) and {shares[1] / 100:g} % of their export limit (until now "
        f"{now.export_scale_bps / 100:g} %). Orders that the market accepted stay as they are.",
        {"feeder": number, "import_scale_bps": shares[0], "export_scale_bps": shares[1]},
    )


@command(app, "move-out", asks=True)
def move_out(session: Session, who: Who, salt: Salt = None) -> None:
    """Release a connection from its account: the score stays with the connection, the money with the account."""
    connection, account = roles.find_connection(session, who, salt_path(salt))
    _check_settled(session, account)
    roles.act(
        session,
        roles.OPERATOR,
        session.gateway.registry.functions.move_out(connection),
        f"{account} leaves the connection 0x{connection.hex()}. Its money stays its own and can be withdrawn; nobody "
        "gets at money whose key is lost. The score stays with the connection, for the next account enrolled there.",
        {"account": account, "connection": f"0x{connection.hex()}"},
    )


@command(app, asks=True)
def revoke(session: Session, who: Who, salt: Salt = None) -> None:
    """Cut a connection off the market: its orders end, what its meter reports from now on does not count."""
    connection, account = roles.find_connection(session, who, salt_path(salt))
    roles.act(
        session,
        roles.OPERATOR,
        session.gateway.registry.functions.revoke(connection),
        f"{account} at the connection 0x{connection.hex()} is cut off now: its orders end behind the gate, and what it "
        "sold from this window on is supplied by the utility, without a penalty. Its money stays its own. It can be "
        "enrolled again after: peerwatt operator move-out",
        {"account": account, "connection": f"0x{connection.hex()}"},
    )


def _check_settled(session: Session, account: str) -> None:
    from peerwatt.exceptions import OpenWindows
    from peerwatt.market.accounts import read_account

    opened = list(read_account(session.gateway, account).open_windows)
    if opened:
        clock = session.clock
        raise OpenWindows(
            f"{account} has {roles.many(opened, 'window')} to settle, {clock.format_window(opened[0])} to "
            f"{clock.format_window(opened[-1])}; wait until they are settled (peerwatt keeper), or have it "
            "cancel them",
            account=account,
            windows=len(opened),
        )
