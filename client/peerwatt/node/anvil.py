"""Runs anvil with the accounts, chain id and fork of the eth-tester engine."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from types import FrameType

from peerwatt.node.accounts import BLOCK_GAS_LIMIT, MNEMONIC
from peerwatt.node.errors import NodeError, NodeSetupError
from peerwatt.node.options import NodeOptions, banner
from peerwatt.node.server import listen

VARIABLE = "PEERWATT_ANVIL"
LISTENING = re.compile(r"Listening on (\S+)")
INSTALL = "npm install @foundry-rs/anvil, then put node_modules/.bin on PATH"


def find_anvil() -> str:
    """Path of the program: PEERWATT_ANVIL, else on PATH.

    Raises:
        NodeSetupError: there is none.
    """
    named = os.environ.get(VARIABLE)
    found = shutil.which(named or "anvil")
    if found is None and named:
        raise NodeSetupError(f"{VARIABLE} names {named}, which is no program; name anvil or unset it")
    if found is None:
        raise NodeSetupError(
            f"anvil is not on PATH; {INSTALL}, or set {VARIABLE}, or leave out --engine for the eth-tester engine"
        )
    return found


def build_command(program: str, options: NodeOptions) -> list[str]:
    """anvil's command line."""
    command = [program, "--host", options.host, "--port", str(options.port), "--chain-id", str(options.chain_id)]
    command += ["--hardfork", "prague", "--mnemonic", MNEMONIC, "--gas-limit", str(BLOCK_GAS_LIMIT)]
    if options.block_time_s is not None:
        command += ["--block-time", f"{options.block_time_s:g}"]
    if options.state is not None:
        command += ["--state", str(options.state), "--preserve-historical-states"]
    if options.start_s is not None:
        command += ["--timestamp", str(options.start_s)]
    return command


def run_anvil(options: NodeOptions, say: Callable[[str], None]) -> None:
    """Starts anvil and passes SIGINT and SIGTERM on to it; returns when it has ended.

    Raises:
        NodeError: anvil is missing, refuses to start, or ends by itself.
    """
    program = find_anvil()
    if options.state is not None and not options.state.parent.is_dir():
        # anvil would start, and lose the chain when it ends.
        raise NodeSetupError(f"the folder of {options.state} does not exist; make it or name another file")
    if options.port:
        # anvil's own words for a port in use are less clear.
        listen(options.host, options.port).close()
    stopped_by: list[int] = []
    process = subprocess.Popen(
        build_command(program, options),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # Of its own, so that it gets Ctrl-C once, from here.
        start_new_session=True,
    )

    def pass_on(number: int, frame: FrameType | None) -> None:
        stopped_by.append(number)
        process.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        assert process.stdout is not None
        said = _follow(process.stdout, options, say)
        code = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if process.poll() is None:
            process.terminate()
    if not stopped_by:
        raise NodeError(f"anvil ended with exit code {code} ({said or 'it said nothing'}); mend that and start again")


def _follow(lines: Iterator[str], options: NodeOptions, say: Callable[[str], None]) -> str:
    """Reads what anvil prints until its end, and returns its complaint if it has one.

    To the end, since npm's wrapper may end before anvil has written its state file.
    """
    said = ""
    for line in lines:
        if "error" in line.lower():
            said = said or line.strip()
        found = LISTENING.search(line)
        if found:
            time_s = int(time.time()) if options.start_s is None else options.start_s
            say(banner(f"http://{found[1]}", "anvil", options, time_s))
    return said
