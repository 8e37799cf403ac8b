"""Kills a bridge again and again while homes use it, then asks the chain what was lost or doubled.

    python tests/api/chaos.py --kills 1000 --seed 1

A life of the bridge is a process forked from this one, so that it starts in no time: the real services, workers and
HTTP server on a SQLite file, before anvil. It dies by SIGKILL at a random moment, or exactly at a step between accept,
sign, send and confirm. What it did not answer is sent to the next life, what it did answer is never sent again.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import signal
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / part) for part in ("client", "api", "tests")]

import uvicorn  # noqa: E402
from eth_account import Account  # noqa: E402

from api.chaos_judge import Item, Judge, Outcome  # noqa: E402
from api.fixtures import RELAYER, fund_relayer, reading  # noqa: E402
from api.nodes import AnvilChain  # noqa: E402
from cli.village import Home, Village  # noqa: E402
from e2e.tools import running_node  # noqa: E402
from peerwatt.market.senders import KeyAccount  # noqa: E402
from peerwatt.signing import BUY, SELL, Order, sign  # noqa: E402
from peerwatt.units import parse_price  # noqa: E402
from peerwatt_bridge.app import create_app  # noqa: E402
from peerwatt_bridge.logs import set_up_logs  # noqa: E402
from peerwatt_bridge.services import outbox as outbox_module  # noqa: E402
from peerwatt_bridge.services.bridge import Bridge, build  # noqa: E402
from peerwatt_bridge.settings import Settings  # noqa: E402
from peerwatt_bridge.storage.database import Database  # noqa: E402

PAIRS = 4
ENERGY_WH = 1_000
# Windows between an order and its delivery: so many lives have time to relay it.
AHEAD = 20
CONFIRMATIONS = 12
DEEPEST_REORG = 8
LONGEST_LIFE_S = 2.0
# A step that does not come in a life that long will not come in it.
STEP_LIFE_S = 4
ANSWER_S = 10
END_S = 180


# Steps at which a life may end. Each takes a bridge and a function that ends it.


def after(owner: Any, name: str, die: Callable[[], None]) -> None:
    plain = getattr(owner, name)

    def step(*arguments: Any, **named: Any) -> Any:
        result = plain(*arguments, **named)
        die()
        return result

    setattr(owner, name, step)


def before(owner: Any, name: str, die: Callable[[], None]) -> None:
    plain = getattr(owner, name)

    def step(*arguments: Any, **named: Any) -> Any:
        die()
        return plain(*arguments, **named)

    setattr(owner, name, step)


STEPS: dict[str, Callable[[Bridge, Callable[[], None]], None]] = {
    "reading written, not committed": lambda bridge, die: after(bridge.readings, "_keep", die),
    "reading kept, not answered": lambda bridge, die: after(bridge.readings, "accept", die),
    "order written, not committed": lambda bridge, die: after(bridge.acts, "_keep", die),
    "order kept, not answered": lambda bridge, die: after(bridge.acts, "accept", die),
    "signed, not written": lambda bridge, die: after(bridge.outbox, "_sign", die),
    "signed and written, not committed": lambda bridge, die: after(bridge.outbox, "_keep", die),
    "signed and kept, not sent": lambda bridge, die: before(bridge.outbox, "_push", die),
    "sent": lambda bridge, die: after(bridge.outbox, "_push", die),
    "in a block, not noted": lambda bridge, die: before(bridge.outbox, "_note", die),
    "block noted, not committed": lambda bridge, die: after(bridge.outbox, "_note", die),
    "looked after": lambda bridge, die: after(bridge.outbox, "_look_after", die),
    "final, not noted": lambda bridge, die: before(outbox_module, "finish", die),
    "final noted, not committed": lambda bridge, die: after(outbox_module, "finish", die),
}


def live(settings: Settings, listener: socket.socket, step: str | None, hits: int, log: Path) -> None:
    """A life, in the forked process. Does not return."""
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
    set_up_logs("WARNING")
    bridge = build(settings, key=RELAYER)
    left = [hits]

    def die() -> None:
        left[0] -= 1
        if left[0] <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    if step is not None:
        STEPS[step](bridge, die)
    server = uvicorn.Server(uvicorn.Config(create_app(bridge), log_config=None, access_log=False))
    server.run(sockets=[listener])


def fork(work: Callable[[], None]) -> int:
    """A process that does work and nothing else."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        work()
        code = 0
    except BaseException as error:
        print(f"a process ended by {type(error).__name__}: {error}", file=sys.stderr, flush=True)
    os._exit(code)


class Campaign:
    """Homes in pairs, a seller and a buyer each, at a bridge that dies."""

    def __init__(self, url: str, folder: Path, seed: int) -> None:
        self.random = random.Random(seed)
        self.outcome = Outcome()
        self.sellers = [Home(f"seller {place}", feeds_in=True) for place in range(PAIRS)]
        self.buyers = [Home(f"buyer {place}") for place in range(PAIRS)]
        self.chain = AnvilChain(url)
        self.village = Village((*self.sellers, *self.buyers), self.chain)
        self._enrich()
        # Reorganisations must not reach the setup.
        self.chain.mine(2 * CONFIRMATIONS)
        manifest = folder / "deployment.json"
        self.village.deployment.save(manifest)
        self.log = folder / "bridge.log"
        self.settings = Settings(
            _env_file=None,  # type: ignore[call-arg]
            rpc=url,
            deployment=manifest,
            database=f"sqlite:///{folder / 'bridge.db'}",
            confirmations=CONFIRMATIONS,
            tick_s=0.05,
            resend_s=1,
            # In the end each item is asked for; limits have tests of their own.
            requests_per_minute=1_000_000,
        )
        database = Database(self.settings.database)
        database.migrate()
        database.close()
        self.port = 0
        self.waiting: list[Item] = []
        self.accepted: list[Item] = []
        self._sold: list[tuple[int, Home]] = []
        self._registers: Counter[str] = Counter()
        self._nonces: Counter[str] = Counter()
        self._turn = 0

    def run(self, kills: int) -> Outcome:
        """Lives that are killed, then one that ends what is left, then the chain's word."""
        while sum(self.outcome.kills.values()) < kills:
            self._move_on()
            self._life()
            done = sum(self.outcome.kills.values())
            if done % 50 == 0:
                print(f"  {done} kills, {len(self.accepted)} items accepted", flush=True)
        self._finish()
        Judge(self.village, self.sellers, self.accepted, self.statuses, self.outcome).judge()
        return self.outcome

    def _enrich(self) -> None:
        village = self.village
        for home in self.buyers + self.sellers:
            amount = village.money("2000000 NGN")
            village.gateway.act(village.operator, village.gateway.token.functions.mint(home.account, amount))
            village.gateway.deposit(KeyAccount(Account.from_key(home.account_key)), amount)
        fund_relayer(village)

    # What happens outside

    def _move_on(self) -> None:
        """A window later: new orders, and readings of what was sold. Sometimes the chain changes its mind."""
        window = self.village.window + 1
        if self.random.random() < 0.1:
            self.chain.reorganise(self.random.randint(1, DEEPEST_REORG))
            self.outcome.reorganisations += 1
        self.chain.ask("evm_setAutomine", self.random.random() < 0.8)
        self.village.travel_to(window, 30)
        pair = self._turn % PAIRS
        self._turn += 1
        seller, buyer = self.sellers[pair], self.buyers[pair]
        for home, side, price in ((seller, SELL, "80 NGN/kWh"), (buyer, BUY, "150 NGN/kWh")):
            self._nonces[home.name] += 1
            level = parse_price(price, self.village.grid)
            ahead = window + AHEAD
            order = Order(home.account, home.meter, side, ahead, ahead, ENERGY_WH, level, self._nonces[home.name])
            signature = "0x" + sign(order, self.village.domain, home.account_key).to_bytes().hex()
            self.waiting.append(Item("orders", {"message": order.to_json(), "signature": signature}))
        self._sold.append((window + AHEAD, seller))
        for sold, home in [pair for pair in self._sold if pair[0] < window]:
            register_wh = self._registers[home.name]
            self._registers[home.name] += ENERGY_WH
            body = reading(self.village, home, sold, register_wh, register_wh + ENERGY_WH)
            self.waiting.append(Item("readings", body))
            self._sold.remove((sold, home))

    # A life

    def _start(self, step: str | None, hits: int = 1) -> int:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        self.port = listener.getsockname()[1]
        pid = fork(lambda: live(self.settings, listener, step, hits, self.log))
        # When it dies, nothing listens.
        listener.close()
        return pid

    def _life(self) -> None:
        step = self.random.choice(sorted(STEPS)) if self.random.random() < 0.6 else None
        length_s = self.random.uniform(0.05, LONGEST_LIFE_S) if step is None else STEP_LIFE_S
        began_s = time.monotonic()
        pid = self._start(step, self.random.randint(1, 3))

        def kill() -> None:
            time.sleep(length_s)
            os.kill(pid, signal.SIGKILL)

        killer = fork(kill)
        before = len(self.accepted)
        while self.waiting and self._send(self.waiting[0]):
            if len(self.accepted) == before + 1:
                self.outcome.recoveries_s.append(time.monotonic() - began_s)
        while (ended := os.waitpid(pid, os.WNOHANG))[0] == 0:
            # Blocks go on while it lives, so that there is something to note and to call final.
            if self.random.random() < 0.5:
                self.chain.mine(self.random.randint(1, 3))
            time.sleep(0.05)
        status = ended[1]
        by_itself = time.monotonic() - began_s < length_s
        os.kill(killer, signal.SIGKILL)
        os.waitpid(killer, 0)
        assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, (status, self.log.read_text()[-3000:])
        self.outcome.kills[step if step is not None and by_itself else "any moment"] += 1

    def _send(self, item: Item) -> bool:
        """Whether it was answered; then it is never sent again."""
        answer = self._ask("POST", f"/v1/{item.path}", item.body)
        if answer is None:
            return False
        status, body = answer
        if status == 422 and body["reason"] == "offers: gate closed":
            # No life answered it in time, so none owes it; its window is not sold.
            self.waiting.remove(item)
            window = item.body["message"]["lastWindow"]
            self._sold = [pair for pair in self._sold if pair[0] != window]
            return True
        assert status == 202, (item.path, status, body)
        result = body["results"][0] if item.path == "readings" else body
        item.digest = result["digest"]
        self.accepted.append(item)
        self.waiting.remove(item)
        return True

    def _ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any] | None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_S)
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        except (OSError, http.client.HTTPException, json.JSONDecodeError):
            return None
        finally:
            connection.close()

    # The end

    def _finish(self) -> None:
        """A life without an end of its own, until everything is over."""
        self.chain.ask("evm_setAutomine", True)
        pid = self._start(None)
        try:
            end_s = time.monotonic() + END_S
            while time.monotonic() < end_s:
                if self.waiting:
                    self._send(self.waiting[0])
                    continue
                self.chain.mine(CONFIRMATIONS)
                if all(self._status(item) not in ("received", "relayed", "confirmed") for item in self.accepted):
                    break
                time.sleep(0.1)
            self.statuses = {item.digest: self._status(item) for item in self.accepted}
        finally:
            os.kill(pid, signal.SIGTERM)
            os.waitpid(pid, 0)

    def _status(self, item: Item) -> str:
        path = "readings" if item.path == "readings" else "acts"
        answer = self._ask("GET", f"/v1/{path}/{item.digest}")
        return "no answer" if answer is None else str(answer[1]["status"])


def main() -> int:
    """Runs a campaign; 1 if something was lost or doubled."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pw-chaos-") as folder, running_node("anvil") as node:
        outcome = Campaign(node.url, Path(folder), chosen.seed).run(chosen.kills)
    for step, count in sorted(outcome.kills.items()):
        print(f"  {count:5} killed at: {step}")
    for text in outcome.lost + outcome.doubled:
        print(f"  {text}")
    print(outcome.line())
    return 1 if outcome.lost or outcome.doubled else 0


if __name__ == "__main__":
    sys.exit(main())
