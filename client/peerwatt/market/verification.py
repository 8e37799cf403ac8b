"""Whether a market on a chain is the one that was meant: its code to the last immutable, its roles, its parameters."""

from __future__ import annotations

from collections.abc import Mapping

from eth_abi.abi import encode
from web3 import Web3

from peerwatt import artifacts
from peerwatt.market.deployment import Deployment
from peerwatt.market.gateway import MarketGateway
from peerwatt.signing import Domain

ROLES = ("operator", "regulator", "balancing_account", "network_account")
NOBODY = "0x" + "00" * 20


class VerificationFailed(RuntimeError):
    """What is on the chain is not what was meant. The message names every difference."""


def verify(gateway: MarketGateway, *, meter_classes: int, predecessor: str | None = None) -> None:
    """Compares a market that was just deployed with its manifest, its registry's arguments and the shipped contracts.

    Args:
        gateway: the market.
        meter_classes: bitmap of the accepted meter classes.
        predecessor: registry of an older market.
    Raises:
        VerificationFailed: code, an immutable, a role or a parameter differs.
    """
    # Other code need not even know the views.
    differences = _compare_code(gateway.w3, gateway.deployment, predecessor) or _compare_views(gateway, meter_classes)
    if differences:
        text = "; ".join(differences)
        raise VerificationFailed(f"the chain differs from what was meant: {text}; do not use this market")


def _compare_code(w3: Web3, deployment: Deployment, predecessor: str | None) -> list[str]:
    differences = []
    for name, values in _immutables(deployment, predecessor).items():
        code = bytes(w3.eth.get_code(deployment.contracts()[name]))
        artifact = artifacts.load(name)
        if not artifact.matches(code):
            differences.append(f"the code of {name} is not the shipped one")
            continue
        for immutable, where in artifact.immutables.items():
            value = values[immutable]
            expected = value if isinstance(value, bytes) else encode(["uint256"], [_number(value)])
            if artifact.get_immutable(code, immutable) != expected:
                found = Web3.to_hex(artifact.get_immutable(code, immutable))
                differences.append(f"{immutable} ({where.type}) of {name} is {found}, not {Web3.to_hex(expected)}")
    return differences


def _immutables(deployment: Deployment, predecessor: str | None) -> Mapping[str, Mapping[str, int | str | bytes]]:
    """Contract -> immutable -> value, all that the shipped contracts have. A token may be any contract."""
    domain = Domain(deployment.chain_id, deployment.market)
    signing: dict[str, int | str | bytes] = {
        "signing.VERIFYING_CONTRACT": deployment.market,
        "signing.CHAIN_ID": deployment.chain_id,
        "signing.DOMAIN": domain.separator,
    }
    numbers = {f"parameters.{name}": value for name, value in vars(deployment.parameters).items()}
    addresses = {"parameters.token": str(deployment.token), "parameters.registry": str(deployment.registry)}
    return {
        "EnergyMarket": {**signing, **numbers, **addresses},
        "EnergyRegistry": {
            **signing,
            "agreement.MARKET": deployment.market,
            "enrolment.predecessor": predecessor or NOBODY,
        },
        "MarketLens": {"MARKET": deployment.market},
    }


def _number(value: int | str) -> int:
    return int(value, 16) if isinstance(value, str) else value


def _compare_views(gateway: MarketGateway, meter_classes: int) -> list[str]:
    """What the contracts answer, where they may hold more than their code does."""
    registry, market = gateway.registry.functions, gateway.market.functions
    roles = vars(gateway.deployment.roles)
    facts: list[tuple[str, object, object]] = [
        (role, registry.holders(index).call(), Web3.to_checksum_address(roles[role]))
        for index, role in enumerate(ROLES)
    ]
    lens = gateway.lens.functions.parameters().call()
    facts += [
        ("meter_classes", registry.accepted_classes().call(), meter_classes),
        ("the market's balancing account", market.balancing_account().call(), facts[2][2]),
        ("the market's network account", market.network_account().call(), facts[3][2]),
        ("the lens's token", lens[0], gateway.deployment.token),
    ]
    numbers = vars(gateway.deployment.parameters)
    facts += zip(numbers, lens[4:], numbers.values(), strict=True)
    return [f"{name} is {found}, not {expected}" for name, found, expected in facts if found != expected]
