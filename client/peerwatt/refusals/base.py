"""The root of every error that peerwatt raises about the market."""

from __future__ import annotations

from typing import Any, ClassVar


class MarketError(Exception):
    """Something the market refuses, or would refuse. The message says fact, values and next step.

    Attributes:
        reason: the contract's revert string, None for what is refused before it reaches the chain.
        code: the relay's reason code, None where the relay has none.
        problem: stable slug of the RFC 9457 problem type.
        fact: what is the case.
        next_step: what to do about it.
        context: the values that were given, by name.
    """

    reason: ClassVar[str | None] = None
    code: ClassVar[int | None] = None
    problem: ClassVar[str] = "market-error"
    fact: ClassVar[str] = "the market refused"
    next_step: ClassVar[str] = "read the values and try again"

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        # One text serves as message and as documentation.
        cls.__doc__ = cls.__doc__ or f"{cls.fact[0].upper()}{cls.fact[1:]}."

    def __init__(self, message: str | None = None, **context: Any) -> None:
        """A refusal.

        Args:
            message: fact and next step with their values, where the caller knows more than the class.
            context: values to name in the message, e.g. `last_window=5`.
        """
        super().__init__(*(() if message is None else (message,)))
        self.context = context

    def __str__(self) -> str:
        if self.args:
            return str(self.args[0])
        values = ", ".join(f"{name}={value}" for name, value in self.context.items())
        return f"{self.fact}{f' ({values})' if values else ''}; {self.next_step}"
