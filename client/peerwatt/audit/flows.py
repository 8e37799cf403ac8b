"""The token's own logs beside the market's: each deposit and withdrawal moved its tokens, and nothing else did."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from peerwatt.audit.encoding import event_name
from peerwatt.audit.history import Log, Transaction


class TokenFlows:
    """Follows tokens to the market and from it.

    Attributes:
        moves: deposits and withdrawals that were found in the token's logs.
        given: tokens that came without a deposit: nobody's, and no harm [base units].
        at_stake: of the first violation [base units].
        violations: moves of the market without the token's, or the other way round.
    """

    def __init__(self, market: str) -> None:
        self.moves = 0
        self.given = 0
        self.at_stake = 0
        self.violations: list[str] = []
        self._market = market.lower()

    def follow(
        self, transactions: Sequence[Transaction], transfers: Iterable[Log], before: int | None = None
    ) -> None:
        """Compares the transactions of a stretch of the chain with the token's logs of the same stretch.

        Args:
            before: block at which the stretch ends before its time; all of it if None.
        """
        if before is not None:
            transactions = [one for one in transactions if one.block < before]
            transfers = [one for one in transfers if one.block < before]
        by_transaction: dict[bytes, list[Log]] = defaultdict(list)
        for transfer in transfers:
            by_transaction[transfer.transaction].append(transfer)
        for transaction in transactions:
            moved = Counter(self._transfers(by_transaction.pop(transaction.hash, ())))
            told = Counter(self._told(transaction))
            self.moves += sum(told.values())
            where = f"block {transaction.block}, transaction 0x{transaction.hash.hex()}"
            for (direction, party, amount), times in (told - moved).items():
                told_of = f"deposited by {party}" if direction == "in" else f"withdrawn to {party}"
                self._violated(f"{where}: {amount} {told_of}, and the token moved none", amount * times)
            self._count_rest(where, moved - told)
        for hash_, rest in by_transaction.items():
            self._count_rest(f"block {rest[0].block}, transaction 0x{hash_.hex()}", Counter(self._transfers(rest)))

    def _count_rest(self, where: str, rest: Counter[tuple[str, str, int]]) -> None:
        for (direction, party, amount), times in rest.items():
            if direction == "in":
                self.given += amount * times
            else:
                text = f"{where}: {amount} tokens left the market for {party} without a withdrawal"
                self._violated(text, amount * times)

    def _violated(self, text: str, amount: int) -> None:
        self.at_stake = self.at_stake or amount
        self.violations.append(text)

    def _transfers(self, transfers: Iterable[Log]) -> Iterable[tuple[str, str, int]]:
        for transfer in transfers:
            sender, receiver = (f"0x{topic[-20:].hex()}" for topic in transfer.topics[1:3])
            amount = int.from_bytes(transfer.data, "big")
            if receiver == self._market:
                yield "in", sender, amount
            if sender == self._market:
                yield "out", receiver, amount

    def _told(self, transaction: Transaction) -> Iterable[tuple[str, str, int]]:
        for log in transaction.logs:
            name = event_name(log.topics[0]) if log.address == self._market and log.topics else ""
            if name == "Deposited":
                yield "in", f"0x{log.topics[1][-20:].hex()}", int.from_bytes(log.data, "big")
            elif name == "Withdrawn":
                yield "out", f"0x{log.topics[2][-20:].hex()}", int.from_bytes(log.data, "big")
