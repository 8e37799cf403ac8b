"""How fast a bridge keeps readings and brings orders to a block, and how many bytes a reading takes.

    python scripts/bench_bridge.py [--readings 10000] [--queue 100000] [--orders 50]

A bridge as a process of its own, on SQLite with full synchronisation, asked over kept-alive HTTP. Beside each figure
are its floors on the same machine: a bare FastAPI route for the same JSON, and recovering the signatures alone.
"""

from __future__ import annotations

import argparse
import gzip
import http.client
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / part) for part in ("client", "api", "tests")]

BATCH = 100
HOMES = 40
PAGE_BYTES = 4096

BARE = """
import sys, uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
class Reading(BaseModel):
    meter: str
    register: str
    unit: str
    first_window: int
    values: list[str]
    signature: str
class Batch(BaseModel):
    readings: list[Reading]
app = FastAPI()
@app.post("/v1/readings", status_code=202)
def take(body: Batch) -> dict[str, int]:
    return {"results": len(body.readings)}
uvicorn.run(app, port=int(sys.argv[1]), log_level="error")
"""


class Client:
    """One kept-alive connection."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def post(self, path: str, body: bytes, kind: str = "application/json") -> Any:
        """The answer's JSON; anything but 202 ends the measurement."""
        self._connection.request("POST", path, body, {"Content-Type": kind})
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status != 202:
            raise SystemExit(f"bench_bridge: {path} answered {answer.status}: {text[:300]!r}")
        return json.loads(text)

    def get(self, path: str) -> Any:
        """The answer's JSON."""
        self._connection.request("GET", path)
        return json.loads(self._connection.getresponse().read())


@contextmanager
def server(command: Sequence[str], port: int, environment: dict[str, str] | None = None) -> Iterator[int]:
    """A process that listens on a port; yields its number."""
    paths = os.pathsep.join(str(ROOT / part) for part in ("client", "api"))
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": paths, **(environment or {})})
    try:
        end_s = time.monotonic() + 60
        while True:
            try:
                http.client.HTTPConnection("127.0.0.1", port, timeout=1).connect()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > end_s:
                    raise SystemExit(f"bench_bridge: {command[:3]} did not start") from None
                time.sleep(0.05)
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def free_port() -> int:
    """A port that nobody listens on."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def per_second(count: int, work: Callable[[], object]) -> float:
    """How often a second what `work` does `count` times was done."""
    began_s = time.perf_counter()
    work()
    return count / (time.perf_counter() - began_s)


def rss_mib(pid: int) -> float:
    """Memory of a process [MiB]."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readings", type=int, default=10_000)
    parser.add_argument("--queue", type=int, default=0, help="readings that wait when memory is measured; 0: not")
    parser.add_argument("--orders", type=int, default=30)
    chosen = parser.parse_args()
    from e2e.tools import running_node

    with tempfile.TemporaryDirectory(prefix="pw-bench-") as name, running_node("anvil") as node:
        measure(node.url, Path(name), chosen)


def measure(url: str, folder: Path, chosen: argparse.Namespace) -> None:
    """All figures, on one chain."""
    from api.fixtures import RELAYER, fund_relayer
    from api.nodes import AnvilChain
    from cli.village import Home, Village, write_keystore
    from peerwatt_bridge.routes.compact import MEDIA_TYPE, encode

    homes = [Home(f"home {place}", feeds_in=True) for place in range(HOMES)]
    village = Village(tuple(homes), AnvilChain(url))
    fund_relayer(village)
    village.deployment.save(folder / "deployment.json")
    (folder / "password").write_text("correct horse battery staple")
    keystore = write_keystore(folder, "relayer", RELAYER.key)
    single = min(chosen.readings // 10, 1000)
    total = chosen.readings * 2 + single + chosen.queue
    signed = sign_readings(village, homes, total)
    bodies = [to_json(item) for item in signed]
    port = free_port()
    environment = {
        "PEERWATT_BRIDGE_RPC": url,
        "PEERWATT_BRIDGE_DEPLOYMENT": str(folder / "deployment.json"),
        "PEERWATT_BRIDGE_DATABASE": f"sqlite:///{folder / 'bridge.db'}",
        "PEERWATT_BRIDGE_RELAYER": str(keystore),
        "PEERWATT_BRIDGE_RELAYER_PASSWORD_FILE": str(folder / "password"),
        "PEERWATT_BRIDGE_CONFIRMATIONS": "2",
        "PEERWATT_BRIDGE_LOG_LEVEL": "ERROR",
        "PEERWATT_BRIDGE_REQUESTS_PER_MINUTE": "10000000",
        "PEERWATT_BRIDGE_ITEMS_PER_HOME_PER_DAY": "10000000",
    }
    command = [sys.executable, "-m", "peerwatt_bridge", "serve", "--migrate", "--port", str(port)]
    with server(command, port, environment) as pid:
        client = Client(port)
        # All meters are known before the clock runs.
        client.post("/v1/readings", batch(bodies[:HOMES]))
        cursor = HOMES
        size_before = database_bytes(folder)
        rest = bodies[cursor : cursor + chosen.readings]
        batches = [batch(rest[at : at + BATCH]) for at in range(0, len(rest), BATCH)]
        in_batches = per_second(len(rest), lambda: [client.post("/v1/readings", body) for body in batches])
        at_rest = (database_bytes(folder) - size_before) / len(rest)
        cursor += len(rest)
        compact = [encode(signed[at : at + BATCH]) for at in range(cursor, cursor + len(rest) - BATCH, BATCH)]
        count = len(compact) * BATCH
        in_cbor = per_second(count, lambda: [client.post("/v1/readings", body, MEDIA_TYPE) for body in compact])
        cursor += count
        ones = bodies[cursor : cursor + single]
        one_by_one = per_second(single, lambda: [client.post("/v1/readings", minified(body)) for body in ones])
        cursor += single
        latencies_s = order_latencies(village, homes, client, chosen.orders)
        while cursor + BATCH <= len(bodies) and chosen.queue:
            client.post("/v1/readings", encode(signed[cursor : cursor + 500]), MEDIA_TYPE)
            cursor += 500
        memory_mib = rss_mib(pid)
    bare_port = free_port()
    with server([sys.executable, "-c", BARE, str(bare_port)], bare_port):
        bare = Client(bare_port)
        bare.post("/v1/readings", batches[0])
        route = per_second(len(rest), lambda: [bare.post("/v1/readings", body) for body in batches])
    recovered = signed[:2000]
    recovery = per_second(len(recovered), lambda: [recover_one(village, item) for item in recovered])
    floor = min(route, recovery)
    sample, packed = batches[0], encode(signed[HOMES : HOMES + BATCH])
    line = [json.dumps(body, separators=(",", ":")).encode() for body in rest]
    raw, zipped = sum(map(len, line)) / len(line), len(gzip.compress(b"\n".join(line))) / len(line)
    print(f"readings kept a second, {BATCH} at a time      {in_batches:9,.0f}   {floor / in_batches:.2f} x the floor")
    print(f"readings kept a second, {BATCH} at a time, CBOR{in_cbor:9,.0f}   {floor / in_cbor:.2f} x the floor")
    print(f"readings kept a second, one at a time     {one_by_one:9,.0f}")
    print(f"floor: a bare route for the same JSON     {route:9,.0f}")
    print(f"floor: recovery of the signatures alone   {recovery:9,.0f}")
    if latencies_s:
        ranked = sorted(latencies_s)
        median, p95 = statistics.median(ranked), ranked[len(ranked) * 95 // 100]
        print(f"order: POST until it is in a block        {median * 1000:7,.0f} ms median, {p95 * 1000:,.0f} ms p95")
    print(f"memory with {cursor:,} readings that wait or are kept  {memory_mib:,.0f} MiB")
    print(f"bytes of a reading on the wire: JSON {len(sample) / BATCH:.0f}, CBOR {len(packed) / BATCH:.0f}", end="")
    print(f" ({len(packed) / len(sample) - 1:+.0%}); gzipped: JSON {len(gzip.compress(sample)) / BATCH:.0f}", end="")
    print(f", CBOR {len(gzip.compress(packed)) / BATCH:.0f}")
    print(f"bytes of a reading at rest: {at_rest:.0f}, with indexes, notices apart; as JSON {raw:.0f}", end="")
    print(f" ({at_rest / raw - 1:+.0%})", end="")
    print(f", gzipped {zipped:.0f}")


def sign_readings(village: Any, homes: Sequence[Any], count: int) -> list[Any]:
    """So many readings of one window each, in turn through the homes, from their enrolment on; then it is later."""
    from peerwatt.meter.submission import SignedReport
    from peerwatt.signing import EXPORTS, Report, sign

    first = village.window
    made = []
    for place in range(count):
        turn, home = place // len(homes), homes[place % len(homes)]
        report = Report(home.meter, EXPORTS, first + turn, (turn * 950, turn * 950 + 950))
        made.append(SignedReport(report, sign(report, village.domain, home.meter_key)))
    village.travel_to(first + count // len(homes) + 2)
    return made


def order_latencies(village: Any, homes: Sequence[Any], client: Client, count: int) -> list[float]:
    """From POST to the first answer that says that a block has it [s]."""
    from peerwatt.signing import BUY, Order, sign

    times_s = []
    for place in range(count):
        home, nonce = homes[place % len(homes)], place // len(homes) + 1
        window = village.window + 3 + place
        order = Order(home.account, home.meter, BUY, window, window, 100, 100, nonce)
        signature = "0x" + sign(order, village.domain, home.account_key).to_bytes().hex()
        began_s = time.perf_counter()
        answer = client.post("/v1/orders", minified({"message": order.to_json(), "signature": signature}))
        path = f"/v1/acts/{answer['digest']}"
        while client.get(path)["status"] not in ("confirmed", "final"):
            time.sleep(0.01)
        times_s.append(time.perf_counter() - began_s)
    return times_s


def recover_one(village: Any, item: Any) -> str:
    """What a bridge can't do without for each reading."""
    from peerwatt.signing.typed import recover

    return str(recover(item.report, village.domain, item.signature))


def to_json(item: Any) -> dict[str, Any]:
    """A reading as meters send it."""
    report = item.report
    return {
        "meter": report.meter,
        "register": "2.8.0",
        "unit": "kWh",
        "first_window": report.first_window,
        "values": [f"{value // 1000}.{value % 1000:03}" for value in report.registers],
        "signature": "0x" + item.signature.to_bytes().hex(),
    }


def minified(body: Any) -> bytes:
    """JSON without spaces."""
    return json.dumps(body, separators=(",", ":")).encode()


def batch(bodies: Sequence[Any]) -> bytes:
    """Several readings as one body."""
    return minified({"readings": list(bodies)})


def database_bytes(folder: Path) -> int:
    """Size of what is kept for good: without the notices, which go after a day, and without a queue.

    Of a copy in which each reading is held, as all become for which nothing was sold.
    """
    import sqlite3

    from peerwatt_bridge.storage.tables import Status

    with tempfile.TemporaryDirectory() as name:
        source, copy = sqlite3.connect(folder / "bridge.db"), sqlite3.connect(Path(name) / "copy.db")
        source.backup(copy)
        source.close()
        copy.execute("DELETE FROM notices")
        copy.execute("UPDATE readings SET status = ?", (int(Status.HELD),))
        copy.commit()
        copy.execute("VACUUM")
        pages = int(copy.execute("PRAGMA page_count").fetchone()[0])
        copy.close()
    return pages * PAGE_BYTES


if __name__ == "__main__":
    main()
