"""The eth-tester engine's HTTP: JSON-RPC errors, batches, web pages, sizes."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from e2e.tools import RunningNode

VERSION = {"jsonrpc": "2.0", "id": 1, "method": "web3_clientVersion"}
CHAIN_ID = {"jsonrpc": "2.0", "id": "two", "method": "eth_chainId", "params": []}


@pytest.fixture
def post(eth_tester_chain: RunningNode) -> Any:
    def send(body: Any, **headers: str) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return httpx.post(eth_tester_chain.url, content=content, headers=headers, timeout=60)

    return send


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        (b"{", -32700, "is not JSON"),
        (b"\xff\xfe", -32700, "is not JSON"),
        (b"", -32700, "is not JSON"),
        (b"[" * 100_000, -32700, "nested more than 64 levels deep"),
        (b'{"a":' * 100_000, -32700, "nested more than 64 levels deep"),
        (b'["' + b"[" * 1000 + b'"]', -32600, "a request is an object"),
        ([], -32600, "a batch has 1 to 1000 requests, this one 0"),
        ([VERSION] * 1001, -32600, "this one 1001"),
        (7, -32600, "a request is an object"),
        ({"id": 1}, -32600, "a request is an object"),
        ({"id": 1, "method": 7}, -32600, "a request is an object"),
        ({**VERSION, "params": {"a": 1}}, -32600, "by position"),
        ({**VERSION, "method": "eth_nothing"}, -32601, "eth_nothing"),
        ({**VERSION, "method": "eth_getBalance"}, -32602, "takes"),
    ],
    ids=lambda value: str(value)[:20] if isinstance(value, bytes | str) else "",
)
def test_post__what_is_no_good_request__answers_with_its_code(post: Any, body: Any, code: int, words: str) -> None:
    response = post(body)
    assert response.status_code == 200
    answer = response.json()
    answer = answer[0] if isinstance(answer, list) else answer
    assert answer["error"]["code"] == code and words in answer["error"]["message"]
    assert answer["jsonrpc"] == "2.0" and answer["id"] == (1 if isinstance(body, dict) else None)


def test_post__batch__answers_each_in_sequence_and_no_notification(post: Any) -> None:
    notification = {"jsonrpc": "2.0", "method": "evm_mine"}
    answers = post([VERSION, CHAIN_ID, notification, {**VERSION, "id": 3, "method": "eth_nothing"}, 5]).json()
    assert [answer["id"] for answer in answers] == [1, "two", 3, None]
    assert answers[1] == {"jsonrpc": "2.0", "id": "two", "result": "0x7a69"}
    assert [answer["error"]["code"] for answer in answers[2:]] == [-32601, -32600]
    for alone in (notification, [notification]):
        response = post(alone)
        assert (response.status_code, response.content) == (204, b"")
    assert int(post({**VERSION, "method": "eth_blockNumber"}).json()["result"], 16) == 3


def test_post__too_large__is_refused_and_the_next_one_served(post: Any) -> None:
    response = post({**VERSION, "params": ["00" * (6 * 2**20)]})
    assert response.status_code == 413 and response.json()["error"]["code"] == -32600
    assert "split it" in response.json()["error"]["message"]
    assert "result" in post(VERSION).json()


@pytest.mark.parametrize(
    ("origin", "welcome"),
    [
        ("http://localhost:5173", True),
        ("https://localhost", True),
        ("http://127.0.0.1:8000", True),
        ("http://[::1]:3000", True),
        ("https://example.org", False),
        ("http://localhost.example.org", False),
        ("http://127.0.0.1.example.org:80", False),
        ("null", False),
    ],
)
def test_page__of_this_machine_only__may_use_the_chain(
    eth_tester_chain: RunningNode, post: Any, origin: str, welcome: bool
) -> None:
    # A simple request of a page: no preflight asks first.
    response = post({**VERSION, "method": "evm_mine"}, Origin=origin, **{"Content-Type": "text/plain"})
    preflight = httpx.options(eth_tester_chain.url, headers={"Origin": origin})
    assert (response.status_code, preflight.status_code) == ((200, 204) if welcome else (403, 403))
    allowed = origin if welcome else None
    assert response.headers.get("Access-Control-Allow-Origin") == allowed
    assert preflight.headers.get("Access-Control-Allow-Origin") == allowed
    assert preflight.headers.get("Access-Control-Allow-Headers") == ("Content-Type" if welcome else None)


def test_get__in_a_browser__says_what_this_is(eth_tester_chain: RunningNode) -> None:
    response = httpx.get(eth_tester_chain.url)
    assert response.status_code == 200 and "send JSON-RPC requests by POST" in response.text
