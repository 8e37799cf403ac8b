"""What the agent tells its owner: a line for each change of state. A trouble that lasts is said once."""

from __future__ import annotations

from collections.abc import Callable, Hashable


class Says:
    """Lines for people, none of them twice in a row."""

    def __init__(self, line: Callable[[str], None]) -> None:
        """
        Args:
            line: shows one.
        """
        self._line = line
        self._active: dict[Hashable, str | None] = {}

    def say(self, text: str) -> None:
        """A line in any case."""
        self._line(text)

    def begin(self, key: Hashable, text: str) -> None:
        """A trouble begins; while it lasts, further words about it are not shown."""
        if key in self._active:
            return
        # Several parts meet the same trouble: a bridge that is away is away for all of them.
        shown = text not in self._active.values()
        self._active[key] = text if shown else None
        if shown:
            self._line(text)

    def end(self, key: Hashable, text: str) -> None:
        """A trouble is over; says so if it was shown."""
        if self._active.pop(key, None) is not None:
            self._line(text)

    def lasts(self, key: Hashable) -> bool:
        """Whether a trouble goes on."""
        return key in self._active
