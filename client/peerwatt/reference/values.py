"""What every value must be before the model computes with it: addresses and unsigned integers."""

from __future__ import annotations

import re

BUY = 0
SELL = 1

ZERO_ADDRESS = "0x" + "00" * 20

_ADDRESS = re.compile(r"0x[0-9a-f]{40}")


def address(text: str) -> str:
    """The address in lower case, the only form in which the model keeps one.

    Raises:
        TypeError: not a string.
        ValueError: not 0x and 40 hexadecimal digits.
    """
    if not isinstance(text, str):
        raise TypeError(f"an address is a string, not {type(text).__name__}")
    lower = text.lower()
    if not _ADDRESS.fullmatch(lower):
        raise ValueError(f"{text!r} is no address: write 0x and 40 hexadecimal digits")
    return lower


def uint(value: int, bits: int, name: str) -> int:
    """The value, if it is an integer in 0 .. 2^bits - 1.

    A bool, a float or a numeric string would be signed as something else than was meant: all are refused.

    Raises:
        TypeError: not an int.
        ValueError: outside the type's range; the contract's decoder refuses it too.
    """
    if type(value) is not int:
        raise TypeError(f"{name} is an int, not {type(value).__name__}")
    if not 0 <= value < 1 << bits:
        raise ValueError(f"{name} is {value}, not a uint{bits}")
    return value


def flag(value: bool, name: str) -> bool:
    """The value, if it is a bool."""
    if type(value) is not bool:
        raise TypeError(f"{name} is a bool, not {type(value).__name__}")
    return value


def ceil_div(numerator: int, denominator: int) -> int:
    """The quotient rounded up; numerator >= 0, denominator > 0."""
    return (numerator + denominator - 1) // denominator
