"""The quick operations do what py-evm's do: the same programs on both, compared in all that a transaction can tell."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from eth.chains.base import MiningChain
from eth.db.atomic import AtomicDB
from eth.vm import opcode_values as op
from eth.vm.code_stream import CodeStream
from eth.vm.forks.cancun.opcodes import CANCUN_OPCODES
from eth.vm.forks.prague import PragueVM
from eth.vm.forks.prague.opcodes import PRAGUE_OPCODES
from eth_tester import PyEVMBackend
from eth_tester.backends.pyevm.main import get_default_genesis_params
from hypothesis import example, given
from hypothesis import strategies as st

from peerwatt.node.operations import OPERATIONS, QuickVM, find_destinations

HERE, CALLER = b"\x11" * 20, b"\x22" * 20
GAS = 60_000
EDGES = (0, 1, 2, 31, 32, 33, 255, 256, 2**255, 2**256 - 1)


def make_chain(vm: Any) -> Any:
    # titanoboa, where another test has loaded it, traces these two in Prague's own table, and fails on an empty stack.
    untraced = {code: CANCUN_OPCODES[code] for code in (op.SHA3, op.SSTORE)}
    computation = vm._state_class.computation_class
    computation = computation.configure(opcodes={**computation.opcodes, **untraced})
    vm = vm.configure(_state_class=vm._state_class.configure(computation_class=computation))
    chain_class = MiningChain.configure("Chain", vm_configuration=((0, vm),), chain_id=1)
    state = PyEVMBackend.generate_genesis_state(num_accounts=1)
    return chain_class.from_genesis(AtomicDB(), get_default_genesis_params(), state)


PLAIN, QUICK = make_chain(PragueVM), make_chain(QuickVM)


def run(chain: Any, code: bytes, gas: int = GAS) -> dict[str, Any]:
    """All that a call leaves behind; of one that failed nobody sees the stack."""
    vm = chain.get_vm()
    done = vm.execute_bytecode(CALLER, 1, gas, HERE, CALLER, 0, bytes(range(64)), code, HERE)
    vm.state.lock_changes()
    left = {
        "error": type(done.error) if done.is_error else None,
        "gas": done.get_gas_remaining(),
        "refund": done.get_gas_refund(),
        "output": bytes(done.output),
        "logs": done.get_log_entries(),
        "root": vm.state.make_state_root(),
    }
    if done.is_error:
        return left
    return left | {
        "memory": bytes(done._memory._bytes),
        "stack": [one if isinstance(one, int) else int.from_bytes(one, "big") for one in done._stack.values],
        "pc": done.code.program_counter,
    }


def push(value: int) -> bytes:
    size = max(1, (value.bit_length() + 7) // 8)
    return bytes([op.PUSH0 + size]) + value.to_bytes(size, "big")


words = st.one_of(st.sampled_from(EDGES), st.integers(0, 200), st.integers(0, 2**256 - 1))
known = st.sampled_from(sorted(OPERATIONS)).map(lambda code: bytes([code]))
# What pushes bytes, writes storage, logs, hashes and calls comes in between.
others = st.sampled_from(
    (
        *(op.SLOAD, op.SSTORE, op.SHA3, op.CALLDATALOAD, op.CALLDATASIZE, op.LOG1, op.RETURN, op.REVERT, op.ADDRESS),
        *(op.MSTORE8, op.MSIZE, op.GAS, op.PC, op.SDIV, op.EXP, op.BYTE, op.SAR, op.MCOPY, op.RETURNDATASIZE, 0xEF),
    )
).map(lambda code: bytes([code]))
programs = st.lists(st.one_of(words.map(push), words.map(push), known, known, others), max_size=60).map(b"".join)


@given(programs)
@example(bytes([op.PUSH1 + 31]) + b"\xff" * 3)
@example(bytes([op.PUSH0]) * 1025)
@example(push(1) + bytes([op.DUP1]) * 1024)
@example(push(4) + bytes([op.JUMP, op.PUSH1, op.JUMPDEST]))
@example(push(2**255) + bytes([op.MLOAD]))
def test_run__any_program__all_the_same(code: bytes) -> None:
    assert run(QUICK, code) == run(PLAIN, code)


@given(programs, st.integers(0, 400))
def test_run__little_gas__all_the_same(code: bytes, gas: int) -> None:
    assert run(QUICK, code, gas) == run(PLAIN, code, gas)


@pytest.mark.parametrize("code", sorted(OPERATIONS), ids=lambda code: PRAGUE_OPCODES[code].mnemonic)
def test_operation__edges__all_the_same(code: int) -> None:
    # What moves items does not look at them.
    edges = (0, 2**256 - 1) if op.PUSH0 <= code <= op.SWAP16 else EDGES
    for depth in (0, 15):
        below = b"".join(push(at) for at in range(depth))
        for upper, lower in product(edges, edges):
            # As bytes, too: what comes from memory is not a number yet.
            from_memory = push(upper) + bytes([op.PUSH0, op.MSTORE, op.PUSH0, op.MLOAD])
            for start in (b"", push(upper), push(lower) + push(upper), push(lower) + from_memory):
                program = below + start + bytes([code, op.JUMPDEST, op.JUMPDEST])
                assert run(QUICK, program) == run(PLAIN, program), program.hex()


@given(st.binary(max_size=80))
def test_find_destinations__any_bytes__as_py_evm_finds_them(code: bytes) -> None:
    stream = CodeStream(code)
    expected = {at for at, byte in enumerate(code) if byte == op.JUMPDEST and stream.is_valid_opcode(at)}
    assert find_destinations(code) == expected
