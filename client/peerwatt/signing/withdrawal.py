"""What an account signs to have its free money sent."""

from __future__ import annotations

from dataclasses import dataclass

from .kinds import Address, Uint64, Uint256
from .typed import Message


@dataclass(frozen=True)
class Withdrawal(Message):
    """Sends free money of a wallet.

    Attributes:
        account: whose money.
        recipient: where it goes.
        amount: [base units].
        nonce: the account's next withdrawal nonce.
        deadline: Unix time until which it may be relayed [s].
    """

    account: Address
    recipient: Address
    amount: Uint256
    nonce: Uint256
    deadline: Uint64
