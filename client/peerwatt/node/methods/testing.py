"""What only a local chain can do: travel in time, take snapshots, change the state by hand."""

from __future__ import annotations

from typing import Any

from peerwatt.node.encode import quantity
from peerwatt.node.errors import InvalidParams
from peerwatt.node.methods.registry import Node, method
from peerwatt.node.params import read_address, read_data, read_quantity

# A request that mines more would keep everybody else waiting.
MAX_BLOCKS = 10_000


@method("evm_increaseTime", "anvil_increaseTime")
def increase_time(node: Node, seconds: Any) -> int:
    node.chain.clock.advance(read_quantity(seconds, "the time"), int(node.chain.head.timestamp))
    return node.chain.clock.offset_s


@method("evm_setNextBlockTimestamp", "anvil_setNextBlockTimestamp")
def set_next_block_timestamp(node: Node, timestamp: Any) -> None:
    node.chain.set_next_time(read_quantity(timestamp, "the timestamp"))


@method("anvil_setBlockTimestampInterval")
def set_block_timestamp_interval(node: Node, seconds: Any) -> None:
    interval_s = read_quantity(seconds, "the interval")
    if interval_s == 0:
        raise InvalidParams("the interval is 0; blocks are at least a second apart")
    node.chain.clock.interval_s = interval_s


@method("anvil_removeBlockTimestampInterval")
def remove_block_timestamp_interval(node: Node) -> bool:
    removed = node.chain.clock.interval_s is not None
    node.chain.clock.interval_s = None
    return removed


@method("evm_mine")
def mine(node: Node, options: Any = None) -> str:
    blocks = 1
    if isinstance(options, dict):
        blocks = _count(options.get("blocks") or 1)
        options = options.get("timestamp")
    for number in range(blocks):
        node.chain.mine(read_quantity(options, "the timestamp") if options is not None and number == 0 else None)
    return "0x0"


@method("anvil_mine", "hardhat_mine")
def mine_many(node: Node, blocks: Any = 1, interval: Any = None) -> None:
    step_s = 0 if interval is None else read_quantity(interval, "the interval")
    for _ in range(_count(1 if blocks is None else blocks)):
        if node.chain.clock.exact_s is None:
            node.chain.clock.advance(step_s, int(node.chain.head.timestamp))
        node.chain.mine()


def _count(blocks: Any) -> int:
    count = read_quantity(blocks, "the number of blocks")
    if count > MAX_BLOCKS:
        raise InvalidParams(f"{count} blocks are too many for one request; mine at most {MAX_BLOCKS}")
    return count


@method("evm_setAutomine", "anvil_setAutomine")
def set_automine(node: Node, on: Any) -> bool:
    node.chain.automine = bool(on)
    return True


@method("anvil_getAutomine", "hardhat_getAutomine")
def get_automine(node: Node) -> bool:
    return node.chain.automine


@method("evm_snapshot", "anvil_snapshot")
def snapshot(node: Node) -> str:
    return quantity(node.chain.snapshot())


@method("evm_revert", "anvil_revert")
def revert(node: Node, mark: Any) -> bool:
    done = node.chain.revert(read_quantity(mark, "the snapshot"))
    node.watches.rewind()
    return done


@method("anvil_setBalance", "hardhat_setBalance")
def set_balance(node: Node, account: Any, wei: Any) -> None:
    who, amount = read_address(account), read_quantity(wei, "the balance")
    node.chain.edit(lambda state: state.set_balance(who, amount))


@method("anvil_setNonce", "hardhat_setNonce", "evm_setAccountNonce")
def set_nonce(node: Node, account: Any, nonce: Any) -> None:
    who, number = read_address(account), read_quantity(nonce, "the nonce")
    node.chain.edit(lambda state: state.set_nonce(who, number))


@method("anvil_setCode", "hardhat_setCode")
def set_code(node: Node, account: Any, code: Any) -> None:
    who, content = read_address(account), read_data(code, "the code")
    node.chain.edit(lambda state: state.set_code(who, content))


@method("anvil_setStorageAt", "hardhat_setStorageAt")
def set_storage_at(node: Node, account: Any, slot: Any, value: Any) -> bool:
    who, position = read_address(account), read_quantity(slot, "the slot")
    content = int.from_bytes(read_data(value, "the value", 32), "big")
    node.chain.edit(lambda state: state.set_storage(who, position, content))
    return True


@method("anvil_impersonateAccount", "hardhat_impersonateAccount")
def impersonate(node: Node, account: Any) -> None:
    node.impersonated.add(read_address(account))


@method("anvil_stopImpersonatingAccount", "hardhat_stopImpersonatingAccount")
def stop_impersonating(node: Node, account: Any) -> None:
    node.impersonated.discard(read_address(account))


@method("anvil_autoImpersonateAccount")
def impersonate_all(node: Node, on: Any) -> None:
    node.impersonate_all = bool(on)
