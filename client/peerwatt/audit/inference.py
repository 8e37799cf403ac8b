"""What a call must have asked, told from its logs: for calls that nobody can see.

Everything but signatures and senders is still checked: the reference does the act and must log the same.
"""

from __future__ import annotations

from peerwatt.audit.acts import Acts
from peerwatt.audit.history import Transaction


def infer(acts: Acts, transaction: Transaction, now_s: int) -> str | None:
    """Does what the logs of a transaction tell.

    Returns:
        The reason if the reference refuses it, None if it does it.
    """
    return "not implemented"
