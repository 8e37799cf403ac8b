"""Sending signed messages to a bridge (docs/bridge.md) and waiting until a block has them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import requests

from peerwatt import exceptions
from peerwatt.meter.submission import SignedReport
from peerwatt.refusals.base import MarketError
from peerwatt.signing import EXPORTS, Message, Signature

TIMEOUT_S = 30
# How long a block is waited for, and how often the bridge is asked.
PATIENCE_S = 180
PAUSE_S = 0.3
MAX_READINGS = 100
WAITING = ("received", "relayed")
DONE = ("confirmed", "final")
# OBIS codes of the registers.
CODES = {EXPORTS: "2.8.0", 1 - EXPORTS: "1.8.0"}


class BridgeAway(Exception):
    """The bridge does not answer, or not in time. The message says what to do."""


class BridgeRefused(Exception):
    """The bridge would not take it, for a reason of its own. The message says why."""


@dataclass(frozen=True)
class Brought:
    """A message that a block has, as the bridge says.

    Attributes:
        digest: of the message, 0x-prefixed hex.
        transaction: its hash, 0x-prefixed hex.
    """

    digest: str
    transaction: str


class BridgeClient:
    """A bridge.

    Args:
        url: such as http://127.0.0.1:8750.
    """

    def __init__(self, url: str, *, patience_s: float = PATIENCE_S) -> None:
        self.url = url.rstrip("/")
        self._patience_s = patience_s
        self._http = requests.Session()

    def bring(self, route: str, message: Message, signature: Signature, agent: str | None = None) -> Brought:
        """Sends a signed message and waits for its block.

        Args:
            route: `orders`, `cancels`, `agents`, `deposits`, `withdrawals` or `ratings`.
            agent: address of the agent key that signed for the account.
        Raises:
            MarketError: the market would refuse it, or did.
            BridgeRefused: the bridge would not take it. BridgeAway: it does not answer, or no block came in time.
        """
        body: dict[str, Any] = {"message": message.to_json(), "signature": _hex(signature)}
        if agent is not None:
            body["agent"] = agent
        return self._wait("acts", self._ask("POST", route, body))

    def bring_reports(self, signed: Sequence[SignedReport]) -> list[Brought]:
        """Sends signed reports and waits for the block of each; raises as `bring` does."""
        results: list[dict[str, Any]] = []
        for start in range(0, len(signed), MAX_READINGS):
            bodies = [_to_reading(entry) for entry in signed[start : start + MAX_READINGS]]
            results += self._ask("POST", "readings", {"readings": bodies})["results"]
        for result in results:
            if result["status"] == "refused":
                raise _to_error(str(result["reason"]), str(result["detail"]))
        return [self._wait("readings", result) for result in results]

    def _wait(self, route: str, known: dict[str, Any]) -> Brought:
        until = time.monotonic() + self._patience_s
        while True:
            state = self._ask("GET", f"{route}/{known['digest']}")
            status = state["status"]
            if status in DONE and state.get("transaction"):
                return Brought(str(state["digest"]), str(state["transaction"]))
            if status not in (*WAITING, *DONE):
                text = state.get("detail") or f"the bridge says {status}: {state.get('reason')}"
                raise _to_error(str(state.get("reason")), str(text))
            if time.monotonic() > until:
                raise BridgeAway(
                    f"the bridge at {self.url} has it ({status}), but no block does after {self._patience_s:g} s; "
                    "it goes on by itself, look again later"
                )
            time.sleep(PAUSE_S)

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        url = f"{self.url}/v1/{path}"
        try:
            answer = self._http.request(method, url, json=body, timeout=TIMEOUT_S)
            content = answer.json()
        except requests.RequestException as error:
            raise BridgeAway(
                f"the bridge at {self.url} does not answer ({type(error).__name__}); try again, or go to the chain "
                "directly with: --bridge none"
            ) from None
        if not isinstance(content, dict):
            raise BridgeAway(f"{self.url} answers, but not as a bridge does; check the address")
        if answer.ok:
            return content
        text = str(content.get("detail") or f"it answers {answer.status_code}")
        if answer.status_code >= 500:
            raise BridgeAway(f"the bridge at {self.url} can't do it now: {text}")
        raise _to_error(str(content.get("type", "")).rpartition("/")[2], text)


@cache
def _refusals() -> dict[str, type[MarketError]]:
    found = (value for value in vars(exceptions).values() if isinstance(value, type))
    return {value.problem: value for value in found if issubclass(value, MarketError)}


def _to_error(slug: str, text: str) -> Exception:
    """The client's own exception of a problem, with the bridge's words."""
    kind = _refusals().get(slug)
    return BridgeRefused(f"the bridge would not take it: {text}") if kind is None else kind(text)


def _to_reading(entry: SignedReport) -> dict[str, Any]:
    report = entry.report
    return {
        "meter": report.meter,
        "register": CODES[report.side],
        "unit": "Wh",
        "first_window": report.first_window,
        "values": [str(register_wh) for register_wh in report.registers],
        "signature": _hex(entry.signature),
    }


def _hex(signature: Signature) -> str:
    return f"0x{signature.to_bytes().hex()}"
