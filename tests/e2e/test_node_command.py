"""`peerwatt node` and `peerwatt travel` as processes, on both engines."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner
from web3.types import RPCEndpoint

from e2e.tools import ENGINES, MODULES, RunningNode, environment, find_node_js, find_tool
from peerwatt.cli.main import app
from peerwatt.node.accounts import BALANCE_WEI, dev_accounts

A, B = (account.address for account in dev_accounts()[:2])
START = "2031-06-01T10:00:00+01:00"
START_S = int(datetime.fromisoformat(START).timestamp())

StartNode = Callable[..., RunningNode]


def peerwatt(*arguments: object, **variables: str) -> Result:
    """A command in this process: each of its own costs a second of imports."""
    settings = {name: None for name in os.environ if name.startswith(("PEERWATT_", "ETH_", "XDG_"))}
    quiet = {"TERM": "dumb", "COLUMNS": "200"}
    return CliRunner().invoke(app, [*map(str, arguments)], env={**settings, **quiet, **variables})


def time_of(node: RunningNode) -> int:
    return int(node.w3.eth.get_block("latest")["timestamp"])


@pytest.mark.parametrize("engine", ENGINES)
def test_node__started_at_a_time_with_a_file__keeps_chain_and_clock(
    start_node: StartNode, engine: str, tmp_path: Path
) -> None:
    state = tmp_path / "chain"
    node = start_node(engine, "--state", str(state), "--time", START, "--chain-id", "4242")
    w3 = node.w3
    assert w3.eth.chain_id == 4242
    assert w3.eth.accounts == [account.address for account in dev_accounts()]
    assert all(w3.eth.get_balance(account.address) == BALANCE_WEI for account in dev_accounts())
    assert w3.eth.get_block("latest")["gasLimit"] == 60_000_000
    assert 0 <= time_of(node) - START_S < 60
    for text in (engine, "chain id  4242", "a block for each transaction", f"kept in {state}", A, "2031-06-01 09:00"):
        assert any(text in line for line in node.banner), text
    sent = w3.eth.send_transaction({"from": A, "to": B, "value": 7})
    w3.provider.make_request(RPCEndpoint("evm_increaseTime"), [7200])
    w3.provider.make_request(RPCEndpoint("evm_mine"), [])
    before = time_of(node)
    # anvil writes its file when it ends; the eth-tester engine after each block.
    node.stop(signal.SIGINT if engine == "anvil" else signal.SIGKILL)
    again = start_node(engine, "--state", str(state), "--chain-id", "4242")
    assert again.w3.eth.get_balance(B) == BALANCE_WEI + 7
    assert again.w3.eth.get_transaction_receipt(sent)["blockNumber"] == 1
    assert (again.w3.eth.block_number, time_of(again)) == (2, before)
    again.w3.eth.wait_for_transaction_receipt(again.w3.eth.send_transaction({"from": A, "to": B, "value": 1}))
    assert 0 < time_of(again) - before < 600, "the clock goes on"


@pytest.mark.parametrize("engine", ENGINES)
def test_node__ctrl_c__ends_with_0(start_node: StartNode, engine: str) -> None:
    # SIGTERM is what the fixture sends, which looks at the exit code too.
    assert start_node(engine).stop(signal.SIGINT) == 0


def test_node__npms_anvil__passes_the_signal_on(tmp_path: Path) -> None:
    find_tool("anvil"), find_node_js()
    state = tmp_path / "chain.json"
    command = [sys.executable, "-m", "peerwatt", "node", "--engine", "anvil", "--port", "0", "--state", str(state)]
    path = os.pathsep.join([str(MODULES / ".bin"), environment()["PATH"]])
    process = subprocess.Popen(command, env=environment(PATH=path), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline().startswith("listening on http://127.0.0.1:")
    process.terminate()
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert json.loads(state.read_text())["accounts"], "it was written before the command ended"


@pytest.mark.parametrize("engine", ENGINES)
def test_node__block_time__mines_without_transactions(start_node: StartNode, engine: str) -> None:
    node = start_node(engine, "--block-time", "1")
    assert "blocks    a block every 1 s" in node.banner
    w3 = node.w3
    sent = w3.eth.send_transaction({"from": A, "to": B, "value": 7, "gas": 21_000})
    number = w3.eth.wait_for_transaction_receipt(sent, timeout=60)["blockNumber"]
    later = w3.eth.send_transaction({"from": A, "to": B, "value": 7, "gas": 21_000})
    assert w3.eth.wait_for_transaction_receipt(later, timeout=60)["blockNumber"] > number


@pytest.mark.parametrize("engine", ENGINES)
def test_node__port_in_use__one_line_and_exit_4(eth_tester_chain: RunningNode, engine: str) -> None:
    variables = {"PEERWATT_ANVIL": str(find_tool("anvil"))} if engine == "anvil" else {}
    port = eth_tester_chain.url.rpartition(":")[2]
    done = peerwatt("node", "--port", port, "--engine", engine, **variables)
    assert done.exit_code == 4
    assert done.stderr == (
        f"peerwatt: port {port} of 127.0.0.1 is in use; choose another with --port, or --port 0 for a free one\n"
    )


@pytest.mark.parametrize(
    ("arguments", "variables", "code", "words"),
    [
        (["--engine", "geth"], {}, 2, "'eth-tester', 'anvil'"),
        (["--engine", "anvil"], {"PATH": "/nowhere"}, 3, "anvil is not on PATH; npm install @foundry-rs/anvil"),
        (["--engine", "anvil"], {"PEERWATT_ANVIL": "/nowhere/anvil"}, 3, "PEERWATT_ANVIL names /nowhere/anvil"),
        (["--block-time", "0"], {}, 2, "give --block-time a positive number"),
        (["--time", "tomorrow"], {}, 2, "'tomorrow' is no time"),
        (["--time", "1800000000000000"], {}, 2, "Unix seconds, not milliseconds"),
        (["--host", "192.0.2.1"], {}, 4, "192.0.2.1 is no address of this machine"),
        (["--state", __file__], {}, 3, "is no chain of the eth-tester engine"),
        (["--state", "/nowhere/chain.db"], {}, 3, "name a file that can be written"),
    ],
)
def test_node__what_can_not_be__one_line_and_its_exit_code(
    arguments: list[str], variables: dict[str, str], code: int, words: str
) -> None:
    done = peerwatt("node", "--port", "0", *arguments, **variables)
    assert (done.exit_code, done.stdout) == (code, "")
    assert words in done.stderr
    # A wrong option is typer's to report, in a frame of its own.
    assert (code == 2 and "Usage" in done.stderr) or done.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [["--state", __file__], ["--state", "/nowhere/chain.json"]])
def test_node__anvil_refuses__one_line_that_says_why(arguments: list[str]) -> None:
    done = peerwatt("node", "--port", "0", "--engine", "anvil", *arguments, PEERWATT_ANVIL=str(find_tool("anvil")))
    assert done.exit_code in (3, 4) and done.stdout == ""
    assert "failed to parse json file" in done.stderr or "does not exist; make it" in done.stderr
    assert done.stderr.count("\n") == 1


def test_travel__in_every_way__moves_the_clock(local_chain: RunningNode) -> None:
    def travel(*arguments: str) -> Any:
        done = peerwatt("travel", *arguments, "--json", PEERWATT_RPC=local_chain.url)
        assert done.exit_code == 0, done.stderr
        answer = json.loads(done.stdout)
        assert (answer["time_s"], answer["block"]) == (time_of(local_chain), local_chain.w3.eth.block_number)
        return answer["time_s"]

    before = time_of(local_chain)
    assert 5400 <= travel("1h30m") - before < 5500
    moment = datetime.fromtimestamp(travel("--to", "14:00", "--time-zone", "UTC"), UTC)
    assert (moment.hour, moment.minute, moment.second) == (14, 0, 0)
    assert 0 < moment.timestamp() - before <= 2 * 86_400
    assert travel("--to", "2055-01-01T00:00+00:00") == 2_682_374_400
    text = peerwatt("travel", "2d", "--time-zone", "UTC", PEERWATT_RPC=local_chain.url).stdout
    assert text.startswith("the chain's clock shows 2055-01-03 00:0") and text.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "in one way"),
        (["30m", "--to", "14:00"], 2, "in one way"),
        (["30"], 2, "'30' is no span of time"),
        (["0m"], 2, "'0m' is no span of time"),
        (["--to", "2001-01-01T00:00"], 4, "is not after it; choose a later time"),
        (["--windows", "2"], 3, "there is no manifest"),
    ],
)
def test_travel__what_can_not_be__one_line(
    local_chain: RunningNode, arguments: list[str], code: int, words: str, tmp_path: Path
) -> None:
    variables = {"PEERWATT_RPC": local_chain.url, "XDG_DATA_HOME": str(tmp_path)}
    done = peerwatt("travel", *arguments, **variables)
    assert (done.exit_code, done.stdout) == (code, "")
    assert words in done.stderr and done.stderr.count("\n") == 1


class PublicNode(BaseHTTPRequestHandler):
    """A node that knows blocks and no time travel."""

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": request["id"]}
        if request["method"] == "web3_clientVersion":
            answer["result"] = "public"
        elif request["method"] == "eth_getBlockByNumber":
            answer["result"] = {"timestamp": hex(1_800_000_000)}
        else:
            answer["error"] = {"code": -32601, "message": "Method not found"}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *arguments: Any) -> None:
        pass


def test_travel__node_without_time_travel__says_so() -> None:
    server = HTTPServer(("127.0.0.1", 0), PublicNode)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        done = peerwatt("travel", "30m", "--rpc", f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
    assert done.exit_code == 4
    assert done.stderr == "peerwatt: this node has no time travel; only local chains do: peerwatt node, anvil\n"
