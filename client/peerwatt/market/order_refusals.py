"""Why the market would refuse an order, with the values of the case: fact, values, next step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from peerwatt.exceptions import SlotInUse, from_reason
from peerwatt.market.clock import MarketClock
from peerwatt.market.durations import format_duration
from peerwatt.market.mirror import Mirror
from peerwatt.market.words import OFF, OrderWord
from peerwatt.reference import offers, participants, tariffs
from peerwatt.refusals.base import MarketError
from peerwatt.signing import BUY, Order
from peerwatt.units import LEVELS, PriceGrid, format_energy, format_money, format_price, format_share, format_unit_price


@dataclass(frozen=True)
class Case:
    """An order that was refused, and the account as it is.

    Attributes:
        account: in lower case, as the model has it.
        order: None before there is one.
        agent, signer: as in `orders.judge`.
    """

    mirror: Mirror
    clock: MarketClock
    grid: PriceGrid
    account: str
    order: Order | None = None
    agent: str | None = None
    signer: str | None = None

    def explain(self, reason: str) -> MarketError:
        """The exception of a reason. What needs no values is said in the words of its class."""
        refusal = from_reason(reason)
        if reason == "participants: not enrolled":
            return type(refusal)(
                f"{self.mirror.state.address} has no meter in this market, or was revoked; {refusal.next_step}",
                account=self.mirror.state.address,
            )
        write = self._WORDS.get(reason)
        if write is None or self.order is None:
            return refusal
        return type(refusal)(write(self, self.order))

    def _bad_signature(self, order: Order) -> str:
        expected = self.agent or order.maker
        if order.meter != self.mirror.state.device.meter:
            return (
                f"the order names meter {order.meter}, and {self.mirror.state.device.meter} is bound to the account; "
                "build it again and sign that"
            )
        return (
            f"the signature is of {self.signer}, not of {expected}: another key signed, or other fields; "
            "sign exactly this order with the right key"
        )

    def _agent_not_authorised(self, order: Order) -> str:
        assert self.agent is not None
        mandate = participants.get_agent(self.mirror.market, self.account, self.agent.lower())
        fact = f"ended {self.clock.format_time(mandate.expiry)}" if mandate.expiry else "was never given or was revoked"
        return (
            f"the authority of agent {self.agent} for {order.maker} {fact}; "
            "have the account run: peerwatt wallet authorise, or sign with the account itself"
        )

    def _over_caps(self, order: Order) -> str:
        assert self.agent is not None
        mandate = participants.get_agent(self.mirror.market, self.account, self.agent.lower())
        limit = format_price(order.limit_level, self.grid)
        wider = "stay within it, or have the account authorise more"
        if order.side == BUY and order.limit_level > mandate.max_buy_level:
            most = format_price(mandate.max_buy_level, self.grid)
            return f"the agent may buy at {most} or less, {limit} is asked; {wider}"
        if order.side != BUY and order.limit_level < mandate.min_sell_level:
            least = format_price(mandate.min_sell_level, self.grid)
            return f"the agent may sell at {least} or more, {limit} is asked; {wider}"
        reserved = self.mirror.state.wallet.reserved
        after = format_money(reserved + self._reserve(order), self.grid)
        most = format_money(mandate.max_reserve, self.grid)
        return f"the account would have {after} reserved, the agent may go up to {most}; {wider}"

    def _energy(self, order: Order) -> str:
        least, most = self.mirror.market.parameters.min_order_wh, offers.MAX_ENERGY_WH - 1
        return (
            f"{format_energy(order.energy_wh)} in each window is out of bounds; "
            f"choose {format_energy(least)} to {format_energy(most)}"
        )

    def _reversed(self, order: Order) -> str:
        first, last = (self.clock.format_window(window) for window in (order.first_window, order.last_window))
        return f"the first window {first} is after the last one {last}; exchange them"

    def _gate_closed(self, order: Order) -> str:
        clock, last, open_window = self.clock, order.last_window, self.clock.next_open
        what = clock.format_window(last)
        if order.first_window != last:
            what = f"the last window, {what},"
        closes = clock.gate_s(open_window)
        return (
            f"the gate of {what} closed at {clock.format_time(clock.gate_s(last))}; the next open window is "
            f"{clock.format_window(open_window)}, its gate closes at {clock.format_time(closes)}, "
            f"in {format_duration(closes - clock.now_s)}"
        )

    def _beyond_horizon(self, order: Order) -> str:
        settled = offers.get_calendar(self.mirror.market, self.account).moved_up(self.mirror.market.cleared).settled
        last = min(self.mirror.market.cleared + offers.HORIZON - 1, settled + offers.CALENDAR_WINDOWS)
        ends = [self.clock.format_time(self.clock.end_s(window)) for window in (order.last_window, last)]
        return (
            f"the order ends at {ends[0]}, and this account can order up to {ends[1]} now; choose an earlier end, "
            "or have overdue windows cleared and settled first"
        )

    def _nonce_used(self, order: Order) -> str:
        previous = self.mirror.state.orders[order.slot]
        return (
            f"nonce {order.nonce} is not above {max(previous.nonce, previous.burnt)}, the last one of its slot; "
            f"{self._free_nonce()}"
        )

    def _slot_in_use(self, order: Order) -> str:
        previous = self.mirror.state.orders[order.slot]
        return (
            f"slot {order.slot} of nonce {order.nonce} holds order {previous.nonce}, "
            f"{self._span(previous)}, which is not settled; {self._free_nonce()}"
        )

    def _free_nonce(self) -> str:
        try:
            return f"take {self.mirror.state.next_nonce(self.mirror.book)}, or leave the nonce out"
        except SlotInUse as error:
            return str(error)

    def _window_taken(self, order: Order) -> str:
        first = max(order.first_window, self.clock.next_open)
        taken = next(window for window in self.mirror.state.open_windows if first <= window <= order.last_window)
        slot = self.mirror.state.slot_of(taken)
        assert slot is not None
        other = self.mirror.state.orders[slot]
        return (
            f"order {other.nonce} of this account covers {self._span(other)}; choose other windows, "
            f"or cancel it first: peerwatt cancel {other.nonce}"
        )

    def _span(self, order: OrderWord) -> str:
        return self.clock.format_span(order.first, order.first + order.count - 1)

    def _status(self, order: Order) -> str:
        may = "is switched off" if self.mirror.state.device.status == OFF else "may only consume"
        act = "buy" if order.side == BUY else "sell"
        return f"the connection {may}, so it cannot {act}; ask the operator to change its status"

    def _reading(self, order: Order) -> str:
        read_s = self.clock.start_s(self.mirror.state.exports.window)
        most_s = self.mirror.market.parameters.max_reading_age_seconds
        return (
            f"the export register was last read {self.clock.format_time(read_s)}, "
            f"{format_duration(self.clock.now_s - read_s)} ago; a seller's may be {format_duration(most_s)} old; "
            "send a fresh report first: peerwatt meter report"
        )

    def _envelope(self, order: Order) -> str:
        device, market = self.mirror.state.device, self.mirror.market
        limit_wh = device.import_limit_wh if order.side == BUY else device.export_limit_wh
        feeder = market.feeders.get(device.feeder, tariffs.Feeder())
        scale = feeder.import_scale_bps if order.side == BUY else feeder.export_scale_bps
        allowed_wh = tariffs.scaled_limit(market, device.feeder, order.side, limit_wh)
        return (
            f"over the envelope: {format_energy(order.energy_wh)} asked, {format_energy(allowed_wh)} allowed "
            f"(limit {format_energy(limit_wh)} x feeder scale {format_share(scale)}); choose less in each window"
        )

    def _no_level(self, order: Order) -> str:
        terms = offers.get_terms(self.mirror.market, self.clock.now_s, self.account, order.side)
        limit = format_price(order.limit_level, self.grid)
        parameters = self.mirror.market.parameters
        good = [level for level in range(LEVELS) if terms.effective_level(parameters, level) is not None]
        if order.side == BUY:
            fee = format_unit_price(terms.fee_per_wh, self.grid)
            costs, better = f"{format_share(terms.adjustment_bps)} surcharge and {fee} network fee", "bid at least"
        else:
            costs, better = f"{format_share(terms.adjustment_bps)} haircut", "offer at most at"
        way_out = "wait for another tariff"
        if good:
            way_out = f"{better} {format_price(good[0] if order.side == BUY else good[-1], self.grid)}"
        return f"no price of the grid keeps {limit} after {costs}; {way_out}"

    def _money(self, order: Order) -> str:
        needed, free = self._reserve(order), self.mirror.state.wallet.free
        amounts = [format_money(amount, self.grid) for amount in (needed, free, needed - free)]
        return f"not enough free money: {amounts[0]} needed, {amounts[1]} free; deposit {amounts[2]} more"

    def _reserve(self, order: Order) -> int:
        market = self.mirror.market
        terms = offers.get_terms(market, self.clock.now_s, self.account, order.side)
        windows = order.last_window + 1 - max(order.first_window, self.clock.next_open)
        unit = tariffs.unit_reserve(market.parameters, order.side, order.limit_level, terms.imbalance_steps)
        return windows * order.energy_wh * unit

    _WORDS: ClassVar[dict[str, Callable[[Case, Order], str]]] = {
        "signing: bad signature": _bad_signature,
        "participants: agent not authorised": _agent_not_authorised,
        "participants: over the agent's caps": _over_caps,
        "offers: energy out of bounds": _energy,
        "offers: windows reversed": _reversed,
        "offers: gate closed": _gate_closed,
        "offers: beyond the horizon": _beyond_horizon,
        "offers: nonce used": _nonce_used,
        "offers: slot in use": _slot_in_use,
        "offers: window taken": _window_taken,
        "participants: status forbids": _status,
        "meters: reading too old": _reading,
        "meters: over the envelope": _envelope,
        "offers: no price level": _no_level,
        "wallets: not enough free money": _money,
    }
