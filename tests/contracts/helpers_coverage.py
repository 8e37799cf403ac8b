"""Branch coverage of the contracts, from the bytecode: a pytest plugin, used by `make coverage`.

titanoboa's own coverage plugin knows which lines ran; the arcs that it gives coverage.py are the spans of statements,
not the ways that were taken, so its branch figures mean nothing. Here every conditional jump that comes from an `if`,
an `assert`, a conditional expression or an `and`/`or` must have been taken and not taken.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import boa
import pytest
from boa.environment import Env
from vyper.compiler.settings import anchor_settings
from vyper.ir.compile_ir import assembly_to_evm

from contracts.helpers import CONTRACTS, ROOT, compiled

LEAST_PERCENT = 95
FOUND = ROOT / "out" / "coverage"
DEPLOYED = ("EnergyMarket", "EnergyRegistry", "MarketLens", "SettlementToken")
KINDS = ("If", "Assert", "IfExp", "BoolOp")
JUMPI, PUSH0, PUSH1, PUSH32 = 0x57, 0x5F, 0x60, 0x7F


class Jump(NamedTuple):
    """A conditional jump by where it is in the sources, the same in every contract that a module is part of."""

    file: str
    line: int
    column: int
    kind: str
    number: int


class Way(NamedTuple):
    """One of the two ways on from a jump."""

    jump: Jump
    taken: bool


seen: set[Way] = set()
# By program, constructor or deployed code; the compiler's data is kept so that its id stays its own.
_tables: dict[tuple[int, bool], tuple[Any, dict[int, Jump]]] = {}


def list_jumps(code: bytes, ast_map: Mapping[int, Any]) -> dict[int, Jump]:
    """The jumps of a program that come from a choice in its source, by program counter."""
    jumps: dict[int, Jump] = {}
    numbers: dict[tuple[Any, ...], int] = {}
    at = 0
    while at < len(code):
        opcode = code[at]
        node = ast_map.get(at) if opcode == JUMPI else None
        kind = type(node).__name__
        path = Path(node.module_node.resolved_path) if kind in KINDS else None
        if path is not None and path.is_relative_to(CONTRACTS):
            place = (path.relative_to(CONTRACTS).as_posix(), node.lineno, node.col_offset, kind)
            numbers[place] = numbers.get(place, -1) + 1
            jumps[at] = Jump(*place, numbers[place])
        at += 1 + (opcode - PUSH0 if PUSH1 <= opcode <= PUSH32 else 0)
    return jumps


def _get_jumps(computation: Any, contract: Any) -> dict[int, Jump]:
    data = getattr(contract, "compiler_data", None)
    creates = bool(computation.msg.is_create)
    # What a test injected is no part of the contract.
    if data is None or not (creates or contract.source_map is data.source_map):
        return {}
    key = (id(data), creates)
    if key not in _tables:
        code = bytes(computation.code._raw_code_bytes)
        _tables[key] = (data, list_jumps(code, contract.source_map["pc_raw_ast_map"]))
    return _tables[key][1]


def _record(env: Env, computation: Any, contract: Any = None) -> None:
    """Stands in for titanoboa's tracing: notes the ways that a call and the calls it made went on."""
    jumps = _get_jumps(computation, contract)
    if jumps:
        trace = computation.code._trace
        for at, following in set(pairwise(trace)):
            if at in jumps:
                seen.add(Way(jumps[at], following != at + 1))
    for child in computation.children:
        if child.msg.code_address:
            _record(env, child, env._lookup_contract_fast(child.msg.code_address))


@cache
def list_all() -> frozenset[Jump]:
    """Every choice in the contracts that are deployed, constructors included."""
    jumps: set[Jump] = set()
    for name in DEPLOYED:
        data = compiled(CONTRACTS / f"{name}.vy").compiler_data
        with anchor_settings(data.settings):
            for assembly in (data.assembly, data.assembly_runtime):
                code, source_map = assembly_to_evm(assembly)
                jumps |= set(list_jumps(code, source_map["pc_raw_ast_map"]).values())
    return frozenset(jumps)


def report(ways: Iterable[Way]) -> tuple[list[str], float]:
    """A line for each file and one for all, and the percentage of all."""
    taken = set(ways)
    lines = [f"{'Branches of contracts':<36} {'both ways':>9} {'all':>5} {'percent':>8}  missing"]
    percent = 100.0
    jumps = list_all()
    for file in [*sorted({jump.file for jump in jumps}), "all"]:
        mine = sorted(jump for jump in jumps if file in (jump.file, "all"))
        missing = [way for jump in mine for way in (Way(jump, False), Way(jump, True)) if way not in taken]
        count = 2 * len(mine)
        percent = 100 * (count - len(missing)) / count
        where = " ".join(sorted({f"{way.jump.line}" for way in missing}, key=int)) if file != "all" else ""
        lines.append(f"{file:<36} {count - len(missing):>9} {count:>5} {percent:>7.1f}%  {where}")
    return lines, percent


def pytest_configure(config: pytest.Config) -> None:
    """Starts recording; the process that runs no tests of its own clears away what an earlier run found."""
    if not hasattr(config, "workerinput"):
        FOUND.mkdir(parents=True, exist_ok=True)
        for path in FOUND.glob("branches-*.json"):
            path.unlink()
    Env._coverage_enabled = True
    Env._trace_computation = _record
    assert boa.env is not None


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    found = [[*way.jump, way.taken] for way in sorted(seen)]
    (FOUND / f"branches-{worker}.json").write_text(json.dumps(found), encoding="utf-8")
    if worker == "main" and report(_load())[1] < LEAST_PERCENT:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any) -> None:
    lines, percent = report(_load())
    terminalreporter.section("branch coverage of contracts")
    for line in lines:
        terminalreporter.write_line(line)
    verdict = "reached" if percent >= LEAST_PERCENT else "MISSED"
    terminalreporter.write_line(f"At least {LEAST_PERCENT}% of all: {verdict}")


def _load() -> list[Way]:
    """What all processes recorded."""
    return [
        Way(Jump(*way[:-1]), way[-1])
        for path in sorted(FOUND.glob("branches-*.json"))
        for way in json.loads(path.read_text(encoding="utf-8"))
    ]
