# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Book: what is bid and offered, by window and price level
@license Apache-2.0
@notice A difference array: an order enters at its first window and leaves after its last, so that it costs the same for one
        window and for two hundred. Entries sit in a ring of 256 windows, tagged with their window.
        An entry: net_bid [0,56) and net_offer [56,112), both + 2^55, only_bid [112,160) and only_offer [160,208) of orders
        for this one window, tag [208,232).
        book_state: cleared [0,32), open_wh [32,96), closed [96], paused [97].
@dev No sum overflows: energies are below 2^24 Wh, and each field is wide enough for 2^24 participants.
"""
from . import parameters

uses: parameters


event Paused:
    paused: bool


event BookClosed:
    cleared: uint256


M8: constant(uint256) = 2**8 - 1
M32: constant(uint256) = 2**32 - 1
CLOSED: constant(uint256) = 1 << 96
PAUSED: constant(uint256) = 1 << 97
# Both nets at zero.
EMPTY_NETS: constant(uint256) = (1 << 55) | (1 << 111)

book_state: public(uint256)
entries: public(uint256[256][256])
touched: public(uint256[256])


@deploy
def __init__():
    # Everything before the first gate counts as cleared.
    self.book_state = parameters._get_gated()


@internal
@pure
def _get_cleared(state: uint256) -> uint256:
    """
    @notice The newest cleared window; in a closed market every window counts as cleared.
    """
    if state & CLOSED != 0:
        return M32
    return state & M32


@internal
def _get_entry(window: uint256, level: uint256) -> uint256:
    """
    @notice The entry of a window and level, marked as touched; one left by an older window of the ring reads as empty.
    """
    slot: uint256 = window & M8
    touched: uint256 = self.touched[slot]
    bit: uint256 = 1 << level
    if touched & bit == 0:
        self.touched[slot] = touched | bit
    entry: uint256 = self.entries[slot][level]
    tag: uint256 = window >> 8
    if entry >> 208 != tag:
        return (tag << 208) | EMPTY_NETS
    return entry


@internal
def _add_single(window: uint256, level: uint256, side: uint256, energy_wh: uint256):
    """
    @notice An order for this one window: one entry, of which nothing is left afterwards.
    """
    self.entries[window & M8][level] = unsafe_add(
        self._get_entry(window, level), energy_wh << unsafe_add(112, unsafe_mul(48, side))
    )


@internal
def _remove_single(window: uint256, level: uint256, side: uint256, energy_wh: uint256):
    self.entries[window & M8][level] = unsafe_sub(
        self._get_entry(window, level), energy_wh << unsafe_add(112, unsafe_mul(48, side))
    )


@internal
def _move(window_in: uint256, window_out: uint256, level: uint256, side: uint256, energy_wh: uint256):
    """
    @notice Energy that enters the book at one window and leaves it at another.
    """
    net: uint256 = energy_wh << unsafe_mul(56, side)
    self.entries[window_in & M8][level] = unsafe_add(self._get_entry(window_in, level), net)
    self.entries[window_out & M8][level] = unsafe_sub(self._get_entry(window_out, level), net)


@external
def set_paused(paused: bool):
    """
    @notice Stops new orders; never cancel, clear, settle, default, withdraw. By the registry.
    """
    parameters._check_registry()
    self.book_state = (self.book_state & ~PAUSED) | (convert(paused, uint256) << 97)
    log Paused(paused=paused)


@external
def close_book():
    """
    @notice Closes the book for good: windows not cleared fill nothing and release their reserves.
            By the registry, after a week in which nobody cleared and a day's public notice.
    """
    parameters._check_registry()
    self.book_state |= CLOSED
    log BookClosed(cleared=self.book_state & M32)
