"""The methods that docs/node.md lists: web3.py calls each one on the eth-tester engine; anvil knows those it should."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct, encode_typed_data
from hexbytes import HexBytes
from web3 import Web3
from web3.types import RPCEndpoint

from e2e.tools import ROOT, RunningNode
from peerwatt.node.accounts import BALANCE_WEI, dev_accounts
from peerwatt.node.methods import METHODS

A, B, C = dev_accounts()[:3]
ROW = re.compile(r"^\| `(\w+)` \| (yes|no) \| (yes|no) \| ?(.*?) ?\|$", re.MULTILINE)
ALIAS = re.compile(r"`((?:evm|anvil|hardhat)_\w+)`")
METHOD_NOT_FOUND = -32601
# Emits LOG1 with topic 1.
LOGGER = "0x67600160006000a10060005260086018f3"
TYPED = {
    "types": {
        "EIP712Domain": [{"name": "name", "type": "string"}],
        "Hello": [{"name": "energy_wh", "type": "uint256"}],
    },
    "primaryType": "Hello",
    "domain": {"name": "peerwatt"},
    "message": {"energy_wh": 7},
}


def table() -> dict[str, tuple[bool, bool]]:
    """Method -> (on eth-tester, on anvil), aliases that a remark names included."""
    text = (ROOT / "docs" / "node.md").read_text(encoding="utf-8")
    found: dict[str, tuple[bool, bool]] = {}
    for method, here, anvil, remark in ROW.findall(text):
        for name in (method, *ALIAS.findall(remark.partition(";")[0] if remark.startswith("also") else "")):
            assert name not in found, f"{name} is in the table twice"
            found[name] = (here == "yes", anvil == "yes")
    return found


TABLE = table()


@dataclass
class Scene:
    """A chain with a payment and a contract that logs.

    Attributes:
        payment, logged: hashes of transactions.
        block: hash of the block with the log.
        contract: address.
    """

    w3: Web3
    payment: HexBytes
    logged: HexBytes
    block: HexBytes
    contract: str

    def rpc(self, method: str, *params: Any) -> Any:
        answer = self.w3.provider.make_request(RPCEndpoint(method), list(params))
        assert "error" not in answer, answer
        return answer["result"]


@pytest.fixture(scope="module")
def scene(eth_tester_chain: RunningNode) -> Scene:
    w3 = eth_tester_chain.w3
    eth = w3.eth
    payment = eth.send_transaction({"from": A.address, "to": B.address, "value": 5})
    created = eth.wait_for_transaction_receipt(eth.send_transaction({"from": A.address, "data": LOGGER}))
    contract = created["contractAddress"]
    logged = eth.send_transaction({"from": A.address, "to": contract})
    block = eth.get_transaction_receipt(logged)["blockHash"]
    return Scene(w3, payment, logged, block, str(contract))


def signed(scene: Scene, nonce: int) -> HexBytes:
    fields = {"to": B.address, "value": 1, "gas": 21_000, "gasPrice": 10**10, "nonce": nonce, "chainId": 31337}
    return Account.sign_transaction(fields, C.key).raw_transaction


def travels(scene: Scene, act: Callable[[], Any], least_s: int) -> bool:
    before = scene.w3.eth.get_block("latest")["timestamp"]
    act()
    scene.rpc("evm_mine")
    return bool(scene.w3.eth.get_block("latest")["timestamp"] >= before + least_s)


def mines(scene: Scene, method: str, blocks: int, *params: Any) -> bool:
    before = scene.w3.eth.block_number
    scene.rpc(method, *params)
    return scene.w3.eth.block_number == before + blocks


def reverts(scene: Scene, take: str, back: str) -> bool:
    mark = scene.rpc(take)
    before = scene.w3.eth.block_number
    scene.rpc("evm_mine")
    return bool(scene.rpc(back, mark) is True and scene.w3.eth.block_number == before)


def has(scene: Scene, method: str, read: Callable[[str], Any], value: Any, *params: Any) -> bool:
    account = Account.create().address
    scene.rpc(method, account, *params)
    return bool(read(account) == value)


def sends_without_key(scene: Scene, method: str, stop: str, on: Any, off: Any) -> bool:
    account = Account.create().address
    scene.rpc("anvil_setBalance", account, hex(10**18))
    scene.rpc(method, on or account)
    sent = scene.w3.eth.send_transaction({"from": account, "to": B.address, "gas": 21_000})
    scene.rpc(stop, account if off is None else off)
    refused = scene.w3.provider.make_request(RPCEndpoint("eth_sendTransaction"), [{"from": account, "to": B.address}])
    return scene.w3.eth.get_transaction(sent)["from"] == account and refused["error"]["code"] == -32000


def automines(scene: Scene, method: str, read: str) -> bool:
    scene.rpc(method, False)
    off = scene.rpc(read)
    sent = scene.w3.eth.send_transaction({"from": A.address, "to": B.address, "gas": 21_000})
    waiting = scene.w3.eth.get_transaction(sent)["blockNumber"] is None
    waits = scene.rpc("txpool_status") == {"pending": "0x1", "queued": "0x0"}
    scene.rpc(method, True)
    scene.rpc("evm_mine")
    return waiting and waits and off is False and scene.rpc(read) is True


def keeps_interval(scene: Scene) -> bool:
    scene.rpc("anvil_setBlockTimestampInterval", 77)
    scene.rpc("anvil_mine", 2)
    times = [scene.w3.eth.get_block(scene.w3.eth.block_number - back)["timestamp"] for back in (0, 1)]
    return times[0] - times[1] == 77 and scene.rpc("anvil_removeBlockTimestampInterval") is True


def ahead(scene: Scene, span_s: int) -> int:
    return int(scene.w3.eth.get_block("latest")["timestamp"]) + span_s


def watched(scene: Scene, filter_: Any, act: Callable[[], Any]) -> list[Any]:
    act()
    return list(filter_.get_new_entries())


EXAMPLES: dict[str, Callable[[Scene], Any]] = {
    "web3_clientVersion": lambda s: s.w3.client_version.startswith("peerwatt/"),
    "web3_sha3": lambda s: s.rpc("web3_sha3", "0x1234") == Web3.to_hex(Web3.keccak(hexstr="0x1234")),
    "net_version": lambda s: s.w3.net.version == "31337",
    "net_listening": lambda s: s.w3.net.listening is True,
    "net_peerCount": lambda s: s.w3.net.peer_count == 0,
    "eth_chainId": lambda s: s.w3.eth.chain_id == 31337,
    "eth_syncing": lambda s: s.w3.eth.syncing is False,
    "eth_accounts": lambda s: s.w3.eth.accounts == [one.address for one in dev_accounts()],
    "eth_requestAccounts": lambda s: s.rpc("eth_requestAccounts") == s.rpc("eth_accounts"),
    "eth_coinbase": lambda s: int(s.rpc("eth_coinbase"), 16) == 0,
    "eth_blockNumber": lambda s: s.w3.eth.block_number >= 3,
    "eth_gasPrice": lambda s: s.w3.eth.gas_price == s.w3.eth.get_block("pending")["baseFeePerGas"] + 10**9,
    "eth_maxPriorityFeePerGas": lambda s: s.w3.eth.max_priority_fee == 10**9,
    "eth_blobBaseFee": lambda s: s.rpc("eth_blobBaseFee") == "0x1",
    "eth_feeHistory": lambda s: [
        len(s.w3.eth.fee_history(3, "latest", [10, 50])[key]) for key in ("baseFeePerGas", "gasUsedRatio", "reward")
    ]
    == [4, 3, 3],
    "eth_getBlockByNumber": lambda s: s.w3.eth.get_block(3)["hash"] == s.block,
    "eth_getBlockByHash": lambda s: s.w3.eth.get_block(s.block, True)["transactions"][0]["hash"] == s.logged,
    "eth_getBlockTransactionCountByNumber": lambda s: s.w3.eth.get_block_transaction_count(3) == 1,
    "eth_getBlockTransactionCountByHash": lambda s: s.w3.eth.get_block_transaction_count(s.block) == 1,
    "eth_getUncleCountByBlockNumber": lambda s: s.rpc("eth_getUncleCountByBlockNumber", "0x3") == "0x0",
    "eth_getUncleCountByBlockHash": lambda s: s.rpc("eth_getUncleCountByBlockHash", Web3.to_hex(s.block)) == "0x0",
    "eth_getBlockReceipts": lambda s: s.w3.eth.get_block_receipts(3)[0]["transactionHash"] == s.logged,
    "eth_getTransactionByHash": lambda s: s.w3.eth.get_transaction(s.payment)["value"] == 5,
    "eth_getTransactionByBlockNumberAndIndex": lambda s: s.w3.eth.get_transaction_by_block(3, 0)["hash"] == s.logged,
    "eth_getTransactionByBlockHashAndIndex": lambda s: s.w3.eth.get_transaction_by_block(s.block, 0)["hash"]
    == s.logged,
    "eth_getRawTransactionByHash": lambda s: Web3.keccak(s.w3.eth.get_raw_transaction(s.payment)) == s.payment,
    "eth_getTransactionReceipt": lambda s: len(s.w3.eth.get_transaction_receipt(s.logged)["logs"]) == 1,
    "eth_getTransactionCount": lambda s: s.w3.eth.get_transaction_count(A.address) >= 3,
    "eth_getBalance": lambda s: s.w3.eth.get_balance(A.address, 0) == BALANCE_WEI,
    "eth_getCode": lambda s: s.w3.eth.get_code(s.contract).hex() == "600160006000a100",
    "eth_getStorageAt": lambda s: s.w3.eth.get_storage_at(s.contract, 0) == bytes(32),
    "eth_getProof": lambda s: s.w3.eth.get_proof(s.contract, [0], "latest")["nonce"] == 1,
    "eth_call": lambda s: s.w3.eth.call({"data": "0x4660005260206000f3"}) == (31337).to_bytes(32, "big"),
    "eth_estimateGas": lambda s: s.w3.eth.estimate_gas({"from": A.address, "to": B.address}) == 21_000,
    "eth_sendTransaction": lambda s: s.w3.eth.send_transaction({"from": B.address, "to": A.address}),
    "eth_sendRawTransaction": lambda s: s.w3.eth.send_raw_transaction(signed(s, 0)),
    "eth_signTransaction": lambda s: Account.recover_transaction(
        s.rpc("eth_signTransaction", {"from": A.address, "to": B.address, "gas": "0x5208"})
    )
    == A.address,
    "eth_sign": lambda s: Account.recover_message(
        encode_defunct(hexstr="0x12"), signature=s.w3.eth.sign(A.address, hexstr="0x12")
    )
    == A.address,
    "personal_sign": lambda s: s.rpc("personal_sign", "0x12", A.address) == s.rpc("eth_sign", A.address, "0x12"),
    "eth_signTypedData_v4": lambda s: Account.recover_message(
        encode_typed_data(full_message=TYPED), signature=s.rpc("eth_signTypedData_v4", A.address, TYPED)
    )
    == A.address,
    "eth_signTypedData": lambda s: s.rpc("eth_signTypedData", A.address, TYPED)
    == s.rpc("eth_signTypedData_v4", A.address, TYPED),
    "eth_getLogs": lambda s: len(s.w3.eth.get_logs({"fromBlock": 0, "address": s.contract})) == 1,
    "eth_newFilter": lambda s: s.w3.eth.filter({"fromBlock": 0}).filter_id,
    "eth_newBlockFilter": lambda s: len(watched(s, s.w3.eth.filter("latest"), lambda: s.rpc("evm_mine"))) == 1,
    "eth_newPendingTransactionFilter": lambda s: len(
        watched(
            s,
            s.w3.eth.filter("pending"),
            lambda: s.w3.eth.send_transaction({"from": A.address, "to": B.address}),
        )
    )
    == 1,
    "eth_getFilterChanges": lambda s: len(
        watched(
            s,
            s.w3.eth.filter({"address": s.contract}),
            lambda: s.w3.eth.send_transaction({"from": A.address, "to": s.contract}),
        )
    )
    == 1,
    "eth_getFilterLogs": lambda s: len(s.w3.eth.filter({"fromBlock": 3, "toBlock": 3}).get_all_entries()) == 1,
    "eth_uninstallFilter": lambda s: s.w3.eth.uninstall_filter(s.w3.eth.filter("latest").filter_id) is True,
    "txpool_status": lambda s: s.rpc("txpool_status") == {"pending": "0x0", "queued": "0x0"},
    "evm_mine": lambda s: mines(s, "evm_mine", 1)
    and mines(s, "evm_mine", 1, ahead(s, 9))
    and mines(s, "evm_mine", 3, {"timestamp": ahead(s, 9), "blocks": 3}),
    "anvil_setBlockTimestampInterval": keeps_interval,
    "anvil_removeBlockTimestampInterval": keeps_interval,
    "anvil_autoImpersonateAccount": lambda s: sends_without_key(
        s, "anvil_autoImpersonateAccount", "anvil_autoImpersonateAccount", True, False
    ),
}
for space in ("anvil", "hardhat"):
    EXAMPLES |= {
        f"{space}_mine": lambda s, n=f"{space}_mine": mines(s, n, 1) and mines(s, n, 3, "0x3", "0x10"),
        f"{space}_getAutomine": lambda s, n=f"{space}_getAutomine": automines(s, "evm_setAutomine", n),
        f"{space}_setBalance": lambda s, n=f"{space}_setBalance": has(s, n, s.w3.eth.get_balance, 7, "0x7"),
        f"{space}_setCode": lambda s, n=f"{space}_setCode": has(s, n, s.w3.eth.get_code, b"\x00\x01", "0x0001"),
        f"{space}_setStorageAt": lambda s, n=f"{space}_setStorageAt": has(
            s, n, lambda who: s.w3.eth.get_storage_at(who, 2), b"\x01" * 32, "0x2", "0x" + "01" * 32
        ),
        f"{space}_impersonateAccount": lambda s, n=space: sends_without_key(
            s, f"{n}_impersonateAccount", f"{n}_stopImpersonatingAccount", None, None
        ),
    }
    EXAMPLES[f"{space}_stopImpersonatingAccount"] = EXAMPLES[f"{space}_impersonateAccount"]
for name in ("evm_increaseTime", "anvil_increaseTime"):
    EXAMPLES[name] = lambda s, n=name: travels(s, lambda: s.rpc(n, 600), 600)
for name in ("evm_setNextBlockTimestamp", "anvil_setNextBlockTimestamp"):
    EXAMPLES[name] = lambda s, n=name: travels(s, lambda: s.rpc(n, ahead(s, 500)), 500)
for name in ("evm_setAutomine", "anvil_setAutomine"):
    EXAMPLES[name] = lambda s, n=name: automines(s, n, "anvil_getAutomine")
for name in ("anvil_setNonce", "hardhat_setNonce", "evm_setAccountNonce"):
    EXAMPLES[name] = lambda s, n=name: has(s, n, s.w3.eth.get_transaction_count, 9, "0x9")
for space in ("evm", "anvil"):
    EXAMPLES[f"{space}_snapshot"] = EXAMPLES[f"{space}_revert"] = lambda s, n=space: reverts(
        s, f"{n}_snapshot", f"{n}_revert"
    )


def test_table__of_the_eth_tester_engine__is_complete() -> None:
    assert {method for method, (here, _) in TABLE.items() if here} == set(METHODS) == set(EXAMPLES)


@pytest.mark.parametrize("method", EXAMPLES)
def test_method__on_eth_tester__does_what_web3_expects(scene: Scene, method: str) -> None:
    assert EXAMPLES[method](scene)


def test_method__that_the_table_denies__is_not_found(scene: Scene) -> None:
    denied = [method for method, (here, _) in TABLE.items() if not here]
    assert len(denied) > 10
    for method in denied:
        error = scene.w3.provider.make_request(RPCEndpoint(method), [])["error"]
        assert error["code"] == METHOD_NOT_FOUND
        assert method in error["message"] and "docs/node.md" in error["message"]


def test_methods__on_anvil__are_those_of_the_table(start_node: Callable[..., RunningNode]) -> None:
    w3 = start_node("anvil").w3
    for method, (_, anvil) in TABLE.items():
        error: Any = w3.provider.make_request(RPCEndpoint(method), []).get("error")
        assert (error is None or error["code"] != METHOD_NOT_FOUND) is anvil, method
