"""A token owner's permission to deposit, by signature instead of a transaction (ERC-2612).

Signed in the domain of the token, not of the market: any ERC-20 with permits knows it.
"""

from __future__ import annotations

from dataclasses import dataclass

from eth_utils.crypto import keccak

from .kinds import WORD_BYTES, Address, Uint256, check_address
from .typed import Message


@dataclass(frozen=True)
class Permit(Message):
    """Lets a spender take up to `value` of the owner's tokens.

    Attributes:
        owner: whose tokens.
        spender: who may take them: the market.
        value: base units of the token.
        nonce: the owner's permit nonce at the token.
        deadline: last second at which it counts [Unix time].
    """

    owner: Address
    spender: Address
    value: Uint256
    nonce: Uint256
    deadline: Uint256


@dataclass(frozen=True)
class TokenDomain:
    """The EIP-712 domain of a token.

    Attributes:
        name, version: as the token publishes them.
        chain_id: of its chain.
        verifying_contract: its address.
    """

    name: str
    version: str
    chain_id: int
    verifying_contract: str

    @property
    def separator(self) -> bytes:
        """The domain separator, 32 bytes."""
        address = check_address(self.verifying_contract, "verifying_contract")
        words = (
            keccak(text="EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
            keccak(text=self.name),
            keccak(text=self.version),
            self.chain_id.to_bytes(WORD_BYTES, "big"),
            bytes.fromhex(address[2:]).rjust(WORD_BYTES, b"\0"),
        )
        return bytes(keccak(b"".join(words)))
