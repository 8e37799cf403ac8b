"""What only a study says in numbers: the times of its windows, its mean price, its checks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from peerwatt.pages.numbers import EXACT, Money, clock, grouped

from ..results import Summary, WindowResult


def clocks(windows: Sequence[WindowResult], window_seconds: int) -> list[str]:
    """Times of day at which the windows start, and the end of the last one; the end is empty if unknown."""
    times = [clock(window.starts_at) for window in windows]
    try:
        end = datetime.fromisoformat(windows[-1].starts_at) + timedelta(seconds=window_seconds)
    except (IndexError, ValueError):
        return [*times, ""]
    return [*times, end.strftime("%H:%M")]


def mean_price(windows: Iterable[WindowResult]) -> Decimal | None:
    """Clearing price weighted by the traded energy [base units/Wh]; None without a trade."""
    traded = [(w.price_per_wh, w.traded_wh) for w in windows if w.price_per_wh is not None]
    volume = sum(energy for _, energy in traded)
    if volume == 0:
        return None
    return EXACT.divide(Decimal(sum(price * energy for price, energy in traded)), Decimal(volume))


def check_words(summary: Summary) -> tuple[tuple[bool, str], ...]:
    """What the study checked, each as (holds, words)."""
    money = Money.of(summary)
    return (
        (
            summary.parity_ok,
            "After every window the chain held exactly what the reference model computed."
            if summary.parity_ok
            else "The chain differs from the reference model: these figures prove nothing.",
        ),
        (
            summary.audit_ok,
            "The auditor, who has the chain and nothing else, did everything again, and all holds "
            f"(digest {summary.audit_digest[:16]})."
            if summary.audit_ok
            else "The audit of the chain does not hold: peerwatt audit says where.",
        ),
        (
            summary.money_residual == 0,
            "Money adds up to the base unit: what was paid in was paid out."
            if summary.money_residual == 0
            else f"Money does not add up: {grouped(summary.money_residual)} base units "
            f"({money.amount(summary.money_residual)}) are left over.",
        ),
        (
            summary.energy_residual == 0,
            "Energy adds up to the Wh: bought = delivered + short + rounding."
            if summary.energy_residual == 0
            else f"Energy does not add up: {grouped(summary.energy_residual)} Wh are left over.",
        ),
    )
