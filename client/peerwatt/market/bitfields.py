"""Packed words as frozen dataclasses: one annotation for each field, in bits from the lowest.

`score: Annotated[int, Bits(208, 238)]` in a subclass of `PackedWord` is the whole description of a field.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple, Self, get_type_hints

from eth_utils.address import to_checksum_address

from ..exceptions import BadWord
from ..integers import is_int

WORD_BITS = 256
ADDRESS_BITS = 160


@dataclass(frozen=True)
class Bits:
    """Where a field lies.

    Attributes:
        low, high: bits [low, high).
        bias: what is stored on top of the value, so that it may be negative.
    """

    low: int
    high: int
    bias: int = 0


class _Field(NamedTuple):
    name: str
    kind: type
    bits: Bits
    limit: int


@dataclass(frozen=True)
class PackedWord:
    """Base of the packed words. A bool is one bit, a str an address in checksum form, an int the rest.

    Raises:
        BadWord: a value of another type, or outside its bits.
    """

    _fields: ClassVar[tuple[_Field, ...]] = ()
    # Bits of no field.
    _rest: ClassVar[int] = (1 << WORD_BITS) - 1

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls._fields = _read_fields(cls)
        used = sum((field.limit - 1) << field.bits.low for field in cls._fields)
        cls._rest = (1 << WORD_BITS) - 1 - used

    def __post_init__(self) -> None:
        for field in self._fields:
            value = getattr(self, field.name)
            if field.kind is str:
                object.__setattr__(self, field.name, _check_address(field.name, value))
            elif field.kind is bool:
                if not isinstance(value, bool):
                    raise BadWord(f"{field.name} is {value!r} ({type(value).__name__}); give True or False")
            elif not is_int(value):
                raise BadWord(f"{field.name} is {value!r} ({type(value).__name__}); give an int")
            elif not 0 <= value + field.bits.bias < field.limit:
                low, high = -field.bits.bias, field.limit - 1 - field.bits.bias
                raise BadWord(f"{field.name} is {value}, outside {low} to {high}; it does not fit its word")

    @classmethod
    def layout(cls) -> dict[str, Bits]:
        """Where each field lies."""
        return {field.name: field.bits for field in cls._fields}

    @classmethod
    def decode(cls, word: int, *, ignore_rest: bool = False) -> Self:
        """The fields of a word.

        Args:
            word: 256 bits.
            ignore_rest: whether bits that belong to no field may be set.
        Raises:
            BadWord: not a word, or bits outside the fields are set.
        """
        if not is_int(word) or not 0 <= word < 1 << WORD_BITS:
            raise BadWord(f"{word!r} is not a word; give an int of 256 bits")
        values: dict[str, Any] = {}
        for name, kind, bits, limit in cls._fields:
            raw = (word >> bits.low) & (limit - 1)
            if kind is int:
                values[name] = raw - bits.bias
            else:
                values[name] = _to_address(raw) if kind is str else bool(raw)
        if word & cls._rest and not ignore_rest:
            raise BadWord(f"{word:#x} has bits that no field of {cls.__name__} has; check which word it is")
        # What was cut from a word fits it: there is nothing to check.
        decoded = object.__new__(cls)
        decoded.__dict__.update(values)
        return decoded

    def encode(self) -> int:
        """The word of these fields."""
        return self.encode_record(self)

    @classmethod
    def encode_record(cls, record: Any) -> int:
        """The word of anything that has these fields with values that fit, such as a record of the reference."""
        word = 0
        for name, kind, bits, _ in cls._fields:
            value = getattr(record, name)
            word |= (int(value, 16) if kind is str else int(value) + bits.bias) << bits.low
        return word


def _read_fields(cls: type[PackedWord]) -> tuple[_Field, ...]:
    hints = get_type_hints(cls, include_extras=True)
    return tuple(
        _Field(name, hint.__origin__, bits, 1 << (bits.high - bits.low))
        for name, hint in hints.items()
        for bits in getattr(hint, "__metadata__", ())
    )


# The same few accounts and meters come again and again.
@lru_cache(maxsize=1 << 16)
def _to_address(raw: int) -> str:
    return str(to_checksum_address(f"0x{raw:040x}"))


def _check_address(name: str, value: Any) -> str:
    digits = value[2:] if isinstance(value, str) and value.startswith("0x") and len(value) == 42 else ""
    if not digits or not all(digit in "0123456789abcdefABCDEF" for digit in digits):
        raise BadWord(f"{name} is {value!r}, not an address; give 0x and 40 hex digits")
    return _to_address(int(digits, 16))
