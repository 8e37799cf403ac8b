"""`peerwatt meter`: keys that sign registers, and the reports that they sign."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from peerwatt.cli import output
from peerwatt.cli.commands import meter_agent
from peerwatt.cli.commands.join import find_meter
from peerwatt.cli.errors import ConfigurationError
from peerwatt.cli.options import command
from peerwatt.cli.session import Session
from peerwatt.cli.settings import data_home

app = typer.Typer(help="Meter keys, and the registers that they sign.", no_args_is_help=True)

MeterName = Annotated[str | None, typer.Option("--meter", metavar="NAME", help="Meter key, by name or address.")]
MeterPassword = Annotated[
    Path | None,
    typer.Option("--meter-password-file", metavar="FILE", help="Password of the meter key, if not the account's."),
]
SignOnly = Annotated[
    Path | None,
    typer.Option("--sign-only", metavar="FILE", help="Write the signed reports to a file for anyone to relay."),
]


def register(root: typer.Typer, panel: str) -> None:
    """Adds the commands."""
    root.add_typer(app, name="meter", rich_help_panel=panel)


def meters_folder() -> Path:
    """Where meter keys are."""
    return data_home() / "meters"


@command(app)
def new(
    session: Session,
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="What the key is called.")] = "meter",
) -> None:
    """Make a key for a meter."""
    from peerwatt.wallet import copies, keystores

    keystores.check_new(meters_folder(), name)
    session.say(
        "A meter key signs registers and the consent to join, and nothing else: it holds no money, places no order.\n"
        "Whoever has it can claim energy that never flowed. It is bound to one account, once. If it is lost, what was\n"
        "paid stays paid. The operator moves you out and enrols you again with a new meter key; your score stays.\n"
        "Until then nothing can be reported, and what was sold and is not reported in time counts as not delivered."
    )
    password = session.read_password(f"Password of the new meter key {name}", confirm=True)
    with session.waiting("encrypting the key"):
        keystore = keystores.create(meters_folder(), name, copies.make_key(), password)
    session.emit(
        {"name": keystore.name, "address": keystore.address, "file": str(keystore.path)},
        f"meter {keystore.name} is {keystore.address}\nits key is in {keystore.path}\n"
        "next: peerwatt join, which signs the consent that your operator needs",
    )


@command(app, "list")
def list_(session: Session) -> None:
    """List the meter keys."""
    from peerwatt.wallet.keystores import list_keystores

    keystores = list_keystores([meters_folder()])
    rows = [(keystore.name, keystore.address or "(locked)", keystore.path) for keystore in keystores]
    session.emit(
        [{"name": k.name, "address": k.address, "file": str(k.path)} for k in keystores],
        lambda: output.table(("name", "address", "file"), rows)
        if rows
        else f"no meter key in {meters_folder()}; make one with: peerwatt meter new",
    )


@command(app, asks=True)
def report(
    session: Session,
    registers: Annotated[
        list[str],
        typer.Argument(
            metavar="REGISTER...",
            help="What the register shows, like 3.480kWh: now, or with its time, like 14:15=3.480kWh. Several without "
            "a time are the ends of successive windows from the last reading on.",
        ),
    ],
    growth: Annotated[
        bool, typer.Option("--growth", help="The amounts are growths since the reading before, not registers.")
    ] = False,
    imports: Annotated[
        bool, typer.Option("--import", help="It is the import register, which rated buyers report.")
    ] = False,
    every_window: Annotated[
        bool, typer.Option("--all", help="Report every window that was read, also those without an order.")
    ] = False,
    sign_only: SignOnly = None,
    meter: MeterName = None,
    meter_password_file: MeterPassword = None,
) -> None:
    """Sign what a register shows, and have it settled. --account pays the transaction and may be anyone."""
    from peerwatt.cli.reporting import Reporting
    from peerwatt.meter.readings import parse_readings
    from peerwatt.signing import BUY, SELL

    reporting = Reporting(session, find_meter(session, meter), meter_password_file)
    side = BUY if imports else SELL
    readings = parse_readings(registers, reporting.stored(side), reporting.clock, growth=growth)
    reporting.run({side: readings}, every_window=every_window, sign_only=sign_only)


@command(app, "import", asks=True)
def import_(
    session: Session,
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="Columns time (or window), 2.8.0, 1.8.0.")],
    within: Annotated[
        int,
        typer.Option(
            metavar="SECONDS",
            min=0,
            help="A register counts for the boundary of a window if it was read at most so long before or after it.",
        ),
    ] = 0,
    every_window: Annotated[
        bool,
        typer.Option("--all", help="Report every window that was read and both registers, with or without an order."),
    ] = False,
    sign_only: SignOnly = None,
    meter: MeterName = None,
    meter_password_file: MeterPassword = None,
) -> None:
    """Sign the registers of a CSV file, and have them settled: OBIS 1.8.0 (imports) and 2.8.0 (exports)."""
    from peerwatt.cli.reporting import Reporting
    from peerwatt.meter.csv_files import RegisterFileError, read_registers
    from peerwatt.signing import BUY

    reporting = Reporting(session, find_meter(session, meter), meter_password_file)
    try:
        found = read_registers(file, reporting.clock, within_s=within)
    except RegisterFileError as error:
        raise ConfigurationError(str(error)) from None
    count = sum(map(len, found.readings.values()))
    session.say(f"{file}: {count} registers at boundaries between windows, {found.passed_over} rows in between")
    if found.ignored:
        session.say(f"columns that were not read: {', '.join(map(repr, found.ignored))}")
    if BUY in found.readings and not every_window and not reporting.needs(BUY):
        # A home that only buys leaves no load profile on the chain.
        del found.readings[BUY]
        session.say("the import register stays with you: no window of a rated buyer needs it")
    if not found.readings:
        raise ConfigurationError(f"{file} has nothing that has to be reported; give --all to report it all the same")
    reporting.run(found.readings, every_window=every_window, sign_only=sign_only)


@command(app, asks=True)
def submit(
    session: Session,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Written by --sign-only.")],
) -> None:
    """Relay reports that a meter signed elsewhere. --account pays the transaction."""
    from peerwatt.cli.reporting import submit_file

    submit_file(session, file)


meter_agent.register(app)
