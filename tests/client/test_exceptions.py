"""One exception for each revert string, one problem for each exception."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import pytest

from peerwatt import exceptions
from peerwatt.exceptions import CODES, REASONS, MarketError, from_code, from_reason

ROOT = Path(__file__).resolve().parents[2]
CONTRACT = (ROOT / "docs" / "contract.md").read_text(encoding="utf-8")
REASON = re.compile(r'`"?([a-z]+: [a-z][a-z\' ]*[a-z])"?`')
SOURCE_REASON = re.compile(r'"([a-z]+: [a-z][a-z\' ]*[a-z])"')
CODE_ROW = re.compile(r"^\| (\d+) \| `([^`]+)` \|", re.MULTILINE)
CODE_IN_TEXT = re.compile(r"code (\d+) `([^`]+)`")


def get_reasons_in_sources() -> set[str]:
    sources = sorted((ROOT / "contracts").rglob("*.vy"))
    assert len(sources) > 10
    return {reason for path in sources for reason in SOURCE_REASON.findall(path.read_text(encoding="utf-8"))}


def get_all_errors() -> list[type[MarketError]]:
    return [
        value
        for value in vars(exceptions).values()
        if isinstance(value, type) and issubclass(value, MarketError)
    ]


def test_reasons__of_the_document__have_one_exception_each() -> None:
    documented = set(REASON.findall(CONTRACT))
    assert len(documented) > 80
    assert documented - set(REASONS) == set()


def test_reasons__of_the_contracts__have_one_exception_each_and_no_more() -> None:
    assert set(REASONS) == set(REASON.findall(CONTRACT)) | get_reasons_in_sources()


def test_reasons__classes__are_different_and_exported() -> None:
    assert len(set(REASONS.values())) == len(REASONS)
    with_reason = [error for error in get_all_errors() if error.reason is not None]
    assert len(with_reason) == len(REASONS)
    assert {error.reason: error for error in with_reason} == dict(REASONS)


def test_codes__of_the_document__are_those_of_the_classes() -> None:
    documented = {int(code): reason for code, reason in CODE_ROW.findall(CONTRACT)}
    documented |= {int(code): reason for code, reason in CODE_IN_TEXT.findall(CONTRACT)}
    assert sorted(documented) == list(range(1, 35))
    assert {code: error.reason for code, error in CODES.items()} == documented


def test_codes__of_the_contract__are_those_of_the_classes() -> None:
    modules = ROOT / "contracts" / "modules"
    constants = dict(
        re.findall(r"^(\w+): constant\(uint256\) = (\d+)", (modules / "reasons.vy").read_text(), re.MULTILINE)
    )
    pairs = re.findall(
        r'code == reasons\.(\w+):\s+return "([^"]+)"', (modules / "refusals.vy").read_text(encoding="utf-8")
    )
    assert {int(constants[name]): reason for name, reason in pairs} == {
        code: error.reason for code, error in CODES.items()
    }


def test_problems__all__are_unique_slugs() -> None:
    problems = [error.problem for error in get_all_errors()]
    assert len(problems) == len(set(problems))
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", problem) for problem in problems)


@pytest.mark.parametrize("error", get_all_errors(), ids=lambda error: error.__name__)
def test_message__every_class__says_fact_and_next_step(error: type[MarketError]) -> None:
    fact, _, next_step = str(error()).partition("; ")
    assert fact == error.fact and next_step == error.next_step
    assert len(fact) > 10 and len(next_step) > 5
    assert fact[0].islower() and next_step[0].islower() and not next_step.endswith(".")
    assert error.__doc__


def test_message__facts_and_steps__name_one_cause_each() -> None:
    messages = [str(error()) for error in get_all_errors()]
    assert len(messages) == len(set(messages))


def test_from_reason__values__are_in_the_message() -> None:
    error = from_reason("offers: gate closed", last_window=5, gated=7)
    assert type(error) is exceptions.GateClosed
    assert error.context == {"last_window": 5, "gated": 7}
    fact = "the gate of the order's last window has closed (last_window=5, gated=7)"
    assert str(error) == f"{fact}; sign an order for later windows"


def test_from_reason__unknown__refused() -> None:
    with pytest.raises(KeyError, match="reverts with 'offers: nonsense'"):
        from_reason("offers: nonsense")


def test_from_code__every_code__gives_its_class() -> None:
    assert [from_code(code).code for code in range(1, 35)] == list(range(1, 35))
    with pytest.raises(KeyError, match="no reason code 35"):
        from_code(35)


def test_error__pickled__keeps_message_and_values() -> None:
    for error in (from_reason("offers: window taken", window=9), exceptions.OffGrid("said so", price=7)):
        copy = pickle.loads(pickle.dumps(error))
        assert type(copy) is type(error) and str(copy) == str(error) and copy.context == error.context
