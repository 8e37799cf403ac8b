"""Bridges that are killed at any moment lose and double nothing: a short campaign (`make chaos`: a long one)."""

from __future__ import annotations

import re
import subprocess
import sys

from e2e.tools import ROOT, environment, find_tool


def test_chaos__ten_kills__nothing_lost_nothing_doubled() -> None:
    find_tool("anvil")
    # A process of its own: it forks, which a test runner with threads must not.
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests/api/chaos.py"), "--kills", "10", "--seed", "3"],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.search(r"10 kills .* (\d+) items accepted: 0 lost, 0 doubled; .* after [0-9.]+ s", done.stdout)
    assert found is not None and int(found[1]) >= 10, done.stdout
