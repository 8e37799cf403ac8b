"""Registers from CSV files: columns, units and times as meters write them, and files that make no sense."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from cli.conftest import Run
from cli.village import ADA, BOLA, CHIDI, Village, write_keystore
from peerwatt.market.accounts import read_account
from peerwatt.market.clock import MarketClock
from peerwatt.meter.csv_files import RegisterFile, RegisterFileError, read_registers
from peerwatt.signing import BUY, SELL

LAGOS = ZoneInfo("Africa/Lagos")
NOON = datetime(2026, 6, 1, 12, tzinfo=LAGOS)
WINDOW = int(NOON.timestamp()) // 900


def read(tmp_path: Path, text: str, within_s: int = 0, zone: str = "Africa/Lagos") -> RegisterFile:
    path = tmp_path / "registers.csv"
    path.write_text(text, encoding="utf-8")
    clock = MarketClock(900, 300, int(NOON.timestamp()) + 86_400, ZoneInfo(zone))
    return read_registers(path, clock, within_s=within_s)


def registers(found: RegisterFile, side: int) -> list[tuple[int, int]]:
    return [(reading.window - WINDOW, reading.register_wh) for reading in found.readings[side]]


@pytest.mark.parametrize(
    "text",
    [
        "time,2.8.0 kWh\n2026-06-01T12:00,1.5\n2026-06-01T12:15,2.001\n",
        "\ufeffTimestamp;1-0:2.8.0*255 [kWh];note\n2026-06-01 12:00;1,5;x\n\n2026-06-01 12:15;2,001;y\n",
        "time\t2.8.0\n2026-06-01T12:00+01:00\t1500 Wh\n2026-06-01T11:15+00:00\t2.001*kWh\n",
        "unit,export,time\nWh,1500,2026-06-01T12:00:00+01:00\nWh,2001,2026-06-01T12:15:00+01:00\n",
        f"window,2.8.0_wh\n{WINDOW - 1},1500\n{WINDOW},2001\n",
        f"time,2.8.0(Wh)\n{WINDOW * 900},1500\n{WINDOW * 900 + 900},2001\n",
    ],
    ids=["iso", "semicolon", "tab", "unit column", "window", "unix"],
)
def test_read__ways_to_write_it__the_same_registers(tmp_path: Path, text: str) -> None:
    assert registers(read(tmp_path, text), SELL) == [(0, 1500), (1, 2001)]


def test_read__both_registers_and_holes__each_side_what_it_has(tmp_path: Path) -> None:
    text = "time,1.8.0 kWh,2.8.0 kWh,1.8.1 kWh\n2026-06-01T12:00,1,,9\n2026-06-01T12:05,2,3,9\n2026-06-01T12:15,4,5,9\n"
    found = read(tmp_path, text)
    assert registers(found, BUY) == [(0, 1000), (1, 4000)] and registers(found, SELL) == [(1, 5000)]
    assert found.passed_over == 1 and found.ignored == ["1.8.1 kWh"]


def test_read__clock_of_the_meter_off__nearest_within_what_is_allowed(tmp_path: Path) -> None:
    text = "time,2.8.0 kWh\n2026-06-01T11:59:58,1\n2026-06-01T12:00:01,1.1\n2026-06-01T12:15:04,2\n"
    assert registers(read(tmp_path, text, within_s=3), SELL) == [(0, 1100)]
    with pytest.raises(RegisterFileError, match="give --within SECONDS"):
        read(tmp_path, text)


def test_read__hour_that_clocks_show_twice__in_their_sequence(tmp_path: Path) -> None:
    start = datetime(2026, 10, 25, 0, 0, tzinfo=ZoneInfo("UTC"))
    local = [(start + timedelta(minutes=15 * i)).astimezone(ZoneInfo("Europe/Berlin")) for i in range(10)]
    rows = "".join(f"{time:%Y-%m-%dT%H:%M},{i}\n" for i, time in enumerate(local))
    found = read(tmp_path, "time,2.8.0 kWh\n" + rows, zone="Europe/Berlin")
    first = int(start.timestamp()) // 900
    assert [reading.window for reading in found.readings[SELL]] == list(range(first, first + 10))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no column named time or window"),
        ("time,reading\n2026-06-01T12:00,1\n", "no column of a total register"),
        ("time,2.8.0,1-0:2.8.0\n", "two columns of the export register"),
        ("time,2.8.0 kWh\n2026-06-01T12:00,1\n2026-06-01T12:15,0.9\n", "line 3: .* 900 Wh is below 1 kWh of line 2"),
        ("time,2.8.0 kWh\n2026-06-01T12:15,1\n2026-06-01T12:00,1\n", "line 3: it is earlier than line 2"),
        ("time,2.8.0 kWh\n2026-06-01T12:00,1\n2026-06-01T12:00,1.1\n", "line 3: it has the time of line 2"),
        ("time,2.8.0\n2026-06-01T12:00,1\n", "line 2: '1 ' has no unit of energy.*2.8.0 kWh"),
        ("time,2.8.0 kWh\n2026-06-01T12:00,1.0005\n", "line 2: '1.0005 kWh' is not a whole number of Wh"),
        ("time,2.8.0 kWh\n2026-06-01T12:00,-1\n", "line 2: .* is negative"),
        ("time,2.8.0 kWh\n12:00,1\n", "line 2: '12:00' is no day and time"),
        ("time,2.8.0 kWh\nyesterday at noon,1\n", "line 2: 'yesterday at noon' is no time"),
        ("time,2.8.0 kWh\n2026-06-01T12:00\n", "line 2: 1 columns are too few"),
        ("window,2.8.0 kWh\n-5,1\n", "line 2: '-5' is no number of a window"),
        ('time,2.8.0 kWh\n2026-06-01T12:00,"1\n', "line 2: no CSV"),
        ("time,2.8.0 kWh\n2026-06-01T12:07,1\n", "no register at a boundary"),
    ],
)  # fmt: skip
def test_read__senseless_file__names_line_and_values(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(RegisterFileError, match=says):
        read(tmp_path, text)


def test_read__not_text_and_no_file__said(tmp_path: Path) -> None:
    clock = MarketClock(900, 300, int(NOON.timestamp()), LAGOS)
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RegisterFileError, match="not text in UTF-8"):
        read_registers(tmp_path / "binary.csv", clock)
    with pytest.raises(RegisterFileError, match="No such file"):
        read_registers(tmp_path / "gone.csv", clock)


@pytest.fixture
def sales(village: Village, keys: Path, home_folder: Path) -> int:
    """Ada sold 1 kWh in each of two windows, with one in between without an order; all are cleared and over."""
    write_keystore(keys, "chidi", CHIDI.account_key)
    write_keystore(home_folder / "data" / "peerwatt" / "meters", "roof", ADA.meter_key)
    first = village.window + 2
    village.offer(ADA, first, first, "1 kWh", "120", nonce=1)
    village.offer(ADA, first + 2, first + 2, "1 kWh", "120", nonce=2)
    village.bid(BOLA, first, first + 2, "1 kWh", "150")
    village.travel_to(first + 4)
    village.clear()
    return first


def write(folder: Path, rows: list[tuple[int, str]]) -> None:
    lines = [f"{datetime.fromtimestamp(window * 900, LAGOS).isoformat()},{text},7" for window, text in rows]
    (folder / "meter.csv").write_text("time,2.8.0 kWh,1.8.0 kWh\n" + "\n".join(lines) + "\n")


def test_import__a_day__sales_settled_and_imports_kept(
    run: Run, village: Village, sales: int, home_folder: Path
) -> None:
    write(home_folder, [(sales + i, str(i)) for i in range(-2, 5)][2:])
    ran = run("meter", "import", "meter.csv", "--json", input="y\n")
    assert [(line["window"], line["delivered_wh"]) for line in ran.json["windows"]] == [
        (sales, 1000),
        (sales + 2, 1000),
    ]
    assert "the import register stays with you" in ran.err
    state = read_account(village.gateway, ADA.account)
    assert (state.exports.window, state.exports.register_wh, state.imports.register_wh) == (sales + 4, 4000, 0)
    assert "the market has a reading of" in run("meter", "import", "meter.csv", "--yes", expect=6).err


def test_import__all__both_registers_reported(run: Run, village: Village, sales: int, home_folder: Path) -> None:
    write(home_folder, [(sales + i, str(i)) for i in range(5)])
    ran = run("meter", "import", "meter.csv", "--all", "--yes", "--json")
    # The market refuses an import register over an offer, so there it comes in parts.
    assert [(entry["side"], entry["first_window"] - sales, entry["windows"]) for entry in ran.json["reports"]] == [
        ("export", 0, 4), ("import", 1, 1), ("import", 3, 1)
    ]  # fmt: skip
    assert read_account(village.gateway, ADA.account).imports.register_wh == 7000


def test_import__hole_over_a_sale__names_the_window(run: Run, village: Village, sales: int, home_folder: Path) -> None:
    write(home_folder, [(sales, "0"), (sales + 1, "1"), (sales + 3, "2"), (sales + 4, "3")])
    ran = run("meter", "import", "meter.csv", "--yes", expect=6)
    start = datetime.fromtimestamp((sales + 2) * 900, LAGOS)
    assert f"energy was sold in {start:%H:%M}-" in ran.err and ran.err.count("\n") == 1
    assert "counts as not delivered from" in ran.err
    assert read_account(village.gateway, ADA.account).exports.register_wh == 0


def test_import__two_stretches__two_reports_and_nothing_made_up(
    run: Run, village: Village, sales: int, home_folder: Path
) -> None:
    write(home_folder, [(sales, "0"), (sales + 1, "1"), (sales + 2, "5"), (sales + 3, "6")])
    ran = run("meter", "import", "meter.csv", "--yes", "--json")
    assert [line["delivered_wh"] for line in ran.json["windows"]] == [1000, 1000]


def test_import__junk__one_line_and_exit_code_3(run: Run, village: Village, sales: int, home_folder: Path) -> None:
    (home_folder / "meter.csv").write_text("time,2.8.0 kWh\nnow,1\n")
    ran = run("meter", "import", "meter.csv", "--yes", expect=3)
    assert ran.err == (
        "peerwatt: meter.csv, line 2: 'now' is no day and time; write it like 2026-10-14T14:00 or "
        "2026-10-14T14:00+01:00\n"
    )
