"""What the commands that only look have in common: spans of windows in the past, money with its sign."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from peerwatt.cli.errors import UsageError, UserError

if TYPE_CHECKING:
    from peerwatt.cli.session import Session
    from peerwatt.market.clock import MarketClock
    from peerwatt.market.statement import AccountHistory
    from peerwatt.units import PriceGrid

DAY_S = 86_400
SIDES = ("buy", "sell")
SHOWN_DIFFERENCES = 3
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")

From = Annotated[
    str | None, typer.Option("--from", metavar="TIME", help="First window: 14:00 (the last one), or a date.")
]
To = Annotated[str | None, typer.Option("--to", metavar="TIME", help="End of the last window; a date counts whole.")]


@dataclass(frozen=True)
class Period:
    """Windows first to last, None without a bound."""

    first: int | None
    last: int | None

    def __contains__(self, window: int) -> bool:
        return (self.first is None or window >= self.first) and (self.last is None or window <= self.last)


def parse_period(clock: MarketClock, from_: str | None, to: str | None) -> Period:
    """Windows that start at or after `from_` and before `to`.

    Raises:
        BadAmount: no time. UsageError: the end is not after the start.
    """
    start_s = None if from_ is None else parse_past(clock, from_)
    end_s = None if to is None else parse_past(clock, to, whole_day=True)
    if start_s is not None and end_s is not None and end_s <= start_s:
        raise UsageError(
            f"--to {to} ({clock.format_time(end_s)}) is not after --from {from_} ({clock.format_time(start_s)}); "
            "give a later end"
        )
    seconds = clock.window_seconds
    return Period(
        None if start_s is None else -(-start_s // seconds), None if end_s is None else (end_s - 1) // seconds
    )


def parse_past(clock: MarketClock, text: str, *, whole_day: bool = False) -> int:
    """A moment that is likely past: `14:00` is the last one, a date its first moment, or its end [Unix s].

    Raises:
        BadAmount: no time.
    """
    from peerwatt.exceptions import BadAmount

    text = text.strip()
    if not _DAY.fullmatch(text):
        return clock.parse_time(text, not_before_s=clock.now_s - DAY_S + 1)
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise BadAmount(f"{text!r} is no day; write it like 2026-10-14") from None
    if whole_day:
        day += timedelta(days=1)
    return int(datetime(day.year, day.month, day.day, tzinfo=clock.zone).timestamp())


def check_history(history: AccountHistory) -> None:
    """Ends with exit code 1 if logs, rules and contract disagree about an account.

    Raises:
        UserError: they do; says where first.
    """
    if not history.differences:
        return
    shown = "; ".join(history.differences[:SHOWN_DIFFERENCES])
    more = len(history.differences) - SHOWN_DIFFERENCES
    raise UserError(
        f"the logs, the market's rules and the contract disagree about {history.account} in "
        f"{len(history.differences)} places: {shown}{f'; and {more} more' if more > 0 else ''}. Do not rely on these "
        "figures; try another node, and tell the operator if it stays so"
    )


def wants_own(session: Session, mine: bool) -> bool:
    """Whether only one account was asked for: with --mine, or by naming it on the command line."""
    return mine or session.settings.get("account").source == "--account"


def known_address(session: Session) -> str | None:
    """The account of `--account` or of the only key, if there is one and no password is needed to know it.

    Raises:
        KeystoreError: the command line names a key that does not exist.
    """
    from eth_utils.address import is_hex_address

    from peerwatt.wallet.keystores import KeystoreError

    account = session.settings["account"]
    if account is not None and is_hex_address(account):
        return session.address
    try:
        return session.keystore.address
    except KeystoreError:
        if wants_own(session, mine=False):
            raise
        return None


def money_number(amount: int | None, grid: PriceGrid, *, sign: bool = False) -> str:
    """Money without its currency, `-` where it is not known.

    Args:
        sign: with a plus where it is positive.
    """
    from peerwatt.units import format_money

    if amount is None:
        return "-"
    text = format_money(amount, grid).removesuffix(f" {grid.currency}")
    return f"+{text}" if sign and amount > 0 else text


def price_number(price_per_wh: int | None, grid: PriceGrid) -> str:
    """A price per kWh without its unit, `-` where there is none."""
    from peerwatt.units import format_unit_price

    if price_per_wh is None:
        return "-"
    return format_unit_price(price_per_wh, grid).removesuffix(f" {grid.currency}/kWh")


def energy(energy_wh: int | None) -> str:
    """Energy for people, `-` where it is not known or none."""
    from peerwatt.units import format_energy

    return "-" if not energy_wh else format_energy(energy_wh)


def score_text(score: int) -> str:
    """A score [1/65536 points] in points of 10,000 with its letter."""
    from peerwatt.reference.reputation import SCORE_ONE, rating

    return f"{score / SCORE_ONE:,.2f} {rating(score)}"
