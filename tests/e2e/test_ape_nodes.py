"""Deploying on nodes, with ape and without: a plain URL, and anvil started by ape."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from e2e.ape_tree import ROOT, Tree
from e2e.conftest import StartNode
from e2e.tools import environment, find_tool
from peerwatt.market.deployment import Deployment
from peerwatt.market.neighbours import NEIGHBOURS

WITH_APE = pytest.mark.skipif(sys.version_info >= (3, 13), reason="eth-ape has no release for Python 3.13")


@WITH_APE
def test_ape_run_deploy__plain_url__market_filled_with_neighbours(tmp_path: Path, start_node: StartNode) -> None:
    tree, node = Tree(tmp_path), start_node("eth-tester")
    tree.ape("run", "deploy", "--network", node.url)
    deployment = Deployment.load(tmp_path / "deployment.json")
    deployment.check(node.w3)

    seeded = subprocess.run(
        [sys.executable, ROOT / "scripts" / "seed_community.py", "--rpc", node.url],
        cwd=tmp_path,
        env=environment(HOME=str(tmp_path)),
        capture_output=True,
        text=True,
        check=True,
    )
    assert [line.split()[0] for line in seeded.stdout.splitlines()[1:]] == [home.name for home in NEIGHBOURS]
    again = tree.ape("run", "seed_community", "--network", node.url)
    assert all(f"{home.name}: windows " in again for home in NEIGHBOURS)


@WITH_APE
def test_ape_run_deploy__anvil_of_its_own__everything_but_a_manifest(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    path = f"{Path(sys.executable).parent}{os.pathsep}{find_tool('anvil').parent}{os.pathsep}{os.environ['PATH']}"
    printed = tree.ape("run", "deploy", "--network", "ethereum:local:foundry", PATH=path)
    assert "on chain 31337" in printed and "verified: code, immutables" in printed and "still has to" not in printed
    assert "this chain ends with the run" in printed and not (tmp_path / "deployment.json").exists()
