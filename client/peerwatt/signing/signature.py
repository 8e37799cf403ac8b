"""A signature: its 65 bytes for people's tools, its two words (EIP-2098) for the contracts."""

from __future__ import annotations

from dataclasses import dataclass

from ..exceptions import MalformedSignature
from ..integers import is_int

# Order of secp256k1.
CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
PARITY_BIT = 1 << 255
HIGH_S = "s is above half the order of secp256k1 (high s); sign again with the low s"


@dataclass(frozen=True)
class Signature:
    """An ECDSA signature with the low s, the only form that the market accepts.

    Attributes:
        r: first word.
        vs: second word, EIP-2098: parity of v in the top bit, s below it.
    """

    r: int
    vs: int

    def __post_init__(self) -> None:
        for name, value in (("r", self.r), ("vs", self.vs)):
            if not is_int(value) or not 0 <= value < 1 << 256:
                raise MalformedSignature(f"{name} is {value!r}; give a word of 256 bits as int")
        if not 0 < self.r < CURVE_ORDER or self.s == 0:
            raise MalformedSignature("r or s is outside the order of secp256k1; sign again")
        if self.s > CURVE_ORDER // 2:
            raise MalformedSignature(HIGH_S)

    @property
    def s(self) -> int:
        """Second half of the signature."""
        return self.vs & (PARITY_BIT - 1)

    @property
    def v(self) -> int:
        """27 or 28."""
        return 27 + (self.vs >> 255)

    @classmethod
    def from_vrs(cls, v: int, r: int, s: int) -> Signature:
        """From v (27, 28, or 0, 1), r and s.

        Raises:
            MalformedSignature: another v, high s, or out of the curve's order.
        """
        if not is_int(v) or v not in (0, 1, 27, 28):
            raise MalformedSignature(f"v is {v!r}; give 27 or 28")
        if not is_int(s) or not 0 <= s < PARITY_BIT:
            raise MalformedSignature(HIGH_S)
        return cls(r, s | ((v - 27 if v >= 27 else v) << 255))

    @classmethod
    def from_bytes(cls, data: bytes) -> Signature:
        """From 65 bytes r, s, v, or 64 bytes r, vs.

        Raises:
            MalformedSignature: another length, or no signature that the market accepts.
        """
        if len(data) not in (64, 65):
            raise MalformedSignature(f"this has {len(data)} bytes; give 65 (r, s, v) or 64 (r, vs)")
        r, second = int.from_bytes(data[:32], "big"), int.from_bytes(data[32:64], "big")
        return cls(r, second) if len(data) == 64 else cls.from_vrs(data[64], r, second)

    @classmethod
    def from_hex(cls, text: str) -> Signature:
        """From hex of 65 or 64 bytes, with or without 0x.

        Raises:
            MalformedSignature: no hex, or no signature that the market accepts.
        """
        try:
            data = bytes.fromhex(text.removeprefix("0x"))
        except (ValueError, AttributeError):
            raise MalformedSignature(f"{text!r} is not hex; give 65 bytes r, s, v as hex") from None
        return cls.from_bytes(data)

    def to_bytes(self) -> bytes:
        """65 bytes: r, s, v (27 or 28)."""
        return self.r.to_bytes(32, "big") + self.s.to_bytes(32, "big") + bytes([self.v])

    def to_compact(self) -> bytes:
        """64 bytes: r, vs (EIP-2098)."""
        return self.r.to_bytes(32, "big") + self.vs.to_bytes(32, "big")
