"""ape as its users run it, in a copy of the tree: compile, deploy, test, console; nothing but processes."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from e2e.ape_tree import ROOT, Tree
from peerwatt import artifacts

CONTRACTS = ("EnergyMarket", "EnergyRegistry", "MarketLens", "SettlementToken")

pytestmark = pytest.mark.skipif(sys.version_info >= (3, 13), reason="eth-ape has no release for Python 3.13")


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A fresh copy."""
    return Tree(tmp_path)


# One test, since compiling takes most of the time and the rest needs it.
def test_ape__compile_test_console__work_on_a_fresh_copy(tree: Tree) -> None:
    tree.ape("compile", "--force")
    built = json.loads(next(tree.folder.rglob("__local__.json")).read_text())
    for name in CONTRACTS:
        signatures = {(entry["type"], entry.get("name")) for entry in built["contractTypes"][name]["abi"]}
        assert signatures == {(entry["type"], entry.get("name")) for entry in artifacts.load(name).abi}

    # Without arguments it runs tests/with_ape and nothing else.
    printed = tree.ape("test")
    written = re.findall(r"^def test_", (ROOT / "tests" / "with_ape" / "test_market.py").read_text(), re.MULTILINE)
    assert f"{len(written)} passed" in printed

    commands = """
owner = accounts.test_accounts[0]
token = project.SettlementToken.deploy("peerwatt NGN", "NGN", 6, sender=owner)
print("minter is owner:", token.minter() == owner)
"""
    assert "minter is owner: True" in tree.ape("console", input=commands)


def test_ape_run_deploy__built_in_chain__everything_but_a_manifest(tree: Tree) -> None:
    printed = tree.ape("run", "deploy")
    assert "deploying local.toml on chain 1337 as 0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266: about 13," in printed
    assert re.search(r"EnergyMarket at 0x\w{40}", printed) and "verified: code, immutables" in printed
    assert "set the scales of feeder 2 (River Side)" in printed and "still has to" not in printed
    assert "this chain ends with the run" in printed
    assert not (tree.folder / "deployment.json").exists()


def test_ape_run_deploy__senseless_parameters__one_message_and_no_traceback(tree: Tree) -> None:
    (tree.folder / "bad.toml").write_text("chain_id = 1\ncolour = 'red'\n")
    printed = tree.ape("run", "deploy", "--parameters", "bad.toml", expect=1)
    assert "Error: bad.toml has " in printed and "colour is unknown" in printed
    assert "Traceback" not in printed and "Confirmed" not in printed
