"""Meter keys, and reports as arguments: from a register to a payment, and everything that is refused before signing."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path

import pytest
from eth_account import Account

from cli.conftest import Run
from cli.village import ADA, BOLA, CHIDI, PASSWORD, Home, Village, write_keystore
from peerwatt.market.accounts import read_account
from peerwatt.market.senders import KeyAccount
from peerwatt.wallet import keystores


@pytest.fixture
def meters(home_folder: Path) -> Path:
    """The folder of the meter keys, with ada's in it."""
    folder = home_folder / "data" / "peerwatt" / "meters"
    write_keystore(folder, "roof", ADA.meter_key)
    return folder


@pytest.fixture
def sale(village: Village, keys: Path, meters: Path) -> int:
    """A window in which ada sold 1 kWh to bola; cleared and just over. Chidi pays the gas."""
    write_keystore(keys, "chidi", CHIDI.account_key)
    window = village.window + 2
    village.offer(ADA, window, window, "1 kWh", "120")
    village.bid(BOLA, window, window, "1.5 kWh", "150")
    village.travel_to(window + 1, 60)
    village.clear()
    return window


def at(village: Village, window: int) -> str:
    """The start of a window, as it is written."""
    clock_s = window * 900 + 3600
    return f"{clock_s // 3600 % 24:02}:{clock_s // 60 % 60:02}"


def test_new__name__encrypted_and_says_what_it_may_do(
    run: Run, home_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home_folder / "password").write_text(PASSWORD)
    monkeypatch.setenv("ETH_PASSWORD", str(home_folder / "password"))
    monkeypatch.setattr(keystores, "SCRYPT_N", 2)
    ran = run("meter", "new", "--name", "cellar", "--json")
    path = home_folder / "data" / "peerwatt" / "meters" / "cellar"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert keystores.Keystore.open(path).unlock(PASSWORD).address == ran.json["address"]
    assert "holds no money" in ran.err and "your score stays" in ran.err
    assert run("meter", "list", "--json").json == [
        {"name": "cellar", "address": ran.json["address"], "file": str(path)}
    ]
    assert "exists; choose another name" in run("meter", "new", "--name", "cellar", expect=5).err


def test_list__none__says_how_to_make_one(run: Run) -> None:
    assert "peerwatt meter new" in run("meter", "list").out


def test_report__sold_and_short__paid_as_said(run: Run, village: Village, sale: int) -> None:
    before = read_account(village.gateway, ADA.account)
    registers = (f"{at(village, sale)}=2.1kWh", f"{at(village, sale + 1)}=3.05kWh")
    ran = run("meter", "report", *registers, "--json", input="y\n")
    after = read_account(village.gateway, ADA.account)
    # 950 of 1,000 Wh at 140.5 NGN/kWh less 1 %, and 50 Wh at 225 less 140.5: the worked trade.
    line = ran.json["windows"][0]
    assert line["window"] == sale and line["cause"] == "reported"
    assert line["received_amount"] == village.money("132.14025 NGN")
    assert line["paid_amount"] == village.money("4.225 NGN") and line["short_wh"] == 50
    assert after.wallet.balance - before.wallet.balance == village.money("127.91525 NGN")
    assert after.wallet.score == line["score_after"] and after.wallet.reserved == 0
    assert (after.exports.register_wh, after.exports.window) == (3050, sale + 1)
    assert "132.14025 NGN" in ran.err and "4.225 NGN" in ran.err and "105.00 NGN are no longer reserved" in ran.err
    receipt = village.w3.eth.get_transaction_receipt(ran.json["transactions"][0]["hash"])
    assert receipt["from"] == CHIDI.account and receipt["gasUsed"] == ran.json["transactions"][0]["gas_used"]
    assert ran.json["reports"][0]["windows"] == 1


def test_report__not_confirmed__nothing_sent(run: Run, village: Village, sale: int) -> None:
    registers = (f"{at(village, sale)}=2kWh", f"{at(village, sale + 1)}=3kWh")
    ran = run("meter", "report", *registers, input="n\n", expect=7)
    assert "sell 1 kWh" in ran.out and "139.095 NGN" in ran.out
    assert read_account(village.gateway, ADA.account).exports.register_wh == 0


def test_report__one_register_over_a_sale__names_the_times_that_are_needed(
    run: Run, village: Village, sale: int
) -> None:
    ran = run("meter", "report", "3.05kWh", "--yes", expect=6)
    assert f"give those at {at(village, sale)}, {at(village, sale + 1)}, each as TIME=REGISTER" in ran.err
    assert "sold in" in ran.err and "1 kWh" in ran.err


def test_report__register_that_did_not_move__known_in_between(run: Run, village: Village, sale: int) -> None:
    line = run("meter", "report", "0kWh", "--yes", "--json").json["windows"][0]
    assert (line["window"], line["delivered_wh"], line["short_wh"]) == (sale, 0, 1000)


def test_report__growth_of_each_window__settles(run: Run, village: Village, sale: int) -> None:
    first = read_account(village.gateway, ADA.account).exports.window
    growths = ["0.5kWh"] * (sale - first) + ["900Wh"]
    ran = run("meter", "report", "--growth", *growths, "--yes", "--json")
    assert ran.json["windows"][0]["delivered_wh"] == 900
    # Windows without an order are not shown.
    assert ran.json["reports"] == [
        {"side": "export", "first_window": sale, "windows": 1, "opening_wh": 500 * (sale - first),
         "closing_wh": 500 * (sale - first) + 900}
    ]  # fmt: skip


def test_report__no_order__only_the_newest_register(run: Run, village: Village, keys: Path, meters: Path) -> None:
    write_keystore(keys, "ada", ADA.account_key)
    village.travel_to(village.window + 5, 10)
    ran = run("meter", "report", "4.5kWh", "--json", input="y\n")
    assert ran.json["windows"] == [] and ran.json["reports"][0]["windows"] == 0
    assert read_account(village.gateway, ADA.account).exports.window == village.window
    assert "nobody is paid" in ran.err


def test_report__unrated_bid_before_the_sale__settled_on_the_way(
    run: Run, village: Village, keys: Path, meters: Path
) -> None:
    write_keystore(keys, "chidi", CHIDI.account_key)
    window = village.window + 2
    village.bid(ADA, window, window, "1 kWh", "150", nonce=2)
    village.offer(ADA, window + 1, window + 1, "1 kWh", "120", nonce=1)
    village.bid(BOLA, window, window + 1, "1 kWh", "150")
    village.travel_to(window + 2, 60)
    village.clear()
    registers = (f"{at(village, window + 1)}=1kWh", f"{at(village, window + 2)}=2kWh")
    ran = run("meter", "report", *registers, "--yes", "--json")
    assert [(line["window"], line["side"], line["cause"]) for line in ran.json["windows"]] == [
        (window, "buy", "unfilled"),
        (window + 1, "sell", "reported"),
    ]
    assert not list(read_account(village.gateway, ADA.account).open_windows)


def test_report__rated_buyer__imports_settle_and_exports_do_not(
    run: Run, village: Village, keys: Path, meters: Path
) -> None:
    write_keystore(keys, "chidi", CHIDI.account_key)
    write_keystore(meters, "flat", BOLA.meter_key)
    bola = KeyAccount(Account.from_key(BOLA.account_key))
    village.gateway.act(bola, village.gateway.registry.functions.rate(True))
    window = village.window + 2
    village.offer(ADA, window, window, "1 kWh", "120")
    village.bid(BOLA, window, window, "1 kWh", "150")
    village.travel_to(window + 1, 60)
    village.clear()
    registers = (f"{at(village, window)}=5kWh", f"{at(village, window + 1)}=5.2kWh")
    refused = run("meter", "report", *registers, "--meter", "flat", "--yes", expect=6)
    assert "the import register at both ends" in refused.err and "with --import" in refused.err
    line = run("meter", "report", *registers, "--import", "--meter", "flat", "--yes", "--json").json["windows"][0]
    assert (line["metered_wh"], line["filled_wh"]) == (200, 1000)
    score = read_account(village.gateway, BOLA.account).wallet.score
    assert score == line["score_after"] < line["score_before"]


SENSELESS = [
    (("two", "3kWh"), 2, "does not start with a number"),
    (("3.0001kWh",), 2, "not a whole number of Wh"),
    (("{sale}=1kWh", "2kWh"), 2, "some registers have a time and some have none"),
    (("{end}=1kWh", "{sale}=2kWh"), 2, "in the sequence of time"),
    (("14:07=1kWh",), 2, "inside a window of 15 minutes"),
    (("{sale}=2kWh", "{end}=1.5kWh"), 6, "falls from 2 kWh"),
    (("0kWh", "0kWh", "0kWh", "1kWh", "2kWh", "3kWh"), 6, "is still running"),
    (("{sale}=0Wh", "{end}=5000000000Wh"), 6, "a report holds up to"),
    (("300000000000kWh",), 2, "more than a meter counts"),
]


def test_report__senseless_registers__one_line_with_the_values(run: Run, village: Village, sale: int) -> None:
    times = {"sale": at(village, sale), "end": at(village, sale + 1)}
    for registers, code, says in SENSELESS:
        ran = run("meter", "report", *(text.format(**times) for text in registers), "--yes", expect=code)
        assert says in ran.err and ran.err.count("\n") == 1
    assert read_account(village.gateway, ADA.account).exports.register_wh == 0


def test_report__twice__nothing_newer(run: Run, village: Village, sale: int) -> None:
    registers = (f"{at(village, sale)}=2kWh", f"{at(village, sale + 1)}=3kWh")
    run("meter", "report", *registers, "--yes")
    again = run("meter", "report", *registers, "--yes", expect=6)
    assert f"the market has a reading of {at(village, sale + 1)}" in again.err
    other = run("meter", "report", f"{at(village, sale + 1)}=3.2kWh", "--yes", expect=6)
    assert "is 3 kWh in the market and 3.2 kWh in" in other.err
    village.travel_to(sale + 3)
    lower = run("meter", "report", "2.9kWh", "--yes", expect=6)
    assert "falls from 3 kWh (the market's last reading) to 2.9 kWh" in lower.err


def test_report__window_not_cleared__says_who_clears(run: Run, village: Village, keys: Path, meters: Path) -> None:
    write_keystore(keys, "chidi", CHIDI.account_key)
    window = village.window + 2
    village.offer(ADA, window, window, "1 kWh", "120")
    village.travel_to(window + 1, 60)
    registers = (f"{at(village, window)}=2kWh", f"{at(village, window + 1)}=3kWh")
    ran = run("meter", "report", *registers, "--yes", expect=6)
    assert "is not cleared yet" in ran.err and "peerwatt keeper --once" in ran.err


def test_report__meter_of_nobody__names_it(run: Run, village: Village, keys: Path, meters: Path) -> None:
    stranger = Home("stranger")
    write_keystore(meters, "new", stranger.meter_key)
    several = run("meter", "report", "1kWh", "--yes", expect=5)
    assert "several keys (new, roof); name one with --meter" in several.err
    unbound = run("meter", "report", "1kWh", "--meter", "new", "--yes", expect=6)
    assert f"the meter {stranger.meter} is bound to no account" in unbound.err
    assert "there is no key 'attic'" in run("meter", "report", "1kWh", "--meter", "attic", "--yes", expect=5).err


def test_report__home_moved_out__its_meter_counts_no_more(
    run: Run, village: Village, keys: Path, meters: Path
) -> None:
    write_keystore(keys, "chidi", CHIDI.account_key)
    village.gateway.act(village.operator, village.gateway.registry.functions.move_out(village.connection(ADA)))
    ran = run("meter", "report", "1kWh", "--yes", expect=6)
    assert f"the meter {ADA.meter} was bound to {ADA.account}, which has no meter by now" in ran.err


def test_submit__signed_elsewhere__anyone_relays_it_once(
    run: Run, village: Village, sale: int, home_folder: Path
) -> None:
    registers = (f"{at(village, sale)}=2kWh", f"{at(village, sale + 1)}=3kWh")
    run("meter", "report", *registers, "--sign-only", "signed.json", input="y\n")
    assert read_account(village.gateway, ADA.account).exports.register_wh == 0
    assert (
        "exists; name another file"
        in run("meter", "report", *registers, "--sign-only", "signed.json", "--yes", expect=3).err
    )
    (home_folder / "data" / "peerwatt" / "meters" / "roof").unlink()
    ran = run("meter", "submit", "signed.json", "--json", input="y\n")
    assert ran.json["windows"][0]["delivered_wh"] == 1000
    assert re.search(
        r"the market has the export register of \d\d:\d\d", run("meter", "submit", "signed.json", "--yes", expect=6).err
    )


def test_submit__bad_file__one_line(run: Run, village: Village, sale: int, home_folder: Path) -> None:
    run("meter", "report", "0kWh", "--sign-only", "signed.json", "--yes")
    path = home_folder / "signed.json"
    content = json.loads(path.read_text())
    for change, says in [
        ({"format": "letter"}, "no signed reports of version 1"),
        ({"domain": {}}, "name the right deployment"),
        ({"reports": []}, "of no or of several meters"),
        ({"reports": [{"message": {}, "signature": "0x"}]}, "has a report that is none"),
        ({"reports": [3]}, "has a report that is none"),
    ]:
        path.write_text(json.dumps({**content, **change}))
        ran = run("meter", "submit", "signed.json", "--yes", expect=3)
        assert says in ran.err and ran.err.count("\n") == 1
    path.write_text("{")
    assert "it is not JSON" in run("meter", "submit", "signed.json", "--yes", expect=3).err


def test_submit__changed_after_signing__the_market_would_refuse(
    run: Run, village: Village, sale: int, home_folder: Path
) -> None:
    run("meter", "report", "0kWh", "--sign-only", "signed.json", "--yes")
    path = home_folder / "signed.json"
    content = json.loads(path.read_text())
    content["reports"][0]["message"]["registers"][-1] = "1000"
    path.write_text(json.dumps(content))
    ran = run("meter", "submit", "signed.json", "--yes", expect=6)
    assert f"not signed by {ADA.meter.lower()}" in ran.err.lower()
