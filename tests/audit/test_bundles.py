"""Many getters in one question: the same words as one by one, from nodes of both kinds and from those that refuse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from audit.script import script
from peerwatt.audit.bundles import FRAME, MAX_ANSWER, MAX_PROGRAM, STEP, Words, _parts, make_program
from peerwatt.audit.calldata import MARKET, REGISTRY
from peerwatt.audit.chunks import read_block
from peerwatt.audit.getters import Getter, call_getter
from peerwatt.audit.transport import InProcess, Request, RpcError

NOBODY = "0x" + "0" * 39 + "7"


class Counting:
    """A node behind which questions are counted, and answers changed."""

    def __init__(self) -> None:
        self.twin = script()
        self.asked = 0
        self.change: Any = lambda params, answer: answer
        self._inner = self.twin.chain.transport()
        self.name = self._inner.name

    def many(self, requests: Sequence[Request], attempts: int | None = None) -> list[Any]:
        self.asked += len(requests)
        answers = self._inner.many(requests, attempts)
        return [self.change(params, answer) for (_, params), answer in zip(requests, answers, strict=True)]

    def words(self) -> Words:
        return Words(self, read_block(self._inner, self.twin.chain.chain.height))

    def getters(self) -> list[Getter]:
        twin, manifest = self.twin, self.twin.manifest
        wallets = [call_getter(manifest.market, MARKET, "wallets", (account,)) for account in twin.market.wallets]
        connections = [
            call_getter(manifest.registry, REGISTRY, "connections", (one,)) for one in twin.registry.connections
        ]
        balance = call_getter(manifest.token, "SettlementToken", "balanceOf", (manifest.market,))
        return [*wallets, *connections, balance, call_getter(manifest.market, MARKET, "book_state", ())]


def test_read__getters_of_three_contracts__one_question_same_words() -> None:
    node = Counting()
    getters = node.getters()
    together = node.words()
    found = together.read(getters)
    assert node.asked == 1 and together.bundles
    singly = node.words()
    singly.bundles = False
    assert singly.read(getters) == found and node.asked == 1 + len(getters)
    assert sum(isinstance(word, int) and word > 2**512 for word in found) == len(node.twin.registry.connections)
    assert {getter.words for getter in getters} == {1, 3}


@pytest.mark.parametrize(
    "answer", [RpcError(-32602, "no receiver"), None, "0x", "0x01", "0xzz", 7, f"0x{0:0640x}"], ids=str
)
def test_read__no_answer_to_a_program__singly(answer: Any) -> None:
    node = Counting()
    getters = node.getters()
    expected = node.words().read(getters)
    node.change = lambda params, right: right if "to" in params[0] else answer
    words = node.words()
    assert words.read(getters) == expected and not words.bundles


def test_read__getter_that_fails__told_by_itself() -> None:
    node = Counting()
    getters = node.getters()
    broken = Getter(getters[0].address, b"\xff\xff\xff\xff", 1)
    words = node.words()
    found = words.read([*getters, broken])
    assert isinstance(found[-1], RpcError) and found[:-1] == node.words().read(getters)


def test_read__none_or_one__no_program() -> None:
    node = Counting()
    words = node.words()
    assert words.read([]) == []
    node.change = lambda params, right: right if "to" in params[0] else None
    assert len(words.read(node.getters()[:1])) == 1 and words.bundles


def test_parts__many__within_what_a_deployment_may_be() -> None:
    getters = [Getter(NOBODY, bytes(4 + 32 * (at % 4)), 1 + at % 3) for at in range(5_000)]
    parts = list(_parts(getters))
    assert [getter for part in parts for getter in part] == getters and len(parts) > 2
    for part in parts:
        assert len(make_program(part)) <= MAX_PROGRAM
        assert 32 * (1 + sum(getter.words for getter in part)) <= MAX_ANSWER
    (step, longer) = (len(make_program([Getter(NOBODY, b"1234", 1)] * times)) for times in (1, 2))
    assert longer - step == STEP + 4 and step < FRAME + STEP + 4


def test_read__in_process_without_calls__as_refused() -> None:
    def answer(method: str, params: list[Any]) -> Any:
        raise RpcError(-32601, f"{method} does not exist")

    node = Counting()
    block = read_block(node.twin.chain.transport(), 1)
    found = Words(InProcess(answer), block).read(node.getters())
    assert all(isinstance(one, RpcError) and one.code == -32601 for one in found) and len(found) > 1
