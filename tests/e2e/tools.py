"""The programs of end-to-end tests (`make tools` installs them), and local chains as processes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from web3 import HTTPProvider, Web3

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".tools"
MODULES = TOOLS / "node_modules"
ENGINES = ("eth-tester", "anvil")
STOP_S = 20


def find_tool(name: str) -> Path:
    """The program `anvil` or `cast`; skips the test where it is not installed."""
    # The program itself: npm's wrapper costs the start of Node.js each time.
    found = sorted((MODULES / "@foundry-rs").glob(f"{name}-*/bin/{name}"))
    if not found:
        pytest.skip(f"{name} is not installed; run: make tools")
    return found[0]


def find_node_js() -> Path:
    """Node.js with viem beside it; skips the test where either is missing."""
    program = shutil.which("node")
    if program is None or not (MODULES / "viem").is_dir():
        pytest.skip("Node.js or viem is not installed; run: make tools")
    return Path(program)


def environment(**more: str) -> dict[str, str]:
    """The environment of a process: this tree's peerwatt, this machine's programs, nothing of peerwatt's settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PEERWATT_", "ETH_", "XDG_"))}
    scripts = str(Path(sys.executable).parent)
    path = os.pathsep.join([scripts, kept.get("PATH", "")])
    return {**kept, "PATH": path, "PYTHONPATH": str(ROOT / "client"), "TERM": "dumb", "COLUMNS": "200", **more}


@dataclass
class RunningNode:
    """A `peerwatt node` process.

    Attributes:
        url: where it listens.
        engine: "eth-tester" or "anvil".
        banner: what it printed when it listened.
    """

    url: str
    engine: str
    process: subprocess.Popen[str]
    banner: list[str] = field(default_factory=list)

    @property
    def w3(self) -> Web3:
        """A web3 for it."""
        return Web3(HTTPProvider(self.url))

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Stops it and returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            self.process.communicate(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        return self.process.returncode


@contextmanager
def running_node(engine: str = "eth-tester", *options: str) -> Iterator[RunningNode]:
    """A `peerwatt node` on a free port of the loopback, stopped in the end.

    Args:
        engine: "eth-tester" or "anvil"; the test is skipped where anvil is not installed.
        options: more of the command line, such as `--block-time`, `1`.
    """
    more = {"PEERWATT_ANVIL": str(find_tool("anvil"))} if engine == "anvil" else {}
    process = subprocess.Popen(
        [sys.executable, "-m", "peerwatt", "node", "--port", "0", "--engine", engine, *options],
        env=environment(**more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stderr is not None
    # The first line comes when it listens; if it ends before, there is none.
    first = process.stdout.readline().strip()
    if not first.startswith("listening on http://"):
        process.kill()
        raise AssertionError(f"peerwatt node did not start: {first!r} {process.stderr.read()}")
    banner = [first]
    while not banner[-1].startswith("Ctrl-C"):
        banner.append(process.stdout.readline().rstrip("\n"))
    node = RunningNode(first.removeprefix("listening on "), engine, process, banner)
    try:
        yield node
    finally:
        alive = process.poll() is None
        code = node.stop()
    assert code == 0 or not alive, f"stopped by SIGTERM it ended with {code}"
