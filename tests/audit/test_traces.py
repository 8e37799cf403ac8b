"""Which calls count in a trace."""

from __future__ import annotations

from typing import Any

from peerwatt.audit.traces import find_calls

MARKET, REGISTRY, WALLET, OTHER = (f"0x{digit * 40}" for digit in "abcd")


def frame(kind: str, caller: str, called: str, *calls: Any, data: str = "0x", **more: str) -> dict[str, Any]:
    return {"type": kind, "from": caller, "to": called, "input": data, "calls": list(calls), **more}


def found(*calls: Any, kind: str = "CALL", **more: str) -> list[tuple[str, str, str]]:
    outermost = frame(kind, OTHER, WALLET, *calls, **more)
    return [
        (call.contract, call.caller, call.data.hex()) for call in find_calls(outermost, frozenset([MARKET, REGISTRY]))
    ]


def test_find_calls__two_levels__in_the_sequence_in_which_they_began() -> None:
    deep = frame("CALL", WALLET, OTHER, frame("CALL", OTHER, REGISTRY, data="0x02"))
    calls = [frame("CALL", WALLET, MARKET, data="0x01"), deep, frame("CALL", WALLET, MARKET, data="0x03")]
    assert found(*calls) == [(MARKET, WALLET, "01"), (REGISTRY, OTHER, "02"), (MARKET, WALLET, "03")]


def test_find_calls__reverted__left_out_with_all_below() -> None:
    below = frame("CALL", OTHER, MARKET)
    assert found(frame("CALL", WALLET, OTHER, below, error="execution reverted")) == []
    assert found(frame("CALL", WALLET, MARKET, error="out of gas")) == []
    assert found(frame("CALL", WALLET, MARKET), error="execution reverted") == []


def test_find_calls__delegated__only_what_it_calls() -> None:
    delegated = frame("DELEGATECALL", WALLET, MARKET, frame("CALL", WALLET, REGISTRY))
    assert found(delegated) == [(REGISTRY, WALLET, "")]
    assert found(frame("CALLCODE", WALLET, MARKET)) == []


def test_find_calls__static__left_out_with_all_below() -> None:
    assert (
        found(frame("STATICCALL", WALLET, MARKET), frame("STATICCALL", WALLET, OTHER, frame("CALL", OTHER, MARKET)))
        == []
    )


def test_find_calls__among_the_contracts__only_the_outer_one() -> None:
    setter = frame("CALL", REGISTRY, MARKET, data="0x02")
    assert found(frame("CALL", WALLET, REGISTRY, setter, data="0x01")) == [(REGISTRY, WALLET, "01")]


def test_find_calls__while_deploying__found() -> None:
    assert found(frame("CALL", WALLET, MARKET), kind="CREATE") == [(MARKET, WALLET, "")]


def test_find_calls__as_deep_as_the_machine_goes__found() -> None:
    inner = frame("CALL", WALLET, MARKET)
    for _ in range(1024):
        inner = frame("CALL", OTHER, WALLET, inner)
    assert found(inner) == [(MARKET, WALLET, "")]
