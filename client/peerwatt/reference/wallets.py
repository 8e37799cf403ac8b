"""Money: what is in a wallet, what of it is free, how it comes in and leaves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .reasons import require
from .values import ZERO_ADDRESS

if TYPE_CHECKING:
    from .state import MarketState

MAX_TOKENS = 2**102


@dataclass(frozen=True)
class Wallet:
    """Money of an account [base units], its score [1/65536 points], and whether its orders to buy are rated.

    `reserved` is the part of the balance that its open orders could still cost.
    """

    balance: int = 0
    reserved: int = 0
    score: int = 0
    rated: bool = False

    @property
    def free(self) -> int:
        return self.balance - self.reserved


def reserve(market: MarketState, account: str, amount: int) -> None:
    """Sets money aside; the caller has checked that it is free."""
    wallet = market.wallet(account)
    market.wallets[account] = replace(wallet, reserved=wallet.reserved + amount)


def release(market: MarketState, account: str, amount: int) -> None:
    wallet = market.wallet(account)
    market.wallets[account] = replace(wallet, reserved=wallet.reserved - amount)


def credit(market: MarketState, account: str, amount: int) -> None:
    wallet = market.wallet(account)
    market.wallets[account] = replace(wallet, balance=wallet.balance + amount)


def deposit(market: MarketState, owner: str, amount: int, received: int, succeeds: bool) -> int:
    """Takes tokens from their owner and credits what arrived.

    Args:
        amount: what the token is asked to move.
        received: what the market's token balance grew by (less, for a token that keeps a fee).
        succeeds: whether the token's transfer does.
    Returns:
        The amount credited.
    """
    require(amount > 0, "wallets: zero amount")
    require(succeeds, "wallets: transfer failed")
    require(market.token_balance + received < MAX_TOKENS, "wallets: balance too large")
    require(received > 0, "wallets: nothing received")
    market.token_balance += received
    market.outside[owner] = market.outside.get(owner, 0) - amount
    credit(market, owner, received)
    market.emit("Deposited", account=owner, amount=received)
    return received


def withdraw(market: MarketState, account: str, amount: int, recipient: str, succeeds: bool) -> None:
    """Sends free money out: whether or not the market is paused, and whatever others do."""
    require(amount > 0, "wallets: zero amount")
    require(recipient not in (ZERO_ADDRESS, market.address), "wallets: bad recipient")
    require(market.wallet(account).free >= amount, "wallets: not enough free money")
    require(succeeds, "wallets: transfer failed")
    credit(market, account, -amount)
    market.token_balance -= amount
    market.outside[recipient] = market.outside.get(recipient, 0) + amount
    market.emit("Withdrawn", account=account, recipient=recipient, amount=amount)


def withdraw_signed(
    market: MarketState,
    now: int,
    account: str,
    recipient: str,
    amount: int,
    nonce: int,
    deadline: int,
    signer: str,
    succeeds: bool,
) -> None:
    """As `withdraw`, by anyone with the account's signature; the nonce is the account's next one."""
    require(deadline >= now, "wallets: message expired")
    require(nonce == market.nonces.get(account, 0), "wallets: nonce used")
    require(signer == account and signer != ZERO_ADDRESS, "signing: bad signature")
    withdraw(market, account, amount, recipient, succeeds)
    market.nonces[account] = nonce + 1
