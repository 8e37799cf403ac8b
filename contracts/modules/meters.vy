# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Meters: a signed report against the register it continues
@license Apache-2.0
@notice A register only grows; what was read before is never read again; a meter can't skip a window that has an order.
"""
from . import bits
from . import parameters
from . import participants
from . import reasons
from . import signing

uses: parameters
uses: participants
uses: signing

MAX_WINDOWS: constant(uint256) = 224
M32: constant(uint256) = 2**32 - 1
M48: constant(uint256) = 2**48 - 1
REPORT_TYPE_HASH: constant(bytes32) = keccak256("Report(address meter,uint8 side,uint32 firstWindow,uint64[] registers)")


@internal
@view
def _check_report(
    account: address,
    side: uint256,
    first: uint256,
    count: uint256,
    opening_wh: uint256,
    growths: DynArray[uint256, 28],
    r: uint256,
    vs: uint256,
    cleared: uint256,
    next_open: uint256,
) -> (uint256, uint256):
    """
    @notice Whether a report continues what its meter said before, and is signed by it.
    @param growths Wh of each window, 32 bits each, lowest first
    @param next_open the account's next open window, 0 for none
    @return the code of a refusal or 0; the closing register [Wh]
    """
    exports_word: uint256 = participants.exports_of[account]
    meter: address = convert(exports_word & (2**160 - 1), address)
    if meter == empty(address):
        return reasons.NOT_ENROLLED, 0

    registers: DynArray[uint256, 225] = [opening_wh]
    register_wh: uint256 = opening_wh
    stored_wh: uint256 = (exports_word >> 160) & M48
    read_window: uint256 = (exports_word >> 208) & M32
    if side == 0:
        imports_word: uint256 = participants.imports_of[account]
        stored_wh = imports_word & M48
        read_window = (imports_word >> 48) & M32
    at_read_window: uint256 = opening_wh
    growth_word: uint256 = 0
    for i: uint256 in range(count, bound=224):
        if i & 7 == 0:
            growth_word = growths[i >> 3]
        register_wh = unsafe_add(register_wh, growth_word & M32)
        growth_word >>= 32
        registers.append(register_wh)
        if unsafe_add(unsafe_add(first, i), 1) == read_window:
            at_read_window = register_wh

    struct_hash: bytes32 = keccak256(
        abi_encode(
            REPORT_TYPE_HASH,
            meter,
            side,
            first,
            keccak256(slice(abi_encode(registers), 64, unsafe_mul(32, unsafe_add(count, 1)))),
        )
    )
    if signing._recover(struct_hash, r, vs) != meter:
        return reasons.BAD_SIGNATURE, 0
    if register_wh > M48:
        return reasons.REGISTER_OVERFLOW, 0
    end: uint256 = unsafe_add(first, count)
    if end > parameters._get_window():
        return reasons.WINDOW_NOT_ENDED, 0
    if count > 0 and end > unsafe_add(cleared, 1):
        return reasons.WINDOW_NOT_CLEARED, 0
    if end <= read_window:
        return reasons.READING_NOT_NEWER, 0
    if first <= read_window:
        if at_read_window != stored_wh:
            return reasons.OPENING_DIFFERS, 0
    elif opening_wh < stored_wh:
        return reasons.REGISTER_DECREASES, 0
    if next_open != 0 and first > next_open:
        return reasons.STARTS_AFTER_OPEN, 0
    return 0, register_wh


@internal
def _set_register(account: address, side: uint256, register_wh: uint256, window: uint256):
    if side == 1:
        word: uint256 = participants.exports_of[account] & ~((2**80 - 1) << 160)
        participants.exports_of[account] = word | (register_wh << 160) | (window << 208)
    else:
        word: uint256 = participants.imports_of[account] & ~(2**80 - 1)
        participants.imports_of[account] = word | register_wh | (window << 48)
