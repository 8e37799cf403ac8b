"""Runs a local chain in the foreground until Ctrl-C or SIGTERM."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable

from peerwatt.node.chain import LocalChain
from peerwatt.node.methods import Node
from peerwatt.node.options import NodeOptions, banner
from peerwatt.node.server import Server, listen, url_of
from peerwatt.node.store import Store

Say = Callable[[str], None]


def run_eth_tester(options: NodeOptions, say: Say) -> None:
    """Serves a chain of py-evm.

    Raises:
        NodeError: port or state file can't be used.
    """
    listening = listen(options.host, options.port)
    try:
        store = Store(options.state)
        chain = LocalChain(
            store,
            chain_id=options.chain_id,
            start_s=options.start_s,
            automine=options.block_time_s is None,
        )
    except BaseException:
        listening.close()
        raise
    asyncio.run(_serve(Server(Node(chain), options.block_time_s), chain, listening, options, say))


async def _serve(server: Server, chain: LocalChain, listening: socket.socket, options: NodeOptions, say: Say) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        # Not the loop's own way, which Windows does not have.
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
    say(banner(url_of(listening), "eth-tester", options, chain.clock.now_s()))
    await server.serve(listening, stop)
