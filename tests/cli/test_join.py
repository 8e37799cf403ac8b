"""Joining: a consent file that the market takes, from keys here or a meter elsewhere."""

from __future__ import annotations

import json
import os
from dataclasses import astuple
from pathlib import Path

import pytest
from eth_account import Account

from cli.conftest import Run
from cli.secrets import guarded, line
from cli.village import ADA, FEEDER, METER_CLASS, RETAIL_CLASS, Home, Village, write_keystore
from peerwatt.market.words import FEEDING_IN
from peerwatt.operator.consent import Consent

DELE = Home("dele")
REGISTERS = ["--imported", "1234.567 kWh", "--exported", "89 Wh"]


@pytest.fixture
def meters(home_folder: Path) -> Path:
    return home_folder / "data" / "peerwatt" / "meters"


@pytest.fixture
def run(run: Run, village: Village, keys: Path, meters: Path) -> Run:
    """Commands of dele, who has a key and a meter and is not enrolled."""
    write_keystore(keys, "dele", DELE.account_key)
    write_keystore(meters, "roof", DELE.meter_key)
    return guarded(run, DELE.account_key.hex(), DELE.meter_key.hex())


def enrol(village: Village, consent: Consent) -> None:
    """As the operator does."""
    consent.check(village.domain, village.chain.time_s)
    call = village.gateway.registry.functions.enrol(
        village.connection(DELE),
        (5000, 5000, FEEDER, FEEDING_IN, METER_CLASS, RETAIL_CLASS),
        astuple(consent.enrolment),
        *consent.words,
    )
    village.gateway.act(village.operator, call)


def test_join__keys_of_account_and_meter__consent_that_the_market_takes(
    run: Run, village: Village, home_folder: Path
) -> None:
    ran = run("join", *REGISTERS, input="y\n")
    text = " ".join(ran.out.split())
    assert (
        f"You agree that {DELE.account} joins the market {village.deployment.market} on chain "
        f"{village.deployment.chain_id} with the meter {DELE.meter}, whose registers stand at 1234.567 kWh imported "
        "and 89 Wh exported. The operator can use it until " in text
    )
    assert "Sign with both keys? [y/N]" in text and "the file has no name and no place in it" in text
    path = home_folder / f"consent-{DELE.account[2:10].lower()}.json"
    assert path.name in text
    consent = Consent.load(path)
    message = consent.enrolment
    assert (message.account, message.meter) == (DELE.account, DELE.meter)
    assert (message.imported_wh, message.exported_wh) == (1_234_567, 89)
    assert abs(message.deadline - village.chain.time_s - 14 * 86_400) < 600
    assert set(json.loads(path.read_text())["message"]) == {
        "account",
        "meter",
        "importedWh",
        "exportedWh",
        "deadline",
    }
    enrol(village, consent)
    assert village.gateway.device(DELE.account).meter == DELE.meter
    assert village.gateway.imports(DELE.account).register_wh == 1_234_567
    assert village.gateway.exports(DELE.account).register_wh == 89
    refused = run("join", *REGISTERS, "--out", "again", expect=6)
    assert f"{DELE.account} is enrolled already" in line(refused)


def test_join__meter_elsewhere__signs_typed_data_and_brings_it_back(
    run: Run, village: Village, meters: Path, home_folder: Path
) -> None:
    (meters / "roof").unlink()
    asked = run("join", *REGISTERS, "--meter", DELE.meter, "--for", "2d", "--typed-data")
    typed = json.loads(asked.out)
    assert typed == run("join", *REGISTERS, "--meter", DELE.meter, "--until", until(asked.err), "--typed-data").json
    signature = bytes(Account.sign_typed_data(DELE.meter_key, full_message=typed).signature).hex()
    options = ["--meter", DELE.meter, "--until", until(asked.err), "--meter-signature", signature]
    done = run("join", *REGISTERS, *options, "--out", "c.json", "--yes", "--json").json
    assert done["file"] == "c.json" and done["message"] == typed["message"]
    enrol(village, Consent.load(home_folder / "c.json"))
    assert village.gateway.device(DELE.account).meter == DELE.meter


def until(said: str) -> str:
    """The deadline that the first step tells for the second."""
    return said.partition("--until ")[2].split()[0]


def test_join__meter_signed_something_else__says_what_to_do(run: Run, village: Village, home_folder: Path) -> None:
    asked = run("join", *REGISTERS, "--meter", DELE.meter, "--typed-data")
    typed = json.loads(asked.out)
    good = bytes(Account.sign_typed_data(DELE.meter_key, full_message=typed).signature).hex()
    other = bytes(Account.sign_typed_data(ADA.meter_key, full_message=typed).signature).hex()
    base = ["join", "--meter", DELE.meter, "--until", until(asked.err), "--yes", "--exported", "89 Wh"]
    for imported, signature in (("1234.568 kWh", good), ("1234.567 kWh", other)):
        ran = run(*base, "--imported", imported, "--meter-signature", signature, expect=6)
        assert f"--meter-signature is not the signature of {DELE.meter} for these registers and this" in ran.err
    ran = run(*base, "--imported", "1 kWh", "--meter-signature", "0x12", expect=2)
    assert "this has 1 bytes; give 65" in ran.err
    assert not list(home_folder.glob("consent*"))


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (["--imported", "12"], 2, "has no unit of energy; write Wh or kWh"),
        (["--imported", "0.0001 kWh"], 2, "is not a whole number of Wh"),
        (["--imported", "281474976710656 Wh"], 2, "is more than a meter counts"),
        (["--exported", "-- 5 kWh"], 2, "does not start with a number"),
        (["--for", "3 years"], 2, "is no duration; write it like 45min, 12h, 30d or 2w"),
        (["--for", "1d", "--until", "2099-01-01T00:00"], 2, "--for and --until say the same"),
        (["--until", "2020-01-01T00:00"], 2, "which is past; give a later time"),
        (["--meter", "0x123"], 2, "is '0x123', not an address"),
        (["--meter", DELE.account], 6, "a meter needs a key of its own"),
        (["--meter", ADA.meter], 6, "was bound before, and a meter's key binds once ever"),
        (["--meter", Home("nobody").meter], 5, "a meter that signs elsewhere gets what to sign from --typed-data"),
        (["--meter", "cellar"], 5, "there is no key 'cellar' in"),
        (["--meter-signature", "0x12"], 2, "give the one that the meter signed with --until"),
        (["--meter-signature", "0x12", "--until", "2099-01-01T00:00", "--typed-data"], 2, "give one of them"),
        (["--out", "password"], 3, "password exists; name another file with --out"),
        (["--meter-password-file", "gone"], 5, "the password file gone cannot be read"),
        (["--account", ADA.account], 6, f"{ADA.account} is enrolled already"),
    ],
)
def test_join__senseless__one_line(run: Run, home_folder: Path, options: list[str], code: int, says: str) -> None:
    before = set(os.listdir(home_folder))
    ran = run("join", *REGISTERS, *options, "--yes", expect=code)
    assert says in ran.err and ran.err.count("\n") == 1
    assert set(os.listdir(home_folder)) == before


def test_join__not_confirmed__no_file(run: Run, home_folder: Path) -> None:
    assert "not confirmed" in run("join", *REGISTERS, input="n\n", expect=7).err
    assert not list(home_folder.glob("consent*"))


def test_join__several_meters__names_them(run: Run, meters: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_keystore(meters, "cellar", ADA.meter_key)
    assert "there are several keys (cellar, roof); name one with --meter" in line(run("join", *REGISTERS, expect=5))
    monkeypatch.setenv("PEERWATT_METER", "roof")
    assert run("join", *REGISTERS, "--yes", "--json").json["message"]["meter"] == DELE.meter


def test_join__no_meter__says_how_to_make_one(run: Run, meters: Path) -> None:
    (meters / "roof").unlink()
    assert f"there is no key in {meters}; make one with: peerwatt meter new" in line(run("join", *REGISTERS, expect=5))


def test_join__meter_with_a_password_of_its_own__asked_from_its_file(run: Run, meters: Path, home_folder: Path) -> None:
    (meters / "roof").unlink()
    write_keystore(meters, "roof", DELE.meter_key, "another")
    (home_folder / "meterpass").write_text("another\n")
    assert "does not open: the password is wrong" in run("join", *REGISTERS, "--yes", expect=5).err
    run("join", *REGISTERS, "--yes", "--meter-password-file", "meterpass")
