"""What a buyer signs to be rated, or no longer."""

from __future__ import annotations

from dataclasses import dataclass

from .kinds import Address, Bool, Uint64, Uint256
from .typed import Message


@dataclass(frozen=True)
class Rating(Message):
    """Chooses whether the account's later bids count for its reputation.

    Attributes:
        account: the participant.
        rated: True to be rated.
        nonce: the account's next rating nonce.
        deadline: Unix time until which it may be relayed [s].
    """

    account: Address
    rated: Bool
    nonce: Uint256
    deadline: Uint64
