"""Meter readings: the registers of an account, and what a signed report must fulfil."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .messages import ReportMessage
from .reasons import require
from .values import BUY, ZERO_ADDRESS

if TYPE_CHECKING:
    from .state import MarketState

MAX_REPORT_WINDOWS = 224
MAX_REGISTER = 2**48


@dataclass(frozen=True)
class ExportRegister:
    """The export register [Wh] at the start of `window`. `revoked`: the operator cut the connection off."""

    meter: str = ZERO_ADDRESS
    register_wh: int = 0
    window: int = 0
    revoked: bool = False


@dataclass(frozen=True)
class ImportRegister:
    """The import register [Wh] at the start of `window`. `revoked_window`: from where a revocation counts."""

    register_wh: int = 0
    window: int = 0
    revoked_window: int = 0


def get_exports(market: MarketState, account: str) -> ExportRegister:
    return market.exports.get(account, ExportRegister())


def get_imports(market: MarketState, account: str) -> ImportRegister:
    return market.imports.get(account, ImportRegister())


def is_revoked(market: MarketState, account: str, window: int) -> bool:
    """Whether the account's meter no longer counts in this window."""
    return get_exports(market, account).revoked and window >= get_imports(market, account).revoked_window


def check_report(
    market: MarketState, now: int, account: str, report: ReportMessage, signer: str, next_open: int | None
) -> None:
    """Everything about a report but the orders it meets.

    Args:
        next_open: the account's next open window, None without one.
    """
    exports = get_exports(market, account)
    count = len(report.growths)
    end = report.first_window + count
    require(count <= MAX_REPORT_WINDOWS, "meters: report too long")
    require(report.side <= 1, "meters: bad side")
    require(exports.meter != ZERO_ADDRESS, "participants: not enrolled")
    require(signer == exports.meter, "signing: bad signature")
    registers = report.registers
    require(registers[-1] < MAX_REGISTER, "meters: register overflow")
    require(end <= market.parameters.window_at(now), "meters: window not ended")
    require(count == 0 or end - 1 <= market.cleared, "meters: window not cleared")

    last_read: ExportRegister | ImportRegister = exports
    if report.side == BUY:
        last_read = get_imports(market, account)
    require(end > last_read.window, "meters: reading not newer")
    if report.first_window <= last_read.window:
        same_instant = registers[last_read.window - report.first_window]
        require(same_instant == last_read.register_wh, "meters: opening differs")
    else:
        require(report.opening_wh >= last_read.register_wh, "meters: register decreases")
    # A report that begins later could let a window with an order pass unmetered.
    starts_in_time = next_open is None or report.first_window <= next_open
    require(starts_in_time, "meters: starts after an open window")


def check_age(market: MarketState, now: int, account: str) -> None:
    """A seller's meter must have reported recently, counted from the reading's own time."""
    parameters = market.parameters
    read_at = parameters.start_of(get_exports(market, account).window)
    require(now <= read_at + parameters.max_reading_age_seconds, "meters: reading too old")
