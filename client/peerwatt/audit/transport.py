"""How an auditor asks a node: many questions at once, answers as JSON-RPC writes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

# A method and its parameters.
Request = tuple[str, list[Any]]


class RpcError(Exception):
    """A node's answer that is an error.

    Attributes:
        code: JSON-RPC code.
        message: in the node's words.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{message} (code {code})")
        self.code = code
        self.message = message


class Transport(Protocol):
    """The way to one node."""

    @property
    def name(self) -> str:
        """What to call the node in a report: nothing secret."""

    def many(self, requests: Sequence[Request], attempts: int | None = None) -> list[Any]:
        """Asks.

        Args:
            attempts: how often a question is asked that gets no answer; the transport's own number if None.
        Returns:
            The results in the sequence of the requests; where the node refuses one, an `RpcError` in its place.
        Raises:
            RpcFailed: there was no answer in the end.
        """


def ask(transport: Transport, method: str, *params: Any) -> Any:
    """The result of one question.

    Raises:
        RpcError: the node refuses it.
        RpcFailed: there was no answer.
    """
    (result,) = transport.many([(method, list(params))])
    if isinstance(result, RpcError):
        raise result
    return result


class InProcess:
    """A node in this process.

    Attributes:
        name: what to call it.
    """

    def __init__(self, answer: Callable[[str, list[Any]], Any], name: str = "the chain in this process") -> None:
        """
        Args:
            answer: gives the result of a method with its parameters, or raises an exception with a JSON-RPC `code`.
        """
        self.name = name
        self._answer = answer

    def many(self, requests: Sequence[Request], attempts: int | None = None) -> list[Any]:
        """See `Transport`."""
        return [self._one(method, params) for method, params in requests]

    def _one(self, method: str, params: list[Any]) -> Any:
        try:
            return self._answer(method, params)
        except Exception as error:
            code = getattr(error, "code", None)
            if not isinstance(code, int):
                raise
            return RpcError(code, str(error))
