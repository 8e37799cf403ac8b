"""Runs anvil with the accounts, chain id and fork of the eth-tester engine."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

from peerwatt.node.accounts import BLOCK_GAS_LIMIT, MNEMONIC
from peerwatt.node.errors import STARTED, NodeError, NodeSetupError
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


def clock_of(state: Path, now_s: int) -> int | None:
    """What the clock of a kept chain shows now [Unix s]: it ran on since the file was written; None for a new chain.

    anvil itself would go back to the wall clock, and make blocks that are older than their parents.
    """
    try:
        newest_s = int(json.loads(state.read_bytes())["block"]["timestamp"], 16)
        return newest_s + max(0, now_s - int(state.stat().st_mtime))
    except (OSError, ValueError, KeyError, TypeError):
        # No file yet, or none of anvil's: that is for anvil to say.
        return None


def build_command(program: str, options: NodeOptions) -> list[str]:
    """anvil's command line.

    Raises:
        NodeSetupError: a chain in a file shall start at another time.
    """
    start_s = options.start_s
    command = [program, "--host", options.host, "--port", str(options.port), "--chain-id", str(options.chain_id)]
    command += ["--hardfork", "prague", "--mnemonic", MNEMONIC, "--gas-limit", str(BLOCK_GAS_LIMIT)]
    if options.block_time_s is not None:
        command += ["--block-time", f"{options.block_time_s:g}"]
    if options.state is not None:
        command += ["--state", str(options.state), "--preserve-historical-states"]
        kept_s = clock_of(options.state, int(time.time()))
        if kept_s is not None and start_s is not None:
            raise NodeSetupError(STARTED)
        start_s = start_s if kept_s is None else kept_s
    if start_s is not None:
        command += ["--timestamp", str(start_s)]
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
    command = build_command(program, options)
    time_s = int(command[-1]) if "--timestamp" in command else int(time.time())
    stopped_by: list[int] = []
    process = subprocess.Popen(
        command,
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
        said = _follow(process.stdout, options, time_s, say)
        code = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if process.poll() is None:
            process.terminate()
    if not stopped_by:
        raise NodeError(f"anvil ended with exit code {code} ({said or 'it said nothing'}); mend that and start again")


def _follow(lines: Iterator[str], options: NodeOptions, time_s: int, say: Callable[[str], None]) -> str:
    """Reads what anvil prints until its end, and returns its complaint if it has one.

    To the end, since npm's wrapper may end before anvil has written its state file.
    """
    said = ""
    for line in lines:
        if "error" in line.lower():
            said = said or line.strip()
        found = LISTENING.search(line)
        if found:
            say(banner(f"http://{found[1]}", "anvil", options, time_s))
    return said
