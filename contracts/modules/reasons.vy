# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Why an act is refused: one code and one string per cause
@license Apache-2.0
@notice In a relayed batch a refused item is logged with its code; called directly, the same refusal reverts with the string
        that refusals.vy keeps for it.
"""

PAUSED: constant(uint256) = 1
CLOSED: constant(uint256) = 2
BAD_ORDER_SIDE: constant(uint256) = 3
NOT_ENROLLED: constant(uint256) = 4
NOT_THE_BOUND_METER: constant(uint256) = 5
BAD_SIGNATURE: constant(uint256) = 6
AGENT_NOT_AUTHORISED: constant(uint256) = 7
OVER_AGENT_CAPS: constant(uint256) = 8
ENERGY_OUT_OF_BOUNDS: constant(uint256) = 9
WINDOWS_REVERSED: constant(uint256) = 10
GATE_CLOSED: constant(uint256) = 11
BEYOND_HORIZON: constant(uint256) = 12
NONCE_USED: constant(uint256) = 13
SLOT_IN_USE: constant(uint256) = 14
WINDOW_TAKEN: constant(uint256) = 15
STATUS_FORBIDS: constant(uint256) = 16
READING_TOO_OLD: constant(uint256) = 17
OVER_ENVELOPE: constant(uint256) = 18
NO_PRICE_LEVEL: constant(uint256) = 19
NOT_ENOUGH_MONEY: constant(uint256) = 20
CANCEL_EXPIRED: constant(uint256) = 21
NOTHING_TO_CANCEL: constant(uint256) = 22
REPORT_TOO_LONG: constant(uint256) = 23
BAD_REPORT_SIDE: constant(uint256) = 24
REGISTER_OVERFLOW: constant(uint256) = 25
WINDOW_NOT_ENDED: constant(uint256) = 26
WINDOW_NOT_CLEARED: constant(uint256) = 27
READING_NOT_NEWER: constant(uint256) = 28
OPENING_DIFFERS: constant(uint256) = 29
REGISTER_DECREASES: constant(uint256) = 30
STARTS_AFTER_OPEN: constant(uint256) = 31
WRONG_HINT: constant(uint256) = 32
WRONG_SIDE: constant(uint256) = 33
NOTHING_DUE: constant(uint256) = 34
