"""What would be refused is refused before anything is signed: the fact, the values, the next step."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from eth_account.signers.local import LocalAccount

from cli.conftest import Run
from cli.traders import DAY_S, EMS, authorise, key_of
from cli.village import ADA, BOLA, CHIDI, FEEDER, METER_CLASS, RETAIL_CLASS, Home, Village, write_keystore
from peerwatt.cli import trading
from peerwatt.cli.session import Session
from peerwatt.signing import BUY

STRANGER = Home("stranger")
BID = ("buy", "1kWh", "--price", "95", "--account", "bola", "--yes")
OFFER = ("sell", "1kWh", "--price", "150", "--account", "ada", "--yes")


def refused(run: Run, *arguments: object) -> str:
    """The one line of a refusal before anything is said or signed."""
    ran = run(*arguments, expect=6)
    assert ran.out == "" and ran.err.count("\n") == 1
    return ran.err.removeprefix("peerwatt: ").removesuffix("\n")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("1", "--price", "95"), "'1' has no unit of energy; write Wh or kWh"),
        (("1.0005 kWh", "--price", "95"), "'1.0005 kWh' is not a whole number of Wh"),
        (("1kWh", "--price", "95.2"), "the two nearest levels are 95 NGN/kWh (level 67) and 95.5 NGN/kWh (level 68)"),
        (("1kWh", "--price", "20"), "the two nearest levels are 61.5 NGN/kWh (level 0) and 62 NGN/kWh (level 1)"),
        (("1kWh", "--price", "95 EUR/kWh"), "is not in the market's money"),
        (("1kWh", "--price", "95", "--from", "13:20"), "the two nearest starts are 13:15 and 13:30"),
        (("1kWh", "--price", "95", "--for", "0x12"), "the address is '0x12', not an address; give 0x and 40"),
        (("5000000 kWh", "--price", "95"), "energy_wh is 5000000000, outside 0 to 2^32 - 1"),
    ],
)
def test_buy__amount_price_or_time_without_sense__says_what_makes_sense(
    traders: Village, run: Run, arguments: tuple[str, ...], says: str
) -> None:
    ran = run("buy", *arguments, "--account", "bola", "--yes", expect=2)
    assert says in ran.err and ran.err.count("\n") == 1 and ran.out == ""


def test_buy__gate_closed__names_the_next_gate(traders: Village, run: Run) -> None:
    traders.chain.travel_to(traders.window * 900 + 11 * 60)
    assert refused(run, *BID, "--from", "13:15") == (
        "the gate of 13:15-13:30 closed at 13:10; the next open window is 13:30-13:45, "
        "its gate closes at 13:25, in 14 min"
    )
    yesterday = datetime.fromtimestamp(traders.gateway.now_s() - DAY_S, UTC)
    said = refused(run, *BID, "--from", f"{yesterday:%Y-%m-%d}T13:00", "--windows", "4")
    assert said.startswith(f"the gate of the last window, {yesterday:%Y-%m-%d} 13:45-14:00, closed at ")


def test_buy__gate_closes_while_the_password_is_typed__nothing_is_sent(
    traders: Village, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlock = trading.Actor.unlock

    def slowly(actor: trading.Actor, session: Session) -> LocalAccount:
        traders.travel_to(traders.window + 1)
        return unlock(actor, session)

    monkeypatch.setattr(trading.Actor, "unlock", slowly)
    sent = traders.w3.eth.get_transaction_count(BOLA.account)
    assert "the gate of 13:15-13:30 closed at 13:10" in run(*BID, expect=6).err
    assert traders.w3.eth.get_transaction_count(BOLA.account) == sent


def test_buy__too_far_ahead__says_how_far_is_possible(traders: Village, run: Run) -> None:
    day = datetime.fromtimestamp(traders.gateway.now_s() + 4 * DAY_S, UTC)
    said = refused(run, *BID, "--from", f"{day:%Y-%m-%d}T13:00")
    assert said.startswith(f"the order ends at {day:%Y-%m-%d} 13:15, and this account can order up to ")
    assert said.endswith("; choose an earlier end, or have overdue windows cleared and settled first")
    limit = said.partition("can order up to ")[2].partition(" now;")[0].replace(" ", "T")
    end = datetime.fromisoformat(f"{limit}+01:00").timestamp()
    start = datetime.fromtimestamp(end - 900, UTC)
    # That far it is possible.
    run(*BID, "--from", f"{start:%Y-%m-%dT%H:%M}+00:00")


def test_buy__nonce_and_windows_of_another_order__names_it_and_the_way_out(traders: Village, run: Run) -> None:
    first = traders.window + 1
    traders.bid(BOLA, first, first + 3, "100 Wh", "100")
    assert refused(run, *BID, "--from", "14:00") == (
        "order 1 of this account covers 13:15-14:15; choose other windows, or cancel it first: peerwatt cancel 1"
    )
    assert refused(run, *BID, "--from", "16:00", "--nonce", "1") == (
        "nonce 1 is not above 1, the last one of its slot; take 2, or leave the nonce out"
    )
    assert refused(run, *BID, "--from", "16:00", "--nonce", "17") == (
        "slot 1 of nonce 17 holds order 1, 13:15-14:15, which is not settled; take 2, or leave the nonce out"
    )
    for slot in range(15):
        traders.bid(BOLA, first + 4 + slot, first + 4 + slot, "100 Wh", "100", nonce=slot + 2)
    assert "all 16 orders of the account have a window to settle" in refused(run, *BID, "--from", "22:00")


def test_order__energy__bounds_envelope_and_feeder_scale(traders: Village, run: Run) -> None:
    arguments = ("--price", "95", "--yes")
    assert refused(run, "buy", "20Wh", *arguments, "--account", "bola") == (
        "20 Wh in each window is out of bounds; choose 50 Wh to 16777.215 kWh"
    )
    assert refused(run, "buy", "6 kWh", *arguments, "--account", "bola") == (
        "over the envelope: 6 kWh asked, 5 kWh allowed (limit 5 kWh x feeder scale 100 %); choose less in each window"
    )
    scale = traders.gateway.registry.functions.set_feeder_scale(FEEDER, 10_000, 3_333)
    traders.gateway.act(traders.operator, scale)
    assert "2 kWh asked, 1.666 kWh allowed (limit 5 kWh x feeder scale 33.33 %)" in refused(
        run, "sell", "2 kWh", *arguments, "--account", "ada"
    )


def test_order__money__says_how_much_to_deposit(traders: Village, run: Run) -> None:
    arguments = ("--price", "95", "--windows", "2", "--yes")
    assert refused(run, "buy", "3 kWh", *arguments, "--account", "bola") == (
        "not enough free money: 570.00 NGN needed, 500.00 NGN free; deposit 70.00 NGN more"
    )
    assert refused(run, "sell", "2 kWh", *arguments, "--account", "ada") == (
        "not enough free money: 520.00 NGN needed, 500.00 NGN free; deposit 20.00 NGN more"
    )
    traders.gateway.withdraw(key_of(BOLA), traders.money("380 NGN"))
    assert "456.00 NGN needed, 120.00 NGN free; deposit 336.00 NGN more" in refused(
        run, "buy", "1.2kWh", "--price", "95", "--windows", "4", "--yes", "--account", "bola"
    )


def test_order__limit_that_leaves_no_price__names_the_nearest_that_does(traders: Village, run: Run) -> None:
    assert refused(run, "buy", "1kWh", "--price", "65", "--account", "bola", "--yes") == (
        "no price of the grid keeps 65 NGN/kWh after 1 % surcharge and 8 NGN/kWh network fee; bid at least 70.5 NGN/kWh"
    )
    assert refused(run, "sell", "1kWh", "--price", "189", "--account", "ada", "--yes") == (
        "no price of the grid keeps 189 NGN/kWh after 1 % haircut; offer at most at 187 NGN/kWh"
    )
    run("buy", "1kWh", "--price", "70.5", "--account", "bola", "--yes")
    run("sell", "1kWh", "--price", "187", "--account", "ada", "--yes")


def test_order__connection__enrolled_status_and_reading(traders: Village, run: Run, keys: Path) -> None:
    write_keystore(keys, "stranger", STRANGER.account_key)
    assert refused(run, "buy", "1kWh", "--price", "95", "--account", "stranger", "--yes") == (
        f"{STRANGER.account} has no meter in this market, or was revoked; ask the operator to enrol the connection"
    )
    assert refused(run, "sell", "1kWh", "--price", "95", "--account", "bola", "--yes") == (
        "the connection may only consume, so it cannot sell; ask the operator to change its status"
    )
    terms = (5000, 5000, FEEDER, 0, METER_CLASS, RETAIL_CLASS)
    traders.gateway.act(traders.operator, traders.gateway.registry.functions.set_terms(BOLA.account, terms))
    assert "the connection is switched off, so it cannot buy" in refused(run, *BID)
    traders.chain.travel_to(traders.chain.time_s + 4 * DAY_S)
    traders.clear()
    said = refused(run, *OFFER)
    assert said.startswith("the export register was last read ") and "a seller's may be 4 d old" in said
    assert said.endswith("send a fresh report first: peerwatt meter report")


def test_order__market_paused__says_what_still_works(traders: Village, run: Run) -> None:
    traders.gateway.act(traders.regulator, traders.gateway.registry.functions.set_paused(True))
    assert refused(run, *BID) == (
        "the regulator paused new orders; wait until trading resumes; "
        "cancelling, settling and withdrawing work meanwhile"
    )


def test_agent__caps_expiry_and_none__named_with_their_values(traders: Village, run: Run) -> None:
    def said(side: str, price: str, *arguments: str, home: Home = BOLA) -> str:
        return refused(
            run, side, "1kWh", "--price", price, *arguments, "--account", "ems", "--for", home.account, "--yes"
        )

    assert said("buy", "95") == (
        f"the authority of agent {EMS.account} for {BOLA.account} was never given or was revoked; "
        "have the account run: peerwatt wallet authorise, or sign with the account itself"
    )
    authorise(traders, BOLA, EMS, reserve="150 NGN")
    authorise(traders, ADA, EMS)
    assert said("buy", "101").startswith("the agent may buy at 100 NGN/kWh or less, 101 NGN/kWh is asked; stay within")
    assert said("sell", "80", home=ADA).startswith("the agent may sell at 90 NGN/kWh or more, 80 NGN/kWh is asked;")
    assert said("buy", "95", "--windows", "2").startswith(
        "the account would have 190.00 NGN reserved, the agent may go up to 150.00 NGN; stay within it"
    )
    traders.order(BOLA, BUY, traders.window + 9, traders.window + 9, "1 kWh", "100")
    assert "the account would have 195.00 NGN reserved" in said("buy", "95")
    traders.chain.travel_to(traders.chain.time_s + DAY_S + 60)
    traders.clear()
    assert f"of agent {EMS.account} for {BOLA.account} ended 13:01" in said("buy", "95")


def test_agent__of_another_account__cannot_order_for_this_one(traders: Village, run: Run) -> None:
    authorise(traders, ADA, EMS)
    said = refused(run, *BID[:4], "--account", CHIDI.account, "--agent", "ems", "--yes")
    assert f"the authority of agent {EMS.account} for {CHIDI.account} was never given" in said
