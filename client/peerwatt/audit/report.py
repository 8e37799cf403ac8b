"""What an audit found: the same data for the terminal, for programs, and for a page that a regulator reads."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any

from peerwatt.audit.checks import Check
from peerwatt.audit.replay import Divergence, Unchecked

HOLDS, VIOLATED, INCOMPLETE = "holds", "violated", "incomplete"
EXIT_CODES = {HOLDS: 0, VIOLATED: 1, INCOMPLETE: 3}
# Of the calls that nobody saw; the rest is counted.
SHOWN = 20
VERSION = 1


@dataclass(frozen=True)
class Totals:
    """What happened in the market up to the block. Energy in Wh, money in base units.

    Attributes:
        transactions, signatures: replayed, recovered and compared.
        calls: by function.
        events: by name.
        participant_windows: settled orders, one for each window.
        sold_wh, delivered_wh, shortfall_wh, rounding_wh: of all settled windows.
        delivered_wh_by_meter_class: class -> Wh.
        paid, received: of all participants.
        balancing, network: credited to the two accounts.
        deposited, withdrawn, tokens, given: tokens; `given` came without a deposit.
    """

    transactions: int = 0
    signatures: int = 0
    calls: dict[str, int] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)
    participant_windows: int = 0
    windows: int = 0
    participants: int = 0
    sold_wh: int = 0
    delivered_wh: int = 0
    shortfall_wh: int = 0
    rounding_wh: int = 0
    delivered_wh_by_meter_class: dict[str, int] = field(default_factory=dict)
    paid: int = 0
    received: int = 0
    balancing: int = 0
    network: int = 0
    deposited: int = 0
    withdrawn: int = 0
    tokens: int = 0
    given: int = 0


@dataclass(frozen=True)
class Report:
    """An audit's result.

    Attributes:
        market: chain id, addresses, deployment block: which market it is about.
        block: number, hash and time of the block up to which it was audited.
        checks: all of them, in their sequence.
        divergence: the first place where the replay is not the chain, None if there is none.
        unchecked: calls that nobody could see, at most a few of them.
        incomplete: why the audit could not be made to its end; empty if it could.
    """

    market: dict[str, Any]
    block: dict[str, Any]
    checks: tuple[Check, ...]
    totals: Totals
    divergence: Divergence | None = None
    unchecked: tuple[Unchecked, ...] = ()
    unchecked_count: int = 0
    incomplete: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """`violated` if anything is; else `incomplete` if anything was not checked; else `holds`."""
        if self.divergence is not None or any(check.status == "violated" for check in self.checks):
            return VIOLATED
        if self.incomplete or self.unchecked_count or any(check.status == "unchecked" for check in self.checks):
            return INCOMPLETE
        return HOLDS

    @property
    def exit_code(self) -> int:
        """0 all holds, 1 violated, 3 incomplete."""
        return EXIT_CODES[self.verdict]

    def to_dict(self) -> dict[str, Any]:
        """The report without its digest, with stable names."""
        return {
            "version": VERSION,
            "verdict": self.verdict,
            "market": self.market,
            "block": self.block,
            "divergence": asdict(self.divergence) if self.divergence else None,
            "checks": [{**asdict(check), "status": check.status} for check in self.checks],
            "totals": asdict(self.totals),
            "unchecked": [asdict(one) for one in self.unchecked],
            "unchecked_count": self.unchecked_count,
            "incomplete": list(self.incomplete),
        }

    @property
    def digest(self) -> str:
        """SHA-256 of the report: the same chain up to the same block gives the same digest on any machine."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def to_json(self) -> str:
        """Report and digest as text."""
        return json.dumps({**self.to_dict(), "digest": self.digest}, indent=2) + "\n"
