"""Random lives of contracts and reference: a short campaign always, a long one with `make fuzz SIZE=n`."""

from __future__ import annotations

import os

import pytest

from peerwatt.reference.invariants import INVARIANTS
from stateful import campaign
from stateful.checks import CONTRACT_INVARIANTS, violations
from twin import fresh
from twin.engines import fastest, installed

SHORT_CALLS, SHORT_STEPS = 1_500, 250
# What a campaign must have met to be worth its name.
MILESTONES = (
    "settled seller reported",
    "settled seller defaulted",
    "settled seller revoked",
    "settled seller unfilled",
    "settled buyer taken",
    "settled rated buyer reported",
    "settled rated buyer defaulted",
    "full delivery",
    "shortfall",
    "result no trade",
    "result midpoint",
    "result offers rationed",
    "result bids rationed",
    "windows with rounding Wh",
    "closed books",
    "orders by agents",
    "item OrderItem: done",
    "item CancelItem: done",
    "item ReportItem: done",
    "item DueItem: done",
    "place: done",
    "cancel: done",
    "clear: done",
    "deposit: done",
    "deposit_permit: done",
    "withdraw: done",
    "withdraw_signed: done",
    "enrol: done",
    "enrol_many: done",
    "swap_meter: done",
    "set_terms: done",
    "move_out: done",
    "revoke: done",
    "publish_tariff: done",
    "set_paused: done",
    "offer_role: done",
    "accept_role: done",
    "authorise: done",
    "authorise_signed: done",
    "rate: done",
    "rate_signed: done",
    "announce_wind_down: done",
    "wind_down: done",
)


def missing(done: campaign.Campaign) -> list[str]:
    return [milestone for milestone in MILESTONES if not done.counts[milestone]]


def short(seed: int) -> campaign.Campaign:
    """A short campaign; on both engines where revm is installed, and both must come to the same."""
    done = campaign.run(SHORT_CALLS, seed, steps=SHORT_STEPS)
    if "revm" in installed():
        on_revm = campaign.run_all(SHORT_CALLS, seed, 1, steps=SHORT_STEPS, engine="revm")
        assert on_revm.violations == done.violations
        assert (on_revm.calls, on_revm.lives, on_revm.counts) == (done.calls, done.lives, done.counts)
    return done


@pytest.mark.fuzz
def test_campaign__random_lives__no_violation() -> None:
    calls = int(os.environ.get("PEERWATT_FUZZ") or 0)
    seed = int(os.environ.get("PEERWATT_SEED") or 3)
    jobs = int(os.environ.get("PEERWATT_JOBS") or 1)
    done = campaign.run_all(calls, seed, jobs, engine=fastest()) if calls else short(seed)
    print(f"\n{done}")
    assert done.violations == []
    assert done.calls >= calls
    # What is rare may take some more lives to be met.
    for other in range(1, 5):
        if not missing(done):
            break
        done.counts += campaign.run(SHORT_CALLS, seed + jobs + other, steps=SHORT_STEPS).counts
    assert missing(done) == []


def test_campaign__same_seed__same_lives() -> None:
    first, second = (campaign.run(60, seed=7, steps=40) for _ in range(2))
    assert first.counts == second.counts
    assert first.calls == second.calls


def test_campaign__several_seeds__added_up() -> None:
    parts = [campaign.run(30, seed, steps=10, engine=fastest()) for seed in (7, 8)]
    parts[1].violations.append("found")
    whole = campaign.add_up(parts, 2.0)
    assert whole.counts == parts[0].counts + parts[1].counts
    assert whole.violations == ["found"]
    assert (whole.calls, whole.lives) == (sum(part.calls for part in parts), sum(part.lives for part in parts))
    assert str(whole).startswith(f"seeds 7 to 8: {whole.calls} contract calls in {whole.lives} lives")


def test_campaign__a_wei_taken_from_a_wallet__is_a_violation() -> None:
    with fresh() as twin:
        home = twin.home("alice")
        assert violations(twin, thorough=True) == []
        wallet = twin.market.wallets[home.low]
        twin.market.wallets[home.low] = type(wallet)(wallet.balance - 1, 0, wallet.score, wallet.rated)
        assert [found.partition(":")[0] for found in violations(twin, thorough=True)] == [
            "balances_follow_log",
            "escrow_accounts_for_the_difference",
        ]
        assert twin.differences() != []


def test_promises__names__at_least_fifteen() -> None:
    names = {check.__name__ for check in (*INVARIANTS, *CONTRACT_INVARIANTS)}
    assert len(names) >= 15
