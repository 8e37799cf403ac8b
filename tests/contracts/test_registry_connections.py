"""EnergyRegistry: meter swap, terms, moving out, revocation, scores that a redeployment keeps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boa
import pytest

from contracts.helpers import (
    SCORE_ONE,
    START_SCORE,
    ZERO,
    Registry,
    Terms,
    address,
    event,
    key,
    now,
    now_window,
    pack,
    refused,
)

HOME, OTHER_HOME = b"\x01" * 32, b"\x02" * 32
ALICE, BOB = key(31), key(32)
METER, METER_2, METER_3 = key(41), key(42), key(43)
WALLET = address(51)
BAD_TERMS = [
    Terms(import_limit_wh=2**24),
    Terms(export_limit_wh=2**24),
    Terms(feeder=2**16),
    Terms(status=3),
    Terms(retail_class=4),
    Terms(retail_class=16),
]


@pytest.fixture(scope="module")
def deployed() -> Iterator[Registry]:
    with boa.env.anchor():
        made = Registry()
        made.open_classes()
        yield made


@pytest.fixture
def registry(deployed: Registry) -> Iterator[Registry]:
    with boa.env.anchor():
        yield deployed


@pytest.fixture
def enrolled(registry: Registry) -> Registry:
    registry.enrol(ALICE, METER)
    return registry


def device(meter: Any, terms: Terms) -> int:
    return pack(
        (0, int(meter.address, 16)),
        (160, terms.import_limit_wh),
        (184, terms.export_limit_wh),
        (208, terms.feeder),
        (224, terms.status),
        (226, terms.meter_class),
        (232, terms.retail_class),
    )


def score_word(score: int) -> int:
    return score << 208


def set_wallet(registry: Registry, account: str, word: int, calendar: int = 0) -> None:
    registry.market.poke_account(account, word, calendar)


def state(registry: Registry) -> tuple[Any, ...]:
    """What an enrolment may change."""
    market, contract = registry.market, registry.contract
    return (
        [
            (market.devices(a.address), market.exports_of(a.address), market.imports_of(a.address))
            for a in (ALICE, BOB)
        ],
        [contract.connection_of(account.address) for account in (ALICE, BOB)],
        [contract.connections(connection) for connection in (HOME, OTHER_HOME)],
        [contract.meter_bound_to(meter.address) for meter in (METER, METER_2, METER_3)],
        contract.participants(),
    )


def test_swap_meter__both_signed__new_registers_same_terms_and_score(enrolled: Registry) -> None:
    score = 7_777 * SCORE_ONE + 5
    set_wallet(enrolled, ALICE.address, pack((0, 50), (208, score), (238, 1)), calendar=9 << 224)
    enrolled.contract.set_paused(True, sender=enrolled.regulator)
    enrolled.swap(ALICE, METER, METER_2, meter_class=2, imported=5, exported=6)
    logged = {"account": ALICE.address, "old_meter": METER.address, "new_meter": METER_2.address}
    assert event(enrolled.contract, "MeterSwapped") == logged
    market = enrolled.market
    assert market.devices(ALICE.address) == device(METER_2, Terms(meter_class=2))
    exported = pack((0, int(METER_2.address, 16)), (160, 6), (208, now_window()))
    assert market.exports_of(ALICE.address) == exported
    assert market.imports_of(ALICE.address) == pack((0, 5), (48, now_window()))
    assert market.wallets(ALICE.address) == pack((0, 50), (208, score), (238, 1))
    assert enrolled.contract.meter_bound_to(METER_2.address) == ALICE.address
    assert enrolled.contract.participants() == 1


def test_swap_meter__refusals(enrolled: Registry) -> None:
    enrolled.enrol(BOB, METER_3, connection=OTHER_HOME)
    with refused("roles: not the operator"):
        enrolled.swap(ALICE, METER, METER_2, by=enrolled.regulator)
    with refused("enrolment: message expired"):
        enrolled.swap(ALICE, METER, METER_2, deadline=now() - 1)
    with refused("enrolment: not enrolled"):
        enrolled.swap(key(99), METER, METER_2)
    with refused("enrolment: not the old meter"):
        enrolled.swap(ALICE, METER_3, METER_2)
    with refused("enrolment: meter bound before"):
        enrolled.swap(ALICE, METER, METER_3)
    with refused("enrolment: meter bound before"):
        enrolled.swap(ALICE, METER, METER)
    with refused("enrolment: bad meter"):
        enrolled.swap(ALICE, METER, ALICE)
    with refused("enrolment: class not accepted"):
        enrolled.swap(ALICE, METER, METER_2, meter_class=0)
    with refused("enrolment: register overflow"):
        enrolled.swap(ALICE, METER, METER_2, imported=2**48)
    with refused("enrolment: register overflow"):
        enrolled.swap(ALICE, METER, METER_2, exported=2**48)


def test_swap_meter__open_windows__reverts_and_leaves_no_trace(enrolled: Registry) -> None:
    set_wallet(enrolled, ALICE.address, 0, calendar=1)
    before = state(enrolled)
    with refused("participants: open windows"):
        enrolled.swap(ALICE, METER, METER_2)
    assert state(enrolled) == before


@pytest.mark.parametrize("forged", ["account", "meter"])
def test_swap_meter__signed_by_another__reverts(enrolled: Registry, forged: str) -> None:
    swap = (ALICE.address, METER.address, METER_2.address, 1, 2, now())
    account = enrolled.sign(BOB if forged == "account" else ALICE, "MeterSwap", *swap)
    # Not even the old meter can sign for the new one.
    meter = enrolled.sign(METER if forged == "meter" else METER_2, "MeterSwap", *swap)
    with refused("signing: bad signature"):
        enrolled.contract.swap_meter(swap, 1, *account, *meter, sender=enrolled.operator)


def test_swap_meter__zero_meter__reverts(enrolled: Registry) -> None:
    swap = (ALICE.address, METER.address, ZERO, 1, 2, now())
    account = enrolled.sign(ALICE, "MeterSwap", *swap)
    with refused("enrolment: bad meter"):
        enrolled.contract.swap_meter(swap, 1, *account, 0, 0, sender=enrolled.operator)


def test_swap_meter__consented_by_call__swaps(enrolled: Registry) -> None:
    swap = (ALICE.address, METER.address, METER_2.address, 1, 2, now())
    meter = enrolled.sign(METER_2, "MeterSwap", *swap)
    enrolled.contract.consent(enrolled.contract.swap_digest(swap), sender=ALICE.address)
    enrolled.contract.swap_meter(swap, 1, 0, 0, *meter, sender=enrolled.operator)
    assert enrolled.market.devices(ALICE.address) == device(METER_2, Terms())


def test_swap_meter__replayed__reverts(enrolled: Registry) -> None:
    enrolled.swap(ALICE, METER, METER_2)
    enrolled.swap(ALICE, METER_2, METER_3)
    with refused("enrolment: not the old meter"):
        enrolled.swap(ALICE, METER, METER_2)


def test_set_terms__operator__keeps_the_meter(enrolled: Registry) -> None:
    terms = Terms(1, 2, 3, 1, 3, 3)
    before = enrolled.market.exports_of(ALICE.address)
    enrolled.contract.set_terms(ALICE.address, terms, sender=enrolled.operator)
    assert enrolled.market.devices(ALICE.address) == device(METER, terms)
    assert enrolled.market.exports_of(ALICE.address) == before


def test_set_terms__by_another__reverts(enrolled: Registry) -> None:
    with refused("roles: not the operator"):
        enrolled.contract.set_terms(ALICE.address, Terms(), sender=enrolled.regulator)


def test_set_terms__not_enrolled__reverts(enrolled: Registry) -> None:
    with refused("enrolment: not enrolled"):
        enrolled.contract.set_terms(BOB.address, Terms(), sender=enrolled.operator)
    enrolled.contract.revoke(HOME, sender=enrolled.operator)
    with refused("enrolment: not enrolled"):
        enrolled.contract.set_terms(ALICE.address, Terms(), sender=enrolled.operator)


def test_set_terms__class_not_accepted__reverts(enrolled: Registry) -> None:
    with refused("enrolment: class not accepted"):
        enrolled.contract.set_terms(ALICE.address, Terms(meter_class=0), sender=enrolled.operator)


@pytest.mark.parametrize("terms", BAD_TERMS)
def test_set_terms__senseless__reverts(enrolled: Registry, terms: Terms) -> None:
    with refused("enrolment: senseless terms"):
        enrolled.contract.set_terms(ALICE.address, terms, sender=enrolled.operator)


def test_move_out__score_stays_with_the_connection(enrolled: Registry) -> None:
    score = 1_234 * SCORE_ONE + 56
    set_wallet(enrolled, ALICE.address, pack((0, 70), (208, score), (238, 1)))
    assert enrolled.contract.score_of(HOME) == score
    enrolled.contract.move_out(HOME, sender=enrolled.operator)
    logged = event(enrolled.contract, "MovedOut")
    assert logged == {"connection": HOME, "account": ALICE.address, "score": score}
    market, contract = enrolled.market, enrolled.contract
    assert (market.devices(ALICE.address), market.exports_of(ALICE.address)) == (0, 0)
    assert market.imports_of(ALICE.address) == 0
    assert market.wallets(ALICE.address) == pack((0, 70), (238, 1))
    assert contract.connections(HOME) == (ZERO, True, score)
    assert contract.connection_of(ALICE.address) == bytes(32)
    assert contract.participants() == 0 and contract.score_of(HOME) == score
    enrolled.enrol(BOB, METER_2)
    assert market.wallets(BOB.address) == score_word(score)


def test_move_out__score_zero__is_not_forgotten(enrolled: Registry) -> None:
    set_wallet(enrolled, ALICE.address, 0)
    enrolled.contract.move_out(HOME, sender=enrolled.operator)
    enrolled.enrol(ALICE, METER_2)
    assert enrolled.contract.score_of(HOME) == 0 == enrolled.market.wallets(ALICE.address)


def test_move_out__account_to_another_connection__takes_no_score_along(enrolled: Registry) -> None:
    set_wallet(enrolled, ALICE.address, score_word(9_999 * SCORE_ONE))
    enrolled.contract.move_out(HOME, sender=enrolled.operator)
    enrolled.enrol(ALICE, METER_2, connection=OTHER_HOME)
    assert enrolled.market.wallets(ALICE.address) == score_word(START_SCORE)


def test_move_out__by_another__reverts(enrolled: Registry) -> None:
    with refused("roles: not the operator"):
        enrolled.contract.move_out(HOME, sender=ALICE.address)


def test_move_out__nobody_there__reverts(enrolled: Registry) -> None:
    with refused("enrolment: no such connection"):
        enrolled.contract.move_out(OTHER_HOME, sender=enrolled.operator)
    enrolled.contract.move_out(HOME, sender=enrolled.operator)
    with refused("enrolment: no such connection"):
        enrolled.contract.move_out(HOME, sender=enrolled.operator)


def test_move_out__open_windows__reverts_and_leaves_no_trace(enrolled: Registry) -> None:
    set_wallet(enrolled, ALICE.address, 0, calendar=1 << 223)
    before = state(enrolled)
    with refused("participants: open windows"):
        enrolled.contract.move_out(HOME, sender=enrolled.operator)
    assert state(enrolled) == before


def test_revoke__device_gone_account_and_score_stay(enrolled: Registry) -> None:
    enrolled.contract.revoke(HOME, sender=enrolled.operator)
    logged = event(enrolled.contract, "Revoked")
    assert logged == {"connection": HOME, "account": ALICE.address}
    assert enrolled.market.devices(ALICE.address) == 0
    assert enrolled.market.exports_of(ALICE.address) >> 240 == 1
    assert enrolled.contract.connections(HOME) == (ALICE.address, False, 0)
    assert enrolled.contract.score_of(HOME) == START_SCORE
    assert enrolled.contract.participants() == 1


def test_revoke__moved_out_then__score_kept(enrolled: Registry) -> None:
    enrolled.contract.revoke(HOME, sender=enrolled.operator)
    set_wallet(enrolled, ALICE.address, score_word(42))
    enrolled.contract.move_out(HOME, sender=enrolled.operator)
    enrolled.enrol(ALICE, METER_2)
    assert enrolled.market.wallets(ALICE.address) == score_word(42)
    assert enrolled.market.exports_of(ALICE.address) >> 240 == 0


def test_revoke__by_another__reverts(enrolled: Registry) -> None:
    with refused("roles: not the operator"):
        enrolled.contract.revoke(HOME, sender=enrolled.regulator)


def test_revoke__nobody_there__reverts(enrolled: Registry) -> None:
    with refused("enrolment: no such connection"):
        enrolled.contract.revoke(OTHER_HOME, sender=enrolled.operator)


def test_revoke__twice__reverts(enrolled: Registry) -> None:
    enrolled.contract.revoke(HOME, sender=enrolled.operator)
    with refused("enrolment: not enrolled"):
        enrolled.contract.revoke(HOME, sender=enrolled.operator)


def test_predecessor__connection_new_here__takes_its_old_score(enrolled: Registry) -> None:
    set_wallet(enrolled, ALICE.address, score_word(8_800 * SCORE_ONE))
    heir = Registry(predecessor=enrolled.contract.address)
    heir.open_classes()
    assert heir.contract.predecessor() == enrolled.contract.address
    heir.enrol(BOB, METER)
    assert heir.market.wallets(BOB.address) == score_word(8_800 * SCORE_ONE)
    heir.enrol(ALICE, METER_2, connection=OTHER_HOME)
    assert heir.market.wallets(ALICE.address) == score_word(START_SCORE)


def test_predecessor__connection_known_here__own_score_counts(enrolled: Registry) -> None:
    heir = Registry(predecessor=enrolled.contract.address)
    heir.open_classes()
    heir.enrol(ALICE, METER)
    set_wallet(heir, ALICE.address, score_word(77))
    heir.contract.move_out(HOME, sender=heir.operator)
    set_wallet(enrolled, ALICE.address, score_word(8_800 * SCORE_ONE))
    heir.enrol(BOB, METER_2)
    assert heir.market.wallets(BOB.address) == score_word(77)


def test_predecessor__score_past_the_scale__capped(enrolled: Registry) -> None:
    set_wallet(enrolled, ALICE.address, score_word(2**30 - 1))
    heir = Registry(predecessor=enrolled.contract.address)
    assert heir.contract.score_of(HOME) == 10_000 * SCORE_ONE
