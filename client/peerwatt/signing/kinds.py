"""The EIP-712 types that the messages use, as annotations: what they accept, and the word they become."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from ..exceptions import BadMessage
from ..integers import is_int

WORD_BYTES = 32
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
# Up to this width every JSON reader keeps an integer exact; wider ones are written as decimal strings.
EXACT_JSON_BITS = 32


def check_address(value: object, name: str) -> str:
    """An address in checksum form.

    Args:
        value: 0x and 40 hex digits, in one case or with a right checksum.
        name: what it is, for the message.
    Raises:
        BadMessage: no address, wrong checksum, or the zero address, for which nobody can sign.
    """
    if not isinstance(value, str) or not _ADDRESS.fullmatch(value):
        raise BadMessage(f"{name} is {value!r}, not an address; give 0x and 40 hex digits as text")
    digits = value[2:]
    checksummed = _to_checksum(digits.lower())
    if digits not in (digits.lower(), digits.upper()) and value != checksummed:
        raise BadMessage(f"{name} is {value!r}, whose checksum is wrong; copy the address again")
    if int(digits, 16) == 0:
        raise BadMessage(f"{name} is the zero address; name an account or meter that exists")
    return checksummed


# A home signs for the same few addresses over and over.
@lru_cache(maxsize=4096)
def _to_checksum(digits: str) -> str:
    return str(to_checksum_address(f"0x{digits}"))


def check_uint(value: int, bits: int, name: str) -> int:
    """An unsigned integer of so many bits.

    Raises:
        BadMessage: a bool, a float, a text, negative or too large.
    """
    if not is_int(value):
        raise BadMessage(f"{name} is {value!r} ({type(value).__name__}); give an int in whole units")
    if not 0 <= value < 1 << bits:
        raise BadMessage(f"{name} is {value}, outside 0 to 2^{bits} - 1; check the amount and its unit")
    return int(value)


@dataclass(frozen=True)
class Kind:
    """One EIP-712 type.

    Attributes:
        name: as in the type string, such as `uint32`.
        bits: width of an integer, or of an array's items.
    """

    name: str
    bits: int = 0

    def check(self, value: Any, name: str) -> Any:
        """The value in its one form.

        Raises:
            BadMessage: not a value of this type.
        """
        if self.name == "address":
            return check_address(value, name)
        if self.name == "bool":
            if not isinstance(value, bool):
                raise BadMessage(f"{name} is {value!r} ({type(value).__name__}); give True or False")
            return value
        if self.name.endswith("[]"):
            if not isinstance(value, list | tuple):
                raise BadMessage(f"{name} is {value!r}; give a list of ints")
            return tuple(check_uint(item, self.bits, f"{name}[{i}]") for i, item in enumerate(value))
        return check_uint(value, self.bits, name)

    def encode(self, value: Any) -> bytes:
        """The word that `encodeData` of EIP-712 puts in the struct hash, of a checked value."""
        if self.name == "address":
            return bytes.fromhex(value[2:]).rjust(WORD_BYTES, b"\0")
        if self.name.endswith("[]"):
            return bytes(keccak(b"".join(item.to_bytes(WORD_BYTES, "big") for item in value)))
        return int(value).to_bytes(WORD_BYTES, "big")

    def to_json(self, value: Any) -> Any:
        """The value as `eth_signTypedData_v4` takes it."""
        if self.name.endswith("[]"):
            return [str(item) for item in value]
        return str(value) if self.bits > EXACT_JSON_BITS else value

    def from_json(self, value: Any) -> Any:
        """The value of a message in JSON, where wide integers may be decimal strings.

        Raises:
            BadMessage: a string that is no decimal number.
        """
        if self.name.endswith("[]") and isinstance(value, list):
            return tuple(_parse_integer(item) for item in value)
        return _parse_integer(value) if self.bits else value


def _parse_integer(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if not (value.isascii() and value.isdigit()):
        raise BadMessage(f"{value!r} is not a decimal integer; write digits only")
    return int(value)


Address = Annotated[str, Kind("address")]
Bool = Annotated[bool, Kind("bool")]
Uint8 = Annotated[int, Kind("uint8", 8)]
Uint32 = Annotated[int, Kind("uint32", 32)]
Uint64 = Annotated[int, Kind("uint64", 64)]
Uint128 = Annotated[int, Kind("uint128", 128)]
Uint256 = Annotated[int, Kind("uint256", 256)]
Uint64Array = Annotated[tuple[int, ...], Kind("uint64[]", 64)]
