"""What a participant signs to buy or sell."""

from __future__ import annotations

from dataclasses import dataclass

from .kinds import Address, Uint8, Uint32
from .sides import check_side
from .typed import Message


@dataclass(frozen=True)
class Order(Message):
    """A bid or an offer, signed by its maker or by an agent key of the maker.

    Attributes:
        maker: account that buys or sells.
        meter: meter bound to the maker.
        side: 0 buys, 1 sells.
        first_window, last_window: windows it is for, both included.
        energy_wh: in each window [Wh].
        limit_level: price level; a buyer pays no more, a seller gets no less, everything included.
        nonce: above the last one of the slot `nonce & 15`.
    """

    maker: Address
    meter: Address
    side: Uint8
    first_window: Uint32
    last_window: Uint32
    energy_wh: Uint32
    limit_level: Uint8
    nonce: Uint32

    def _check(self) -> None:
        check_side(self.side)

    @property
    def slot(self) -> int:
        """Slot of the maker in which the order lives, 0 to 15."""
        return self.nonce & 15
