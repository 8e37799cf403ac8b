"""The bridge as the agent sees it: reports go up, what became of them and commands come down."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp

from peerwatt.exceptions import BadMessage
from peerwatt.integers import is_int
from peerwatt.meter.agent.journal import Kept
from peerwatt.meter.requests import sign_request
from peerwatt.signing import SELL, Domain

TIMEOUT_S = 30
POLL_S = 25
# What a bridge takes as the detail of an acknowledgement.
MAX_DETAIL = 400
MAX_ANSWER_BYTES = 4_000_000
# Longest wait that the bridge may ask for [s].
MAX_RETRY_AFTER_S = 3600
# They pass by themselves; other 4xx answers do not.
PASSING = {408, 425, 429}


class BridgeAway(Exception):
    """The bridge did not answer, or can't now: it is asked again later.

    Attributes:
        retry_after_s: how long it asked to be left alone [s]; None if it did not say.
    """

    def __init__(self, text: str, retry_after_s: float | None = None) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


class BridgeRefuses(Exception):
    """The bridge refuses what was sent; the same again would be refused again.

    Attributes:
        status: of HTTP.
        problem: the members of its answer (RFC 9457).
    """

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(str(problem.get("detail") or problem.get("title") or f"HTTP {status}"))
        self.status = status
        self.problem = problem


@dataclass(frozen=True)
class Result:
    """What the bridge says of a report."""

    digest: str
    status: str
    reason: str | None
    detail: str | None


@dataclass(frozen=True)
class Command:
    """What the bridge asks of the meter."""

    id: int
    kind: str
    first_window: int | None
    last_window: int | None


@dataclass(frozen=True)
class MarketFacts:
    """The market that a bridge serves, and its time.

    Attributes:
        now_s: the market's time [Unix s].
    """

    domain: Domain
    window_seconds: int
    now_s: int


class BridgeClient:
    """One bridge; `async with` opens and closes its connections."""

    def __init__(self, url: str, meter: str, key: bytes, now_s: Callable[[], float] = time.time) -> None:
        """
        Args:
            url: without `/v1`.
            key: the meter's, for its own requests.
        """
        self.url = url
        self._meter, self._key, self._now_s = meter, key, now_s
        self._http: aiohttp.ClientSession | None = None
        self._signed: dict[tuple[str, str, bytes], int] = {}

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._http is not None
        await self._http.close()

    async def market(self) -> MarketFacts:
        """The market and its time.

        Raises:
            BridgeAway, BridgeRefuses.
        """
        fields = await self._ask("GET", "/v1/market")
        numbers = [fields.get(name) for name in ("chain_id", "window_seconds", "now_s")]
        if not all(is_int(number) and int(str(number)) > 0 for number in numbers):
            raise BridgeAway(f"{self.url} does not say its market; check the bridge's url")
        try:
            domain = Domain(fields["chain_id"], fields["market"])
        except (KeyError, BadMessage):
            raise BridgeAway(f"{self.url} does not say its market; check the bridge's url") from None
        if fields.get("domain", domain.to_json()) != domain.to_json():
            raise BridgeAway(f"{self.url} names one market and the domain of another; ask who runs it")
        return MarketFacts(domain, fields["window_seconds"], fields["now_s"])

    async def send(self, reports: Sequence[Kept]) -> list[Result]:
        """Sends reports.

        Returns:
            What the bridge says of each, in their sequence.
        Raises:
            BridgeAway, BridgeRefuses.
        """
        fields = await self._ask("POST", "/v1/readings", {"readings": [to_reading(kept) for kept in reports]})
        results = [_result(entry) for entry in _list(fields, "results")]
        if [result.digest for result in results] != [kept.digest for kept in reports]:
            raise BridgeAway(f"{self.url} answered other reports than were sent; ask who runs it")
        return results

    async def status(self, digest: str) -> Result:
        """What became of a report.

        Raises:
            BridgeAway, BridgeRefuses.
        """
        return _result(await self._ask("GET", f"/v1/readings/{digest}"))

    async def commands(self, after: int, wait_s: int = POLL_S) -> list[Command]:
        """Commands after an id; waits for one as long as that.

        Raises:
            BridgeAway, BridgeRefuses.
        """
        path = f"/v1/meters/{self._meter}/commands?after={after}&wait={wait_s}"
        fields = await self._ask("GET", path, own=True, timeout_s=TIMEOUT_S + wait_s)
        commands = []
        for entry in _list(fields, "commands"):
            if not isinstance(entry, dict) or not is_int(entry.get("id")) or not isinstance(entry.get("kind"), str):
                raise BridgeAway(f"{self.url} sent a command that is none; ask who runs it")
            windows = [entry.get(name) for name in ("first_window", "last_window")]
            first, last = (window if is_int(window) else None for window in windows)
            commands.append(Command(entry["id"], entry["kind"], first, last))
        return sorted(commands, key=lambda command: command.id)

    async def acknowledge(self, number: int, ok: bool, detail: str) -> None:
        """Says what became of a command; saying it twice changes nothing.

        Raises:
            BridgeAway, BridgeRefuses.
        """
        path = f"/v1/meters/{self._meter}/commands/{number}/ack"
        text = detail.replace("\0", " ")
        shown = text if len(text) <= MAX_DETAIL else f"{text[: MAX_DETAIL - 3]}..."
        await self._ask("POST", path, {"ok": ok, "detail": shown}, own=True)

    def _time_of(self, method: str, path: str, body: bytes) -> int:
        """A time for a request of its own: a bridge takes no request twice, and a retry may be in the same second."""
        now_s = int(self._now_s())
        request = (method, path, body)
        time_s = max(now_s, self._signed.get(request, 0) + 1)
        self._signed = {known: at_s for known, at_s in self._signed.items() if at_s >= now_s}
        self._signed[request] = time_s
        return time_s

    async def _ask(
        self, method: str, path: str, content: Any = None, *, own: bool = False, timeout_s: float = TIMEOUT_S
    ) -> dict[str, Any]:
        assert self._http is not None
        body = b"" if content is None else json.dumps(content, separators=(",", ":")).encode()
        headers = {"Accept": "application/json, application/problem+json"}
        if content is not None:
            headers["Content-Type"] = "application/json"
        if own:
            headers["Authorization"] = sign_request(method, path, self._time_of(method, path, body), body, self._key)
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        try:
            # No redirects: what was signed for this path must not go to another.
            async with self._http.request(
                method, self.url + path, data=body or None, headers=headers, timeout=timeout, allow_redirects=False
            ) as answer:
                text = await answer.content.read(MAX_ANSWER_BYTES)
                while not answer.content.at_eof() and len(text) < MAX_ANSWER_BYTES:
                    text += await answer.content.read(MAX_ANSWER_BYTES - len(text))
                return _take(self.url, answer.status, answer.headers.get("Retry-After"), text)
        except TimeoutError:
            raise BridgeAway(f"{self.url} does not answer") from None
        except aiohttp.ClientError as error:
            raise BridgeAway(f"{self.url} cannot be reached ({type(error).__name__})") from None


def to_reading(kept: Kept) -> dict[str, Any]:
    """A report as the bridge takes it."""
    report = kept.signed.report
    return {
        "meter": report.meter,
        "register": "2.8.0" if report.side == SELL else "1.8.0",
        "unit": "Wh",
        "first_window": report.first_window,
        "values": [str(register_wh) for register_wh in report.registers],
        "signature": f"0x{kept.signed.signature.to_bytes().hex()}",
    }


def _take(url: str, status: int, retry_after: str | None, text: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        fields = None
    if 200 <= status < 300:
        if not isinstance(fields, dict):
            raise BridgeAway(f"{url} answers something else than a bridge does; check the bridge's url")
        return fields
    problem = fields if isinstance(fields, dict) else {}
    if 400 <= status < 500 and status not in PASSING:
        raise BridgeRefuses(status, problem)
    said = problem.get("detail") or problem.get("title")
    raise BridgeAway(f"{url} answers {status}{f' ({said})' if said else ''}", _seconds(retry_after))


def _seconds(retry_after: str | None) -> float | None:
    """Of a header Retry-After in seconds; its other form, a date, is left to the own waiting."""
    if retry_after is None or not retry_after.strip().isdecimal():
        return None
    return float(min(int(retry_after), MAX_RETRY_AFTER_S))


def _list(fields: dict[str, Any], name: str) -> list[Any]:
    entries = fields.get(name)
    if not isinstance(entries, list):
        raise BridgeAway(f"the bridge's answer has no {name}; check the bridge's url")
    return entries


def _result(entry: Any) -> Result:
    fields = entry if isinstance(entry, dict) else {}
    digest, status = fields.get("digest"), fields.get("status")
    if not isinstance(digest, str) or not isinstance(status, str):
        raise BridgeAway("the bridge's answer says nothing of a report; check the bridge's url")
    reason, detail = (fields.get(name) for name in ("reason", "detail"))
    return Result(
        digest.lower(), status, None if reason is None else str(reason), None if detail is None else str(detail)
    )
