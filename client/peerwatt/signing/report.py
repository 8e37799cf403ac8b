"""What a meter signs: its register at the windows' ends."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from ..exceptions import BadMessage
from .kinds import Address, Uint8, Uint32, Uint64Array
from .sides import check_side
from .typed import Message


@dataclass(frozen=True)
class Report(Message):
    """Readings of one cumulative register, signed by the meter's key.

    Attributes:
        meter: the meter.
        side: 1 export register, 0 import register.
        first_window: window at whose start the first reading was taken.
        registers: [Wh]; the first at the start of `first_window`, then one at the end of each window.
    """

    meter: Address
    side: Uint8
    first_window: Uint32
    registers: Uint64Array

    def _check(self) -> None:
        check_side(self.side)
        if not self.registers:
            raise BadMessage("registers is empty; give at least the reading at the start of first_window")
        for i, (before, after) in enumerate(pairwise(self.registers), start=1):
            if after < before:
                raise BadMessage(f"registers[{i}] is {after}, below {before} before it; registers only grow")

    @property
    def growths_wh(self) -> tuple[int, ...]:
        """Energy of each window [Wh]."""
        return tuple(b - a for a, b in pairwise(self.registers))
