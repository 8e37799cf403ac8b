"""The registry to a new market: what follows, what is done, and what stays behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.conftest import Run
from cli.consents import write_consent
from cli.village import ADA, BOLA, CHIDI, FEEDER, NUMBERS, Village
from peerwatt.market import relay
from peerwatt.market.deployment import Deployment, deploy_market
from peerwatt.market.gateway import MarketGateway
from peerwatt.market.words import FEEDING_IN
from peerwatt.signing import Domain


@pytest.fixture
def history(village: Village) -> None:
    """Ada defaulted once, so that she has a score of her own; chidi moved out."""
    window = village.window + 2
    village.offer(ADA, window, window, "1 kWh", "120")
    village.bid(BOLA, window, window, "1 kWh", "150")
    village.travel_to(window + 1)
    village.clear()
    village.travel_to(window + 2, NUMBERS.report_deadline_seconds)
    village.gateway.relay(village.relayer, relay.DueItem(ADA.account, 1, relay.pack_hints([1])).pack(), strict=True)
    village.gateway.act(village.operator, village.gateway.registry.functions.move_out(village.connection(CHIDI)))


def deploy_next(village: Village, folder: Path, predecessor: str | None) -> MarketGateway:
    """Another market with the same token on the same chain; its manifest is next.json."""
    old: Deployment = village.deployment
    deployment = deploy_market(
        village.w3, village.operator, NUMBERS, old.roles, token=old.token, predecessor=predecessor
    )
    deployment.save(folder / "next.json")
    return MarketGateway(village.w3, deployment)


def test_export__everything_of_the_registry__in_the_file(
    run: Run, village: Village, history: None, home_folder: Path
) -> None:
    ran = run("operator", "export", "old.json")
    assert "3 connections, 2 with an account, 1 feeder, tariff version 1" in ran.out
    content = json.loads((home_folder / "old.json").read_text())
    homes = {home["connection"]: home for home in content["homes"]}
    ada = homes[f"0x{village.connection(ADA).hex()}"]
    assert ada["account"] == ADA.account and ada["meter"] == ADA.meter
    assert ada["score"] == village.gateway.wallet(ADA.account).score < 5000 * 65536
    assert ada["terms"]["status"] == "feeding-in" and ada["terms"]["export_limit_wh"] == 5000
    chidi = homes[f"0x{village.connection(CHIDI).hex()}"]
    assert (chidi["account"], chidi["meter"], chidi["score"]) == (None, None, 5000 * 65536)
    assert content["feeders"] == {
        str(FEEDER): {"fee_per_wh": 8000, "import_scale_bps": 10_000, "export_scale_bps": 10_000}
    }
    assert content["retail"] == {"0": 209_500} and content["accepted_classes"] == [0, 1]
    assert content["tariff"]["imbalance_price_per_wh"] == 225_000
    assert content["registry"] == village.deployment.registry and content["block"] == village.w3.eth.block_number
    assert "exists; name another file" in run("operator", "export", "old.json", expect=3).err


def test_import__market_that_names_the_old_one__numbers_homes_and_scores_follow(
    run: Run, village: Village, history: None, home_folder: Path
) -> None:
    run("operator", "export", "old.json")
    new = deploy_next(village, home_folder, village.deployment.registry)
    domain = Domain(new.deployment.chain_id, new.deployment.market)
    folder = home_folder / "consents"
    write_consent(village, folder, ADA, domain=domain, exported_wh=10)
    write_consent(village, folder, CHIDI)
    arguments = ("operator", "import", "old.json", "--deployment", "next.json", "--consents", "consents")
    block = village.w3.eth.block_number
    dry = run(*arguments, "--dry-run", "--json").json
    assert village.w3.eth.block_number == block and dry["scores_follow"] and dry["waiting"] == [BOLA.account]
    assert [act["role"] for act in dry["acts"]] == ["regulator", "regulator", "regulator", "operator"]
    ran = run(*arguments, "--json", input="y\ny\n")
    assert all(act["done"] for act in ran.json["acts"]) and len(ran.json["transactions"]) == 5
    assert [(home["account"], home["outcome"]) for home in ran.json["homes"]] == [(ADA.account, "enrolled")]
    assert new.wallet(ADA.account).score == village.gateway.wallet(ADA.account).score != 5000 * 65536
    device = new.device(ADA.account)
    assert (device.export_limit_wh, device.status, device.meter) == (5000, FEEDING_IN, ADA.meter)
    assert new.exports(ADA.account).register_wh == 10
    assert new.feeder(FEEDER) == village.gateway.feeder(FEEDER)
    assert new.tariff_head().imbalance_steps == village.gateway.tariff_head().imbalance_steps
    assert "no consent: " in ran.err and "money: each home withdraws it" in ran.err
    # Bola's comes later.
    write_consent(village, folder, BOLA, domain=domain)
    later = run(*arguments, "--yes", "--json").json
    assert later["acts"] == [] and later["waiting"] == []
    assert {home["account"]: home["outcome"] for home in later["homes"]} == {
        ADA.account: "already enrolled",
        BOLA.account: "enrolled",
    }


def test_import__market_without_predecessor__says_that_scores_stay(
    run: Run, village: Village, history: None, home_folder: Path
) -> None:
    run("operator", "export", "old.json")
    new = deploy_next(village, home_folder, None)
    domain = Domain(new.deployment.chain_id, new.deployment.market)
    write_consent(village, home_folder / "consents", ADA, domain=domain)
    arguments = ("operator", "import", "old.json", "--deployment", "next.json", "--consents", "consents", "--yes")
    refused = run(*arguments, expect=6)
    assert f"and not {village.deployment.registry}" in refused.err and "--without-scores" in refused.err
    run(*arguments, "--without-scores")
    assert new.wallet(ADA.account).score == 5000 * 65536


def test_import__register_that_went_back__that_home_is_refused(run: Run, village: Village, home_folder: Path) -> None:
    run("operator", "export", "old.json")
    content = json.loads((home_folder / "old.json").read_text())
    for home in content["homes"]:
        home["exported_wh"] = 500
    (home_folder / "old.json").write_text(json.dumps(content))
    new = deploy_next(village, home_folder, village.deployment.registry)
    domain = Domain(new.deployment.chain_id, new.deployment.market)
    write_consent(village, home_folder / "consents", ADA, domain=domain, exported_wh=499)
    write_consent(village, home_folder / "consents", BOLA, domain=domain, exported_wh=500)
    ran = run(
        "operator", "import", "old.json", "--deployment", "next.json", "--consents", "consents", "--yes", expect=6
    )
    assert "the consent says 499 Wh exported, and the old market has 500 Wh" in ran.err
    assert new.device(ADA.account).encode() == 0 and new.device(BOLA.account).encode() != 0


def test_import__only_the_operator_here__the_regulators_acts_are_listed(
    run: Run, village: Village, home_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from peerwatt.cli.session import Session

    run("operator", "export", "old.json")
    new = deploy_next(village, home_folder, village.deployment.registry)
    unlocked = Session.is_unlocked
    monkeypatch.setattr(
        Session,
        "is_unlocked",
        lambda session, address: address != village.regulator.address and unlocked(session, address),
    )
    ran = run("operator", "import", "old.json", "--deployment", "next.json", "--yes")
    assert "regulator (somebody else): publish the tariff, imbalance price 225 NGN/kWh" in ran.out
    assert new.tariff_head().version == 0 and new.feeder(FEEDER).import_scale_bps == 10_000


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "it is not JSON"),
        ('{"format": "letter"}', "is no registry file"),
        ('{"format": "peerwatt registry", "format_version": 1, "homes": []}', "is damaged"),
        ('{"format": "peerwatt registry", "format_version": 1, "homes": [{"connection": 3}]}', "is damaged"),
    ],
)
def test_import__bad_file__one_line(run: Run, village: Village, home_folder: Path, text: str, says: str) -> None:
    (home_folder / "old.json").write_text(text)
    ran = run("operator", "import", "old.json", "--yes", expect=3)
    assert says in ran.err and ran.err.count("\n") == 1


def test_import__into_itself__refused(run: Run, village: Village) -> None:
    run("operator", "export", "old.json")
    assert "is of this very market" in run("operator", "import", "old.json", "--yes", expect=6).err
