"""JSON-RPC over HTTP for reading a lot: batches, several connections, patience with nodes that limit.

web3 is not used: its formatting of results costs more time than reading them.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests

from peerwatt.audit.failures import RpcFailed
from peerwatt.audit.transport import Request, RpcError

LIMIT_CODES = {429, -32005, -32007, -32029}
LIMIT_WORDS = ("rate limit", "too many requests", "request limit", "per second", "capacity", "throttl", "daily request")
BUSY_WORDS = ("timeout", "timed out", "temporarily", "unavailable", "overloaded", "busy")
MANY_LOGS_WORDS = ("result", "range", "block", "log", "size")
BUSY_STATUS = {408, 425, 429}


@dataclass(frozen=True)
class Limits:
    """How much is asked at once, and how patiently.

    Attributes:
        lanes: connections at the same time.
        batch: requests in one batch at the most.
        attempts: how often a question is asked before it is given up.
        timeout_s: wait for a connection, and for each part of an answer.
        pause_s, longest_pause_s: between attempts, doubling from the one to the other.
    """

    lanes: int = 8
    batch: int = 100
    attempts: int = 7
    timeout_s: float = 30.0
    pause_s: float = 0.25
    longest_pause_s: float = 20.0


@dataclass(frozen=True)
class _Again:
    """Ask once more.

    Attributes:
        reason: why there is no answer.
        after_s: the node wants at least this pause.
        smaller: the node refuses so many requests at once; it has not failed.
        limited: the node wants fewer requests.
    """

    reason: str
    after_s: float = 0.0
    smaller: bool = False
    limited: bool = False


class HttpTransport:
    """A node behind a URL.

    Attributes:
        name: the URL without what may be a key: scheme, host and port.
        limits: what is asked at the most.
        batch: requests in a batch, as large as the node has taken lately.
    """

    def __init__(
        self,
        url: str,
        limits: Limits | None = None,
        *,
        connect: Callable[[], requests.Session] = requests.Session,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """
        Args:
            connect: makes the session of each lane.
            sleep: waits between attempts.
        Raises:
            ValueError: the URL is not one of HTTP.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is no URL of a node; give one like http://127.0.0.1:8545")
        self.name = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        self.limits = limits or Limits()
        self.batch = self._largest = self.limits.batch
        self._lanes = self.limits.lanes
        self._url = url
        self._connect = connect
        self._sleep = sleep
        self._threads = ThreadPoolExecutor(self.limits.lanes, thread_name_prefix="rpc")
        self._own = threading.local()

    def close(self) -> None:
        """Ends the lanes."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def __enter__(self) -> HttpTransport:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def many(self, requests: Sequence[Request], attempts: int | None = None) -> list[Any]:
        """See `Transport`. Several threads may ask at the same time."""
        results: list[Any] = [None] * len(requests)
        waiting = list(range(len(requests)))
        tries = 0
        while waiting:
            again = self._round(requests, waiting, results)
            failed = [again[index] for index in waiting if index in again and not again[index].smaller]
            if failed:
                # A node that limits may need many rounds; it is given up when a round brings nothing.
                tries = tries + 1 if len(again) == len(waiting) else 1
                if tries >= (attempts or self.limits.attempts):
                    raise RpcFailed(self._describe(requests, again, tries, failed[0].reason))
                self._sleep(self._pause_s(tries, max(one.after_s for one in failed)))
            waiting = [index for index in waiting if index in again]
        return results

    def _describe(self, requests: Sequence[Request], again: dict[int, _Again], tries: int, reason: str) -> str:
        index = next(iter(again))
        method, params = requests[index]
        shown = json.dumps(params)
        shown = shown if len(shown) < 200 else f"{shown[:200]}..."
        more = f" and {len(again) - 1} more" if len(again) > 1 else ""
        return f"{self.name} did not answer {method} {shown}{more} in {tries} attempts: {reason}"

    def _pause_s(self, tries: int, least_s: float) -> float:
        pause_s = min(self.limits.longest_pause_s, self.limits.pause_s * 2.0 ** (tries - 1))
        # Between half and all of it, so that several auditors do not come back together.
        return max(pause_s * random.uniform(0.5, 1.0), min(least_s, self.limits.longest_pause_s))

    def _round(self, requests: Sequence[Request], waiting: list[int], results: list[Any]) -> dict[int, _Again]:
        """Asks everything once; fills the results and returns what must be asked again."""
        size = max(1, min(self.batch, -(-len(waiting) // self._lanes)))
        parts = [waiting[at : at + size] for at in range(0, len(waiting), size)]
        again: dict[int, _Again] = {}
        # Where the node limits, no more parts are under way than there are lanes now.
        stride = len(parts) if self._lanes == self.limits.lanes else self._lanes
        for at in range(0, len(parts), stride):
            running = parts[at : at + stride]
            batches = [[requests[index] for index in part] for part in running]
            for part, answers in zip(running, self._threads.map(self._post, batches), strict=True):
                for index, answer in zip(part, answers, strict=True):
                    if isinstance(answer, _Again):
                        again[index] = answer
                    else:
                        results[index] = answer
        self._adapt(again, size)
        return again

    def _adapt(self, again: dict[int, _Again], size: int) -> None:
        if not again:
            self.batch = min(self._largest, self.batch * 2)
            self._lanes = min(self.limits.lanes, self._lanes + 1)
            return
        if size > 1:
            self.batch = size // 2
        if any(one.smaller for one in again.values()):
            self._largest = self.batch
        if any(one.limited for one in again.values()):
            self._lanes = max(1, self._lanes // 2)

    # One batch, in the thread of a lane

    def _post(self, batch: list[Request]) -> list[Any]:
        body = [
            {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
            for number, (method, params) in enumerate(batch)
        ]
        alone = len(batch) == 1
        try:
            response = self._session().post(
                self._url,
                data=json.dumps(body[0] if alone else body),
                headers={"Content-Type": "application/json"},
                timeout=self.limits.timeout_s,
            )
            content = response.content
        except requests.RequestException as error:
            return [_Again(f"{type(error).__name__}")] * len(batch)
        try:
            answer = json.loads(content)
        except (ValueError, RecursionError) as error:
            answer = error
        if response.status_code != 200:
            trouble = self._http_trouble(response, answer, alone)
            if trouble is not None:
                return [trouble] * len(batch)
        if isinstance(answer, Exception):
            return [_Again(f"the answer is no JSON ({type(answer).__name__})")] * len(batch)
        if alone:
            return [_read_answer(answer, batch[0][0])]
        if not isinstance(answer, list):
            # One error for all of them: too much at once, or no batches at all.
            one = _read_answer(answer, batch[0][0])
            return [one if isinstance(one, _Again) else _Again(f"no batch: {one}", smaller=True)] * len(batch)
        found = {entry.get("id"): entry for entry in answer if isinstance(entry, dict)}
        return [_read_answer(found.get(number), method) for number, (method, _) in enumerate(batch)]

    def _http_trouble(self, response: requests.Response, answer: Any, alone: bool) -> _Again | None:
        """Why an answer with another status than 200 is none; None if its body is a JSON-RPC answer all the same."""
        status = response.status_code
        if status in BUSY_STATUS or status >= 500:
            wanted = response.headers.get("Retry-After", "")
            return _Again(f"HTTP {status}", float(wanted) if wanted.isdigit() else 0.0, limited=status == 429)
        if not alone:
            return _Again(f"HTTP {status}", smaller=True)
        if isinstance(answer, dict) and "error" in answer:
            return None
        raise RpcFailed(f"{self.name} refuses with HTTP {status} {response.reason}; check the URL and its key")

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._own, "session", None)
        if session is None:
            session = self._own.session = self._connect()
        return session


def _read_answer(answer: Any, method: str) -> Any:
    """The result, the error, or that it must be asked again."""
    if not isinstance(answer, dict):
        return _Again("the answer to it is missing")
    error = answer.get("error")
    if error is None:
        return answer["result"] if "result" in answer else _Again("the answer has neither result nor error")
    if not isinstance(error, dict):
        error = {"message": str(error)}
    code, message = error.get("code"), str(error.get("message", ""))
    code = code if isinstance(code, int) else -32000
    text = message.lower()
    limited = any(word in text for word in LIMIT_WORDS)
    # For logs the same codes mean "too many of them": whoever asked can ask for fewer.
    if method != "eth_getLogs":
        limited = limited or code in LIMIT_CODES
        if not limited and any(word in text for word in BUSY_WORDS):
            return _Again(f"{message} (code {code})")
    else:
        limited = limited or code == 429 or (code == -32005 and not any(word in text for word in MANY_LOGS_WORDS))
    return _Again(f"{message} (code {code})", limited=True) if limited else RpcError(code, message)
