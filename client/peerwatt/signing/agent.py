"""What an account signs to let a key, such as its home's EMS, trade within limits."""

from __future__ import annotations

from dataclasses import dataclass

from .kinds import Address, Uint8, Uint64, Uint128, Uint256
from .typed import Message


@dataclass(frozen=True)
class Agent(Message):
    """Authorises an agent key, or revokes it.

    Attributes:
        account: the account that the agent may sign orders and cancels for.
        agent: address of the agent's key.
        expiry: Unix time from which the agent may no longer act [s]; 0 revokes.
        max_buy_level: highest price level it may bid.
        min_sell_level: lowest price level it may offer at.
        max_reserve: bound of the wallet's whole reserve after an order [base units].
        nonce: the account's next agent nonce.
    """

    account: Address
    agent: Address
    expiry: Uint64
    max_buy_level: Uint8
    min_sell_level: Uint8
    max_reserve: Uint128
    nonce: Uint256
