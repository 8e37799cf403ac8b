# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Wind-down: the way out of a book that nobody clears
@license Apache-2.0
@notice After a week of silence and a day's public notice in which nobody cleared either, anyone may close the book for good:
        windows not cleared fill nothing and release their reserves. One call of `clear` in that day takes the notice away.
"""
from . import consent

uses: consent


event WindDownAnnounced:
    cleared: uint256


SILENCE: constant(uint256) = 7 * 86400
NOTICE: constant(uint256) = 86400
CLOSED: constant(uint256) = 1 << 96
M32: constant(uint256) = 2**32 - 1
M64: constant(uint256) = 2**64 - 1

notice_time: public(uint256)
notice_cleared: public(uint256)


@external
def announce_wind_down():
    """
    @notice Public notice that the book has not been cleared for a week.
    """
    cleared: uint256 = self._check_silence()
    # A notice stands until somebody clears: renewed every day, it would never grow old.
    assert self.notice_time == 0 or self.notice_cleared != cleared, "auction: already announced"
    self.notice_time = block.timestamp
    self.notice_cleared = cleared
    log WindDownAnnounced(cleared=cleared)


@external
def wind_down():
    """
    @notice Closes the book a day after the notice.
    """
    cleared: uint256 = self._check_silence()
    assert self.notice_time != 0 and self.notice_cleared == cleared, "auction: no notice"
    assert block.timestamp >= self.notice_time + NOTICE, "auction: notice too young"
    extcall consent.MARKET.close_book()


@view
@internal
def _check_silence() -> uint256:
    """
    @return the newest cleared window
    """
    state: uint256 = staticcall consent.MARKET.book_state()
    assert state & CLOSED == 0, "auction: market closed"
    assert (state >> 32) & M64 != 0, "auction: nothing open"
    next_start: uint256 = ((state & M32) + 1) * staticcall consent.MARKET.window_seconds()
    assert block.timestamp >= next_start + SILENCE, "auction: clear first"
    return state & M32
