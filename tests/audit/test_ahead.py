"""Reading ahead in a thread."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator

import pytest

from peerwatt.audit.ahead import ReadAhead
from peerwatt.audit.failures import SourceIncomplete


def test_read_ahead__entries_and_error__in_sequence() -> None:
    def entries() -> Iterator[int]:
        yield from range(5)
        raise SourceIncomplete("no more")

    found = []
    with pytest.raises(SourceIncomplete, match="no more"):
        for entry in ReadAhead(entries()):
            found.append(entry)
    assert found == list(range(5))


def test_read_ahead__next_entry__read_before_it_is_wanted() -> None:
    read = [threading.Event() for _ in range(3)]

    def entries() -> Iterator[int]:
        for number, event in enumerate(read):
            event.set()
            yield number

    ahead = iter(ReadAhead(entries()))
    assert next(ahead) == 0
    # Nobody asked for it yet; the thread gets it all the same.
    assert read[1].wait(30)
    assert list(ahead) == [1, 2]


def test_read_ahead__user_goes_away__thread_ends() -> None:
    ahead = iter(ReadAhead(itertools.count(), depth=2))
    assert next(ahead) == 0
    assert any(thread.name == "ahead" for thread in threading.enumerate())
    del ahead
    assert not any(thread.name == "ahead" for thread in threading.enumerate())
