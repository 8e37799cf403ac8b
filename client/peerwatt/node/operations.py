"""The EVM's most frequent operations in fewer steps: a chain in this process spends most of its time in them.

py-evm splits each operation into some ten calls, and checks what it pushed itself when it pops it. The operations here
do the same to stack, memory, gas and program counter in one call. All others, the loop around them, state, precompiles,
transactions and blocks are py-evm's. `tests/client/test_node_operations.py` runs programs on both.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from eth.exceptions import FullStack, InsufficientStack, InvalidInstruction, InvalidJumpDestination, OutOfGas
from eth.vm import opcode_values as op
from eth.vm.forks.prague import PragueVM
from eth.vm.forks.prague.computation import PragueComputation
from eth.vm.forks.prague.opcodes import PRAGUE_OPCODES
from eth.vm.forks.prague.state import PragueState

Operation = Callable[[Any], None]

WORD = 32
UINT_256_MAX = 2**256 - 1
STACK_LIMIT = 1024
# Contracts whose jump destinations are remembered.
CODES = 64


def _charge(computation: Any, gas: int) -> None:
    meter = computation._gas_meter
    if gas > meter.gas_remaining:
        raise OutOfGas(f"Out of gas: Needed {gas} - Remaining {meter.gas_remaining}")
    meter.gas_remaining -= gas


def _short(values: list[Any], wanted: int) -> InsufficientStack:
    return InsufficientStack(f"Wanted {wanted} stack items, only had {len(values)}")


def _int(value: int | bytes) -> int:
    """What is on py-evm's stack: a number, or its bytes."""
    return value if isinstance(value, int) else int.from_bytes(value, "big")


def _binary(gas: int, compute: Callable[[int, int], int]) -> Operation:
    """Takes two numbers, the upper one first, and leaves one."""

    def operate(computation: Any) -> None:
        meter = computation._gas_meter
        if gas > meter.gas_remaining:
            _charge(computation, gas)
        meter.gas_remaining -= gas
        values = computation._stack.values
        if len(values) < 2:
            raise _short(values, 2)
        upper, lower = values.pop(), values[-1]
        values[-1] = compute(
            upper if isinstance(upper, int) else int.from_bytes(upper, "big"),
            lower if isinstance(lower, int) else int.from_bytes(lower, "big"),
        )

    return operate


def _unary(gas: int, compute: Callable[[int], int]) -> Operation:
    def operate(computation: Any) -> None:
        _charge(computation, gas)
        values = computation._stack.values
        if not values:
            raise _short(values, 1)
        values[-1] = compute(_int(values[-1]))

    return operate


def _push(gas: int, size: int) -> Operation:
    def operate(computation: Any) -> None:
        meter = computation._gas_meter
        if gas > meter.gas_remaining:
            _charge(computation, gas)
        meter.gas_remaining -= gas
        values, code = computation._stack.values, computation.code
        if len(values) >= STACK_LIMIT:
            raise FullStack("Stack limit reached")
        at = code.program_counter
        code.program_counter = end = at + size
        raw = code._raw_code_bytes[at:end]
        # Code that ends within the number goes on with zeros.
        values.append(int.from_bytes(raw if len(raw) == size else raw.ljust(size, b"\0"), "big"))

    return operate


def _dup(gas: int, position: int) -> Operation:
    def operate(computation: Any) -> None:
        meter = computation._gas_meter
        if gas > meter.gas_remaining:
            _charge(computation, gas)
        meter.gas_remaining -= gas
        values = computation._stack.values
        if len(values) >= STACK_LIMIT:
            raise FullStack("Stack limit reached")
        if len(values) < position:
            raise _short(values, position)
        values.append(values[-position])

    return operate


def _swap(gas: int, position: int) -> Operation:
    lower = -1 - position

    def operate(computation: Any) -> None:
        meter = computation._gas_meter
        if gas > meter.gas_remaining:
            _charge(computation, gas)
        meter.gas_remaining -= gas
        values = computation._stack.values
        if len(values) <= position:
            raise _short(values, position + 1)
        values[-1], values[lower] = values[lower], values[-1]

    return operate


def _pop(gas: int) -> Operation:
    def operate(computation: Any) -> None:
        _charge(computation, gas)
        values = computation._stack.values
        if not values:
            raise _short(values, 1)
        values.pop()

    return operate


def _mload(gas: int) -> Operation:
    def operate(computation: Any) -> None:
        _charge(computation, gas)
        values = computation._stack.values
        if not values:
            raise _short(values, 1)
        start = _int(values[-1])
        if start + WORD > len(computation._memory._bytes):
            computation.extend_memory(start, WORD)
        values[-1] = bytes(computation._memory._bytes[start : start + WORD])

    return operate


def _mstore(gas: int) -> Operation:
    def operate(computation: Any) -> None:
        _charge(computation, gas)
        values = computation._stack.values
        if len(values) < 2:
            raise _short(values, 2)
        start, value = _int(values.pop()), values.pop()
        if start + WORD > len(computation._memory._bytes):
            computation.extend_memory(start, WORD)
        word = value.to_bytes(WORD, "big") if isinstance(value, int) else value.rjust(WORD, b"\0")
        computation._memory._bytes[start : start + WORD] = word

    return operate


@lru_cache(maxsize=CODES)
def find_destinations(code: bytes) -> frozenset[int]:
    """Where a code may be jumped to: its JUMPDESTs that are not data of a PUSH."""
    destinations, at = set(), 0
    while at < len(code):
        if code[at] == op.JUMPDEST:
            destinations.add(at)
        at += 1 + (code[at] - op.PUSH0 if op.PUSH1 <= code[at] <= op.PUSH32 else 0)
    return frozenset(destinations)


def _go_to(code: Any, destination: int) -> None:
    raw = code._raw_code_bytes
    if destination not in find_destinations(raw):
        if destination < len(raw) and raw[destination] == op.JUMPDEST:
            raise InvalidInstruction("Jump resulted in invalid instruction")
        raise InvalidJumpDestination("Invalid Jump Destination")
    code.program_counter = destination


def _jump(gas: int) -> Operation:
    def operate(computation: Any) -> None:
        _charge(computation, gas)
        values = computation._stack.values
        if not values:
            raise _short(values, 1)
        _go_to(computation.code, _int(values.pop()))

    return operate


def _jumpi(gas: int) -> Operation:
    def operate(computation: Any) -> None:
        _charge(computation, gas)
        values = computation._stack.values
        if len(values) < 2:
            raise _short(values, 2)
        destination, condition = values.pop(), values.pop()
        if _int(condition):
            _go_to(computation.code, _int(destination))

    return operate


def _jumpdest(gas: int) -> Operation:
    def operate(computation: Any) -> None:
        _charge(computation, gas)

    return operate


NUMBERS: dict[int, Callable[[int, int], int]] = {
    op.ADD: lambda upper, lower: (upper + lower) & UINT_256_MAX,
    op.SUB: lambda upper, lower: (upper - lower) & UINT_256_MAX,
    op.MUL: lambda upper, lower: (upper * lower) & UINT_256_MAX,
    op.DIV: lambda upper, lower: upper // lower if lower else 0,
    op.MOD: lambda upper, lower: upper % lower if lower else 0,
    op.LT: lambda upper, lower: 1 if upper < lower else 0,
    op.GT: lambda upper, lower: 1 if upper > lower else 0,
    op.EQ: lambda upper, lower: 1 if upper == lower else 0,
    op.AND: lambda upper, lower: upper & lower,
    op.OR: lambda upper, lower: upper | lower,
    op.XOR: lambda upper, lower: upper ^ lower,
    op.SHL: lambda upper, lower: (lower << upper) & UINT_256_MAX if upper < 256 else 0,
    op.SHR: lambda upper, lower: lower >> upper if upper < 256 else 0,
}
UNARY: dict[int, Callable[[int], int]] = {
    op.ISZERO: lambda value: 0 if value else 1,
    op.NOT: lambda value: UINT_256_MAX - value,
}
OTHERS: dict[int, Callable[[int], Operation]] = {
    op.POP: _pop,
    op.MLOAD: _mload,
    op.MSTORE: _mstore,
    op.JUMP: _jump,
    op.JUMPI: _jumpi,
    op.JUMPDEST: _jumpdest,
}


def _make_operations() -> dict[int, Operation]:
    """The operations in few steps, each at the price that py-evm has for it."""

    def price(code: int) -> int:
        operation: Any = PRAGUE_OPCODES[code]
        return int(operation.gas_cost)

    return {
        **{code: _binary(price(code), compute) for code, compute in NUMBERS.items()},
        **{code: _unary(price(code), compute) for code, compute in UNARY.items()},
        **{code: make(price(code)) for code, make in OTHERS.items()},
        **{op.PUSH0 + size: _push(price(op.PUSH0 + size), size) for size in range(33)},
        **{op.DUP1 + at: _dup(price(op.DUP1 + at), at + 1) for at in range(16)},
        **{op.SWAP1 + at: _swap(price(op.SWAP1 + at), at + 1) for at in range(16)},
    }


OPERATIONS = _make_operations()
# py-evm's type of an operation has an attribute more, which nothing reads.
QUICK: dict[int, Any] = {**OPERATIONS}


class QuickComputation(PragueComputation):
    """Prague's computation with the operations of this module."""

    opcodes = PRAGUE_OPCODES | QUICK


class QuickState(PragueState):
    """Prague's state, computing with `QuickComputation`."""

    computation_class = QuickComputation


class QuickVM(PragueVM):
    """Prague's rules with the operations of this module."""

    _state_class = QuickState
