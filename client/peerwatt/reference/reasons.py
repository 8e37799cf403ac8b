"""Why an act is refused: one string for each cause, and a code for those that can hit an item of a relay."""

from __future__ import annotations

# Codes of docs/contract.md, "Checks of an order", "of a cancel", "of a report" and "Due windows".
REASONS: dict[int, str] = {
    1: "offers: paused",
    2: "offers: market closed",
    3: "offers: bad side",
    4: "participants: not enrolled",
    5: "meters: not the bound meter",
    6: "signing: bad signature",
    7: "participants: agent not authorised",
    8: "participants: over the agent's caps",
    9: "offers: energy out of bounds",
    10: "offers: windows reversed",
    11: "offers: gate closed",
    12: "offers: beyond the horizon",
    13: "offers: nonce used",
    14: "offers: slot in use",
    15: "offers: window taken",
    16: "participants: status forbids",
    17: "meters: reading too old",
    18: "meters: over the envelope",
    19: "offers: no price level",
    20: "wallets: not enough free money",
    21: "offers: cancel expired",
    22: "offers: nothing to cancel",
    23: "meters: report too long",
    24: "meters: bad side",
    25: "meters: register overflow",
    26: "meters: window not ended",
    27: "meters: window not cleared",
    28: "meters: reading not newer",
    29: "meters: opening differs",
    30: "meters: register decreases",
    31: "meters: starts after an open window",
    32: "settlement: wrong order hint",
    33: "settlement: wrong side",
    34: "settlement: nothing due",
}

CODES: dict[str, int] = {reason: code for code, reason in REASONS.items()}

# What only a direct act, the registry or a deployment can meet.
DIRECT: frozenset[str] = frozenset(
    {
        "auction: already announced",
        "auction: clear first",
        "auction: market closed",
        "auction: no notice",
        "auction: nothing open",
        "auction: nothing to clear",
        "auction: notice too young",
        "enrolment: already enrolled",
        "enrolment: bad meter",
        "enrolment: class not accepted",
        "enrolment: class out of bounds",
        "enrolment: connection taken",
        "enrolment: market full",
        "enrolment: message expired",
        "enrolment: meter bound before",
        "enrolment: no such connection",
        "enrolment: not enrolled",
        "enrolment: not the old meter",
        "enrolment: register overflow",
        "enrolment: senseless terms",
        "market: senseless parameter",
        "participants: bad agent",
        "participants: message expired",
        "participants: nonce used",
        "participants: only the registry",
        "participants: open windows",
        "registry: paused",
        "registry: senseless parameter",
        "relay: unknown item",
        "roles: bad role",
        "roles: not offered",
        "roles: not the holder",
        "roles: not the operator",
        "roles: not the regulator",
        "tariffs: bad table",
        "tariffs: fee out of bounds",
        "tariffs: imbalance out of bounds",
        "tariffs: imbalance too low",
        "tariffs: no such class",
        "tariffs: no such feeder",
        "tariffs: no version left",
        "tariffs: retail above imbalance",
        "tariffs: scale out of bounds",
        "tariffs: too soon",
        "wallets: bad permit",
        "wallets: bad recipient",
        "wallets: balance too large",
        "wallets: message expired",
        "wallets: nonce used",
        "wallets: nothing received",
        "wallets: transfer failed",
        "wallets: zero amount",
    }
)


class Refused(Exception):
    """An act that the market refuses and that left no trace.

    Attributes:
        reason: the contract's revert string, "<module>: <fact>".
        code: the reason code of a skipped item; None for reasons that only direct acts meet.
    """

    def __init__(self, reason: str) -> None:
        if reason not in CODES and reason not in DIRECT:
            raise ValueError(f"{reason!r} is no reason of the market: add it to the table first")
        super().__init__(reason)
        self.reason = reason
        self.code: int | None = CODES.get(reason)


def require(fact: bool, reason: str) -> None:
    """Goes on if the fact holds.

    Raises:
        Refused: it does not.
    """
    if not fact:
        raise Refused(reason)
