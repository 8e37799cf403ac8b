"""Identity: the code on the chain is what these sources compile to, with exactly these parameters and roles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from eth_abi.abi import decode
from eth_utils.crypto import keccak

from peerwatt import artifacts
from peerwatt.audit.checks import Check
from peerwatt.audit.failures import SourceIncomplete
from peerwatt.audit.history import Block
from peerwatt.audit.ranges import Ranges
from peerwatt.audit.transport import Request, RpcError, Transport, ask
from peerwatt.market.deployment import Deployment
from peerwatt.reference import ZERO_ADDRESS
from peerwatt.signing import Domain

ROLE_ACCEPTED = f"0x{keccak(text='RoleAccepted(uint256,address)').hex()}"
SCORE_OF = bytes(keccak(text="score_of(bytes32)")[:4])
REGISTRY_ARGUMENTS = ["address", "address", "address", "uint256", "address", "address", "address"]
WORD = 32
# How many blocks before the market's its registry is looked for.
REACH = 524_288
ROLES = ("operator", "regulator", "balancing account", "network account")


@dataclass(frozen=True)
class Origin:
    """What the registry was deployed with.

    Attributes:
        accepted_meter_classes: bitmap of the constructor; None where the deployment was not found.
        predecessor: address of the older registry, lower case; zero for none.
        holders: first holder of each role, lower case, as its constructor logged them.
    """

    accepted_meter_classes: int | None
    predecessor: str
    holders: tuple[str, ...]


def expected_code(name: str, deployment: Deployment, predecessor: str) -> bytes:
    """The code that a contract must have: the shipped one, followed by its immutables."""
    artifact = artifacts.load(name)
    domain = Domain(deployment.chain_id, deployment.market)
    numbers = asdict(deployment.parameters)
    known = {
        **{f"parameters.{key}": value.to_bytes(WORD, "big") for key, value in numbers.items()},
        "parameters.token": _address(deployment.token),
        "parameters.registry": _address(deployment.registry),
        "signing.VERIFYING_CONTRACT": _address(deployment.market),
        "signing.CHAIN_ID": deployment.chain_id.to_bytes(WORD, "big"),
        "signing.DOMAIN": domain.separator,
        "agreement.MARKET": _address(deployment.market),
        "MARKET": _address(deployment.market),
        "enrolment.predecessor": _address(predecessor),
    }
    data = bytearray(artifact.immutables_size)
    for key, where in artifact.immutables.items():
        data[where.offset : where.offset + where.length] = known[key]
    return artifact.runtime_bytecode + bytes(data)


def find_origin(transport: Transport, deployment: Deployment) -> Origin | None:
    """Finds the registry's deployment by what its constructor logged; None if the node does not give it."""
    logs = _find_first_holders(transport, deployment)
    if not logs:
        return None
    holders = tuple(f"0x{log['topics'][2][-40:]}".lower() for log in logs[: len(ROLES)])
    raw = ask(transport, "eth_getTransactionByHash", logs[0]["transactionHash"])
    return _read_arguments(bytes.fromhex(raw["input"][2:]), holders)


def _find_first_holders(transport: Transport, deployment: Deployment) -> list[dict[str, Any]]:
    """What the registry's constructor logged; from the market's block backwards, as many blocks as the node takes."""
    ranges, last, lowest = Ranges(), deployment.block, max(0, deployment.block - REACH)
    while last >= lowest:
        first = max(lowest, last - ranges.length + 1)
        stretch = {"fromBlock": hex(first), "toBlock": hex(last)}
        query = {"address": deployment.registry, "topics": [ROLE_ACCEPTED], **stretch}
        try:
            logs: list[dict[str, Any]] = ask(transport, "eth_getLogs", query)
        except RpcError:
            if first == last:
                return []
            ranges.refused()
            continue
        # A role may have changed hands before the market was there: then it is one log, not all of them.
        if len(logs) >= len(ROLES):
            return logs
        ranges.took(0)
        last = first - 1
    return []


def find_scores(
    transport: Transport, origin: Origin | None, now: Callable[[], int]
) -> Callable[[bytes], int] | None:
    """The scores that connections bring from an older registry, None if there is none.

    Args:
        now: number of the block that is done again: as it tells them there, they were taken over.
    """
    if origin is None or origin.predecessor == ZERO_ADDRESS:
        return None
    older = origin.predecessor

    def score_of(connection: bytes) -> int:
        block, query = now(), {"to": older, "data": f"0x{SCORE_OF.hex()}{connection.hex()}"}
        try:
            return int(ask(transport, "eth_call", query, hex(block)), 16)
        except RpcError as error:
            text = f"{transport.name} gives no score of registry {older} at block {block}: {error}"
            raise SourceIncomplete(text) from error

    return score_of


def _read_arguments(data: bytes, holders: tuple[str, ...]) -> Origin:
    bytecode = artifacts.load("EnergyRegistry").bytecode
    size = WORD * len(REGISTRY_ARGUMENTS)
    if not data.startswith(bytecode) or len(data) != len(bytecode) + size:
        # Deployed by another contract, or another code: the code itself is checked on its own.
        return Origin(None, ZERO_ADDRESS, holders)
    arguments = decode(REGISTRY_ARGUMENTS, data[-size:])
    return Origin(arguments[3], arguments[6], holders)


def check_identity(
    transport: Transport, deployment: Deployment, origin: Origin | None, block: Block, manifest: bool = True
) -> Iterator[Check]:
    """Compares code, parameters and roles with the sources and the manifest.

    Args:
        manifest: whether the deployment is somebody's manifest; if it was read from the chain there is nothing to
            compare the chain with but the sources.
    """
    predecessor = origin.predecessor if origin else ZERO_ADDRESS
    contracts = {name: address for name, address in deployment.contracts().items() if int(address, 16)}
    requests: list[Request] = [("eth_getCode", [address, hex(block.number)]) for address in contracts.values()]
    answers = dict(zip(contracts, transport.many(requests), strict=True))
    codes = {name: bytes.fromhex(answer[2:]) for name, answer in answers.items() if isinstance(answer, str)}
    refused = [f"{name}: {answer}" for name, answer in answers.items() if name not in codes]
    text = f"the node does not give the code of {'; '.join(refused)}" if refused else None
    shipped = [name for name in codes if name != "SettlementToken"]
    violations = [
        violation for name in shipped for violation in _compare_code(name, codes[name], deployment, predecessor)
    ]
    source = "the manifest's parameters" if manifest else "the parameters that it tells"
    what = f"the code on the chain is the shipped one, with {source} as its immutables"
    yield Check.made("code_is_shipped", None, what, len(shipped), violations, text)
    if manifest:
        stale = [
            f"{name} at {contracts[name]} has code hash {found}, the manifest says {deployment.code_hash.get(name)}"
            for name, code in codes.items()
            if (found := f"0x{keccak(code).hex()}") != deployment.code_hash.get(name)
        ]
        what = "code hashes are those of the manifest"
        yield Check.made("code_is_the_manifests", None, what, len(codes), stale, text)
        yield _check_roles(deployment, origin)


def _compare_code(name: str, code: bytes, deployment: Deployment, predecessor: str) -> list[str]:
    artifact = artifacts.load(name)
    address = deployment.contracts()[name]
    if not artifact.matches(code):
        return [f"{name} at {address} is not the shipped code ({len(code)} bytes, {artifact.deployed_size} expected)"]
    expected = expected_code(name, deployment, predecessor)
    return [
        f"{name} at {address}: {key} is 0x{artifact.get_immutable(code, key).hex()}, "
        f"0x{artifact.get_immutable(expected, key).hex()} expected"
        for key in artifact.immutables
        if artifact.get_immutable(code, key) != artifact.get_immutable(expected, key)
    ]


def _check_roles(deployment: Deployment, origin: Origin | None) -> Check:
    what = "the first holders of the roles are the manifest's"
    if origin is None:
        text = "the registry's deployment was not found in the node's logs"
        return Check.made("roles_are_the_manifests", None, what, 0, (), text)
    named = [holder.lower() for holder in asdict(deployment.roles).values()]
    wrong = [
        f"the {role} was {found}, the manifest says {expected}"
        for role, found, expected in zip(ROLES, origin.holders, named, strict=False)
        if found != expected
    ]
    if len(origin.holders) < len(ROLES):
        wrong.append(f"only {len(origin.holders)} of {len(ROLES)} first holders were logged")
    return Check.made("roles_are_the_manifests", None, what, len(origin.holders), wrong)


def _address(address: str) -> bytes:
    return bytes.fromhex(address[2:]).rjust(WORD, b"\0")
