"""What the tests of registry, lens and token share: deployments, packed words, signatures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import boa
import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount

ROOT = Path(__file__).resolve().parents[2]
CONTRACTS = ROOT / "contracts"
ZERO = "0x" + "00" * 20
SCORE_ONE = 65_536
START_SCORE = 5_000 * SCORE_ONE
WINDOW_SECONDS = 900
FLOOR_PRICE = 1_000
PRICE_STEP = 10
HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
FLAT = [0] * 16

TYPES: dict[str, list[dict[str, str]]] = {
    "Enrolment": [
        {"name": "account", "type": "address"},
        {"name": "meter", "type": "address"},
        {"name": "importedWh", "type": "uint64"},
        {"name": "exportedWh", "type": "uint64"},
        {"name": "deadline", "type": "uint64"},
    ],
    "MeterSwap": [
        {"name": "account", "type": "address"},
        {"name": "oldMeter", "type": "address"},
        {"name": "newMeter", "type": "address"},
        {"name": "importedWh", "type": "uint64"},
        {"name": "exportedWh", "type": "uint64"},
        {"name": "deadline", "type": "uint64"},
    ],
    "Agent": [
        {"name": "account", "type": "address"},
        {"name": "agent", "type": "address"},
        {"name": "expiry", "type": "uint64"},
        {"name": "maxBuyLevel", "type": "uint8"},
        {"name": "minSellLevel", "type": "uint8"},
        {"name": "maxReserve", "type": "uint128"},
        {"name": "nonce", "type": "uint256"},
    ],
    "Rating": [
        {"name": "account", "type": "address"},
        {"name": "rated", "type": "bool"},
        {"name": "nonce", "type": "uint256"},
        {"name": "deadline", "type": "uint64"},
    ],
    "Permit": [
        {"name": "owner", "type": "address"},
        {"name": "spender", "type": "address"},
        {"name": "value", "type": "uint256"},
        {"name": "nonce", "type": "uint256"},
        {"name": "deadline", "type": "uint256"},
    ],
}
DOMAIN = [
    {"name": "name", "type": "string"},
    {"name": "version", "type": "string"},
    {"name": "chainId", "type": "uint256"},
    {"name": "verifyingContract", "type": "address"},
]


class Signature(NamedTuple):
    """EIP-2098 words."""

    r: int
    vs: int


class Terms(NamedTuple):
    """The operator's terms, in the order of the contract's struct."""

    import_limit_wh: int = 3_000
    export_limit_wh: int = 2_000
    feeder: int = 7
    status: int = 2
    meter_class: int = 1
    retail_class: int = 3


@cache
def compiled(path: Path) -> Any:
    """A contract's deployer; the mocks import the interfaces from contracts/."""
    boa.interpret.set_search_paths([str(CONTRACTS)])
    return boa.load_partial(str(path))


def load(path: Path, *arguments: Any) -> Any:
    return compiled(path).deploy(*arguments)


def deploy_token(decimals: int = 6) -> Any:
    return load(CONTRACTS / "SettlementToken.vy", "Test Naira", "tNGN", decimals)


def deploy_market(registry: str, balancing: str = ZERO, network: str = ZERO) -> Any:
    numbers = (WINDOW_SECONDS, 300, FLOOR_PRICE, PRICE_STEP, 259_200, 86_400, 50, 500, 20_000)
    mock = ROOT / "tests" / "contracts" / "mocks" / "MockMarket.vy"
    return load(mock, address(1), registry, *numbers, balancing, network)


class Registry:
    """A registry, its mock market and the people around them."""

    def __init__(self, predecessor: str = ZERO) -> None:
        self.operator, self.regulator = address(0x0A), address(0x0B)
        self.balancing, self.network = address(0x0C), address(0x0D)
        # The registry is deployed first; the market's address is known, its code comes later.
        self.market = deploy_market(ZERO, self.balancing, self.network)
        self.contract = load(
            CONTRACTS / "EnergyRegistry.vy",
            self.market.address,
            self.operator,
            self.regulator,
            0b1110,
            self.balancing,
            self.network,
            predecessor,
        )
        self.market.poke_registry(self.contract.address)

    def publish(
        self,
        steps: int = 400,
        surcharges: list[int] = FLAT,
        haircuts: list[int] = FLAT,
        rebates: list[int] = FLAT,
    ) -> None:
        tables = (bands(surcharges), bands(haircuts), bands(rebates))
        self.contract.publish_tariff(steps, *tables, sender=self.regulator)

    def open_classes(self) -> None:
        """First tariff and the retail class that `Terms` names."""
        self.publish()
        self.contract.set_retail(3, FLOOR_PRICE, sender=self.regulator)

    def sign(self, signer: LocalAccount, kind: str, *values: Any, **changed: Any) -> Signature:
        fields = {"name": "peerwatt", "version": "1", "chainId": chain_id()}
        domain = fields | {"verifyingContract": self.market.address} | changed
        return Signature(*compact(sign(signer, domain, kind, *values)))

    def enrol(
        self,
        account: LocalAccount,
        meter: LocalAccount,
        connection: bytes = b"\x01" * 32,
        terms: Terms | None = None,
        imported: int = 100,
        exported: int = 200,
        deadline: int | None = None,
        by: str | None = None,
    ) -> None:
        """Enrol with the signatures of both sides."""
        until = now() + 60 if deadline is None else deadline
        message = (account.address, meter.address, imported, exported, until)
        self.contract.enrol(
            connection,
            Terms() if terms is None else terms,
            message,
            *self.sign(account, "Enrolment", *message),
            *self.sign(meter, "Enrolment", *message),
            sender=self.operator if by is None else by,
        )

    def swap(
        self,
        account: LocalAccount,
        old: LocalAccount,
        new: LocalAccount,
        meter_class: int = 2,
        imported: int = 5,
        exported: int = 6,
        deadline: int | None = None,
        by: str | None = None,
    ) -> None:
        """Swap the meter with the signatures of both sides."""
        until = now() + 60 if deadline is None else deadline
        message = (account.address, old.address, new.address, imported, exported, until)
        self.contract.swap_meter(
            message,
            meter_class,
            *self.sign(account, "MeterSwap", *message),
            *self.sign(new, "MeterSwap", *message),
            sender=self.operator if by is None else by,
        )


def address(number: int) -> str:
    """An address without a key."""
    return boa.util.abi.Address("0x" + f"{0xA11CE << 96 | number:040x}")


def key(number: int) -> LocalAccount:
    """An account with a key."""
    account: LocalAccount = Account.from_key((number + 1).to_bytes(32, "big"))
    return account


def now() -> int:
    return int(boa.env.evm.patch.timestamp)


def now_window() -> int:
    return now() // WINDOW_SECONDS


def chain_id() -> int:
    return int(boa.env.evm.patch.chain_id)


def travel_to_window(window: int) -> None:
    boa.env.evm.patch.timestamp = window * WINDOW_SECONDS


@contextmanager
def refused(reason: str) -> Iterator[None]:
    """The call reverts with exactly this reason string, its own or that of a contract it called."""
    with pytest.raises(boa.BoaError) as caught:
        yield
    assert caught.value.stack_trace.last_frame.pretty_vm_reason == reason


def bands(values: list[int]) -> int:
    """Sixteen bands in one word, band 0 lowest."""
    return sum(value << (16 * band) for band, value in enumerate(values))


def pack(*fields: tuple[int, int]) -> int:
    """A word from pairs (lowest bit, value)."""
    return sum(value << low for low, value in fields)


def sign(signer: LocalAccount, domain: Mapping[str, Any], kind: str, *values: Any) -> Any:
    names = [field["name"] for field in TYPES[kind]]
    message = {
        "types": {"EIP712Domain": DOMAIN, kind: TYPES[kind]},
        "primaryType": kind,
        "domain": dict(domain),
        "message": dict(zip(names, values, strict=True)),
    }
    return signer.sign_message(encode_typed_data(full_message=message))


def digest(domain: Mapping[str, Any], kind: str, *values: Any) -> bytes:
    """What the signature is over: an outside opinion on the contract's digest."""
    return bytes(sign(key(0), domain, kind, *values).message_hash)


def compact(signed: Any) -> tuple[int, int]:
    """A signature in two words (EIP-2098)."""
    return signed.r, (signed.v - 27) << 255 | signed.s


def event(contract: Any, name: str, position: int = -1) -> dict[str, Any]:
    """The fields of the last call's event of that name."""
    found = [log for log in contract.get_logs() if type(log).__name__ == name]
    assert found, f"no {name} logged"
    fields: dict[str, Any] = found[position]._asdict()
    return {field: value for field, value in fields.items() if field not in ("address", "topics")}
