"""Storage written by hand, nodes that disagree, and chains that change or end while they are audited."""

from __future__ import annotations

from typing import Any

import pytest
from eth_typing import Address
from eth_utils.crypto import keccak

from audit.onchain import Chain, audit, deploy
from audit.script import script
from audit.tampering import Liar, Scene, in_view, one_more, without
from peerwatt.audit import source
from peerwatt.audit.report import Report
from peerwatt.market.deployment import Deployment
from twin import Setup

# Slots that are tried for the wallets' mapping.
SLOTS = 64
SILENT, LAST, DUE = "silent sellers", "a last withdrawal", "what is due"


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "PAUSE_S", 0.0)


def again(until: str | None = None) -> tuple[Chain, Deployment]:
    """The script's chain once more, up to the beginning of an act."""
    chain = Chain()
    manifest = deploy(chain, Setup())
    sent = script().chain.sent
    labels = [one.label for one in sent]
    chain.play(sent if until is None else sent[: labels.index(until)])
    return chain, manifest


def write_wallet(chain: Chain, manifest: Deployment, account: str, more: int) -> None:
    """Adds to an account's balance, in the storage."""
    market, key = Address(bytes.fromhex(manifest.market[2:])), bytes.fromhex(account[2:]).rjust(32, b"\0")
    state = chain.chain.state("latest")
    places = [int.from_bytes(keccak(slot.to_bytes(32, "big") + key), "big") for slot in range(SLOTS)]
    # Wallets come before all other mappings of accounts.
    place = next(place for place in places if state.get_storage(market, place))
    word = state.get_storage(market, place)
    chain.chain.edit(lambda state: state.set_storage(market, place, word + more))


def named(report: Report, name: str) -> str:
    return "; ".join(next(check.violations for check in report.checks if check.name == name))


def test_audit__balance_written_after_the_last_act__storage_is_violated() -> None:
    chain, manifest = again()
    write_wallet(chain, manifest, script().ada.low, 1)
    chain.mine([], chain.time_s + 1)
    report = audit(manifest, chain.transport())
    assert (report.verdict, report.exit_code) == ("violated", 1)
    assert named(report, "storage").startswith(f"EnergyMarket.wallets({script().ada.low}) is ")
    assert report.divergence is not None
    assert (report.divergence.block, report.divergence.amount) == (chain.chain.height, 1)


def test_audit__balance_written_between_two_acts__next_log_of_it_diverges() -> None:
    chain, manifest = again(SILENT)
    write_wallet(chain, manifest, script().ada.low, 7)
    sent = script().chain.sent
    chain.play(sent[[one.label for one in sent].index(SILENT) :])
    report = audit(manifest, chain.transport())
    found, place = report.divergence, Scene(script()).log("DueSettled", SILENT)
    assert report.exit_code == 1 and found is not None
    assert (found.block, found.transaction, found.log_index) == (place.block, place.transaction, place.index)
    balances = [int(text.rpartition("wallet.balance ")[2]) for text in (found.expected, found.found)]
    assert balances[1] - balances[0] == found.amount == 7


def test_audit__code_written__is_not_the_shipped_one() -> None:
    chain, manifest = again()
    market = Address(bytes.fromhex(manifest.market[2:]))
    code = chain.chain.state("latest").get_code(market)
    chain.chain.edit(lambda state: state.set_code(market, code[:-1] + b"\1"))
    chain.mine([], chain.time_s + 1)
    report = audit(manifest, chain.transport())
    assert report.exit_code == 1
    assert named(report, "code_is_the_manifests").startswith(f"EnergyMarket at {manifest.market} has code hash ")
    assert named(report, "code_is_shipped").startswith(f"EnergyMarket at {manifest.market}")


def test_audit__second_node_changes_a_log__named_as_the_wrong_one() -> None:
    honest, scene = script(), Scene(script())
    place = scene.log("DueSettled", DUE, 1)
    liar = Liar(honest.chain.transport(), one_more(place))
    report = audit(honest.manifest, honest.chain.transport(), second=liar)
    found = report.divergence
    assert report.exit_code == 1 and found is not None
    assert (found.block, found.transaction, found.log_index) == (place.block, place.transaction, place.index)
    assert "a lying node is wrong: the receipts to which the header commits say otherwise" in found.found
    assert "a lying node says" in named(report, "two_nodes")


@pytest.mark.parametrize("first", [True, False])
def test_audit__lie_told_everywhere__second_node_tells(first: bool) -> None:
    """Logs, balances and tokens without the last withdrawal: one node alone could not be found out."""
    honest, scene = script(), Scene(script())
    lies = [
        without(*scene.acts(LAST)),
        in_view(honest.manifest.market, "wallets(address)", honest.chidi.low, change=lambda word: word + 12_345),
        in_view(honest.manifest.token, "balanceOf(address)", honest.manifest.market, change=lambda word: word + 12_345),
    ]

    def lie(method: str, params: list[Any], answer: Any) -> Any:
        for one in lies:
            answer = one(method, params, answer)
        return answer

    liar, truth = Liar(honest.chain.transport(), lie), honest.chain.transport()
    report = audit(honest.manifest, liar if first else truth, second=truth if first else liar)
    place, found = scene.log("Withdrawn", LAST), report.divergence
    assert report.exit_code == 1 and found is not None
    assert (found.block, found.transaction) == (place.block, place.transaction)
    assert "a lying node is wrong" in named(report, "two_nodes")


def test_audit__chain_changes_meanwhile__audits_the_one_that_stays() -> None:
    chain, manifest = again(LAST)
    mark = chain.chain.snapshot()
    chain.play(script().chain.sent[-1:])
    changes = 0

    def change(method: str, params: list[Any], answer: Any) -> Any:
        nonlocal changes
        if method == "eth_getLogs" and isinstance(params[0]["address"], list) and not changes:
            changes += 1
            chain.chain.revert(mark)
            chain.mine([], chain.time_s + 5)
            chain.mine([], chain.time_s + 5)
        return answer

    report = audit(manifest, Liar(chain.transport(), change))
    assert changes == 1
    assert (report.verdict, report.exit_code) == ("holds", 0)
    assert report.block["hash"] in {f"0x{chain.chain.block_hash(n).hex()}" for n in range(chain.chain.height + 1)}
    assert report.totals.withdrawn == 1_000 + 2 * 777


def test_audit__chain_changes_and_block_named_by_hash__incomplete() -> None:
    chain, manifest = again(LAST)
    mark = chain.chain.snapshot()
    chain.play(script().chain.sent[-1:])
    named_block = f"0x{chain.chain.head.hash.hex()}"

    def change(method: str, params: list[Any], answer: Any) -> Any:
        if method == "eth_getLogs" and isinstance(params[0]["address"], list) and chain.chain.revert(mark):
            chain.mine([], chain.time_s + 5)
        return answer

    report = audit(manifest, Liar(chain.transport(), change), last_block=named_block)
    assert (report.verdict, report.exit_code) == ("incomplete", 3)
    assert named_block in report.incomplete[0] and "name another block" in report.incomplete[0]


def test_audit__history_cut_short__incomplete_or_of_the_block_that_is_there() -> None:
    honest = script()
    chain, manifest = again(LAST)
    short = chain.transport()
    beyond = audit(manifest, short, last_block=honest.chain.chain.height)
    assert (beyond.verdict, beyond.exit_code) == ("incomplete", 3)
    assert f"does not give block {honest.chain.chain.height}" in beyond.incomplete[0]
    newest = audit(manifest, short)
    assert (newest.exit_code, newest.block["number"]) == (0, chain.chain.height)
