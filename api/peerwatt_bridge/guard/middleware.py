"""Around every request: outside its frame (headers, measures, a last answer), inside its limits (rate, body)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from peerwatt_bridge.guard.limits import Buckets, client_of
from peerwatt_bridge.guard.signals import Sign, Signals
from peerwatt_bridge.problems import Problem, unforeseen

log = structlog.get_logger(__name__)
# Bodies that are being read or worked on, all together.
MAX_HELD_BYTES = 64 * 1024 * 1024
BODY_TIMEOUT_S = 30.0
# Scripts and styles are files of ours; nothing of a page comes from elsewhere, and no page frames it.
PAGE_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
API_POLICY = "default-src 'none'; frame-ancestors 'none'"
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
CROSS_ORIGIN = "cross-origin"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

# Method, route, status and seconds of a request.
Observer = Callable[[str, str, int, float], None]


class Frame:
    """Security headers on every answer; a problem even for what nobody foresaw; each request measured."""

    def __init__(self, app: ASGIApp, observe: Observer, *, shared: bool = False) -> None:
        """
        Args:
            shared: pages of other origins may read the answers, as far as CORS says.
        """
        self._app = app
        self._observe = observe
        self._headers = HEADERS | ({"Cross-Origin-Resource-Policy": CROSS_ORIGIN} if shared else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began_s = time.perf_counter()
        status = 0

        async def send_framed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._add_headers(MutableHeaders(scope=message), scope)
            await send(message)

        try:
            await self._app(scope, receive, send_framed)
        except Exception as error:
            if status == 0:
                await unforeseen(error).to_response()(scope, receive, send_framed)
            raise
        finally:
            self._observe(_method(scope), _route(scope), status, time.perf_counter() - began_s)

    def _add_headers(self, headers: MutableHeaders, scope: Scope) -> None:
        for name, value in self._headers.items():
            headers.setdefault(name, value)
        is_page = headers.get("content-type", "").startswith("text/html")
        headers.setdefault("Content-Security-Policy", PAGE_POLICY if is_page else API_POLICY)
        headers.setdefault("Cache-Control", "no-store")
        if scope.get("scheme") == "https":
            headers.setdefault("Strict-Transport-Security", "max-age=31536000")


class Limits:
    """Refuses clients that ask too often, and bodies that are too large or too slow.

    A body is read whole before the application sees the request: the memory of all bodies together has a bound.
    """

    def __init__(
        self,
        app: ASGIApp,
        buckets: Buckets,
        signals: Signals,
        max_body_bytes: int,
        *,
        timeout_s: float = BODY_TIMEOUT_S,
        max_held_bytes: int = MAX_HELD_BYTES,
    ) -> None:
        self._app = app
        self._buckets = buckets
        self._signals = signals
        self._max_body_bytes = max_body_bytes
        self._timeout_s = timeout_s
        self._max_held_bytes = max_held_bytes
        self._held_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        held = _Held()
        try:
            self._check_rate(scope)
            replay = await self._read(Headers(scope=scope), receive, held)
        except Problem as problem:
            await problem.to_response()(scope, receive, send)
            return
        except _Disconnected:
            return
        finally:
            # What was refused is not kept; the rest is, until the application is done.
            if not held.complete:
                self._held_bytes -= held.size
        try:
            await self._app(scope, replay, send)
        finally:
            self._held_bytes -= held.size

    def _check_rate(self, scope: Scope) -> None:
        client = scope.get("client")
        wait_s = self._buckets.take(client_of(client[0] if client else None))
        if wait_s:
            self._signals.note(Sign.FLOODING)
            seconds = int(wait_s) + 1
            raise Problem(
                429,
                "rate-limited",
                "Too many requests",
                f"this address asks more often than is allowed; try again in {seconds} s, and send readings in batches",
                {"retry_after_s": seconds},
                {"Retry-After": str(seconds)},
            )

    async def _read(self, headers: Headers, receive: Receive, held: _Held) -> Receive:
        declared = headers.get("content-length")
        if declared is not None and (not declared.isascii() or not declared.isdigit()):
            raise Problem(
                400, "bad-content-length", "The length is no number", "Content-Length is no number; write bytes"
            )
        # Of a length with hundreds of digits only that it is too large matters.
        if declared is not None and (len(declared) > 15 or int(declared) > self._max_body_bytes):
            raise self._too_large()
        chunks: list[bytes] = []
        try:
            async with asyncio.timeout(self._timeout_s):
                while not held.complete:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise _Disconnected
                    chunk = message.get("body", b"")
                    held.size += len(chunk)
                    self._held_bytes += len(chunk)
                    if held.size > self._max_body_bytes:
                        raise self._too_large()
                    if chunk and self._held_bytes > self._max_held_bytes:
                        self._signals.note(Sign.FLOODING)
                        raise Problem(
                            503,
                            "busy",
                            "Too much at once",
                            "the bridge holds as many bodies as it may; send it again in 5 s",
                            headers={"Retry-After": "5"},
                        )
                    chunks.append(chunk)
                    held.complete = not message.get("more_body", False)
        except TimeoutError:
            text = f"the body did not come within {self._timeout_s:.0f} s; send it again, in smaller parts"
            raise Problem(408, "slow-body", "The body came too slowly", text, headers={"Connection": "close"}) from None
        body: bytes | None = b"".join(chunks)
        chunks.clear()

        async def replay() -> Message:
            nonlocal body
            if body is None:
                return await receive()
            message = {"type": "http.request", "body": body, "more_body": False}
            body = None
            return message

        return replay

    def _too_large(self) -> Problem:
        most = self._max_body_bytes
        # The rest of it would come down the same connection.
        return Problem(
            413,
            "too-large",
            "The body is too large",
            f"the body has more than {most} bytes; send the readings in parts",
            {"most_bytes": most},
            {"Connection": "close"},
        )


class _Disconnected(Exception):
    """Nobody waits for an answer any more."""


class _Held:
    """A body that is being read: bytes so far, and whether it is all there."""

    def __init__(self) -> None:
        self.size = 0
        self.complete = False


def _method(scope: Scope) -> str:
    method = str(scope.get("method", ""))
    return method if method in METHODS else "other"


def _route(scope: Scope) -> str:
    """The route's template: the path itself has digests and addresses, and as many values as strangers like."""
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) else "none"
