"""Sending a transaction, waiting for it, and telling why the chain refused it."""

from __future__ import annotations

from web3 import Web3
from web3.types import TxParams, TxReceipt

from peerwatt.exceptions import REASONS, from_reason
from peerwatt.market.senders import Sender
from peerwatt.refusals.base import MarketError

RECEIPT_TIMEOUT_S = 120


def get_reason(error: Exception) -> str | None:
    """The contract's reason string in an error of any node, None if it carries none."""
    # Each node wraps the string in words of its own; the longest known one in them is it.
    text = str(error)
    return max((reason for reason in REASONS if reason in text), key=len, default=None)


def explain(error: Exception) -> Exception:
    """The typed exception of a refusal; the error itself where it is none."""
    reason = get_reason(error)
    return error if reason is None else from_reason(reason)


def send_and_wait(w3: Web3, sender: Sender, transaction: TxParams) -> TxReceipt:
    """Sends a transaction and waits for its receipt.

    Raises:
        MarketError: the contract refused it; the subclass says why.
        Web3Exception: the node refused it, or it was not mined in time.
    """
    try:
        transaction_hash = sender.send(w3, transaction)
        receipt = w3.eth.wait_for_transaction_receipt(transaction_hash, timeout=RECEIPT_TIMEOUT_S, poll_latency=0.05)
    except Exception as error:
        # Nodes and web3 raise a dozen types for the same refusal; what is none of ours goes on as it came.
        explained = explain(error)
        if explained is error:
            raise
        raise explained from error
    if receipt["status"] != 1:
        raise _replay(w3, sender, transaction, receipt)
    return receipt


def _replay(w3: Web3, sender: Sender, transaction: TxParams, receipt: TxReceipt) -> Exception:
    try:
        w3.eth.call({**transaction, "from": sender.address}, receipt["blockNumber"])
    except Exception as error:
        explained = explain(error)
        if isinstance(explained, MarketError):
            return explained
        return RuntimeError(f"transaction {Web3.to_hex(receipt['transactionHash'])} failed: {error}")
    return RuntimeError(
        f"transaction {Web3.to_hex(receipt['transactionHash'])} failed after {receipt['gasUsed']} gas; give it more gas"
    )
