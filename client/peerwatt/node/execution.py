"""Calls and gas estimates: a transaction runs in a block that nobody keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eth.abc import BlockHeaderAPI, ComputationAPI, StateAPI
from eth.exceptions import OutOfGas, Revert
from eth.vm.forks.prague.state import PragueTransactionExecutor
from eth.vm.forks.prague.transactions import PragueTransactionBuilder
from eth.vm.spoof import SpoofTransaction
from eth_typing import Address
from eth_utils.exceptions import ValidationError

from peerwatt.node.chain import LocalChain, Selector
from peerwatt.node.errors import Reverted, RpcError

TRANSFER_GAS = 21_000
# A call passes on at most 63/64 of its gas (EIP-150), and a transfer of value needs a stipend on top.
STIPEND_GAS = 2_300
# An estimate may be this much above the least that works [%]; geth's tolerance.
TOLERANCE_PCT = 1.5

AccessList = tuple[tuple[Address, tuple[int, ...]], ...]


@dataclass(frozen=True)
class Call:
    """What a call or a transaction asks for; None leaves the choice to the node.

    Attributes:
        sender: who calls.
        to: receiver; empty creates a contract.
    """

    sender: Address
    to: Address
    data: bytes = b""
    value: int = 0
    gas: int | None = None
    nonce: int | None = None
    gas_price: int | None = None
    max_fee_per_gas: int | None = None
    max_priority_fee_per_gas: int | None = None
    access_list: AccessList = ()


def run_call(chain: LocalChain, call: Call, selector: Selector) -> bytes:
    """Returns what a call gives back; nothing is kept and nobody pays.

    Raises:
        RpcError: it reverts or can't be run.
    """
    header = _free(chain.header_for(selector))
    computation = _execute(chain.state_in(header), header, call, min(call.gas or header.gas_limit, header.gas_limit))
    raise_if_failed(computation)
    return bytes(computation.output)


def estimate_gas(chain: LocalChain, call: Call, selector: Selector) -> int:
    """Gas that a transaction needs, with what it passes on to others and a stipend on top.

    Raises:
        RpcError: it fails however much gas it gets.
    """
    header = _free(chain.header_for(selector))
    limit = min(call.gas or header.gas_limit, header.gas_limit)

    def attempt(gas: int) -> ComputationAPI:
        return _execute(chain.state_in(header), header, call, gas)

    if not call.data and call.to and not chain.state_in(header).get_code(call.to) and limit >= TRANSFER_GAS:
        raise_if_failed(attempt(TRANSFER_GAS))
        return TRANSFER_GAS
    computation = attempt(limit)
    raise_if_failed(computation)
    least = _gas_before_refund(computation, call, limit)
    likely = min((least + STIPEND_GAS) * 64 // 63, limit)
    if not attempt(likely).is_error:
        return likely
    low, high = likely, limit
    while high - low > low * TOLERANCE_PCT / 100:
        # Most transactions need little more than they use, so the middle is taken nearer to the lower end.
        middle = min((low + high) // 2, low * 2)
        if attempt(middle).is_error:
            low = middle
        else:
            high = middle
    return high


def raise_if_failed(computation: ComputationAPI) -> None:
    """Turns the failure of a computation into the answer that clients expect.

    Raises:
        RpcError: it failed.
    """
    if not computation.is_error:
        return
    error = computation.error
    if isinstance(error, Revert):
        raise Reverted(bytes(computation.output))
    if isinstance(error, OutOfGas):
        raise RpcError("out of gas; give the transaction more")
    raise RpcError(f"EVM error {type(error).__name__}: {error}")


def _free(header: BlockHeaderAPI) -> BlockHeaderAPI:
    """The same block without a base fee, in which a transaction at price zero is valid."""
    return header.copy(base_fee_per_gas=0)


def _execute(state: StateAPI, header: BlockHeaderAPI, call: Call, gas: int) -> ComputationAPI:
    unsigned = PragueTransactionBuilder.new_unsigned_dynamic_fee_transaction(
        chain_id=state.execution_context.chain_id,
        nonce=state.get_nonce(call.sender),
        max_priority_fee_per_gas=0,
        max_fee_per_gas=0,
        gas=gas,
        to=call.to,
        value=call.value,
        data=call.data,
        access_list=call.access_list,
    )
    if gas < unsigned.intrinsic_gas:
        raise RpcError(f"intrinsic gas too low: gas {gas}, minimum needed {unsigned.intrinsic_gas}")
    balance = state.get_balance(call.sender)
    if balance < call.value:
        raise RpcError(f"insufficient funds for transfer: balance {balance}, value {call.value}")
    transaction: Any = SpoofTransaction(unsigned, from_=call.sender)
    try:
        return state.apply_transaction(transaction)
    except ValidationError as error:
        raise RpcError(f"the transaction is not valid: {error}") from error


def _gas_before_refund(computation: ComputationAPI, call: Call, gas: int) -> int:
    floor: Any = PragueTransactionExecutor.calc_data_floor_gas
    return int(max(gas - computation.get_gas_remaining(), floor(call, 0, 0)))
