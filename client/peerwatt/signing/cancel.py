"""What a participant signs to take an order back."""

from __future__ import annotations

from dataclasses import dataclass

from .kinds import Address, Uint32, Uint64
from .typed import Message


@dataclass(frozen=True)
class Cancel(Message):
    """Cuts the order with this nonce, or burns a nonce never used.

    Attributes:
        maker: account of the order.
        nonce: of the order; a higher one than the slot's only burns.
        from_window: first window to cut; those whose gate is closed or next stay.
        deadline: Unix time until which it may be relayed [s].
    """

    maker: Address
    nonce: Uint32
    from_window: Uint32
    deadline: Uint64
