"""Honest markets of several seeds, parameters and sizes raise no alarm; what nobody saw leaves an audit incomplete."""

from __future__ import annotations

import os

import pytest

from audit.lives import Lived, live, tracing
from audit.onchain import audit
from peerwatt.audit.report import Report
from peerwatt.audit.transport import Transport

FUZZ = int(os.environ.get("PEERWATT_FUZZ") or 0)
# Seed and acts; the seed also says which parameters the market has.
SHORT = ((0, 60), (1, 60), (2, 30), (3, 120))
THROUGH_A_CONTRACT = ((4, 60), (7, 80))
# `make fuzz SIZE=n`: lives with as many acts in all.
ACTS = 400
LONG = tuple((seed, ACTS) for seed in range(10, 10 + FUZZ // ACTS // 2))


def check(lived: Lived, transport: Transport) -> Report:
    report = audit(lived.twin.manifest, transport)
    assert report.divergence is None
    assert [check.name for check in report.checks if check.status == "violated"] == []
    return report


@pytest.mark.fuzz
@pytest.mark.parametrize(("seed", "acts"), SHORT + LONG)
def test_audit__honest_life__holds(seed: int, acts: int) -> None:
    lived = live(seed, acts)
    report = check(lived, lived.twin.chain.transport())
    assert (report.verdict, report.exit_code) == ("holds", 0)
    assert report.totals.signatures > 20 and report.totals.participants


def test_audit__honest_life_twice__same_digest() -> None:
    reports = [check(one, one.twin.chain.transport()) for one in (live(5, 10), live(5, 10))]
    assert reports[0].digest == reports[1].digest


@pytest.mark.fuzz
@pytest.mark.parametrize(("seed", "acts"), THROUGH_A_CONTRACT + LONG)
def test_audit__honest_life_through_a_contract__incomplete_without_traces_holds_with_them(
    seed: int, acts: int
) -> None:
    lived = live(seed, acts, forwarding=True)
    honest = lived.twin.chain.transport()
    unseen = check(lived, honest)
    assert (unseen.verdict, unseen.exit_code) == ("incomplete", 3)
    assert unseen.unchecked_count > 10
    assert [one.name for one in unseen.checks if one.status != "holds"] == ["signatures"]
    seen = check(lived, tracing(honest, lived.forwarder))
    assert (seen.verdict, seen.exit_code, seen.unchecked_count) == ("holds", 0, 0)
    assert seen.totals.signatures > unseen.totals.signatures
    assert (seen.totals.paid, seen.totals.events) == (unseen.totals.paid, unseen.totals.events)
