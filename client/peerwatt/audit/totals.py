"""Sums over a whole market, from the replay."""

from __future__ import annotations

from collections.abc import Mapping

from peerwatt.audit.replay import Replay
from peerwatt.audit.report import Totals


def add_up(replay: Replay, transactions: int, delivered_wh_by_class: Mapping[str, int], given: int) -> Totals:
    """What happened in the market up to the audited block.

    Args:
        replay: which has forgotten all of its log and ledger, and so added them up.
        transactions: how many were replayed.
        delivered_wh_by_class: [Wh].
        given: tokens that came without a deposit [base units].
    """
    market = replay.market
    past, tallies = market.past, market.past.accounts.values()
    moved = past.moves.totals
    delivered_wh = sum(tally.delivered_wh for tally in tallies)
    sold_wh = sum(tally.sold_wh for tally in tallies)
    return Totals(
        transactions=transactions,
        signatures=replay.acts.signatures,
        calls=dict(sorted(replay.counts.items())),
        events=dict(sorted((past.events + replay.enlisted).items())),
        participant_windows=sum(tally.lines for tally in tallies),
        windows=past.results + len(market.results),
        participants=replay.registry.participants,
        sold_wh=sold_wh,
        delivered_wh=delivered_wh,
        shortfall_wh=sold_wh - delivered_wh,
        rounding_wh=past.rounding_wh + sum(market.rounding_wh.values()),
        delivered_wh_by_meter_class=dict(sorted(delivered_wh_by_class.items())),
        paid=sum(tally.paid for tally in tallies),
        received=sum(tally.received for tally in tallies),
        balancing=moved["balancing"],
        network=moved["network"],
        deposited=moved["Deposited"],
        withdrawn=moved["Withdrawn"],
        tokens=market.token_balance,
        given=given,
    )
