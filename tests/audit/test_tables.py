"""An audit's Parquet files: what is in them, how they are described, and what becomes of them when something fails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from audit.conftest import Audit
from audit.honest import Market, Node
from cli.village import ADA, BOLA, CHIDI
from peerwatt import extras
from peerwatt.audit import tables as writing
from peerwatt.audit.audit import Audit as Auditor
from peerwatt.audit.schema import TABLES, describe_schema
from peerwatt.audit.tables import ParquetTables

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "audit-data.md"
Table = list[dict[str, Any]]


@pytest.fixture(scope="module")
def folder(market: Market, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tables of the honest market, written a few rows at a time."""
    folder = tmp_path_factory.mktemp("tables") / "new" / "folder"
    patch = pytest.MonkeyPatch()
    patch.setattr(writing, "ROWS_AT_ONCE", 3)
    deployment = market.village.deployment
    with ParquetTables(folder, deployment) as tables:
        report = Auditor(market.node.transport(), deployment, workers=1, tables=tables).run()
    patch.undo()
    assert report.verdict == "holds"
    return folder


def read(folder: Path, name: str) -> Table:
    rows: Table = pyarrow.parquet.read_table(folder / f"{name}.parquet").to_pylist()
    return rows


def test_document__tables__those_of_the_code() -> None:
    assert describe_schema() in DOCUMENT.read_text(encoding="utf-8")


def test_tables__files__with_types_units_and_descriptions(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == {f"{table.name}.parquet" for table in TABLES}
    kinds = {"text": "string"}
    for table in TABLES:
        schema = pyarrow.parquet.read_schema(folder / f"{table.name}.parquet")
        assert schema.metadata[b"description"] == f"a row is {table.what}".encode()
        for column, field in zip(table.columns, schema, strict=True):
            told = str(field.type).replace(", tz=", ", ")
            assert (field.name, told, field.nullable) == (
                column.name,
                kinds.get(column.kind, column.kind),
                column.optional,
            )
            assert field.metadata == {b"unit": column.unit.encode(), b"description": column.what.encode()}


def test_tables__orders_and_cancels__as_accepted(folder: Path, market: Market) -> None:
    accounts = [home.account.lower() for home in (ADA, BOLA, CHIDI)]
    orders = read(folder, "orders")
    assert [one["account"] for one in orders] == accounts
    assert [(one["side"], one["windows"], one["energy_wh"]) for one in orders] == [
        ("sell", 3, 1_000),
        ("buy", 2, 1_500),
        ("buy", 4, 1_000),
    ]
    assert [int(one["limit_per_wh"]) for one in orders] == [100_000, 150_000, 120_000]
    assert int(orders[1]["effective_per_wh"]) < 150_000 < int(orders[1]["imbalance_per_wh"])
    (cancel,) = read(folder, "cancels")
    assert (cancel["kind"], cancel["account"], cancel["nonce"], cancel["windows"]) == ("cut", accounts[2], 5, 3)


def test_tables__settlements__the_ledger(folder: Path, market: Market) -> None:
    rows = read(folder, "settlements")
    sales = [one for one in rows if one["side"] == "sell"]
    assert [(one["growth_wh"], one["delivered_wh"], one["shortfall_wh"]) for one in sales] == [
        (1_200, 1_000, 0),
        (800, 800, 200),
        (0, 0, 1_000),
    ]
    assert {one["cause"] for one in sales} == {"reported"} and {one["meter_class"] for one in rows} == {1}
    assert len(rows) == 8
    # Payments add up to the last base unit: what came in is what went out, but for what rounding left over.
    windows = {one["window"]: one for one in read(folder, "windows")}
    paid = sum(one["paid"] for one in rows)
    out = sum(one["received"] + one["balancing"] + one["network"] for one in rows)
    rounding = sum(one["rounding_wh"] * (one["price_per_wh"] or 0) for one in windows.values())
    assert paid == out + rounding and paid > 0
    for one in sales:
        assert one["price_per_wh"] == windows[one["window"]]["price_per_wh"]
        net = one["price_per_wh"] - one["adjustment_per_wh"]
        assert one["received"] == one["delivered_wh"] * net


def test_tables__windows__as_at_the_end(folder: Path, market: Market) -> None:
    rows = read(folder, "windows")
    assert [one["traded_wh"] for one in rows] == [1_000, 1_000, 1_000]
    assert all(one["left_wh"] == 0 and one["rounding_wh"] == one["net_wh"] for one in rows)
    assert all(one["window_start"].timestamp() == one["window"] * 900 for one in rows)
    assert rows[0]["window_start"].tzinfo is not None


def test_tables__money_and_readings__each_move(folder: Path, market: Market) -> None:
    moves = [(one["kind"], one["account"], int(one["amount"])) for one in read(folder, "transfers")]
    homes = [home.account.lower() for home in (ADA, BOLA, CHIDI)]
    assert moves == [*(("deposit", home, 500_000_000) for home in homes), ("withdrawal", homes[1], 20_000_000)]
    readings = read(folder, "readings")
    assert [(one["register_wh"], one["growth_wh"]) for one in readings] == [(1_200, 1_200), (2_000, 800), (2_000, 0)]
    assert {(one["meter"], one["register"]) for one in readings} == {(ADA.meter.lower(), "export")}


def test_tables__terms__participants_tariff_and_feeder(folder: Path, market: Market) -> None:
    people = read(folder, "participants")
    assert [one["account"] for one in people] == [home.account.lower() for home in (ADA, BOLA, CHIDI)]
    assert {one["change"] for one in people} == {"bound"}
    assert [one["status"] for one in people] == ["feeding_in", "consuming", "consuming"]
    assert people[0]["connection"] == f"0x{market.village.connection(ADA).hex()}"
    tariff = read(folder, "tariffs")
    assert [one["band"] for one in tariff] == list(range(16)) and {one["surcharge_bps"] for one in tariff} == {100}
    assert {one["from_window"] for one in tariff} == {None}
    assert [int(one["fee_per_wh"]) for one in read(folder, "feeders")] == [8_000, 8_000]


def test_tables__events__every_log_in_its_place(folder: Path, audit: Audit) -> None:
    events = read(folder, "events")
    counted = audit("--json").json["totals"]["events"]
    names = [one["name"] for one in events]
    assert {name: names.count(name) for name in counted} == counted
    # The constructor's logs are there, too, which the replay does not make.
    assert len(events) == sum(counted.values()) + names.count("RoleAccepted")
    places = [(one["block"], one["log_index"]) for one in events]
    assert places == sorted(set(places))
    placed = next(one for one in events if one["name"] == "OrderPlaced")
    assert json.loads(placed["arguments"])["order"]["energy_wh"] == 1_000
    assert placed["account"] == ADA.account.lower()


def test_tables__again__same_bytes(folder: Path, market: Market, tmp_path: Path) -> None:
    deployment = market.village.deployment
    for name in ("one", "two"):
        with ParquetTables(tmp_path / name, deployment) as tables:
            Auditor(market.node.transport(), deployment, workers=1, tables=tables).run()
    for table in TABLES:
        one, two = (tmp_path / name / f"{table.name}.parquet" for name in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()


# The command


def test_parquet__option__tables_and_the_same_digest(audit: Audit, tmp_path: Path) -> None:
    with_tables = audit("--json", "--parquet", tmp_path / "data").json
    assert with_tables["digest"] == audit("--json").json["digest"]
    assert len(read(tmp_path / "data", "settlements")) == with_tables["totals"]["participant_windows"]


def test_parquet__checkpoint__tables_hold_the_whole_history(audit: Audit, market: Market, tmp_path: Path) -> None:
    audit("--checkpoint", tmp_path / "checkpoint", "--block", market.half)
    ran = audit("--checkpoint", tmp_path / "checkpoint", "--parquet", tmp_path / "data")
    assert "the tables are of the whole history" in ran.err
    assert len(read(tmp_path / "data", "orders")) == 3


def test_parquet__file_in_the_way__one_line(audit: Audit, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    ran = audit("--parquet", tmp_path / "data", expect=2)
    assert (
        ran.err.strip() == f"peerwatt: {tmp_path / 'data'} can't take the tables (File exists); name another --parquet"
    )


def test_parquet__without_pyarrow__names_the_extra(
    audit: Audit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}", name="pyarrow")

    monkeypatch.setattr(extras, "import_module", missing)
    ran = audit("--parquet", tmp_path / "data", expect=2)
    assert "pip install 'peerwatt[data]'" in ran.err and not (tmp_path / "data").exists()


def test_parquet__audit_breaks__old_files_stay(folder: Path, market: Market, tmp_path: Path) -> None:
    deployment = market.village.deployment
    with ParquetTables(tmp_path, deployment) as tables:
        Auditor(market.node.transport(), deployment, workers=1, tables=tables).run()
    before = (tmp_path / "orders.parquet").read_bytes()
    with pytest.raises(KeyboardInterrupt), ParquetTables(tmp_path, deployment):
        raise KeyboardInterrupt
    assert (tmp_path / "orders.parquet").read_bytes() == before
    assert not list(tmp_path.glob(".*"))


def test_parquet__violated_market__what_was_done_before(
    audit: Audit, node: Node, market: Market, tmp_path: Path
) -> None:
    def more(method: str, params: list[Any], answer: Any) -> Any:
        if method == "eth_getLogs":
            for log in answer:
                if log["address"].lower() == market_address and int(log["data"][2:66] or "0", 16) == 20_000_000:
                    log["data"] = f"0x{20_000_001:064x}"
        return answer

    market_address = market.village.deployment.market.lower()
    node.lie = more
    audit("--parquet", tmp_path / "data", expect=1)
    assert len(read(tmp_path / "data", "settlements")) == 8
    assert [one["kind"] for one in read(tmp_path / "data", "transfers")] == ["deposit"] * 3
