"""What a call must have asked, told from its logs: for calls that went through another contract and left no trace.

Everything but signatures and senders is still checked: the reference does the act, and must log the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from peerwatt.audit.acts import Acts
from peerwatt.audit.encoding import event_name, read_event
from peerwatt.audit.history import Log
from peerwatt.market import words
from peerwatt.market.relay_words import unpack_growths
from peerwatt.reference import (
    CancelItem,
    CancelMessage,
    DueItem,
    Enrolment,
    Item,
    MeterSwap,
    OrderItem,
    OrderMessage,
    ReportItem,
    ReportMessage,
    Terms,
)
from peerwatt.reference.acts import do_item
from peerwatt.reference.participants import Agent
from peerwatt.reference.roles import OPERATOR, REGULATOR
from peerwatt.reference.settlement import Funds, credit_funds
from peerwatt.reference.tariffs import Tables

# What was accepted was not expired.
NO_DEADLINE = 2**64 - 1
Values = dict[str, Any]


class CannotTell(ValueError):
    """The logs tell too little of the call that caused them."""


def infer(acts: Acts, logs: Sequence[Log], now_s: int) -> None:
    """Does what the logs of one transaction tell.

    Raises:
        Refused: the contracts must not have accepted it.
        CannotTell: the logs of no act.
    """
    events = [(event_name(log.topics[0]), read_event(log)) for log in logs if log.topics]
    funds, revoking, cleared = Funds(), "", False
    for at, (name, values) in enumerate(events):
        if name in _CLEARING:
            # The logs of a clear follow one another; its jump is the last.
            if not cleared:
                _clear(acts, now_s, events[at:])
            cleared = name == "WindowCleared"
            continue
        cleared = False
        if name == "OrderCancelled" and values["account"] == revoking:
            continue
        if name in _ITEMS:
            do_item(acts.market, now_s, _ITEMS[name](acts, values), funds)
        elif name == "ItemSkipped":
            acts.market.emit(name, **values)
        elif name == "FundsCredited":
            # The items of a relay share it, and it is the relay's last log.
            credit_funds(acts.market, funds)
            funds = Funds()
        elif name in _ACTS:
            _ACTS[name](acts, now_s, values, events)
        elif name not in _CONSEQUENCES:
            raise CannotTell(f"{name} is the log of no act")
        # Its orders are cut between these two.
        if name == "Revoked":
            revoking = values["account"]
        elif name == "ParticipantRevoked":
            revoking = ""
    credit_funds(acts.market, funds)


def _order(acts: Acts, values: Values) -> Item:
    order, account = words.OrderWord.decode(values["order"]), values["account"]
    message = OrderMessage(
        maker=account,
        meter=acts.market.device(account).meter,
        side=order.side,
        first_window=order.first,
        last_window=order.first + order.count - 1,
        energy_wh=order.energy_wh,
        limit_level=order.limit_level,
        nonce=order.nonce,
    )
    return OrderItem(message, account)


def _cancel(acts: Acts, values: Values) -> Item:
    order, account = words.OrderWord.decode(values["order"]), values["account"]
    slot = max(order.nonce, order.burnt) & 15
    if order.burnt != acts.market.order(account, slot).burnt:
        return CancelItem(CancelMessage(account, order.burnt, 0, NO_DEADLINE), account)
    return CancelItem(CancelMessage(account, order.nonce, order.first + order.count, NO_DEADLINE), account)


def _report(acts: Acts, values: Values) -> Item:
    account, report = values["account"], values["report"]
    first, n, side, closing_wh = report & 2**32 - 1, report >> 32 & 255, report >> 40 & 255, report >> 48 & 2**48 - 1
    growths = unpack_growths(values["growths"], n)
    message = ReportMessage(side, first, closing_wh - sum(growths), growths)
    return ReportItem(account, message, acts.market.hints(account), acts.market.export_register(account).meter)


def _due(acts: Acts, values: Values) -> Item:
    return DueItem(values["account"], acts.market.hints(values["account"]), values["windows"] >> 64)


_ITEMS: dict[str, Callable[[Acts, Values], Item]] = {
    "OrderPlaced": _order,
    "OrderCancelled": _cancel,
    "ReportSettled": _report,
    "DueSettled": _due,
}
Events = Sequence[tuple[str, Values]]


def _clear(acts: Acts, now_s: int, events: Events) -> None:
    """The clear, or several, whose logs come first."""
    last = 0
    for name, values in events:
        if name not in _CLEARING:
            break
        last = values["window"]
        if name == "BookJumped":
            break
    market = acts.market
    market.clear(now_s, last - market.book_state.cleared)
    while market.book_state.cleared < last:
        market.clear(now_s, last - market.book_state.cleared)


def _deposit(acts: Acts, now_s: int, values: Values, events: Events) -> None:
    acts.market.deposit(now_s, values["account"], values["amount"])


def _withdraw(acts: Acts, now_s: int, values: Values, events: Events) -> None:
    acts.market.withdraw(now_s, values["account"], values["amount"], values["recipient"])
    # It may have been signed, and have used up a nonce.
    acts.unsure_nonces.add(values["account"])


def _bound(events: Events, account: str) -> tuple[Terms, tuple[int, int]]:
    """Terms and registers (import, export) that an enrolment or a swap bound."""
    values = next(
        values for name, values in events if name == "ParticipantBound" and values["account"] == account
    )
    exports, imports = words.ExportsWord.decode(values["exports"]), words.ImportsWord.decode(values["imports"])
    return _terms(values["device"]), (imports.register_wh, exports.register_wh)


def _terms(word: int) -> Terms:
    device = words.DeviceWord.decode(word)
    return Terms(
        device.import_limit_wh,
        device.export_limit_wh,
        device.feeder,
        device.status,
        device.meter_class,
        device.retail_class,
    )


def _enrol(acts: Acts, now_s: int, values: Values, events: Events) -> None:
    account, meter = values["account"], values["meter"]
    terms, registers = _bound(events, account)
    message = Enrolment(account, meter, *registers, NO_DEADLINE)
    operator = acts.registry.holders[OPERATOR]
    acts.registry.enrol(now_s, operator, values["connection"], terms, message, account, meter)


def _swap(acts: Acts, now_s: int, values: Values, events: Events) -> None:
    account, meter = values["account"], values["new_meter"]
    terms, registers = _bound(events, account)
    swap = MeterSwap(account, values["old_meter"], meter, *registers, NO_DEADLINE)
    acts.registry.swap_meter(now_s, acts.registry.holders[OPERATOR], swap, terms.meter_class, account, meter)


def _set_terms(acts: Acts, now_s: int, values: Values, events: Events) -> None:
    operator = acts.registry.holders[OPERATOR]
    acts.registry.set_terms(now_s, operator, values["account"], _terms(values["device"]))


def _move_out(acts: Acts, now_s: int, values: Values, events: Events) -> None:
    acts.registry.move_out(now_s, acts.registry.holders[OPERATOR], values["connection"])


def _revoke(acts: Acts, now_s: int, values: Values, events: Events) -> None:
    acts.registry.revoke(now_s, acts.registry.holders[OPERATOR], values["connection"])


def _feeder(acts: Acts, now_s: int, values: Values, events: Events) -> None:
    feeder, word = values["feeder"], words.FeederWord.decode(values["feeder_word"])
    known = acts.market.feeders.get(feeder)
    if word.fee_per_wh != (known.fee_per_wh if known else 0):
        acts.registry.set_feeder_fee(now_s, acts.registry.holders[REGULATOR], feeder, word.fee_per_wh)
    else:
        scales = (word.import_scale_bps, word.export_scale_bps)
        acts.registry.set_feeder_scale(now_s, acts.registry.holders[OPERATOR], feeder, *scales)


def _tariff(acts: Acts, now_s: int, values: Values, events: Events) -> None:
    head = words.TariffHeadWord.decode(values["head"])
    steps = head.next_imbalance_steps if head.next_from else head.imbalance_steps
    rows = (words.TableWord.decode(values[name]).bands for name in ("surcharges", "haircuts", "rebates"))
    acts.registry.publish_tariff(now_s, acts.registry.holders[REGULATOR], steps, Tables(*rows))


def _retail(acts: Acts, now_s: int, values: Values, events: Events) -> None:
    regulator = acts.registry.holders[REGULATOR]
    acts.registry.set_retail(now_s, regulator, values["retail_class"], values["price_per_wh"])


def _classes(acts: Acts, now_s: int, values: Values, events: Events) -> None:
    acts.registry.accept_classes(now_s, acts.registry.holders[REGULATOR], values["bitmap"])


def _pause(acts: Acts, now_s: int, values: Values, events: Events) -> None:
    acts.registry.set_paused(now_s, acts.registry.holders[REGULATOR], values["paused"])


def _offer_role(acts: Acts, now_s: int, values: Values, events: Events) -> None:
    acts.registry.offer_role(now_s, values["holder"], values["role"], values["to"])


def _accept_role(acts: Acts, now_s: int, values: Values, events: Events) -> None:
    acts.registry.accept_role(now_s, values["holder"], values["role"])


def _authorise(acts: Acts, now_s: int, values: Values, events: Events) -> None:
    word = words.AgentWord.decode(values["agent_word"])
    mandate = Agent(word.expiry, word.max_buy_level, word.min_sell_level, word.max_reserve)
    acts.registry.authorise(now_s, values["account"], values["agent"], mandate)


def _rate(acts: Acts, now_s: int, values: Values, events: Events) -> None:
    acts.registry.rate(now_s, values["account"], values["rated"])


def _consent(acts: Acts, now_s: int, values: Values, events: Events) -> None:
    acts.consent(now_s, values["account"], values["digest"])


def _announce(acts: Acts, now_s: int, values: Values, events: Events) -> None:
    acts.registry.announce_wind_down(now_s)


def _wind_down(acts: Acts, now_s: int, values: Values, events: Events) -> None:
    acts.registry.wind_down(now_s)


_ACTS: dict[str, Callable[[Acts, int, Values, Events], None]] = {
    "Deposited": _deposit,
    "Withdrawn": _withdraw,
    "Enrolled": _enrol,
    "MeterSwapped": _swap,
    "DeviceSet": _set_terms,
    "MovedOut": _move_out,
    "Revoked": _revoke,
    "FeederSet": _feeder,
    "TariffSet": _tariff,
    "RetailSet": _retail,
    "ClassesAccepted": _classes,
    "Paused": _pause,
    "RoleOffered": _offer_role,
    "RoleAccepted": _accept_role,
    "AgentSet": _authorise,
    "RatedSet": _rate,
    "Consented": _consent,
    "WindDownAnnounced": _announce,
    "BookClosed": _wind_down,
}
# Logged by acts that have a log of their own.
_CONSEQUENCES = frozenset({"ParticipantBound", "ParticipantRevoked", "FundAccountsSet", "WindowClosed"})
_CLEARING = ("WindowCleared", "BookJumped")
