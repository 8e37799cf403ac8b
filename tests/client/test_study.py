"""The study end to end on the embedded chain, with a small community; and what it says when it can't run."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from peerwatt.cli.main import app
from peerwatt.market.deployment import Deployment, ManifestError
from peerwatt.node.embedded import EmbeddedChain
from peerwatt.study import runner
from peerwatt.study.results import StudyResult, Summary
from peerwatt.study.runner import StudyOptions, open_venue, play
from peerwatt.study.trading import Trading

SMALL = {"consumers": 6, "prosumers": 2, "windows": 3}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("study")


@pytest.fixture(scope="module")
def result(out: Path) -> StudyResult:
    return play(StudyOptions(seed=3, out=out, **SMALL), Console(quiet=True))


def test_play__small_community__chain_and_reference_agree(result: StudyResult) -> None:
    summary = result.summary
    assert summary.parity_ok and summary.audit_ok and len(summary.audit_digest) == 64
    assert summary.money_residual == 0
    assert summary.energy_residual == 0
    assert summary.traded_wh > 0
    assert 0 < summary.reliability_pct <= 100
    assert summary.participant_windows == sum(home.windows_with_order for home in result.homes)
    assert summary.gas_order > 0 and summary.gas_clear > 0 and summary.gas_settle > 0


def test_play__money__every_unit_paid_arrives_somewhere(result: StudyResult) -> None:
    flows = result.flows
    assert flows.buyers_paid + flows.imbalance_paid == (
        flows.sellers_received
        + flows.network_fees
        + flows.surcharges
        + flows.haircuts
        + flows.imbalance_received
        + flows.rounding
    )


def test_play__energy__adds_up_in_every_window(result: StudyResult) -> None:
    for window in result.windows:
        assert window.bought_wh == window.delivered_wh + window.shortfall_wh + window.rounding_wh
        assert window.sold_wh <= window.traded_wh <= window.bought_wh


def test_play__bills__are_the_sum_of_the_homes(result: StudyResult) -> None:
    assert result.summary.baseline_cost == sum(home.baseline_cost for home in result.homes)
    assert result.summary.market_cost == sum(home.market_cost for home in result.homes)


def test_play__same_seed__same_figures(result: StudyResult, tmp_path: Path) -> None:
    again = play(StudyOptions(seed=3, out=tmp_path, **SMALL), Console(quiet=True)).summary
    # Another run is another chain, with blocks of other times and hashes.
    noisy: dict[str, Any] = {"seconds_total": 0.0, "seconds_chain": 0.0, "audit_digest": ""}
    assert replace(again, **noisy) == replace(result.summary, **noisy)


@pytest.mark.parametrize("windows", [1, 17, 18])
def test_play__any_number_of_windows__practice_and_session_settle(windows: int, tmp_path: Path) -> None:
    options = StudyOptions(out=tmp_path, consumers=1, prosumers=1, windows=windows)
    summary = play(options, Console(quiet=True)).summary
    assert summary.parity_ok and summary.money_residual == 0


def test_manifest__written__recognises_its_chain_only(result: StudyResult, out: Path) -> None:
    deployment = Deployment.load(out / "deployment.json")
    assert deployment.parameters.window_seconds == result.summary.window_seconds
    with pytest.raises(ManifestError, match="chain was reset"):
        deployment.check(open_venue(StudyOptions()).w3)
    with pytest.raises(ManifestError, match="is no deployment manifest"):
        Deployment.load(out / "missing.json")


def test_play__one_unit_flipped__parity_is_false(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compare = Trading._compare

    def flip_then_compare(self: Trading, index: int) -> None:
        account = next(iter(self.participants.values())).account.lower()
        wallet = self.stage.market.wallets[account]
        self.stage.market.wallets[account] = replace(wallet, balance=wallet.balance + 1)
        compare(self, index)
        self.stage.market.wallets[account] = wallet

    monkeypatch.setattr(Trading, "_compare", flip_then_compare)
    flipped = play(StudyOptions(out=tmp_path, consumers=1, prosumers=1, windows=1), Console(quiet=True))
    assert not flipped.summary.parity_ok
    assert any(note.startswith("wallets(0x") for note in flipped.notes)


def test_study__json__prints_the_summary_and_writes_the_files(tmp_path: Path) -> None:
    args = ["study", "--consumers", "2", "--prosumers", "1", "--windows", "1", "--json", "--out", str(tmp_path)]
    done = CliRunner().invoke(app, args)
    assert done.exit_code == 0
    printed = json.loads(done.stdout)
    assert printed == json.loads((tmp_path / "summary.json").read_text())
    assert set(printed) == {field.name for field in fields(Summary)}
    assert "<svg" in (tmp_path / "report.html").read_text()
    assert (tmp_path / "deployment.json").exists()


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--scenario", "sunny", "unknown scenario 'sunny'"),
        ("--consumers", "3000", "consumers = 3000"),
        ("--windows", "97", "windows = 97"),
        ("--rpc", "http://127.0.0.1:9", "no JSON-RPC node answers"),
    ],
)
def test_study__cannot_run_as_asked__says_why(option: str, value: str, said: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["study", option, value, "--out", str(tmp_path / "out")])
    assert done.exit_code == 2
    assert said in " ".join(done.output.split())


def test_study__difference_found__exit_status_is_1(
    result: StudyResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for wrong in ({"parity_ok": False}, {"audit_ok": False}, {"money_residual": 1}, {"energy_residual": -1}):
        broken = replace(result, summary=replace(result.summary, **wrong))
        monkeypatch.setattr(runner, "play", lambda options, console, broken=broken: broken)
        assert runner.run_study(StudyOptions(out=tmp_path, json=True)) == 1
    monkeypatch.setattr(runner, "play", lambda options, console: result)
    assert runner.run_study(StudyOptions(out=tmp_path, json=True)) == 0


def test_play__chain_tells_one_log_otherwise__audit_is_false_and_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = runner.view_node

    def view_that_lies(chain: EmbeddedChain) -> Any:
        node = view(chain)
        honest = node.answer

        def answer(method: str, params: list[Any]) -> Any:
            result = honest(method, params)
            if method == "eth_getLogs" and len(result) > 9:
                last = result[-1]
                result = [*result[:-1], {**last, "data": f"{int(last['data'], 16) ^ 1:#0{len(last['data'])}x}"}]
            return result

        node.answer = answer
        return node

    monkeypatch.setattr(runner, "view_node", view_that_lies)
    lied = play(StudyOptions(out=tmp_path, consumers=2, prosumers=1, windows=1), Console(quiet=True))
    assert lied.summary.parity_ok and not lied.summary.audit_ok
    assert any("The audit's verdict is violated; block" in note for note in lied.notes)


def on_an_eth_tester_node(monkeypatch: pytest.MonkeyPatch) -> EmbeddedChain:
    chain = EmbeddedChain()
    monkeypatch.setattr(runner, "HTTPProvider", lambda url, request_kwargs: chain.w3.provider)
    return chain


def test_open_venue__node_that_cannot_travel__says_it_takes_real_time(monkeypatch: pytest.MonkeyPatch) -> None:
    on_an_eth_tester_node(monkeypatch)
    venue = open_venue(StudyOptions(rpc="http://node.test", windows=10))
    assert not venue.clock.simulated
    assert venue.note is not None and "in real time, about 180 minutes" in venue.note


def test_open_venue__node_without_accounts__asks_for_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = on_an_eth_tester_node(monkeypatch)
    monkeypatch.setattr(type(chain.w3.eth), "accounts", ())
    monkeypatch.delenv("PEERWATT_PRIVATE_KEY", raising=False)
    with pytest.raises(runner.StudyError, match="set PEERWATT_PRIVATE_KEY"):
        open_venue(StudyOptions(rpc="http://node.test"))
    monkeypatch.setenv("PEERWATT_PRIVATE_KEY", "not a key")
    with pytest.raises(runner.StudyError, match="is no private key") as refused:
        open_venue(StudyOptions(rpc="http://node.test"))
    assert "not a key" not in str(refused.value)
    monkeypatch.setenv("PEERWATT_PRIVATE_KEY", "0x" + "11" * 32)
    cast = open_venue(StudyOptions(rpc="http://node.test")).cast
    assert cast.operator.address == cast.relayer.address != cast.balancing_account
