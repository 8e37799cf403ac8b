"""`peerwatt audit --participant ACCOUNT --proof FILE`, then `peerwatt verify FILE`, as people type them."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest

from audit.homes import ADA, CHIDI, make_homes, proof_of, proof_text, type_command, without
from peerwatt.audit.evidence import own
from peerwatt.audit.failures import SourceIncomplete
from peerwatt.audit.transport import Transport
from peerwatt.cli.commands import audit as command

Typed = Callable[..., tuple[int, str, str]]


@pytest.fixture
def audit(home_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Typed:
    manifest = home_folder / "market.json"
    make_homes().village.deployment.save(manifest)

    def invoke(*arguments: object, node: Transport | None = None) -> tuple[int, str, str]:
        monkeypatch.setattr(command, "open_node", lambda url: nullcontext(node or make_homes().transport))
        return type_command("audit", "--rpc", "http://one.example", "--deployment", manifest, *arguments)

    return invoke


def test_audit__proof__verified(audit: Typed, home_folder: Path) -> None:
    path = home_folder / "ada.json"
    code, out, err = audit("--participant", ADA.account, "--proof", path)
    assert code == 0 and "balance    +1,151.306499" in out
    assert f"the proof is in {path}; check it, with the hash of block {make_homes().last} from elsewhere" in err
    assert json.loads(path.read_text()) == proof_of(ADA)
    assert type_command("verify", path, "--block-hash", make_homes().hash)[0] == 0


def test_audit__proof_of_a_node_without_receipts__says_so(audit: Typed, home_folder: Path) -> None:
    path = home_folder / "chidi.json"
    small = without("eth_getBlockReceipts", "eth_getTransactionReceipt", "eth_getProof")
    code, _, err = audit("--participant", CHIDI.account, "--proof", path, node=small)
    assert code == 0 and f"not in {path}: the receipts of block " in err and "gives no proof of it" in err
    assert type_command("verify", path, "--block-hash", make_homes().hash)[0] == 3


def test_audit__proof_without_a_participant__usage(audit: Typed, home_folder: Path) -> None:
    code, out, err = audit("--proof", home_folder / "x.json")
    assert (code, out) == (2, "") and "name it with --participant" in err
    code, out, err = audit("--participant", ADA.account, "--proof", home_folder)
    assert (code, out) == (2, "") and f"{home_folder} is a folder; name the file to write" in err


def test_audit__proof_that_cant_be_written__verdict_stands(
    audit: Typed, home_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", fail)
    code, out, err = audit("--participant", ADA.account, "--proof", home_folder / "x.json")
    assert code == 2 and "ALL PROMISES HOLD" in out and "could not be written to" in err


def test_audit__account_not_to_be_had__incomplete(audit: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise SourceIncomplete("the node gives no logs")

    monkeypatch.setattr(own, "read_history", fail)
    code, out, err = audit("--participant", ADA.account)
    assert code == 3 and "is not explained: the node gives no logs" in err and "ALL PROMISES HOLD" in out


def test_audit__json_of_a_participant__agrees_with_verify(audit: Typed, home_folder: Path) -> None:
    told = json.loads(audit("--participant", CHIDI.account, "--json")[1])["participant"]
    path = home_folder / "chidi.json"
    path.write_text(proof_text(CHIDI))
    proven = json.loads(type_command("verify", path, "--block-hash", make_homes().hash, "--json")[1])["participant"]
    assert told.pop("compared_with_replay") is True
    # A block's first log is not its transaction's: the proof counts from there.
    for part in (*told["deeds"], *proven["deeds"]):
        del part["log_index"]
    for part in (*told["windows"], *proven["windows"]):
        del part["clearing"]["log_index"]
    assert told == proven
