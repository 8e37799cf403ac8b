"""`peerwatt audit` on an honest market, and on what keeps it from a verdict."""

from __future__ import annotations

import json
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from audit.conftest import ONE, TWO, Audit
from audit.honest import Market, Node
from cli.village import ADA, BOLA, CHIDI
from peerwatt.audit import compile as compiling
from peerwatt.audit import signers
from peerwatt.audit.audit import Audit as Auditor
from peerwatt.audit.failures import RpcFailed
from peerwatt.audit.transport import RpcError
from peerwatt.audit.verdict import render_verdict
from peerwatt.cli.commands import audit as command
from peerwatt.cli.commands.audit import describe_end, read_block_name
from peerwatt.cli.errors import UsageError

FIELDS = {
    "": "version verdict market block divergence checks totals unchecked unchecked_count incomplete digest",
    "market": "chain_id EnergyMarket EnergyRegistry MarketLens SettlementToken block block_hash manifest currency "
    "token_decimals parameters",
    "block": "number hash time_s",
    "totals": "transactions signatures calls events participant_windows windows participants sold_wh delivered_wh "
    "shortfall_wh rounding_wh delivered_wh_by_meter_class paid received balancing network deposited withdrawn tokens "
    "given",
    "checks": "name promise what count violations violations_count unchecked status",
}


def dead(method: str, params: list[Any], answer: Any) -> Any:
    raise RpcFailed("the node does not answer")


# All holds


def test_audit__honest_market__holds(audit: Audit) -> None:
    shown = audit().out
    assert shown.startswith(" ALL PROMISES HOLD\n Every promise of this market holds, up to block ")
    for promise in range(1, 10):
        assert re.search(rf"promise {promise} .*\d   holds", shown), promise
    assert re.search("promise 10 .*by design", shown)
    assert "class 1 (edge-signed): 1,800 Wh" in shown
    assert re.search("fell short +1,200 Wh ", shown)
    assert re.search("received by participants +250.371000 NGN\n", shown)
    assert "VIOLATED" not in shown and "not checked" not in shown
    assert not re.search(r" $", shown, re.MULTILINE)


def test_audit__narrow_terminal__nothing_cut_off(market: Market, node: Node) -> None:
    report = Auditor(node.transport(), market.village.deployment, workers=1).run()
    console = Console(width=80, color_system=None)
    with console.capture() as captured:
        console.print(render_verdict(report))
    lines = captured.get().splitlines()
    assert max(map(len, lines)) <= 80
    assert "\u2026" not in captured.get() and "1,200 Wh" in captured.get()


def test_audit__json__stable_fields(audit: Audit) -> None:
    found = audit("--json").json
    assert found["verdict"] == "holds" and found["divergence"] is None
    assert " ".join(found) == FIELDS[""]
    for name in ("market", "block", "totals"):
        assert " ".join(found[name]) == FIELDS[name]
    assert {" ".join(check) for check in found["checks"]} == {FIELDS["checks"]}
    assert {check["status"] for check in found["checks"]} == {"holds"}
    assert all(check["count"] > 0 for check in found["checks"])
    assert found["totals"]["delivered_wh_by_meter_class"] == {"1": 1800}


def test_audit__again_and_with_processes__same_digest(audit: Audit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signers, "WORTH_HELPERS", 0)
    monkeypatch.setattr(signers, "RECORDS_AT_ONCE", 2)
    digests = {audit("--json", "--workers", workers).json["digest"] for workers in (1, 2)}
    assert digests == {audit("--json").json["digest"]}


def test_audit__block__by_number_and_hash(audit: Audit, market: Market) -> None:
    by_number = audit("--json", "--block", market.half).json
    assert by_number["block"]["number"] == market.half
    assert by_number["totals"]["windows"] == 0 and by_number["totals"]["events"]["OrderPlaced"] == 3
    assert audit("--json", "--block", by_number["block"]["hash"]).json == by_number


def test_audit__html__self_contained_and_the_same_bytes(audit: Audit, tmp_path: Path) -> None:
    first, second = tmp_path / "new" / "one.html", tmp_path / "two.html"
    digest = audit("--json", "--html", first).json["digest"]
    audit("--html", second)
    page = first.read_text()
    assert first.read_bytes() == second.read_bytes()
    tree = ElementTree.fromstring(page.removeprefix("<!DOCTYPE html>\n"))
    elements = list(tree.iter())
    assert {element.tag for element in elements}.isdisjoint({"script", "link", "img", "iframe", "object"})
    assert not any(key in ("src", "href") for element in elements for key in element.attrib)
    assert "url(" not in page and "@import" not in page
    assert "prefers-color-scheme: dark" in page and "@media print" in page
    assert digest in page and "peerwatt audit --rpc URL --deployment deployment.json --block 0x" in page
    ids = {element.get("id") for element in elements}
    assert ids >= {*(f"promise-{number}" for number in range(1, 11)), "identity", "replay", "storage", "totals"}
    assert ids.isdisjoint({"divergence", "unchecked"})
    assert "<p>Every transaction of the market, done again" in page and "This was not" not in page


@pytest.mark.parametrize("block, expect", [("latest", 2), ("1000000", 3)])
def test_audit__page_not_written__verdict_all_the_same(
    audit: Audit, monkeypatch: pytest.MonkeyPatch, block: str, expect: int
) -> None:
    def fail(report: Any, path: Path) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(command, "write_page", fail)
    ran = audit("--json", "--block", block, "--html", "page.html", expect=expect)
    assert ran.json["verdict"] in ("holds", "incomplete")
    assert ran.err == "peerwatt: the page could not be written to page.html: No space left on device\n"


def test_audit__participant__each_settlement(audit: Audit) -> None:
    shown = audit("--participant", ADA.account).out
    assert f"{ADA.account.lower()} up to block " in shown
    assert len(re.findall(r"^  20\d\d-.* offer .* reported ", shown, re.MULTILINE)) == 3
    found = audit("--json", "--participant", CHIDI.account).json["participant"]
    assert [row["side"] for row in found["windows"]] == ["bid"] * 3 and found["compared_with_replay"]
    totals = found["totals"]
    assert totals["deposited_amount"] - totals["paid_amount"] == found["wallet"]["balance"]
    nobody = "0x" + "9" * 40
    assert f"{nobody} up to block " in audit("--participant", nobody).out


# Without a manifest


@pytest.mark.parametrize("oldest", [0, 10**9], ids=["archive", "newest states only"])
def test_audit__market__as_its_manifest_says(audit: Audit, market: Market, node: Node, oldest: int) -> None:
    node.oldest = min(oldest, int(market.village.w3.eth.block_number))
    deployment = market.village.deployment
    found = audit("--json", "--market", deployment.market, deployment=False).json
    with_manifest = audit("--json").json
    assert {**found["market"], "manifest": True} == with_manifest["market"]
    names = {check["name"] for check in with_manifest["checks"]} - {check["name"] for check in found["checks"]}
    assert names == {"code_is_the_manifests", "roles_are_the_manifests"}
    shown = audit("--market", deployment.market, deployment=False).out
    assert "No manifest was given to compare with" in shown
    assert f"peerwatt audit --rpc URL --market {deployment.market} --block 0x" in shown


def test_audit__market_without_its_lens__said(audit: Audit, market: Market, node: Node) -> None:
    lens = market.village.deployment.lens
    node.lie = lambda method, params, answer: "0x" if method == "eth_getCode" and params[0] == lens else answer
    shown = audit("--market", market.village.deployment.market, deployment=False).out
    assert "The lens, which only decodes, was not found" in shown


# Two nodes


def test_audit__two_nodes__both_asked(audit: Audit) -> None:
    checks = {check["name"]: check for check in audit("--json", "--rpc", TWO).json["checks"]}
    assert checks["two_nodes"]["status"] == "holds" and checks["two_nodes"]["count"] > 20


def test_audit__two_nodes_disagree__the_place_is_named(audit: Audit, other: Node) -> None:
    def lie(method: str, params: list[Any], answer: Any) -> Any:
        if method == "eth_getLogs":
            for log in answer:
                log["data"] = f"{log['data'][:-1]}{'1' if log['data'][-1] == '0' else '0'}"
        return answer

    other.lie = lie
    ran = audit("--json", "--rpc", TWO, expect=1)
    assert ran.json["divergence"]["expected"].startswith(f"{ONE} says ")
    assert ran.json["divergence"]["found"].startswith(f"{TWO} says ")
    assert {check["name"] for check in ran.json["checks"] if check["status"] == "violated"} == {"two_nodes"}
    assert "The two nodes tell different histories" in audit("--rpc", TWO, expect=1).out


# Not complete


def test_audit__dead_node__nothing_audited(audit: Audit, node: Node) -> None:
    node.lie = dead
    ran = audit(expect=3)
    assert ran.err == (
        "peerwatt: nothing was audited: the node does not answer; start the node, or name another one with --rpc\n"
    )
    assert not ran.out


def test_audit__node_dies_in_the_middle__says_what_is_unchecked(audit: Audit, node: Node, tmp_path: Path) -> None:
    node.lie = lambda method, params, answer: dead(method, params, answer) if method == "eth_getLogs" else answer
    node.answer("eth_chainId", [])
    page = tmp_path / "report.html"
    found = audit("--json", "--html", page, expect=3).json
    assert found["verdict"] == "incomplete" and found["incomplete"] == ["the node does not answer"]
    assert 'id="unchecked"' in page.read_text()


def test_audit__storage_refused__incomplete(audit: Audit, node: Node) -> None:
    def refuse(method: str, params: list[Any], answer: Any) -> Any:
        if method == "eth_call" and params[1] not in ("latest",):
            raise RpcError(-32000, "missing trie node")
        return answer

    node.lie = refuse
    found = audit("--json", expect=3).json
    assert [check["name"] for check in found["checks"] if check["status"] == "unchecked"] == ["storage"]
    assert "words were refused: missing trie node (code -32000)" in audit(expect=3).out


def test_audit__no_such_block__incomplete(audit: Audit) -> None:
    shown = audit("--block", 10**6, expect=3).out
    assert shown.startswith(" INCOMPLETE\n") and "does not give block 1000000" in shown
    assert "Totals" not in shown


# What makes no sense


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--block", "pending"], "'pending' is no block; give its number, its hash, or one of latest, finalized"),
        (["--block", "-1"], "'-1' is no block"),
        (["--market", "0x" + "0" * 39 + "9"], "--market and --deployment name a market twice"),
        (["--participant", "ada"], "--participant is 'ada', which is no address"),
        (["--rpc", ONE], "both --rpc name the same node"),
        (["--rpc", TWO, "--rpc", "http://three.example"], "--rpc is given 3 times"),
        (["--html", "."], ". is a folder; name the file"),
        (["--html", "market.json/report.html"], "market.json is no folder; name another place for report.html"),
        (["--deployment", "nothing.json"], "there is no manifest at nothing.json; name it with --deployment"),
        (["--workers", "0"], "Invalid value for '--workers'"),
    ],
)
def test_audit__senseless__one_line_and_2(audit: Audit, arguments: list[str], text: str) -> None:
    ran = audit(*arguments, expect=2)
    assert text in ran.err and not ran.out


@pytest.mark.parametrize("kind", ["none", "another"])
def test_audit__no_market_at_the_address__said(audit: Audit, market: Market, kind: str) -> None:
    wrong = audit("--market", "0x12", deployment=False, expect=2).err
    assert wrong.startswith("peerwatt: --market is '0x12', which is no address")
    address = {"none": "0x" + "0" * 39 + "9", "another": market.village.deployment.token}[kind]
    text = {"none": "there is no contract at", "another": "does not tell its token; it is no market of peerwatt"}[kind]
    assert text in audit("--market", address, deployment=False, expect=2).err


def test_audit__other_chain__said(audit: Audit, manifest: Path) -> None:
    fields = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**fields, "chain_id": 1}))
    assert "market.json is of chain 1; name the right node" in audit(expect=2).err


def test_audit__unforeseen_error__is_no_verdict(audit: Audit, node: Node) -> None:
    def break_down(method: str, params: list[Any], answer: Any) -> Any:
        raise ZeroDivisionError("something broke")

    node.lie = break_down
    ran = audit(expect=3)
    assert "the audit is not complete, and proves nothing: unexpected ZeroDivisionError" in ran.err
    assert describe_end(KeyboardInterrupt()) == (130, "interrupted")


def test_read_block_name__forms__as_meant() -> None:
    block_hash = "0x" + "aB" * 32
    found = [read_block_name(text) for text in (None, "latest", "12", "0x1f", block_hash)]
    assert found == [None, "latest", 12, 31, block_hash.lower()]
    for text in ("0x", "1.5", "1_0", " 1", "newest"):
        with pytest.raises(UsageError, match="is no block"):
            read_block_name(text)


# Compiled anew


def test_audit__compile__compares_with_what_is_shipped(
    audit: Audit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources, shipped = tmp_path / "sources", tmp_path / "shipped"
    sources.mkdir()
    shipped.mkdir()
    assert "there are no contracts in" in audit("--compile", "--sources", sources, expect=2).err
    contract = sources / "One.vy"
    contract.write_text("# pragma version 0.4.3\nONE: public(constant(uint256)) = 1\n")
    (shipped / "One.json").write_text(compiling.render(compiling.compile_contract("One", sources.resolve())))
    monkeypatch.setattr(compiling, "SHIPPED", shipped)
    found = audit("--json", "--compile", "--sources", sources).json["checks"][0]
    assert (found["name"], found["status"], found["count"]) == ("sources_compile", "holds", 1)

    contract.write_text(contract.read_text().replace("= 1", "= 2"))
    found = audit("--json", "--compile", "--sources", sources, expect=1).json
    assert found["divergence"]["found"] == "One.json: contracts/One.vy compiles to something else"
    contract.write_text("# pragma version 0.4.3\nONE: public(constant(uint8)) = 999\n")
    assert "does not compile" in audit("--compile", "--sources", sources, expect=2).err
    monkeypatch.setitem(sys.modules, "vyper", None)
    ran = audit("--compile", "--sources", sources, expect=2)
    assert ran.err == "peerwatt: vyper is not installed; install it with: pip install 'peerwatt[dev]'\n"


def test_audit__account__no_option_for_keys(audit: Audit) -> None:
    assert "No such option" in audit("--account", BOLA.account, expect=2).err
