"""What an audit has come to besides the replay: at the end of a chunk a checkpoint keeps it."""

from __future__ import annotations

from collections import Counter

from peerwatt.audit.closed import ClosedWindows
from peerwatt.audit.delivered import Delivered
from peerwatt.audit.flows import TokenFlows
from peerwatt.audit.history import Block, Transaction
from peerwatt.audit.merit_order import MeritOrders
from peerwatt.audit.replay import Replay
from peerwatt.audit.signers import Bindings


class Course:
    """Follows what was replayed.

    Attributes:
        merit: the second clearing.
        flows: the token's logs beside the market's.
        bindings: which meter signs for whom.
        transactions, logs, headers: how many were compared; `headers` are of blocks with logs.
        callers: whoever called the contracts, lower case.
        authentic: transactions by whether their hash and signature follow from their content.
        forged: those that do not, in words.
        delivered: delivered energy by meter class.
        closed: the results of windows that are over.
    """

    def __init__(self, market: str) -> None:
        """
        Args:
            market: its address.
        """
        self.merit = MeritOrders()
        self.flows = TokenFlows(market)
        self.bindings = Bindings()
        self.transactions = 0
        self.logs = 0
        self.headers = 0
        self.callers: set[str] = set()
        self.authentic: Counter[bool | None] = Counter()
        self.forged: list[str] = []
        self.delivered = Delivered()
        self.closed = ClosedWindows()

    def follow(self, transaction: Transaction, block: Block, replay: Replay) -> None:
        """Takes a transaction that the replay has just done, and not forgotten yet."""
        self.transactions += 1
        self.logs += len(transaction.logs)
        self.callers.add(transaction.sender)
        self.callers.update(call.caller for call in transaction.calls or ())
        self.authentic[transaction.authentic] += 1
        if transaction.authentic is False:
            place = f"block {block.number}, transaction 0x{transaction.hash.hex()}"
            self.forged.append(f"{place}: hash and sender do not follow from its content")
        self.merit.follow(replay.market.log)
        self.delivered.count(replay.market.ledger, replay.market)

    @property
    def is_clean(self) -> bool:
        """Whether nothing is violated so far."""
        return not (self.forged or self.flows.violations or self.merit.disagreements)
