"""Two nodes that do not tell the same."""

from __future__ import annotations

from typing import Any

import pytest

from audit.fakechain import MARKET, REGISTRY, TOKEN, FakeNode, Json, event, make_chain, place_of
from peerwatt.audit.crosscheck import crosscheck
from peerwatt.audit.failures import SourcesDisagree
from peerwatt.audit.source import read_history


def compare(one: FakeNode, two: FakeNode) -> list[Any]:
    history = read_history(one.transport("one"), place_of(one.chain), "latest", sleep=lambda _: None)
    return list(crosscheck(history, two.transport("two")))


def disagreement(one: FakeNode, two: FakeNode) -> SourcesDisagree:
    with pytest.raises(SourcesDisagree) as caught:
        compare(one, two)
    return caught.value


def lying(change: Any, address: str = MARKET) -> FakeNode:
    """A node that changes the logs of a contract."""

    def lie(method: str, params: list[Any], answer: Any) -> Any:
        asked = params[0].get("address") if method == "eth_getLogs" else None
        if asked is not None and address in asked:
            change(answer)
        return answer

    return FakeNode(make_chain(), lie=lie)


def test_crosscheck__same_chain__chunks_of_the_first() -> None:
    one, two = FakeNode(make_chain(), largest=5), FakeNode(make_chain(), largest=2)
    chunks = compare(one, two)
    assert sum(len(chunk.transactions) for chunk in chunks) == 16


def change_data(logs: list[Json]) -> None:
    logs[4]["data"] = "0x" + "ff" * 32


def drop(logs: list[Json]) -> None:
    del logs[4]


def add(logs: list[Json]) -> None:
    logs.insert(3, {**logs[2], "logIndex": "0x4"})


def swap(logs: list[Json]) -> None:
    one, two = logs[3], logs[4]
    one["data"], two["data"] = two["data"], one["data"]


@pytest.mark.parametrize("liar", ["one", "two"])
@pytest.mark.parametrize(
    ("change", "log_index", "lie"),
    [
        (change_data, 2, "0x" + "ff" * 32),
        (drop, 2, "there is no log"),
        (add, 4, "logs [0x"),
        (swap, 1, f"0x{3:064x}"),
    ],
    ids=["changed", "dropped", "added", "swapped"],
)
def test_crosscheck__a_node_lies_about_a_log__named_and_proven(
    liar: str, change: Any, log_index: int, lie: str
) -> None:
    nodes = {"one": FakeNode(make_chain()), "two": FakeNode(make_chain())}
    nodes[liar] = lying(change)
    found = disagreement(nodes["one"], nodes["two"])
    block = 1 if change is add else 2
    assert (found.block, found.log_index) == (block, log_index)
    assert list(found.wrong) == [liar]
    assert "receipts" in found.wrong[liar]
    assert lie in found.told[liar]
    assert f"the nodes disagree at block {block}, transaction 0x" in str(found)


def test_crosscheck__a_node_drops_a_transfer__named() -> None:
    found = disagreement(FakeNode(make_chain()), lying(lambda logs: logs.clear(), TOKEN))
    assert (found.block, found.log_index, list(found.wrong)) == (1, 0, ["two"])


def test_crosscheck__no_receipts__says_that_nothing_is_proven() -> None:
    def without(node: FakeNode) -> FakeNode:
        tell = node.lie
        node.lie = lambda method, params, answer: (
            None if method == "eth_getBlockReceipts" else tell(method, params, answer)
        )
        return node

    found = disagreement(without(FakeNode(make_chain())), without(lying(drop)))
    assert found.wrong == {}
    assert str(found).endswith("Which one is wrong is not proven")


def test_crosscheck__a_node_lies_about_calldata__named_by_the_signature() -> None:
    liar = FakeNode(make_chain())
    liar.lie = lambda method, params, answer: (
        {**answer, "input": "0x1234"} if method == "eth_getTransactionByHash" else answer
    )
    found = disagreement(liar, FakeNode(make_chain()))
    assert list(found.wrong) == ["one"] and "do not follow" in found.wrong["one"]
    assert found.transaction is not None and "with 0x1234" in found.told["one"]


def test_crosscheck__a_node_lies_about_a_time__named_by_the_header() -> None:
    liar = FakeNode(make_chain())
    liar.lie = lambda method, params, answer: (
        {**answer, "timestamp": "0x5"} if method == "eth_getBlockByNumber" and params[0] == "0x3" else answer
    )
    found = disagreement(FakeNode(make_chain()), liar)
    assert (found.block, found.log_index, list(found.wrong)) == (3, None, ["two"])
    assert "time 5 s" in found.told["two"] and "hashes to 0x" in found.wrong["two"]


def test_crosscheck__two_chains__both_may_be_right() -> None:
    fork = make_chain().fork(5)
    while len(fork.blocks) < 12:
        fork.mine((REGISTRY, [event(1, REGISTRY)]), salt="fork")
    found = disagreement(FakeNode(make_chain()), FakeNode(fork))
    assert found.block == 6 and found.wrong == {}
