"""What is checked before a deployment sends anything: chain, manifest, token, roles, and the money for the gas."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from web3 import Web3

from peerwatt import artifacts
from peerwatt.market.chains import get_client, is_local
from peerwatt.market.deployment import Deployment, ManifestError, Roles
from peerwatt.market.ledger import format_gas_money
from peerwatt.market.parameters import ROLES, Parameters, TokenParameters
from peerwatt.market.publication import group_by_role, list_acts, predict_gas
from peerwatt.market.senders import Sender
from peerwatt.market.transactions import explain

# Stands for a contract that does not exist yet; no constructor calls it.
SOME_CONTRACT = "0x" + "11" * 20
NOBODY = "0x" + "00" * 20
# Registry, market and lens use more than this anywhere.
LEAST_GAS = 11_700_000

# Finds who can send in the name of an address; None: nobody here can.
FindSender = Callable[[str], Sender | None]


class DeploymentRefused(ValueError):
    """Nothing was sent: the deployment would fail, or would not be what was meant. All problems are named."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = tuple(problems)
        if len(problems) == 1:
            super().__init__(f"nothing was sent: {problems[0]}")
        else:
            super().__init__("\n  ".join([f"nothing was sent, for {len(problems)} reasons:", *problems]))


class WrongChain(ValueError):
    """The parameters are for another chain than the node serves."""


@dataclass(frozen=True)
class Prediction:
    """What a deployment will be.

    Attributes:
        roles: who holds them.
        gas: of all transactions that are sent from here.
        price_wei: of a unit of gas, at most.
    """

    roles: Roles
    gas: int
    price_wei: int

    @property
    def costs(self) -> str:
        """Gas and money in words."""
        return f"about {self.gas:,} gas, at most {format_gas_money(self.gas * self.price_wei)}"


def check_chain(w3: Web3, parameters: Parameters) -> None:
    """Whether the node serves the chain that the parameters are for.

    Raises:
        WrongChain: it does not.
    """
    found = w3.eth.chain_id
    if parameters.chain_id is None:
        if not is_local(w3):
            raise WrongChain(
                f"{parameters.source} names no chain_id, so it is for local chains only; the node serves chain {found} "
                f"({get_client(w3) or 'of unknown software'}), write chain_id = {found} into it if you mean that chain"
            )
    elif parameters.chain_id != found:
        raise WrongChain(
            f"{parameters.source} is for chain {parameters.chain_id}, the node serves chain {found}; "
            "name the right node or the right file"
        )


def check_manifest(w3: Web3, path: Path, *, again: bool) -> None:
    """Whether the manifest may be written.

    Args:
        again: another market's manifest may be replaced.
    Raises:
        DeploymentRefused: there is a manifest, or no place for one.
    """
    if path.exists():
        try:
            existing = Deployment.load(path)
        except ManifestError:
            raise DeploymentRefused([f"{path} exists and is no manifest; name another file with --out"]) from None
        if not again:
            raise DeploymentRefused([_describe_existing(w3, path, existing)])
    folder = path.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        text = f"no file can be written in {folder} ({error.strerror}); name another place with --out"
        raise DeploymentRefused([text]) from None


def _describe_existing(w3: Web3, path: Path, existing: Deployment) -> str:
    try:
        existing.check(w3)
    except ManifestError as error:
        return (
            f"{path} is of a market that is not on this chain ({error}); "
            "name another file with --out, or replace it with --again"
        )
    return (
        f"the market is deployed already, at {existing.market} on chain {existing.chain_id} ({path}); "
        "--publish publishes what it lacks, --again deploys another one and replaces the manifest"
    )


def predict(w3: Web3, sender: Sender, parameters: Parameters, find_sender: FindSender) -> Prediction:
    """Checks token, roles and money, and says what the deployment will be.

    Raises:
        DeploymentRefused: something is wrong; all of it is named.
    """
    problems: list[str] = []
    roles = _find_roles(w3, parameters, problems)
    _check_token(w3, parameters.token, problems)
    if parameters.predecessor is not None and not _has_code(w3, parameters.predecessor):
        problems.append(f"[market] predecessor {parameters.predecessor} has no code here; name the older registry")
    if problems or roles is None:
        raise DeploymentRefused(problems)
    price_wei = get_gas_price(w3)
    # Some nodes estimate nothing for an account that could not pay it.
    _check_money(w3, sender.address, LEAST_GAS, price_wei, problems)
    if problems:
        raise DeploymentRefused(problems)
    gas = {sender.address: sum(_estimate(w3, sender, parameters, roles).values())}
    for role, acts in group_by_role(list_acts(parameters)):
        publisher = find_sender((roles.operator, roles.regulator)[role])
        if publisher is not None:
            gas[publisher.address] = gas.get(publisher.address, 0) + predict_gas(acts)
    for address, amount in gas.items():
        _check_money(w3, address, amount, price_wei, problems)
    if problems:
        raise DeploymentRefused(problems)
    return Prediction(roles, sum(gas.values()), price_wei)


def get_gas_price(w3: Web3) -> int:
    """What a unit of gas costs at most while a few transactions are mined [wei]."""
    base_fee = w3.eth.get_block("latest").get("baseFeePerGas")
    return int(w3.eth.gas_price) if base_fee is None else 2 * int(base_fee) + int(w3.eth.max_priority_fee)


def _find_roles(w3: Web3, parameters: Parameters, problems: list[str]) -> Roles | None:
    missing = [role for role in ROLES if role not in parameters.roles]
    found = dict(parameters.roles)
    if missing and is_local(w3):
        accounts = [str(account) for account in w3.eth.accounts]
        if len(accounts) >= len(ROLES):
            found = {**dict(zip(ROLES, accounts, strict=False)), **found}
            missing = []
    for role in missing:
        problems.append(f"[roles] {role} is missing, and the node has no accounts to take; write its address")
    return None if missing else Roles(**found)


def _check_token(w3: Web3, token: TokenParameters, problems: list[str]) -> None:
    if token.address is None:
        if not is_local(w3):
            problems.append(
                f"[token] address is missing; chain {w3.eth.chain_id} is not local, so the market needs a token that "
                "exists there: write its address"
            )
        return
    if not _has_code(w3, token.address):
        problems.append(f"[token] address {token.address} has no code on chain {w3.eth.chain_id}; correct it")
        return
    contract = w3.eth.contract(Web3.to_checksum_address(token.address), abi=artifacts.load("SettlementToken").abi)
    for name, written in (("symbol", token.symbol), ("decimals", token.decimals)):
        try:
            answer = contract.functions[name]().call()
        except Exception:
            # Whatever a contract that is no token does when asked.
            problems.append(f"[token] the contract at {token.address} has no {name}(); name an ERC-20 token")
            continue
        if answer != written:
            problems.append(f"[token] {name} is {written!r}, the token at {token.address} says {answer!r}; correct one")


def _check_money(w3: Web3, address: str, gas: int, price_wei: int, problems: list[str]) -> None:
    have = int(w3.eth.get_balance(Web3.to_checksum_address(address)))
    if have < gas * price_wei:
        problems.append(
            f"{address} has {format_gas_money(have)}, the {gas:,} gas that it needs cost up to "
            f"{format_gas_money(gas * price_wei)}; send it some, or use another account"
        )


def _has_code(w3: Web3, address: str) -> bool:
    return len(w3.eth.get_code(Web3.to_checksum_address(address))) > 0


def _estimate(w3: Web3, sender: Sender, parameters: Parameters, roles: Roles) -> Mapping[str, int]:
    """Gas of each contract, as the node estimates it."""
    token = parameters.token
    funds = (roles.balancing_account, roles.network_account)
    arguments: dict[str, tuple[object, ...]] = {
        "EnergyRegistry": (
            SOME_CONTRACT,
            roles.operator,
            roles.regulator,
            parameters.meter_classes,
            *funds,
            parameters.predecessor or NOBODY,
        ),
        "EnergyMarket": (SOME_CONTRACT, SOME_CONTRACT, *vars(parameters.numbers).values(), *funds),
        "MarketLens": (SOME_CONTRACT,),
    }
    if token.address is None:
        arguments["SettlementToken"] = (token.name, token.symbol, token.decimals)
    found = {}
    for name, values in arguments.items():
        artifact = artifacts.load(name)
        constructor = w3.eth.contract(abi=artifact.abi, bytecode=artifact.bytecode).constructor(*values)
        try:
            found[name] = constructor.estimate_gas({"from": sender.address})
        except Exception as error:
            # A node may refuse code for its size or its instructions, in words of its own.
            raise DeploymentRefused(
                [f"the chain refuses {name} ({explain(error)}); it needs the rules of Prague or newer"]
            ) from error
    return found
