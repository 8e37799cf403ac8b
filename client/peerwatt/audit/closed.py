"""Windows that are over: the words that their results must still have at the audited block, and no more of them."""

from __future__ import annotations

from collections.abc import Iterable

from peerwatt.market.records import pack
from peerwatt.reference.forgetting import Over

WINDOW, WORD = 4, 32
RECORD = WINDOW + WORD


class ClosedWindows:
    """Keeps 36 bytes of each window: some 1.3 MB for a year of quarters of an hour, however many homes traded."""

    def __init__(self) -> None:
        self._records = bytearray()

    def keep(self, windows: Iterable[Over]) -> None:
        """Takes windows that the reference has forgotten."""
        for one in windows:
            self._records += one.window.to_bytes(WINDOW, "big") + pack(one.result).to_bytes(WORD, "big")

    def words(self) -> dict[int, int]:
        """The word of each window's result; 0 where nothing was ordered any more."""
        data = bytes(self._records)
        return {
            int.from_bytes(data[at : at + WINDOW], "big"): int.from_bytes(data[at + WINDOW : at + RECORD], "big")
            for at in range(0, len(data), RECORD)
        }
