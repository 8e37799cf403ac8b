"""Calls to a market that came through another contract, as a node's tracer tells them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from peerwatt.audit.failures import SourceContradiction
from peerwatt.audit.history import Call
from peerwatt.audit.transport import RpcError, Transport

METHOD_NOT_FOUND = -32601
TRACER = {"tracer": "callTracer", "tracerConfig": {"withLog": False}}


class Tracer:
    """Asks a node for traces.

    Attributes:
        available: False once the node has said that it has no such method.
    """

    def __init__(self, transport: Transport, contracts: Sequence[str]) -> None:
        """
        Args:
            contracts: market and registry, lower case.
        """
        self.available = True
        self._transport = transport
        self._contracts = frozenset(contracts)

    def calls(self, transactions: Sequence[str]) -> list[tuple[Call, ...] | None]:
        """The calls in each transaction; None where the node gives no trace, as one without the old states does.

        Args:
            transactions: hashes.
        Raises:
            RpcFailed: the node gave no answer.
            SourceContradiction: it gave something that is no trace.
        """
        if not transactions or not self.available:
            return [None] * len(transactions)
        answers = self._transport.many([("debug_traceTransaction", [one, TRACER]) for one in transactions])
        self.available = not any(isinstance(one, RpcError) and one.code == METHOD_NOT_FOUND for one in answers)
        return [
            self._read(transaction, answer) if isinstance(answer, dict) else None
            for transaction, answer in zip(transactions, answers, strict=True)
        ]

    def _read(self, transaction: str, frame: dict[str, Any]) -> tuple[Call, ...] | None:
        # A client that takes no tracers answers with one entry for each instruction.
        if "structLogs" in frame:
            return None
        try:
            return tuple(find_calls(frame, self._contracts))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            text = f"{self._transport.name} gives a trace of {transaction} that can't be read ({error!r})"
            raise SourceContradiction(text, transaction=transaction) from error


def find_calls(frame: dict[str, Any], contracts: frozenset[str]) -> list[Call]:
    """The successful calls to contracts from elsewhere, in the sequence in which they began.

    What a contract of the market calls of another one is its own doing, and no call of these. A delegated call runs
    foreign code for the caller, so it is none either, but what it calls may be; a static call changes nothing, nor does
    anything below it; what is reverted takes all below it with it.

    Args:
        frame: the outermost frame of callTracer.
        contracts: addresses, lower case.
    """
    calls = []
    waiting = [frame]
    while waiting:
        frame = waiting.pop()
        if frame.get("error") or frame["type"] == "STATICCALL":
            continue
        if frame["type"] == "CALL":
            called, caller = frame["to"].lower(), frame["from"].lower()
            if called in contracts and caller not in contracts:
                calls.append(Call(called, caller, bytes.fromhex(frame.get("input", "0x")[2:])))
        waiting.extend(reversed(frame.get("calls") or ()))
    return calls
