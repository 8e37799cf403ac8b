"""Random lives on a chain with blocks, some of their acts through a contract that forwards calls."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any

from audit.onchain import Chain, ChainTwin, OnChain
from audit.tampering import Liar
from peerwatt.audit.transport import Transport, ask
from stateful.life import SETUPS, Life
from twin import OPERATOR, REGULATOR, STRANGER, Key

# Calls the address in the first 20 bytes of its calldata with the rest, and reverts if that fails.
FORWARDER = bytes.fromhex("6014360380601460003760006000916000600060003560601c5af1602357600060" + "00fd5b00")
INIT = bytes([0x60, len(FORWARDER), 0x60, 12, 0x60, 0, 0x39, 0x60, len(FORWARDER), 0x60, 0, 0xF3])
# Of what it does not matter who calls.
SHARE = 0.3
BY_ANYBODY = ("relay", "clear", "withdraw_signed", "authorise_signed", "rate_signed", "announce_wind_down", "wind_down")


class Forwarded(OnChain):
    """A contract that is called through another one, where it does not matter who calls."""

    def __init__(self, chain: Chain, name: str, address: str, forwarder: str, rng: random.Random) -> None:
        super().__init__(chain, name, address)
        self._forwarder = forwarder
        self._rng = rng

    def _send(self, sender: str, function: str, data: bytes) -> tuple[Key, str, bytes]:
        """See `OnChain`. What the forwarder itself does, anybody can ask it for."""
        itself = sender.lower() == self._forwarder.lower()
        if itself or (function in BY_ANYBODY and self._rng.random() < SHARE):
            return STRANGER, self._forwarder, bytes.fromhex(self.address[2:]) + data
        return super()._send(sender, function, data)


class ChainLife(Life):
    """A life whose twin compares logs only: the audit compares the rest."""

    def check(self, touched: list[str], *, thorough: bool) -> None:
        self.steps += 1


@dataclass(frozen=True)
class Lived:
    """A life's chain.

    Attributes:
        forwarder: through which much of it went; empty for none.
    """

    twin: ChainTwin
    forwarder: str


def live(seed: int, steps: int, *, forwarding: bool = False) -> Lived:
    """A life of so many acts."""
    rng = random.Random(seed)
    twin = ChainTwin(SETUPS[seed % len(SETUPS)])
    forwarder = forward(twin, rng) if forwarding else ""
    life = ChainLife(twin, rng)
    for _ in range(steps):
        life.step()
    return Lived(twin, forwarder)


def forward(twin: ChainTwin, rng: random.Random) -> str:
    """Deploys a forwarder that comes to rule the market, and through which much else goes; returns its address."""
    created = twin.chain.send(STRANGER, "", INIT + FORWARDER, twin.chain.tick())
    address = str(twin.chain.receipt(created)["contractAddress"])
    market, registry = (
        Forwarded(twin.chain, name, twin.manifest.contracts()[name], address, rng)
        for name in ("EnergyMarket", "EnergyRegistry")
    )
    twin.contracts = replace(twin.contracts, market=market, registry=registry)
    ruler = Key(b"", address, address.lower())
    for role, holder in ((0, OPERATOR), (1, REGULATOR)):
        twin.offer_role(role, ruler, holder)
        twin.accept_role(role, ruler)
    return address


def tracing(transport: Transport, forwarder: str) -> Liar:
    """A node that traces the calls of a forwarder, as those do that keep the old states."""

    def trace(method: str, params: list[Any], answer: Any) -> Any:
        if method != "debug_traceTransaction":
            return answer
        sent = ask(transport, "eth_getTransactionByHash", params[0])
        assert sent["to"].lower() == forwarder.lower()
        inner = {"type": "CALL", "from": sent["to"], "to": sent["input"][:42], "input": "0x" + sent["input"][42:]}
        return {"type": "CALL", "from": sent["from"], "to": sent["to"], "input": sent["input"], "calls": [inner]}

    return Liar(transport, trace, "a node that traces")
