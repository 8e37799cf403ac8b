"""The parameters file of a deployment: what is read, and every way in which it can make no sense."""

from __future__ import annotations

import re
import tomllib
from decimal import Decimal
from importlib import resources
from pathlib import Path

import pytest

from peerwatt.market.parameters import (
    MARKET_BOUNDS,
    SCALE_BOUNDS,
    TARIFF_BOUNDS,
    Parameters,
    ParametersError,
    load_parameters,
)
from peerwatt.study.config import load_config

ROOT = Path(__file__).resolve().parents[2]
LOCAL = resources.files("peerwatt.market").joinpath("local.toml").read_text(encoding="utf-8")
TOKEN = "0x5FbDB2315678afecb367f032d93F642f64180aa3"


def write(tmp_path: Path, *changes: tuple[str, str]) -> Path:
    """The local file with some text replaced."""
    text = LOCAL
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    path = tmp_path / "market.toml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(tmp_path: Path, *changes: tuple[str, str]) -> tuple[str, ...]:
    with pytest.raises(ParametersError) as caught:
        load_parameters(write(tmp_path, *changes))
    return caught.value.problems


def line(key: str) -> str:
    """The line of a key in the local file."""
    found = re.search(rf"^{key} = .*$", LOCAL, re.MULTILINE)
    assert found is not None
    return found.group()


def test_load__local_file__numbers_of_the_study() -> None:
    local, study = load_parameters(), load_config()
    market, reputation = study.market, study.reputation
    numbers = vars(local.numbers)
    for name, value in numbers.items():
        source = next(part for part in (market, study.settlement, reputation) if hasattr(part, name))
        assert value == getattr(source, name), name
    assert local.imbalance_price == market.imbalance_price
    for name in TARIFF_BOUNDS:
        assert list(getattr(local.tariff, name)) == getattr(reputation, name)
    assert [(x.name, x.price_per_wh) for x in local.retail] == [(x.name, x.price) for x in study.retail]
    assert [(x.name, x.fee_per_wh) for x in local.feeders] == [(x.name, x.network_fee) for x in study.feeders]
    assert {(x.import_scale_bps, x.export_scale_bps) for x in local.feeders} == {(10_000, 10_000)}


def test_load__local_file__is_for_local_chains() -> None:
    local = load_parameters()
    assert local.is_shipped and local.chain_id is None and local.token.address is None and local.roles == {}
    assert local.token.name == "peerwatt NGN" and local.meter_classes == 0b11


def test_load__file_called_like_the_shipped_one__is_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path).rename(tmp_path / "local.toml")
    monkeypatch.chdir(tmp_path)
    assert not load_parameters(Path("local.toml")).is_shipped


def test_load__example__says_everything_there_is_to_say() -> None:
    path = ROOT / "examples" / "market.toml"
    example = load_parameters(path)
    assert example.chain_id is not None and example.token.address is not None and len(example.roles) == 4
    written = tomllib.loads(path.read_text(encoding="utf-8"))
    assert set(written) == {"chain_id", "token", "market", "roles", "tariff", "retail", "feeders"}
    assert set(MARKET_BOUNDS) | {"floor_price", "price_step", "meter_classes"} == set(written["market"])


def test_document__table_of_parameters__has_every_key_with_its_bounds() -> None:
    text = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8").partition("## Parameters")[2].partition("\n## ")[0]
    bounds = {}
    for row in re.findall(r"^\| (.*) \| .* \| (.*) \|$", text, re.MULTILINE):
        bounds |= {key: row[1] for key in re.findall(r"`([a-z_]+)`", row[0])}
    example = tomllib.loads((ROOT / "examples" / "market.toml").read_text(encoding="utf-8"))
    del example["chain_id"]
    tables = [table[0] if isinstance(table, list) else table for table in example.values()]
    assert {key for table in tables for key in table} - {"name"} <= set(bounds)
    for key, expected in {**MARKET_BOUNDS, **TARIFF_BOUNDS, "import_scale_bps": SCALE_BOUNDS}.items():
        assert f"{expected.low} to {expected.high}" in bounds[key], key


def test_load__prices_with_unit__same_as_numbers(tmp_path: Path) -> None:
    changed = load_parameters(
        write(
            tmp_path,
            ("floor_price = 61.5", 'floor_price = "0.0615 NGN/Wh"'),
            ("price_step = 0.5", 'price_step = "0.50 ngn/kWh"'),
            ("price = 63.0", "price = 63"),
        )
    )
    assert (changed.numbers, changed.retail) == (load_parameters().numbers, load_parameters().retail)


def test_load__token_with_eighteen_decimals__exact(tmp_path: Path) -> None:
    # 2^64 base units per Wh are 18,446 of such a token per kWh, and the imbalance price may be 65,535 steps up.
    parameters = load_parameters(
        write(
            tmp_path,
            ("decimals = 6", "decimals = 18"),
            ("floor_price = 61.5", "floor_price = 0.015000000000003"),
            ("price_step = 0.5", "price_step = 0.001"),
            ("imbalance_price = 225.0", "imbalance_price = 0.315000000000003"),
            ("price = 209.5", "price = 0.3"),
            ("price = 63.0", "price = 0.1"),
            ("fee = 8.0", "fee = 0.01"),
            ("fee = 10.0", "fee = 0.01"),
            ("fee = 12.0", "fee = 0.01"),
        )
    )
    assert parameters.numbers.floor_price == 15_000_000_000_003
    assert parameters.tariff.imbalance_steps == 300


@pytest.mark.parametrize("key", MARKET_BOUNDS)
def test_load__whole_number_at_its_bounds__taken_and_one_beyond_refused(tmp_path: Path, key: str) -> None:
    bounds = MARKET_BOUNDS[key]
    for value in (bounds.low, bounds.high):
        assert getattr(load_parameters(write(tmp_path, (line(key), f"{key} = {value}"))).numbers, key) == value
    for value, side in ((bounds.low - 1, "below"), (bounds.high + 1, "above")):
        [problem] = problems(tmp_path, (line(key), f"{key} = {value}"))
        assert problem.startswith(f"[market] {key} is {value}, {side} ")
        assert f"write {bounds.low} to {bounds.high} {bounds.unit}" in problem


@pytest.mark.parametrize("value", ["true", '"900"', "900.0", "[900]", "nan"])
def test_load__no_whole_number__refused(tmp_path: Path, value: str) -> None:
    [problem] = problems(tmp_path, ("window_seconds = 900", f"window_seconds = {value}"))
    assert "not a whole number; write 60 to 86400 seconds, such as 900" in problem


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("decimals = 6", "decimals = 37"), "[token] decimals is 37, above 36"),
        (('symbol = "NGN"', 'symbol = "N G"'), "[token] symbol: currency is 'N G'"),
        (('symbol = "NGN"', 'symbol = "NAIRAS"'), "[token] symbol is 'NAIRAS'; a local token's has at most 5 letters"),
        (('symbol = "NGN"', 'symbol = ""'), "[token] symbol is '', not a text"),
        (("decimals = 6", f'decimals = 6\nname = "{"n" * 26}"'), "[token] name is "),
        (("decimals = 6", 'decimals = 6\naddress = "0x12"'), "[token] address is '0x12', not an address"),
        (("decimals = 6", f'decimals = 6\nname = "x"\naddress = "{TOKEN}"'), "[token] names an address and a name"),
        (("decimals = 6", f'decimals = 6\naddress = "{TOKEN.swapcase()}"'), "[token] address is"),
        (("price_step = 0.5", "price_step = 0"), "[market] price_step is 0"),
        (("floor_price = 61.5", "floor_price = -1"), "[market] floor_price: '-1' is negative"),
        (("floor_price = 61.5", "floor_price = 61.5005"), "the price below it is 61.5 NGN/kWh"),
        (("floor_price = 61.5", 'floor_price = "61.5 EUR/kWh"'), "is not in the market's money"),
        (("floor_price = 61.5", "floor_price = inf"), "[market] floor_price: 'Infinity'"),
        (("floor_price = 61.5", "floor_price = true"), "[market] floor_price: True is not a text"),
        (("price_step = 0.5", "price_step = 300000000000"), "65535 price_steps come to 2^64 base units"),
        (("meter_classes = [0, 1]", "meter_classes = []"), "[market] meter_classes is empty"),
        (("meter_classes = [0, 1]", "meter_classes = [64]"), "[market] meter_classes[0] is 64, above 63"),
        (("meter_classes = [0, 1]", "meter_classes = 3"), "[market] meter_classes is 3, not a list"),
        (("imbalance_price = 225.0", "imbalance_price = 189.0"), "write 189.5 NGN/kWh (a step above the highest"),
        (("imbalance_price = 225.0", "imbalance_price = 225.2"), "two steps; write 225 NGN/kWh or 225.5 NGN/kWh"),
        (("imbalance_price = 225.0", "imbalance_price = 32829.5"), "[tariff] imbalance_price is 32829.5 NGN/kWh"),
        (("price = 209.5", "price = 225.5"), "[[retail]] 0 price is 225.5 NGN/kWh, above the imbalance price of 225"),
        (("price = 63.0", "price = 0"), "[[retail]] 1 price is 0, which closes the class"),
        (("fee = 12.0", "fee = 189.5"), "[[feeders]] 2 fee is 189.5 NGN/kWh, above the top level, 189 NGN/kWh"),
        (("fee = 8.0", "import_scale_bps = 10001"), "[[feeders]] 0 import_scale_bps is 10001, above 10000"),
        (("surcharge_bps = [600, ", "surcharge_bps = [10001, "), "[tariff] surcharge_bps[0] is 10001, above 10000"),
        (("haircut_bps = [600, ", "haircut_bps = [10000, "), "[tariff] haircut_bps[0] is 10000, above 9999"),
        (("surcharge_bps = [600, ", "surcharge_bps = ["), "[tariff] surcharge_bps has 15 entries; write 16"),
        (("surcharge_bps = [600, 525", "surcharge_bps = [525, 600"), "surcharge_bps[1] is 600 after 525"),
        (("4000, 5000]", "5000, 4000]"), "rebate_bps[15] is 4000 after 5000"),
        (("[token]", "chain_id = 0\n[token]"), "chain_id is 0, below 1"),
        (("[token]", "colour = 1\n[token]"), "colour is unknown; known are chain_id, token"),
        (("lead_seconds = 300", "lead_seconds = 300\nlead_secs = 1"), "[market] lead_secs is unknown; did you mean"),
        (("[token]", '[roles]\noperator = "0x' + "0" * 40 + '"\n[token]'), "[roles] operator is the zero address"),
        (("lead_seconds = 300", ""), "[market] lead_seconds is missing; add it"),
        (("[tariff]", "[tarif]"), "[tariff] is missing; add it"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_load__senseless_value__field_value_bound_and_next_step(
    tmp_path: Path, change: tuple[str, str], expected: str
) -> None:
    found = problems(tmp_path, change)
    assert any(expected in problem for problem in found), found
    assert all(re.search("[;,:] ", problem) for problem in found)


def test_load__no_retail_class_and_no_feeder__refused(tmp_path: Path) -> None:
    text = LOCAL.partition("[[retail]]")[0]
    path = tmp_path / "market.toml"
    path.write_text(text)
    with pytest.raises(ParametersError) as caught:
        load_parameters(path)
    assert [problem.partition(" is missing")[0] for problem in caught.value.problems] == ["[[retail]]", "[[feeders]]"]


def test_load__too_many_retail_classes__refused(tmp_path: Path) -> None:
    path = write(tmp_path)
    path.write_text(path.read_text() + "[[retail]]\nprice = 100\n" * 15)
    with pytest.raises(ParametersError, match=r"there are 17 \[\[retail\]\]; the market has room for 16"):
        load_parameters(path)


def test_load__many_problems__all_named_at_once(tmp_path: Path) -> None:
    changes = [
        ("window_seconds = 900", "window_seconds = 1"),
        ("price_step = 0.5", "price_step = 0"),
        ("price = 63.0", "price = 300"),
        ("fee = 8.0", "fees = 8.0"),
        ("imbalance_price = 225.0", 'imbalance_price = "cheap"'),
    ]
    found = problems(tmp_path, *changes)
    assert len(found) == 4, found
    with pytest.raises(ParametersError) as caught:
        load_parameters(write(tmp_path, *changes))
    assert str(caught.value).splitlines()[0].endswith("has 4 problems:")
    assert len(str(caught.value).splitlines()) == 5


@pytest.mark.parametrize(
    ("text", "expected"), [("a = ", "is not TOML"), ("\xff", "is not TOML"), (None, "can't be read")]
)
def test_load__no_file_of_that_kind__one_line(tmp_path: Path, text: str | None, expected: str) -> None:
    path = tmp_path / "market.toml"
    if text is not None:
        path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ParametersError, match=expected) as caught:
        load_parameters(path)
    assert len(str(caught.value).splitlines()) == 1


def test_grid__file__holds_the_prices_that_the_file_says() -> None:
    parameters: Parameters = load_parameters()
    grid = parameters.grid
    assert grid.level(Decimal(61_500)) == 0 and grid.price(255) == 189_000
