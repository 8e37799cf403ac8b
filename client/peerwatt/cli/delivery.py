"""How what was signed gets to the chain: by a bridge if there is one, else by a transaction of one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerwatt.cli.errors import NodeError
from peerwatt.cli.session import Session

if TYPE_CHECKING:
    from web3.types import TxReceipt

    from peerwatt.bridge import Brought
    from peerwatt.signing import Message, Signature

NO_FEES = "Fees: none, the bridge pays them."


def bring(
    session: Session, route: str, message: Message, signature: Signature, agent: str | None = None
) -> TxReceipt:
    """Sends a signed message through the bridge.

    Args:
        route: as of `BridgeClient.bring`.
    Returns:
        The receipt of the transaction that brought it, as the node has it.
    Raises:
        MarketError, BridgeRefused, BridgeAway: as `BridgeClient.bring`.
        NodeError: the node does not have what the bridge says.
    """
    bridge = session.bridge
    assert bridge is not None
    with session.waiting("the bridge brings it to the chain"):
        return read_receipt(session, bridge.bring(route, message, signature, agent))


def read_receipt(session: Session, brought: Brought) -> TxReceipt:
    """The receipt of what a bridge says that it brought; what it says counts only if the node has it.

    Raises:
        NodeError: it has not, or the transaction failed.
    """
    from hexbytes import HexBytes
    from web3.exceptions import TransactionNotFound

    try:
        receipt = session.w3.eth.get_transaction_receipt(HexBytes(brought.transaction))
    except TransactionNotFound:
        raise not_there(session, brought.transaction) from None
    if receipt["status"] != 1:
        raise NodeError(f"transaction {brought.transaction} of the bridge failed; try again, or with: --bridge none")
    return receipt


def not_there(session: Session, transaction: str) -> NodeError:
    """The error of a bridge whose word the chain does not bear out."""
    url = session.settings["bridge"]
    return NodeError(
        f"the bridge at {url} says that transaction {transaction} brought it, and the node does not show that; "
        "look again in a minute, or send it with: --bridge none"
    )
