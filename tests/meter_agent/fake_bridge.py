"""A small bridge: the routes that the agent needs, over HTTP, with outages on demand."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from hashlib import sha256
from typing import Any

from aiohttp import web
from eth_account import Account
from eth_account.messages import encode_defunct

from peerwatt.signing import Domain, Report, Signature, recover

DOMAIN = Domain(31337, "0x" + "ab" * 20)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class FakeBridge:
    """Keeps what it is sent, and checks every signature with eth-account or the library's recovery.

    Attributes:
        answer: what POST answers instead of taking readings: a status, None to take them.
        registers: what was signed, by meter, side and window of the boundary.
    """

    def __init__(self, window_seconds: int = 900, *, clock_off_s: int = 0) -> None:
        self.window_seconds, self.clock_off_s = window_seconds, clock_off_s
        self.domain = DOMAIN
        self.port = free_port()
        self.readings: dict[str, dict[str, Any]] = {}
        self.registers: dict[tuple[str, int, int], set[int]] = {}
        self.windows: list[tuple[int, int]] = []
        self.posts = 0
        self.answer: int | None = None
        self.retry_after: str | None = None
        self.bad_digests: set[str] = set()
        self.commands: list[dict[str, Any]] = []
        self.acks: dict[int, list[dict[str, Any]]] = {}
        self.bad_requests: list[str] = []
        # As the bridge does, it takes no signed request twice.
        self.heard: set[str] = set()
        self.changed = asyncio.Event()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/v1/market", self._market)
        app.router.add_post("/v1/readings", self._take)
        app.router.add_get("/v1/readings/{digest}", self._show)
        app.router.add_get("/v1/meters/{meter}/commands", self._commands)
        app.router.add_post("/v1/meters/{meter}/commands/{id}/ack", self._ack)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True).start()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def until(self, condition: Any, timeout_s: float = 30) -> None:
        """Waits until something is true of the bridge."""
        async with asyncio.timeout(timeout_s):
            while not condition():
                self.changed.clear()
                await asyncio.wait([asyncio.create_task(self.changed.wait())], timeout=0.2)

    async def _market(self, request: web.Request) -> web.Response:
        return web.json_response(
            {
                "chain_id": self.domain.chain_id,
                "market": self.domain.verifying_contract,
                "window_seconds": self.window_seconds,
                "now_s": int(time.time()) + self.clock_off_s,
                "domain": self.domain.to_json(),
            }
        )

    async def _take(self, request: web.Request) -> web.Response:
        self.posts += 1
        self.changed.set()
        if self.answer is not None:
            headers = {} if self.retry_after is None else {"Retry-After": self.retry_after}
            problem = {"type": "https://peerwatt.org/problems/no", "title": "No", "status": self.answer, "detail": "no"}
            return web.json_response(
                problem, status=self.answer, headers=headers, content_type="application/problem+json"
            )
        entries = (await request.json())["readings"]
        signed = []
        for place, entry in enumerate(entries):
            registers = tuple(int(value) for value in entry["values"])
            report = Report(entry["meter"], 1 if entry["register"] == "2.8.0" else 0, entry["first_window"], registers)
            digest = "0x" + report.digest(self.domain).hex()
            if digest in self.bad_digests:
                problem = {"type": "https://peerwatt.org/problems/bad-reading", "detail": "bad", "place": place}
                return web.json_response(problem, status=422, content_type="application/problem+json")
            assert entry["unit"] == "Wh"
            assert recover(report, self.domain, Signature.from_hex(entry["signature"])) == report.meter
            signed.append((digest, report))
        results = []
        for digest, report in signed:
            duplicate = digest in self.readings
            self.readings.setdefault(digest, {"digest": digest, "status": "received", "reason": None, "detail": None})
            for offset, register_wh in enumerate(report.registers):
                place_of = (report.meter, report.side, report.first_window + offset)
                self.registers.setdefault(place_of, set()).add(register_wh)
            if len(report.registers) == 2 and not duplicate:
                self.windows.append((report.side, report.first_window))
            results.append({**self.readings[digest], "duplicate": duplicate})
        return web.json_response({"results": results}, status=202)

    async def _show(self, request: web.Request) -> web.Response:
        found = self.readings.get(request.match_info["digest"])
        return web.json_response(found or {"title": "No such reading"}, status=200 if found else 404)

    async def _commands(self, request: web.Request) -> web.Response:
        if not self._signed(request, b""):
            return web.json_response({"title": "Not signed"}, status=401)
        deadline = time.monotonic() + float(request.query["wait"])
        while True:
            found = [command for command in self.commands if command["id"] > int(request.query["after"])]
            if found or time.monotonic() >= deadline:
                return web.json_response({"commands": found})
            await asyncio.sleep(0.05)

    async def _ack(self, request: web.Request) -> web.Response:
        body = await request.read()
        if not self._signed(request, body):
            return web.json_response({"title": "Not signed"}, status=401)
        self.acks.setdefault(int(request.match_info["id"]), []).append(json.loads(body))
        self.changed.set()
        return web.Response(status=204)

    def _signed(self, request: web.Request, body: bytes) -> bool:
        """By eth-account, apart from the library's own check."""
        fields = dict(part.split("=", 1) for part in request.headers["Authorization"].removeprefix("Meter ").split(","))
        text = (
            f"peerwatt meter request\n{request.method} {request.raw_path}\n{fields['time']}\n{sha256(body).hexdigest()}"
        )
        signer = Account.recover_message(encode_defunct(text=text), signature=fields["signature"])
        fine = signer == fields["address"] == request.match_info["meter"]
        if not fine:
            self.bad_requests.append(request.raw_path)
        new = text not in self.heard
        self.heard.add(text)
        return bool(fine and new)
