"""JSON-RPC over HTTP to nodes that refuse batches, limit, fail and come back."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import requests
from requests.adapters import BaseAdapter

from peerwatt.audit.failures import RpcFailed
from peerwatt.audit.rpc import HttpTransport, Limits
from peerwatt.audit.transport import InProcess, RpcError, ask

# What comes back for a body: a status and an answer, or an exception.
Behaviour = Callable[[Any], "tuple[int, Any] | tuple[int, Any, dict[str, str]]"]
URL = "http://user:secret@node.example:8545/v3/secret"


class Server(BaseAdapter):
    """Answers HTTP requests as it is told to; by default each method with its first parameter."""

    def __init__(self, *first: Behaviour, then: Behaviour | None = None) -> None:
        super().__init__()
        self._first = list(first)
        self._then = then or honest
        self.bodies: list[Any] = []

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        body = json.loads(request.body or b"")
        self.bodies.append(body)
        behave = self._first.pop(0) if self._first else self._then
        status, answer, *headers = behave(body)
        response = requests.Response()
        response.status_code, response.reason = status, "as told"
        response._content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        response.headers.update(headers[0] if headers else {})
        return response

    def close(self) -> None:
        pass


def reply(one: Any) -> Any:
    return {"jsonrpc": "2.0", "id": one["id"], "result": one["params"][0]}


def honest(body: Any) -> tuple[int, Any]:
    return 200, [reply(one) for one in body] if isinstance(body, list) else reply(body)


def fails(code: int, message: str) -> Behaviour:
    def behave(body: Any) -> tuple[int, Any]:
        error = {"code": code, "message": message}
        if isinstance(body, list):
            return 200, [{"id": one["id"], "error": error} for one in body]
        return 200, {"id": body["id"], "error": error}

    return behave


def raises(error: Exception) -> Behaviour:
    def behave(body: Any) -> tuple[int, Any]:
        raise error

    return behave


def status(code: int, **headers: str) -> Behaviour:
    return lambda body: (code, b"<html>no</html>", {name.replace("_", "-"): value for name, value in headers.items()})


class Setup:
    """A transport to a server, and how long it slept."""

    def __init__(self, *first: Behaviour, then: Behaviour | None = None, **limits: Any) -> None:
        self.server = Server(*first, then=then)
        self.pauses_s: list[float] = []
        limits = {"lanes": 1, "attempts": 4, **limits}
        self.rpc = HttpTransport(URL, Limits(**limits), connect=self._connect, sleep=self.pauses_s.append)

    def _connect(self) -> requests.Session:
        session = requests.Session()
        session.mount("http://", self.server)
        return session

    def ask(self, count: int, method: str = "eth_something") -> list[Any]:
        with self.rpc:
            return self.rpc.many([(method, [number]) for number in range(count)])


def test_many__more_than_a_batch__results_in_sequence() -> None:
    setup = Setup(batch=100, lanes=2)
    assert setup.ask(450) == list(range(450))
    assert sorted(len(body) for body in setup.server.bodies) == [50, 100, 100, 100, 100]
    assert not setup.pauses_s


def test_many__few_requests__spread_over_the_lanes() -> None:
    setup = Setup(lanes=4)
    assert setup.ask(8) == list(range(8))
    assert [len(body) for body in setup.server.bodies] == [2] * 4


@pytest.mark.parametrize(
    "refusal",
    [
        lambda body: (200, {"id": None, "error": {"code": -32600, "message": "batches are not supported"}}),
        lambda body: (400, {"error": "bad request"}),
        lambda body: (413, b"too large"),
    ],
    ids=["error", "400", "413"],
)
def test_many__node_refuses_batches__asks_one_by_one(refusal: Behaviour) -> None:
    setup = Setup(then=lambda body: refusal(body) if isinstance(body, list) else honest(body), batch=8)
    assert setup.ask(8) == list(range(8))
    assert [len(body) for body in setup.server.bodies if isinstance(body, list)] == [8, 4, 4, 2, 2, 2, 2]
    # It is no failure, so nobody waits, and it is remembered.
    assert not setup.pauses_s
    assert setup.rpc.batch == 1


def test_many__node_takes_small_batches__finds_the_size() -> None:
    def small(body: Any) -> tuple[int, Any]:
        many = isinstance(body, list) and len(body) > 10
        return (200, {"error": {"code": -32600, "message": "batch too large"}}) if many else honest(body)

    setup = Setup(then=small, batch=64)
    assert setup.ask(64) == list(range(64))
    assert setup.rpc.batch == 8


def test_many__answers_shuffled_and_missing__asks_for_the_missing_ones() -> None:
    setup = Setup(lambda body: (200, [reply(one) for one in reversed(body) if one["id"] != 3]))
    assert setup.ask(6) == list(range(6))
    assert [one["params"] for one in [setup.server.bodies[1]]] == [[3]]


@pytest.mark.parametrize(
    "trouble",
    [
        raises(requests.ConnectTimeout()),
        raises(requests.ConnectionError("reset")),
        raises(requests.exceptions.ChunkedEncodingError()),
        status(502),
        lambda body: (200, b"<html>maintenance</html>"),
        fails(-32005, "limit exceeded"),
        fails(429, "Your app has exceeded its compute units per second capacity"),
        fails(-32000, "request timed out"),
    ],
)
def test_many__trouble_twice__waits_longer_and_succeeds(trouble: Behaviour) -> None:
    setup = Setup(trouble, trouble, batch=1)
    assert setup.ask(1) == [0]
    first, second = setup.pauses_s
    assert 0.125 <= first <= 0.25 < second + 1e-9 <= 0.5 + 1e-9


def test_many__http_429__waits_as_long_as_the_node_wants() -> None:
    setup = Setup(status(429, Retry_After="7"))
    assert setup.ask(3) == [0, 1, 2]
    assert setup.pauses_s == [7.0]


def test_many__no_answer_ever__fails_and_keeps_the_key_secret() -> None:
    setup = Setup(then=raises(requests.ReadTimeout(URL)))
    with pytest.raises(RpcFailed) as caught:
        setup.ask(1)
    text = str(caught.value)
    assert text == "http://node.example:8545 did not answer eth_something [0] in 4 attempts: ReadTimeout"
    assert len(setup.server.bodies) == 4 and len(setup.pauses_s) == 3


def test_many__limit_with_progress__goes_on() -> None:
    def drip(body: Any) -> tuple[int, Any]:
        first, *rest = body if isinstance(body, list) else [body]
        limited = [{"id": one["id"], "error": {"code": -32005, "message": "rate limit"}} for one in rest]
        return 200, [reply(first), *limited] if isinstance(body, list) else reply(first)

    setup = Setup(then=drip, batch=16, attempts=2)
    assert setup.ask(40) == list(range(40))


def test_many__refusals__stand_in_the_places_of_results() -> None:
    def some(body: Any) -> tuple[int, Any]:
        error = {"code": -32601, "message": "no such method"}
        return 200, [{"id": one["id"], "error": error} if one["id"] == 1 else reply(one) for one in body]

    first, second, third = Setup(some).ask(3)
    assert (first, third) == (0, 2)
    assert isinstance(second, RpcError) and (second.code, second.message) == (-32601, "no such method")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (-32005, "query returned more than 10000 results"),
        (-32602, "Log response size exceeded. this block range should work: [0x1, 0x2]"),
        (-32000, "query timeout exceeded"),
    ],
)
def test_many__too_many_logs__left_to_who_asked(code: int, message: str) -> None:
    setup = Setup(then=fails(code, message))
    (answer,) = setup.ask(1, "eth_getLogs")
    assert isinstance(answer, RpcError) and answer.message == message
    assert len(setup.server.bodies) == 1


def test_many__rate_limit_for_logs__asked_again() -> None:
    setup = Setup(fails(-32005, "daily request count exceeded, request rate limited"))
    assert setup.ask(1, "eth_getLogs") == [0]


def test_many__wrong_key__fails_at_once() -> None:
    setup = Setup(then=status(401))
    with pytest.raises(RpcFailed, match=r"http://node\.example:8545 refuses with HTTP 401 .*; check the URL"):
        setup.ask(1)
    assert len(setup.server.bodies) == 1


def test_transport__no_http__says_what_to_give() -> None:
    with pytest.raises(ValueError, match="'ws://node' is no URL of a node; give one like http"):
        HttpTransport("ws://node")


def test_in_process__refusal_and_fault__error_and_exception() -> None:
    def answer(method: str, params: list[Any]) -> Any:
        if method == "refused":
            raise RpcError(-32000, "no")
        return {"fine": params}[method]

    transport = InProcess(answer)
    good, bad = transport.many([("fine", [1]), ("refused", [])])
    assert good == [1] and isinstance(bad, RpcError)
    with pytest.raises(RpcError, match=r"no \(code -32000\)"):
        ask(transport, "refused")
    with pytest.raises(KeyError):
        ask(transport, "faulty")
