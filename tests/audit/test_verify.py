"""Proof files: one that holds, and every way to change one."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from eth_utils.crypto import keccak

from audit.homes import (
    ADA,
    BOLA,
    CHIDI,
    Json,
    change,
    check,
    leaves,
    make_homes,
    proof_of,
    proof_text,
    seal,
    type_command,
    without,
)
from peerwatt.audit.evidence.file import BadFile, parse
from peerwatt.audit.evidence.slots import wallet_slot
from peerwatt.audit.participant import write_proof
from peerwatt.cli.commands.verify import EXIT_CODES

HOMES = (ADA, BOLA, CHIDI)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """No way out of this process."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "ada.json"
    path.write_text(proof_text(ADA))
    return path


@pytest.mark.parametrize("home", HOMES, ids=lambda home: home.name)
def test_verify__honest_file__holds(home: Any, offline: None) -> None:
    found = check(proof_of(home))
    assert (found.verdict, found.violations, found.incomplete) == ("holds", [], [])
    assert found.code and found.wallet and found.anchored == found.headers
    assert found.transactions == found.receipts == sum(len(block["transactions"]) for block in proof_of(home)["blocks"])
    assert found.story is not None and found.story.signatures >= 4


def test_verify__command__says_what_is_proven(file: Path, offline: None) -> None:
    code, out, err = type_command("verify", file, "--block-hash", make_homes().hash)
    assert (code, err) == (0, "")
    assert "the shipped market with these parameters" in out and "7 recovered" in out
    assert out.endswith("Every payment is proven against hashes from elsewhere\n")
    code, out, _ = type_command("verify", file, "--block-hash", make_homes().hash, "--json")
    data = json.loads(out)
    assert code == 0 and data["verdict"] == "holds" and data["participant"]["account"] == ADA.account.lower()
    assert len(data["participant"]["windows"]) == 6


def test_write_proof__file__is_the_one_verified(tmp_path: Path) -> None:
    homes = make_homes()
    path = tmp_path / "bola.json"
    written = write_proof(homes.explain(BOLA), homes.transport, path)
    assert json.loads(path.read_text()) == proof_of(BOLA)
    assert written["missing"] == [] and written["blocks"] == len(proof_of(BOLA)["blocks"])


def test_wallet_slot__of_the_contract__holds_its_word() -> None:
    homes = make_homes()
    market = homes.village.deployment.market
    for home in HOMES:
        stored = homes.village.w3.eth.get_storage_at(market, wallet_slot(home.account))  # type: ignore[arg-type]
        assert int.from_bytes(stored, "big") == homes.village.gateway.market.functions.wallets(home.account).call()


# Hashes from elsewhere


def test_verify__no_hash__incomplete(file: Path) -> None:
    code, out, _ = type_command("verify", file)
    assert code == 3 and "not proven: nothing says that 4" in out and "give --block-hash" in out


def test_verify__hash_of_another_block__violated(file: Path) -> None:
    code, out, _ = type_command("verify", file, "--block-hash", "0x" + "12" * 32)
    assert code == 1 and "VIOLATED: no block of the file has the hash 0x1212" in out and make_homes().hash in out


def test_verify__hash_of_an_earlier_block__later_ones_are_loose() -> None:
    earlier = proof_of(ADA)["blocks"][-1]["hash"]
    found = check(proof_of(ADA), [earlier])
    assert found.verdict == "incomplete" and 0 < found.anchored < found.headers


def test_verify__without_links__each_block_by_its_own_hash() -> None:
    content = make_homes().prove(ADA, links=0)
    assert content["links"] == []
    assert check(content).verdict == "incomplete"
    every = [make_homes().hash, *(block["hash"] for block in content["blocks"])]
    assert check(content, every).verdict == "holds"
    assert check(content, [every[0], *every[2:]]).verdict == "incomplete"


def test_verify__independent_node__compared() -> None:
    content = make_homes().prove(ADA, links=0)
    hashes = {int(make_homes().last): make_homes().hash}
    for block in content["blocks"]:
        raw = make_homes().transport.many([("eth_getBlockByHash", [block["hash"], False])])[0]
        hashes[int(raw["number"], 16)] = block["hash"]
    asked: list[int] = []

    def hash_of(number: int) -> str | None:
        asked.append(number)
        return hashes[number]

    assert check(content, [], hash_of).verdict == "holds"
    # Neighbours are known by their parents' hashes.
    assert set(asked) < set(hashes) and min(hashes) in asked
    assert check(content, [], lambda number: None).verdict == "incomplete"
    number = min(hashes)
    found = check(content, [], {**hashes, number: "0x" + "ab" * 32}.__getitem__)
    assert found.verdict == "violated" and found.violations[0].startswith(f"block {number} is 0x")


# Nodes that give less


def test_prove__receipts_one_by_one__holds() -> None:
    content = make_homes().prove(BOLA, transport=without("eth_getBlockReceipts"))
    assert content == proof_of(BOLA)


def test_prove__no_receipts__incomplete() -> None:
    node = without("eth_getBlockReceipts", "eth_getTransactionReceipt")
    content = make_homes().prove(BOLA, transport=node)
    found = check(content)
    assert found.verdict == "incomplete" and found.receipts == 0 and found.transactions == len(content["blocks"])
    assert any("its logs are told, not proven" in line for line in found.incomplete)
    # What was told is still followed.
    told = content["blocks"][1]["transactions"][0]["told"]["logs"][0]
    told["data"] = f"0x{int(told['data'], 16) + 1:064x}"
    assert check(seal(content)).verdict == "violated"


def test_prove__no_state__incomplete() -> None:
    found = check(make_homes().prove(BOLA, transport=without("eth_getProof")))
    assert found.verdict == "incomplete" and found.code is None and not found.wallet
    assert any("gives no proof of it" in line for line in found.incomplete)


# Tampering

ZERO = "0x" + "00" * 19 + "01"


def flip(text: str) -> str:
    """One hex digit changed, in the middle."""
    at = 2 + (len(text) - 2) // 2
    return text[:at] + f"{int(text[at], 16) ^ 1:x}" + text[at + 1 :]


def drop_entry(name: str, which: int = 0) -> Callable[[Json], Any]:
    """Leaves out the block with the first log of this name, or a later one."""

    def drop(content: Json) -> None:
        story = make_homes().explain(ADA).story
        places = [deed.place for deed in story.deeds if deed.name == name]
        number = (
            places[which].block_number if places else min(one.place.block_number for one in story.clearings.values())
        )
        raw = make_homes().transport.many([("eth_getBlockByNumber", [hex(number), False])])[0]
        left = [block for block in content["blocks"] if block["hash"] != raw["hash"]]
        gone = next(block for block in content["blocks"] if block["hash"] == raw["hash"])
        content["links"].append({"hash": gone["hash"], "header": gone["header"]})
        content["blocks"] = left

    return drop


def rehash(place: Callable[[Json], Json]) -> Callable[[Json], Any]:
    """A header changed, with the hash that it has then."""

    def forge(content: Json) -> None:
        entry = place(content)
        entry["header"] = flip(entry["header"])
        entry["hash"] = f"0x{keccak(bytes.fromhex(entry['header'][2:])).hex()}"

    return forge


def swap_receipts(content: Json) -> None:
    one, two = content["blocks"][4]["transactions"][0], content["blocks"][5]["transactions"][0]
    one["receipt"], two["receipt"] = two["receipt"], one["receipt"]


def tell_instead(content: Json) -> None:
    """A deposit that nobody made, told in the place of a proof."""
    entry = content["blocks"][1]["transactions"][0]
    market = content["market"]["market"].lower()
    topics = ["0x" + keccak(text="Deposited(address,uint256)").hex(), "0x" + content["account"][2:].rjust(64, "0")]
    log = {"address": market, "topics": topics, "data": f"0x{10**12:064x}"}
    told = {"hash": "0x" + "11" * 32, "from": content["account"], "to": market, "input": "0x", "logs": [log]}
    entry.update(receipt=None, told=told)


def set_value(*path: Any, value: Any) -> Callable[[Json], Any]:
    return lambda content: change(content, path, lambda _: value)


TAMPERINGS: dict[str, tuple[Callable[[Json], Any], str]] = {
    "withdrawal left out": (drop_entry("Withdrawn"), "balance of"),
    "deposit left out": (drop_entry("Deposited"), "balance of"),
    "order left out": (drop_entry("OrderPlaced"), "ReportSettled in block"),
    "cancel left out": (drop_entry("OrderCancelled", 1), "order|open"),
    "report left out": (drop_entry("ReportSettled"), "DueSettled in block"),
    "clearing left out": (drop_entry("WindowCleared"), "there is no clearing of it"),
    "enrolment left out": (drop_entry("ParticipantBound"), "OrderPlaced in block .*: meter is the zero address"),
    "block doubled": (lambda c: c["blocks"].insert(1, c["blocks"][1]), "one is there twice"),
    "blocks in another sequence": (lambda c: c["blocks"].reverse(), "not in the chain's sequence"),
    "transaction doubled": (
        lambda c: c["blocks"][3]["transactions"].append(c["blocks"][3]["transactions"][0]),
        "twice",
    ),
    "another index": (set_value("blocks", 2, "transactions", 0, "index", value=1), "does not lead|nothing with index"),
    "receipts swapped": (swap_receipts, "does not lead from the header's root"),
    "told instead of proven": (tell_instead, "balance of"),
    "proofs removed": (set_value("blocks", 2, "transactions", 0, "receipt", value=None), "neither a proof"),
    "another account": (set_value("account", value=BOLA.account), "do not lead|balance of"),
    "floor price": (set_value("market", "parameters", "floor_price", value=61_000), "the code of"),
    "report deadline": (set_value("market", "parameters", "report_deadline_seconds", value=1), "the code of"),
    "another chain": (set_value("market", "chain_id", value=1), "was signed by"),
    "another market": (set_value("market", "market", value=ZERO), "has no market at|do not lead"),
    "another token": (set_value("market", "token", value=ZERO), "the code of"),
    "another registry": (set_value("market", "registry", value=ZERO), "the code of"),
    "header of a block": (rehash(lambda c: c["blocks"][3]), "the one after it says"),
    "header between": (rehash(lambda c: c["links"][3]), "the one after it says"),
    "last header": (rehash(lambda c: c["last"]), "no block of the file has the hash"),
    "an earlier end": (lambda c: c.update(last=c["links"][-1]), "no block of the file has the hash|after its last"),
    "state of another account": (lambda c: c.update(state=proof_of(BOLA)["state"]), "do not lead|balance of"),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_verify__tampered__violated(name: str) -> None:
    tamper, words = TAMPERINGS[name]
    content = proof_of(ADA)
    tamper(content)
    assert content != proof_of(ADA)
    found = check(seal(content))
    assert found.verdict == "violated" and found.exit_code == 1
    assert re.search(words, "\n".join(found.violations)), found.violations


@pytest.mark.parametrize("name", ["a link", "the state"])
def test_verify__something_left_out__incomplete(name: str) -> None:
    content = proof_of(ADA)
    if name == "a link":
        del content["links"][5]
    else:
        content["state"] = None
    found = check(seal(content))
    assert (found.verdict, found.exit_code) == ("incomplete", 3)


# A proof of anything depends on neither: they matter to the two accounts that are the utility's and the network's.
HARMLESS = {"format", "digest", "balancing_account", "network_account"}


def test_verify__any_string_changed__never_holds() -> None:
    places = leaves(proof_of(CHIDI))
    assert len(places) > 60
    for path in places:
        content = proof_of(CHIDI)
        if path[-1] in HARMLESS:
            continue
        change(content, path, flip)
        try:
            found = check(seal(content))
        except BadFile:
            continue
        assert found.verdict == "violated", path


def test_verify__digest__covers_what_nothing_else_does() -> None:
    for path in leaves(proof_of(CHIDI)):
        if path[-1] in HARMLESS - {"format"}:
            found = check(change(proof_of(CHIDI), path, lambda text: text[:-1] + f"{int(text[-1], 16) ^ 1:x}"))
            assert found.violations[0].startswith("the file's content has the digest")


# Files that are none


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda text: text[: len(text) // 2], "is no proof file"),
        (lambda text: "", "is no proof file"),
        (lambda text: "[]", "is no proof file; name one"),
        (lambda text: "{}", "is no proof file; name one"),
        (lambda text: text.replace('"version": 1', '"version": 2', 1), "is of version 2, this program reads 1"),
        (lambda text: text.replace('"blocks"', '"block"', 1), "KeyError: 'blocks'"),
        (lambda text: text.replace('"window_seconds": 900', '"window_seconds": 0', 1), "windows of no seconds"),
        (lambda text: text.replace('"window_seconds": 900', '"window_seconds": "900"', 1), "window_seconds is '900'"),
    ],
)
def test_verify__no_proof_file__usage(file: Path, make: Callable[[str], str], words: str) -> None:
    text = make(file.read_text())
    assert text != file.read_text()
    file.write_text(text)
    code, out, err = type_command("verify", file)
    assert (code, out) == (2, "") and words in err and err.startswith("peerwatt: ") and err.count("\n") == 1


def test_verify__bad_arguments__usage(file: Path, tmp_path: Path) -> None:
    code, _, err = type_command("verify", tmp_path / "none.json")
    assert code == 2 and "none.json: No such file or directory" in err
    code, _, err = type_command("verify", file, "--block-hash", "0x12")
    assert code == 2 and "give 0x and 64 hex digits" in err


def test_exit_codes__docs__are_the_commands() -> None:
    text = (Path(__file__).parents[2] / "docs" / "proof-file.md").read_text()
    for code, meaning in EXIT_CODES.items():
        assert f"| {code} | {meaning} |" in text


def test_parse__not_even_an_object__refused() -> None:
    with pytest.raises(BadFile, match="no proof file"):
        parse(7)
