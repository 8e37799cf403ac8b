"""Every market with a mistake is caught, at the right place; the replay needs no look at the code for it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from eth.vm.forks.spurious_dragon import computation

from audit.mistakes_in_money import IN_MONEY
from audit.mistakes_in_trading import IN_TRADING
from audit.mutants import TOKEN, Mutant, compile_mutant
from audit.onchain import Chain, Sent, audit, deploy
from audit.script import Script, script
from peerwatt.audit.readings import Reading, read_log, tell_apart
from peerwatt.audit.report import Report
from peerwatt.market.deployment import Deployment
from twin import BALANCING, OPERATOR, Setup

# Code that was not optimised is larger than a chain takes (EIP-170).
CODE_SIZE = 49_152
CAUGHT_AT_LEAST = 25
MUTANTS = (*IN_MONEY, *IN_TRADING)
# Compiling takes a second; `make fuzz` has the time for those whose like is tried anyway.
TRIED = [mutant for mutant in MUTANTS if not mutant.rare or os.environ.get("PEERWATT_FUZZ")]


@pytest.mark.fuzz
@pytest.mark.parametrize("mutant", TRIED, ids=lambda mutant: mutant.name.replace(" ", "_"))
def test_audit__market_with_a_mistake__caught_where_it_shows(
    mutant: Mutant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(computation, "EIP170_CODE_SIZE_LIMIT", CODE_SIZE)
    honest, chain = script(), Chain()
    manifest = deploy(chain, Setup(), {mutant.contract: compile_mutant(mutant, tmp_path)})
    chain.play(up_to(honest, mutant))
    report = audit(manifest, chain.transport())
    assert (report.verdict, report.exit_code) == ("violated", 1)
    check_code(report, mutant)
    if mutant.check == "replay":
        check_replay(report, mutant, honest, chain)
    else:
        check_named(report, mutant, honest, manifest)


def test_audit__honest_market__holds() -> None:
    honest = script()
    report = audit(honest.manifest, honest.chain.transport())
    assert (report.verdict, report.exit_code, report.divergence) == ("holds", 0, None)


def test_mutants__list__long_enough_and_one_of_each() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    assert sum(not mutant.rare for mutant in MUTANTS) >= CAUGHT_AT_LEAST


def up_to(honest: Script, mutant: Mutant) -> list[Sent]:
    """The script up to the end of the act that shows the mistake; all of it where only the end does."""
    if mutant.check != "replay":
        return honest.chain.sent
    last = max(at for at, one in enumerate(honest.chain.sent) if one.label == mutant.act)
    return honest.chain.sent[: last + 1]


def violations(report: Report, name: str) -> tuple[str, ...]:
    return next(check.violations for check in report.checks if check.name == name)


def check_code(report: Report, mutant: Mutant) -> None:
    """The code is not the shipped one; the token's is anybody's."""
    expected = [mutant.contract] if mutant.contract != TOKEN else []
    assert [found.partition(" at ")[0] for found in violations(report, "code_is_shipped")] == expected


def logs_of(chain: Chain, manifest: Deployment, block: int, index: int) -> list[tuple[int, Reading]]:
    """The contracts' logs of a transaction, with their indices."""
    contracts = (manifest.market.lower(), manifest.registry.lower())
    receipt = chain.node.answer("eth_getBlockReceipts", [hex(block)])[index]
    return [(int(log["logIndex"], 16), read(log)) for log in receipt["logs"] if log["address"].lower() in contracts]


def read(log: dict[str, Any]) -> Reading:
    return read_log([bytes.fromhex(topic[2:]) for topic in log["topics"]], bytes.fromhex(log["data"][2:]))


def place_of(honest: Script, act: str) -> list[tuple[int, int, str]]:
    """Block, index and hash of the transactions of an act."""
    first = honest.manifest.block + 2
    places = []
    for number in range(first, honest.chain.chain.height + 1):
        block = honest.chain.chain.block(number)
        assert block is not None
        for index, transaction in enumerate(block.transactions):
            at = len(places)
            places.append((number, index, f"0x{transaction.hash.hex()}", honest.chain.sent[at].label))
    return [(number, index, hash_) for number, index, hash_, label in places if label == act]


def check_replay(report: Report, mutant: Mutant, honest: Script, chain: Chain) -> None:
    """The first divergence is the first log in the whole script that is not the honest market's."""
    found = report.divergence
    assert found is not None
    block, index, hash_ = next(place for place in place_of(honest, mutant.act) if place[0] == found.block)
    assert found.transaction == hash_
    right, wrong = (logs_of(one, honest.manifest, block, index) for one in (honest.chain, chain))
    if not mutant.log:
        # The honest market refused it.
        assert not right and found.log_index == wrong[0][0]
        assert found.expected == f"refused: {mutant.finds}"
        assert found.found.startswith("accepted, and logged ")
        assert wrong[0][1].describe() in found.found
        return
    at = next(at for at, (one, other) in enumerate(zip(right, wrong, strict=False)) if one != other)
    (_, one), (log_index, other) = right[at], wrong[at]
    assert (one.name, found.log_index) == (mutant.log, log_index)
    assert (found.expected, found.found) == tell_apart(one, other)
    if mutant.differs:
        assert {key for key in one.fields if one.fields[key] != other.fields[key]} == set(mutant.differs)
    else:
        assert one.name != other.name or one.fields != other.fields
    assert violations(report, "replay")


def check_named(report: Report, mutant: Mutant, honest: Script, manifest: Deployment) -> None:
    """No log is wrong, and the replay went through; the named check tells what is."""
    assert not violations(report, "replay")
    people = {"ada": honest.ada.low, "operator": OPERATOR.low, "balancing": BALANCING.low, "chidi": honest.chidi.low}
    expected = {
        mutant.finds.format(block=block, transaction=hash_, market=manifest.market, **people)
        for block, _, hash_ in place_of(honest, mutant.act)
    }
    told = violations(report, mutant.check)
    assert any(found.startswith(tuple(expected)) for found in told), told
