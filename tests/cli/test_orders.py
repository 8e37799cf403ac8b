"""Orders as people say them: what is said before signing, what the market then holds, what is shown afterwards."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cli.conftest import Run
from cli.traders import DAY_S, EMS, authorise
from cli.village import ADA, BOLA, CHIDI, Village
from peerwatt.cli import trading
from peerwatt.market import relay
from peerwatt.market.words import OrderWord
from peerwatt.signing import SELL


def test_buy__four_windows__said_in_words_then_in_the_market(traders: Village, run: Run) -> None:
    ran = run("buy", "1.2 kWh", "--price", "95", "--from", "14:00", "--to", "15:00", "--account", "bola", input="y\n")
    said, _, done = ran.out.partition("Sign and send it? [y/N] ")
    assert said == (
        "You buy up to 1.2 kWh in each of 4 windows, 14:00-15:00, at 95.00 NGN/kWh or less; "
        "at most 456.00 NGN is reserved.\n"
        "  in the book  86.00 NGN/kWh; with 1 % surcharge and 8.00 NGN/kWh network fee you pay up to 94.86 NGN/kWh\n"
        "  gate         13:55, in 53 min 59 s\n"
        "  free money   500.00 NGN now, 44.00 NGN after\n"
        f"  order        nonce 1, meter {BOLA.meter}\n"
        f"  signed by    {BOLA.account}\n"
        "  times        Africa/Lagos (UTC+01:00)\n"
        "Fees: about 0.00021 ETH, for one transaction.\n"
    )
    assert done.startswith("Order 1 is in the market for 14:00-15:00 (slot 1, transaction 0x")
    assert traders.gateway.wallet(BOLA.account).reserved == traders.money("456 NGN")


def test_sell__one_window__the_shortfall_is_said_and_json_is_what_the_chain_has(traders: Village, run: Run) -> None:
    arguments = ("sell", "2.5kWh", "--price", "95 NGN/kWh", "--account", "ada", "--json", "--nonce", "37")
    ran = run(*arguments, input="yes\n")
    assert ran.err.startswith(
        "You sell up to 2.5 kWh in the window 13:15-13:30, at 95.00 NGN/kWh or more; "
        "at most 325.00 NGN is reserved for energy that you sell and do not deliver.\n"
        "  in the book  96.00 NGN/kWh; after 1 % haircut you get 95.04 NGN/kWh or more\n"
        "  shortfall    what you sell and do not deliver costs up to 130.00 NGN/kWh: 225.00 NGN/kWh less your limit\n"
        "  gate         13:10, in 8 min 59 s\n"
    )
    order, data = traders.gateway.order(ADA.account, 5), ran.json
    receipt = traders.w3.eth.get_transaction_receipt(data.pop("transaction"))
    assert data == {
        "account": ADA.account,
        "agent": None,
        "meter": ADA.meter,
        "side": "sell",
        "nonce": 37,
        "slot": 5,
        "energy_wh": 2500,
        "limit_level": 67,
        "limit_price_per_wh": 95_000,
        "first_window": order.first,
        "last_window": order.first,
        "starts_s": order.first * 900,
        "ends_s": order.first * 900 + 900,
        "gate_s": order.first * 900 - 300,
        "effective_level": order.effective_level,
        "effective_price_per_wh": 96_000,
        "adjustment_bps": 100,
        "fee_per_wh": 0,
        "reserved": traders.gateway.wallet(ADA.account).reserved,
        "block": receipt["blockNumber"],
        "gas": receipt["gasUsed"],
        "fee_wei": receipt["gasUsed"] * receipt["effectiveGasPrice"],
    }
    assert order.nonce == 37 and order.count == 1 and order.side == SELL
    assert receipt["from"] == ADA.account


def test_buy__not_confirmed__nothing_is_sent(traders: Village, run: Run) -> None:
    before = traders.w3.eth.block_number
    ran = run("buy", "1kWh", "--price", "95", "--account", "bola", input="\n", expect=7)
    assert ran.err == "peerwatt: not confirmed; nothing was sent\n"
    assert "nobody is here to confirm" in run("buy", "1kWh", "--price", "95", "--account", "bola", expect=7).err
    assert traders.w3.eth.block_number == before


def test_buy__first_windows_too_late__said_and_left_out(traders: Village, run: Run) -> None:
    traders.chain.travel_to(traders.window * 900 + 11 * 60)
    ran = run("buy", "1kWh", "--price", "95", "--from", "13:15", "--to", "14:00", "--account", "bola", "--yes")
    assert "in each of 2 windows, 13:30-14:00" in ran.out
    assert "  too late     13:15-13:30: the gate has closed, the order starts at 13:30\n" in ran.out
    assert traders.gateway.order(BOLA.account, 1).count == 2


def test_buy__time_that_has_passed__is_tomorrows_and_shows_its_date(traders: Village, run: Run) -> None:
    arguments = ("buy", "1kWh", "--price", "95", "--from", "12:00", "--windows", "2", "--account", "bola")
    ran = run(*arguments, input="n\n", expect=7)
    tomorrow = datetime.fromtimestamp(traders.gateway.now_s() + DAY_S, UTC)
    assert f"in each of 2 windows, {tomorrow:%Y-%m-%d} 12:00-12:30, at" in ran.out


def test_windows__end_and_number_both__asks_for_one(traders: Village, run: Run) -> None:
    arguments = ("buy", "1kWh", "--price", "95", "--to", "15:00", "--windows", "2", "--account", "bola")
    assert "give one of them" in run(*arguments, expect=2).err


def test_agent__within_its_caps__signs_and_pays_for_the_account(traders: Village, run: Run) -> None:
    authorise(traders, BOLA, EMS)
    poor = run("buy", "1kWh", "--price", "95", "--account", "ems", "--for", "bola", "--yes", expect=6)
    assert poor.err.startswith(f"peerwatt: {EMS.account} has no gas money, and the chain asks for about ")
    traders.fund(EMS.account)
    ran = run("buy", "1kWh", "--price", "95", "--account", "ems", "--for", BOLA.account, "--yes", "--json")
    assert (ran.json["account"], ran.json["agent"]) == (BOLA.account, EMS.account)
    assert f"agent {EMS.account} for {BOLA.account}" in ran.err
    assert traders.w3.eth.get_transaction(ran.json["transaction"])["from"] == EMS.account
    # The same, said by the account's owner.
    ran = run("buy", "1kWh", "--price", "95", "--from", "14:00", "--account", BOLA.account, "--agent", "ems", "--yes")
    assert f"agent {EMS.account} for {BOLA.account}" in ran.out
    assert [order.count for order in read_orders(traders, BOLA.account)] == [1, 1]
    # And takes them back.
    ran = run("cancel", "--all", "--account", "ems", "--for", BOLA.account, "--yes", "--json")
    assert [row["nonce"] for row in ran.json["cancelled"]] == [2] and ran.json["agent"] == EMS.account


def read_orders(village: Village, account: str) -> list[OrderWord]:
    words = [village.gateway.order(account, slot) for slot in range(16)]
    return [word for word in words if word.nonce]


def test_orders__before_and_after_clearing_and_settling__status_and_fill(traders: Village, run: Run) -> None:
    first = traders.window + 1
    traders.offer(ADA, first, first + 1, "800 Wh", "80")
    traders.bid(BOLA, first, first + 2, "1 kWh", "120")
    assert run("orders", "--account", "bola").out == (
        "order  side  windows       each           limit     in the book  filled    reserved  status\n"
        "    1  buy   13:15-14:00  1 kWh  120.00 NGN/kWh  110.50 NGN/kWh    0 Wh  360.00 NGN  waiting for clearing\n"
    )
    traders.travel_to(first + 1)
    traders.clear()
    row = run("orders", "--account", "bola", "--json").json["orders"][0]
    assert row == {
        "nonce": 1,
        "side": "buy",
        "status": "cleared",
        "first_window": first,
        "windows": 3,
        "starts_s": first * 900,
        "ends_s": first * 900 + 2700,
        "energy_wh": 1000,
        "limit_level": 117,
        "limit_price_per_wh": 120_000,
        "effective_level": 98,
        "effective_price_per_wh": 110_500,
        "windows_waiting": 1,
        "windows_cleared": 2,
        "windows_settled": 0,
        "filled_wh": 1600,
        "reserved": traders.gateway.wallet(BOLA.account).reserved,
    }

    def last_row() -> str:
        return run("orders", "--account", "bola").out.splitlines()[1]

    assert last_row().endswith("1 waiting for clearing, 2 cleared")
    settle(traders, BOLA.account, 1)
    assert last_row().endswith("1 waiting for clearing, 1 cleared, 1 settled")
    traders.travel_to(first + 5)
    traders.clear()
    settle(traders, BOLA.account, 1)
    assert last_row().endswith("1.6 kWh  0.00 NGN  settled")
    assert run("orders", "--for", CHIDI.account, "--account", "bola").out.startswith("No open or recent order")
    # Of yesterday: only with --all.
    traders.travel_to(first + 200)
    assert run("orders", "--account", "bola").out.startswith("No open or recent order")
    assert "settled" in run("orders", "--account", "bola", "--all").out


def settle(village: Village, account: str, slot: int) -> None:
    item = relay.DueItem(account, 16, relay.pack_hints([slot]))
    village.gateway.relay(village.relayer, item.pack(), strict=True)


def test_cancel__of_four_windows__says_what_goes_what_stays_and_what_is_free(traders: Village, run: Run) -> None:
    first = traders.window + 1
    traders.bid(BOLA, first, first + 3, "1 kWh", "100")
    ran = run("cancel", "1", "--account", "bola", input="y\n")
    assert ran.out.startswith(
        "You cancel 3 windows, 13:30-14:15, of order 1, a bid of 1 kWh; 300.00 NGN is free again; 13:15-13:30 stays.\n"
    )
    assert "Cancelled 1; 300.00 NGN is free again (transaction 0x" in ran.out
    assert traders.gateway.wallet(BOLA.account).reserved == traders.money("100 NGN")
    ran = run("cancel", "1", "--account", "bola", "--yes", expect=6)
    assert ran.err == (
        "peerwatt: 13:15-13:30 of order 1 stays: a cancel takes back windows from 13:30 on; nothing was sent\n"
    )


def test_cancel__from_a_window__keeps_what_is_before(traders: Village, run: Run) -> None:
    first = traders.window + 1
    traders.bid(BOLA, first, first + 3, "1 kWh", "100")
    ran = run("cancel", "1", "--from-window", "14:00", "--account", "bola", "--yes", "--json")
    data = ran.json
    assert data["cancelled"] == [
        {
            "nonce": 1,
            "burnt": False,
            "windows_cancelled": 1,
            "cancelled_from_s": (first + 3) * 900,
            "windows_left": 3,
            "released": traders.money("100 NGN"),
        }
    ]
    assert traders.gateway.order(BOLA.account, 1).count == 3
    ran = run("cancel", "1", "--from-window", "16:00", "--account", "bola", "--yes", expect=6)
    assert ran.err == "peerwatt: order 1 ends at 14:00, before 16:00; choose an earlier window\n"


def test_cancel__all__one_transaction_and_what_cannot_be_is_left(traders: Village, run: Run) -> None:
    first = traders.window + 1
    for index in range(3):
        traders.bid(BOLA, first + index, first + index, "1 kWh", "100", nonce=index + 1)
    blocks = traders.w3.eth.block_number
    ran = run("cancel", "--all", "--account", "bola", input="y\n")
    assert ran.out.count("You cancel the window") == 2 and "Cancelled 2, 3; 200.00 NGN is free again" in ran.out
    assert traders.w3.eth.block_number == blocks + 1
    assert "no order has a window that can be cancelled" in run("cancel", "--all", "--account", "bola", expect=6).err
    assert "cancelled" in run("orders", "--account", "bola").out.splitlines()[-1]


def test_cancel__nonce_of_no_order__burns_it(traders: Village, run: Run) -> None:
    ran = run("cancel", "33", "--account", "bola", input="y\n")
    assert ran.out.startswith("No order has nonce 33: you make sure that none with nonce 33 or a lower one of its slot")
    assert traders.gateway.order(BOLA.account, 1).burnt == 33
    assert "nonce 33 is cancelled already" in run("cancel", "33", "--account", "bola", "--yes", expect=6).err
    assert "is not above 33" in run(
        "buy", "1kWh", "--price", "95", "--nonce", "17", "--account", "bola", "--yes", expect=6
    ).err


@pytest.mark.parametrize("arguments", [("cancel",), ("cancel", "1", "--all")])
def test_cancel__neither_or_both__asks_for_one(traders: Village, run: Run, arguments: tuple[str, ...]) -> None:
    assert "name one order by its nonce, or all with --all" in run(*arguments, "--account", "bola", expect=2).err


def test_cancel__one_came_too_late_meanwhile__the_others_are_cancelled(
    traders: Village, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = traders.window + 2
    for index in range(2):
        traders.bid(BOLA, first + index, first + index, "1 kWh", "100", nonce=index + 1)
    unlock = trading.Actor.unlock

    def slowly(actor: trading.Actor, session: object) -> object:
        traders.travel_to(first - 1)
        return unlock(actor, session)  # type: ignore[arg-type]

    monkeypatch.setattr(trading.Actor, "unlock", slowly)
    ran = run("cancel", "--all", "--account", "bola", "--yes", "--json")
    assert [row["nonce"] for row in ran.json["cancelled"]] == [2]
    assert "peerwatt: order 1: no window of the order can still be cut" in ran.err
