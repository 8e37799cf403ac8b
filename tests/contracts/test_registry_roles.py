"""EnergyRegistry: roles in two steps, pause, what its constructor refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boa
import pytest

from contracts.helpers import CONTRACTS, ZERO, Registry, address, event, load, refused

OPERATOR, REGULATOR, BALANCING, NETWORK = range(4)
HEIR, STRANGER = address(31), address(32)


@pytest.fixture(scope="module")
def deployed() -> Iterator[Registry]:
    with boa.env.anchor():
        yield Registry()


@pytest.fixture
def registry(deployed: Registry) -> Iterator[Registry]:
    with boa.env.anchor():
        yield deployed


def holder(registry: Registry, role: int) -> str:
    return [registry.operator, registry.regulator, registry.balancing, registry.network][role]


def hand_over(registry: Registry, role: int, to: str = HEIR) -> None:
    registry.contract.offer_role(role, to, sender=holder(registry, role))
    registry.contract.accept_role(role, sender=to)


def test_deploy__holders_market_and_classes(registry: Registry) -> None:
    assert [registry.contract.holders(role) for role in range(4)] == [holder(registry, r) for r in range(4)]
    assert registry.contract.market() == registry.market.address
    assert registry.contract.accepted_classes() == 0b1110
    assert registry.contract.predecessor() == ZERO


@pytest.mark.parametrize("position", [0, 1, 2, 4, 5])
def test_deploy__zero_address__reverts(position: int) -> None:
    arguments: list[Any] = [*(address(40 + i) for i in range(3)), 1, address(43), address(44), ZERO]
    arguments[position] = ZERO
    with refused("registry: senseless parameter"):
        load(CONTRACTS / "EnergyRegistry.vy", *arguments)


def test_deploy__predecessor_without_code__reverts() -> None:
    arguments = [address(40), address(41), address(42), 1, address(43), address(44), STRANGER]
    with refused("registry: senseless parameter"):
        load(CONTRACTS / "EnergyRegistry.vy", *arguments)


def test_deploy__class_past_the_bitmap__reverts() -> None:
    arguments = [address(40), address(41), address(42), 2**64, address(43), address(44), ZERO]
    with refused("enrolment: class out of bounds"):
        load(CONTRACTS / "EnergyRegistry.vy", *arguments)


@pytest.mark.parametrize("role", range(4))
def test_offer_role__holder__changes_nothing_yet(registry: Registry, role: int) -> None:
    registry.contract.offer_role(role, HEIR, sender=holder(registry, role))
    logged = {"role": role, "holder": holder(registry, role), "to": HEIR}
    assert event(registry.contract, "RoleOffered") == logged
    assert registry.contract.holders(role) == holder(registry, role)
    assert registry.contract.offered(role) == HEIR


@pytest.mark.parametrize("role", range(4))
def test_accept_role__offered__moves_the_role(registry: Registry, role: int) -> None:
    hand_over(registry, role)
    assert event(registry.contract, "RoleAccepted") == {"role": role, "holder": HEIR}
    assert registry.contract.holders(role) == HEIR and registry.contract.offered(role) == ZERO
    with refused("roles: not the holder"):
        registry.contract.offer_role(role, STRANGER, sender=holder(registry, role))


def test_accept_role__fund_accounts__reach_the_market(registry: Registry) -> None:
    hand_over(registry, BALANCING)
    assert registry.market.balancing_account() == HEIR
    assert registry.market.network_account() == registry.network
    hand_over(registry, NETWORK, STRANGER)
    assert (registry.market.balancing_account(), registry.market.network_account()) == (HEIR, STRANGER)


@pytest.mark.parametrize("role", [OPERATOR, REGULATOR])
def test_accept_role__other_roles__leave_the_fund_accounts(registry: Registry, role: int) -> None:
    hand_over(registry, role)
    funds = (registry.market.balancing_account(), registry.market.network_account())
    assert funds == (registry.balancing, registry.network)


def test_accept_role__operator_moved__old_one_is_out(registry: Registry) -> None:
    hand_over(registry, OPERATOR)
    with refused("roles: not the operator"):
        registry.contract.set_feeder_scale(1, 2, 3, sender=registry.operator)
    registry.contract.set_feeder_scale(1, 2, 3, sender=HEIR)


def test_offer_role__stranger__reverts(registry: Registry) -> None:
    with refused("roles: not the holder"):
        registry.contract.offer_role(OPERATOR, STRANGER, sender=STRANGER)


def test_offer_role__holder_of_another_role__reverts(registry: Registry) -> None:
    with refused("roles: not the holder"):
        registry.contract.offer_role(OPERATOR, HEIR, sender=registry.regulator)


def test_accept_role__not_offered__reverts(registry: Registry) -> None:
    registry.contract.offer_role(OPERATOR, HEIR, sender=registry.operator)
    for role, caller in ((OPERATOR, STRANGER), (REGULATOR, HEIR)):
        with refused("roles: not offered"):
            registry.contract.accept_role(role, sender=caller)


def test_accept_role__twice__reverts(registry: Registry) -> None:
    hand_over(registry, OPERATOR)
    with refused("roles: not offered"):
        registry.contract.accept_role(OPERATOR, sender=HEIR)


def test_accept_role__offer_withdrawn__reverts(registry: Registry) -> None:
    registry.contract.offer_role(OPERATOR, HEIR, sender=registry.operator)
    registry.contract.offer_role(OPERATOR, ZERO, sender=registry.operator)
    with refused("roles: not offered"):
        registry.contract.accept_role(OPERATOR, sender=HEIR)


def test_accept_role__zero_address_never_holds(registry: Registry) -> None:
    with refused("roles: not offered"):
        registry.contract.accept_role(OPERATOR, sender=STRANGER)


def test_roles__unknown_role__reverts(registry: Registry) -> None:
    with refused("roles: bad role"):
        registry.contract.offer_role(4, HEIR, sender=ZERO)
    with refused("roles: bad role"):
        registry.contract.accept_role(4, sender=ZERO)


def test_set_paused__regulator__stops_and_resumes(registry: Registry) -> None:
    registry.contract.set_paused(True, sender=registry.regulator)
    assert registry.market.book_state() == 1 << 97
    registry.contract.set_paused(False, sender=registry.regulator)
    assert registry.market.book_state() == 0


def test_set_paused__operator__reverts(registry: Registry) -> None:
    with refused("roles: not the regulator"):
        registry.contract.set_paused(True, sender=registry.operator)


def test_accept_classes__regulator__replaces_the_bitmap(registry: Registry) -> None:
    registry.contract.accept_classes(2**64 - 1, sender=registry.regulator)
    assert event(registry.contract, "ClassesAccepted") == {"bitmap": 2**64 - 1}
    assert registry.contract.accepted_classes() == 2**64 - 1


def test_accept_classes__operator__reverts(registry: Registry) -> None:
    with refused("roles: not the regulator"):
        registry.contract.accept_classes(1, sender=registry.operator)


def test_accept_classes__past_the_bitmap__reverts(registry: Registry) -> None:
    with refused("enrolment: class out of bounds"):
        registry.contract.accept_classes(2**64, sender=registry.regulator)
