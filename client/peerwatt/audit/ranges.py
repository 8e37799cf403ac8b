"""How many blocks to ask for at once."""

from __future__ import annotations

# A chunk of this many logs keeps memory flat, and is ample for the cost of a question.
MANY_LOGS = 4_000
START, LARGEST = 64, 1_000_000
# After a refusal the length stays for so many answers.
CAUTION = 16


class Ranges:
    """Halves the range where a node refuses it, and lengthens it where there is little in it.

    Attributes:
        length: blocks in the next range.
    """

    def __init__(self) -> None:
        self.length = START
        self._caution = 0

    def end(self, first: int, last: int) -> int:
        """The last block of the range that begins with `first`."""
        return min(last, first + self.length - 1)

    def refused(self) -> None:
        """The node does not take as many."""
        self.length = max(1, self.length // 2)
        self._caution = CAUTION

    def took(self, logs: int) -> None:
        """The node gave so many logs."""
        if logs > MANY_LOGS:
            self.length = max(1, self.length // 2)
        elif self._caution:
            self._caution -= 1
        elif logs < MANY_LOGS // 2:
            self.length = min(LARGEST, self.length * 2)
