"""Every error of peerwatt: one class for each revert string, and what is refused before signing.

`REASONS` maps a revert string to its class, `CODES` a reason code of `ItemSkipped`.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

from .refusals import money, registry, trading
from .refusals.base import MarketError
from .refusals.money import *  # noqa: F403
from .refusals.registry import *  # noqa: F403
from .refusals.trading import *  # noqa: F403


class BadAmount(MarketError, ValueError):
    problem = "bad-amount"
    fact = "the text is not an amount with a unit"
    next_step = "write it like '2.5 kWh', '95 NGN/kWh' or '456.00 NGN'"


class OffGrid(MarketError, ValueError):
    problem = "off-grid"
    fact = "the price is not a level of the market's price grid"
    next_step = "choose one of the two nearest levels"


class BadMessage(MarketError, ValueError):
    problem = "bad-message"
    fact = "a field of the message can't be signed"
    next_step = "give every field the type and range of its signed type"


class MalformedSignature(MarketError, ValueError):
    problem = "malformed-signature"
    fact = "the bytes are no signature that the market accepts"
    next_step = "sign again; give 65 bytes r, s, v or the 64 bytes of EIP-2098, with the low s"


class BadKey(MarketError, ValueError):
    problem = "bad-key"
    fact = "the private key is not 32 bytes that name a key of secp256k1"
    next_step = "give the key as 32 bytes or as 0x-prefixed hex"


class BadWord(MarketError, ValueError):
    problem = "bad-word"
    fact = "the value does not fit the packed word"
    next_step = "compare the field's type and range with docs/contract.md"


class BadMeterRequest(MarketError, ValueError):
    problem = "bad-meter-request"
    fact = "the request is not signed by the meter that it names"
    next_step = "sign method, path, time and body with the meter's key"


class MeterRequestExpired(BadMeterRequest):
    problem = "meter-request-expired"
    fact = "the time of the meter's request is too far from the time here"
    next_step = "set the meter's clock and sign again"


def _refusals() -> Iterator[type[MarketError]]:
    for module in (trading, money, registry):
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, MarketError) and value is not MarketError:
                yield value


REASONS = MappingProxyType({refusal.reason: refusal for refusal in _refusals() if refusal.reason is not None})
CODES = MappingProxyType({refusal.code: refusal for refusal in _refusals() if refusal.code is not None})


def from_reason(reason: str, **context: Any) -> MarketError:
    """The exception of a revert string.

    Args:
        reason: the contract's string, `"<module>: <fact>"`.
        context: values to name in its message.
    Raises:
        KeyError: the contracts never revert with this string.
    """
    try:
        refusal = REASONS[reason]
    except KeyError:
        raise KeyError(f"no contract of peerwatt reverts with {reason!r}") from None
    return refusal(**context)


def from_code(code: int, **context: Any) -> MarketError:
    """The exception of a relay's reason code, as `ItemSkipped` logs it.

    Args:
        code: 1 to 34.
        context: values to name in its message.
    Raises:
        KeyError: no such code.
    """
    try:
        refusal = CODES[code]
    except KeyError:
        raise KeyError(f"the market has no reason code {code}") from None
    return refusal(**context)
