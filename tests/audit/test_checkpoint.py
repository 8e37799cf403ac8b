"""An audit that goes on from where an earlier one came to."""

from __future__ import annotations

import io
import json
import os
import pickle
import stat
import zlib
from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from audit.conftest import ONE, TWO, Audit
from audit.honest import Market, Node
from cli.village import ADA
from peerwatt.audit import ranges
from peerwatt.audit.audit import Audit as Auditor
from peerwatt.audit.checkpoint import Checkpoint, Unusable
from peerwatt.audit.failures import RpcFailed
from peerwatt.reference.wallets import Wallet


@pytest.fixture(autouse=True)
def short_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many chunks."""
    monkeypatch.setattr(ranges, "START", 4)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "audit.checkpoint"


def header(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_bytes().partition(b"\n")[0])
    return found


def rewrite(path: Path, **changes: Any) -> None:
    head, _, body = path.read_bytes().partition(b"\n")
    path.write_bytes(json.dumps({**json.loads(head), **changes}).encode() + b"\n" + body)


def from_the_beginning(node: Node) -> list[int]:
    """First blocks of the logs that the node is asked for."""
    asked: list[int] = []

    def listen(method: str, params: list[Any], answer: Any) -> Any:
        if method == "eth_getLogs" and isinstance(params[0]["address"], list):
            asked.append(int(params[0]["fromBlock"], 16))
        return answer

    node.lie = listen
    return asked


def test_checkpoint__later_block__same_report(audit: Audit, market: Market, node: Node, path: Path) -> None:
    whole = audit("--json").json
    assert audit("--json", "--checkpoint", path, "--block", market.half).json["block"]["number"] == market.half
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert header(path)["block"]["number"] == market.half
    asked = from_the_beginning(node)
    ran = audit("--json", "--checkpoint", path)
    assert ran.json == whole and not ran.err
    assert min(asked) == market.half + 1
    assert header(path)["block"]["number"] == whole["block"]["number"]
    asked.clear()
    assert audit("--json", "--checkpoint", path).json == whole
    assert not asked
    assert os.listdir(path.parent) == [path.name]


def test_checkpoint__interrupted__same_report(audit: Audit, market: Market, node: Node, path: Path) -> None:
    whole = audit("--json").json

    def die(method: str, params: list[Any], answer: Any) -> Any:
        if method == "eth_getLogs" and int(params[0]["fromBlock"], 16) > market.half:
            raise RpcFailed("the node does not answer")
        return answer

    node.lie = die
    stopped = audit("--json", "--checkpoint", path, expect=3).json
    reached = header(path)["block"]["number"]
    assert market.village.deployment.block < reached <= market.half + 4
    assert f"the replay ended after block {reached}" in {check["unchecked"] for check in stopped["checks"]}
    asked = from_the_beginning(node)
    assert audit("--json", "--checkpoint", path).json == whole
    assert min(asked) == reached + 1


def test_checkpoint__interrupted_within_a_chunk__up_to_the_last_whole_one(
    market: Market, node: Node, path: Path
) -> None:
    auditor = Auditor(node.transport(), market.village.deployment, workers=1, checkpoint=path)

    def interrupt(place: Any) -> None:
        if place.block > market.half:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        auditor.run(on_progress=interrupt)
    assert header(path)["block"]["number"] <= market.half
    on = Auditor(node.transport(), market.village.deployment, workers=1, checkpoint=path).run()
    assert on == Auditor(node.transport(), market.village.deployment, workers=1).run()


def test_audit__reading_ahead__same_report_and_checkpoint(market: Market, node: Node, path: Path) -> None:
    deployment = market.village.deployment
    ahead = Auditor(node.transport(), deployment, workers=1, ahead=True, checkpoint=path).run(market.half)
    assert ahead == Auditor(node.transport(), deployment, workers=1).run(market.half)
    on = Auditor(node.transport(), deployment, workers=1, ahead=True, checkpoint=path).run()
    assert on == Auditor(node.transport(), deployment, workers=1).run()


def test_checkpoint__violated__not_kept(audit: Audit, node: Node, path: Path) -> None:
    def lie(method: str, params: list[Any], answer: Any) -> Any:
        return [] if method == "eth_getLogs" and params[0]["address"] == node_token else answer

    node_token = json.loads(Path("market.json").read_text())["token"].lower()
    node.lie = lie
    found = audit("--json", "--checkpoint", path, expect=1).json["divergence"]
    assert found["found"].endswith(f"500000000 deposited by {ADA.account.lower()}, and the token moved none")
    assert found["amount"] == 500_000_000 and found["transaction"] in found["found"]
    node.lie = lambda method, params, answer: answer
    # The second look does not take over what the first one was told.
    assert audit("--json", "--checkpoint", path).json["verdict"] == "holds"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"block": None}, "it can't be read"),
        ({"format": "peerwatt audit checkpoint 0"}, "its format is 'peerwatt audit checkpoint 0', not"),
        ({"peerwatt": "0.0.1"}, "its peerwatt is '0.0.1', not"),
        ({"manifest": "00"}, "its manifest is '00', not"),
        ({"crosschecked": True}, "its crosschecked is True, not False"),
        ({"sha256": "00"}, "it is damaged"),
    ],
    ids=["block", "format", "version", "manifest", "nodes", "damage"],
)
def test_checkpoint__of_no_use__from_the_beginning(
    audit: Audit, market: Market, node: Node, path: Path, change: dict[str, Any], text: str
) -> None:
    audit("--checkpoint", path)
    rewrite(path, **change)
    asked = from_the_beginning(node)
    ran = audit("--json", "--checkpoint", path)
    assert ran.err.startswith(f"peerwatt: the checkpoint is of no use: {text}")
    assert ran.err.endswith("; reading from the market's first block\n")
    assert min(asked) == market.village.deployment.block
    assert ran.json == audit("--json").json


def test_checkpoint__block_not_in_the_chain__from_the_beginning(audit: Audit, path: Path) -> None:
    audit("--checkpoint", path)
    rewrite(path, block={**header(path)["block"], "hash": "11" * 32})
    ran = audit("--json", "--checkpoint", path)
    assert f"(0x{'11' * 32}) is no longer in the chain; reading from" in ran.err
    assert ran.json["verdict"] == "holds"


def test_checkpoint__of_a_later_block__stays(audit: Audit, market: Market, path: Path) -> None:
    audit("--checkpoint", path)
    before = path.read_bytes()
    ran = audit("--json", "--checkpoint", path, "--block", market.half)
    assert f"this audit is about block {market.half}; reading from" in ran.err
    assert ran.json == audit("--json", "--block", market.half).json
    assert path.read_bytes() == before


def test_checkpoint__one_node_then_two__the_second_reads_all(audit: Audit, node: Node, other: Node, path: Path) -> None:
    audit("--checkpoint", path)
    asked = from_the_beginning(other)
    ran = audit("--json", "--rpc", TWO, "--checkpoint", path)
    assert "its crosschecked is False, not True" in ran.err and asked
    assert ran.json == audit("--json", "--rpc", TWO).json


def test_checkpoint__another_file__never_written_over(audit: Audit, path: Path, manifest: Path) -> None:
    before = manifest.read_bytes()
    ran = audit("--checkpoint", manifest, expect=2)
    assert ran.err == f"peerwatt: {manifest} is no checkpoint; name another file\n"
    assert manifest.read_bytes() == before
    audit("--checkpoint", path)
    rewrite(path, market="0x" + "12" * 20)
    before = path.read_bytes()
    assert "is of market 0x1212" in audit("--checkpoint", path, expect=2).err
    assert path.read_bytes() == before


def test_checkpoint__folder_that_is_a_file__said(audit: Audit, manifest: Path) -> None:
    ran = audit("--checkpoint", manifest / "state", expect=2)
    assert f"{manifest / 'state'}: Not a directory" in ran.err


def test_checkpoint__disk_full__verdict_all_the_same(
    audit: Audit, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Checkpoint, "save", fail)
    ran = audit("--json", "--checkpoint", path)
    assert ran.json["verdict"] == "holds"
    assert ran.err == f"peerwatt: the checkpoint {path} could not be kept: No space left on device\n"


class Evil:
    """Runs a command where it is unpickled."""

    def __init__(self, call: Any) -> None:
        self._call = call

    def __reduce__(self) -> Any:
        return self._call


@pytest.mark.parametrize(
    "call",
    [(os.system, ("true",)), (eval, ("1",)), (getattr, (Wallet, "mro")), (Path, ("/",)), (Auditor, (1, 2))],
    ids=["system", "eval", "getattr", "path", "auditor"],
)
def test_load__file_with_a_call__refused(market: Market, path: Path, call: Any) -> None:
    checkpoint = Checkpoint(path, market.village.deployment, False)
    checkpoint.save(market_end(market), {})
    body = zlib.compress(pickle.dumps({"audit.merit": Evil(call)}))
    path.write_bytes(path.read_bytes().partition(b"\n")[0] + b"\n" + body)
    rewrite(path, sha256=sha256(body).hexdigest())
    with pytest.raises(Unusable, match="is not what a state is made of"):
        checkpoint.load()


def test_load__name_with_dots__refused(market: Market, path: Path) -> None:
    checkpoint = Checkpoint(path, market.village.deployment, False)
    checkpoint.save(market_end(market), {})
    content = io.BytesIO()
    content.write(b"\x80\x04\x8c\x19peerwatt.reference.market\x8c\x0cMarket.relay\x93.")
    body = zlib.compress(content.getvalue())
    path.write_bytes(path.read_bytes().partition(b"\n")[0] + b"\n" + body)
    rewrite(path, sha256=sha256(body).hexdigest())
    with pytest.raises(Unusable, match=r"peerwatt.reference.market.Market.relay is not what"):
        checkpoint.load()


def test_save__values_and_the_predecessor__as_they_were(market: Market, path: Path) -> None:
    def score_of(connection: bytes) -> int:
        return 7

    checkpoint = Checkpoint(path, market.village.deployment, False, score_of)
    state = {"wallets": {"0x1": Wallet()}, "counts": Counter("aab"), "set": {1}, "older": score_of}
    checkpoint.save(market_end(market), state)
    saved = checkpoint.load()
    assert saved is not None and saved.state == state and saved.end == market_end(market)
    assert Checkpoint(path.with_name("none"), market.village.deployment, False).load() is None


def market_end(market: Market) -> Any:
    from peerwatt.audit.chunks import read_block

    return read_block(market.node.transport(ONE), market.half)
