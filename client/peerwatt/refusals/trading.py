"""Why an order, a cancel or a report is refused: the codes of the relay, in their sequence."""

from __future__ import annotations

from .base import MarketError


class MarketPaused(MarketError):
    code = 1
    reason = "offers: paused"
    problem = "market-paused"
    fact = "the regulator paused new orders"
    next_step = "wait until trading resumes; cancelling, settling and withdrawing work meanwhile"


class MarketClosed(MarketError):
    code = 2
    reason = "offers: market closed"
    problem = "market-closed"
    fact = "this market was wound down and takes no more orders"
    next_step = "withdraw your money and move to the market that follows it"


class BadOrderSide(MarketError):
    code = 3
    reason = "offers: bad side"
    problem = "bad-order-side"
    fact = "an order's side is neither 0 (buys) nor 1 (sells)"
    next_step = "sign an order with side 0 or 1"


class NotEnrolled(MarketError):
    code = 4
    reason = "participants: not enrolled"
    problem = "not-enrolled"
    fact = "the account has no meter in this market, or was revoked"
    next_step = "ask the operator to enrol the connection"


class NotTheBoundMeter(MarketError):
    code = 5
    reason = "meters: not the bound meter"
    problem = "not-the-bound-meter"
    fact = "the meter named is not the one bound to the account"
    next_step = "use the address of the meter bound to the account"


class BadSignature(MarketError):
    code = 6
    reason = "signing: bad signature"
    problem = "bad-signature"
    fact = "the signature is not one of the account, meter or agent that must sign"
    next_step = "check key, chain id, market address and every signed field, then sign again"


class AgentNotAuthorised(MarketError):
    code = 7
    reason = "participants: agent not authorised"
    problem = "agent-not-authorised"
    fact = "the agent key is unknown to the account, revoked or expired"
    next_step = "have the account authorise the agent, or sign with the account itself"


class OverAgentCaps(MarketError):
    code = 8
    reason = "participants: over the agent's caps"
    problem = "over-agent-caps"
    fact = "the order is outside the price or reserve limits the account gave its agent"
    next_step = "stay within the limits, or have the account authorise wider ones"


class EnergyOutOfBounds(MarketError):
    code = 9
    reason = "offers: energy out of bounds"
    problem = "energy-out-of-bounds"
    fact = "the energy per window is below the market's minimum or not below 2^24 Wh"
    next_step = "choose an energy within the bounds"


class WindowsReversed(MarketError):
    code = 10
    reason = "offers: windows reversed"
    problem = "windows-reversed"
    fact = "the first window is after the last one"
    next_step = "sign an order whose first window is not after its last"


class GateClosed(MarketError):
    code = 11
    reason = "offers: gate closed"
    problem = "gate-closed"
    fact = "the gate of the order's last window has closed"
    next_step = "sign an order for later windows"


class BeyondHorizon(MarketError):
    code = 12
    reason = "offers: beyond the horizon"
    problem = "beyond-horizon"
    fact = "the order ends later than the market plans ahead"
    next_step = "sign an order that ends earlier, or have overdue windows cleared and settled first"


class OrderNonceUsed(MarketError):
    code = 13
    reason = "offers: nonce used"
    problem = "order-nonce-used"
    fact = "the nonce is not above the slot's last order and last burnt nonce"
    next_step = "sign with a higher nonce for this slot"


class SlotInUse(MarketError):
    code = 14
    reason = "offers: slot in use"
    problem = "slot-in-use"
    fact = "the slot's order still has windows to settle"
    next_step = "use a nonce of another slot (nonce & 15), or wait until the order is settled"


class WindowTaken(MarketError):
    code = 15
    reason = "offers: window taken"
    problem = "window-taken"
    fact = "another order of the account covers one of the windows"
    next_step = "choose other windows, or cancel the other order first"


class StatusForbids(MarketError):
    code = 16
    reason = "participants: status forbids"
    problem = "status-forbids"
    fact = "the connection's status does not allow this side"
    next_step = "ask the operator to change the status: buying needs consuming, selling needs feeding in"


class ReadingTooOld(MarketError):
    code = 17
    reason = "meters: reading too old"
    problem = "reading-too-old"
    fact = "the seller's meter has not been read recently enough"
    next_step = "relay a fresh export report of the meter, then the order again"


class OverEnvelope(MarketError):
    code = 18
    reason = "meters: over the envelope"
    problem = "over-envelope"
    fact = "the energy is over the connection's limit per window at the feeder's present scale"
    next_step = "offer or ask for less energy per window"


class NoPriceLevel(MarketError):
    code = 19
    reason = "offers: no price level"
    problem = "no-price-level"
    fact = "no price of the grid satisfies the limit once surcharge or haircut and network fee are counted"
    next_step = "bid higher or offer lower"


class NotEnoughMoney(MarketError):
    code = 20
    reason = "wallets: not enough free money"
    problem = "not-enough-money"
    fact = "the wallet's free money does not cover the amount or the order's worst case"
    next_step = "deposit more, or choose a smaller amount, fewer windows or another limit"


class CancelExpired(MarketError):
    code = 21
    reason = "offers: cancel expired"
    problem = "cancel-expired"
    fact = "the cancel's deadline has passed"
    next_step = "sign a new cancel with a later deadline"


class NothingToCancel(MarketError):
    code = 22
    reason = "offers: nothing to cancel"
    problem = "nothing-to-cancel"
    fact = "no window of the order can still be cut, or its nonce is already burnt"
    next_step = "check the nonce; windows whose gate is closed or next can't be cancelled"


class ReportTooLong(MarketError):
    code = 23
    reason = "meters: report too long"
    problem = "report-too-long"
    fact = "a report spans more than 224 windows"
    next_step = "split the report"


class BadReportSide(MarketError):
    code = 24
    reason = "meters: bad side"
    problem = "bad-report-side"
    fact = "a report's side is neither 0 (imports) nor 1 (exports)"
    next_step = "sign a report with side 0 or 1"


class RegisterOverflow(MarketError):
    code = 25
    reason = "meters: register overflow"
    problem = "register-overflow"
    fact = "a register is 2^48 Wh or more"
    next_step = "check the meter's unit: registers are in Wh"


class WindowNotEnded(MarketError):
    code = 26
    reason = "meters: window not ended"
    problem = "window-not-ended"
    fact = "the report ends after the last window that is over"
    next_step = "wait for the window's end, or report fewer windows"


class WindowNotCleared(MarketError):
    code = 27
    reason = "meters: window not cleared"
    problem = "window-not-cleared"
    fact = "the report covers a window that is not cleared yet"
    next_step = "call clear first, then relay the report again"


class ReadingNotNewer(MarketError):
    code = 28
    reason = "meters: reading not newer"
    problem = "reading-not-newer"
    fact = "the report ends no later than the last one of this side"
    next_step = "report windows after the last reading"


class OpeningDiffers(MarketError):
    code = 29
    reason = "meters: opening differs"
    problem = "opening-differs"
    fact = "the report's register at the last reading is not the one stored"
    next_step = "start the report from the stored register, or have the meter checked"


class RegisterDecreases(MarketError):
    code = 30
    reason = "meters: register decreases"
    problem = "register-decreases"
    fact = "the report opens below the stored register"
    next_step = "have the meter checked; a new meter needs a signed meter swap"


class StartsAfterOpenWindow(MarketError):
    code = 31
    reason = "meters: starts after an open window"
    problem = "starts-after-open-window"
    fact = "the report starts after the account's next open window"
    next_step = "start the report at or before the next open window"


class WrongOrderHint(MarketError):
    code = 32
    reason = "settlement: wrong order hint"
    problem = "wrong-order-hint"
    fact = "a hinted order slot does not cover the open window it was given for"
    next_step = "read the account's orders again and rebuild the hints"


class WrongSide(MarketError):
    code = 33
    reason = "settlement: wrong side"
    problem = "wrong-side"
    fact = (
        "the report's side can't settle one of its windows: an offer needs exports, a rated bid needs imports"
    )
    next_step = "relay the other register's report for that window first"


class NothingDue(MarketError):
    code = 34
    reason = "settlement: nothing due"
    problem = "nothing-due"
    fact = "no window of the account can be settled without a report now"
    next_step = "relay a report, or wait for the report deadline"
