"""What a local chain is started with, and what it prints when it has."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from peerwatt.node.accounts import BALANCE_WEI, CHAIN_ID, dev_accounts

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8545
LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class NodeOptions:
    """How a local chain runs.

    Attributes:
        host: address of this machine on which it listens.
        port: 0 takes a free one.
        chain_id: EIP-155 id.
        block_time_s: seconds from block to block; None makes a block for each transaction.
        state: file that keeps the chain; None forgets it.
        start_s: Unix time at which a new chain starts [s]; None starts now.
    """

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    chain_id: int = CHAIN_ID
    block_time_s: float | None = None
    state: Path | None = None
    start_s: int | None = None


def banner(url: str, engine: str, options: NodeOptions, time_s: int) -> str:
    """What a node prints when it listens. The first line is for programs."""
    mining = "a block for each transaction"
    if options.block_time_s is not None:
        mining = f"a block every {options.block_time_s:g} s"
    kept = "in memory, gone when the node stops" if options.state is None else f"kept in {options.state}"
    facts = [
        f"listening on {url}",
        "",
        f"engine    {engine}, Prague",
        f"chain id  {options.chain_id}",
        f"blocks    {mining}",
        f"chain     {kept}",
        f"clock     {datetime.fromtimestamp(time_s, UTC):%Y-%m-%d %H:%M:%S} UTC; peerwatt travel moves it forward",
        "",
        f"accounts  unlocked, {BALANCE_WEI // 10**18:,} ETH each; everybody knows these keys, so use them here only",
    ]
    facts += [f"  ({index}) {one.address}  {one.key}" for index, one in enumerate(dev_accounts())]
    if options.host not in LOOPBACK:
        facts += ["", f"others can reach {options.host}: whoever does can spend from these accounts"]
    return "\n".join([*facts, "", "Ctrl-C stops it"])
