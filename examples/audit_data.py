"""Three questions about a market, answered with pandas from what an audit wrote: who earned what, what a kWh cost over
all windows (the price duration curve), and who fell short.

Run it with `python examples/audit_data.py DIR`, where DIR is that of `peerwatt audit --parquet DIR`. Without DIR it
makes a market of its own to ask about: a small study on a local node, audited. It needs `pip install 'peerwatt[data]'`.
Columns and units are in docs/audit-data.md.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pandas as pd

# Of the study: one NGN is 10^6 base units, a kWh 1,000 Wh. Another market's audit tells its token's decimals.
NGN = Decimal(10**6)
NGN_PER_KWH = Decimal(1_000)
PEERWATT = [sys.executable, "-m", "peerwatt"]


def who_earned_what(settlements: pd.DataFrame) -> pd.DataFrame:
    """Each account's energy and money; the best earner first."""
    table = settlements.assign(
        sold_kwh=settlements["delivered_wh"] / 1_000,
        bought_kwh=settlements["fill_wh"].where(settlements["side"] == "buy", 0) / 1_000,
        earned_ngn=(settlements["received"] - settlements["paid"]) / NGN,
    )
    sums = table.groupby("account")[["sold_kwh", "bought_kwh", "earned_ngn"]].sum()
    return sums.sort_values("earned_ngn", ascending=False)


def price_duration_curve(windows: pd.DataFrame) -> pd.DataFrame:
    """Prices from high to low, and in which share of the windows and of the energy the price was at least that."""
    traded = windows[windows["traded_wh"] > 0].sort_values(["price_per_wh", "window"], ascending=[False, True])
    return pd.DataFrame(
        {
            "ngn_per_kwh": [price / NGN_PER_KWH for price in traded["price_per_wh"]],
            "windows_pct": [100 * (place + 1) / len(traded) for place in range(len(traded))],
            "energy_pct": (100 * traded["traded_wh"].cumsum() / traded["traded_wh"].sum()).to_list(),
        }
    )


def who_fell_short(settlements: pd.DataFrame) -> pd.DataFrame:
    """Sellers whose meters counted less than they had sold, the windows in which they did, and what it cost them."""
    sales = settlements[settlements["shortfall_wh"] > 0]
    table = sales.assign(
        sold_wh=sales["fill_wh"],
        # The shortfall was bought for them at the imbalance price; they had sold it at the clearing price.
        cost_ngn=sales["paid"] / NGN,
        windows=1,
    )
    columns = ["windows", "sold_wh", "delivered_wh", "shortfall_wh", "cost_ngn"]
    return table.groupby("account")[columns].sum().sort_values("shortfall_wh", ascending=False)


def answer(folder: Path) -> None:
    """Prints the answers."""
    if not (folder / "settlements.parquet").is_file():
        raise SystemExit(f"{folder} holds no settlements.parquet; write it with: peerwatt audit --parquet {folder}")
    settlements, windows = (pd.read_parquet(folder / f"{name}.parquet") for name in ("settlements", "windows"))
    pd.set_option("display.width", 120, "display.max_columns", None, "display.float_format", "{:.2f}".format)
    print(f"{len(settlements)} settlements in {len(windows)} windows\n")
    print("Who earned what?")
    print(who_earned_what(settlements).to_string(formatters={"earned_ngn": "{:.2f}".format}))
    print("\nThe price duration curve")
    print(price_duration_curve(windows).to_string(index=False, formatters={"ngn_per_kwh": "{:.1f}".format}))
    print("\nWho fell short?")
    short = who_fell_short(settlements)
    print("nobody" if short.empty else short.to_string(formatters={"cost_ngn": "{:.2f}".format}))


@contextmanager
def run_node(folder: Path) -> Iterator[str]:
    """A local node on a free port; gives its URL."""
    node = subprocess.Popen(
        [*PEERWATT, "node", "--port", "0"], cwd=folder, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert node.stdout is not None
    try:
        told = next((found for line in node.stdout if (found := re.search(r"listening on (\S+)", line))), None)
        if told is None:
            raise SystemExit("the node did not start")
        yield told[1]
    finally:
        node.send_signal(signal.SIGINT)
        node.communicate()


def make_data(folder: Path) -> Path:
    """Plays a small study on a node, and audits it."""
    with run_node(folder) as url:
        study = ["study", "--consumers", "12", "--prosumers", "5", "--windows", "8", "--seed", "3", "--json"]
        # Where clouds come and go, somebody falls short.
        study += ["--scenario", "fluctuating-renewables"]
        run = [[*study, "--rpc", url, "--out", "study"]]
        run.append(["audit", "--rpc", url, "--deployment", "study/deployment.json", "--parquet", "data"])
        for arguments in run:
            subprocess.run([*PEERWATT, *arguments], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return folder / "data"


def main() -> None:
    """From Parquet files, given or made, to answers."""
    if len(sys.argv) > 1:
        answer(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            answer(make_data(Path(folder)))


if __name__ == "__main__":
    main()
