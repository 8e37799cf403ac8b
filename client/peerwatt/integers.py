"""What counts as an integer: money and energy are never a bool, a float or a text."""

from __future__ import annotations


def is_int(value: object) -> bool:
    """Whether a value is an int, which a bool is not here."""
    return isinstance(value, int) and not isinstance(value, bool)
