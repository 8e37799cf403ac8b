"""Packed words: laid out as docs/contract.md says, exact in both directions, and nothing squeezed in."""

from __future__ import annotations

import dataclasses
import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerwatt.exceptions import BadWord
from peerwatt.market import words
from peerwatt.market.bitfields import PackedWord

ROOT = Path(__file__).resolve().parents[2]
VECTORS: dict[str, list[dict[str, Any]]] = json.loads(
    (ROOT / "tests" / "vectors" / "words.json").read_text(encoding="utf-8")
)
METER = "0xd10533E7105BE559165bABe171E08654e92F0453"
# The words of docs/contract.md by their name there.
CLASSES: dict[str, type[PackedWord]] = {
    "wallets": words.WalletWord,
    "calendars": words.CalendarWord,
    "devices": words.DeviceWord,
    "exports": words.ExportsWord,
    "imports": words.ImportsWord,
    "orders": words.OrderWord,
    "agents": words.AgentWord,
    "book_state": words.BookStateWord,
    "entries": words.EntryWord,
    "live": words.LivePairWord,
    "results": words.ResultWord,
    "tariff_head": words.TariffHeadWord,
    "feeders": words.FeederWord,
}
# Where the document's text is not the field's name.
NAMES = {
    "calendars": ["open_windows", "settled"],
    "live": ["even_bid", "even_offer", "odd_bid", "odd_offer"],
}
BIASES = {("entries", "net_bid"): 2**55, ("entries", "net_offer"): 2**55, ("results", "net_wh"): 2**49}
CASES = [(name, i) for name, cases in VECTORS.items() for i in range(len(cases))]


def read_layouts() -> dict[str, list[tuple[str, int, int]]]:
    text = (ROOT / "docs" / "contract.md").read_text(encoding="utf-8")
    section = text.partition("## Storage words of the market")[2].partition("\n## ")[0]
    layouts = {}
    for row in re.findall(r"^\| `(\w+)` \|[^|]*\|(.*)\|$", section, re.MULTILINE):
        fields = re.findall(r"(\w+) \[(\d+)(?:,(\d+)\)|\])", row[1])
        if fields:
            layouts[row[0]] = [(name, int(low), int(high or int(low) + 1)) for name, low, high in fields]
    return layouts


def get_class(name: str) -> Any:
    return getattr(words, f"{name}Word")


def read_fields(name: str, i: int) -> dict[str, Any]:
    fields = dict(VECTORS[name][i]["fields"])
    for key, value in fields.items():
        if isinstance(value, str) and not value.startswith("0x"):
            fields[key] = int(value)
    return fields


def test_layouts__of_the_document__are_those_of_the_classes() -> None:
    layouts = read_layouts()
    assert set(layouts) == set(CLASSES)
    for name, fields in layouts.items():
        expected = [
            (NAMES[name][i] if name in NAMES else field, low, high)
            for i, (field, low, high) in enumerate(fields)
        ]
        layout = CLASSES[name].layout()
        assert [(field, bits.low, bits.high) for field, bits in layout.items()] == expected
        for field, bits in layout.items():
            assert bits.bias == BIASES.get((name, field), 0)


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_layouts__fields__do_not_overlap(name: str) -> None:
    layout = sorted((bits.low, bits.high) for bits in CLASSES[name].layout().values())
    assert all(low < high <= 256 for low, high in layout)
    assert all(before[1] <= after[0] for before, after in pairwise(layout))


def test_vectors__every_word__is_there() -> None:
    assert set(VECTORS) == {kind.__name__.removesuffix("Word") for kind in CLASSES.values()} | {"Table"}


@pytest.mark.parametrize(("name", "i"), CASES)
def test_vector__both_directions__same(name: str, i: int) -> None:
    fields, word = read_fields(name, i), int(VECTORS[name][i]["word"], 16)
    decoded = get_class(name).decode(word)
    assert decoded.encode() == word
    expected = {key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()}
    assert dataclasses.asdict(decoded) == expected


@pytest.mark.parametrize(("name", "i"), [case for case in CASES if case[0] != "Table"])
def test_vector__packed_by_the_document__same(name: str, i: int) -> None:
    documented = next(key for key, kind in CLASSES.items() if kind.__name__ == f"{name}Word")
    fields = list(read_fields(name, i).items())
    word = 0
    for (_, low, high), (field, value) in zip(read_layouts()[documented], fields, strict=True):
        number = int(value, 16) if isinstance(value, str) else int(value)
        number += BIASES.get((documented, field), 0)
        assert number < 2 ** (high - low)
        word |= number << low
    assert f"0x{word:064x}" == VECTORS[name][i]["word"]


@given(st.sampled_from(sorted(CLASSES)), st.integers(0, 2**256 - 1))
def test_decode__any_word_without_the_rest__leads_back(name: str, word: int) -> None:
    kind = CLASSES[name]
    used = sum((1 << bits.high) - (1 << bits.low) for bits in kind.layout().values())
    assert kind.decode(word & used).encode() == word & used
    assert kind.decode(word, ignore_rest=True) == kind.decode(word & used)
    if word & ~used:
        with pytest.raises(BadWord, match=f"has bits that no field of {kind.__name__} has"):
            kind.decode(word)


@pytest.mark.parametrize("word", [-1, 2**256, True, 1.0, "0x01", None, b"\x01"])
def test_decode__no_word__refused(word: Any) -> None:
    with pytest.raises(BadWord, match="is not a word"):
        words.WalletWord.decode(word)
    with pytest.raises(BadWord, match="is not a word"):
        words.TableWord.decode(word)


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_word__value_beyond_its_bits__refused(name: str) -> None:
    kind = CLASSES[name]
    word = kind.decode(0)
    for field, bits in kind.layout().items():
        if isinstance(getattr(word, field), bool | str):
            continue
        width = bits.high - bits.low
        for wrong in (2**width - bits.bias, -1 - bits.bias):
            with pytest.raises(BadWord, match=f"{field} is {wrong}, outside {-bits.bias} to"):
                dataclasses.replace(word, **{field: wrong})
        largest = 2**width - 1 - bits.bias
        assert getattr(dataclasses.replace(word, **{field: largest}), field) == largest


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("energy_wh", True),
        ("energy_wh", 1.0),
        ("energy_wh", "1"),
        ("energy_wh", None),
        ("rated", 1),
        ("rated", "yes"),
    ],
)
def test_word__value_of_wrong_type__refused(field: str, value: Any) -> None:
    with pytest.raises(BadWord, match=f"{field} is "):
        dataclasses.replace(words.OrderWord.decode(0), **{field: value})


@pytest.mark.parametrize("meter", ["0x", METER[2:], METER + "0", "0x" + "g" * 40, 1, None])
def test_word__no_address__refused(meter: Any) -> None:
    with pytest.raises(BadWord, match=r"meter is .*, not an address"):
        words.ExportsWord(meter, 0, 0, False)


def test_word__address_in_lower_case__same_as_checksummed() -> None:
    assert words.ExportsWord(METER.lower(), 1, 2, True) == words.ExportsWord(METER, 1, 2, True)


def test_wallet__free_and_band__from_balance_and_score() -> None:
    wallet = words.WalletWord(100, 30, 5_000 * words.SCORE_ONE, False)
    assert (wallet.free, wallet.band) == (70, 8)
    assert dataclasses.replace(wallet, score=words.FULL_SCORE).band == 15
    assert dataclasses.replace(wallet, score=625 * words.SCORE_ONE - 1).band == 0
    assert dataclasses.replace(wallet, score=625 * words.SCORE_ONE).band == 1


def test_calendar__open_windows__counted_from_settled() -> None:
    calendar = words.CalendarWord(0b1010, 100)
    assert [window for window in range(95, 340) if calendar.is_open(window)] == [102, 104]
    assert calendar.next_open == 102
    assert words.CalendarWord(0, 100).next_open is None
    assert words.CalendarWord(1, 100).next_open == 101
    assert words.CalendarWord(1 << 223, 100).next_open == 324


def test_order__covers__first_to_last() -> None:
    order = dataclasses.replace(words.OrderWord.decode(0), first=10, count=3)
    assert [window for window in range(20) if order.covers(window)] == [10, 11, 12]
    assert not any(dataclasses.replace(order, count=0).covers(window) for window in range(20))


def test_entry__of_another_window_or_never_written__reads_as_nothing() -> None:
    entry = words.EntryWord(-5, 7, 1, 2, 1_000 >> 8)
    nothing = words.EntryWord(0, 0, 0, 0, 1_000 >> 8)
    assert words.EntryWord.decode_at(entry.encode(), 1_000) == entry
    assert words.EntryWord.decode_at(entry.encode(), 1_000 + 256) == dataclasses.replace(nothing, tag=4)
    assert words.EntryWord.decode_at(0, 1_000) == nothing
    assert words.EntryWord.decode_at(0, 7) == dataclasses.replace(nothing, tag=0)


def test_live__at_a_level__its_half_of_the_pair() -> None:
    pair = words.LivePairWord(1, 2, 3, 4)
    assert (pair.at(6), pair.at(7)) == ((1, 2), (3, 4))


def test_result__zero_word__does_not_exist() -> None:
    assert not words.ResultWord.decode(0).exists
    assert words.ResultWord(0, words.NO_TRADE, 0, 0, 0, 0, 0).exists


def test_tariff_head__next_version__holds_from_its_window() -> None:
    head = words.TariffHeadWord(1, 400, 2, 450, 1_000)
    assert [head.at(window) for window in (999, 1_000, 1_001)] == [(1, 400), (2, 450), (2, 450)]
    assert words.TariffHeadWord(1, 400, 0, 0, 0).at(1_000) == (1, 400)


def test_table__bands__lowest_score_first() -> None:
    table = words.TableWord(tuple(range(16)))
    assert table.encode() == sum(band << (16 * band) for band in range(16))
    assert words.TableWord.decode(table.encode()) == table
    scores = (0, 624, 625, 9_374, 9_375, 10_000)
    assert [table.at(score * words.SCORE_ONE) for score in scores] == [0, 0, 1, 14, 15, 15]


@pytest.mark.parametrize(
    ("bands", "message"),
    [
        ((0,) * 15, "16 bands, this has 15"),
        ((0,) * 17, "16 bands, this has 17"),
        ((2**16,) * 16, "bps is 65536, outside 0 to 65535"),
        ((-1,) * 16, "bps is -1"),
        ((True,) * 16, "bps is True"),
        ((1.5,) * 16, r"bps is 1\.5"),
    ],
)
def test_table__senseless_bands__refused(bands: Any, message: str) -> None:
    with pytest.raises(BadWord, match=message):
        words.TableWord(bands)
