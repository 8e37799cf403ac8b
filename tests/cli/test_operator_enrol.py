"""Enrolling homes: one by one, in lists with bad rows, again after an interruption; and moving them out."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
from eth_utils.crypto import keccak

from cli.conftest import Run
from cli.consents import NEWCOMERS, connection_of, write_consent
from cli.village import ADA, BOLA, CHIDI, NUMBERS, Home, Village, write_keystore
from peerwatt.cli.session import Session
from peerwatt.market import relay
from peerwatt.market.gateway import MarketGateway
from peerwatt.market.words import FEEDING_IN, ONLY_CONSUMING
from peerwatt.operator import enrolling
from peerwatt.operator.pseudonyms import SaltError, load_pseudonyms
from peerwatt.signing import Domain

DAYO, EFE, FEMI = NEWCOMERS
TERMS = ("--import-limit", "5kWh", "--export-limit", "16kW")


def test_enrol__one_home__pseudonym_and_terms_on_the_chain(run: Run, village: Village, home_folder: Path) -> None:
    write_consent(village, home_folder, DAYO)
    ran = run("operator", "enrol", "dayo.json", "--connection", "meter 4711", *TERMS, "--json", input="y\n")
    salt = home_folder / "data" / "peerwatt" / "operator" / "salt"
    assert stat.S_IMODE(salt.stat().st_mode) == 0o600 and "Keep a backup" in ran.err
    secret = bytes.fromhex(salt.read_text())
    assert connection_of(village, DAYO) == keccak(secret + b"meter 4711")
    assert secret.hex() not in ran.out + ran.err
    device = village.gateway.device(DAYO.account)
    assert (device.import_limit_wh, device.export_limit_wh, device.status) == (5000, 4000, FEEDING_IN)
    home = ran.json["homes"][0]
    assert home["outcome"] == "enrolled" and home["transaction"] == ran.json["transactions"][0]["hash"]
    again = run("operator", "enrol", "dayo.json", "--connection", " meter 4711 ", *TERMS, "--json")
    assert again.json["homes"][0]["outcome"] == "already enrolled" and again.json["transactions"] == []


def test_enrol__not_confirmed__nothing_sent(run: Run, village: Village, home_folder: Path) -> None:
    write_consent(village, home_folder, DAYO)
    ran = run("operator", "enrol", "dayo.json", "--connection", "1", *TERMS, input="n\n", expect=7)
    assert "feeding-in, up to 5 kWh in and 4 kWh out a window" in ran.out
    assert not any(connection_of(village, DAYO))


def write_list(folder: Path, lines: list[str]) -> None:
    header = "consent,connection,import_limit,export_limit,status,meter_class,retail_class"
    (folder / "homes.csv").write_text("\n".join([header, *lines]) + "\n")


def test_enrol__list_with_bad_rows__the_good_ones_are_enrolled(run: Run, village: Village, home_folder: Path) -> None:
    folder = home_folder / "consents"
    other = Domain(village.deployment.chain_id, village.deployment.token)
    bad = [Home(f"bad {i}") for i in range(7)]
    for home in NEWCOMERS:
        write_consent(village, folder, home)
    write_consent(village, folder, bad[0], domain=other)
    write_consent(village, folder, bad[1], deadline=village.chain.time_s - 1)
    write_consent(village, folder, bad[2], meter=ADA)
    write_consent(village, folder, bad[3], exported_wh=2**48)
    write_consent(village, folder, bad[4])
    write_consent(village, folder, bad[5])
    write_consent(village, folder, bad[6])
    write_consent(village, folder, BOLA, meter=Home("bola's second"))
    (folder / "junk.json").write_text("{")
    rows = [
        "consents/dayo.json,1,5kWh,0Wh,,,",
        "consents/junk.json,2,5kWh,0Wh,,,",
        "consents/gone.json,3,5kWh,0Wh,,,",
        "consents/bad 0.json,4,5kWh,0Wh,,,",
        "consents/bad 1.json,5,5kWh,0Wh,,,",
        "consents/bad 2.json,6,5kWh,0Wh,,,",
        "consents/bad 3.json,7,5kWh,0Wh,,,",
        "consents/bad 4.json,8,5kWh,0Wh,,7,",
        "consents/bad 5.json,9,5kWh,0Wh,,,3",
        "consents/bad 6.json,1,5kWh,0Wh,,,",
        "consents/bola.json,11,5kWh,0Wh,,,",
        "consents/efe.json,12,5kWh,5kWh,asleep,,",
        "consents/efe.json,,5kWh,5kWh,,,",
        "consents/efe.json,13,5 bananas,5kWh,,,",
        "consents/efe.json,14,5kWh,1kWh,consuming,0,0",
        "consents/efe.json,15,5kWh,1kWh,consuming,0,0",
        "consents/femi.json,16,5kWh,1kWh,,,,,more",
        f"consents/femi.json,0x{village.connection(ADA).hex()},5kWh,1kWh,,,",
    ]
    write_list(home_folder, rows)
    ran = run("operator", "enrol", "--csv", "homes.csv", "--yes", "--json", expect=6)
    outcomes = {home["place"]: home for home in ran.json["homes"]}
    enrolled = [place for place, home in outcomes.items() if home["outcome"] == "enrolled"]
    assert enrolled == ["line 2", "line 16"] and len(ran.json["transactions"]) == 1
    assert any(connection_of(village, DAYO)) and not any(connection_of(village, FEMI))
    assert village.gateway.device(EFE.account).status == ONLY_CONSUMING
    problems = {int(place.split()[1]): home["problem"] for place, home in outcomes.items() if home["problem"]}
    says = {
        3: "is no consent file, it is not JSON",
        4: "gone.json cannot be read",
        5: "have it signed for this one",
        6: "the deadline that account and meter signed has passed",
        7: f"the meter's address was bound once before, and binds once ever (meter={ADA.meter}, account={ADA.account})",
        8: "a register of the meter is 2^48 Wh or more",
        9: "the market does not accept the meter's class (meter_class=7, accepted=0, 1)",
        10: "(retail_class=3, classes_with_a_price=0)",
        11: "its connection is that of line 2 too",
        12: "the account has a meter or belongs to a connection",
        13: "the status is 'asleep'; write off, consuming, feeding-in",
        14: "the connection has no number",
        15: "unit 'bananas', which is none",
        17: "its account is that of line 16 too",
        18: "more columns than the header",
        19: f"the connection belongs to another account (connection=0x{village.connection(ADA).hex()}",
    }
    assert problems.keys() == says.keys()
    for line, text in says.items():
        assert text in problems[line], problems[line]
    assert "16 homes of 18 refused; line 3: " in ran.err.splitlines()[-1]


def test_enrol__dry_run__shows_and_sends_nothing(run: Run, village: Village, home_folder: Path) -> None:
    write_consent(village, home_folder, DAYO)
    write_list(home_folder, ["dayo.json,1,5kWh,1kWh,,,"])
    block = village.w3.eth.block_number
    ran = run("operator", "enrol", "--csv", "homes.csv", "--dry-run")
    assert "1 would be enrolled, 0 are already, 0 would be refused" in ran.out and DAYO.account in ran.out
    assert village.w3.eth.block_number == block


def test_enrol__interrupted__run_again_does_the_rest_once(
    run: Run, village: Village, home_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for home in NEWCOMERS:
        write_consent(village, home_folder, home)
    write_list(home_folder, [f"{home.name}.json,{index},5kWh,1kWh,,," for index, home in enumerate(NEWCOMERS)])
    monkeypatch.setattr(enrolling, "MAX_APPLICATIONS", 1)
    act, acts = MarketGateway.act, []

    def interrupted(gateway: MarketGateway, *arguments: Any, **options: Any) -> Any:
        acts.append(arguments)
        if len(acts) == 2:
            raise KeyboardInterrupt
        return act(gateway, *arguments, **options)

    monkeypatch.setattr(MarketGateway, "act", interrupted)
    assert "1 of 3 are enrolled" in run("operator", "enrol", "--csv", "homes.csv", "--yes", expect=130).out
    assert [any(connection_of(village, home)) for home in NEWCOMERS] == [True, False, False]
    ran = run("operator", "enrol", "--csv", "homes.csv", "--yes", "--json")
    assert [home["outcome"] for home in ran.json["homes"]] == ["already enrolled", "enrolled", "enrolled"]


def test_enrol__one_goes_bad_on_the_way__the_rest_of_its_batch_is_enrolled(
    run: Run, village: Village, home_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for home in NEWCOMERS:
        write_consent(village, home_folder, home)
    write_list(home_folder, [f"{home.name}.json,{index},5kWh,1kWh,,," for index, home in enumerate(NEWCOMERS)])
    check = enrolling.check_rows

    def check_then_lose(gateway: MarketGateway, operator: str, rows: Any) -> None:
        check(gateway, operator, rows)
        village.enrol(EFE)

    monkeypatch.setattr(enrolling, "check_rows", check_then_lose)
    ran = run("operator", "enrol", "--csv", "homes.csv", "--yes", "--json", expect=6)
    assert [home["outcome"] for home in ran.json["homes"]] == ["enrolled", "refused", "enrolled"]
    assert f"account={EFE.account}" in ran.json["homes"][1]["problem"]


def test_enrol__not_the_operator__says_who_is(run: Run, village: Village, home_folder: Path, keys: Path) -> None:
    write_keystore(keys, "bola", BOLA.account_key)
    write_consent(village, home_folder, DAYO)
    ran = run("operator", "enrol", "dayo.json", "--connection", "1", *TERMS, "--account", "bola", "--yes", expect=6)
    assert f"only {village.operator.address} may do this, and --account is {BOLA.account}" in ran.err


def test_enrol__paused__nobody(run: Run, village: Village, home_folder: Path) -> None:
    write_consent(village, home_folder, DAYO)
    run("operator", "pause", "--yes")
    ran = run("operator", "enrol", "dayo.json", "--connection", "1", *TERMS, "--yes", expect=6)
    assert "the regulator paused enrolments" in ran.err


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ((), 2, "give consent files, or a list"),
        (("dayo.json",), 2, "there are 1 consents and 0 numbers"),
        (("dayo.json", "--connection", "1"), 6, "the import limit is missing; give it like 5kWh"),
        (("--csv", "gone.csv"), 3, "gone.csv cannot be read"),
        (("--csv", "bad.csv"), 3, "consent and connection are needed"),
    ],
)
def test_enrol__senseless_command_line__one_line(
    run: Run, village: Village, home_folder: Path, arguments: tuple[str, ...], code: int, says: str
) -> None:
    write_consent(village, home_folder, DAYO)
    (home_folder / "bad.csv").write_text("consent,place,connection\n")
    ran = run("operator", "enrol", *arguments, "--yes", expect=code)
    assert says in ran.err and ran.err.count("\n") == 1


def test_salt__lost_or_damaged__not_made_anew(tmp_path: Path) -> None:
    with pytest.raises(SaltError, match="copy the file from where you enrolled"):
        load_pseudonyms(tmp_path / "salt")
    (tmp_path / "salt").write_text("abc")
    with pytest.raises(SaltError, match="holds no salt") as error:
        load_pseudonyms(tmp_path / "salt")
    assert "abc" not in str(error.value)


def test_enrol__homes_and_no_salt__refused_where_the_operator_is_no_toy(
    run: Run, village: Village, home_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_consent(village, home_folder, DAYO)
    monkeypatch.setattr(Session, "is_unlocked", lambda session, address: False)
    ran = run("operator", "enrol", "dayo.json", "--connection", "1", *TERMS, "--dry-run", expect=3)
    assert "there is no salt for connection numbers" in ran.err
    ran = run("operator", "enrol", "dayo.json", "--connection", "1", *TERMS, "--dry-run", "--new-salt")
    assert "1 would be enrolled" in ran.out


def test_move_out__lost_key__score_goes_to_the_next_account_and_money_stays(
    run: Run, village: Village, home_folder: Path
) -> None:
    window = village.window + 2
    village.offer(ADA, window, window, "1 kWh", "120")
    village.bid(BOLA, window, window, "1 kWh", "150")
    busy = run("operator", "move-out", ADA.account, "--yes", expect=6)
    assert f"{ADA.account} has 1 window to settle" in busy.err
    village.travel_to(window + 1)
    village.clear()
    village.travel_to(window + 2, NUMBERS.report_deadline_seconds)
    village.gateway.relay(village.relayer, relay.DueItem(ADA.account, 1, relay.pack_hints([1])).pack(), strict=True)
    before = village.gateway.wallet(ADA.account)
    assert before.score < 5000 * 65536
    ran = run("operator", "move-out", ADA.account, input="y\n")
    assert "nobody gets at money whose key is lost" in ran.out and not any(connection_of(village, ADA))
    pseudonym = f"0x{village.connection(ADA).hex()}"
    assert "nobody holds the connection" in run("operator", "move-out", pseudonym, "--yes", expect=6).err
    write_consent(village, home_folder, EFE)
    run("operator", "enrol", "efe.json", "--connection", pseudonym, *TERMS, "--yes")
    after = village.gateway.wallet(EFE.account)
    assert (after.score, after.balance) == (before.score, 0)
    assert village.gateway.wallet(ADA.account).balance == before.balance > 0


def test_move_out__unknown_number__names_its_pseudonym(run: Run, village: Village, home_folder: Path) -> None:
    write_consent(village, home_folder, DAYO)
    run("operator", "enrol", "dayo.json", "--connection", "7", *TERMS, "--yes")
    ran = run("operator", "move-out", "8", "--yes", expect=6)
    assert "nobody was ever enrolled for the connection '8' (pseudonym 0x" in ran.err
    run("operator", "move-out", " 7", "--yes")
    assert not any(connection_of(village, DAYO))


def test_revoke__by_account__device_gone(run: Run, village: Village) -> None:
    ran = run("operator", "revoke", CHIDI.account, "--json", input="y\n")
    assert ran.json["account"] == CHIDI.account and "is cut off now" in ran.err
    assert village.gateway.device(CHIDI.account).encode() == 0
    assert "has no meter bound" in run("operator", "revoke", CHIDI.account, "--yes", expect=6).err
