"""Limits, scales, tariffs, fees, retail prices and the pause, as operator and regulator type them."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest

from cli.conftest import Run
from cli.village import ADA, CHIDI, FEEDER, IMBALANCE, METER_CLASS, RETAIL, RETAIL_CLASS, Village
from peerwatt.exceptions import BadAmount
from peerwatt.market.words import FEEDING_IN, OFF
from peerwatt.operator.tariffs import read_tariff_file
from peerwatt.operator.terms import parse_limit, parse_share, terms_from_json
from peerwatt.units import parse_unit_price


def test_envelope__limits_as_energy_and_power__the_rest_stays(run: Run, village: Village) -> None:
    ran = run("operator", "envelope", ADA.account, "--import", "2.5kWh", "--export", "8kW", "--json", input="y\n")
    device = village.gateway.device(ADA.account)
    assert (device.import_limit_wh, device.export_limit_wh) == (2500, 2000)
    assert (device.status, device.meter_class, device.meter) == (FEEDING_IN, METER_CLASS, ADA.meter)
    assert ran.json["terms"]["export_limit_wh"] == 2000 and "until now feeding-in, up to 5 kWh in" in ran.err
    same = run("operator", "envelope", ADA.account, "--import", "2.5kWh", "--yes", expect=2)
    assert "has these terms already" in same.err


def test_envelope__by_pseudonym__status_off(run: Run, village: Village) -> None:
    pseudonym = f"0x{village.connection(CHIDI).hex()}"
    run("operator", "envelope", pseudonym, "--status", "off", "--yes")
    assert village.gateway.device(CHIDI.account).status == OFF


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("envelope", "{ada}", "--import", "1"), 2, "has no unit of energy"),
        (("envelope", "{ada}", "--import", "17000kWh"), 2, "check the unit"),
        (("envelope", "{ada}", "--meter-class", "9", "--yes"), 6, "the market does not accept the meter's class"),
        (("envelope", "{nobody}", "--import", "1kWh"), 6, "holds no connection of this market"),
        (("envelope", "12", "--import", "1kWh"), 3, "there is no salt for connection numbers"),
        (("scale", "0"), 2, "name a share with --import, --export or both"),
        (("scale", "0", "--import", "120%"), 2, "'120%' is no share"),
        (("scale", "70000", "--import", "20%"), 2, "'70000' is no feeder; write a number from 0 to 65535"),
        (("fee", "0", "1000"), 2, "nobody could buy"),
        (("retail", "16", "100"), 2, "no retail class"),
        (("retail", "0", "226"), 6, "226 NGN/kWh is above the imbalance price, 225 NGN/kWh"),
        (("resume",), 2, "is not paused already"),
        (("tariff", "publish"), 2, "or --imbalance-price"),
        (("tariff", "publish", "--imbalance-price", "225"), 2, "holds already"),
        (("tariff", "publish", "--imbalance-price", "200"), 6, "is below 209.5 NGN/kWh"),
        (("tariff", "publish", "--imbalance-price", "230.2"), 2, "between two steps; write 230 NGN/kWh or 230.5"),
        (("tariff", "publish", "--imbalance-price", "40000"), 6, "is above 32829 NGN/kWh"),
        (("tariff", "publish", "gone.toml"), 3, "gone.toml cannot be read"),
    ],
)  # fmt: skip
def test_act__senseless__one_line_and_nothing_sent(
    run: Run, village: Village, arguments: tuple[str, ...], code: int, says: str
) -> None:
    block = village.w3.eth.block_number
    named = [text.format(ada=ADA.account, nobody=village.relayer.address) for text in arguments]
    ran = run("operator", *named, expect=code)
    assert says in ran.err and ran.err.count("\n") == 1
    if "--yes" not in arguments:
        assert village.w3.eth.block_number == block


def test_scale__one_side__the_other_stays(run: Run, village: Village) -> None:
    run("operator", "scale", FEEDER, "--export", "62.5%", "--yes")
    word = village.gateway.feeder(FEEDER)
    assert (word.import_scale_bps, word.export_scale_bps) == (10_000, 6_250)
    assert word.fee_per_wh == parse_unit_price("8 NGN/kWh", village.grid)


def test_fee_and_retail__regulator__set(run: Run, village: Village) -> None:
    ran = run("operator", "fee", FEEDER, "9 NGN/kWh", "--json", input="y\n")
    assert ran.json["fee_per_wh"] == village.gateway.feeder(FEEDER).fee_per_wh == 9_000
    assert "until now 8 NGN/kWh" in ran.err and village.regulator.address in ran.err
    run("operator", "retail", 3, "100 NGN/kWh", "--yes")
    assert village.gateway.registry.functions.retail(3).call() == 100_000
    assert "closed" in run("operator", "retail", 3, "0", "--yes").out


def test_pause__and_resume__orders_stopped_in_between(run: Run, village: Village) -> None:
    run("operator", "pause", "--yes")
    assert village.gateway.book_state().paused
    assert "is paused already" in run("operator", "pause", "--yes", expect=2).err
    run("operator", "resume", "--yes")
    assert not village.gateway.book_state().paused


def test_tariff_show__in_force__prices_and_tables(run: Run, village: Village) -> None:
    shown = run("operator", "tariff", "show", "--json").json
    assert shown["version"] == 1 and shown["next_tariff"] is None
    assert shown["tariff"]["imbalance_price_per_wh"] == parse_unit_price(IMBALANCE, village.grid)
    assert shown["tariff"]["surcharge_bps"] == [100] * 16
    assert shown["retail"] == [{"retail_class": RETAIL_CLASS, "price_per_wh": parse_unit_price(RETAIL, village.grid)}]
    out = run("operator", "tariff", "show").out
    assert "version 1, in force" in out and "imbalance price 225 NGN/kWh" in out and "209.5 NGN/kWh" in out


FALLING = ", ".join(str(1600 - 100 * band) for band in range(16))


def test_tariff_publish__file__says_from_when_and_holds_then(run: Run, village: Village, home_folder: Path) -> None:
    (home_folder / "next.toml").write_text(f"[tariff]\nimbalance_price = 230.5\nsurcharge_bps = [{FALLING}]\n")
    window = village.window
    ran = run("operator", "tariff", "publish", "next.toml", "--json", input="y\n")
    assert ran.json["from_window"] == window + 256 and "(256 windows from now)" in ran.err
    head = village.gateway.tariff_head()
    assert (head.next_version, head.next_from) == (2, window + 256)
    assert village.gateway.table("surcharges", 2).bands == tuple(1600 - 100 * band for band in range(16))
    assert village.gateway.table("haircuts", 2).bands == (100,) * 16
    shown = run("operator", "tariff", "show", "--json").json
    assert (shown["version"], shown["next_version"], shown["next_from_window"]) == (1, 2, window + 256)
    assert (
        "a published tariff has not taken effect yet"
        in run("operator", "tariff", "publish", "--imbalance-price", "240", "--yes", expect=6).err
    )
    village.travel_to(window + 256)
    shown = run("operator", "tariff", "show", "--json").json
    assert (shown["version"], shown["next_version"]) == (2, 0)
    assert shown["tariff"]["imbalance_price_per_wh"] == 230_500
    run("operator", "tariff", "publish", "--imbalance-price", "240 NGN/kWh", "--yes")


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("[tariff", 3, "is not TOML"),
        ("[market]\n", 3, "has no table [tariff]"),
        ("[tariff]\nprice = 3\n", 3, "price is unknown; there are imbalance_price, "),
        ("[tariff]\nrebate_bps = [1, 2]\n", 3, "write 16 whole numbers"),
        ("[tariff]\nimbalance_price = 'dear'\n", 3, "does not start with a number"),
        (f"[tariff]\nrebate_bps = [{FALLING}]\n", 6, "rebate_bps of band 1 is 1500 after 1600"),
        (f"[tariff]\nhaircut_bps = [{', '.join(['10000'] * 16)}]\n", 6, "write 0 to 9999 basis points"),
    ],
)
def test_tariff_publish__senseless_file__one_line(
    run: Run, village: Village, home_folder: Path, text: str, code: int, says: str
) -> None:
    (home_folder / "next.toml").write_text(text)
    ran = run("operator", "tariff", "publish", "next.toml", "--yes", expect=code)
    assert says in ran.err and ran.err.count("\n") == 1


def test_read_tariff_file__parameters_of_a_deployment__will_do(village: Village) -> None:
    path = Path(str(resources.files("peerwatt.market").joinpath("local.toml")))
    tariff = read_tariff_file(path, None, village.grid)
    assert tariff.imbalance_price == 225_000
    assert (tariff.surcharge_bps[0], tariff.haircut_bps[15], tariff.rebate_bps[15]) == (600, 0, 5000)


def test_parse__limits_and_shares__exact_or_refused() -> None:
    assert parse_limit("20 kW", 900) == 5000 and parse_limit("800W", 900) == 200
    with pytest.raises(BadAmount, match="whole number of Wh"):
        parse_limit("1W", 900)
    assert parse_share("62.55%") == 6255
    for text in ("80", "0.8", "62.555%", "-1%", ""):
        with pytest.raises(BadAmount, match="is no share"):
            parse_share(text)
    with pytest.raises(ValueError, match="are no terms"):
        terms_from_json({"feeder": True})
