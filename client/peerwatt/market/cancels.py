"""A cancel before it is signed: which windows it takes back, which stay, and what money it frees."""

from __future__ import annotations

from dataclasses import dataclass

from peerwatt.exceptions import from_reason
from peerwatt.market.clock import MarketClock
from peerwatt.market.mirror import Mirror
from peerwatt.reference import offers
from peerwatt.reference.reasons import Refused
from peerwatt.reference.values import ZERO_ADDRESS
from peerwatt.refusals.base import MarketError
from peerwatt.signing import Cancel

# How long a signed cancel may be relayed [s].
VALID_SECONDS = 3600


@dataclass(frozen=True)
class CancelQuote:
    """What the market would make of a cancel now.

    Attributes:
        cancel: as it is signed.
        agent: the key that signs for the maker, None for the maker itself.
        order: in the slot, as it is before.
        cut: windows that are taken back; none where the nonce is only burnt.
        stay: windows of the order that are still to settle afterwards, in one piece.
        released: money that is free again [base units].
    """

    cancel: Cancel
    agent: str | None
    order: offers.Order
    cut: range
    stay: tuple[int, ...]
    released: int

    @property
    def burns(self) -> bool:
        """Whether no order has the nonce: it only makes sure that none up to it is accepted in its slot any more."""
        return self.cancel.nonce > self.order.nonce


def draft_cancel(mirror: Mirror, clock: MarketClock, nonce: int, from_window: int = 0) -> Cancel:
    """The message of a cancel.

    Args:
        from_window: first window to take back; 0 for all that can be.
    """
    return Cancel(mirror.state.address, nonce, from_window, clock.now_s + VALID_SECONDS)


def judge_cancel(
    mirror: Mirror, clock: MarketClock, cancel: Cancel, *, agent: str | None = None, signer: str | None = None
) -> CancelQuote:
    """What the market would make of a cancel that is relayed now; arguments as of `orders.judge`.

    Raises:
        MarketError: the reason for which the market would refuse it, with its values.
    """
    account, slot = mirror.account, cancel.nonce % offers.SLOTS
    order = offers.get_order(mirror.market, account, slot)
    live = mirror.state.live_windows(slot)
    signed_by = (signer or agent or cancel.maker).lower()
    with mirror.trying() as market:
        try:
            offers.cancel_signed(
                market,
                clock.now_s,
                account,
                cancel.nonce,
                cancel.from_window,
                cancel.deadline,
                (agent or ZERO_ADDRESS).lower(),
                signed_by,
            )
        except Refused as refusal:
            raise _explain(refusal.reason, mirror, clock, cancel, order, live, agent, signer) from None
        after = offers.get_order(market, account, slot)
        reserved = market.wallet(account).reserved
    cut = range(after.first + after.count, order.first + order.count)
    stay = tuple(window for window in live if window not in cut)
    return CancelQuote(cancel, agent, order, cut, stay, mirror.state.wallet.reserved - reserved)


def _explain(
    reason: str,
    mirror: Mirror,
    clock: MarketClock,
    cancel: Cancel,
    order: offers.Order,
    live: list[int],
    agent: str | None,
    signer: str | None,
) -> MarketError:
    refusal = from_reason(reason)
    if reason == "signing: bad signature":
        expected = agent or cancel.maker
        text = f"the signature is of {signer}, not of {expected}; sign exactly this cancel with the right key"
    elif reason == "participants: agent not authorised":
        text = f"agent {agent} may not act for {cancel.maker}, or no longer; sign with the account itself"
    elif reason == "offers: cancel expired":
        text = f"the cancel could be relayed until {clock.format_time(cancel.deadline)}; sign a new one"
    elif cancel.nonce > order.nonce:
        text = f"nonce {cancel.nonce} is cancelled already; nothing is left to do"
    elif cancel.nonce < order.nonce:
        numbers = ", ".join(str(known.nonce) for known in mirror.state.orders if known.count)
        text = f"order {cancel.nonce} is no longer known; known are {numbers}, see: peerwatt orders"
    elif not live:
        text = f"order {cancel.nonce} has no window left that could be cancelled; see: peerwatt orders"
    elif cancel.from_window > live[-1]:
        asked, ends = clock.format_time(clock.start_s(cancel.from_window)), clock.format_time(clock.end_s(live[-1]))
        text = f"order {cancel.nonce} ends at {ends}, before {asked}; choose an earlier window"
    else:
        earliest = clock.format_time(clock.start_s(clock.gated + 2))
        text = (
            f"{clock.format_span(live[0], live[-1])} of order {cancel.nonce} stays: "
            f"a cancel takes back windows from {earliest} on; nothing was sent"
        )
    return type(refusal)(text)
