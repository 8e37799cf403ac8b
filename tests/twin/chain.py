"""The contracts of a twin: deployed once a session, and called without a framework between, since speed
decides how much a campaign finds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boa
from eth_abi.abi import decode, encode
from eth_utils.abi import collapse_if_tuple
from eth_utils.crypto import keccak
from vyper.compiler.output import build_abi_output

from peerwatt.reference.parameters import MarketParameters, RegistryParameters
from twin.engines import PY_EVM, Answer, Engine, RawLog
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
    logs: dict[str, list[RawLog]]
    gas: int


@dataclass(frozen=True)
class Interface:
    """What a contract's calls and events are made of."""

    # Selector, types of the arguments, types of what is returned.
    functions: dict[str, tuple[bytes, list[str], list[str]]]
    # By its first topic: name, and names and types of the indexed fields and of the others.
    events: dict[bytes, tuple[str, list[tuple[str, str]], list[tuple[str, str]]]]


@cache
def _interface_of(compiler_data: Any) -> Interface:
    return interface_of(build_abi_output(compiler_data))


def interface_of(abi: Iterable[dict[str, Any]]) -> Interface:
    """Functions and events of an ABI."""
    interface = Interface({}, {})
    for entry in abi:
        types = [collapse_if_tuple(item) for item in entry.get("inputs", ())]
        if entry["type"] == "function":
            selector = keccak(text=f"{entry['name']}({','.join(types)})")[:4]
            outputs = [collapse_if_tuple(item) for item in entry["outputs"]]
            interface.functions[entry["name"]] = (selector, types, outputs)
        elif entry["type"] == "event":
            named = [(item["name"], kind, item["indexed"]) for item, kind in zip(entry["inputs"], types, strict=True)]
            interface.events[keccak(text=f"{entry['name']}({','.join(types)})")] = (
                entry["name"],
                [(name, kind) for name, kind, indexed in named if indexed],
                [(name, kind) for name, kind, indexed in named if not indexed],
            )
    return interface


class Contract:
    """A deployed contract, called by name."""

    def __init__(self, deployed: Any, engine: Engine = PY_EVM) -> None:
        self.deployed = deployed
        self.engine = engine
        self.address = str(deployed.address)
        self.storage_layout = deployed.compiler_data.storage_layout["storage_layout"]
        self._interface = _interface_of(deployed.compiler_data)

    def send(self, sender: str, function: str, *arguments: Any, static: bool = False) -> Outcome:
        """A call as a transaction would make it; its state changes stay unless it reverts."""
        selector, types, outputs = self._interface.functions[function]
        answer = self.engine.call(self.deployed, sender, selector + encode(types, arguments), static=static)
        if answer.error is not None:
            return Outcome(_reason_of(answer), None, {}, answer.gas)
        values = decode(outputs, answer.output) if outputs else ()
        value = values[0] if len(values) == 1 else values or None
        return Outcome(None, value, {} if static else _split(answer.logs), answer.gas)

    def view(self, function: str, *arguments: Any) -> Any:
        """What a view returns; addresses in lower case."""
        outcome = self.send(STRANGER.address, function, *arguments, static=True)
        if outcome.reason is not None:
            raise AssertionError(f"{function}{arguments} reverted: {outcome.reason}")
        return outcome.value

    def decode(self, logs: list[RawLog]) -> list[Log]:
        """This contract's events among raw logs."""
        found = []
        for _, topics, data in logs:
            name, indexed, rest = self._interface.events[topics[0]]
            values: dict[str, Any] = {}
            for (field, kind), topic in zip(indexed, topics[1:], strict=True):
                values[field] = decode([kind], topic)[0]
            for (field, _), value in zip(rest, decode([kind for _, kind in rest], data), strict=True):
                values[field] = value
            found.append(Log(name, values))
        return found


def _reason_of(answer: Answer) -> str:
    if answer.output[:4] == ERROR:
        return str(decode(["string"], answer.output[4:])[0])
    return f"{SILENT}: {answer.error}"


def _split(entries: list[RawLog]) -> dict[str, list[RawLog]]:
    logs: dict[str, list[RawLog]] = {}
    for entry in entries:
        logs.setdefault(entry.address, []).append(entry)
    return logs


@dataclass(frozen=True)
class Deployment:
    """The contracts of one setup, and the parameters the reference is made of."""

    setup: Setup
    engine: Engine
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
    """The contracts on py-evm, at `START`; made once, and again if a test around them has undone them."""
    known = _deployments.get(setup)
    if known is None or not boa.env.get_code(known.market.address):
        with boa.env.evm.patch.anchor():
            known = _deployments[setup] = deploy_on(PY_EVM, setup)
    return known


def deploy_on(engine: Engine, setup: Setup) -> Deployment:
    """The contracts on an engine, whose time becomes `START`."""

    def put(path: Path, *arguments: Any, at: str | None = None) -> Contract:
        return Contract(engine.deploy(compiled(path), arguments, DEPLOYER.address, at), engine)

    engine.now = START
    token = put(setup.token, "Test Naira", "tNGN", 6)
    # Registry first, with the address that the market will get.
    market_address = engine.address_after(1, DEPLOYER.address)
    people = (OPERATOR.address, REGULATOR.address, setup.classes, BALANCING.address, NETWORK.address)
    registry = put(CONTRACTS / "EnergyRegistry.vy", market_address, *people, ZERO)
    given = (token.address, registry.address, *setup.numbers, BALANCING.address, NETWORK.address)
    market = put(CONTRACTS / "EnergyMarket.vy", *given, at=market_address)
    lens = put(CONTRACTS / "MarketLens.vy", market.address)
    return Deployment(
        setup,
        engine,
        token,
        market,
        registry,
        lens,
        MarketParameters(*given),
        RegistryParameters(market.address, *people),
    )
