"""cast, viem and ape on a local chain of each engine: accounts, contracts, logs, reasons, travel, snapshots."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from web3 import Web3

from e2e.tools import MODULES, RunningNode, environment, find_node_js, find_tool
from peerwatt import artifacts
from peerwatt.node.accounts import dev_accounts

CLIENTS = Path(__file__).parent / "clients"
ARTIFACT = Path(str(artifacts.__file__)).parent / "SettlementToken.json"
REASON = "token: not enough balance"
A, B = dev_accounts()[:2]
TIMEOUT_S = 120


def run(*command: object, cwd: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def last_json(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def cast(local_chain: RunningNode) -> Callable[..., str]:
    program = find_tool("cast")

    def call(*arguments: object, fails: bool = False) -> str:
        done = run(program, *arguments, ETH_RPC_URL=local_chain.url)
        assert bool(done.returncode) is fails, done.stdout + done.stderr
        return done.stderr if fails else done.stdout.strip()

    return call


def test_cast__from_account_to_revert__works(cast: Callable[..., str]) -> None:
    assert cast("chain-id") == "31337"
    assert int(cast("balance", A.address)) > 9_990 * 10**18
    artifact = artifacts.load("SettlementToken")
    factory = Web3().eth.contract(abi=artifact.abi, bytecode=artifact.bytecode)
    code = factory.constructor("peerwatt NGN", "NGN", 6).data_in_transaction
    created = json.loads(cast("send", "--json", "--private-key", A.key, "--create", code))
    token = created["contractAddress"]
    assert cast("call", token, "symbol()(string)") == '"NGN"'
    mint = ("send", "--json", token, "mint(address,uint256)", B.address, "1000")
    for more in (("--private-key", A.key), ("--private-key", A.key, "--legacy"), ("--unlocked", "--from", A.address)):
        assert json.loads(cast(*mint, *more))["status"] == "0x1"
    assert cast("call", token, "balanceOf(address)(uint256)", B.address) == "3000"
    logs = json.loads(
        cast("logs", "--json", "--from-block", "0", "--address", token, "Transfer(address,address,uint256)")
    )
    assert [int(log["data"], 16) for log in logs] == [1000] * 3
    transfer = (token, "transfer(address,uint256)", A.address, "5000")
    assert REASON in cast("call", *transfer, "--from", B.address, fails=True)
    assert REASON in cast("send", *transfer, "--private-key", B.key, fails=True)
    mark = cast("rpc", "evm_snapshot").strip('"')
    before = int(cast("block", "latest", "--field", "timestamp"))
    cast("rpc", "evm_increaseTime", "3600")
    cast("rpc", "evm_mine")
    assert 3600 <= int(cast("block", "latest", "--field", "timestamp")) - before < 3700
    cast(*mint, "--private-key", A.key)
    assert cast("rpc", "evm_revert", mark) == "true"
    assert cast("call", token, "balanceOf(address)(uint256)", B.address) == "3000"
    assert int(cast("block", "latest", "--field", "timestamp")) == before


def test_viem__test_client__works(local_chain: RunningNode) -> None:
    seen = last_json(run(find_node_js(), CLIENTS / "viem_journey.cjs", MODULES, local_chain.url, ARTIFACT))
    assert 3600 <= seen.pop("increased") < 3700 and 90_060 <= seen.pop("set") < 90_160
    assert int(seen.pop("balance")) > 9_990 * 10**18 and seen.pop("owner").lower() == A.address.lower()
    assert seen == {
        "chainId": 31337,
        "kinds": [["success", "eip1559", 1], ["success", "legacy", 1], ["success", "eip1559", 1]],
        "minted": "3000",
        "events": ["1000", "1000", "1000"],
        "refusedCall": REASON,
        "refusedSend": REASON,
        "typed": True,
        "setBalance": "7000000000000000000",
        "impersonated": True,
        "mintedAgain": "3001",
        "mintedAfterRevert": "3000",
        "fees": ["maxFeePerGas", "maxPriorityFeePerGas"],
        "history": 3,
    }


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="eth-ape has no release for Python 3.13")
def test_ape__plain_url__works(local_chain: RunningNode, tmp_path: Path) -> None:
    seen = last_json(run(sys.executable, CLIENTS / "ape_journey.py", local_chain.url, cwd=tmp_path))
    assert 3600 <= seen.pop("travelled") < 3700 and int(seen.pop("balance")) > 9_990 * 10**18
    # ape cuts what stands before a colon off the reason of a call.
    assert REASON.endswith(seen.pop("refused_call"))
    assert seen == {
        "chain_id": 31337,
        "owner": A.address,
        "minted": 1000,
        "events": [["Transfer", 1000]],
        "logs": [1000],
        "refused_send": REASON,
        "minted_again": 1001,
        "reverted": True,
        "minted_after_revert": 1000,
    }
