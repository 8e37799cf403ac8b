"""A deployed market: how it gets on a chain, and the manifest by which wallet, bridge and auditor find it."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import rlp
from eth_typing import ChecksumAddress
from eth_utils.crypto import keccak
from hexbytes import HexBytes
from web3 import Web3
from web3.types import TxReceipt

from peerwatt import artifacts
from peerwatt.market.senders import Sender
from peerwatt.market.transactions import send_and_wait

# Ample for the largest contract, and below a transaction's limit of 2^24 gas (EIP-7825).
DEPLOYMENT_GAS = 12_000_000


class ManifestError(ValueError):
    """The file is not a deployment manifest, or belongs to another chain or other contracts."""


@dataclass(frozen=True)
class MarketNumbers:
    """The immutable numbers of a market, named as in docs/contract.md. Prices in base units per Wh."""

    window_seconds: int
    lead_seconds: int
    floor_price: int
    price_step: int
    report_deadline_seconds: int
    max_reading_age_seconds: int
    min_order_wh: int
    tolerance_bps: int
    inertia_wh: int


@dataclass(frozen=True)
class Roles:
    """Who holds which role when the market starts."""

    operator: str
    regulator: str
    balancing_account: str
    network_account: str


@dataclass(frozen=True)
class Deployment:
    """The manifest of a market: everything a program needs to find it and to recognise it.

    Attributes:
        chain_id: EIP-155 id.
        market, registry, lens, token: addresses.
        block: number of the market's block; logs before it are not the market's.
        block_hash: its hash.
        parameters: the immutable parameters.
        roles: holders at deployment.
        code_hash: contract name -> keccak-256 of the code on the chain, immutables included.
    """

    chain_id: int
    market: ChecksumAddress
    registry: ChecksumAddress
    lens: ChecksumAddress
    token: ChecksumAddress
    block: int
    block_hash: str
    parameters: MarketNumbers
    roles: Roles
    code_hash: dict[str, str]

    def to_json(self) -> str:
        """The manifest as text."""
        return json.dumps(asdict(self), indent=2, sort_keys=True) + "\n"

    def save(self, path: Path) -> None:
        """Writes the manifest as JSON: the whole of it or, when that fails, nothing.

        Raises:
            OSError: the file can't be written.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(self.to_json())
            # A manifest holds no secret: readable like any file of this folder, where mkstemp's are private.
            os.chmod(name, 0o644)
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise

    @classmethod
    def load(cls, path: Path) -> Deployment:
        """Reads a manifest.

        Raises:
            ManifestError: the file is missing, not JSON, or lacks a field.
        """
        try:
            fields = json.loads(path.read_text())
            return cls(
                **{
                    **fields,
                    "parameters": MarketNumbers(**fields["parameters"]),
                    "roles": Roles(**fields["roles"]),
                }
            )
        except (OSError, ValueError, TypeError, KeyError) as error:
            text = f"{path} is no deployment manifest ({error}); deploy a market or name another file"
            raise ManifestError(text) from error

    def check(self, w3: Web3) -> None:
        """Compares the manifest with the chain behind `w3`.

        Raises:
            ManifestError: another chain, or other code at one of the addresses.
        """
        if w3.eth.chain_id != self.chain_id:
            raise ManifestError(
                f"the manifest is for chain {self.chain_id}, the node serves {w3.eth.chain_id}; name the right node"
            )
        for name, address in self.contracts().items():
            found = Web3.to_hex(keccak(bytes(w3.eth.get_code(address))))
            if found != self.code_hash[name]:
                raise ManifestError(
                    f"{name} at {address} has code hash {found}, the manifest says {self.code_hash[name]}; "
                    "the chain was reset or the manifest is not of this market"
                )

    def contracts(self) -> dict[str, ChecksumAddress]:
        """Contract name -> address."""
        return {
            "EnergyMarket": self.market,
            "EnergyRegistry": self.registry,
            "MarketLens": self.lens,
            "SettlementToken": self.token,
        }


def predict_address(deployer: str, nonce: int) -> ChecksumAddress:
    """The address that a contract created by `deployer` with this nonce gets."""
    return Web3.to_checksum_address(keccak(rlp.encode([HexBytes(deployer), nonce]))[12:])


OnDeployed = Callable[[str, TxReceipt], None]


def deploy_contract(
    w3: Web3, sender: Sender, name: str, *args: Any, on_deployed: OnDeployed | None = None
) -> ChecksumAddress:
    """Deploys one shipped contract and returns its address.

    Args:
        on_deployed: gets the contract's name and the receipt.
    Raises:
        MarketError: the constructor refused its arguments.
    """
    artifact = artifacts.load(name)
    constructor = w3.eth.contract(abi=artifact.abi, bytecode=artifact.bytecode).constructor(*args)
    data = constructor.data_in_transaction
    receipt = send_and_wait(w3, sender, {"data": data, "value": Web3.to_wei(0, "wei"), "gas": DEPLOYMENT_GAS})
    if on_deployed is not None:
        on_deployed(name, receipt)
    address = receipt["contractAddress"]
    assert address is not None
    return Web3.to_checksum_address(address)


def deploy_market(
    w3: Web3,
    sender: Sender,
    parameters: MarketNumbers,
    roles: Roles,
    *,
    token: str | None = None,
    currency: str = "NGN",
    decimals: int = 6,
    token_name: str | None = None,
    meter_classes: int = 0b11,
    predecessor: str | None = None,
    on_deployed: OnDeployed | None = None,
) -> Deployment:
    """Deploys registry, market and lens, and on a chain without a token a local one; checks what it deployed.

    Args:
        sender: pays the gas; with a local token it is also the token's minter.
        token: an ERC-20 on the chain; None deploys `SettlementToken` (local chains only).
        currency, decimals, token_name: of a local token; its name follows from the currency if None.
        meter_classes: bitmap of the meter classes accepted (bit 0 hardware-signed, bit 1 edge-signed).
        predecessor: registry of an older market whose scores connections keep.
        on_deployed: gets the name and the receipt of each contract as soon as it is deployed.
    Raises:
        MarketError: senseless parameters.
        RuntimeError: the chain did not do what was asked (another transaction of the sender came between).
    """
    if token is None:
        name = token_name or f"peerwatt {currency}"
        token = deploy_contract(w3, sender, "SettlementToken", name, currency, decimals, on_deployed=on_deployed)
    token_address = Web3.to_checksum_address(token)
    nonce = w3.eth.get_transaction_count(sender.address, "pending")
    market = predict_address(sender.address, nonce + 1)
    receipts: dict[str, TxReceipt] = {}

    def keep(name: str, receipt: TxReceipt) -> None:
        receipts[name] = receipt
        if on_deployed is not None:
            on_deployed(name, receipt)

    registry = deploy_contract(
        w3,
        sender,
        "EnergyRegistry",
        market,
        roles.operator,
        roles.regulator,
        meter_classes,
        roles.balancing_account,
        roles.network_account,
        predecessor or "0x" + "00" * 20,
        on_deployed=keep,
    )
    deployed = deploy_contract(
        w3,
        sender,
        "EnergyMarket",
        token_address,
        registry,
        *asdict(parameters).values(),
        roles.balancing_account,
        roles.network_account,
        on_deployed=keep,
    )
    if deployed != market:
        raise RuntimeError(
            f"the market is at {deployed}, its registry expects {market}; retry with a sender that does nothing else"
        )
    lens = deploy_contract(w3, sender, "MarketLens", market, on_deployed=keep)
    addresses = {
        "EnergyMarket": market,
        "EnergyRegistry": registry,
        "MarketLens": lens,
        "SettlementToken": token_address,
    }
    deployment = Deployment(
        chain_id=w3.eth.chain_id,
        market=market,
        registry=registry,
        lens=lens,
        token=token_address,
        block=int(receipts["EnergyMarket"]["blockNumber"]),
        block_hash=Web3.to_hex(receipts["EnergyMarket"]["blockHash"]),
        parameters=parameters,
        roles=roles,
        code_hash={name: Web3.to_hex(keccak(bytes(w3.eth.get_code(at)))) for name, at in addresses.items()},
    )
    for name, address in addresses.items():
        if name == "SettlementToken":
            continue
        if not artifacts.load(name).matches(bytes(w3.eth.get_code(address))):
            raise RuntimeError(f"the code of {name} at {address} is not the shipped one; nothing was sent to it")
    return deployment
