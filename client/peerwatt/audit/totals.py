"""Sums over a whole market, from the replay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from peerwatt.audit.replay import Replay
from peerwatt.audit.report import Totals
from peerwatt.reference.values import BUY


def add_up(replay: Replay, transactions: int, delivered_wh_by_class: Mapping[str, int], given: int) -> Totals:
    """What happened in the market up to the audited block.

    Args:
        transactions: how many were replayed.
        delivered_wh_by_class: [Wh].
        given: tokens that came without a deposit [base units].
    """
    market = replay.market
    sales = [entry for entry in market.ledger if entry.order.side != BUY]
    events = Counter(event.name for event in (*market.log, *replay.registry.log))
    delivered_wh = sum(entry.delivered_wh for entry in sales)
    sold_wh = sum(entry.fill_wh for entry in sales)
    moved = {name: 0 for name in ("Deposited", "Withdrawn", "balancing", "network")}
    for event in market.log:
        if event.name in ("Deposited", "Withdrawn"):
            moved[event.name] += int(str(event.values["amount"]))
        elif event.name == "FundsCredited":
            moved["balancing"] += int(str(event.values["balancing"]))
            moved["network"] += int(str(event.values["network"]))
    return Totals(
        transactions=transactions,
        signatures=replay.acts.signatures,
        calls=dict(sorted(replay.counts.items())),
        events=dict(sorted(events.items())),
        participant_windows=len(market.ledger),
        windows=len(market.results),
        participants=replay.registry.participants,
        sold_wh=sold_wh,
        delivered_wh=delivered_wh,
        shortfall_wh=sold_wh - delivered_wh,
        rounding_wh=sum(market.rounding_wh.values()),
        delivered_wh_by_meter_class=dict(sorted(delivered_wh_by_class.items())),
        paid=sum(entry.payment.paid for entry in market.ledger),
        received=sum(entry.payment.received for entry in market.ledger),
        balancing=moved["balancing"],
        network=moved["network"],
        deposited=moved["Deposited"],
        withdrawn=moved["Withdrawn"],
        tokens=market.token_balance,
        given=given,
    )
