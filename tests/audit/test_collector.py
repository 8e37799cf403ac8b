"""The collector of cycles is as it was after an audit."""

from __future__ import annotations

import gc

import pytest

from peerwatt.audit.collector import RECORDS, collect_rarely


@pytest.mark.parametrize("first", [0, 700, 10 * RECORDS])
def test_collect_rarely__any_threshold__raised_and_put_back(first: int) -> None:
    before = gc.get_threshold()
    gc.set_threshold(first, 7, 9)
    try:
        with pytest.raises(KeyboardInterrupt), collect_rarely():
            # Zero is off, and stays off.
            assert gc.get_threshold() == (max(first, RECORDS) if first else 0, 7, 9)
            raise KeyboardInterrupt
        assert gc.get_threshold() == (first, 7, 9)
    finally:
        gc.set_threshold(*before)
