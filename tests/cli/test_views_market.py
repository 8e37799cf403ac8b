"""`peerwatt market` and `peerwatt watch`: the book before the gate, and what happens as it happens."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from requests.exceptions import ConnectionError as NobodyAnswers

from cli.conftest import Run
from cli.life import Life, live
from cli.village import ADA, BOLA, CHIDI, IMBALANCE, TABLES, Village, write_keystore
from peerwatt.cli.commands import watch
from peerwatt.cli.news import to_line
from peerwatt.market import relay
from peerwatt.market.clock import MarketClock
from peerwatt.market.follow import NEWS, Follower
from peerwatt.market.statement import read_account_history
from peerwatt.signing import Order, sign
from peerwatt.units import parse_unit_price

MARKET_KEYS = (
    "currency decimals now_s state cleared_window book_end_window window start_s end_s gate_s seconds_to_gate phase "
    "book preview result recent tariff network_fees"
)
LEVEL_KEYS = "level price_per_wh bid_wh offer_wh demand_wh supply_wh"
PREVIEW_KEYS = "kind level price_per_wh traded_wh supply_wh demand_wh filled_wh rationed_wh"
TARIFF_KEYS = "version imbalance_per_wh next_version next_from_window next_from_s next_imbalance_per_wh"
COMMON_KEYS = "event time_s block_number log_index transaction_hash"
NEWS_KEYS = {
    "order_placed": "account side nonce first_window last_window energy_wh limit_per_wh rated",
    "order_cancelled": "account nonce burnt_nonce first_window last_window",
    "window_cleared": "window kind price_per_wh traded_wh supply_wh demand_wh",
    "report_settled": "account register first_window windows register_wh settled_windows balance reserved score",
    "due_settled": "account first_window last_window settled_windows balance reserved score",
    "deposited": "account amount",
    "withdrawn": "account amount",
    "item_skipped": "account index reason",
    "tariff_set": "version imbalance_per_wh from_window",
    "feeder_set": "feeder fee_per_wh import_scale_bps export_scale_bps",
    "retail_set": "retail_class price_per_wh",
    "participant_bound": "account meter status",
    "participant_revoked": "account window",
    "device_set": "account meter status",
    "rated_set": "account rated",
    "agent_set": "account agent expiry_s",
    "paused": "paused",
    "book_closed": "cleared_window",
    "wind_down_announced": "cleared_window",
}
SEVEN_DAYS = 7 * 96


@pytest.fixture
def village(village: Village) -> Village:
    """A minute into a window: ahead of the wall clock, where time goes on with the blocks only."""
    village.travel_to(village.window + 1, 60)
    return village


def at(window: int) -> str:
    """The start of a window as people write it with its zone."""
    return datetime.fromtimestamp(window * 900, UTC).isoformat()


def test_market__empty__countdown_and_tariff(run: Run, village: Village) -> None:
    data = run("market", "--json").json
    assert list(data) == MARKET_KEYS.split() and list(data["tariff"]) == TARIFF_KEYS.split()
    assert list(data["preview"]) == PREVIEW_KEYS.split()
    gated = (village.chain.time_s + 300) // 900
    assert (data["window"], data["phase"], data["state"]) == (gated + 1, "open", "open")
    assert data["gate_s"] == data["start_s"] - 300 and data["end_s"] == data["start_s"] + 900
    assert data["seconds_to_gate"] == data["gate_s"] - data["now_s"] > 0
    assert data["tariff"]["imbalance_per_wh"] == 225_000 and data["tariff"]["next_version"] is None
    assert data["network_fees"] == [{"feeder": 0, "fee_per_wh": 8_000}]
    out = run("market").out
    assert "The book is empty." in out and "Orders are welcome." in out and "Africa/Lagos (UTC+01:00)" in out
    assert "imbalance price 225 NGN/kWh" in out and "8 NGN/kWh on feeder 0" in out


def test_market__book__merit_order_and_what_it_would_clear_at(run: Run, village: Village) -> None:
    window = village.window + 3
    village.offer(ADA, window, window, "2 kWh", "100", 1)
    # At or below 150 with 1 % surcharge and 8 NGN/kWh fee: 140.5.
    village.bid(BOLA, window, window, "1.5 kWh", "150", 1)
    village.bid(CHIDI, window, window, "800 Wh", "110", 1)
    data = run("market", "--json", "--window", at(window)).json
    assert all(list(row) == LEVEL_KEYS.split() for row in data["book"])
    rows = [tuple(row[name] for name in LEVEL_KEYS.split()[1:]) for row in data["book"]]
    assert rows == [
        (140_500, 1500, 0, 1500, 2000),
        (101_500, 0, 2000, 1500, 2000),
        (100_500, 800, 0, 2300, 0),
    ]
    preview = data["preview"]
    assert (preview["kind"], preview["price_per_wh"], preview["traded_wh"]) == ("offers_rationed", 101_500, 1500)
    out = run("market", "--window", at(window)).out
    assert "If it cleared now: 1.5 kWh at 101.5 NGN/kWh; offers at that price would get 75 % of their energy." in out
    assert [line.split()[0] for line in out.splitlines() if line.endswith("<")] == ["101.5"]
    village.travel_to(window)
    village.clear()
    cleared = run("market", "--json", "--window", at(window)).json
    assert (cleared["phase"], cleared["book"], cleared["preview"]) == ("cleared", [], None)
    assert cleared["result"] == cleared["recent"][0]
    for name in ("kind", "price_per_wh", "traded_wh", "supply_wh", "demand_wh"):
        assert cleared["result"][name] == preview[name]
    shown = run("market", "--window", at(window)).out
    assert "1.5 kWh traded at 101.5 NGN/kWh; 2 kWh offered, 2.3 kWh bid." in shown
    assert "cleared without orders" in run("market", "--window", at(window - 1)).out


def test_market__no_crossing__says_how_far_apart_the_two_sides_are(run: Run, village: Village) -> None:
    window = village.window + 3
    village.offer(ADA, window, window, "2 kWh", "150", 1)
    assert "no trade, there is no bid." in run("market", "--window", at(window)).out
    village.bid(BOLA, window, window, "1 kWh", "110", 1)
    out = run("market", "--window", at(window)).out
    assert "no trade; the highest bid is 100.5, the lowest offer 152." in out
    village.travel_to(window, 1)
    assert "not cleared yet" in run("market", "--window", at(window)).out


def test_market__own_feeder__its_fee_alone(run: Run, village: Village) -> None:
    registry = village.gateway.registry.functions
    village.gateway.act(village.regulator, registry.set_feeder_fee(1, 9_000))
    fees = [{"feeder": 0, "fee_per_wh": 8_000}, {"feeder": 1, "fee_per_wh": 9_000}]
    assert run("market", "--json").json["network_fees"] == fees
    assert run("market", "--json", "--account", ADA.account).json["network_fees"] == fees[:1]
    assert "nobody" in run("market", "--account", "nobody", expect=5).err


def test_market__key_that_does_not_say_its_address__asks_for_no_password(
    run: Run, village: Village, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_keystore(keys, "ada", ADA.account_key)
    path.write_text(json.dumps({**json.loads(path.read_text()), "address": None}))
    monkeypatch.delenv("ETH_PASSWORD")
    monkeypatch.setenv("PEERWATT_ACCOUNT", "ada")
    assert run("market", "--json").json["network_fees"] == [{"feeder": 0, "fee_per_wh": 8_000}]
    assert "nobody is here to type the password" in run("statement", expect=5).err


def test_market__paused_and_a_new_tariff__says_both(run: Run, village: Village) -> None:
    registry = village.gateway.registry.functions
    steps = (parse_unit_price(IMBALANCE, village.grid) - 61_500) // 500 + 10
    village.gateway.act(village.regulator, registry.publish_tariff(steps, *TABLES))
    village.gateway.act(village.regulator, registry.set_paused(True))
    data = run("market", "--json").json
    assert data["state"] == "paused" and data["tariff"]["version"] == 1
    assert (data["tariff"]["next_version"], data["tariff"]["next_imbalance_per_wh"]) == (2, 230_000)
    assert data["tariff"]["next_from_window"] == village.window + 256
    out = run("market").out
    assert "paused new orders" in out and "Tariff 2 holds from " in out
    lines = run("watch", "--once", "--blocks", "2").out.splitlines()
    assert "tariff   version 2 holds from " in lines[0] and "new orders are paused" in lines[1]


def test_market__wound_down__no_price_and_an_open_window_fills_nothing(run: Run, village: Village) -> None:
    first = village.window + 2
    village.bid(BOLA, first, first + 1, "1 kWh", "150", 1)
    village.travel_to(first + 2 + SEVEN_DAYS)
    village.gateway.act(village.relayer, village.gateway.registry.functions.announce_wind_down())
    village.travel_to(first + 4 + SEVEN_DAYS + 96)
    village.gateway.act(village.relayer, village.gateway.registry.functions.wind_down())
    data = run("market", "--json", "--window", at(first + 1)).json
    assert (data["state"], data["preview"]) == ("closed", None)
    assert "wound down" in run("market", "--window", at(first + 1)).out
    Life(village, first).due(BOLA)
    found = read_account_history(village.gateway, BOLA.account)
    assert found.differences == () and found.wallet.reserved == 0
    assert [(row.status, row.filled_wh, row.paid_amount) for row in found.rows] == [("unfilled", 0, 0)] * 2
    text = run("watch", "--once", "--blocks", "4").out
    assert "a wind-down is announced" in text and "wound down: windows not cleared fill nothing" in text


def test_market__nobody_cleared_for_days__says_what_to_do(run: Run, village: Village) -> None:
    village.travel_to(village.window + 300)
    village.w3.provider.make_request("evm_mine", [])  # type: ignore[arg-type]
    out = run("market").out
    assert "takes no orders yet; clear first" in out and "The book is empty." in out
    village.clear()
    assert "takes no orders yet" not in run("market").out


@pytest.mark.parametrize(
    ("window", "code", "says"),
    [
        ("soon", 2, "'soon' is no time; write it like 14:00"),
        ("2026-01-01", 2, "has no time of day"),
        ("2041-01-01T00:05", 2, "the two nearest starts are"),
        ("2041-01-01T00:00", 6, "lies beyond it; choose an earlier window"),
    ],
)
def test_market__bad_window__one_line(run: Run, village: Village, window: str, code: int, says: str) -> None:
    ran = run("market", "--window", window, expect=code)
    assert says in ran.err and ran.err.count("\n") == 1 and not ran.out


# Watch


def watched(run: Run, *arguments: object) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run("watch", "--json", *arguments).out.splitlines()]


def test_watch__once__a_line_for_each_log_with_its_fields(run: Run, village: Village) -> None:
    start = village.w3.eth.block_number
    live(village)
    blocks = village.w3.eth.block_number - start
    news = watched(run, "--once", "--blocks", blocks)
    for entry in news:
        assert list(entry) == [*COMMON_KEYS.split(), *NEWS_KEYS[entry["event"]].split()]
        assert entry["time_s"] == village.w3.eth.get_block(entry["block_number"])["timestamp"]
    assert [entry["event"] for entry in news[:4]] == ["rated_set", "deposited", "withdrawn", "order_placed"]
    burnt, cut = [entry for entry in news if entry["event"] == "order_cancelled"]
    assert (burnt["burnt_nonce"], burnt["first_window"]) == (39, None) and cut["first_window"] == cut["last_window"]
    report = next(entry for entry in news if entry["event"] == "report_settled")
    assert (report["register"], report["register_wh"], report["settled_windows"]) == ("export", 2850, 3)
    lines = run("watch", "--once", "--blocks", blocks).out.splitlines()
    assert len(lines) == len(news)
    assert any("order    0x" in line and "buys 777 Wh in each of 3 windows, " in line for line in lines)
    assert any("burns order number 39" in line for line in lines)
    assert any("no trade; 1 kWh offered, nothing bid" in line for line in lines)
    mine = watched(run, "--once", "--blocks", blocks, "--account", CHIDI.account)
    assert {entry.get("account") for entry in mine} == {None, CHIDI.account}
    assert [entry["event"] for entry in mine].count("window_cleared") == 6


def test_news__of_every_name__has_promised_fields() -> None:
    def snake(name: str) -> str:
        return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")

    assert {snake(name) for name in NEWS} == set(NEWS_KEYS)


class Script:
    """Stands for the pause between two looks: does the next thing, then presses Ctrl-C."""

    def __init__(self, *steps: Callable[[], object]) -> None:
        self.steps = list(steps)
        self.pauses: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if not self.steps:
            raise KeyboardInterrupt
        self.steps.pop(0)()


def test_watch__ctrl_c__follows_until_then_and_ends_well(
    run: Run, village: Village, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = village.window + 2
    script = Script(
        lambda: village.bid(BOLA, window, window, "1 kWh", "150"),
        lambda: None,
        lambda: village.offer(ADA, window, window, "1 kWh", "100"),
    )
    monkeypatch.setattr(watch, "_pause", script)
    news = watched(run, "--blocks", "0", "--every", "7")
    assert [(entry["event"], entry["side"]) for entry in news] == [("order_placed", "buy"), ("order_placed", "sell")]
    assert script.pauses == [7.0] * 4


def test_watch__node_gone_for_a_while__says_so_retries_and_misses_nothing(
    run: Run, village: Village, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = village.window + 2
    look, failures = Follower.look, [NobodyAnswers("refused"), OSError("reset")]

    def flaky(self: Follower) -> Any:
        # After the first look.
        if len(script.steps) < 3 and failures:
            raise failures.pop(0)
        return look(self)

    script = Script(lambda: village.bid(BOLA, window, window, "1 kWh", "150"), lambda: None, lambda: None)
    monkeypatch.setattr(watch, "_pause", script)
    monkeypatch.setattr(Follower, "look", flaky)
    ran = run("watch", "--json", "--blocks", "0")
    assert [json.loads(line)["event"] for line in ran.out.splitlines()] == ["order_placed"]
    said = [line.removeprefix("peerwatt: ") for line in ran.err.splitlines()]
    assert said == [
        "the node does not answer (ConnectionError); trying again in 1 s",
        "the node does not answer (OSError); trying again in 2 s",
        "the node is back",
    ]
    assert script.pauses == [2.0, 1.0, 2.0, 2.0]


def test_watch__chain_reorganised__tells_what_took_the_place(
    run: Run, village: Village, monkeypatch: pytest.MonkeyPatch
) -> None:
    window, block = village.window + 2, village.w3.eth.block_number
    snapshot = village.chain.take_snapshot()

    def replace_block() -> None:
        village.chain.revert_to(snapshot)
        village.bid(BOLA, window, window, "2 kWh", "150")

    script = Script(lambda: village.bid(BOLA, window, window, "1 kWh", "150"), replace_block)
    monkeypatch.setattr(watch, "_pause", script)
    news = watched(run, "--blocks", "1")
    told = [(entry["event"], entry.get("energy_wh"), entry["block_number"]) for entry in news]
    assert told[-3:] == [
        ("order_placed", 1000, block + 1),
        ("reorg", None, block + 1),
        ("order_placed", 2000, block + 1),
    ]


def test_follower__chain_gets_shorter__begins_where_it_parted(village: Village) -> None:
    window, block = village.window + 2, village.w3.eth.block_number
    follower = Follower(village.gateway, block)
    follower.look()
    snapshot = village.chain.take_snapshot()
    for nonce in (1, 2, 3):
        village.bid(BOLA, window + nonce, window + nonce, "1 kWh", "150", nonce)
        assert len(follower.look().events) == 1
    village.chain.revert_to(snapshot)
    news = follower.look()
    assert (news.replaced_from, news.events, news.head.number) == (block + 1, (), block)
    village.bid(BOLA, window, window, "1 kWh", "150", 9)
    later = follower.look()
    assert later.replaced_from is None and [event.name for _, event in later.events] == ["OrderPlaced"]


def test_line__skipped_item__its_reason_in_words(village: Village) -> None:
    window = village.window + 2
    village.bid(BOLA, window, window, "1 kWh", "150")
    order = Order(BOLA.account, BOLA.meter, 0, window, window, 1000, 100, 1)
    item = relay.OrderItem.from_message(order, sign(order, village.domain, BOLA.account_key))
    village.gateway.relay(village.relayer, item.pack())
    ((time_s, event),) = Follower(village.gateway, village.w3.eth.block_number).look().events
    line = to_line(event, MarketClock(900, 300, time_s, UTC), village.grid)
    assert line.text.endswith(": offers: nonce used") and line.fields["index"] == 0
