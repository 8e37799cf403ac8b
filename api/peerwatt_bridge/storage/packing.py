"""Readings in few bytes. Registers: the opening and each growth as a varint of 7 bits a byte, least first."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

from peerwatt_bridge.storage.tables import Status

# Why most readings are held: nothing was sold in their windows.
NO_OFFER = "no-offer"


def pack_registers(registers: Sequence[int]) -> bytes:
    """Bytes of registers that never fall [Wh]."""
    numbers = [registers[0], *(after - before for before, after in pairwise(registers))]
    return b"".join(_pack(number) for number in numbers)


def unpack_registers(data: bytes) -> tuple[int, ...]:
    """The registers [Wh] of `pack_registers`.

    Raises:
        ValueError: bytes that `pack_registers` never makes.
    """
    numbers, number, shift = [], 0, 0
    for byte in data:
        number |= (byte & 0x7F) << shift
        if byte & 0x80:
            shift += 7
            continue
        if byte == 0 and shift:
            raise ValueError("a number has more bytes than it needs")
        numbers.append(number)
        number, shift = 0, 0
    if shift or not numbers:
        raise ValueError("the last number is cut short")
    return tuple(accumulate(numbers))


def pack_reason(status: Status, reason: str | None) -> str | None:
    """What is kept of a reading's reason: nothing of the usual one."""
    return None if (status, reason) == (Status.HELD, NO_OFFER) else reason


def unpack_reason(status: Status, kept: str | None) -> str | None:
    """The reason of `pack_reason`."""
    return NO_OFFER if kept is None and status == Status.HELD else kept


def _pack(number: int) -> bytes:
    packed = bytearray()
    while number > 0x7F:
        packed.append(number & 0x7F | 0x80)
        number >>= 7
    packed.append(number)
    return bytes(packed)
