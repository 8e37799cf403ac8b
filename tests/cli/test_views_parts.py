"""Parts of the views without a chain: ranges of logs, replays of odd logs, the utility's share, periods."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import UTC
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from requests.exceptions import ConnectionError as NobodyAnswers
from requests.exceptions import HTTPError
from web3.exceptions import BlockNotFound, MethodUnavailable, Web3RPCError

from cli import test_views_market as keys_market
from cli import test_views_statement as keys
from cli.village import NUMBERS, grid
from peerwatt.cli.errors import UsageError
from peerwatt.cli.views import Period, energy, money_number, parse_past, parse_period, price_number
from peerwatt.exceptions import BadAmount
from peerwatt.market import words
from peerwatt.market.clock import MarketClock
from peerwatt.market.deployment import Deployment, Roles
from peerwatt.market.events import Event, get_topic
from peerwatt.market.history import (
    ChainReorganised,
    Head,
    find_block,
    read_ranges,
    read_steadily,
    topic_of_address,
    topic_of_number,
)
from peerwatt.market.replay import Replay
from peerwatt.market.statement import Row
from peerwatt.market.utility import UtilityPrices, WrongRegisters, share_of, to_growths
from peerwatt.market.words import WalletWord
from peerwatt.signing import BUY, SELL

ROOT = Path(__file__).resolve().parents[2]
ADDRESS = "0x" + "11" * 20
OTHER = "0x" + "22" * 20
BUSY = range(50_000, 50_400)


@dataclass
class Node:
    """A node with one log a block in BUSY, which answers at most so many blocks and so many logs at once."""

    most_blocks: int = 10**9
    most_logs: int = 10**9
    failure: type[Exception] = Web3RPCError
    asked: list[tuple[int, int]] = field(default_factory=list)

    @property
    def w3(self) -> Any:
        return SimpleNamespace(eth=SimpleNamespace(get_logs=self.get_logs))

    def get_logs(self, wanted: Any) -> list[int]:
        low, high = wanted["fromBlock"], wanted["toBlock"]
        assert low <= high
        self.asked.append((low, high))
        found = [block for block in BUSY if low <= block <= high]
        if high - low + 1 > self.most_blocks or len(found) > self.most_logs:
            raise self.failure("too much")
        return found

    def read(self, first: int, last: int, **options: Any) -> tuple[list[tuple[int, int]], list[int]]:
        parts = list(read_ranges(self.w3, ADDRESS, [get_topic("WindowCleared")], first, last, **options))
        return [(part.first, part.last) for part in parts], [int(log) for part in parts for log in part.logs]


@pytest.mark.parametrize(
    "node",
    [Node(), Node(most_blocks=1_000), Node(most_logs=37), Node(most_blocks=1), Node(most_logs=1, failure=HTTPError)],
    ids=["any", "blocks", "logs", "single", "http"],
)
@pytest.mark.parametrize("newest_first", [False, True])
def test_ranges__nodes_with_limits__each_block_once_in_sequence(node: Node, newest_first: bool) -> None:
    node.asked.clear()
    first, last = (49_000, 51_000)
    parts, logs = node.read(first, last, newest_first=newest_first)
    ordered = parts[::-1] if newest_first else parts
    assert ordered[0][0] == first and ordered[-1][1] == last
    assert all(before[1] + 1 == after[0] for before, after in pairwise(ordered))
    assert sorted(logs) == list(BUSY)


def test_ranges__long_chain__few_questions() -> None:
    free, limited = Node(), Node(most_blocks=10_000)
    free.read(0, 5_000_000)
    limited.read(0, 5_000_000)
    assert len(free.asked) < 20
    # 500 would do for one who knew the limit.
    assert len(limited.asked) < 600


def test_ranges__dense_part__recovers_behind_it() -> None:
    node = Node(most_logs=10)
    node.read(0, 1_000_000)
    assert len(node.asked) < 250


@pytest.mark.parametrize(("failure", "asked"), [(NobodyAnswers, 1), (MethodUnavailable, 1), (Web3RPCError, 13)])
def test_ranges__node_that_never_answers__raises(failure: type[Exception], asked: int) -> None:
    node = Node(most_blocks=0, failure=failure)
    with pytest.raises(failure):
        node.read(0, 4_095)
    assert len(node.asked) == asked


def test_ranges__no_blocks__nothing_asked() -> None:
    node = Node()
    assert node.read(5, 4) == ([], []) and node.asked == []


def chain(times: list[int]) -> Any:
    def get_block(number: Any) -> Any:
        return {"timestamp": times[number]}

    return SimpleNamespace(eth=SimpleNamespace(get_block=get_block))


@pytest.mark.parametrize(("time_s", "block"), [(0, 2), (10, 2), (11, 3), (30, 4), (31, 6), (99, 6)])
def test_find_block__any_moment__first_block_at_or_after(time_s: int, block: int) -> None:
    assert find_block(chain([0, 5, 10, 20, 30, 30]), time_s, 2, 5) == block


class Moving:
    """A chain whose newest block is another one at each question, so many times."""

    def __init__(self, moves: int) -> None:
        self.moves = moves
        self.eth = self

    def get_block(self, block: Any) -> Any:
        if block != "latest":
            self.moves -= 1
            if self.moves == 0:
                raise BlockNotFound("gone")
        return {"number": 7, "hash": bytes([max(self.moves, 0)]) * 32, "timestamp": 1}


def test_read_steadily__block_replaced__reads_again_three_times_at_most() -> None:
    heads: list[Head] = []
    assert read_steadily(Moving(2), lambda head: heads.append(head) or len(heads)) == 3  # type: ignore[arg-type, func-returns-value]
    with pytest.raises(ChainReorganised):
        read_steadily(Moving(9), lambda head: None)  # type: ignore[arg-type]


def test_topics__as_eth_get_logs_takes_them() -> None:
    assert topic_of_address("0xAbCd" + "00" * 18) == "0x" + "00" * 12 + "abcd" + "00" * 18
    assert int(topic_of_number(1_995_104), 16) == 1_995_104 and len(topic_of_number(0)) == 66
    assert get_topic("Deposited") == "0x2da466a7b24304f47e87fa2e1e5a81b9831ce54fec19055ce277ca2f39ba42c4"
    with pytest.raises(KeyError):
        get_topic("Nothing")


# Replay

DEPLOYMENT = Deployment(
    chain_id=1,
    market=ADDRESS,  # type: ignore[arg-type]
    registry=ADDRESS,  # type: ignore[arg-type]
    lens=ADDRESS,  # type: ignore[arg-type]
    token=ADDRESS,  # type: ignore[arg-type]
    block=1,
    block_hash="0x",
    parameters=NUMBERS,
    roles=Roles(ADDRESS, ADDRESS, OTHER, ADDRESS),
    code_hash={},
)
ORDER = words.OrderWord(1, 0, 100, 3, 1000, 200, 99, BUY, False, False, 100, 327, 1, 8_000)


def log(name: str, **args: Any) -> Event:
    return Event(name, {"account": ADDRESS, **args}, ADDRESS, 9, "0xabc", 4)


def clearing(window: int) -> Event:
    args = {"window": window, "result": RESULT.encode(), "supply_wh": 1000, "demand_wh": 1000, "traded_wh": 1000}
    return Event("WindowCleared", args, ADDRESS, 9, "0xabc", 4)


def wallet(balance: int, reserved: int = 0) -> int:
    return WalletWord(balance, reserved, 0, False).encode()


def level_of(order: words.OrderWord) -> int:
    limit = NUMBERS.floor_price + order.limit_level * NUMBERS.price_step
    price = 10_000 * (limit - order.fee_per_wh) // (10_000 + order.adjustment_bps)
    return (price - NUMBERS.floor_price) // NUMBERS.price_step


PLACED = replace(ORDER, effective_level=level_of(ORDER))
RESULT = words.ResultWord(10, words.ALL_CROSSING, 0, 0, 0, 5_000, 0)


def test_replay__order_cleared_and_due__money_of_the_rules() -> None:
    reserved = 3 * 1000 * (NUMBERS.floor_price + 200 * NUMBERS.price_step)
    replay = Replay(DEPLOYMENT).apply_all([log("Deposited", amount=10**9), log("OrderPlaced", order=PLACED.encode())])
    assert replay.state.wallet(ADDRESS).reserved == reserved
    price = NUMBERS.floor_price + 10 * NUMBERS.price_step
    paid = 1000 * (price + -(-price * 100 // 10_000) + 8_000)
    replay.apply(clearing(100))
    due = words.SettledDueWord(100, 100, 1).encode()
    replay.apply(log("DueSettled", windows=due, wallet=wallet(10**9 - paid, reserved * 2 // 3)))
    assert replay.differences == []
    assert [len(act.settled) for act in replay.acts[ADDRESS]] == [0, 0, 1]


@pytest.mark.parametrize(
    ("events", "says"),
    [
        ([log("OrderPlaced", order=ORDER.encode())], "effective level 99, by its limit 180"),
        ([log("OrderPlaced", order=PLACED.encode())] * 2, "window 100 has an order already"),
        ([log("OrderCancelled", order=PLACED.encode())], "order 1 was not there to cut"),
        (
            [log("DueSettled", windows=words.SettledDueWord(100, 100, 1).encode(), wallet=0)],
            "windows 100 to 100 settled, open were [] to []",
        ),
        (
            [
                log("OrderPlaced", order=PLACED.encode()),
                log(
                    "ReportSettled",
                    report=words.SettledReportWord(101, 1, SELL, 5, 1).encode(),
                    wallet=0,
                    growths=[5],
                ),
            ],
            "the report starts at window 101, window 100 was open",
        ),
        (
            [log("ReportSettled", report=words.SettledReportWord(1, 1, SELL, 5, 2).encode(), wallet=0, growths=[5])],
            "2 windows settled, 0 were open",
        ),
        (
            [log("Deposited", amount=5), log("ReportSettled", report=1 << 32, wallet=wallet(6), growths=[0])],
            f"balance of {ADDRESS} in block 9, log 4 (0xabc) is 6, by the rules it is 5",
        ),
    ],
)
def test_replay__logs_that_do_not_follow__said_with_their_place(events: list[Event], says: str) -> None:
    differences = Replay(DEPLOYMENT).apply_all(events).differences
    assert any(says in difference for difference in differences), differences
    assert all("block 9, log 4 (0xabc)" in difference for difference in differences)


def test_replay__funds_change_hands__credited_to_whoever_holds_them() -> None:
    credit = Event("FundsCredited", {"balancing": 5, "network": 3}, ADDRESS, 1, "0x", 0)
    moved = Event("FundAccountsSet", {"balancing": ADDRESS, "network": ADDRESS}, ADDRESS, 2, "0x", 0)
    replay = Replay(DEPLOYMENT).apply_all([credit, moved, credit])
    assert replay.state.wallet(OTHER).balance == 5 and replay.state.wallet(ADDRESS).balance == 3 + 8
    assert len(replay.acts[OTHER]) == 1 and len(replay.acts[ADDRESS]) == 2


# The utility's share

PRICES = UtilityPrices(retail=200, feed_in=70, floor=60)
BOUGHT = Row(5, BUY, "taken", 500, 0, filled_wh=400)
SOLD = Row(5, SELL, "reported", 500, 0, filled_wh=500, exported_wh=450, delivered_wh=450)


@pytest.mark.parametrize(
    ("row", "growths", "amounts"),
    [
        (BOUGHT, {}, (None, None)),
        (BOUGHT, {BUY: {5: 700}}, (300 * 200, None)),
        # Bought and not used: credited at feed-in, at most the grid's lowest price.
        (BOUGHT, {BUY: {5: 100}}, (-300 * 60, None)),
        (BOUGHT, {BUY: {4: 100}}, (None, None)),
        (BOUGHT, {BUY: {5: 400}, SELL: {5: 20}}, (0, -20 * 70)),
        (SOLD, {}, (None, 0)),
        (replace(SOLD, exported_wh=600), {BUY: {5: 30}}, (30 * 200, -150 * 70)),
    ],
)
def test_share__what_is_known__at_retail_and_feed_in(
    row: Row, growths: dict[int, dict[int, int]], amounts: tuple[int | None, int | None]
) -> None:
    share = share_of(row, growths, PRICES)
    assert (share.import_amount, share.export_amount) == amounts
    known = [amount for amount in amounts if amount is not None]
    assert share.amount == (sum(known) if known else None)


def test_share__no_retail_price__imports_stay_unpriced() -> None:
    assert share_of(BOUGHT, {BUY: {5: 700}}, replace(PRICES, retail=None)).import_amount is None


@pytest.mark.parametrize(
    ("row", "growths", "says"),
    [
        (SOLD, {SELL: {5: 451}}, "window 5 has 451 Wh exported in the file and 450 Wh in the meter's report"),
        (replace(SOLD, exported_wh=None), {SELL: {5: 449}}, "449 Wh exported and 450 Wh delivered"),
        (replace(BOUGHT, imported_wh=1), {BUY: {5: 2}}, "2 Wh imported in the file and 1 Wh in the meter's report"),
    ],
)
def test_share__another_meters_registers__refused(row: Row, growths: dict[int, dict[int, int]], says: str) -> None:
    with pytest.raises(WrongRegisters, match=says):
        share_of(row, growths, PRICES)


def test_growths__gaps__only_between_neighbours() -> None:
    assert to_growths([(3, 10), (4, 25), (6, 30), (7, 30)]) == {3: 15, 6: 0}


# Texts

CLOCK = MarketClock(900, 300, 1_795_600_800, ZoneInfo("Africa/Lagos"))  # 2026-11-25 11:00 there


def test_period__times_are_the_last_ones_and_days_whole() -> None:
    now = CLOCK.window
    assert parse_period(CLOCK, None, None) == Period(None, None)
    assert parse_period(CLOCK, "10:00", "11:00").first == now - 4
    assert parse_period(CLOCK, "10:00", "11:00").last == now - 1
    # 11:15 was yesterday.
    assert parse_period(CLOCK, "11:15", None).first == now + 1 - 96
    day = parse_period(CLOCK, "2026-11-24", "2026-11-24")
    assert day.first is not None and day.last == day.first + 95
    # A window counts if it starts in the period.
    assert parse_period(CLOCK, "10:01", "10:31").first == now - 3
    assert parse_period(CLOCK, "10:01", "10:31").last == now - 2


def test_period__senseless__refused() -> None:
    with pytest.raises(UsageError, match=r"--to 10:00 .* is not after --from 10:00"):
        parse_period(CLOCK, "10:00", "10:00")
    for text in ("2026-13-01", "half past ten", "2026-11-24T25:00"):
        with pytest.raises(BadAmount):
            parse_past(replace(CLOCK, zone=UTC), text)


def test_texts__numbers_for_people() -> None:
    assert [money_number(amount, grid(), sign=True) for amount in (None, 0, 1_500_000, -1)] == [
        "-", "0.00", "+1.50", "-0.000001",
    ]  # fmt: skip
    assert (price_number(None, grid()), price_number(95_500, grid())) == ("-", "95.5")
    assert (energy(None), energy(0), energy(1500)) == ("-", "-", "1.5 kWh")


# The document


def fields(text: str) -> dict[str, list[str]]:
    """First cell of each table row -> the names in backquotes of the second."""
    found = {}
    for line in text.splitlines():
        cells = line.strip("|").split(" | ")
        if line.startswith("|") and len(cells) == 2:
            found[cells[0].strip()] = re.findall(r"`([a-z_]+)`", cells[1])
    return found


def test_document__fields__are_those_that_the_commands_print() -> None:
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    told = fields(text.partition("\n### Fields\n")[2].partition("\n## ")[0])
    promised = {
        "`market`": keys_market.MARKET_KEYS + " feeder fee_per_wh",
        "level of `book`": keys_market.LEVEL_KEYS,
        "`preview`": keys_market.PREVIEW_KEYS,
        "`tariff`": keys_market.TARIFF_KEYS,
        "cleared window": keys.CLEARED_KEYS,
        "`trades`": f"account currency decimals windows {keys.TRADE_KEYS}",
        "`statement`": keys.STATEMENT_KEYS.replace(
            "movements", "movements kind amount time_s block_number transaction_hash"
        ),
        "window of a statement": keys.ROW_KEYS,
        "`totals`": keys.TOTALS_KEYS,
        "`reputation`": keys.REPUTATION_KEYS,
        "`now`, `neutral`, `next`": keys.TERMS_KEYS,
        "move": keys.MOVE_KEYS,
    }
    for name, names in promised.items():
        assert told[name] == names.split(), name
    events = {
        event: told[row]
        for row in told
        for event in re.findall(r"`(\w+)`", row)
        if event in keys_market.NEWS_KEYS and row not in promised
    }
    assert events == {event: names.split() for event, names in keys_market.NEWS_KEYS.items()}
