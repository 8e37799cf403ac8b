"""A twin on a chain with blocks: what tests do to it is signed, mined, and can be done again to another market.

The script of a twin is kept as raw transactions. Addresses follow from the deployer's nonces alone, so that a market
of other code, deployed in the same way, understands every signature of the script.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from eth.vm.forks.prague.transactions import PragueTransactionBuilder
from eth_abi.abi import decode, encode
from eth_account import Account
from eth_typing import Address
from eth_utils.abi import collapse_if_tuple
from eth_utils.crypto import keccak

from peerwatt import artifacts, signing
from peerwatt.audit.report import Report
from peerwatt.audit.run import audit_market
from peerwatt.audit.transport import InProcess, Transport
from peerwatt.market.deployment import Deployment as Manifest
from peerwatt.market.deployment import MarketNumbers, Roles, predict_address
from peerwatt.node.accounts import CHAIN_ID
from peerwatt.node.chain import LocalChain
from peerwatt.node.methods import Node
from peerwatt.reference.parameters import MarketParameters, RegistryParameters
from peerwatt.signing import sign
from peerwatt.signing.permit import Permit, TokenDomain
from twin import Home, Key, Setup, Twin
from twin.chain import (
    BALANCING,
    DEPLOYER,
    NETWORK,
    OPERATOR,
    REGULATOR,
    START,
    STRANGER,
    ZERO,
    Contract,
    Deployment,
    Outcome,
    interface_of,
)
from twin.engines import RawLog
from twin.keys import KNOWN

WEI = 10**24
GAS, DEPLOYMENT_GAS = 8_000_000, 16_000_000
MAX_FEE_WEI = 10**11
# Nonces of the deployer.
TOKEN, REGISTRY, MARKET, LENS = range(4)


def address_of(what: int) -> str:
    """Where a contract is, by the nonce with which it is deployed."""
    return str(predict_address(DEPLOYER.address, what))


@dataclass(frozen=True)
class Sent:
    """A transaction of a script.

    Attributes:
        label: the act that it is part of.
        time_s: of its block [Unix s].
        raw: as it was signed.
    """

    label: str
    time_s: int
    raw: bytes


@dataclass
class Chain:
    """A chain, a node that tells of it, and what was sent to it.

    Attributes:
        label: of the act that is done now.
        now_s: time of the next block, if it is not over yet [Unix s].
        sent: in its sequence, deployments not included.
    """

    # Its first block has the wall clock's seconds in it; all others have the time that they are given.
    node: Node = field(default_factory=lambda: Node(LocalChain(start_s=START - 60)))
    label: str = ""
    sent: list[Sent] = field(default_factory=list)
    rich: set[str] = field(default_factory=set)
    now_s: int = 0

    @property
    def chain(self) -> LocalChain:
        return self.node.chain

    @property
    def time_s(self) -> int:
        """Of the newest block [Unix s]."""
        return int(self.chain.head.timestamp)

    def tick(self) -> int:
        """Time of the next block [Unix s]."""
        self.now_s = max(self.now_s, self.time_s + 1)
        return self.now_s

    def enrich(self, address: str) -> None:
        """Gas money."""
        if address not in self.rich:
            self.rich.add(address)
            account = Address(bytes.fromhex(address[2:]))
            self.chain.edit(lambda state: state.set_balance(account, WEI))

    def sign(self, key: Key, to: str, data: bytes, gas: int = GAS) -> bytes:
        """A transaction."""
        self.enrich(key.address)
        fields = {
            "chainId": CHAIN_ID,
            "nonce": self.chain.state("latest").get_nonce(Address(bytes.fromhex(key.address[2:]))),
            "gas": gas,
            "value": 0,
            "data": data,
            "to": to,
            "maxPriorityFeePerGas": 0,
            "maxFeePerGas": MAX_FEE_WEI,
        }
        return bytes(Account.sign_transaction(fields, key.secret).raw_transaction)

    def send(self, key: Key, to: str, data: bytes, time_s: int, gas: int = GAS) -> bytes:
        """Signs and mines a transaction; returns its hash."""
        raw = self.sign(key, to, data, gas)
        self.sent.append(Sent(self.label, time_s, raw))
        return self.mine([raw], time_s)[0]

    def mine(self, signed: Sequence[bytes], time_s: int) -> list[bytes]:
        """Mines signed transactions in a block of this time; returns their hashes."""
        transactions = [PragueTransactionBuilder.decode(raw) for raw in signed]
        self.chain.automine = False
        for transaction in transactions:
            self.enrich(f"0x{transaction.sender.hex()}")
            self.chain.submit(transaction)
        self.chain.mine(time_s)
        return [bytes(transaction.hash) for transaction in transactions]

    def play(self, sent: Iterable[Sent]) -> None:
        """Does a script again; what was refused or not on another chain does not matter."""
        for time_s, group in groupby(sent, key=lambda one: one.time_s):
            self.mine([one.raw for one in group], time_s)

    def receipt(self, transaction_hash: bytes) -> dict[str, Any]:
        """A receipt, as the node tells it."""
        found: dict[str, Any] = self.node.answer("eth_getTransactionReceipt", [f"0x{transaction_hash.hex()}"])
        return found

    def transport(self, name: str = "an honest node") -> InProcess:
        """The way of an auditor to the chain."""
        return InProcess(self.node.answer, name)


# Deployment


def deploy(chain: Chain, setup: Setup, codes: dict[str, bytes] | None = None) -> Manifest:
    """Deploys a market and returns its manifest.

    Args:
        codes: what is deployed in the place of the shipped creation code, by contract.
    """
    codes = codes or {}
    market, registry, token = address_of(MARKET), address_of(REGISTRY), address_of(TOKEN)
    funds = (BALANCING.address, NETWORK.address)
    chain.label = "deployment"

    def create(name: str, *arguments: Any) -> str:
        artifact = artifacts.load(name)
        inputs = next(entry for entry in artifact.abi if entry["type"] == "constructor")["inputs"]
        kinds = [collapse_if_tuple(one) for one in inputs]
        data = codes.get(name, artifact.bytecode) + encode(kinds, arguments)
        receipt = chain.receipt(chain.send(DEPLOYER, "", data, max(START, chain.time_s + 1), DEPLOYMENT_GAS))
        assert receipt["status"] == "0x1", f"{name} could not be deployed"
        return str(receipt["contractAddress"])

    create("SettlementToken", "Test Naira", "tNGN", 6)
    people = (OPERATOR.address, REGULATOR.address)
    create("EnergyRegistry", market, *people, setup.classes, *funds, ZERO)
    assert create("EnergyMarket", token, registry, *setup.numbers, *funds).lower() == market.lower()
    number, block_hash = chain.chain.height, bytes(chain.chain.head.hash)
    lens = create("MarketLens", market)
    chain.sent.clear()
    names = ("SettlementToken", "EnergyRegistry", "EnergyMarket", "MarketLens")
    at = dict(zip(names, (token, registry, market, lens), strict=True))
    code = {name: bytes.fromhex(chain.node.answer("eth_getCode", [where, "latest"])[2:]) for name, where in at.items()}
    return Manifest(
        CHAIN_ID,
        predict_address(DEPLOYER.address, MARKET),
        predict_address(DEPLOYER.address, REGISTRY),
        predict_address(DEPLOYER.address, LENS),
        predict_address(DEPLOYER.address, TOKEN),
        number,
        f"0x{block_hash.hex()}",
        MarketNumbers(*setup.numbers),
        Roles(*people, *funds),
        {name: f"0x{keccak(one).hex()}" for name, one in code.items()},
    )


# A twin on it


class _Blocks:
    """What a twin asks of its engine, of a chain with blocks: its words are the auditor's affair, and are not read."""

    def __init__(self) -> None:
        self.now = 0
        self.chain_id = CHAIN_ID

    @staticmethod
    def storage(address: str, slot: int) -> int:
        """Nothing compares words here."""
        raise AssertionError(f"word {slot} of {address} was asked for")


class _Refusal(str):
    """Equal to any reason: a receipt tells none, and other tests compare them."""

    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str)

    def __ne__(self, other: object) -> bool:
        return not self == other


class OnChain(Contract):
    """A contract of a twin, called by transactions."""

    def __init__(self, chain: Chain, name: str, address: str) -> None:
        # Nothing was compiled here: what a contract of a twin is, its ABI tells.
        self.deployed, self.engine, self.address = None, _Blocks(), address  # type: ignore[assignment]
        self.storage_layout = {}
        self._interface = interface_of(artifacts.load(name).abi)
        self._chain = chain
        self.functions = self._interface.functions

    def send(self, sender: str, function: str, *arguments: Any, static: bool = False) -> Outcome:
        """See `Contract.send`. A transaction takes a block, and a block a second."""
        selector, types, outputs = self.functions[function]
        data = selector + encode(types, arguments)
        if static:
            query = {"to": self.address, "data": f"0x{data.hex()}"}
            output = bytes.fromhex(self._chain.node.answer("eth_call", [query, "latest"])[2:])
            values = decode(outputs, output) if outputs else ()
            return Outcome(None, values[0] if len(values) == 1 else values or None, {}, 0)
        time_s = self._chain.tick()
        key, to, data = self._send(sender, function, data)
        receipt = self._chain.receipt(self._chain.send(key, to, data, time_s))
        if receipt["status"] != "0x1":
            return Outcome(_Refusal("refused"), None, {}, 0)
        logs: dict[str, list[Any]] = {}
        for log in receipt["logs"]:
            topics = [bytes.fromhex(topic[2:]) for topic in log["topics"]]
            entry = RawLog(log["address"].lower(), topics, bytes.fromhex(log["data"][2:]))
            logs.setdefault(entry.address, []).append(entry)
        return Outcome(None, None, logs, 0)

    def _send(self, sender: str, function: str, data: bytes) -> tuple[Key, str, bytes]:
        """Who sends a call, where to, and with what."""
        return KNOWN[sender.lower()], self.address, data


class ChainTwin(Twin):
    """A twin whose contracts are on a chain with blocks.

    Attributes:
        chain: it.
        manifest: of the market.
    """

    def __init__(self, setup: Setup | None = None, *, published: bool = True) -> None:
        setup = setup or Setup()
        self.chain = Chain()
        self.manifest = deploy(self.chain, setup)
        funds = (BALANCING.address, NETWORK.address)
        manifest = self.manifest
        numbers = MarketParameters(manifest.token, manifest.registry, *setup.numbers, *funds)
        people = (OPERATOR.address, REGULATOR.address, setup.classes, *funds)
        contracts = Deployment(
            setup,
            _Blocks(),  # type: ignore[arg-type]
            *(
                OnChain(self.chain, name, manifest.contracts()[name])
                for name in ("SettlementToken", "EnergyMarket", "EnergyRegistry", "MarketLens")
            ),
            numbers,
            RegistryParameters(manifest.market, *people),
        )
        super().__init__(contracts, published=False)
        self.domain = signing.Domain(CHAIN_ID, manifest.market)
        self.now = self.chain.now_s = self.chain.time_s
        if published:
            self.chain.label = "first tariff"
            self._publish_defaults()

    def act(self, *arguments: Any, **options: Any) -> Any:
        """See `Twin.act`; a second after the act before, if not later."""
        self.chain.now_s = max(self.now, self.chain.now_s)
        self.now = max(self.now, self.chain.time_s + 1)
        return super().act(*arguments, **options)

    def deposit_permit(self, home: Home | Key, amount: int, **options: Any) -> int | str:
        """By an honest permit; what can go wrong with one is the affair of other tests."""
        key = home.account if isinstance(home, Home) else home
        token, market = self.contracts.token, self.contracts.market
        self.mint(key, max(amount, 1), 0)
        deadline = self.now + 3600
        message = Permit(key.address, market.address, amount, token.view("nonces", key.address), deadline)
        signature = sign(message, TokenDomain("Test Naira", "1", CHAIN_ID, token.address), key.secret)
        words = signature.v, signature.r.to_bytes(32, "big"), signature.s.to_bytes(32, "big")
        return self.act(
            market,
            "deposit_permit",
            (key.address, amount, deadline, *words),
            STRANGER.address,
            lambda: self.market.deposit_permit(self.now, key.address, amount, amount),
        )


def audit(manifest: Manifest, transport: Transport, **options: Any) -> Report:
    """The audit that a user would get, in one process."""
    return audit_market(transport, manifest, workers=1, **options)
