"""The community on the chain: every home's keys, its enrolment and its first money."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from eth_keys.datatypes import PrivateKey
from eth_utils.crypto import keccak

from peerwatt.study.world.homes import Home


@dataclass
class Participant:
    """A home with its keys and its place in the market.

    Attributes:
        home: who it is in the world.
        account_key, meter_key: what signs orders, and what signs reports.
        imported_wh, exported_wh: cumulative registers of its meter.
        order_count: orders signed so far; nonces and slots follow from it.
    """

    home: Home
    account_key: bytes
    meter_key: bytes
    imported_wh: int
    exported_wh: int
    order_count: int = 0
    registers_wh: list[int] = field(default_factory=list)

    @cached_property
    def account(self) -> str:
        """Address of the account."""
        return str(PrivateKey(self.account_key).public_key.to_checksum_address())

    @cached_property
    def meter(self) -> str:
        """Address of the meter."""
        return str(PrivateKey(self.meter_key).public_key.to_checksum_address())

    @cached_property
    def connection(self) -> bytes:
        """Pseudonym of the connection, as an operator would salt and hash its number."""
        return bytes(keccak(text=f"peerwatt study connection {self.home.id}"))

    def take_nonce(self) -> int:
        """The next order's nonce; slots are used in turn."""
        self.order_count += 1
        return self.order_count


def make_participants(homes: list[Home], seed: int) -> list[Participant]:
    """Keys and opening registers of all homes, the same for the same seed.

    These keys are public by construction: they serve a chain that lives as long as the study.
    """
    participants = []
    for home in homes:
        draw = keccak(text=f"peerwatt study {seed} register {home.id}")
        participants.append(
            Participant(
                home,
                bytes(keccak(text=f"peerwatt study {seed} account {home.id}")),
                bytes(keccak(text=f"peerwatt study {seed} meter {home.id}")),
                imported_wh=int.from_bytes(draw[:3], "big"),
                exported_wh=int.from_bytes(draw[3:6], "big") if home.kind == "prosumer" else 0,
            )
        )
    return participants
