"""How soon a bridge works again after what it needs was away.

    python scripts/bench_recovery.py [--rounds 20] [--outage 5]

Again and again the node is cut off, the node answers too slowly, another program locks the database, or the disk is
full; and each time homes post an order as soon as it is over. Recovery is the time until `/healthz` says ok and a block
has the order. How soon a killed bridge answers again is measured by `make chaos`.
"""

from __future__ import annotations

import argparse
import itertools
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / part) for part in ("client", "api", "tests")]

from fastapi.testclient import TestClient  # noqa: E402
from sqlalchemy import event  # noqa: E402

from api.fixtures import RELAYER, client_of, fund_relayer, sqlite_url  # noqa: E402
from api.nodes import AnvilChain  # noqa: E402
from api.proxy import Proxy, proxy_to  # noqa: E402
from cli.village import Home, Village  # noqa: E402
from e2e.tools import running_node  # noqa: E402
from peerwatt.signing import BUY, Order, sign  # noqa: E402
from peerwatt_bridge.logs import set_up_logs  # noqa: E402
from peerwatt_bridge.services.bridge import Bridge, build  # noqa: E402
from peerwatt_bridge.settings import Settings  # noqa: E402
from peerwatt_bridge.storage.database import Database  # noqa: E402

# Each has sixteen orders at once, and each recovery needs one.
HOMES = [Home(f"home {place}") for place in range(40)]
PATIENCE_S = 120
NO_LIMIT_PAGES = 2**31 - 2
# A request of the bridge to its node may take so long; a slow node takes twice that.
NODE_TIMEOUT_S = 2.0


class Scene:
    """A bridge with its workers before anvil, and what can go wrong with it."""

    def __init__(self, village: Village, bridge: Bridge, client: TestClient, proxy: Proxy, folder: Path) -> None:
        self._village, self._bridge, self._client, self._proxy, self._folder = village, bridge, client, proxy, folder
        self._orders = itertools.count()
        self._pages = NO_LIMIT_PAGES

        @event.listens_for(bridge.database.engine, "checkout")
        def limit(connection: Any, *_: Any) -> None:
            connection.execute(f"PRAGMA max_page_count = {self._pages}")

    @contextmanager
    def node_away(self) -> Iterator[None]:
        """Nothing listens there."""
        self._proxy.cut()
        yield
        self._proxy.mend()

    @contextmanager
    def node_slow(self) -> Iterator[None]:
        """Each answer comes too late."""
        self._proxy.delay_s = 2 * NODE_TIMEOUT_S
        yield
        self._proxy.delay_s = 0

    @contextmanager
    def database_locked(self) -> Iterator[None]:
        """Another program writes, and does not end."""
        other = sqlite3.connect(self._folder / "bridge.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")
        other.close()

    @contextmanager
    def disk_full(self) -> Iterator[None]:
        """The database can't grow by a page."""
        self._pages = 1
        yield
        self._pages = NO_LIMIT_PAGES

    def recover_s(self) -> float:
        """From now until an order is in a block and all is well [s]."""
        body = self._sign_order(next(self._orders))
        began_s = time.monotonic()
        digest = self._until(lambda: self._client.post("/v1/orders", json=body).json().get("digest"))
        self._until(lambda: self._client.get(f"/v1/acts/{digest}").json()["status"] in ("confirmed", "final"))
        self._until(lambda: self._client.get("/healthz").json()["status"] == "ok")
        return time.monotonic() - began_s

    def _sign_order(self, place: int) -> dict[str, Any]:
        home, turn = HOMES[place % len(HOMES)], place // len(HOMES)
        window = self._village.window + 3 + turn
        order = Order(home.account, home.meter, BUY, window, window, 50, 100, turn + 1)
        signature = sign(order, self._village.domain, home.account_key)
        return {"message": order.to_json(), "signature": "0x" + signature.to_bytes().hex()}

    def _until(self, ask: Callable[[], Any]) -> Any:
        end_s = time.monotonic() + PATIENCE_S
        while True:
            found = ask()
            if found:
                return found
            if time.monotonic() > end_s:
                raise SystemExit(f"bench_recovery: not after {PATIENCE_S} s: {self._client.get('/healthz').text}")
            time.sleep(0.02)


@contextmanager
def scene() -> Iterator[Scene]:
    """One on a chain of its own."""
    with tempfile.TemporaryDirectory(prefix="pw-recovery-") as name, running_node("anvil") as node:
        folder = Path(name)
        village = Village(tuple(HOMES), AnvilChain(node.url))
        fund_relayer(village)
        manifest = folder / "deployment.json"
        village.deployment.save(manifest)
        with proxy_to(node.url) as proxy:
            chosen: dict[str, Any] = {
                "rpc": proxy.url,
                "deployment": manifest,
                "database": sqlite_url(folder),
                "confirmations": 2,
                "keep": False,
                "node_timeout_s": NODE_TIMEOUT_S,
                "database_busy_s": 1,
                "requests_per_minute": 10_000_000,
            }
            settings = Settings(**chosen)
            database = Database(settings.database, settings.database_busy_s)
            database.migrate()
            bridge = build(settings, key=RELAYER, database=database)
            with client_of(bridge) as client:
                made = Scene(village, bridge, client, proxy, folder)
                made.recover_s()
                yield made


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--outage", type=float, default=5, help="how long each lasts [s]")
    chosen = parser.parse_args()
    set_up_logs("CRITICAL")
    with scene() as made:
        usual_s = [made.recover_s() for _ in range(chosen.rounds)]
        print(f"{'nothing was wrong':20} {_describe(usual_s)}", flush=True)
        for outage in (made.node_away, made.node_slow, made.database_locked, made.disk_full):
            times_s = []
            for _ in range(chosen.rounds):
                with outage():
                    time.sleep(chosen.outage)
                times_s.append(made.recover_s())
            print(f"{outage.__name__.replace('_', ' '):20} {_describe(times_s)}", flush=True)


def _describe(times_s: list[float]) -> str:
    ranked = sorted(times_s)
    p95_s = ranked[min(len(ranked) - 1, len(ranked) * 95 // 100)]
    return f"{statistics.median(ranked):6.2f} s median, {p95_s:6.2f} s p95 of {len(ranked)}"


if __name__ == "__main__":
    main()
