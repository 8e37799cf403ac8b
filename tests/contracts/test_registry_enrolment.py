"""EnergyRegistry: enrolment: every check, both signatures, consent of contract wallets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boa
import pytest

from contracts.helpers import (
    CONTRACTS,
    HALF_ORDER,
    START_SCORE,
    ZERO,
    Registry,
    Signature,
    Terms,
    address,
    chain_id,
    digest,
    event,
    key,
    load,
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


def enrol_call(registry: Registry, message: tuple[Any, ...], account: Signature, meter: Signature) -> None:
    registry.contract.enrol(HOME, Terms(), message, *account, *meter, sender=registry.operator)


def test_enrol__both_signed__binds_words_and_score(registry: Registry) -> None:
    registry.enrol(ALICE, METER, imported=2**48 - 1, exported=17)
    logged = event(registry.contract, "Enrolled")
    assert logged == {"connection": HOME, "account": ALICE.address, "meter": METER.address}
    market, contract = registry.market, registry.contract
    assert market.devices(ALICE.address) == device(METER, Terms())
    exported = pack((0, int(METER.address, 16)), (160, 17), (208, now_window()))
    assert market.exports_of(ALICE.address) == exported
    assert market.imports_of(ALICE.address) == pack((0, 2**48 - 1), (48, now_window()))
    assert market.wallets(ALICE.address) == score_word(START_SCORE)
    assert contract.connections(HOME) == (ALICE.address, False, 0)
    assert contract.connection_of(ALICE.address) == HOME
    assert contract.meter_bound_to(METER.address) == ALICE.address
    assert contract.participants() == 1


def test_enrol__money_in_the_wallet__stays(registry: Registry) -> None:
    set_wallet(registry, ALICE.address, pack((0, 900), (104, 0), (238, 1)))
    registry.enrol(ALICE, METER)
    assert registry.market.wallets(ALICE.address) == pack((0, 900), (208, START_SCORE), (238, 1))


def test_enrol__deadline_now_and_edge_terms__accepted(registry: Registry) -> None:
    terms = Terms(2**24 - 1, 0, 2**16 - 1, 0, 3, 3)
    registry.enrol(ALICE, METER, terms=terms, deadline=now())
    assert registry.market.devices(ALICE.address) == device(METER, terms)


def test_enrol__by_another__reverts(registry: Registry) -> None:
    with refused("roles: not the operator"):
        registry.enrol(ALICE, METER, by=registry.regulator)


def test_enrol__paused__reverts(registry: Registry) -> None:
    registry.contract.set_paused(True, sender=registry.regulator)
    with refused("registry: paused"):
        registry.enrol(ALICE, METER)


def test_enrol__expired__reverts(registry: Registry) -> None:
    with refused("enrolment: message expired"):
        registry.enrol(ALICE, METER, deadline=now() - 1)


def test_enrol__zero_connection__reverts(registry: Registry) -> None:
    with refused("enrolment: no such connection"):
        registry.enrol(ALICE, METER, connection=bytes(32))


def test_enrol__connection_taken__reverts(enrolled: Registry) -> None:
    with refused("enrolment: connection taken"):
        enrolled.enrol(BOB, METER_2)


def test_enrol__account_of_another_connection__reverts(enrolled: Registry) -> None:
    with refused("enrolment: already enrolled"):
        enrolled.enrol(ALICE, METER_2, connection=OTHER_HOME)


def test_enrol__revoked_account__belongs_to_its_connection_still(enrolled: Registry) -> None:
    enrolled.contract.revoke(HOME, sender=enrolled.operator)
    with refused("enrolment: already enrolled"):
        enrolled.enrol(ALICE, METER_2, connection=OTHER_HOME)
    with refused("enrolment: connection taken"):
        enrolled.enrol(BOB, METER_2)


def test_enrol__meter_of_another__reverts(enrolled: Registry) -> None:
    with refused("enrolment: meter bound before"):
        enrolled.enrol(BOB, METER, connection=OTHER_HOME)


def test_enrol__meter_bound_long_ago__reverts(enrolled: Registry) -> None:
    enrolled.contract.move_out(HOME, sender=enrolled.operator)
    with refused("enrolment: meter bound before"):
        enrolled.enrol(ALICE, METER)


def test_enrol__account_as_its_own_meter__reverts(registry: Registry) -> None:
    with refused("enrolment: bad meter"):
        registry.enrol(ALICE, ALICE)


def test_enrol__zero_meter__reverts(registry: Registry) -> None:
    message = (ALICE.address, ZERO, 0, 0, now())
    signed = registry.sign(ALICE, "Enrolment", *message)
    with refused("enrolment: bad meter"):
        enrol_call(registry, message, signed, Signature(0, 0))


@pytest.mark.parametrize("meter_class", [0, 4, 63, 64, 2**255])
def test_enrol__class_not_in_the_bitmap__reverts(registry: Registry, meter_class: int) -> None:
    with refused("enrolment: class not accepted"):
        registry.enrol(ALICE, METER, terms=Terms(meter_class=meter_class))


def test_enrol__class_withdrawn__reverts(registry: Registry) -> None:
    registry.contract.accept_classes(0b1100, sender=registry.regulator)
    with refused("enrolment: class not accepted"):
        registry.enrol(ALICE, METER)


@pytest.mark.parametrize("registers", [(2**48, 0), (0, 2**48)], ids=["imported", "exported"])
def test_enrol__register_past_48_bits__reverts(registry: Registry, registers: tuple[int, int]) -> None:
    with refused("enrolment: register overflow"):
        registry.enrol(ALICE, METER, imported=registers[0], exported=registers[1])


@pytest.mark.parametrize("terms", BAD_TERMS)
def test_enrol__senseless_terms__reverts(registry: Registry, terms: Terms) -> None:
    with refused("enrolment: senseless terms"):
        registry.enrol(ALICE, METER, terms=terms)


def test_enrol__market_full__reverts(registry: Registry) -> None:
    registry.contract.eval("enrolment.participants = 2**24 - 2")
    registry.enrol(ALICE, METER)
    with refused("enrolment: market full"):
        registry.enrol(BOB, METER_2, connection=OTHER_HOME)


def test_enrol__open_windows__reverts_and_leaves_no_trace(registry: Registry) -> None:
    set_wallet(registry, ALICE.address, 0, calendar=pack((5, 1), (224, 9)))
    before = state(registry)
    with refused("participants: open windows"):
        registry.enrol(ALICE, METER)
    assert state(registry) == before


@pytest.mark.parametrize("forged", ["account", "meter"])
def test_enrol__signed_by_another__reverts(registry: Registry, forged: str) -> None:
    message = (ALICE.address, METER.address, 1, 2, now())
    account = registry.sign(BOB if forged == "account" else ALICE, "Enrolment", *message)
    meter = registry.sign(BOB if forged == "meter" else METER, "Enrolment", *message)
    with refused("signing: bad signature"):
        enrol_call(registry, message, account, meter)


@pytest.mark.parametrize("position", range(1, 5))
def test_enrol__field_changed_after_signing__reverts(registry: Registry, position: int) -> None:
    message = (ALICE.address, METER.address, 1, 2, now() + 9)
    signed = registry.sign(ALICE, "Enrolment", *message), registry.sign(METER, "Enrolment", *message)
    changed = list(message)
    changed[position] = METER_2.address if position == 1 else changed[position] + 1
    with refused("signing: bad signature"):
        enrol_call(registry, tuple(changed), *signed)


@pytest.mark.parametrize(
    "changed",
    [{"name": "other"}, {"version": "2"}, {"chainId": 5}, {"verifyingContract": WALLET}],
    ids=["name", "version", "chain", "contract"],
)
@pytest.mark.parametrize("who", ["account", "meter"])
def test_enrol__other_domain__reverts(registry: Registry, who: str, changed: dict[str, Any]) -> None:
    message = (ALICE.address, METER.address, 1, 2, now())
    account = registry.sign(ALICE, "Enrolment", *message, **(changed if who == "account" else {}))
    meter = registry.sign(METER, "Enrolment", *message, **(changed if who == "meter" else {}))
    with refused("signing: bad signature"):
        enrol_call(registry, message, account, meter)


@pytest.mark.parametrize(
    ("s", "accepted"), [(HALF_ORDER, True), (HALF_ORDER + 1, False), (2**255 - 1, False)]
)
def test_check_signature__high_s__reverts(s: int, accepted: bool) -> None:
    """No signer gives such an s, yet any r and s recover somebody: the module is asked about that one."""
    module = load(CONTRACTS / "modules" / "signing.vy", WALLET)
    message = b"\x05" * 32
    digest = module.internal._get_digest(message)
    r = int(ALICE.unsafe_sign_hash(digest).r)
    signer = recovered(digest, r, s)
    if accepted:
        module.internal._check_signer(signer, message, r, s)
        return
    with refused("signing: bad signature"):
        module.internal._check_signer(signer, message, r, s)


def recovered(message: bytes, r: int, s: int) -> str:
    """What ecrecover itself says, whatever s is."""
    precompile = "0x" + "00" * 19 + "01"
    words = message + b"".join(number.to_bytes(32, "big") for number in (27, r, s))
    found = boa.env.raw_call(precompile, data=words).output[12:]
    assert len(found) == 20
    return "0x" + found.hex()


@pytest.mark.parametrize("signature", [(0, 0), (1, 0), (0, 1), (2**256 - 1, 1)])
def test_enrol__meter_signature_of_nobody__reverts(registry: Registry, signature: tuple[int, int]) -> None:
    message = (ALICE.address, METER.address, 1, 2, now())
    with refused("signing: bad signature"):
        enrol_call(registry, message, registry.sign(ALICE, "Enrolment", *message), Signature(*signature))


def test_enrol__zero_account__reverts(registry: Registry) -> None:
    message = (ZERO, METER.address, 1, 2, now())
    meter = registry.sign(METER, "Enrolment", *message)
    for account in (Signature(0, 0), Signature(1, 0)):
        with refused("signing: bad signature"):
            enrol_call(registry, message, account, meter)


def test_enrol__key_with_delegated_code__its_own_signature_counts(registry: Registry) -> None:
    boa.env.set_code(ALICE.address, b"\xef\x01\x00" + bytes.fromhex(WALLET[2:]))
    registry.enrol(ALICE, METER)
    assert registry.contract.participants() == 1


def test_enrol__contract_wallet_consented__enrolled(registry: Registry) -> None:
    message = (WALLET, METER.address, 1, 2, now())
    meter = registry.sign(METER, "Enrolment", *message)
    digest_ = registry.contract.enrolment_digest(message)
    with refused("signing: bad signature"):
        enrol_call(registry, message, Signature(0, 0), meter)
    registry.contract.consent(digest_, sender=WALLET)
    assert event(registry.contract, "Consented") == {"account": WALLET, "digest": digest_}
    enrol_call(registry, message, Signature(0, 0), meter)
    assert registry.contract.connection_of(WALLET) == HOME


def test_enrol__consent_of_another__reverts(registry: Registry) -> None:
    message = (WALLET, METER.address, 1, 2, now())
    registry.contract.consent(registry.contract.enrolment_digest(message), sender=BOB.address)
    with refused("signing: bad signature"):
        enrol_call(registry, message, Signature(0, 0), registry.sign(METER, "Enrolment", *message))


def test_digests__as_eth_account_hashes_them(registry: Registry) -> None:
    described = registry.contract.eip712Domain()
    assert described == (b"\x0f", "peerwatt", "1", chain_id(), registry.market.address, bytes(32), [])
    domain = dict(zip(("name", "version", "chainId", "verifyingContract"), described[1:5], strict=True))
    message = (ALICE.address, METER.address, 2**64 - 1, 2, 3)
    assert registry.contract.enrolment_digest(message) == digest(domain, "Enrolment", *message)
    swap = (ALICE.address, METER.address, METER_2.address, 1, 2**64 - 1, 3)
    assert registry.contract.swap_digest(swap) == digest(domain, "MeterSwap", *swap)


def test_digests__chain_split__follow_the_chain(registry: Registry) -> None:
    message = (ALICE.address, METER.address, 1, 2, now())
    old = registry.sign(ALICE, "Enrolment", *message), registry.sign(METER, "Enrolment", *message)
    own = chain_id()
    boa.env.evm.patch.chain_id = own + 1
    try:
        with refused("signing: bad signature"):
            enrol_call(registry, message, *old)
        registry.enrol(ALICE, METER)
    finally:
        boa.env.evm.patch.chain_id = own
