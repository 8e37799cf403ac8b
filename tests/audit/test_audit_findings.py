"""What a report says of a chain that is not what it must be: where, which field, and what is at stake."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from eth_utils.crypto import keccak

from audit.conftest import Audit
from audit.honest import Market, Node
from cli.village import ADA, BOLA, Home
from peerwatt.audit.encoding import event_name
from peerwatt.audit.readings import read_log, read_word, tell_apart
from peerwatt.audit.stakes import Stake
from peerwatt.audit.transport import RpcError
from peerwatt.market.words import WalletWord

Json = dict[str, Any]
RELAY = f"0x{keccak(text='relay(uint256[],bool)')[:4].hex()}"


def change_logs(change: Callable[[list[Json]], list[Json]]) -> Callable[[str, list[Any], Any], Any]:
    """A node that tells other logs of the market; its tokens' are as they are."""

    def lie(method: str, params: list[Any], answer: Any) -> Any:
        if method == "eth_getLogs" and isinstance(params[0]["address"], list):
            return change(answer)
        return answer

    return lie


def name_of(log: Json) -> str:
    return event_name(bytes.fromhex(log["topics"][0][2:]))


def add_to_word(event: str, value: int) -> Callable[[list[Json]], list[Json]]:
    """Adds to the last word of the first log of an event."""

    def change(logs: list[Json]) -> list[Json]:
        log = next(log for log in logs if name_of(log) == event)
        words = [int(log["data"][2 + at : 66 + at], 16) for at in range(0, len(log["data"]) - 2, 64)]
        words[-1] += value
        log["data"] = "0x" + "".join(f"{one:064x}" for one in words)
        return logs

    return change


def without(event: str) -> Callable[[list[Json]], list[Json]]:
    def change(logs: list[Json]) -> list[Json]:
        log = next(log for log in logs if name_of(log) == event)
        return [one for one in logs if one is not log]

    return change


def twice(event: str) -> Callable[[list[Json]], list[Json]]:
    """The event's log once more, in the place of the next one; all later ones move on."""

    def change(logs: list[Json]) -> list[Json]:
        at = next(at for at, log in enumerate(logs) if name_of(log) == event)
        later = [log for log in logs[at + 1 :] if log["transactionHash"] == logs[at]["transactionHash"]]
        for log in later:
            log["logIndex"] = hex(int(log["logIndex"], 16) + 1)
        copy = {**logs[at], "logIndex": hex(int(logs[at]["logIndex"], 16) + 1)}
        return [*logs[: at + 1], copy, *logs[at + 1 :]]

    return change


def with_topic(event: str, topic: str) -> Callable[[list[Json]], list[Json]]:
    def change(logs: list[Json]) -> list[Json]:
        next(log for log in logs if name_of(log) == event)["topics"][0] = topic
        return logs

    return change


CASES: dict[str, tuple[Callable[[list[Json]], list[Json]], str, str, Stake]] = {
    # 5 Wh in three windows; what a Wh reserves is 225 less 100 NGN/kWh.
    "order": (
        add_to_word("OrderPlaced", 5 << 104),
        f"OrderPlaced(account {ADA.account.lower()}): order.energy_wh 1000",
        f"OrderPlaced(account {ADA.account.lower()}): order.energy_wh 1005",
        Stake(15, 15 * 125_000),
    ),
    "wallet": (
        add_to_word("DueSettled", 1),
        f"DueSettled(account {BOLA.account.lower()}): wallet.balance 200190000",
        f"DueSettled(account {BOLA.account.lower()}): wallet.balance 200190001",
        Stake(2_000, 1),
    ),
    "growth": (
        add_to_word("ReportSettled", 1 << 32),
        f"ReportSettled(account {ADA.account.lower()}): growths (1200, 800, 0)",
        f"ReportSettled(account {ADA.account.lower()}): growths (1200, 801, 0)",
        Stake(1, 0),
    ),
    "clearing": (
        add_to_word("WindowCleared", 7),
        "): traded_wh 1000",
        "): traded_wh 1007",
        Stake(7, 7 * 140_500),
    ),
    "funds": (add_to_word("FundsCredited", 1), "FundsCredited: network ", "FundsCredited: network ", Stake(0, 1)),
    "dropped": (
        without("DueSettled"),
        f"DueSettled(account {BOLA.account.lower()}): ",
        "no such log; the next one is FundsCredited: balancing ",
        Stake(2_000, 299_810_000),
    ),
    "doubled": (
        twice("DueSettled"),
        "no such log; the next one is FundsCredited: balancing ",
        f"DueSettled(account {BOLA.account.lower()}): ",
        Stake(),
    ),
    "last one dropped": (without("FundsCredited"), "FundsCredited: balancing ", "no such log", Stake(0, 272_529_000)),
    # Nothing but its consequence shows that the transaction is hidden.
    "hidden": (without("OrderCancelled"), "WindowCleared(window ", "BookJumped(window ", Stake()),
    "unknown": (
        with_topic("DueSettled", "0x" + "12" * 32),
        f"DueSettled(account {BOLA.account.lower()}): ",
        f"unknown event 0x{'12' * 32}: topic 1 0x",
        Stake(2_000, 299_810_000),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_audit__other_logs__field_and_stake(audit: Audit, node: Node, case: str) -> None:
    change, expected, found, stake = CASES[case]
    node.lie = change_logs(change)
    divergence = audit("--json", expect=1).json["divergence"]
    assert expected in divergence["expected"] and found in divergence["found"]
    assert Stake(divergence["energy_wh"], divergence["amount"]) == stake
    assert divergence["transaction"].startswith("0x") and divergence["log_index"] is not None


def test_audit__divergence__spelled_out(audit: Audit, node: Node, tmp_path: Path) -> None:
    node.lie = change_logs(CASES["order"][0])
    page = tmp_path / "report.html"
    shown = audit("--html", page, expect=1).out
    assert shown.startswith(" VIOLATED\n This market is not what it must be, first in block ")
    assert "at stake 15 Wh and 1.875000 NGN" in shown
    assert re.search("where    block \\d+, transaction 0x[0-9a-f]{64}, log 0\n", shown)
    assert re.search("headers, transactions, replay and \\d+ more checks: the replay ended at its first", shown)
    text = page.read_text()
    assert "<p>This is not so, or not all of it: Every transaction of the market, done again" in text
    # All but promise 10, which is by design, and the identity of the contracts.
    assert text.count("<p>This was not checked, or not to its end: ") == 11
    assert 'id="divergence"' in text and "order.energy_wh 1005" in text and "15 Wh and 1.875000 NGN" in text


def test_audit__unsigned_order_accepted__what_it_would_cost(audit: Audit, node: Node) -> None:
    def forge(method: str, params: list[Any], answer: Any) -> Any:
        # Another meter key has signed the order: all of its energy is at stake.
        if method == "eth_getTransactionByHash" and answer["input"].startswith(RELAY):
            words = answer["input"][10:]
            answer["input"] = answer["input"][:10] + words.replace(words[-128:-64], "0" * 63 + "1")
        return answer

    node.lie = forge
    divergence = audit("--json", expect=1).json["divergence"]
    assert divergence["expected"] == "refused: signing: bad signature"
    assert divergence["found"].startswith(f"accepted, and logged OrderPlaced(account {ADA.account.lower()}): ")
    assert Stake(divergence["energy_wh"], divergence["amount"]) == Stake(3_000, 375_000_000)


@pytest.mark.parametrize(
    ("getter", "account", "bit", "field", "amount"),
    [
        ("wallets", ADA, 0, "balance", 1),
        ("orders", ADA, 104, "energy_wh", 3 * 125_000),
        ("balanceOf", None, 0, "value", 1),
    ],
)
def test_audit__storage_written_over__word_and_field(
    audit: Audit, market: Market, node: Node, getter: str, account: Home | None, bit: int, field: str, amount: int
) -> None:
    arguments = {"wallets": "(address)", "orders": "(address,uint256)", "balanceOf": "(address)"}[getter]
    holder = account.account if account else market.village.deployment.market
    start = f"0x{keccak(text=getter + arguments)[:4].hex()}{holder[2:].lower():0>64}"

    def lie(method: str, params: list[Any], answer: Any) -> Any:
        if method == "eth_call" and "to" not in params[0]:
            raise RpcError(-32602, "a call needs a receiver")
        if method == "eth_call" and params[0]["data"].startswith(start) and int(answer, 16):
            return f"0x{int(answer, 16) ^ 1 << bit:064x}"
        return answer

    node.lie = lie
    report = audit("--json", expect=1).json
    assert [check["name"] for check in report["checks"] if check["status"] == "violated"] == ["storage"]
    divergence = report["divergence"]
    assert re.search(rf"\.{getter}\({holder}.*\): {field} \d+$", divergence["found"], re.IGNORECASE)
    assert divergence["block"] == report["block"]["number"] and divergence["log_index"] is None
    assert divergence["amount"] == amount


def test_audit__transaction_of_somebody_else__place(audit: Audit, node: Node) -> None:
    def lie(method: str, params: list[Any], answer: Any) -> Any:
        if method == "eth_getTransactionByHash" and answer["input"].startswith(RELAY):
            answer["gas"] = hex(int(answer["gas"], 16) + 1)
        return answer

    node.lie = lie
    divergence = audit("--json", expect=1).json["divergence"]
    assert divergence["found"].endswith(": hash and sender do not follow from its content")
    assert divergence["transaction"] in divergence["found"] and f"block {divergence['block']}," in divergence["found"]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"block_hash": "0x" + "11" * 32}, "the manifest says 0x1111"),
        ({"code_hash": {}}, "the manifest says None"),
        ({"roles": "regulator"}, "the regulator was 0x"),
        ({"parameters": "price_step"}, "parameters.price_step is 0x"),
        ({"token": "registry"}, "parameters.token is 0x"),
    ],
    ids=["block", "code", "role", "price", "token"],
)
def test_audit__forged_manifest__violated(audit: Audit, manifest: Path, change: Json, text: str) -> None:
    fields = json.loads(manifest.read_text())
    ((key, value),) = change.items()
    if key == "roles":
        fields["roles"][value] = fields["roles"]["operator"]
    elif key == "parameters":
        fields["parameters"][value] += 1
    elif key == "token":
        fields["token"] = fields[value]
    else:
        fields[key] = value
    manifest.write_text(json.dumps(fields))
    report = audit("--json", expect=1).json
    assert report["verdict"] == "violated" and report["divergence"] is not None
    assert text in json.dumps(report)


# Fields


def test_read_log__no_log_of_the_market__raw() -> None:
    found = read_log([b"\x12" * 32, b"\x01" * 32], b"\xff")
    assert found.describe() == f"unknown event 0x{'12' * 32}: topic 1 0x{'01' * 32}, data 0xff"
    assert read_log([], b"").describe() == "a log without topics: data 0x"


def test_read_word__bits_that_nobody_sets__hex() -> None:
    word = WalletWord(5, 3, 0, True).encode()
    assert read_word("wallet", "wallets", word).fields == {"balance": 5, "reserved": 3, "score": 0, "rated": True}
    assert read_word("wallet", "wallets", 1 << 255).fields == {"value": hex(1 << 255)}


def test_tell_apart__one_field__only_that_one() -> None:
    one, two = (read_word("wallet", "wallets", WalletWord(5, reserved, 7, False).encode()) for reserved in (1, 2))
    assert tell_apart(one, two) == ("wallet: reserved 1", "wallet: reserved 2")
