"""EnergyRegistry: a street enrolled in one transaction, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boa
import pytest

from contracts.helpers import Registry, Terms, key, now, refused


@pytest.fixture
def registry() -> Iterator[Registry]:
    with boa.env.anchor():
        made = Registry()
        made.open_classes()
        yield made


def application(registry: Registry, number: int, meter: int | None = None) -> tuple[Any, ...]:
    account, device = key(100 + number), key(200 + (number if meter is None else meter))
    message = (account.address, device.address, 10, 20, now() + 60)
    signed = registry.sign(account, "Enrolment", *message), registry.sign(device, "Enrolment", *message)
    return (bytes([number + 1]) * 32, Terms(), message, *signed[0], *signed[1])


def test_enrol_many__street__binds_every_home(registry: Registry) -> None:
    registry.contract.enrol_many([application(registry, n) for n in range(3)], sender=registry.operator)
    assert registry.contract.participants() == 3
    assert all(registry.market.devices(key(100 + n).address) != 0 for n in range(3))


def test_enrol_many__one_meter_twice__nobody_is_enrolled(registry: Registry) -> None:
    batch = [application(registry, 0), application(registry, 1), application(registry, 2, meter=0)]
    with refused("enrolment: meter bound before"):
        registry.contract.enrol_many(batch, sender=registry.operator)
    assert registry.contract.participants() == 0
    assert registry.market.devices(key(100).address) == 0


def test_enrol_many__stranger__reverts(registry: Registry) -> None:
    with refused("roles: not the operator"):
        registry.contract.enrol_many([application(registry, 0)], sender=key(1).address)
