"""Who acts: private keys with their addresses, and homes, each with an account, a meter and an agent."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from eth_keys.datatypes import PrivateKey
from eth_utils.crypto import keccak

from peerwatt.signing import Domain, Message, Signature, sign

# By address in lower case: whoever acts can also sign a transaction.
KNOWN: dict[str, Key] = {}


@dataclass(frozen=True)
class Key:
    """A private key. `address` is in checksum form, `low` as the reference writes it."""

    secret: bytes
    address: str
    low: str

    @classmethod
    def named(cls, name: str) -> Key:
        """Always the same key for a name."""
        return _make(name)

    def sign(self, message: Message, domain: Domain) -> Signature:
        return sign(message, domain, self.secret)


@cache
def _make(name: str) -> Key:
    secret = bytes(keccak(text=f"peerwatt test key {name}"))
    address = str(PrivateKey(secret).public_key.to_checksum_address())
    key = KNOWN[address.lower()] = Key(secret, address, address.lower())
    return key


@dataclass
class Home:
    """A connection with its account, the meter last bound to it, an agent's key and the next nonce to try."""

    name: str
    account: Key
    meter: Key
    agent: Key
    connection: bytes
    nonce: int = 15
    meters: int = 1

    @classmethod
    def named(cls, name: str) -> Home:
        account, meter, agent = (Key.named(f"{name}'s {what}") for what in ("account", "meter", "agent"))
        return cls(name, account, meter, agent, bytes(keccak(text=f"connection of {name}")))

    @property
    def low(self) -> str:
        return self.account.low

    def next_meter(self) -> Key:
        """A meter never bound."""
        self.meters += 1
        return Key.named(f"{self.name}'s meter {self.meters}")
