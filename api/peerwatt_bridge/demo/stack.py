"""Starts chain, market, bridge and community as processes of this machine, and stops them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import requests

from peerwatt_bridge.demo.prepare import KEYSTORE, MANIFEST, PASSWORD, StackError, prepare

# Of the processes, in the sequence in which they are started.
NAMES = ("chain", "bridge", "community")
START_S = 60
STOP_S = 20
Say = Callable[[str], None]


class Stack:
    """What `peerwatt-bridge up` starts, with all its files in one folder.

    Args:
        folder: of logs, database, keys and manifest.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._processes = self._folder / "processes.json"
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def up(self, *, chain_port: int, bridge_port: int, window_seconds: int, say: Say) -> str:
        """Starts everything; returns the bridge's URL.

        Raises:
            StackError: it runs already, or something did not start; then nothing is left running.
        """
        if self._running():
            raise StackError(f"it runs already (see {self._folder}); stop it with: peerwatt-bridge down")
        self._folder.mkdir(parents=True, exist_ok=True)
        for old in ("bridge.db", "bridge.db-wal", "bridge.db-shm", MANIFEST, KEYSTORE, PASSWORD):
            (self._folder / old).unlink(missing_ok=True)
        try:
            return self._start(chain_port, bridge_port, window_seconds, say)
        except BaseException:
            self.down()
            raise

    def down(self) -> list[str]:
        """Stops what runs; the names of what was stopped."""
        stopped = []
        for name, pid in reversed(self._read().items()):
            child = self._children.get(name)
            # A child that has only just been made does not show its command yet.
            if _is_ours(pid) or (child is not None and child.poll() is None):
                _stop(pid)
                stopped.append(name)
        self._processes.unlink(missing_ok=True)
        return stopped

    def _start(self, chain_port: int, bridge_port: int, window_seconds: int, say: Say) -> str:
        say("starting a chain")
        self._launch("chain", ["peerwatt", "node", "--port", str(chain_port)], {})
        rpc = self._wait_for_line("chain", "listening on ")
        manifest = self._folder / MANIFEST
        known = {"PEERWATT_RPC": rpc, "PEERWATT_DEPLOYMENT": str(manifest)}
        say(f"deploying a market with windows of {window_seconds} s")
        relayer = prepare(rpc, self._folder, window_seconds)
        say(f"starting the bridge; {relayer.address} pays the gas")
        settings = {
            "PEERWATT_BRIDGE_RPC": rpc,
            "PEERWATT_BRIDGE_DEPLOYMENT": str(manifest),
            "PEERWATT_BRIDGE_DATABASE": f"sqlite:///{self._folder / 'bridge.db'}",
            "PEERWATT_BRIDGE_RELAYER": str(relayer.keystore),
            "PEERWATT_BRIDGE_RELAYER_PASSWORD_FILE": str(relayer.password),
            # A local chain calls nothing final for a long time.
            "PEERWATT_BRIDGE_CONFIRMATIONS": "2",
        }
        serve = ["peerwatt_bridge", "serve", "--migrate", "--port", str(bridge_port)]
        self._launch("bridge", serve, settings)
        url = f"http://127.0.0.1:{bridge_port}"
        self._wait_for_health(url)
        say("the neighbours move in")
        self._launch("community", ["peerwatt_bridge", "community", "--bridge", url], {**settings, **known})
        self._wait_for_line("community", "", "moved-in")
        return url

    # Processes

    def _launch(self, name: str, command: list[str], environment: Mapping[str, str]) -> None:
        with (self._folder / f"{name}.log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment},
                cwd=self._folder,
                # It outlives the terminal.
                start_new_session=True,
            )
        self._children[name] = process
        self._processes.write_text(json.dumps({**self._read(), name: process.pid}))

    def _wait_for_line(self, name: str, start: str, containing: str = "") -> str:
        """The rest of a process's first line with this start, or with this text."""
        log = self._folder / f"{name}.log"

        def find() -> str | None:
            for line in log.read_text().splitlines():
                if line.startswith(start) and containing in line:
                    return line.removeprefix(start)
            return None

        return self._wait(name, find)

    def _wait_for_health(self, url: str) -> None:
        def ask() -> str | None:
            try:
                return url if requests.get(f"{url}/healthz", timeout=2).ok else None
            except requests.RequestException:
                return None

        self._wait("bridge", ask)

    def _wait(self, name: str, find: Callable[[], str | None]) -> str:
        child, until = self._children[name], time.monotonic() + START_S
        while time.monotonic() < until:
            found = find()
            if found is not None:
                return found
            if child.poll() is not None:
                break
            time.sleep(0.1)
        lines = (self._folder / f"{name}.log").read_text().strip().splitlines()
        raise StackError(f"the {name} did not start: {lines[-1] if lines else 'it printed nothing'}")

    def _read(self) -> dict[str, int]:
        try:
            found: dict[str, int] = json.loads(self._processes.read_text())
        except (OSError, ValueError):
            return {}
        return found

    def _running(self) -> bool:
        return any(_is_ours(pid) for pid in self._read().values())


def _is_ours(pid: int) -> bool:
    """Whether a process runs and is one that `up` started: a number may have been given away since."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return False if Path("/proc/self").exists() else _exists(pid)
    except OSError:
        return False
    return b"peerwatt" in command


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def _stop(pid: int) -> None:
    os.kill(pid, signal.SIGTERM)
    until = time.monotonic() + STOP_S
    while time.monotonic() < until:
        # A child of this very process has to be collected; another's can't be.
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        if not _exists(pid):
            return
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
