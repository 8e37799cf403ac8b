"""Reading a history from nodes that limit, fail, change their minds and lie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from audit.fakechain import (
    CHAIN_ID,
    KEY,
    MARKET,
    REGISTRY,
    TOKEN,
    WALLET,
    FakeChain,
    FakeNode,
    Lie,
    event,
    make_chain,
    place_of,
)
from peerwatt.audit.failures import Reorganised, RpcFailed, SourceContradiction, SourceError, SourceIncomplete
from peerwatt.audit.history import Block, Chunk, Log, Transaction
from peerwatt.audit.source import History, read_history
from peerwatt.audit.transport import RpcError


def read(node: FakeNode, last: int | str | None = "latest", after: Block | None = None, **options: Any) -> History:
    return read_history(node.transport(), place_of(node.chain), last, after=after, sleep=lambda _: None, **options)


def gather(history: History) -> tuple[list[Transaction], list[Log], list[Chunk]]:
    chunks = list(history)
    transactions = [one for chunk in chunks for one in chunk.transactions]
    return transactions, [one for chunk in chunks for one in chunk.transfers], chunks


def limited(node: FakeNode, largest: int) -> FakeNode:
    return replace(node, largest=largest, asked={})


def test_read__honest_node__everything_in_sequence() -> None:
    chain = make_chain()
    transactions, transfers, chunks = gather(read(FakeNode(chain), check_headers=True))
    logs = [log for one in transactions for log in one.logs]
    expected = [
        (int(log["blockNumber"], 16), int(log["logIndex"], 16), log["address"], log["data"])
        for receipts in chain.receipts
        for receipt in receipts
        for log in receipt["logs"]
    ]
    found = [(log.block, log.index, log.address, f"0x{log.data.hex()}") for log in (*logs, *transfers)]
    assert sorted(found) == expected
    assert [(log.block, log.index) for log in logs] == sorted((log.block, log.index) for log in logs)
    assert {log.address for log in logs} == {MARKET, REGISTRY}
    assert {log.address for log in transfers} == {TOKEN} and len(transfers) == 9
    assert all(one.authentic and one.calls and one.calls[0].caller == KEY.address.lower() for one in transactions)
    assert all(one.calls is not None and one.calls[0].data == one.data for one in transactions)
    (chunk,) = chunks
    assert chunk.end.number == 11 and 4 not in chunk.blocks
    assert [block.number for _, block in chunk.pairs()] == [one.block for one in transactions]
    assert chunk.blocks[7].time_s == 1_700_000_000 + 12 * 7


@pytest.mark.parametrize("largest", [1, 2, 5])
def test_read__node_takes_few_blocks__same_history(largest: int) -> None:
    node = FakeNode(make_chain())
    whole = gather(read(node))
    few = gather(read(limited(node, largest)))
    assert few[:2] == whole[:2]
    assert [chunk.first for chunk in few[2]] == [1, *(chunk.end.number + 1 for chunk in few[2][:-1])]
    assert max(chunk.end.number - chunk.first + 1 for chunk in few[2]) <= largest
    assert few[2][-1].end == whole[2][-1].end


def test_read__node_takes_only_block_hashes__same_history() -> None:
    node = FakeNode(make_chain())
    assert gather(read(limited(node, 0)))[:2] == gather(read(node))[:2]


def test_read__logs_never_given__incomplete_and_says_which() -> None:
    def refuse(method: str, params: list[Any], answer: Any) -> Any:
        if method == "eth_getLogs" and (int(params[0].get("toBlock", "0x7"), 16) >= 7):
            raise RpcError(-32000, "history has been pruned for this block")
        return answer

    history = read(FakeNode(make_chain(), lie=refuse))
    with pytest.raises(
        SourceIncomplete, match=r"the fake node does not give the logs of block 7: history has been pruned"
    ):
        list(history)


def test_read__timeouts_for_long_ranges__asks_for_shorter_ones() -> None:
    def fail(method: str, params: list[Any], answer: Any) -> Any:
        if method == "eth_getLogs" and int(params[0]["toBlock"], 16) - int(params[0]["fromBlock"], 16) > 2:
            raise RpcFailed("timed out")
        return answer

    class Failing:
        name = "slow"

        def many(self, requests: Any, attempts: int | None = None) -> list[Any]:
            return [fail(method, params, node.answer(method, params)) for method, params in requests]

    node = FakeNode(make_chain())
    slow = read_history(Failing(), place_of(node.chain), "latest", sleep=lambda _: None)
    assert gather(slow)[:2] == gather(read(node))[:2]


def lie_in_logs(change: Callable[[list[Any]], Any]) -> Lie:
    """A lie in the contracts' logs."""

    def lie(method: str, params: list[Any], answer: Any) -> Any:
        if method == "eth_getLogs" and isinstance(params[0]["address"], list):
            change(answer)
        return answer

    return lie


def lie_in(wanted: str, change: Callable[[Any], Any]) -> Lie:
    return lambda method, params, answer: change(answer) if method == wanted and answer is not None else answer


def other_parent(block: Any) -> Any:
    return {**block, "parentHash": "0x" + "11" * 32} if block["number"] == "0x3" else block


OTHER = "0x" + "22" * 32
LIES = {
    "removed": (
        lie_in_logs(lambda logs: logs[2].update(removed=True)),
        r"calls removed \(block 1, transaction 0x\w+, log 3\)",
    ),
    "twice": (
        lie_in_logs(lambda logs: logs.append(dict(logs[3]))),
        r"a log twice \(block 2, transaction 0x\w+, log 1\)",
    ),
    "other block hash": (lie_in_logs(lambda logs: logs[0].update(blockHash=OTHER)), "log with block hash 0x2222"),
    "other block": (lie_in_logs(lambda logs: logs[0].update(blockNumber="0x63")), "was asked for blocks 1 to 11"),
    "foreign": (lie_in_logs(lambda logs: logs[0].update(address=WALLET)), "gives another log"),
    "other index": (lie_in_logs(lambda logs: logs[0].update(transactionIndex="0x1")), "another sequence"),
    "index beyond": (lie_in_logs(lambda logs: logs[2].update(transactionIndex="0x9")), "does not list there"),
    "other transaction": (lie_in_logs(lambda logs: logs[6].update(transactionHash=OTHER)), "does not list there"),
    "no data": (lie_in_logs(lambda logs: logs[0].pop("data")), "can't be read"),
    "no hex": (lie_in_logs(lambda logs: logs[0].update(data="0xzz")), "can't be read"),
    "header elsewhere": (lie_in("eth_getBlockByNumber", lambda block: {**block, "number": "0x1"}), "asked for block"),
    "parent": (lie_in("eth_getBlockByNumber", other_parent), "before one whose parent is 0x1111"),
    "transaction elsewhere": (
        lie_in("eth_getTransactionByHash", lambda one: {**one, "blockHash": OTHER}),
        "blockHash .* and the transaction with 0x2222",
    ),
    "another transaction": (lie_in("eth_getTransactionByHash", lambda one: {**one, "hash": OTHER}), "hash 0x.*0x2222"),
}


@pytest.mark.parametrize("name", LIES)
def test_read__node_contradicts_itself__says_where(name: str) -> None:
    lie, message = LIES[name]
    with pytest.raises(SourceContradiction, match=message):
        gather(read(FakeNode(make_chain(), lie=lie), 11))


def test_read__header_that_does_not_hash__found_when_asked_to() -> None:
    lie = lie_in("eth_getBlockByNumber", lambda block: {**block, "timestamp": "0x1"})
    with pytest.raises(SourceContradiction, match="gives a header that hashes to 0x"):
        gather(read(FakeNode(make_chain(), lie=lie), check_headers=True))


def test_read__one_contradiction_only__read_again() -> None:
    node = FakeNode(make_chain())
    whole = gather(read(node))

    def once(method: str, params: list[Any], answer: Any) -> Any:
        if method == "eth_getLogs" and node.asked[method] <= 3 and isinstance(params[0]["address"], list):
            answer[0]["blockHash"] = OTHER
        return answer

    node.asked.clear()
    node.lie = once
    assert gather(read(node))[:2] == whole[:2]


def test_read__changed_calldata__not_authentic() -> None:
    lie = lie_in("eth_getTransactionByHash", lambda one: {**one, "input": "0x00"})
    transactions, _, _ = gather(read(FakeNode(make_chain(), lie=lie)))
    assert {one.authentic for one in transactions} == {False}


def test_read__no_index_of_old_transactions__found_in_their_blocks() -> None:
    node = FakeNode(make_chain())
    whole = gather(read(node))
    node.lie = lambda method, params, answer: None if method == "eth_getTransactionByHash" else answer
    assert gather(read(node))[:2] == whole[:2]


def test_read__transaction_nowhere__incomplete() -> None:
    node = FakeNode(make_chain())
    node.lie = lambda method, params, answer: None if method.startswith("eth_getTransaction") else answer
    with pytest.raises(SourceIncomplete, match=r"does not give transaction 0x\w+ of block 1: it has none"):
        list(read(node))


# The last block


def test_read__node_knows_finality__up_to_the_final_block() -> None:
    chain = make_chain()
    assert read(FakeNode(chain, final=6), last=None).last.number == 6
    assert read(FakeNode(chain, final=0), last=None).last.number == 11
    assert read(FakeNode(chain), last=None).last.number == 11


def test_read__last_block_by_number_and_hash__ends_there() -> None:
    node = FakeNode(make_chain())
    for last in (5, node.chain.blocks[5]["hash"]):
        history = read(node, last)
        _, _, chunks = gather(history)
        assert history.last.number == chunks[-1].end.number == 5


@pytest.mark.parametrize(
    ("last", "message"),
    [
        (99, "does not give block 99: it has none"),
        (OTHER, "does not give block 0x2222.*: it has none"),
        (0, "deployed in block 1, after block 0"),
    ],
)
def test_read__no_such_last_block__incomplete(last: int | str, message: str) -> None:
    with pytest.raises(SourceIncomplete, match=message):
        read(FakeNode(make_chain()), last)


def test_read__another_chain_or_market__says_so() -> None:
    node = FakeNode(make_chain())
    with pytest.raises(SourceContradiction, match=f"serves chain {CHAIN_ID}, the market is on 5"):
        read_history(node.transport(), replace(place_of(node.chain), chain_id=5))
    with pytest.raises(SourceContradiction, match="the manifest says 0x2222"):
        read_history(node.transport(), replace(place_of(node.chain), block_hash=OTHER))


def test_read__resumed__goes_on_after_the_block() -> None:
    node = FakeNode(make_chain())
    whole, transfers, _ = gather(read(node))
    first, moved, chunks = gather(read(node, 6))
    rest, more, later = gather(read(node, after=chunks[-1].end))
    assert first + rest == whole and moved + more == transfers
    assert later[0].first == 7
    with pytest.raises(Reorganised, match=r"block 6 .* up to which the history was read, is not in the chain"):
        read(node, after=replace(chunks[-1].end, hash=b"\1" * 32))
    assert gather(read(node, 6, after=chunks[-1].end))[2] == []


# A chain that changes


def other_branch(chain: FakeChain, number: int, blocks: int = 12) -> FakeChain:
    branch = chain.fork(number)
    while len(branch.blocks) < blocks:
        branch.mine((MARKET, [event(len(branch.blocks))]), salt="other")
    return branch


def switch(node: FakeNode, branch: FakeChain, when: int) -> None:
    """The node takes another branch at its n-th answer about logs."""

    def lie(method: str, params: list[Any], answer: Any) -> Any:
        if method == "eth_getLogs" and node.asked[method] == when:
            node.chain = branch
        return answer

    node.lie = lie


@pytest.mark.parametrize("blocks", [12, 10])
def test_read__reorganised_ahead__goes_on_with_the_new_chain(blocks: int) -> None:
    chain = make_chain()
    branch = other_branch(chain, 6, blocks)
    node = FakeNode(chain, largest=2)
    history = read(node)
    # Three answers for each chunk: blocks 5 and 6 are being read.
    successful = {}

    def lie(method: str, params: list[Any], answer: Any) -> Any:
        if method == "eth_getLogs":
            successful[params[0]["fromBlock"]] = True
            if len(successful) == 3:
                node.chain = branch
        return answer

    node.lie = lie
    found = gather(history)
    assert history.reorganisations == 1
    assert history.last.number == blocks - 1
    assert found[:2] == gather(read(FakeNode(branch)))[:2]


def test_read__reorganised_under_what_was_read__says_from_where() -> None:
    chain = make_chain()
    node = FakeNode(chain, largest=2)
    chunks = []
    with pytest.raises(Reorganised, match="read again from block 4") as caught:
        for chunk in read(node):
            chunks.append(chunk)
            if chunk.end.number == 8:
                node.chain = other_branch(chain, 5)
    # Chunks end at blocks 2, 4, 6 and 8; the branches part after 5.
    assert caught.value.consistent == chunks[1].end


def test_read__reorganised_at_the_end__says_from_where() -> None:
    chain = make_chain()
    node = FakeNode(chain)
    with pytest.raises(Reorganised, match="changed while it was read; read again from the deployment") as caught:
        for _ in read(node):
            node.chain = other_branch(chain, 5)
    assert caught.value.consistent is None


def test_read__block_named_by_hash_is_gone__says_so() -> None:
    chain = make_chain()
    node = FakeNode(chain)
    history = read(node, chain.blocks[9]["hash"])
    switch(node, other_branch(chain, 5), node.asked.get("eth_getLogs", 0) + 1)
    with pytest.raises(
        Reorganised, match=r"block 9 \(0x\w+\) is no longer in the chain of the fake node; name another"
    ):
        list(history)


def test_read__chain_never_rests__gives_up() -> None:
    node = FakeNode(make_chain())
    branches = [node.chain, other_branch(node.chain, 9)]

    def lie(method: str, params: list[Any], answer: Any) -> Any:
        if method == "eth_getLogs" and isinstance(params[0]["address"], list):
            branches.reverse()
            node.chain = branches[0]
        return answer

    history = read(node)
    node.lie = lie
    with pytest.raises(SourceError, match="went 6 times"):
        list(history)


# Calls through other contracts


def with_wallet() -> tuple[FakeChain, str]:
    chain = make_chain(4)
    chain.mine((WALLET, [event(1)]))
    return chain, chain.blocks[-1]["transactions"][0]["hash"]


def test_read__through_a_wallet__the_traced_call() -> None:
    chain, one = with_wallet()
    inner = {"type": "CALL", "from": WALLET.upper().replace("X", "x"), "to": MARKET, "input": "0x1234"}
    chain.traces[one] = {"type": "CALL", "from": KEY.address, "to": WALLET, "input": "0x", "calls": [inner]}
    transactions, _, _ = gather(read(FakeNode(chain)))
    calls = transactions[-1].calls
    assert calls is not None and [(call.contract, call.caller, call.data) for call in calls] == [
        (MARKET, WALLET, b"\x12\x34")
    ]


@pytest.mark.parametrize("traces", [True, False])
def test_read__no_trace_to_be_had__no_calls_known(traces: bool) -> None:
    chain, _ = with_wallet()
    chain.mine((WALLET, [event(2)]))
    node = FakeNode(chain, traces=traces, largest=1)
    transactions, _, _ = gather(read(node))
    assert [one.calls for one in transactions[-2:]] == [None, None]
    # A node that has no such method is not asked again.
    assert node.asked["debug_traceTransaction"] == (2 if traces else 1)
