"""Python's search for cycles, made rarer: a replay makes millions of records, keeps most, and makes no cycles."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

# New records before a search; 700 by default, and then a twelfth of an audit's time goes there.
RECORDS = 50_000


@contextmanager
def collect_rarely() -> Iterator[None]:
    """Raises the collector's first threshold for a while."""
    before = gc.get_threshold()
    gc.set_threshold(max(RECORDS, before[0]) if before[0] else 0, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
