"""Relayed items: packed as docs/contract.md says, read back by whoever checks, refused as the market does."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerwatt.exceptions import BadWord, ItemCutShort, UnknownItem, from_reason
from peerwatt.market import relay
from peerwatt.market.relay import CancelItem, DueItem, Item, OrderItem, ReportItem
from peerwatt.signing import Cancel, Domain, Order, Report, recover, sign
from peerwatt.signing.signature import Signature

ROOT = Path(__file__).resolve().parents[2]
VECTORS: dict[str, Any] = json.loads((ROOT / "tests" / "vectors" / "relay.json").read_text(encoding="utf-8"))
HOME = "0xd519DD023a34979E372CdbC95CFf8191cd4eb76b"
METER = "0xd10533E7105BE559165bABe171E08654e92F0453"
EMS = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
DOMAIN = Domain(31337, METER)
KEY = b"\x11" * 32
KINDS: dict[int, type[Any]] = {kind.KIND: kind for kind in (OrderItem, CancelItem, ReportItem, DueItem)}


def read_item(case: dict[str, Any]) -> Item:
    fields = dict(case["fields"])
    for name in fields:
        if name in ("r", "vs"):
            fields[name] = int(fields[name], 16)
        elif name in ("deadline", "opening_wh", "hints"):
            fields[name] = int(fields[name])
        elif name == "growths_wh":
            fields[name] = tuple(fields[name])
    item: Item = KINDS[case["kind"]](**fields)
    return item


def read_words(case: dict[str, Any]) -> list[int]:
    return [int(word, 16) for word in case["words"]]


def uint(bits: int) -> st.SearchStrategy[int]:
    return st.integers(0, 2**bits - 1)


ACCOUNTS = st.sampled_from([HOME, METER, EMS])
AGENTS = st.sampled_from([relay.NOBODY, EMS])
ITEMS = st.one_of(
    st.builds(
        OrderItem,
        ACCOUNTS,
        uint(32),
        uint(32),
        uint(32),
        uint(24),
        uint(8),
        uint(8),
        uint(256),
        uint(256),
        AGENTS,
    ),
    st.builds(CancelItem, ACCOUNTS, uint(32), uint(32), uint(64), uint(256), uint(256), AGENTS),
    st.builds(
        ReportItem,
        ACCOUNTS,
        uint(8),
        uint(32),
        uint(64),
        st.lists(uint(32), max_size=30).map(tuple),
        uint(256),
        uint(256),
        uint(64),
    ),
    st.builds(DueItem, ACCOUNTS, uint(8), uint(64)),
)


@pytest.mark.parametrize("case", VECTORS["items"], ids=lambda case: case["name"])
def test_vector__both_directions__same(case: dict[str, Any]) -> None:
    item = read_item(case)
    assert item.pack() == read_words(case)
    assert relay.unpack(read_words(case)) == [item]


@pytest.mark.parametrize("case", VECTORS["refused"], ids=lambda case: case["name"])
def test_vector__refused__with_the_market_s_reason(case: dict[str, Any]) -> None:
    with pytest.raises(type(from_reason(case["reason"]))):
        relay.unpack(read_words(case))


def test_vectors__all_items__are_one_relay() -> None:
    items = [read_item(case) for case in VECTORS["items"]]
    assert {type(item) for item in items} == set(KINDS.values())
    assert relay.unpack(relay.pack(items)) == items


def test_order__packed__as_the_document_says() -> None:
    order = OrderItem(
        HOME, nonce=7, first=100, last=103, energy_wh=500, limit_level=70, side=1, r=11, vs=12, agent=EMS
    )
    assert order.pack() == [
        int(HOME, 16) | 7 << 160 | 100 << 192 | 500 << 224 | 1 << 248,
        int(EMS, 16) | 103 << 160 | 70 << 192 | 1 << 200,
        11,
        12,
    ]


def test_cancel__packed__as_the_document_says() -> None:
    cancel = CancelItem(HOME, nonce=7, from_window=101, deadline=1_765_125_000, r=11, vs=12)
    head = int(HOME, 16) | 7 << 160 | 101 << 192 | 2 << 248
    assert cancel.pack() == [head, 1_765_125_000 << 160, 11, 12]


def test_report__packed__as_the_document_says() -> None:
    growths = tuple(range(1, 10))
    report = ReportItem(HOME, 1, 100, 45_000, growths, 11, 12, relay.pack_hints([3, 5]))
    assert report.pack() == [
        int(HOME, 16) | 0x53 << 160 | 9 << 224 | 1 << 232 | 3 << 248,
        100 | 45_000 << 32,
        sum(growth << (32 * i) for i, growth in enumerate(growths[:8])),
        9,
        11,
        12,
    ]
    assert report.registers == (
        45_000,
        45_001,
        45_003,
        45_006,
        45_010,
        45_015,
        45_021,
        45_028,
        45_036,
        45_045,
    )


def test_due__packed__as_the_document_says() -> None:
    due = DueItem(HOME, 96, relay.pack_hints([15]))
    assert due.pack() == [int(HOME, 16) | 15 << 160 | 96 << 224 | 4 << 248]


@given(st.lists(ITEMS, max_size=6))
def test_items__packed_and_unpacked__same(items: list[Item]) -> None:
    assert relay.unpack(relay.pack(items)) == items


@pytest.mark.parametrize("windows", [0, 1, 7, 8, 9, 16, 224, 255])
def test_report__any_length__takes_four_words_and_one_for_eight_windows(windows: int) -> None:
    report = ReportItem(HOME, 1, 100, 7, (2**32 - 1,) * windows, 1, 2)
    assert len(report.pack()) == 4 + (windows + 7) // 8
    assert relay.unpack(report.pack()) == [report]


def test_unpack__bits_without_meaning__passed_over_as_the_market_does() -> None:
    order = OrderItem(HOME, 7, 100, 103, 500, 70, 1, 11, 12)
    cancel = CancelItem(HOME, 7, 101, 1, 11, 12)
    report = ReportItem(HOME, 1, 100, 7, (5,), 11, 12)
    due = DueItem(HOME, 96)
    for item, at, bit in [
        (order, 1, 208),
        (cancel, 0, 224),
        (cancel, 1, 224),
        (report, 0, 240),
        (report, 1, 96),
        (report, 2, 32),
        (due, 0, 232),
    ]:
        words = item.pack()
        words[at] |= 1 << bit
        assert relay.unpack(words) == [item]


def test_unpack__cut_short__names_the_item() -> None:
    words = relay.pack([DueItem(HOME, 1), ReportItem(HOME, 1, 100, 7, (5,) * 9, 11, 12)])
    with pytest.raises(ItemCutShort) as refused:
        relay.unpack(words[:-1])
    assert refused.value.context == {"index": 1, "words": 5, "needed": 6}
    assert len(relay.unpack(words)) == 2


@pytest.mark.parametrize("kind", [0, 5, 255])
def test_unpack__unknown_kind__names_the_item(kind: int) -> None:
    with pytest.raises(UnknownItem) as refused:
        relay.unpack([*DueItem(HOME, 1).pack(), kind << 248])
    assert refused.value.context == {"index": 1, "kind": kind}


@pytest.mark.parametrize("word", [-1, 2**256, True, None])
def test_unpack__no_word__refused(word: Any) -> None:
    with pytest.raises(BadWord, match="is not a word"):
        relay.unpack([word])


def test_unpack__skipped_item_with_high_s__still_readable() -> None:
    item = OrderItem(HOME, 7, 100, 103, 500, 70, 2, 0, 2**256 - 1)
    assert relay.unpack(item.pack()) == [item]


@pytest.mark.parametrize(
    ("item", "field"),
    [
        (OrderItem(HOME, 2**32, 1, 1, 1, 1, 1, 1, 1), "nonce"),
        (OrderItem(HOME, 1, 1, 1, 2**24, 1, 1, 1, 1), "energy_wh"),
        (OrderItem(HOME, 1, 1, 1, True, 1, 1, 1, 1), "energy_wh"),
        (OrderItem(HOME, 1, 1, 1, 1, 256, 1, 1, 1), "limit_level"),
        (OrderItem(HOME, 1, 1, 1, 1, 1, 1, 2**256, 1), "value"),
        (OrderItem("0x12", 1, 1, 1, 1, 1, 1, 1, 1), "account"),
        (CancelItem(HOME, 1, 1, 2**64, 1, 1), "deadline"),
        (CancelItem(HOME, 1, -1, 1, 1, 1), "from_window"),
        (ReportItem(HOME, 1, 1, 1, (2**32,), 1, 1), "growth_wh"),
        (ReportItem(HOME, 1, 1, 1, (-1,), 1, 1), "growth_wh"),
        (ReportItem(HOME, 1, 1, 1, (1,) * 256, 1, 1), "n"),
        (ReportItem(HOME, 1, 1, 2**64, (), 1, 1), "opening_wh"),
        (ReportItem(HOME, 1, 1, 1, (), 1, 1, 2**64), "hints"),
        (DueItem(HOME, 256), "max_windows"),
    ],
)
def test_pack__value_that_does_not_fit__refused(item: Item, field: str) -> None:
    with pytest.raises(BadWord, match=f"^{field} is "):
        item.pack()


def test_items__from_signed_messages__lead_back_to_the_signer() -> None:
    maker = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
    order = Order(maker, METER, 1, 100, 103, 500, 70, 17)
    cancel = Cancel(maker, 17, 102, 1_765_125_000)
    report = Report(maker, 1, 100, (45_000, 45_400, 45_900))
    items: list[Item] = [
        OrderItem.from_message(order, sign(order, DOMAIN, KEY)),
        CancelItem.from_message(cancel, sign(cancel, DOMAIN, KEY), EMS),
        ReportItem.from_message(HOME, report, sign(report, DOMAIN, KEY), [1, 4]),
    ]
    read_order, read_cancel, read_report = relay.unpack(relay.pack(items))
    assert isinstance(read_order, OrderItem) and read_order.to_message(METER) == order
    assert isinstance(read_cancel, CancelItem) and read_cancel.to_message() == cancel
    assert isinstance(read_report, ReportItem) and read_report.to_message(maker) == report
    assert (read_order.agent, read_cancel.agent) == (relay.NOBODY, EMS)
    assert read_report.account == HOME and relay.unpack_hints(read_report.hints, 2) == (1, 4)
    for message, item in ((order, read_order), (cancel, read_cancel), (report, read_report)):
        assert recover(message, DOMAIN, Signature(item.r, item.vs)) == maker


def test_report__growth_of_4_gwh__refused() -> None:
    report = Report(METER, 1, 100, (0, 2**32))
    with pytest.raises(BadWord, match="growth_wh is 4294967296"):
        ReportItem.from_message(HOME, report, sign(report, DOMAIN, KEY)).pack()


@given(st.lists(st.integers(0, 15), max_size=16))
def test_hints__packed_and_unpacked__same(slots: list[int]) -> None:
    assert relay.unpack_hints(relay.pack_hints(slots), len(slots)) == tuple(slots)


@pytest.mark.parametrize("slots", [[16], [-1], [True], ["1"], [1.0], [0] * 17])
def test_hints__no_slots_or_too_many__refused(slots: list[Any]) -> None:
    with pytest.raises(BadWord, match="give at most 16 slots of 0 to 15"):
        relay.pack_hints(slots)


@given(st.lists(st.integers(0, 2**32 - 1), max_size=40))
def test_growths__packed_and_unpacked__same(growths: list[int]) -> None:
    assert relay.unpack_growths(relay.pack_growths(growths), len(growths)) == tuple(growths)


def test_growths__fewer_words_than_windows__refused() -> None:
    with pytest.raises(BadWord, match="1 words hold fewer than 9 growths"):
        relay.unpack_growths([0], 9)


@given(st.lists(ITEMS, max_size=30), st.integers(8, 20))
def test_batches__any_items__whole_in_sequence_and_within_the_bound(items: list[Item], bound: int) -> None:
    batches = list(relay.batches(items, bound))
    assert all(0 < len(batch) <= bound for batch in batches)
    assert [item for batch in batches for item in relay.unpack(batch)] == items
    lengths = [len(batch) for batch in batches]
    firsts = [len(relay.unpack(batch)[0].pack()) for batch in batches[1:]]
    assert all(length + first > bound for length, first in zip(lengths, firsts, strict=False))


def test_batches__260_orders__in_two_relays() -> None:
    order = OrderItem(HOME, 7, 100, 103, 500, 70, 1, 11, 12)
    items = [dataclasses.replace(order, nonce=nonce) for nonce in range(260)]
    assert [len(batch) for batch in relay.batches(items)] == [1_024, 16]


def test_batches__item_longer_than_a_relay__refused() -> None:
    with pytest.raises(BadWord, match="an item has 5 words, a relay takes 4"):
        list(relay.batches([ReportItem(HOME, 1, 1, 1, (1,), 1, 1)], 4))
