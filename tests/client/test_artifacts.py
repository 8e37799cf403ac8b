"""The shipped artifacts are what contracts/ compiles to, and small enough to be deployed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import boa
import pytest

from peerwatt import artifacts

ROOT = Path(__file__).resolve().parents[2]
CODE_SIZE_LIMIT = 24_576
CONTRACTS = sorted(path.stem for path in (ROOT / "contracts").glob("*.vy"))


def build(root: Path, *args: str) -> subprocess.CompletedProcess[str]:
    script = root / "scripts" / "build_artifacts.py"
    # The copy of a tree holds no package: it is this one's.
    env = {**os.environ, "PYTHONPATH": str(ROOT / "client")}
    return subprocess.run(
        [sys.executable, str(script), *args], cwd=root, env=env, capture_output=True, text=True, check=False
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A tree of one small contract, so that building it takes a moment."""
    for folder in ("contracts", "scripts", "client/peerwatt/artifacts"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(ROOT / "scripts" / "build_artifacts.py", tmp_path / "scripts")
    (tmp_path / "contracts" / "One.vy").write_text(
        "# pragma version 0.4.3\nONE: public(constant(uint256)) = 1\n"
    )
    return tmp_path


def test_names__shipped__every_contract_and_no_other() -> None:
    assert list(artifacts.names()) == CONTRACTS
    assert CONTRACTS, "contracts/ is empty"


def test_build__check__sources_compile_to_what_is_shipped() -> None:
    result = build(ROOT, "--check")
    assert result.returncode == 0, result.stderr


def test_build__check__stale_missing_and_orphaned_artifacts_are_named(copy: Path) -> None:
    assert "One.json: missing" in build(copy, "--check").stderr
    assert build(copy).returncode == 0
    assert build(copy, "--check").returncode == 0

    source = copy / "contracts" / "One.vy"
    source.write_text(source.read_text().replace("= 1", "= 2"))
    stale = build(copy, "--check")
    assert stale.returncode == 1
    assert "One.json: contracts/One.vy compiles to something else" in stale.stderr

    source.rename(source.with_name("Two.vy"))
    assert "One.json: has no source" in build(copy, "--check").stderr
    assert build(copy).returncode == 0
    assert [path.name for path in (copy / "client/peerwatt/artifacts").glob("*.json")] == ["Two.json"]


def test_build__twice__same_bytes_from_another_directory(
    copy: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("elsewhere") / "deeper"
    shutil.copytree(copy, other)
    assert build(copy).returncode == build(other).returncode == 0
    name = Path("client/peerwatt/artifacts/One.json")
    assert (copy / name).read_bytes() == (other / name).read_bytes()


@pytest.mark.parametrize("name", CONTRACTS)
def test_load__shipped__fits_the_code_size_limit(name: str) -> None:
    artifact = artifacts.load(name)
    assert artifact.deployed_size < CODE_SIZE_LIMIT, f"{name} deploys {artifact.deployed_size:,} bytes"


@pytest.mark.parametrize("name", CONTRACTS)
def test_load__shipped__immutables_fill_their_section(name: str) -> None:
    artifact = artifacts.load(name)
    end = 0
    for where in sorted(artifact.immutables.values(), key=lambda entry: entry.offset):
        assert where.offset == end
        end += where.length
    assert end == artifact.immutables_size


def test_load__unknown__names_those_there_are() -> None:
    with pytest.raises(LookupError, match=r"no contract 'Market' is shipped; there are .*SettlementToken"):
        artifacts.load("Market")


def deploy_token() -> bytes:
    code: Any = boa.load(str(ROOT / "contracts" / "SettlementToken.vy"), *token_arguments())
    return bytes(boa.env.get_code(code.address))


def token_arguments() -> list[Any]:
    constructor = next(
        entry for entry in artifacts.load("SettlementToken").abi if entry["type"] == "constructor"
    )
    examples: dict[str, Any] = {"string": "NGN", "uint8": 6, "address": "0x" + "11" * 20, "uint256": 7}
    return [examples[entry["type"]] for entry in constructor["inputs"]]


def test_matches__deployed_token__only_its_own_code() -> None:
    token = artifacts.load("SettlementToken")
    code = deploy_token()
    assert len(code) == token.deployed_size
    assert token.matches(code)
    assert not token.matches(code + b"\x00")
    assert not token.matches(bytes([code[0] ^ 1]) + code[1:])
    assert not token.matches(token.runtime_bytecode)


def test_get_immutable__deployed_token__what_the_constructor_was_given() -> None:
    token = artifacts.load("SettlementToken")
    code = deploy_token()
    values = {name: token.get_immutable(code, name) for name in token.immutables}
    assert int.from_bytes(values["decimals"], "big") == 6
    with pytest.raises(ValueError, match="not SettlementToken as shipped"):
        token.get_immutable(code[1:], "decimals")


def test_artifact__json__has_sources_of_this_tree() -> None:
    for name in CONTRACTS:
        content = json.loads((ROOT / "client" / "peerwatt" / "artifacts" / f"{name}.json").read_text())
        assert f"{name}.vy" in content["sources"]
        assert not [path for path in content["sources"] if not (ROOT / "contracts" / path).is_file()]
        assert content["compiler"].startswith("vyper 0.4.3+commit.")
        assert content["settings"]["experimental_codegen"] is False
