"""`peerwatt-bridge up` and `down`: a community on this machine."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from web3 import HTTPProvider, Web3

from e2e.tools import ROOT, environment
from peerwatt.market.deployment import Deployment
from peerwatt.market.gateway import MarketGateway

BRIDGE = [str(Path(sys.executable).parent / "peerwatt-bridge")]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def run(*words: object, expect: int = 0) -> str:
    path = f"{ROOT / 'client'}:{ROOT / 'api'}"
    done = subprocess.run(
        [*BRIDGE, *map(str, words)],
        env=environment(PYTHONPATH=path),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_up__then_down__everything_runs_and_then_nothing(tmp_path: Path) -> None:
    folder, chain_port, bridge_port = tmp_path / "up", free_port(), free_port()
    start = ("up", "--dir", folder, "--chain-port", chain_port, "--bridge-port", bridge_port)
    url = f"http://127.0.0.1:{bridge_port}"
    try:
        said = run(*start, "--window-seconds", 90)
        assert url in said
        assert requests.get(f"{url}/healthz", timeout=5).json()["status"] == "ok"
        assert requests.get(f"{url}/v1/market", timeout=5).json()["window_seconds"] == 90
        assert "runs already" in run(*start, expect=3)
        # The homes moved in: their first orders are in the market.
        deployment = Deployment.load(folder / "deployment.json")
        gateway = MarketGateway(Web3(HTTPProvider(f"http://127.0.0.1:{chain_port}")), deployment)
        assert gateway.book_state().open_wh > 0
    finally:
        said = run("down", "--dir", folder)
    assert "community" in said and "bridge" in said and "chain" in said
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{url}/healthz", timeout=2)
    assert "nothing was running" in run("down", "--dir", folder)


def test_up__port_in_use__said_and_nothing_left(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = run("up", "--dir", tmp_path / "up", "--chain-port", port, expect=3)
    assert f"port {port}" in said and "in use" in said
    assert "nothing was running" in run("down", "--dir", tmp_path / "up")
