"""What meter and account both sign to join the market."""

from __future__ import annotations

from dataclasses import dataclass

from .kinds import Address, Uint64
from .typed import Message


@dataclass(frozen=True)
class Enrolment(Message):
    """Binds a meter to an account, signed by both (a contract wallet calls `consent` instead).

    Attributes:
        account: the participant.
        meter: the meter, bound once ever.
        imported_wh, exported_wh: registers at enrolment [Wh].
        deadline: Unix time until which the operator may use it [s].
    """

    account: Address
    meter: Address
    imported_wh: Uint64
    exported_wh: Uint64
    deadline: Uint64
