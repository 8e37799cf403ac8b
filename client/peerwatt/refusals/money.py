"""Why the market, its lens or its token refuses what is not an order or a report."""

from __future__ import annotations

from .base import MarketError


class ZeroAmount(MarketError):
    reason = "wallets: zero amount"
    problem = "zero-amount"
    fact = "the amount is zero"
    next_step = "choose an amount above zero"


class TransferFailed(MarketError):
    reason = "wallets: transfer failed"
    problem = "transfer-failed"
    fact = "the token refused the transfer"
    next_step = "check balance and allowance of the token, and its own rules"


class BalanceTooLarge(MarketError):
    reason = "wallets: balance too large"
    problem = "balance-too-large"
    fact = "the market would hold 2^102 base units or more"
    next_step = "deposit less"


class NothingReceived(MarketError):
    reason = "wallets: nothing received"
    problem = "nothing-received"
    fact = "the market received nothing from the transfer"
    next_step = "check the token; deposits count what really arrives"


class BadPermit(MarketError):
    reason = "wallets: bad permit"
    problem = "bad-permit"
    fact = "after the permit the market's allowance is not exactly the amount"
    next_step = (
        "sign a permit for exactly the amount with the token's present nonce, or approve and deposit directly"
    )


class BadRecipient(MarketError):
    reason = "wallets: bad recipient"
    problem = "bad-recipient"
    fact = "the recipient is the zero address or the market itself"
    next_step = "withdraw to an address that can hold the tokens"


class WithdrawalExpired(MarketError):
    reason = "wallets: message expired"
    problem = "withdrawal-expired"
    fact = "the withdrawal's deadline has passed"
    next_step = "sign a new withdrawal with a later deadline"


class WithdrawalNonceUsed(MarketError):
    reason = "wallets: nonce used"
    problem = "withdrawal-nonce-used"
    fact = "the withdrawal's nonce is not the account's next one"
    next_step = "read the account's next nonce and sign again"


class ClearingClosed(MarketError):
    reason = "auction: market closed"
    problem = "clearing-closed"
    fact = "the book was closed for good"
    next_step = "settle what is open and withdraw; nothing is cleared any more"


class NothingToClear(MarketError):
    reason = "auction: nothing to clear"
    problem = "nothing-to-clear"
    fact = "every window whose gate has closed is cleared already"
    next_step = "wait for the next gate"


class NothingOpen(MarketError):
    reason = "auction: nothing open"
    problem = "nothing-open"
    fact = "no order waits for clearing, so there is nothing to wind down"
    next_step = "withdraw free money directly"


class ClearFirst(MarketError):
    reason = "auction: clear first"
    problem = "clear-first"
    fact = "the next window has not been left uncleared for 7 days"
    next_step = "call clear, or wait until the 7 days are over"


class AlreadyAnnounced(MarketError):
    reason = "auction: already announced"
    problem = "already-announced"
    fact = "the wind-down is announced, and nobody has cleared since"
    next_step = "wait until the notice is a day old, then wind down"


class NoNotice(MarketError):
    reason = "auction: no notice"
    problem = "no-notice"
    fact = "no wind-down was announced, or a window was cleared since"
    next_step = "announce the wind-down again"


class NoticeTooYoung(MarketError):
    reason = "auction: notice too young"
    problem = "notice-too-young"
    fact = "the wind-down was announced less than a day ago"
    next_step = "wait until the notice is one day old"


class UnknownItem(MarketError):
    reason = "relay: unknown item"
    problem = "unknown-item"
    fact = "an item's kind is none of order, cancel, report and due"
    next_step = "pack the items with peerwatt.market.relay"


class ItemCutShort(MarketError):
    reason = "relay: item cut short"
    problem = "item-cut-short"
    fact = "the words end in the middle of an item"
    next_step = "pack the items with peerwatt.market.relay and send all their words"


class WindowCleared(MarketError):
    reason = "lens: window cleared"
    problem = "window-cleared"
    fact = "the window is cleared, so its book is gone"
    next_step = "read the window's result"


class BeyondRing(MarketError):
    reason = "lens: beyond the ring"
    problem = "beyond-ring"
    fact = "the window is 256 windows or more past the newest cleared one"
    next_step = "ask for an earlier window"


class TooManySlots(MarketError):
    reason = "lens: too many slots"
    problem = "too-many-slots"
    fact = "an account has 16 slots"
    next_step = "ask for at most 16"


class TokenBadSignature(MarketError):
    reason = "token: bad signature"
    problem = "token-bad-signature"
    fact = "the permit is not signed by the tokens' owner"
    next_step = "check key, chain id, token address, nonce and amount, then sign again"


class LengthsDiffer(MarketError):
    reason = "token: lengths differ"
    problem = "lengths-differ"
    fact = "there are not as many amounts as receivers"
    next_step = "name one amount for each receiver"


class NotEnoughAllowance(MarketError):
    reason = "token: not enough allowance"
    problem = "not-enough-allowance"
    fact = "the owner allowed the spender less than the amount"
    next_step = "approve the amount first"


class NotEnoughTokens(MarketError):
    reason = "token: not enough balance"
    problem = "not-enough-tokens"
    fact = "the account holds fewer tokens than the amount"
    next_step = "choose a smaller amount or get more tokens"


class NotTheMinter(MarketError):
    reason = "token: not the minter"
    problem = "not-the-minter"
    fact = "only the token's minter creates tokens"
    next_step = "ask the minter"


class PermitExpired(MarketError):
    reason = "token: permit expired"
    problem = "permit-expired"
    fact = "the permit's deadline has passed"
    next_step = "sign a new permit with a later deadline"


class SupplyOverflow(MarketError):
    reason = "token: supply overflow"
    problem = "supply-overflow"
    fact = "the token's supply would pass 2^256 - 1"
    next_step = "mint less"


class TokenZeroAddress(MarketError):
    reason = "token: zero address"
    problem = "token-zero-address"
    fact = "tokens can't go to the zero address"
    next_step = "name another receiver"
