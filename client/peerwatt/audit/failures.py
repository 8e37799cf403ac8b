"""What keeps an auditor from reading a chain: an answer that can't be had, or one that can't be right."""

from __future__ import annotations

from peerwatt.audit.history import Block


class SourceError(Exception):
    """A node does not tell the market's history."""


class SourceIncomplete(SourceError):
    """Something of the history could not be had; the text says what, from whom, and why."""


class RpcFailed(SourceIncomplete):
    """A node gave no answer, however often it was asked."""


class Reorganised(SourceIncomplete):
    """The chain changed under blocks that were read already.

    Attributes:
        consistent: the newest block known to be read that is still in the chain; None if there is none.
    """

    def __init__(self, text: str, consistent: Block | None) -> None:
        super().__init__(text)
        self.consistent = consistent


class SourceContradiction(SourceError):
    """A node's answers contradict each other, so at least one of them is wrong.

    Attributes:
        block, transaction, log_index: where, as far as it is known.
    """

    def __init__(
        self, text: str, block: int | None = None, transaction: str | None = None, log_index: int | None = None
    ) -> None:
        super().__init__(text)
        self.block = block
        self.transaction = transaction
        self.log_index = log_index


class SourcesDisagree(SourceError):
    """Two nodes tell different histories.

    Attributes:
        block, transaction, log_index: the first place where they differ.
        told: what each of them says, by its name.
        wrong: the names of those that are proven wrong; empty where that can't be told.
    """

    def __init__(
        self,
        block: int,
        transaction: str | None,
        log_index: int | None,
        told: dict[str, str],
        wrong: dict[str, str],
    ) -> None:
        place = f"block {block}"
        place += f", transaction {transaction}" if transaction else ""
        place += f", log {log_index}" if log_index is not None else ""
        values = "; ".join(f"{name} says {value}" for name, value in told.items())
        verdict = "; ".join(f"{name} is wrong: {reason}" for name, reason in wrong.items())
        super().__init__(f"the nodes disagree at {place}: {values}. {verdict or 'Which one is wrong is not proven'}")
        self.block = block
        self.transaction = transaction
        self.log_index = log_index
        self.told = told
        self.wrong = wrong
