"""What account and new meter both sign when a meter is replaced."""

from __future__ import annotations

from dataclasses import dataclass

from .kinds import Address, Uint64
from .typed import Message


@dataclass(frozen=True)
class MeterSwap(Message):
    """Replaces an account's meter, signed by the account and by the new meter.

    Attributes:
        account: the participant.
        old_meter: meter bound until now.
        new_meter: meter bound from now on, once ever.
        imported_wh, exported_wh: registers of the new meter [Wh].
        deadline: Unix time until which the operator may use it [s].
    """

    account: Address
    old_meter: Address
    new_meter: Address
    imported_wh: Uint64
    exported_wh: Uint64
    deadline: Uint64
