"""Signers recovered in bulk: the digests are those of the signed messages, and nobody is nobody."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from eth_keys.datatypes import PrivateKey

from peerwatt.audit import recovery
from peerwatt.audit.digests import digest_item
from peerwatt.audit.items import find_signer
from peerwatt.audit.recovery import ADDRESS, NOBODY, Helpers, recover_records, recover_signer, to_record
from peerwatt.exceptions import BadMessage
from peerwatt.market import relay
from peerwatt.reference import ZERO_ADDRESS
from peerwatt.signing import Cancel, Domain, Order, Report, recover, sign
from peerwatt.signing.signature import CURVE_ORDER, PARITY_BIT, Signature

DOMAIN = Domain(31337, "0x" + "5" * 40)
KEY = b"\x07" * 32
SIGNER = PrivateKey(KEY).public_key.to_address()
METER = "0x" + "0a" * 20
MAKER = "0x" + "0b" * 20


def make_items(seed: int) -> list[relay.Item]:
    """An item of each kind with random content, signed with `KEY`, as it comes out of a relay's words."""
    chance = random.Random(seed)
    first = chance.randrange(2**32)
    order = Order(
        MAKER, METER, chance.randrange(2), first, chance.randrange(2**32), chance.randrange(2**24), 255, first
    )
    cancel = Cancel(MAKER, chance.randrange(2**32), first, chance.randrange(2**64))
    registers = [chance.randrange(2**60)]
    for _ in range(chance.randrange(224)):
        registers.append(registers[-1] + chance.randrange(2**32))
    report = Report(METER, chance.randrange(2), first, tuple(registers))
    items: list[relay.Item] = [
        relay.OrderItem.from_message(order, sign(order, DOMAIN, KEY)),
        relay.CancelItem.from_message(cancel, sign(cancel, DOMAIN, KEY)),
        relay.ReportItem.from_message(MAKER, report, sign(report, DOMAIN, KEY)),
    ]
    return relay.unpack(relay.pack(items))


@pytest.mark.parametrize("seed", range(20))
def test_digest__every_kind__that_of_the_message(seed: int) -> None:
    order, cancel, report = make_items(seed)
    assert isinstance(order, relay.OrderItem) and isinstance(report, relay.ReportItem)
    assert isinstance(cancel, relay.CancelItem)
    assert digest_item(order, METER, DOMAIN) == order.to_message(METER).digest(DOMAIN)
    assert digest_item(cancel, ZERO_ADDRESS, DOMAIN) == cancel.to_message().digest(DOMAIN)
    assert digest_item(report, METER, DOMAIN) == report.to_message(METER).digest(DOMAIN)
    assert {find_signer(order, METER, DOMAIN), find_signer(report, METER, DOMAIN)} == {SIGNER}
    assert find_signer(cancel, ZERO_ADDRESS, DOMAIN) == SIGNER
    assert find_signer(order, MAKER, DOMAIN) not in (SIGNER, ZERO_ADDRESS)


def test_digest__no_such_message__none() -> None:
    order, cancel, report = make_items(1)
    assert isinstance(order, relay.OrderItem) and isinstance(report, relay.ReportItem)
    assert isinstance(cancel, relay.CancelItem)
    full = replace(report, opening_wh=2**64 - 1, growths_wh=(1,))
    wrong = [
        (replace(order, side=2), METER),
        (replace(order, account=ZERO_ADDRESS), METER),
        (order, ZERO_ADDRESS),
        (replace(report, side=2), METER),
        (report, ZERO_ADDRESS),
        (full, METER),
    ]
    for item, meter in wrong:
        with pytest.raises(BadMessage):
            item.to_message(meter)
        assert digest_item(item, meter, DOMAIN) is None
        assert find_signer(item, meter, DOMAIN) == ZERO_ADDRESS
    assert digest_item(replace(cancel, account=ZERO_ADDRESS), ZERO_ADDRESS, DOMAIN) is None
    assert digest_item(relay.DueItem(MAKER, 1), ZERO_ADDRESS, DOMAIN) is None
    assert digest_item(replace(full, growths_wh=(0,)), METER, DOMAIN) is not None


@pytest.mark.parametrize("seed", range(10))
def test_recover__any_digest__as_signing_does(seed: int) -> None:
    cancel = Cancel(MAKER, seed, seed, seed)
    signature = sign(cancel, DOMAIN, KEY)
    flipped = Signature(signature.r, signature.vs ^ PARITY_BIT)
    for one in (signature, flipped):
        found = recover_records(to_record(cancel.digest(DOMAIN), one.r, one.vs))
        assert f"0x{found.hex()}" == recover(cancel, DOMAIN, one).lower()


def test_recover__impossible_signatures__nobody() -> None:
    digest, signature = b"\x01" * 32, sign(Cancel(MAKER, 1, 1, 1), DOMAIN, KEY)
    good = recover_signer(digest, 0, signature.r, signature.s)
    assert good != NOBODY
    assert recover_signer(digest, 1, signature.r, CURVE_ORDER - signature.s) == NOBODY
    assert recover_signer(digest, 0, 0, signature.s) == NOBODY
    assert recover_signer(digest, 0, CURVE_ORDER, signature.s) == NOBODY
    assert recover_signer(digest, 0, signature.r, 0) == NOBODY
    assert recover_signer(digest, 2, signature.r, signature.s) == NOBODY
    # 5 is the x of no point on the curve.
    assert recover_signer(digest, 0, 5, signature.s) == NOBODY
    assert recover_records(to_record(digest, 5, 2**256 - 1)) == NOBODY


def test_helpers__many_parts__each_in_its_place() -> None:
    cancels = [Cancel(MAKER, number, number, number) for number in range(40)]
    records = []
    for number, cancel in enumerate(cancels, 1):
        signature = sign(cancel, DOMAIN, number.to_bytes(32, "big"))
        records.append(to_record(cancel.digest(DOMAIN), signature.r, signature.vs))
    helpers = Helpers(2)
    try:
        futures = [helpers.submit(b"".join(records[at : at + 7])) for at in range(0, 40, 7)]
        found = b"".join(future.result() for future in futures)
    finally:
        helpers.close()
    assert [found[at : at + ADDRESS] for at in range(0, len(found), ADDRESS)] == [
        PrivateKey(number.to_bytes(32, "big")).public_key.to_canonical_address() for number in range(1, 41)
    ]
    assert all(process.poll() is not None for process in helpers._processes)


def test_helpers__killed__the_work_is_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    cancel = Cancel(MAKER, 1, 1, 1)
    signature = sign(cancel, DOMAIN, KEY)
    record = to_record(cancel.digest(DOMAIN), signature.r, signature.vs)
    helpers = Helpers(1)
    try:
        assert helpers.submit(record).result().hex() == SIGNER[2:]
        helpers._processes[0].kill()
        helpers._processes[0].wait()
        here: list[bytes] = []
        monkeypatch.setattr(recovery, "recover_records", lambda records: here.append(records) or NOBODY)
        assert helpers.submit(record * 2_000).result() == NOBODY
        assert len(here) == 1
    finally:
        helpers.close()
