"""The contracts of a twin: deployed once a session, and called without a framework between, since speed
decides how much a campaign finds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boa
from eth_abi.abi import decode, encode
from eth_utils.abi import collapse_if_tuple
from eth_utils.crypto import keccak

from peerwatt.reference.parameters import MarketParameters, RegistryParameters
from twin.keys import Key

CONTRACTS = Path(__file__).resolve().parents[2] / "contracts"
ZERO = "0x" + "00" * 20
START = 1_800_000_000
ERROR = keccak(text="Error(string)")[:4]
# What a revert without a reason string is called: no promise of the contracts ever looks like this.
SILENT = "(reverted without a reason)"

OPERATOR, REGULATOR, BALANCING, NETWORK, STRANGER, DEPLOYER = (
    Key.named(name) for name in ("operator", "regulator", "balancing", "network", "stranger", "deployer")
)


@dataclass(frozen=True)
class Setup:
    """What a market is deployed with, and what is published in it first.

    `classes` is the bitmap of accepted meter classes, `retail` the prices of retail classes 0 and 1.
    """

    window_seconds: int = 900
    lead_seconds: int = 300
    floor_price: int = 61_500
    price_step: int = 500
    report_deadline_seconds: int = 3 * 86_400
    max_reading_age_seconds: int = 2 * 86_400
    min_order_wh: int = 50
    tolerance_bps: int = 200
    inertia_wh: int = 50_000
    classes: int = 0b111
    retail: tuple[int, int] = (199_999, 211_000)
    fee_per_wh: int = 1_777
    token: Path = CONTRACTS / "SettlementToken.vy"

    @property
    def numbers(self) -> tuple[int, ...]:
        return (
            self.window_seconds,
            self.lead_seconds,
            self.floor_price,
            self.price_step,
            self.report_deadline_seconds,
            self.max_reading_age_seconds,
            self.min_order_wh,
            self.tolerance_bps,
            self.inertia_wh,
        )


@dataclass(frozen=True)
class Log:
    """An event as the contract logged it; addresses in lower case."""

    name: str
    values: dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What a call did: the reason of its revert or None, what it returned, what each contract logged."""

    reason: str | None
    value: Any
    logs: dict[str, list[Log]]
    gas: int


class Contract:
    """A deployed contract, called by name."""

    def __init__(self, deployed: Any) -> None:
        self.deployed = deployed
        self.address = str(deployed.address)
        self._functions: dict[str, tuple[bytes, list[str], list[str]]] = {}
        self._events: dict[bytes, tuple[str, list[tuple[str, str]], list[tuple[str, str]]]] = {}
        for entry in deployed.abi:
            types = [collapse_if_tuple(item) for item in entry.get("inputs", ())]
            if entry["type"] == "function":
                selector = keccak(text=f"{entry['name']}({','.join(types)})")[:4]
                outputs = [collapse_if_tuple(item) for item in entry["outputs"]]
                self._functions[entry["name"]] = (selector, types, outputs)
            elif entry["type"] == "event":
                named = [
                    (item["name"], kind, item["indexed"]) for item, kind in zip(entry["inputs"], types, strict=True)
                ]
                self._events[keccak(text=f"{entry['name']}({','.join(types)})")] = (
                    entry["name"],
                    [(name, kind) for name, kind, indexed in named if indexed],
                    [(name, kind) for name, kind, indexed in named if not indexed],
                )

    def send(self, sender: str, function: str, *arguments: Any, static: bool = False) -> Outcome:
        """A call as a transaction would make it; its state changes stay unless it reverts."""
        selector, types, outputs = self._functions[function]
        computation = boa.env.execute_code(
            to_address=self.address,
            sender=sender,
            data=selector + encode(types, arguments),
            is_modifying=not static,
            # Only coverage needs to know which source ran.
            contract=self.deployed if boa.env._coverage_enabled else None,
        )
        gas = computation.get_gas_used()
        if computation.is_error:
            return Outcome(_reason_of(computation), None, {}, gas)
        values = decode(outputs, computation.output) if outputs else ()
        value = values[0] if len(values) == 1 else values or None
        return Outcome(None, value, {} if static else _split(computation.get_log_entries()), gas)

    def view(self, function: str, *arguments: Any) -> Any:
        """What a view returns; addresses in lower case."""
        outcome = self.send(STRANGER.address, function, *arguments, static=True)
        if outcome.reason is not None:
            raise AssertionError(f"{function}{arguments} reverted: {outcome.reason}")
        return outcome.value

    def decode(self, logs: list[Any]) -> list[Log]:
        """This contract's events among raw logs."""
        found = []
        for _, topics, data in logs:
            name, indexed, rest = self._events[topics[0].to_bytes(32, "big")]
            values: dict[str, Any] = {}
            for (field, kind), topic in zip(indexed, topics[1:], strict=True):
                values[field] = decode([kind], topic.to_bytes(32, "big"))[0]
            for (field, _), value in zip(rest, decode([kind for _, kind in rest], data), strict=True):
                values[field] = value
            found.append(Log(name, values))
        return found


def _reason_of(computation: Any) -> str:
    output = bytes(computation.output)
    if output[:4] == ERROR:
        return str(decode(["string"], output[4:])[0])
    return f"{SILENT}: {computation.error!r}"


def _split(entries: Any) -> dict[str, list[Any]]:
    logs: dict[str, list[Any]] = {}
    for entry in entries:
        logs.setdefault("0x" + entry[0].hex(), []).append(entry)
    return logs


@dataclass(frozen=True)
class Deployment:
    """The contracts of one setup, and the parameters the reference is made of."""

    setup: Setup
    token: Contract
    market: Contract
    registry: Contract
    lens: Contract
    market_parameters: MarketParameters
    registry_parameters: RegistryParameters


@cache
def compiled(path: Path) -> Any:
    """A contract's deployer; a compilation takes seconds."""
    boa.interpret.set_search_paths([str(CONTRACTS)])
    return boa.load_partial(str(path))


_deployments: dict[Setup, Deployment] = {}


def deploy(setup: Setup) -> Deployment:
    """The contracts, at `START`; made once, and again if a test around them has undone them."""
    known = _deployments.get(setup)
    if known is None or not boa.env.get_code(known.market.address):
        with boa.env.evm.patch.anchor():
            boa.env.evm.patch.timestamp = START
            known = _deployments[setup] = _deploy(setup)
    return known


def _deploy(setup: Setup) -> Deployment:
    with boa.env.prank(DEPLOYER.address):
        token = compiled(setup.token).deploy("Test Naira", "tNGN", 6)
        # Registry first, with the address that the market will get.
        market_address = boa.env.generate_address()
        registry = compiled(CONTRACTS / "EnergyRegistry.vy").deploy(
            market_address,
            OPERATOR.address,
            REGULATOR.address,
            setup.classes,
            BALANCING.address,
            NETWORK.address,
            ZERO,
        )
        funds = (BALANCING.address, NETWORK.address)
        market = compiled(CONTRACTS / "EnergyMarket.vy").deploy(
            token.address, registry.address, *setup.numbers, *funds, override_address=market_address
        )
        lens = compiled(CONTRACTS / "MarketLens.vy").deploy(market.address)
    numbers = MarketParameters(str(token.address), str(registry.address), *setup.numbers, *funds)
    people = (OPERATOR.address, REGULATOR.address, setup.classes, *funds)
    return Deployment(
        setup,
        Contract(token),
        Contract(market),
        Contract(registry),
        Contract(lens),
        numbers,
        RegistryParameters(str(market.address), *people),
    )
