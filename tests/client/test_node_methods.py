"""The eth-tester engine without HTTP: calls, estimates, transactions of every type, logs, proofs, odd parameters."""

from __future__ import annotations

from typing import Any

import pytest
import rlp
from eth.rlp.accounts import Account as StoredAccount
from eth_account import Account
from eth_utils.crypto import keccak
from trie import HexaryTrie

from peerwatt.node.accounts import dev_accounts
from peerwatt.node.chain import LocalChain
from peerwatt.node.errors import InternalError, InvalidParams, MethodNotFound, Reverted, RpcError, decode_reason
from peerwatt.node.methods import METHODS, Node

A, B = (account.address for account in dev_accounts()[:2])
KEY = dev_accounts()[0].key
# Runtime code: returns what the comment says.
EMPTY_SLOT = "0x" + "00" * 32


def word(number: int) -> str:
    return f"{number:064x}"


def init_code(runtime: str) -> str:
    """Code that deploys a program of less than 256 bytes."""
    size = len(runtime) // 2
    return f"0x60{size:02x}600a5f3960{size:02x}5ff3{runtime}"


# Emits LOG2 with topics from the first two words of its input, and stores the second in slot 0.
LOGGER = "6020355f355f5fa26020355f5500"


@pytest.fixture
def node() -> Node:
    return Node(LocalChain())


def rpc(node: Node, method: str, *params: Any) -> Any:
    return node.answer(method, list(params))


def deploy(node: Node, runtime: str) -> str:
    sent = rpc(node, "eth_sendTransaction", {"from": A, "data": init_code(runtime)})
    receipt = rpc(node, "eth_getTransactionReceipt", sent)
    assert receipt["status"] == "0x1" and rpc(node, "eth_getCode", receipt["contractAddress"]) == "0x" + runtime
    return str(receipt["contractAddress"])


def error_of(node: Node, method: str, *params: Any) -> RpcError:
    with pytest.raises(RpcError) as caught:
        rpc(node, method, *params)
    return caught.value


def reverting(data: str) -> str:
    """A program that reverts with these data, its own tail."""
    size = len(data) // 2
    return f"60{size:02x}600a5f3960{size:02x}5ffd{data}"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("08c379a0" + word(32) + word(8) + b"too late".hex().ljust(64, "0"), "too late"),
        ("4e487b71" + word(0x11), "panic code 0x11"),
        ("", None),
        ("12345678", None),
        ("08c379a0" + word(32) + word(99), None),
        ("08c379a0" + word(32) + word(1) + "ff".ljust(64, "0"), None),
    ],
)
def test_revert__every_kind_of_data__code_3_with_reason_and_data(node: Node, data: str, reason: str | None) -> None:
    contract = deploy(node, reverting(data))
    for method in ("eth_call", "eth_estimateGas"):
        error = error_of(node, method, {"from": A, "to": contract})
        assert isinstance(error, Reverted)
        message = "execution reverted" if reason is None else f"execution reverted: {reason}"
        assert error.to_json() == {"code": 3, "message": message, "data": "0x" + data}
    assert decode_reason(bytes.fromhex(data)) == reason
    sent = rpc(node, "eth_sendTransaction", {"from": A, "to": contract, "gas": "0xffff"})
    assert rpc(node, "eth_getTransactionReceipt", sent)["status"] == "0x0"


def test_call__other_failures__are_named(node: Node) -> None:
    assert "InvalidInstruction" in str(error_of(node, "eth_call", {"to": deploy(node, "fe")}))
    looping = deploy(node, "5b5f56")
    assert "out of gas" in str(error_of(node, "eth_call", {"to": looping, "gas": "0x7530"}))
    assert "intrinsic gas too low" in str(error_of(node, "eth_call", {"to": B, "gas": "0x5207"}))
    assert "insufficient funds for transfer" in str(
        error_of(node, "eth_call", {"from": looping, "to": B, "value": "0x1"})
    )
    assert "insufficient funds for transfer" in str(
        error_of(node, "eth_estimateGas", {"from": A, "to": B, "value": hex(10**24)})
    )
    assert "no state overrides" in str(error_of(node, "eth_call", {"to": B}, "latest", {B: {"balance": "0x1"}}))


def test_call__from_nobody_or_a_contract__needs_no_money(node: Node) -> None:
    caller = deploy(node, "335f5260205ff3")
    assert rpc(node, "eth_call", {"from": caller, "to": caller}) == "0x" + caller[2:].lower().rjust(64, "0")
    assert rpc(node, "eth_call", {"to": caller, "gasPrice": "0xffffffffff"}) == EMPTY_SLOT


def test_estimate__gas_it_names__is_enough_and_not_much_more(node: Node) -> None:
    # Stores to six fresh slots, and clears one of them for a refund.
    inner = deploy(node, "".join(f"600160{slot:02x}55" for slot in range(6)) + "5f5f55")
    # Calls it with 63/64 of its gas, and reverts if that was not enough.
    outer = deploy(node, f"5f5f5f5f5f73{inner[2:].lower()}5af115602157005b5ffd")
    # A refund gives back up to a fifth, but has to be paid first.
    for target, most in ((outer, 1.4), (inner, 1.4), (B, 1.0)):
        rpc(node, "anvil_setStorageAt", inner, "0x1", EMPTY_SLOT)
        needed = rpc(node, "eth_estimateGas", {"from": A, "to": target})
        sent = rpc(node, "eth_sendTransaction", {"from": A, "to": target, "gas": needed})
        receipt = rpc(node, "eth_getTransactionReceipt", sent)
        assert receipt["status"] == "0x1"
        assert int(receipt["gasUsed"], 16) <= int(needed, 16) <= most * int(receipt["gasUsed"], 16)


def test_send__types_0_1_2_and_4__in_a_block_each(node: Node) -> None:
    base = {"to": B, "value": 1, "gas": 60_000, "chainId": 31337}
    listed = {"accessList": [{"address": A, "storageKeys": ["0x" + "01" * 32]}]}
    fees = {"maxFeePerGas": 3 * 10**9, "maxPriorityFeePerGas": 10**9}
    authority = Account.from_key(dev_accounts()[2].key)
    signed = authority.sign_authorization({"chainId": 31337, "address": B, "nonce": 0})
    kinds: list[dict[str, Any]] = [
        {"gasPrice": 2 * 10**9},
        {"gasPrice": 2 * 10**9, **listed, "type": 1},
        {**fees, **listed},
        {**fees, "authorizationList": [signed]},
    ]
    for nonce, (kind, more) in enumerate(zip((0, 1, 2, 4), kinds, strict=True)):
        raw = Account.sign_transaction({**base, **more, "nonce": nonce}, KEY).raw_transaction.to_0x_hex()
        sent = rpc(node, "eth_sendRawTransaction", raw)
        seen, receipt = rpc(node, "eth_getTransactionByHash", sent), rpc(node, "eth_getTransactionReceipt", sent)
        assert (int(seen["type"], 16), receipt["type"], receipt["status"]) == (kind, seen["type"], "0x1")
        assert seen["from"] == receipt["from"] == A and rpc(node, "eth_getRawTransactionByHash", sent) == raw
        assert ("accessList" in seen, "yParity" in seen) == (kind > 0, kind > 0)
        assert rpc(node, "eth_getTransactionByBlockNumberAndIndex", "latest", "0x0") == seen
        assert rpc(node, "eth_getBlockByNumber", "latest", True)["transactions"] == [seen]
    assert rpc(node, "eth_getCode", authority.address) == "0xef0100" + B[2:].lower()
    blob = {**base, **fees, "maxFeePerBlobGas": 1, "blobVersionedHashes": ["0x01" + "00" * 31], "nonce": 4}
    raw = Account.sign_transaction(blob, KEY).raw_transaction.to_0x_hex()
    assert "blob transactions are not supported" in str(error_of(node, "eth_sendRawTransaction", raw))


def test_send__unlocked_and_impersonated__but_nobody_else(node: Node) -> None:
    stranger = "0x" + "12" * 20
    error = error_of(node, "eth_sendTransaction", {"from": stranger, "to": B})
    assert "the node has no key of it" in str(error) and "anvil_impersonateAccount" in str(error)
    rpc(node, "anvil_setBalance", stranger, hex(10**18))
    rpc(node, "anvil_impersonateAccount", stranger)
    sent = rpc(node, "eth_sendTransaction", {"from": stranger, "to": B, "value": "0x5"})
    assert rpc(node, "eth_getTransactionReceipt", sent)["from"].lower() == stranger
    assert "no key" in str(error_of(node, "eth_signTransaction", {"from": stranger, "to": B}))
    rpc(node, "anvil_stopImpersonatingAccount", stranger)
    assert "no key" in str(error_of(node, "eth_sendTransaction", {"from": stranger, "to": B}))
    rpc(node, "anvil_autoImpersonateAccount", True)
    assert rpc(node, "eth_sendTransaction", {"from": stranger, "to": B, "gasPrice": hex(10**9)})
    raw = rpc(node, "eth_signTransaction", {"from": A, "to": B, "value": "0x1", "accessList": []})
    assert Account.recover_transaction(raw) == A


def test_logs__any_filter__are_those_of_the_receipts(node: Node) -> None:
    contracts = [deploy(node, LOGGER), deploy(node, LOGGER)]
    watched = rpc(node, "eth_newFilter", {"address": contracts[0], "topics": [None, "0x" + word(2)]})
    rpc(node, "evm_setAutomine", False)
    for first in range(3):
        for second in range(3):
            for contract in contracts:
                data = "0x" + word(first) + word(second)
                rpc(node, "eth_sendTransaction", {"from": A, "to": contract, "data": data, "gas": "0x20000"})
        rpc(node, "evm_mine")
    height = int(rpc(node, "eth_blockNumber"), 16)
    receipts = [one for number in range(height + 1) for one in rpc(node, "eth_getBlockReceipts", hex(number))]
    every = [log for receipt in receipts for log in receipt["logs"]]
    assert len(every) == 18 == len({(log["blockNumber"], log["logIndex"]) for log in every})

    def topic(*numbers: int) -> list[str]:
        return ["0x" + word(number) for number in numbers]

    cases: list[tuple[dict[str, Any], Any]] = [
        ({}, lambda log: True),
        ({"address": contracts[1]}, lambda log: log["address"] == contracts[1]),
        ({"address": contracts}, lambda log: True),
        ({"topics": topic(1)}, lambda log: log["topics"][0] == topic(1)[0]),
        ({"topics": [None, *topic(1)]}, lambda log: log["topics"][1] == topic(1)[0]),
        ({"topics": [topic(0, 1), topic(2)]}, lambda log: log["topics"] in (topic(0, 2), topic(1, 2))),
        ({"topics": [None, None, None]}, lambda log: False),
        ({"topics": topic(7)}, lambda log: False),
        ({"topics": []}, lambda log: True),
    ]
    for fields, expected in cases:
        found = rpc(node, "eth_getLogs", {"fromBlock": "0x0", "toBlock": "latest", **fields})
        assert found == [log for log in every if expected(log)], fields
    number = hex(height - 1)
    block = rpc(node, "eth_getBlockByNumber", number)
    one = [log for log in every if log["blockNumber"] == number]
    assert rpc(node, "eth_getLogs", {"blockHash": block["hash"]}) == one != []
    assert rpc(node, "eth_getLogs", {"fromBlock": number, "toBlock": number}) == one
    assert rpc(node, "eth_getLogs", {}) == [log for log in every if log["blockNumber"] == hex(height)]
    wanted = [log for log in every if log["address"] == contracts[0] and log["topics"][1] == topic(2)[0]]
    assert rpc(node, "eth_getFilterChanges", watched) == wanted and len(wanted) == 3
    assert rpc(node, "eth_getFilterChanges", watched) == []
    assert rpc(node, "eth_uninstallFilter", watched) is True and rpc(node, "eth_uninstallFilter", watched) is False
    assert "filter not found" in str(error_of(node, "eth_getFilterChanges", watched))


def test_proof__of_account_and_slots__holds_against_the_state_root(node: Node) -> None:
    contract = deploy(node, LOGGER)
    rpc(node, "eth_sendTransaction", {"from": A, "to": contract, "data": "0x" + word(1) + word(77)})
    root = bytes.fromhex(rpc(node, "eth_getBlockByNumber", "latest")["stateRoot"][2:])

    def check(root: bytes, key: bytes, nodes: list[str]) -> bytes:
        return bytes(HexaryTrie.get_from_proof(root, keccak(key), [rlp.decode(bytes.fromhex(n[2:])) for n in nodes]))

    proof = rpc(node, "eth_getProof", contract, ["0x0", "0x1"], "latest")
    stored = rlp.decode(check(root, bytes.fromhex(contract[2:]), proof["accountProof"]), StoredAccount)
    assert stored.storage_root.hex() == proof["storageHash"][2:] and stored.code_hash.hex() == proof["codeHash"][2:]
    assert [entry["value"] for entry in proof["storageProof"]] == ["0x4d", "0x0"]
    for slot, entry in enumerate(proof["storageProof"]):
        found = check(stored.storage_root, slot.to_bytes(32, "big"), entry["proof"])
        assert (rlp.decode(found) if found else b"") == (b"\x4d" if slot == 0 else b"")
    nobody = rpc(node, "eth_getProof", "0x" + "77" * 20, [], "latest")
    assert (nobody["balance"], nobody["nonce"]) == ("0x0", "0x0") and nobody["accountProof"]


def test_state__of_every_block__can_be_read(node: Node) -> None:
    contract = deploy(node, LOGGER)
    for value in (5, 6):
        rpc(node, "eth_sendTransaction", {"from": A, "to": contract, "data": "0x" + word(0) + word(value)})
    for block, value in (("0x1", 0), ("0x2", 5), ("0x3", 6), ("latest", 6), ("safe", 6), ("pending", 6)):
        assert int(rpc(node, "eth_getStorageAt", contract, "0x0", block), 16) == value
    block_hash = rpc(node, "eth_getBlockByNumber", "0x2")["hash"]
    assert int(rpc(node, "eth_getStorageAt", contract, "0x0", {"blockHash": block_hash}), 16) == 5
    assert int(rpc(node, "eth_getStorageAt", contract, "0x0", {"blockNumber": "0x2"}), 16) == 5
    assert rpc(node, "eth_getCode", contract, "earliest") == "0x"
    rpc(node, "anvil_setStorageAt", contract, "0x0", "0x" + word(9))
    rpc(node, "anvil_setCode", B, "0x00")
    rpc(node, "anvil_setNonce", B, "0x9")
    assert int(rpc(node, "eth_getStorageAt", contract, "0x0"), 16) == 9
    assert (rpc(node, "eth_getCode", B), rpc(node, "eth_getTransactionCount", B)) == ("0x00", "0x9")
    assert "there is no block 99; the newest one is 3" in str(error_of(node, "eth_getBalance", A, "0x63"))


@pytest.mark.parametrize(
    ("method", "params", "words"),
    [
        ("eth_getBalance", [], r"eth_getBalance takes \(account, \[block\]\); got 0 parameters"),
        ("eth_blockNumber", [1, 2], r"eth_blockNumber takes \(\); got 2"),
        ("eth_getBalance", ["0x12"], "has 1 bytes; give 20"),
        ("eth_getBalance", [None], "the address is None"),
        ("eth_getBalance", [A, "newest"], "the block is 'newest'"),
        ("eth_getBalance", [A, True], "the block is True"),
        ("eth_getBalance", [A, "0x" + "f" * 70], "give a number"),
        ("eth_getBalance", [A, {"blockHash": "0x" + "00" * 32}], "no block with hash"),
        ("eth_getBlockByNumber", ["0x"], "the block is '0x'"),
        ("eth_call", ["0x"], "give an object"),
        ("eth_call", [{"to": A, "gass": "0x1"}], "transaction field 'gass'"),
        ("eth_call", [{"to": A, "data": "0x1"}], "give hex data"),
        ("eth_call", [{"to": A, "data": "0x11", "input": "0x12"}], "data and input differ"),
        ("eth_call", [{"to": A, "value": -1}], "value is -1"),
        ("eth_call", [{"to": A, "accessList": [{"address": 7}]}], "an address of accessList"),
        ("eth_sendTransaction", [{"from": A, "gasPrice": "0x1", "maxFeePerGas": "0x1"}], "exclude each other"),
        ("eth_getLogs", [{"fromblock": "0x1"}], "a filter has no field 'fromblock'"),
        ("eth_getLogs", [{"topics": ["0x12"]}], "a topic has 1 bytes"),
        ("eth_getLogs", [{"topics": [None] * 5}], "at most four"),
        ("eth_getLogs", [{"blockHash": "0x" + "00" * 32, "toBlock": "0x1"}], "either blockHash or"),
        ("eth_getLogs", [[]], "give an object"),
        ("eth_feeHistory", ["0x0"], "give 1 to 1024"),
        ("eth_sign", [A], "eth_sign takes"),
        ("eth_signTypedData_v4", [A, "{"], "can't be encoded"),
        ("evm_revert", ["x"], "the snapshot is 'x'"),
        ("anvil_setStorageAt", [A, "0x0", "0x1"], "give hex data"),
    ],
)
def test_parameters__wrong__are_refused_in_one_line(node: Node, method: str, params: list[Any], words: str) -> None:
    with pytest.raises(InvalidParams, match=words) as caught:
        node.answer(method, params)
    assert caught.value.to_json()["code"] == -32602 and "\n" not in str(caught.value)


def test_answer__unknown_method__names_it_and_the_table(node: Node) -> None:
    with pytest.raises(MethodNotFound, match=r"eth_mine does not exist .* docs/node.md lists"):
        node.answer("eth_mine", [])


def test_answer__fault_of_the_node__is_an_internal_error(
    node: Node, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(node: Node) -> None:
        raise ZeroDivisionError("of the test")

    monkeypatch.setitem(METHODS, "eth_broken", broken)
    with pytest.raises(InternalError, match=r"eth_broken failed \(ZeroDivisionError: of the test\)"):
        node.answer("eth_broken", [])
    assert "Traceback" in capsys.readouterr().err
