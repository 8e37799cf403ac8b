"""What an audit costs: settled participant-windows verified per second, beside loops that only download the same logs.

`make bench` runs it. It builds a market of each size on a local node (`bench_chain.py`), keeps the chains in out/bench,
and measures on the same node, in turns: the whole audit, a plain web3 loop that downloads and decodes the logs, and
downloading alone. Each run is a process of its own, so that its peak of memory is its own.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from web3 import Web3

from bench_chain import BenchMarket, Size
from peerwatt import artifacts
from peerwatt.audit.arenas import share_memory
from peerwatt.audit.audit import Audit
from peerwatt.audit.rpc import HttpTransport
from peerwatt.market.deployment import Deployment

SIZES = {"small": Size(100, 1), "medium": Size(200, 5), "large": Size(1_000, 10)}
# As many participant-windows as large, by the homes of medium: what memory does not grow with.
# single: every home orders for every window by itself, each seller reports each one: a signature for each of them.
OTHERS = {"long": Size(200, 50), "single": Size(200, 5, single=True)}
# What eth_getLogs is asked for at once, in the loops.
BLOCKS_AT_ONCE = 1_000
HEADINGS = (
    *("chain", "windows", "logs", "audit s", "plain s", "raw s", "windows/s"),
    *("audit/plain", "of CPU", "audit/raw", "peak MB"),
)
START_S = 1_800_000_000
NODE_TIMEOUT_S = 60
TOOLS = Path(__file__).resolve().parents[1] / ".tools" / "node_modules" / ".bin"


# What is measured


def audit(url: str, deployment: Deployment) -> int:
    """The whole audit, as the command makes it; returns the settled participant-windows."""
    share_memory()
    with HttpTransport(url) as transport:
        report = Audit(transport, deployment, ahead=True).run()
    if report.verdict != "holds":
        raise SystemExit(f"the audit says {report.verdict}: {report.divergence or report.incomplete}")
    return report.totals.participant_windows


def plain(url: str, deployment: Deployment) -> int:
    """What a web3 program does that only wants the events; returns how many there are."""
    w3 = Web3(Web3.HTTPProvider(url))
    events = {}
    for name, address in _contracts(deployment).items():
        for event in w3.eth.contract(address=Web3.to_checksum_address(address), abi=artifacts.load(name).abi).events:  # type: ignore[attr-defined]
            events[bytes.fromhex(event().topic[2:])] = event()
    count, last = 0, int(w3.eth.block_number)
    for first in range(deployment.block, last + 1, BLOCKS_AT_ONCE):
        logs = w3.eth.get_logs(
            {
                "address": list(_contracts(deployment).values()),
                "fromBlock": first,
                "toBlock": min(last, first + BLOCKS_AT_ONCE - 1),
            }
        )
        for log in logs:
            events[bytes(log["topics"][0])].process_log(log)
            count += 1
    return count


def raw(url: str, deployment: Deployment) -> int:
    """Downloading the logs and reading them as JSON; returns how many there are."""
    transport = HttpTransport(url)
    last = int(transport.many([("eth_blockNumber", [])])[0], 16)
    count = 0
    for first in range(deployment.block, last + 1, BLOCKS_AT_ONCE):
        query = {
            "address": list(_contracts(deployment).values()),
            "fromBlock": hex(first),
            "toBlock": hex(min(last, first + BLOCKS_AT_ONCE - 1)),
        }
        count += len(transport.many([("eth_getLogs", [query])])[0])
    transport.close()
    return count


def _contracts(deployment: Deployment) -> dict[str, Any]:
    return {"EnergyMarket": deployment.market, "EnergyRegistry": deployment.registry}


WORK: dict[str, Callable[[str, Deployment], int]] = {"audit": audit, "plain": plain, "raw": raw}


def measure_here(what: str, url: str, manifest: Path) -> None:
    """Does it once and prints the figures: seconds on the wall, of all processors, and the peak of memory."""
    deployment = Deployment.load(manifest)
    began_s, used_s = time.perf_counter(), _used_s()
    count = WORK[what](url, deployment)
    wall_s, cpu_s = time.perf_counter() - began_s, _used_s() - used_s
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"count": count, "wall_s": wall_s, "cpu_s": cpu_s, "peak_mb": peak_kib / 1024}))


def _used_s() -> float:
    """Of this process and of its helpers that have ended [s]."""
    own, helpers = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + helpers.ru_utime + helpers.ru_stime


def measure(what: str, url: str, manifest: Path) -> dict[str, float]:
    """As `measure_here`, in a process of its own."""
    command = [sys.executable, __file__, "--measure", what, "--rpc", url, "--manifest", str(manifest)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{what} failed: {done.stderr.strip()[-2000:]}")
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


# The node


@contextmanager
def run_node(folder: Path, engine: str) -> Iterator[str]:
    """A node with the chain of a folder, for as long as it is needed; gives its URL."""
    state = folder / f"chain-{engine}.json"
    command = [sys.executable, "-m", "peerwatt", "node", "--engine", engine, "--port", "0", "--state", str(state)]
    if not state.exists():
        command += ["--time", str(START_S)]
    log = folder / "node.log"
    with log.open("w") as output:
        node = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        yield _find_url(node, log)
    finally:
        node.send_signal(signal.SIGINT)
        node.wait(timeout=NODE_TIMEOUT_S)


def _find_url(node: subprocess.Popen[bytes], log: Path) -> str:
    ending_s = time.monotonic() + NODE_TIMEOUT_S
    while time.monotonic() < ending_s and node.poll() is None:
        found = re.search(r"listening on (\S+)", log.read_text())
        if found:
            return found[1]
        time.sleep(0.1)
    raise SystemExit(f"the node did not start; it said: {log.read_text().strip()}")


def choose_engine() -> str:
    """anvil where it is installed; it builds the chains many times faster."""
    os.environ["PATH"] = os.pathsep.join([str(TOOLS), os.environ["PATH"]])
    return "anvil" if shutil.which(os.environ.get("PEERWATT_ANVIL", "anvil")) else "eth-tester"


# All of it


def bench(name: str, size: Size, out: Path, engine: str, runs: int, console: Console) -> list[str]:
    """A row of the table."""
    folder = out / f"{name}-{size.homes}x{size.rounds * 10}"
    folder.mkdir(parents=True, exist_ok=True)
    manifest = folder / f"deployment-{engine}.json"
    with run_node(folder, engine) as url:
        if not manifest.exists():
            console.print(f"{name}: building {size.participant_windows:,} participant-windows")
            began_s = time.perf_counter()
            market = BenchMarket(Web3(Web3.HTTPProvider(url)), size, lambda text: console.print(f"  {text}"))
            market.build()
            market.deployment.save(manifest)
            console.print(f"  built in {time.perf_counter() - began_s:.0f} s")
        rounds = []
        for number in range(runs):
            rounds.append({what: measure(what, url, manifest) for what in WORK})
            console.print(f"{name}: run {number + 1} of {runs}: {_describe(rounds[-1])}")
    median = {
        what: {key: statistics.median(one[what][key] for one in rounds) for key in rounds[0][what]} for what in WORK
    }
    windows = median["audit"]["count"]
    return [
        f"{windows:,.0f}",
        f"{median['raw']['count']:,.0f}",
        *(f"{median[what]['wall_s']:.2f} / {median[what]['cpu_s']:.2f}" for what in WORK),
        f"{windows / median['audit']['wall_s']:,.0f}",
        *(
            f"{statistics.median(one['audit'][key] / one[what][key] for one in rounds):.2f}"
            for what, key in (("plain", "wall_s"), ("plain", "cpu_s"), ("raw", "wall_s"))
        ),
        f"{median['audit']['peak_mb']:.0f}",
    ]


def _describe(figures: dict[str, dict[str, float]]) -> str:
    return ", ".join(f"{what} {one['wall_s']:.2f} s ({one['cpu_s']:.2f} s CPU)" for what, one in figures.items())


def main() -> None:
    """Builds, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("out/bench"), help="where the chains are kept")
    parser.add_argument("--runs", type=int, default=3, help="of each, in turns")
    parser.add_argument("--only", choices=[*SIZES, *OTHERS], help="one size")
    parser.add_argument("--measure", choices=list(WORK), help=argparse.SUPPRESS)
    parser.add_argument("--rpc", help=argparse.SUPPRESS)
    parser.add_argument("--manifest", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        return measure_here(options.measure, options.rpc, options.manifest)
    console = Console(soft_wrap=True)
    engine = choose_engine()
    console.print(f"node: {engine}; seconds: wall / processors, medians of {options.runs} runs in turns")
    sizes = {name: size for name, size in {**SIZES, **OTHERS}.items() if options.only in (None, name)}
    rows = {name: bench(name, size, options.out, engine, options.runs, console) for name, size in sizes.items()}
    table = Table(box=None, title="audit, plain web3 loop, downloading alone")
    for heading in HEADINGS:
        table.add_column(heading, justify="right", no_wrap=True)
    for name, row in rows.items():
        table.add_row(name, *row)
    # Columns side by side, however narrow the terminal.
    Console(width=140).print(table)
    if {"medium", "long"} <= rows.keys():
        few, many = rows["medium"], rows["long"]
        console.print(f"memory of an audit of 200 homes: {few[-1]} MB at {few[0]} windows, {many[-1]} MB at {many[0]}")


if __name__ == "__main__":
    main()
