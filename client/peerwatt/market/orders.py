"""An order before it is signed: drafted from what somebody wants, and judged by the market's own rules.

order = draft(mirror, clock, grid, SELL, energy_wh=2500, limit_level=67, first=w, last=w + 7)
quote = judge(mirror, clock, grid, order)
"""

from __future__ import annotations

from dataclasses import dataclass

from peerwatt.market.clock import MarketClock
from peerwatt.market.mirror import Mirror
from peerwatt.market.order_refusals import Case
from peerwatt.reference import offers, tariffs
from peerwatt.reference.messages import OrderMessage
from peerwatt.reference.participants import Device
from peerwatt.reference.reasons import Refused
from peerwatt.reference.values import ZERO_ADDRESS
from peerwatt.signing import Order
from peerwatt.units import PriceGrid


@dataclass(frozen=True)
class Quote:
    """What the market would make of an order now.

    Attributes:
        order: as it is signed.
        agent: the key that signs for the maker, None for the maker itself.
        accepted: what would stand in the order's slot, for the windows still open.
        reserve: that the order sets aside, its worst case [base units].
        unit_reserve: the same for each Wh [base units].
        imbalance_price: what a Wh sold and not delivered costs in all [base units/Wh].
        free_before, free_after: money that can be withdrawn [base units].
    """

    order: Order
    agent: str | None
    accepted: offers.Order
    reserve: int
    unit_reserve: int
    imbalance_price: int
    free_before: int
    free_after: int

    @property
    def first(self) -> int:
        """The first window that is ordered."""
        return self.accepted.first

    @property
    def last(self) -> int:
        """The last one."""
        return self.accepted.last

    @property
    def late_windows(self) -> range:
        """Windows that are signed, but whose gate has closed: the market leaves them out."""
        return range(self.order.first_window, self.first)


def draft(
    mirror: Mirror,
    clock: MarketClock,
    grid: PriceGrid,
    side: int,
    *,
    energy_wh: int,
    limit_level: int,
    first: int,
    last: int,
    nonce: int | None = None,
) -> Order:
    """The message of an order: the account's meter, and a nonce that is free.

    Args:
        side: `BUY` or `SELL`.
        energy_wh: in each window [Wh].
        first, last: windows; the market leaves out those whose gate has closed, unless all have.
        nonce: None for the next free one.
    Raises:
        NotEnrolled: the account has no meter.
        SlotInUse: 16 orders have windows to settle.
        BadMessage: a value that no order can have.
    """
    account = mirror.state.address
    if not mirror.state.enrolled:
        raise Case(mirror, clock, grid, account).explain("participants: not enrolled")
    return Order(
        maker=account,
        meter=mirror.state.device.meter,
        side=side,
        first_window=first,
        last_window=last,
        energy_wh=energy_wh,
        limit_level=limit_level,
        nonce=mirror.state.next_nonce(mirror.book) if nonce is None else nonce,
    )


def judge(
    mirror: Mirror,
    clock: MarketClock,
    grid: PriceGrid,
    order: Order,
    *,
    agent: str | None = None,
    signer: str | None = None,
) -> Quote:
    """What the market would make of an order that is relayed now.

    Args:
        mirror: of the order's maker; of the agent too if there is one.
        agent: the key that signs for the maker.
        signer: who signed; None before signing, when whoever shall sign is taken to have signed.
    Raises:
        MarketError: the reason for which the market would refuse it, with its values.
    """
    account, authority = mirror.account, (agent or order.maker)
    # The market recovers the signer with the meter that it knows: with another one it finds a stranger.
    meter = mirror.market.devices.get(account, Device()).meter
    signed_by = (signer or authority).lower() if order.meter.lower() == meter else ZERO_ADDRESS
    with mirror.trying() as market:
        try:
            offers.place_signed(market, clock.now_s, _to_message(order), (agent or ZERO_ADDRESS).lower(), signed_by)
        except Refused as refusal:
            raise Case(mirror, clock, grid, account, order, agent, signer).explain(refusal.reason) from None
        accepted, wallet = offers.get_order(market, account, order.slot), market.wallet(account)
    before = mirror.state.wallet
    unit_reserve = accepted.unit_reserve(market.parameters)
    return Quote(
        order=order,
        agent=agent,
        accepted=accepted,
        reserve=wallet.reserved - before.reserved,
        unit_reserve=unit_reserve,
        imbalance_price=market.parameters.price(accepted.imbalance_steps),
        free_before=before.free,
        free_after=wallet.free,
    )


def all_in_price(quote: Quote, grid: PriceGrid) -> int:
    """What a Wh costs or brings at the worst price at which the order trades, everything included [base units]."""
    accepted = quote.accepted
    price = grid.price(accepted.effective_level)
    return tariffs.all_in_price(accepted.side, price, accepted.adjustment_bps, accepted.fee_per_wh)


def _to_message(order: Order) -> OrderMessage:
    return OrderMessage(
        order.maker,
        order.meter,
        order.side,
        order.first_window,
        order.last_window,
        order.energy_wh,
        order.limit_level,
        order.nonce,
    )
