"""The eth-tester engine behind HTTP: JSON-RPC 2.0 with batches, for programs and for web pages of this machine."""

from __future__ import annotations

import asyncio
import errno
import json
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aiohttp import web

from peerwatt.node.errors import InvalidRequest, NodeError, ParseError, RpcError
from peerwatt.node.methods import Node

# Ample for a contract's code or a batch of orders.
MAX_REQUEST_BYTES = 10 * 2**20
MAX_BATCH = 1000
MAX_DEPTH = 64
STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')
BRACKET = re.compile(rb"[\[\]{}]")
# Pages of this machine. A page from elsewhere could spend from the unlocked accounts.
LOCAL_ORIGIN = re.compile(r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?")
HINT = "peerwatt node: send JSON-RPC requests by POST; docs/node.md lists the methods\n"


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes a free one.

    Raises:
        NodeError: host or port can't be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        other = "choose another with --port, or --port 0 for a free one"
        if error.errno == errno.EADDRINUSE:
            raise NodeError(f"port {port} of {host} is in use; {other}") from error
        if error.errno == errno.EACCES:
            raise NodeError(f"port {port} is not for everybody; {other}") from error
        raise NodeError(f"{host} is no address of this machine; leave out --host for 127.0.0.1") from error


def url_of(listening: socket.socket) -> str:
    """The URL at which a listening socket is reached."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_shallow(content: bytes) -> bool:
    """Whether JSON is nested no deeper than MAX_DEPTH.

    py-evm raises the recursion limit so far that a parser would end the process before it met it.
    """
    depth = 0
    for bracket in BRACKET.findall(STRING.sub(b"", content)):
        depth += 1 if bracket in b"[{" else -1
        if depth > MAX_DEPTH:
            return False
    return True


class Server:
    """Serves a node until it is told to stop."""

    def __init__(self, node: Node, block_time_s: float | None = None) -> None:
        """
        Args:
            block_time_s: seconds from block to block; None leaves mining to the transactions.
        """
        self._node = node
        self._block_time_s = block_time_s
        # The chain works in one thread, so that connections and signals are served while it computes.
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="chain")

    async def serve(self, listening: socket.socket, stop: asyncio.Event) -> None:
        """Serves requests on the socket until `stop` is set."""
        application = web.Application(client_max_size=MAX_REQUEST_BYTES)
        application.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        await web.SockSite(runner, listening).start()
        tasks: list[asyncio.Task[Any]] = [asyncio.create_task(stop.wait())]
        if self._block_time_s is not None:
            tasks.append(asyncio.create_task(self._mine_on_time(self._block_time_s)))
        done, waiting = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        await runner.cleanup()
        for task in done:
            task.result()
        await asyncio.get_running_loop().run_in_executor(self._worker, self._node.chain.close)
        self._worker.shutdown()

    async def _mine_on_time(self, block_time_s: float) -> None:
        while True:
            await asyncio.sleep(block_time_s)
            await asyncio.get_running_loop().run_in_executor(self._worker, self._node.chain.mine)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        origin = request.headers.get("Origin")
        if origin is not None and not LOCAL_ORIGIN.fullmatch(origin):
            text = f"pages from {origin} may not use this chain; serve yours from localhost\n"
            return web.Response(status=403, text=text)
        headers = {} if origin is None else {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}
        if request.method == "OPTIONS":
            allowed = {"Access-Control-Allow-Methods": "POST", "Access-Control-Allow-Headers": "Content-Type"}
            return web.Response(status=204, headers={**headers, **allowed})
        if request.method != "POST":
            return web.Response(text=HINT, headers=headers)
        status, answer = await self._answer_body(request)
        if answer is None:
            return web.Response(status=204, headers=headers)
        return web.json_response(answer, status=status, headers=headers)

    async def _answer_body(self, request: web.Request) -> tuple[int, Any]:
        try:
            content = await request.read()
            if not is_shallow(content):
                return 200, _failure(None, ParseError(f"the request is nested more than {MAX_DEPTH} levels deep"))
            body = json.loads(content)
        except web.HTTPRequestEntityTooLarge:
            return 413, _failure(None, InvalidRequest(f"the request has more than {MAX_REQUEST_BYTES} bytes; split it"))
        except ValueError as error:
            return 200, _failure(None, ParseError(f"the request is not JSON ({error})"))
        if not isinstance(body, list):
            return 200, await self._answer(body)
        if not 0 < len(body) <= MAX_BATCH:
            return 200, _failure(None, InvalidRequest(f"a batch has 1 to {MAX_BATCH} requests, this one {len(body)}"))
        answers = [answer for entry in body if (answer := await self._answer(entry)) is not None]
        return 200, answers or None

    async def _answer(self, request: Any) -> dict[str, Any] | None:
        """The response to one request; None for a notification."""
        identity = request.get("id") if isinstance(request, dict) else None
        try:
            method, params = _read_request(request)
            result = await asyncio.get_running_loop().run_in_executor(self._worker, self._node.answer, method, params)
        except RpcError as error:
            return _failure(identity, error)
        return {"jsonrpc": "2.0", "id": identity, "result": result} if "id" in request else None


def _read_request(request: Any) -> tuple[str, list[Any]]:
    if not isinstance(request, dict) or not isinstance(request.get("method"), str):
        raise InvalidRequest('a request is an object with "jsonrpc": "2.0", "id", "method" and "params"')
    params = request.get("params") or []
    if not isinstance(params, list):
        raise InvalidRequest('"params" is no list; the methods take their parameters by position')
    return request["method"], params


def _failure(identity: Any, error: RpcError) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": identity, "error": error.to_json()}
