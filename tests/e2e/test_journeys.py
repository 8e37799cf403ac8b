"""Journeys through the command, as a process, on a chain of each engine: what homes do, and what goes wrong."""

from __future__ import annotations

import json
import subprocess
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from e2e.people import Person, arrive, settle_in
from e2e.tools import RunningNode, find_tool, running_node

CAST_KEY = "0x" + "5a" * 32


@pytest.fixture(scope="module")
def market(local_chain: RunningNode, tmp_path_factory: pytest.TempPathFactory) -> Person:
    """A market with neighbours; whoever deployed it."""
    home = tmp_path_factory.mktemp("deployer") / "home"
    deployer = arrive(home, local_chain.url, home / "deployment.json")
    deployer.type("deploy", "--yes")
    deployer.type("seed")
    return deployer


@pytest.fixture(scope="module")
def seller(market: Person, tmp_path_factory: pytest.TempPathFactory) -> Person:
    """A home that feeds in, with 600 NGN in the market."""
    person = arrive(tmp_path_factory.mktemp("seller") / "home", market.url, market.manifest)
    return settle_in(person, 101, feeds_in=True)


@pytest.fixture(scope="module")
def buyer(market: Person, tmp_path_factory: pytest.TempPathFactory) -> Person:
    """A home that only consumes, with 600 NGN in the market."""
    person = arrive(tmp_path_factory.mktemp("buyer") / "home", market.url, market.manifest)
    return settle_in(person, 102, feeds_in=False)


def test_prosumer__offer_to_withdrawal__paid_for_what_the_meter_signed(market: Person, seller: Person) -> None:
    window = market.type("market", "--json").json["window"]
    placed = seller.type("sell", "1kWh", "--price", 91.5, "--json", "--yes").json
    assert placed["first_window"] == placed["last_window"] == window
    gate_s, start_s, end_s = (window * 900 + seconds for seconds in (-300, 0, 900))
    travel(seller, gate_s)
    seller.type("keeper", "--once")
    travel(seller, end_s)
    readings = [f"{iso(moment)}={register}" for moment, register in ((start_s, "20kWh"), (end_s, "20.9kWh"))]
    assert "100 Wh" in seller.type("meter", "report", *readings, "--yes").out
    (row,) = [row for row in seller.type("statement", "--json").json["windows"] if row["window"] == window]
    assert (row["filled_wh"], row["delivered_wh"], row["shortfall_wh"]) == (1_000, 900, 100)
    before = seller.type("wallet", "balance", "--json").json
    seller.type("wallet", "withdraw", "--all", "--yes")
    after = seller.type("wallet", "balance", "--json").json
    assert after["balance"] == after["reserved"] == 0
    assert after["tokens"] == before["tokens"] + before["balance"]
    seller.type("wallet", "deposit", "600 NGN", "--yes")


def test_consumer__bid__asked_first_then_paid_without_a_report(market: Person, buyer: Person) -> None:
    window = market.type("market", "--json").json["window"]
    no = buyer.type("buy", "400Wh", "--price", 180, input="n\n", expect=7)
    assert "You buy up to 400 Wh in the window" in no.out and "at most 72.00 NGN is reserved" in no.out
    assert buyer.type("orders", "--json").json["orders"] == []
    buyer.type("buy", "400Wh", "--price", 180, input="y\n")
    travel(buyer, window * 900 - 300)
    buyer.type("keeper", "--once")
    travel(buyer, (window + 1) * 900)
    buyer.type("keeper", "--once")
    (row,) = [row for row in buyer.type("statement", "--json").json["windows"] if row["window"] == window]
    assert row["filled_wh"] == 400
    assert buyer.type("wallet", "balance", "--json").json["reserved"] == 0


def test_agent_key__within_its_caps__trades_for_the_home_and_no_more(seller: Person) -> None:
    seller.type("wallet", "new", "ems", "--yes")
    agent = next(key for key in seller.type("wallet", "list", "--json").json if key["name"] == "ems")["address"]
    seller.type("faucet", "--account", "ems")
    caps = ("--max-buy", 100, "--min-sell", 90, "--max-reserve", "500 NGN")
    seller.type("wallet", "authorise", agent, "--for", "2h", *caps, "--yes")
    day_s = seller.type("market", "--json").json["now_s"] // 900 * 900 + 40 * 900
    far, later = (("--from", iso(day_s + at), "--to", iso(day_s + at + 900)) for at in (0, 900))
    placed = seller.type("sell", "200Wh", "--price", 95, *far, "--agent", "ems", "--json", "--yes").json
    assert placed["account"] == seller.account and placed["agent"] == agent
    line = seller.refused("sell", "200Wh", "--price", 89, *later, "--agent", "ems", "--yes", code=6)
    assert "the agent may sell at 90 NGN/kWh or more, 89 NGN/kWh is asked" in line
    seller.type("wallet", "revoke", agent, "--yes")
    seller.refused("sell", "200Wh", "--price", 95, *later, "--agent", "ems", "--yes", code=6)


def test_external_signer__typed_data_signed_by_cast__accepted(market: Person, buyer: Person, tmp_path: Path) -> None:
    cast = find_tool("cast")
    home = arrive(tmp_path / "cast", market.url, market.manifest)
    key_file = home.home / "key"
    key_file.write_text(CAST_KEY + "\n")
    key_file.chmod(0o600)
    home.type("wallet", "import", "cold", "--key-file", key_file)
    home.account = home.type("wallet", "list", "--json").json[0]["address"]
    home.type("faucet")
    home.type("meter", "new")
    home.type("join", "--imported", "1kWh", "--exported", "0kWh", "--out", "consent.json", "--yes")
    terms = ("--feeder", 0, "--import-limit", "5kWh", "--export-limit", "0kWh", "--meter-class", 1, "--retail-class", 0)
    home.type("operator", "enrol", "consent.json", "--connection", 103, "--status", "consuming", *terms, "--yes")
    home.type("wallet", "deposit", "300 NGN", "--yes")
    # From here on the key is elsewhere: only its address is known.
    (home.home / ".local/share/peerwatt/keys/cold").unlink()
    home.more["PEERWATT_ACCOUNT"] = home.account
    home.type("order", "build", "buy", "300Wh", "--price", 170, "--out", "order.json")
    signed = subprocess.run(
        [str(cast), "wallet", "sign", "--data", "--from-file", "order.json", "--private-key", CAST_KEY],
        cwd=home.home,
        env={name: value for name, value in home.environment.items() if name != "ETH_PASSWORD"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    # Another home pays the gas.
    submit = ("order", "submit", home.home / "order.json", "--signature", signed, "--yes", "--json")
    assert buyer.type(*submit).json["account"] == home.account
    assert home.type("orders", "--json").json["orders"][0]["energy_wh"] == 300
    tampered = json.loads((home.home / "order.json").read_text())
    tampered["message"]["energyWh"] = 301
    (home.home / "tampered.json").write_text(json.dumps(tampered))
    line = buyer.refused("order", "submit", home.home / "tampered.json", "--signature", signed, "--yes", code=6)
    assert "sign" in line


def test_what_goes_wrong__each__one_line_and_its_exit_code(market: Person, seller: Person, tmp_path: Path) -> None:
    sell = ("sell", "1kWh", "--price", 95, "--yes")
    wrong = seller.home / "wrong"
    wrong.write_text("not this\n")
    assert "the password is wrong" in seller.refused(*sell, "--password-file", wrong, code=5)
    line = seller.refused("sell", "5kWh", "--price", 61.5, "--windows", 20, "--yes", code=6)
    assert "deposit" in line and "free" in line
    assert "two nearest levels" in seller.refused("sell", "1kWh", "--price", 95.2, "--yes", code=2)
    now_s = market.type("market", "--json").json["now_s"]
    past = (iso(now_s // 900 * 900 - 900), iso(now_s // 900 * 900))
    line = seller.refused("sell", "1kWh", "--price", 95, "--from", past[0], "--to", past[1], "--yes", code=6)
    assert "gate" in line
    key = seller.home / ".local/share/peerwatt/keys/home"
    good = key.read_text()
    fields = json.loads(good)
    fields["crypto"]["ciphertext"] = "00" + fields["crypto"]["ciphertext"][2:]
    key.write_text(json.dumps(fields))
    try:
        assert "was damaged" in seller.refused(*sell, code=5)
    finally:
        key.write_text(good)
    assert "nobody answers at http://127.0.0.1:9" in seller.refused(*sell, "--rpc", "http://127.0.0.1:9", code=4)


def test_wrong_chain__manifest_of_another__says_so_and_sends_nothing(seller: Person) -> None:
    with running_node("eth-tester", "--chain-id", "1337") as other:
        line = seller.refused("sell", "1kWh", "--price", 95, "--yes", "--rpc", other.url, code=3)
        assert "31337" in line and "1337" in line
        assert other.w3.eth.block_number == 0


def travel(person: Person, time_s: int) -> None:
    person.type("travel", "--to", iso(time_s))


def iso(time_s: int) -> str:
    """A moment as the commands take it, in the zone of the journeys."""
    return datetime.fromtimestamp(time_s, ZoneInfo("Africa/Lagos")).strftime("%Y-%m-%dT%H:%M")
