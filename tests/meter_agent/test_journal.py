"""The journal: written once, on the disk before it is said, and never two registers for one window."""

from __future__ import annotations

import random
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2e.tools import ROOT, environment
from meter_agent.fake_bridge import DOMAIN
from meter_agent.writer import KEY, open_journal, sign_report
from peerwatt.meter.agent.journal import SIGNED, TAKEN, Journal, JournalError, RegisterFalls
from peerwatt.signing import BUY, SELL, Domain, Report, Signature, check_signer

PATHS = f"{ROOT / 'client'}:{ROOT / 'tests'}"


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return open_journal(tmp_path / "journal.sqlite")


def test_record__successive_boundaries__one_report_a_window_signed_by_the_meter(journal: Journal) -> None:
    assert journal.record(SELL, 10, 100, 9000.0, sign_report) == []
    (first,) = journal.record(SELL, 11, 150, 9900.0, sign_report)
    assert first.signed.report == Report(KEY.address, SELL, 10, (100, 150))
    check_signer(first.signed.report, DOMAIN, first.signed.signature, KEY.address)
    # Without the boundary in between there is no window to report.
    assert journal.record(SELL, 13, 190, 11_700.0, sign_report) == []
    assert journal.record(BUY, 14, 7, 12_600.0, sign_report) == []
    (second,) = journal.record(SELL, 14, 190, 12_600.0, sign_report)
    assert second.signed.report.registers == (190, 190)
    assert journal.waiting(10) == [first, second] and journal.last_boundary(SELL) == (14, 190)


def test_record__same_boundary_with_another_register__first_one_stays(journal: Journal) -> None:
    journal.record(SELL, 10, 100, 9000.0, sign_report)
    assert journal.record(SELL, 10, 120, 9001.0, sign_report) == []
    assert journal.boundaries(SELL) == {10: 100}


def test_record__falls__refused_and_nothing_written(journal: Journal) -> None:
    journal.record(SELL, 10, 100, 9000.0, sign_report)
    with pytest.raises(RegisterFalls, match="is 99 Wh, and was 100 Wh at the start of window 10"):
        journal.record(SELL, 11, 99, 9900.0, sign_report)
    assert journal.boundaries(SELL) == {10: 100} and journal.waiting(10) == []


def test_record__signing_fails__boundary_is_not_written_either(journal: Journal) -> None:
    journal.record(SELL, 10, 100, 9000.0, sign_report)

    def fail(report: Report) -> Signature:
        raise OSError("no key")

    with pytest.raises(OSError, match="no key"):
        journal.record(SELL, 11, 150, 9900.0, fail)
    assert journal.boundaries(SELL) == {10: 100}
    assert len(journal.record(SELL, 11, 160, 9900.0, sign_report)) == 1


def test_sign_newest__twice__the_same_report_sent_again(journal: Journal) -> None:
    assert journal.sign_newest(SELL, sign_report) is None
    journal.record(SELL, 10, 100, 9000.0, sign_report)
    first = journal.sign_newest(SELL, sign_report)
    assert first is not None and first.signed.report.registers == (100,)
    journal.answer([(first.id, TAKEN, "received", None, None)])
    assert journal.count(SIGNED) == 0
    again = journal.sign_newest(SELL, sign_report)
    assert again is not None and again.digest == first.digest and journal.count(SIGNED) == 1


def test_open__again__everything_is_there(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "journal.sqlite"
    journal = open_journal(path)
    journal.record(SELL, 10, 100, 9000.0, sign_report)
    (kept,) = journal.record(SELL, 11, 150, 9900.0, sign_report)
    journal.answer([(kept.id, TAKEN, "quarantined", "jump", "too much")])
    journal.keep_command(5, True, "here")
    journal.close()
    journal = open_journal(path)
    (again,) = journal.all_reports()
    assert (again.state, again.status, again.reason, again.detail) == (TAKEN, "quarantined", "jump", "too much")
    assert again.signed == kept.signed and journal.last_command() == 5
    assert journal.untold_commands() == [(5, True, "here")]
    journal.told_command(5)
    assert journal.untold_commands() == []
    assert journal.send_again(10, 10) == 1 and [kept.id for kept in journal.waiting(5)] == [again.id]


def test_open__not_this_one__says_which_it_is(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    first = open_journal(path)
    with pytest.raises(JournalError, match="another program writes the journal"):
        Journal(path, KEY.address)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    beside = Journal(path, KEY.address, only_read=True)
    assert beside.market() == (DOMAIN, 900)
    with pytest.raises(JournalError, match=r"is of market .* on chain 31337 .* on chain 1 "):
        first.bind(Domain(1, DOMAIN.verifying_contract), 900)
    first.close()
    with pytest.raises(JournalError, match=f"is of {KEY.address}"):
        Journal(path, "0x" + "11" * 20)
    with pytest.raises(JournalError, match="nothing was signed with this meter key here"):
        Journal(tmp_path / "none", KEY.address, only_read=True)
    (tmp_path / "text").write_text("hello, this is a text and no journal" * 50)
    with pytest.raises(JournalError, match="is no journal, or damaged"):
        Journal(tmp_path / "text", KEY.address)


@settings(max_examples=12, deadline=None)
@given(steps=st.lists(st.tuples(st.integers(0, 4), st.integers(-5, 50), st.booleans()), max_size=15))
def test_record__any_life_with_restarts__no_window_has_two_registers(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int, bool]]
) -> None:
    path = tmp_path_factory.mktemp("life") / "journal.sqlite"
    journal, window, register_wh = open_journal(path), 10, 100
    signed: dict[int, set[int]] = {}
    for forward, growth_wh, restart in steps:
        window, register_wh = window + forward, register_wh + growth_wh
        try:
            new = journal.record(SELL, window, register_wh, window * 900.0, sign_report)
        except RegisterFalls:
            assert register_wh < max(journal.boundaries(SELL).values())
            continue
        if restart:
            journal.close()
            journal = open_journal(path)
        alone = journal.sign_newest(SELL, sign_report)
        for kept in [*new, *([] if alone is None else [alone])]:
            for offset, value_wh in enumerate(kept.signed.report.registers):
                signed.setdefault(kept.signed.report.first_window + offset, set()).add(value_wh)
    assert all(len(values) == 1 for values in signed.values())
    journal.close()


def test_record__killed_at_any_moment__what_was_said_is_kept_and_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    chance = random.Random(7)
    said: dict[str, tuple[int, ...]] = {}
    for run in range(8):
        # Another growth in each run: a window that was signed twice would have other registers.
        command = [sys.executable, "-m", "meter_agent.writer", str(path), str(run + 1)]
        with subprocess.Popen(command, env=environment(PYTHONPATH=PATHS), stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            lines = [writer.stdout.readline() for _ in range(chance.randrange(1, 40))]
            writer.kill()
            lines += writer.stdout.readlines()
        assert writer.returncode == -signal.SIGKILL
        # The last line may have been cut off.
        for digest, *registers in (line.split() for line in lines if line.endswith("\n")):
            said[digest] = tuple(map(int, registers))
    journal = open_journal(path)
    kept = journal.all_reports()
    assert len(said) > 8 and said.keys() <= {one.digest for one in kept}
    boundaries = journal.boundaries(SELL)
    windows = [one.signed.report.first_window for one in kept]
    assert len(windows) == len(set(windows)) and windows == sorted(windows)
    for one in kept:
        report = one.signed.report
        assert report.registers == (boundaries[report.first_window], boundaries[report.first_window + 1])
        check_signer(report, DOMAIN, one.signed.signature, KEY.address)
        if one.digest in said:
            assert said[one.digest] == report.registers
