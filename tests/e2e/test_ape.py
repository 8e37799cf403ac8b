"""ape compiles the same contracts as the ones that are shipped."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from peerwatt import artifacts

ROOT = Path(__file__).parents[2]
CONTRACTS = ("EnergyMarket", "EnergyRegistry", "MarketLens", "SettlementToken")


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="eth-ape has no release for Python 3.13")
def test_ape_compile__fresh_copy__same_interfaces(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "contracts", tmp_path / "contracts")
    shutil.copy(ROOT / "ape-config.yaml", tmp_path)
    scripts = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        [scripts / "ape", "compile", "--force"], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    built = json.loads(next(tmp_path.rglob("__local__.json")).read_text())
    for name in CONTRACTS:
        signatures = {(entry["type"], entry.get("name")) for entry in built["contractTypes"][name]["abi"]}
        assert signatures == {(entry["type"], entry.get("name")) for entry in artifacts.load(name).abi}
