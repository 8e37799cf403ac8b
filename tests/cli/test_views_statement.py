"""`peerwatt statement`, `trades` and `reputation` after a life that has everything."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from cli import village as villages
from cli.conftest import Run, move_in
from cli.life import Life, end, live
from cli.village import ADA, BOLA, CHIDI, HOMES, Home, Village, write_keystore
from peerwatt.cli.statement_text import paragraphs
from peerwatt.cli.views import Period
from peerwatt.market import history, statement
from peerwatt.market.clock import MarketClock
from peerwatt.market.sheet import make_sheet
from peerwatt.market.statement import read_account_history
from peerwatt.market.words import TableWord
from peerwatt.reference.reputation import SCORE_ONE
from peerwatt.study import runner
from peerwatt.study.runner import StudyOptions, play
from peerwatt.study.stage import Stage
from peerwatt.units import format_money

# Each band better than the one below: surcharge, haircut, rebate on the fee.
TABLES = [TableWord(tuple(bps)).encode() for bps in (range(400, 80, -20), range(240, 80, -10), range(0, 4800, 300))]
STATEMENT_KEYS = (
    "account block_number currency decimals from_window to_window retail_per_wh feed_in_per_wh feed_in_given "
    "windows movements totals wallet lifetime checked_acts differences"
)
ROW_KEYS = (
    "window start_s end_s side status mark ordered_wh limit_per_wh filled_wh price_per_wh imported_wh exported_wh "
    "delivered_wh shortfall_wh energy_amount adjustment_amount fee_amount shortfall_amount paid_amount "
    "received_amount score_after rating_after utility_import_amount utility_export_amount block_number "
    "transaction_hash"
)
TOTALS_KEYS = (
    "windows ordered_wh bought_wh sold_wh delivered_wh shortfall_wh energy_bought_amount energy_sold_amount "
    "surcharge_amount haircut_amount fee_amount shortfall_amount paid_amount received_amount utility_amount "
    "utility_unknown_windows"
)
TRADE_KEYS = (
    "window start_s end_s side status filled_wh delivered_wh price_per_wh paid_amount received_amount transaction_hash"
)
CLEARED_KEYS = (
    "window start_s end_s kind level price_per_wh traded_wh amount supply_wh demand_wh block_number transaction_hash"
)
REPUTATION_KEYS = (
    "account currency decimals enrolled score rating rated last_price_per_wh tariff_version now neutral next "
    "score_to_next moves"
)
TERMS_KEYS = "rating score_from surcharge_bps haircut_bps rebate_bps fee_per_wh buying_per_wh selling_per_wh"
MOVE_KEYS = "window start_s side status filled_wh delivered_wh imported_wh score_before score_after transaction_hash"


@pytest.fixture(scope="module")
def _life() -> Iterator[Life]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(villages, "TABLES", TABLES)
        village = Village()
        remember_logs(village, patch)
        yield live(village)


def remember_logs(village: Village, patch: pytest.MonkeyPatch) -> None:
    """eth-tester reads every receipt for every question; the same question about the same chain is asked once."""
    ask, known = village.w3.eth.get_logs, dict[str, Any]()

    def get_logs(wanted: Any) -> Any:
        key = f"{village.w3.eth.get_block('latest')['hash'].hex()} {wanted}"
        if key not in known:
            known[key] = ask(wanted)
        return known[key]

    patch.setattr(village.w3.eth, "get_logs", get_logs)


@pytest.fixture
def life(_life: Life, home_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Life:
    """The life before its end; only looked at."""
    move_in(_life.village, home_folder, monkeypatch)
    return _life


@pytest.fixture
def ended(life: Life) -> Iterator[Life]:
    """The life with its end."""
    snapshot = life.village.chain.take_snapshot()
    end(life)
    yield life
    life.village.chain.revert_to(snapshot)


def read(run: Run, who: Home | str, *arguments: object) -> Any:
    account = who if isinstance(who, str) else who.account
    return run("statement", "--json", "--account", account, *arguments).json


def check_money(village: Village, data: Any) -> None:
    """What came, went, was paid and received is the wallet, to the base unit."""
    wallet, whole = village.gateway.wallet(data["account"]), data["lifetime"]
    stored = (wallet.balance, wallet.reserved, wallet.free, wallet.score)
    assert tuple(data["wallet"][name] for name in ("balance", "reserved", "free", "score")) == stored
    assert wallet.balance == (
        whole["deposited_amount"]
        - whole["withdrawn_amount"]
        + whole["credited_amount"]
        + whole["received_amount"]
        - whole["paid_amount"]
    )
    for name in ("paid_amount", "received_amount", "fee_amount", "shortfall_amount", "shortfall_wh"):
        rows = [row for row in data["windows"] if row["status"] not in ("open", "cleared")]
        assert data["totals"][name] == sum(row[name] or 0 for row in rows)
    assert data["differences"] == []


def test_statement__in_the_middle_of_life__totals_are_the_wallets(run: Run, life: Life) -> None:
    for home in HOMES:
        check_money(life.village, read(run, home))
    assert [row["status"] for row in read(run, ADA)["windows"]] == [*["reported"] * 3, *["cleared"] * 3, "open"]


def test_statement__at_the_end__all_wallets_add_up_to_the_tokens(run: Run, ended: Life) -> None:
    village = ended.village
    everybody = [*(home.account for home in HOMES), *village.chain.accounts[2:4]]
    statements = [read(run, account) for account in everybody]
    for data in statements:
        check_money(village, data)
    held = village.gateway.token_balance(village.deployment.market)
    assert sum(data["wallet"]["balance"] for data in statements) == held
    balancing = statements[3]["lifetime"]["credited_amount"]
    assert balancing > 0 and balancing + statements[4]["lifetime"]["credited_amount"] == sum(
        data["lifetime"]["paid_amount"] - data["lifetime"]["received_amount"] for data in statements
    )


def test_statement__seller__each_way_a_window_can_end(run: Run, ended: Life) -> None:
    rows = read(run, ADA)["windows"]
    told = [(row["window"] - ended.first, row["status"], row["mark"], row["filled_wh"]) for row in rows]
    assert told == [
        (0, "reported", None, 1000),
        (1, "reported", None, 1000),
        (2, "reported", "short", 1000),
        (3, "unfilled", "unfilled", 0),
        (4, "defaulted", "defaulted", 400),
        (6, "revoked", "revoked", 600),
    ]
    short, default, revoked = rows[2], rows[4], rows[5]
    price = short["price_per_wh"]
    # 240 bps at band 0, ten fewer for each band; ada began at 5000 points, band 8.
    haircut = -(-price * 160 // 10_000)
    assert (short["exported_wh"], short["delivered_wh"], short["shortfall_wh"]) == (700, 700, 300)
    assert short["energy_amount"] == 700 * price and short["adjustment_amount"] == 700 * haircut
    assert short["paid_amount"] == short["shortfall_amount"] == 300 * (225_000 - price)
    assert short["received_amount"] == 700 * (price - haircut)
    assert default["paid_amount"] == 400 * (225_000 - default["price_per_wh"]) and default["received_amount"] == 0
    assert default["score_after"] < rows[3]["score_after"]
    assert (revoked["paid_amount"], revoked["received_amount"], revoked["shortfall_wh"]) == (0, 0, 0)


def test_statement__buyers__unrated_ones_keep_their_meter_to_themselves(run: Run, life: Life) -> None:
    bola, chidi = read(run, BOLA), read(run, CHIDI)
    assert [row["imported_wh"] for row in bola["windows"]] == [None] * 5
    assert [row["imported_wh"] for row in chidi["windows"]] == [900, 200, 200]
    row = bola["windows"][0]
    price, fill_wh = row["price_per_wh"], row["filled_wh"]
    surcharge = -(-price * 240 // 10_000)
    fee = 8_000 * (10_000 - 2_400) // 10_000
    assert (row["mark"], row["fee_amount"], row["adjustment_amount"]) == ("in_part", fill_wh * fee, fill_wh * surcharge)
    assert row["paid_amount"] == fill_wh * (price + surcharge + fee)
    assert bola["totals"]["utility_unknown_windows"] == 4 and chidi["totals"]["utility_unknown_windows"] == 0


def test_statement__utility_bill__retail_for_the_rest_and_feed_in_for_what_is_over(run: Run, life: Life) -> None:
    retail, feed_in = 209_500, 60_000
    ada, chidi = read(run, ADA, "--feed-in", "60"), read(run, CHIDI, "--feed-in", "60 NGN/kWh")
    assert (ada["retail_per_wh"], ada["feed_in_per_wh"], ada["feed_in_given"]) == (retail, feed_in, True)
    assert [row["utility_export_amount"] for row in ada["windows"][:3]] == [-100 * feed_in, -50 * feed_in, 0]
    assert [row["utility_import_amount"] for row in ada["windows"][:3]] == [None] * 3
    fill_wh = chidi["windows"][0]["filled_wh"]
    amounts = [row["utility_import_amount"] for row in chidi["windows"]]
    assert amounts == [(900 - fill_wh) * retail, *[-(fill_wh - 200) * feed_in] * 2]
    assert chidi["totals"]["utility_amount"] == sum(amounts)
    without = read(run, ADA)
    assert (without["feed_in_per_wh"], without["feed_in_given"]) == (61_500, False)


def register_file(life: Life, imported_kwh: list[str]) -> Path:
    path = Path("registers.csv")
    lines = [f"{(life.first + at) * 900},{register}" for at, register in enumerate(imported_kwh)]
    path.write_text("\n".join(["time,1-0:1.8.0*255 [kWh]", *lines]) + "\n")
    return path


def test_statement__registers_of_the_meter__say_what_the_chain_does_not(run: Run, life: Life) -> None:
    path = register_file(life, ["12.000", "12.900", "13.000", "13.438"])
    data = read(run, BOLA, "--registers", path, "--feed-in", "60")
    fill_wh = data["windows"][0]["filled_wh"]
    assert [row["imported_wh"] for row in data["windows"]] == [900, 100, 438, None, None]
    amounts = [row["utility_import_amount"] for row in data["windows"]]
    assert amounts[:2] == [(900 - fill_wh) * 209_500, -(fill_wh - 100) * 60_000] and amounts[3:] == [None, None]
    assert data["totals"]["utility_unknown_windows"] == 1
    out = run("statement", "--account", BOLA.account, "--registers", path).out
    assert out.count("  your meter knows") == 1 and "In 1 settled window only your meter knows" in out


def test_statement__registers_of_another_meter__refused(run: Run, life: Life) -> None:
    path = register_file(life, ["0", "0.9", "1.0", "1.3"])
    ran = run("statement", "--account", CHIDI.account, "--registers", path, expect=2)
    assert "100 Wh imported in the file and 200 Wh in the meter's report" in ran.err
    run("statement", "--account", CHIDI.account, "--registers", "nowhere.csv", expect=3)


def test_statement__json__fields_are_those_promised(run: Run, life: Life) -> None:
    data = read(run, ADA)
    assert list(data) == STATEMENT_KEYS.split()
    assert all(list(row) == ROW_KEYS.split() for row in data["windows"])
    assert list(data["totals"]) == TOTALS_KEYS.split()
    assert list(data["wallet"]) == ["balance", "reserved", "free", "score", "rating", "rated"]
    movement = ["kind", "amount", "time_s", "block_number", "transaction_hash"]
    assert [list(entry) for entry in data["movements"]] == [movement] * 3
    assert [entry["kind"] for entry in data["movements"]] == ["deposit", "deposit", "withdrawal"]
    whole = "deposited_amount withdrawn_amount credited_amount paid_amount received_amount"
    assert list(data["lifetime"]) == whole.split()


def test_statement__parts_of_time__add_up_to_the_whole(run: Run, life: Life) -> None:
    middle = datetime.fromtimestamp((life.first + 2) * 900, UTC).isoformat()
    whole, before, after = read(run, ADA), read(run, ADA, "--to", middle), read(run, ADA, "--from", middle)
    assert before["windows"] + after["windows"] == whole["windows"]
    assert len(before["windows"]) == 2 and before["to_window"] == life.first + 1
    assert after["from_window"] == life.first + 2
    for name in TOTALS_KEYS.split():
        assert before["totals"][name] + after["totals"][name] == whole["totals"][name], name
    assert before["wallet"] == whole["wallet"]
    assert before["movements"] == whole["movements"] and after["movements"] == []


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--from", "yesterday"), 2, "'yesterday' is no time; write it like 14:00"),
        (("--from", "2026-02-30"), 2, "'2026-02-30' is no day; write it like"),
        (("--from", "2030-01-02", "--to", "2030-01-01"), 2, "give a later end"),
        (("--feed-in", "60 EUR/kWh"), 2, "is not in the market's money"),
        (("--account", "nobody"), 5, "nobody"),
    ],
)
def test_statement__bad_input__one_line(run: Run, life: Life, arguments: tuple[str, ...], code: int, says: str) -> None:
    ran = run("statement", "--account", ADA.account, *arguments, expect=code)
    assert says in ran.err and ran.err.count("\n") == 1 and not ran.out


def test_statement__text__what_went_wrong_stands_out_on_a_terminal_only(run: Run, ended: Life) -> None:
    out = run("statement", "--account", ADA.account).out
    lines = {line.split()[0] + line.split()[1]: line for line in out.splitlines() if " sell " in line}
    ends = [line.rsplit("  ", 1)[1].strip() for line in lines.values()]
    assert ends[2:] == ["short 300 Wh", "unfilled", "default: no report came, short 400 Wh", "revoked"]
    assert "\x1b" not in out
    gateway = ended.village.gateway
    balance = format_money(gateway.wallet(ADA.account).balance, ended.village.grid)
    assert f"Balance {balance}, of it reserved 0.00 NGN" in out and "equal to the contract at block" in out
    sheet = make_sheet(gateway, read_account_history(gateway, ADA.account), None, None, {}, None)
    clock = MarketClock(900, 300, ended.village.chain.time_s, UTC)
    rows = paragraphs(sheet, clock, ended.village.grid)[0].splitlines()[2:]
    assert ["\x1b[31m" in row for row in rows] == [False, False, True, False, True, True]
    assert "\x1b[33m" in rows[3]


def test_statement__a_log_is_missing__says_so_and_ends_with_1(
    run: Run, life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_a_deposit(*arguments: Any) -> list[Any]:
        events = history.read_account_events(*arguments)
        missing = max(index for index, event in enumerate(events) if event.name == "Deposited")
        return events[:missing] + events[missing + 1 :]

    monkeypatch.setattr(statement, "read_account_events", without_a_deposit)
    ran = run("statement", "--json", "--account", ADA.account, expect=1)
    assert "the logs, the market's rules and the contract disagree about" in ran.err
    assert "Do not rely on these figures" in ran.err and ran.err.count("\n") == 1
    assert len(ran.json["differences"]) == 2
    stored = life.village.gateway.wallet(ADA.account).balance
    expected = f"balance of {ADA.account} in the contract at block "
    assert ran.json["differences"][1].startswith(expected) and f" is {stored}, " in ran.json["differences"][1]
    assert "equal to the contract" not in run("statement", "--account", ADA.account, expect=1).out
    run("trades", "--mine", "--account", ADA.account, expect=1)
    run("reputation", "--account", ADA.account, expect=1)


def test_statement__one_key_in_the_folder__its_account_and_no_password(
    run: Run, life: Life, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ETH_PASSWORD")
    write_keystore(keys, "ada", ADA.account_key)
    assert run("statement", "--json").json["account"] == ADA.account
    assert run("trades", "--json", "--mine").json["account"] == ADA.account
    assert run("trades", "--json").json["account"] is None
    assert run("market", "--json").json["network_fees"] == [{"feeder": 0, "fee_per_wh": 8_000}]


def test_statement__stranger__an_empty_account(run: Run, life: Life) -> None:
    stranger = Home("stranger").account
    assert read(run, stranger)["windows"] == []
    out = run("statement", "--account", stranger).out
    assert "No window with an order in this time." in out and "Score" not in out


def test_statement__every_home_of_a_study__is_the_reference_line_by_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages: list[Stage] = []

    class Kept(Stage):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            stages.append(self)

    monkeypatch.setattr(runner, "Stage", Kept)
    play(StudyOptions(seed=5, out=tmp_path, consumers=4, prosumers=3, windows=2), Console(quiet=True))
    (stage,) = stages
    accounts = {entry.account for entry in stage.market.ledger}
    assert len(accounts) > 4
    for account in accounts:
        found = read_account_history(stage.gateway, stage.gateway.w3.to_checksum_address(account))
        assert found.differences == ()
        lines = [line for act in found.acts for line in act.settled]
        assert lines == [entry for entry in stage.market.ledger if entry.account == account]


def test_trades__of_the_market__windows_that_traded(run: Run, life: Life) -> None:
    data = run("trades", "--json").json
    assert list(data) == ["account", "currency", "decimals", "windows"] and data["account"] is None
    assert [row["window"] - life.first for row in data["windows"]] == [0, 1, 2, 4, 6]
    assert all(list(row) == CLEARED_KEYS.split() for row in data["windows"])
    row = data["windows"][3]
    assert (row["traded_wh"], row["supply_wh"], row["demand_wh"], row["kind"]) == (400, 700, 400, "offers_rationed")
    assert row["amount"] == 400 * row["price_per_wh"]
    assert run("trades", "--json", "--last", "2").json["windows"] == data["windows"][-2:]
    assert "5 windows, 4 kWh, worth " in run("trades").out
    later = run("trades", "--json", "--from", "2040-01-01").json
    assert later["windows"] == [] and "No window traded" in run("trades", "--from", "2040-01-01").out


def test_trades__mine__what_the_account_bought_or_sold(run: Run, life: Life) -> None:
    data = run("trades", "--json", "--account", BOLA.account).json
    assert data["account"] == BOLA.account and all(list(row) == TRADE_KEYS.split() for row in data["windows"])
    assert [row["window"] - life.first for row in data["windows"]] == [0, 1, 2, 4, 6]
    assert [row["status"] for row in data["windows"]] == [*["taken"] * 4, "cleared"]
    assert "not yet" in run("trades", "--account", BOLA.account).out
    assert "there is no key" in run("trades", "--mine", expect=5).err


def test_reputation__seller__what_it_costs_and_what_moved_it(run: Run, life: Life) -> None:
    data = run("reputation", "--json", "--account", ADA.account).json
    assert list(data) == REPUTATION_KEYS.split()
    assert all(list(data[name]) == TERMS_KEYS.split() for name in ("now", "neutral", "next"))
    assert all(list(move) == MOVE_KEYS.split() for move in data["moves"])
    assert [move["window"] - life.first for move in data["moves"]] == [0, 1, 2]
    assert data["moves"][0]["score_before"] == 5000 * SCORE_ONE and data["moves"][2]["score_after"] == data["score"]
    assert [later["score_before"] for later in data["moves"][1:]] == [
        earlier["score_after"] for earlier in data["moves"][:-1]
    ]
    price = data["last_price_per_wh"]
    assert price == run("trades", "--json", "--last", "1").json["windows"][0]["price_per_wh"]
    # Still band 8; the next is 9.
    assert (data["rating"], data["next"]["rating"]) == ("BBB+", "A-")
    assert data["now"]["surcharge_bps"] == 240 and data["next"]["surcharge_bps"] == 220
    fee = 8_000 * (10_000 - 2_700) // 10_000
    assert data["next"]["buying_per_wh"] == price + -(-price * 220 // 10_000) + fee
    assert data["next"]["selling_per_wh"] == price - -(-price * 150 // 10_000)
    assert data["score_to_next"] == 5625 * SCORE_ONE - data["score"]
    assert len(run("reputation", "--json", "--account", ADA.account, "--last", "1").json["moves"]) == 1


def test_reputation__text__compares_with_neutral_and_next(run: Run, life: Life) -> None:
    out = run("reputation", "--account", ADA.account).out
    assert out.startswith("BBB+: 5,")
    assert "compared with a neutral score buying costs the same and selling brings the same" in out
    assert "with A- instead of BBB+ buying costs 0." in out and "more." in out
    assert "Nothing has moved it yet." in run("reputation", "--account", BOLA.account).out
    stranger = run("reputation", "--account", Home("stranger").account).out
    assert "has no connection in this market now" in stranger


def test_period__with_and_without_bounds__contains_its_windows() -> None:
    assert 5 in Period(None, None) and 5 in Period(5, 5)
    assert 4 not in Period(5, None) and 6 not in Period(None, 5)
