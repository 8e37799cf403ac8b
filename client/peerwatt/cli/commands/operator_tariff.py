"""`peerwatt operator tariff`, fees, retail prices and the pause: the regulator's commands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from peerwatt.cli import output, roles
from peerwatt.cli.errors import ConfigurationError, UsageError
from peerwatt.cli.options import command
from peerwatt.cli.session import Session

if TYPE_CHECKING:
    from peerwatt.operator.tariffs import Tariff

app = typer.Typer(help="The tariff that holds, and the next one.", no_args_is_help=True)


def register(operator: typer.Typer) -> None:
    """Adds the commands."""
    operator.add_typer(app, name="tariff")
    for function in (fee, retail, pause, resume):
        command(operator, asks=True)(function)


@command(app)
def show(session: Session) -> None:
    """Show the tariff in force, the next one, and the retail prices."""
    from peerwatt.operator.tariffs import read_published
    from peerwatt.units import format_unit_price

    clock = session.clock
    published = read_published(session.gateway, clock.window)
    data = {
        "version": published.version,
        "tariff": published.now.to_json() if published.now else None,
        "next_version": published.next_version,
        "next_tariff": published.next.to_json() if published.next else None,
        "next_from_window": published.next_from or None,
        "next_from_s": clock.start_s(published.next_from) if published.next else None,
        "retail": [{"retail_class": n, "price_per_wh": price} for n, price in published.retail.items()],
    }

    def text() -> str:
        parts = ["no tariff is published yet, so nobody can be enrolled; see: peerwatt operator tariff publish"]
        if published.now:
            parts = [f"version {published.version}, in force", _in_words(session, published.now)]
        if published.next:
            start = clock.format_time(clock.start_s(published.next_from))
            parts += [f"version {published.next_version}, from {start} on", _in_words(session, published.next)]
        prices = [
            (f"retail class {n}", format_unit_price(price, session.grid)) for n, price in published.retail.items()
        ]
        return "\n".join([*parts, output.facts(prices) if prices else "no retail class has a price"])

    session.emit(data, text)


@command(app, asks=True)
def publish(
    session: Session,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE.toml", help="Its table [tariff]; a parameters file will do.")
    ] = None,
    imbalance_price: Annotated[
        str | None, typer.Option(metavar="PRICE", help="What a shortfall costs, such as '230 NGN/kWh'.")
    ] = None,
) -> None:
    """Publish the next tariff (regulator). What neither file nor option says stays as it is."""
    from dataclasses import replace

    from peerwatt.operator.tariffs import (
        TariffFileError,
        check_tariff,
        holds_from,
        read_published,
        read_tariff_file,
    )
    from peerwatt.units import parse_unit_price

    if file is None and imbalance_price is None:
        raise UsageError("give a file with a table [tariff], or --imbalance-price")
    clock = session.clock
    published = read_published(session.gateway, clock.window)
    tariff = published.now
    try:
        if file is not None:
            tariff = read_tariff_file(file, tariff, session.grid)
    except TariffFileError as error:
        raise ConfigurationError(str(error)) from None
    if tariff is None:
        raise UsageError("the first tariff needs its tables too; give a file with a table [tariff]")
    if imbalance_price is not None:
        tariff = replace(tariff, imbalance_price=parse_unit_price(imbalance_price, session.grid))
    check_tariff(tariff, published, session.grid)
    if tariff == published.now:
        raise UsageError(f"this is version {published.version}, which holds already; nothing would change")
    first = holds_from(published, clock.window)
    start = clock.format_time(clock.start_s(first))
    when = "at once" if published.version == 0 else f"from {start} on ({first - clock.window} windows from now)"
    roles.act(
        session,
        roles.REGULATOR,
        session.gateway.registry.functions.publish_tariff(tariff.steps(session.grid), *tariff.words()),
        f"Version {published.version + 1} holds {when}, for orders accepted from then on:\n"
        f"{_in_words(session, tariff)}",
        {
            "version": published.version + 1,
            "tariff": tariff.to_json(),
            "from_window": first,
            "from_s": clock.start_s(first),
        },
    )


def _in_words(session: Session, tariff: Tariff) -> str:
    from peerwatt.reference.reputation import LETTERS
    from peerwatt.units import format_unit_price

    tables = (tariff.surcharge_bps, tariff.haircut_bps, tariff.rebate_bps)
    rows = [
        (letter, *(f"{row[15 - index] / 100:g} %" for row in tables)) for index, letter in enumerate(LETTERS)
    ]
    table = output.table(("score", ">buyer's surcharge", ">seller's haircut", ">rebate on the fee"), rows, "  ")
    return f"  imbalance price {format_unit_price(tariff.imbalance_price, session.grid)}\n{table}"


def fee(
    session: Session,
    feeder: Annotated[str, typer.Argument(metavar="FEEDER", help="Number of the feeder.")],
    price: Annotated[str, typer.Argument(metavar="PRICE", help="Such as '8 NGN/kWh'.")],
) -> None:
    """Set the network fee of a feeder, for orders from now on (regulator)."""
    from peerwatt.units import LEVELS, format_unit_price, parse_unit_price

    number = roles.parse_number(feeder, 2**16 - 1, "feeder")
    fee_per_wh = parse_unit_price(price, session.grid)
    top = session.grid.price(LEVELS - 1)
    if fee_per_wh > top:
        raise UsageError(
            f"a fee of {format_unit_price(fee_per_wh, session.grid)} is above the highest price of the grid, "
            f"{format_unit_price(top, session.grid)}, and nobody could buy; choose a lower one"
        )
    before = session.gateway.feeder(number).fee_per_wh
    roles.act(
        session,
        roles.REGULATOR,
        session.gateway.registry.functions.set_feeder_fee(number, fee_per_wh),
        f"Buyers on feeder {number} pay a network fee of {format_unit_price(fee_per_wh, session.grid)} (until now "
        f"{format_unit_price(before, session.grid)}). Orders that the market accepted stay as they are.",
        {"feeder": number, "fee_per_wh": fee_per_wh},
    )


def retail(
    session: Session,
    retail_class: Annotated[str, typer.Argument(metavar="CLASS", help="Number of the class, 0 to 15.")],
    price: Annotated[str, typer.Argument(metavar="PRICE", help="Such as '209.5 NGN/kWh'; 0 closes the class.")],
) -> None:
    """Set what homes of a class pay their supplier (regulator)."""
    from peerwatt.exceptions import RetailAboveImbalance
    from peerwatt.operator.tariffs import read_published
    from peerwatt.units import format_unit_price, parse_unit_price

    number = roles.parse_number(retail_class, 15, "retail class")
    price_per_wh = parse_unit_price(price, session.grid)
    published = read_published(session.gateway, session.clock.window)
    highest = min((tariff.imbalance_price for tariff in (published.now, published.next) if tariff), default=0)
    written = format_unit_price(price_per_wh, session.grid)
    if price_per_wh > highest:
        raise RetailAboveImbalance(
            f"{written} is above the imbalance price, {format_unit_price(highest, session.grid)}; publish a tariff "
            "with a higher one first: peerwatt operator tariff publish",
            price_per_wh=price_per_wh,
        )
    before = format_unit_price(published.retail.get(number, 0), session.grid)
    roles.act(
        session,
        roles.REGULATOR,
        session.gateway.registry.functions.set_retail(number, price_per_wh),
        f"Retail class {number} pays {written} (until now {before})."
        + ("" if price_per_wh else " The class is closed: no home can be enrolled in it any more."),
        {"retail_class": number, "price_per_wh": price_per_wh},
    )


def pause(session: Session) -> None:
    """Stop new orders and enrolments (regulator). Cancelling, clearing, settling and withdrawing go on."""
    _set_paused(session, True)


def resume(session: Session) -> None:
    """Let new orders and enrolments in again (regulator)."""
    _set_paused(session, False)


def _set_paused(session: Session, paused: bool) -> None:
    if session.gateway.book_state().paused == paused:
        raise UsageError(f"the market {'is paused' if paused else 'is not paused'} already; nothing would change")
    call: Any = session.gateway.registry.functions.set_paused(paused)
    text = "New orders and enrolments are let in again."
    if paused:
        text = "No new order and no enrolment is taken from now on. Everything else goes on, withdrawing too."
    roles.act(session, roles.REGULATOR, call, text, {"paused": paused})
