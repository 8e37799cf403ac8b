"""What an audit keeps of windows that are over."""

from __future__ import annotations

import pickle

from peerwatt.audit.closed import RECORD, ClosedWindows
from peerwatt.market.records import pack
from peerwatt.reference.auction import BIDS_RATIONED, Result
from peerwatt.reference.forgetting import Over

RESULT = Result(level=100, kind=BIDS_RATIONED, num=1_000, den=1_778, delay_seconds=7, net_wh=1)


def test_words__in_any_sequence__by_window() -> None:
    closed = ClosedWindows()
    closed.keep([Over(2_222_225, RESULT, 1), Over(2**32 - 1, None, None)])
    closed.keep([Over(2_222_224, None, None)])
    assert closed.words() == {2_222_225: pack(RESULT), 2**32 - 1: 0, 2_222_224: 0}
    assert ClosedWindows().words() == {}


def test_keep__a_year__a_few_bytes_a_window() -> None:
    closed = ClosedWindows()
    closed.keep(Over(window, RESULT, 1) for window in range(2_000_000, 2_035_040))
    assert len(pickle.dumps(closed)) < 35_040 * RECORD + 1_000 < 1_300_000
