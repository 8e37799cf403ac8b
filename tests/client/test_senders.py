"""A key in this process: what its transactions are estimated against."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from eth_account import Account
from eth_utils.crypto import keccak

from peerwatt.market.senders import KeyAccount
from peerwatt.market.transactions import get_reason

TRANSACTION: Any = {"to": "0x" + "11" * 20, "data": "0x", "value": 0, "gas": 1_000_000}


def make_w3(answers: dict[str | None, int | Exception]) -> Any:
    """A node that estimates as told for each block, and keeps what it is sent."""
    sent: list[bytes] = []

    def estimate_gas(transaction: Any, block: str | None = None) -> int:
        answer = answers[block]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def send_raw_transaction(raw: bytes) -> bytes:
        sent.append(raw)
        return bytes(keccak(raw))

    eth = SimpleNamespace(
        estimate_gas=estimate_gas,
        send_raw_transaction=send_raw_transaction,
        max_priority_fee=1,
        chain_id=31337,
        get_block=lambda block: {"baseFeePerGas": 7},
        get_transaction_count=lambda address, block: 0,
    )
    return SimpleNamespace(eth=eth, sent=sent)


@pytest.fixture
def sender() -> KeyAccount:
    return KeyAccount(Account.from_key(bytes(keccak(text="peerwatt test sender"))))


def test_send__newest_block_long_past__estimated_for_the_next_one(sender: KeyAccount) -> None:
    w3 = make_w3({"pending": 50_000, None: RuntimeError("execution reverted: auction: nothing to clear")})
    sender.send(w3, TRANSACTION)
    assert len(w3.sent) == 1


def test_send__node_without_pending_block__estimated_for_the_newest(sender: KeyAccount) -> None:
    w3 = make_w3({"pending": RuntimeError("pending is not available"), None: 50_000})
    sender.send(w3, TRANSACTION)
    assert len(w3.sent) == 1


def test_send__refused_in_the_next_block__not_sent(sender: KeyAccount) -> None:
    w3 = make_w3({"pending": RuntimeError("execution reverted: auction: nothing to clear"), None: 50_000})
    with pytest.raises(RuntimeError) as refused:
        sender.send(w3, TRANSACTION)
    assert get_reason(refused.value) == "auction: nothing to clear" and not w3.sent
