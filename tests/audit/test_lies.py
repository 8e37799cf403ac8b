"""An honest market of which a lying node tells, or a forged manifest: each lie is caught, none passes."""

from __future__ import annotations

from functools import cache

import pytest

from audit.lies import LIES
from audit.onchain import audit
from audit.script import script
from audit.tampering import REPLAY, Liar, Scene, Tampering
from peerwatt.audit import source
from peerwatt.audit.report import Report
from twin import STRANGER

VERDICTS = {0: "holds", 1: "violated", 3: "incomplete"}
CAUGHT_AT_LEAST = 25


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that contradicts itself is asked again, at once."""
    monkeypatch.setattr(source, "PAUSE_S", 0.0)


@cache
def scene() -> Scene:
    return Scene(script())


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.name.replace(" ", "_"))
def test_audit__a_lie__caught_where_it_is(lie: Tampering) -> None:
    where = scene()
    honest = where.script
    manifest = lie.forge(where) if lie.forge else honest.manifest
    report = audit(manifest, Liar(honest.chain.transport(), lie.make(where)))
    assert (report.verdict, report.exit_code) == (VERDICTS[lie.exit_code], lie.exit_code)
    expected = lie.tells.format(
        ada=honest.ada.low, chidi=honest.chidi.low, stranger=STRANGER.low, market=honest.manifest.market
    )
    assert expected in told_by(report, lie), told_by(report, lie)
    if lie.at is not None:
        place, found = lie.at(where), report.divergence
        assert found is not None
        assert (found.block, found.transaction, found.log_index) == (place.block, place.transaction, place.index)


def told_by(report: Report, lie: Tampering) -> str:
    """What the check says that has to find the lie, the divergence, or why the audit is incomplete."""
    found = report.divergence
    divergence = f"{found.expected} | {found.found}" if found else ""
    if lie.check in (REPLAY, ""):
        return divergence or "; ".join(report.incomplete)
    (check,) = (check for check in report.checks if check.name == lie.check)
    assert check.status == ("violated" if lie.exit_code == 1 else "unchecked")
    return "; ".join(check.violations) if check.violations else str(check.unchecked)


def test_lies__list__long_enough_and_one_of_each() -> None:
    assert len({lie.name for lie in LIES}) == len(LIES)
    assert sum(lie.exit_code == 1 for lie in LIES) >= CAUGHT_AT_LEAST
