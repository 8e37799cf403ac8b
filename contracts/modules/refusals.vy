# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title The reason strings of the market's codes
@license Apache-2.0
@notice Kept by the registry; the market asks for one only when it is about to revert with it.
"""
from . import reasons


@external
@pure
def reason(code: uint256) -> String[36]:
    """
    @notice The reason string of a code; empty for a code that is none.
    """
    if code == reasons.PAUSED:
        return "offers: paused"
    if code == reasons.CLOSED:
        return "offers: market closed"
    if code == reasons.BAD_ORDER_SIDE:
        return "offers: bad side"
    if code == reasons.NOT_ENROLLED:
        return "participants: not enrolled"
    if code == reasons.NOT_THE_BOUND_METER:
        return "meters: not the bound meter"
    if code == reasons.BAD_SIGNATURE:
        return "signing: bad signature"
    if code == reasons.AGENT_NOT_AUTHORISED:
        return "participants: agent not authorised"
    if code == reasons.OVER_AGENT_CAPS:
        return "participants: over the agent's caps"
    if code == reasons.ENERGY_OUT_OF_BOUNDS:
        return "offers: energy out of bounds"
    if code == reasons.WINDOWS_REVERSED:
        return "offers: windows reversed"
    if code == reasons.GATE_CLOSED:
        return "offers: gate closed"
    if code == reasons.BEYOND_HORIZON:
        return "offers: beyond the horizon"
    if code == reasons.NONCE_USED:
        return "offers: nonce used"
    if code == reasons.SLOT_IN_USE:
        return "offers: slot in use"
    if code == reasons.WINDOW_TAKEN:
        return "offers: window taken"
    if code == reasons.STATUS_FORBIDS:
        return "participants: status forbids"
    if code == reasons.READING_TOO_OLD:
        return "meters: reading too old"
    if code == reasons.OVER_ENVELOPE:
        return "meters: over the envelope"
    if code == reasons.NO_PRICE_LEVEL:
        return "offers: no price level"
    if code == reasons.NOT_ENOUGH_MONEY:
        return "wallets: not enough free money"
    if code == reasons.CANCEL_EXPIRED:
        return "offers: cancel expired"
    if code == reasons.NOTHING_TO_CANCEL:
        return "offers: nothing to cancel"
    if code == reasons.REPORT_TOO_LONG:
        return "meters: report too long"
    if code == reasons.BAD_REPORT_SIDE:
        return "meters: bad side"
    if code == reasons.REGISTER_OVERFLOW:
        return "meters: register overflow"
    if code == reasons.WINDOW_NOT_ENDED:
        return "meters: window not ended"
    if code == reasons.WINDOW_NOT_CLEARED:
        return "meters: window not cleared"
    if code == reasons.READING_NOT_NEWER:
        return "meters: reading not newer"
    if code == reasons.OPENING_DIFFERS:
        return "meters: opening differs"
    if code == reasons.REGISTER_DECREASES:
        return "meters: register decreases"
    if code == reasons.STARTS_AFTER_OPEN:
        return "meters: starts after an open window"
    if code == reasons.WRONG_HINT:
        return "settlement: wrong order hint"
    if code == reasons.WRONG_SIDE:
        return "settlement: wrong side"
    if code == reasons.NOTHING_DUE:
        return "settlement: nothing due"
    return ""
