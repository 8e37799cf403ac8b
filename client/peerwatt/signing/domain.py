"""The EIP-712 domain: one market on one chain. The registry's messages are signed in it too."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from eth_utils.crypto import keccak

from .kinds import WORD_BYTES, check_address, check_uint


@dataclass(frozen=True)
class Domain:
    """Where a signature counts.

    Attributes:
        chain_id: of the chain; a fork with another id refuses the signature.
        verifying_contract: address of the market.
    """

    NAME: ClassVar[str] = "peerwatt"
    VERSION: ClassVar[str] = "1"
    TYPE: ClassVar[str] = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"

    chain_id: int
    verifying_contract: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "chain_id", check_uint(self.chain_id, 256, "chain_id"))
        address = check_address(self.verifying_contract, "verifying_contract")
        object.__setattr__(self, "verifying_contract", address)

    @cached_property
    def separator(self) -> bytes:
        """The domain separator, 32 bytes."""
        words = (
            keccak(text=self.TYPE),
            keccak(text=self.NAME),
            keccak(text=self.VERSION),
            self.chain_id.to_bytes(WORD_BYTES, "big"),
            bytes.fromhex(self.verifying_contract[2:]).rjust(WORD_BYTES, b"\0"),
        )
        return bytes(keccak(b"".join(words)))

    def to_json(self) -> dict[str, Any]:
        """The `domain` of `eth_signTypedData_v4`."""
        return {
            "name": self.NAME,
            "version": self.VERSION,
            "chainId": self.chain_id,
            "verifyingContract": self.verifying_contract,
        }

    @classmethod
    def fields(cls) -> list[dict[str, str]]:
        """The fields of `EIP712Domain` for `eth_signTypedData_v4`."""
        pairs = (field.split(" ") for field in cls.TYPE.partition("(")[2].rstrip(")").split(","))
        return [{"name": name, "type": kind} for kind, name in pairs]
