"""Compile contracts/ into the artifacts that the client ships.

    python scripts/build_artifacts.py            write client/peerwatt/artifacts/*.json
    python scripts/build_artifacts.py --check    change nothing; exit 1 when they are stale

The same sources give the same bytes on every machine and from every directory.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path, PurePosixPath
from typing import Any

from vyper import __long_version__ as compiler_version
from vyper.compiler import outputs_from_compiler_data
from vyper.compiler.input_bundle import FilesystemInputBundle
from vyper.compiler.phases import CompilerData

ROOT = Path(__file__).resolve().parent.parent
CONTRACTS = ROOT / "contracts"
ARTIFACTS = ROOT / "client" / "peerwatt" / "artifacts"
COMPILER = "0.4.3"


def list_contracts(contracts: Path = CONTRACTS) -> list[str]:
    """Names of the contracts that are deployed: those at the top of contracts/, sorted."""
    return sorted(path.stem for path in contracts.glob("*.vy"))


def flatten_immutables(layout: dict[str, Any], prefix: str = "") -> dict[str, dict[str, Any]]:
    """Bring the nested layout of immutables to one level, a module's variables as `module.name`."""
    flat: dict[str, dict[str, Any]] = {}
    for name, entry in layout.items():
        if "offset" in entry:
            # An interface's type is a path that depends on the working directory; its name is enough.
            kind = PurePosixPath(entry["type"]).name.removesuffix(".vyi")
            flat[prefix + name] = {"offset": entry["offset"], "length": entry["length"], "type": kind}
        else:
            flat |= flatten_immutables(entry, f"{prefix}{name}.")
    return flat


def compile_contract(name: str, contracts: Path = CONTRACTS) -> dict[str, Any]:
    """Compile one contract.

    Returns:
        The artifact. `immutables_size` counts the bytes that deployment appends to `runtime_bytecode`;
        `sources` are the SHA-256 of every file of the project that went in.
    """
    bundle = FilesystemInputBundle([contracts])
    data = CompilerData(bundle.load_file(Path(f"{name}.vy")), bundle)
    output = outputs_from_compiler_data(
        data, ("abi", "bytecode", "bytecode_runtime", "layout", "settings_dict")
    )
    inputs = {Path(source.resolved_path) for source in data.resolved_imports.compiler_inputs}
    sources = {
        path.relative_to(contracts).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in inputs | {contracts / f"{name}.vy"}
        if path.is_relative_to(contracts)
    }
    return {
        "name": name,
        "compiler": f"vyper {compiler_version}",
        "settings": output["settings_dict"],
        "sources": dict(sorted(sources.items())),
        "abi": output["abi"],
        "bytecode": output["bytecode"],
        "runtime_bytecode": output["bytecode_runtime"],
        "immutables_size": data.global_ctx.immutable_section_bytes,
        "immutables": flatten_immutables(output["layout"].get("code_layout", {})),
    }


def render(artifact: dict[str, Any]) -> str:
    """The text of an artifact's file."""
    return json.dumps(artifact, indent=1, ensure_ascii=True) + "\n"


def find_differences(artifacts: Path = ARTIFACTS, contracts: Path = CONTRACTS) -> list[str]:
    """Say in which ways the artifacts differ from what the contracts compile to; empty when they do not."""
    names = list_contracts(contracts)
    differences = [
        f"{path.name}: has no source contracts/{path.stem}.vy"
        for path in sorted(artifacts.glob("*.json"))
        if path.stem not in names
    ]
    for name in names:
        path = artifacts / f"{name}.json"
        if not path.exists():
            differences.append(f"{path.name}: missing")
        elif path.read_text(encoding="utf-8") != render(compile_contract(name, contracts)):
            differences.append(f"{path.name}: contracts/{name}.vy compiles to something else")
    return differences


def write(artifacts: Path = ARTIFACTS, contracts: Path = CONTRACTS) -> None:
    """Write the artifact of every contract and remove those without a source."""
    names = list_contracts(contracts)
    for path in artifacts.glob("*.json"):
        if path.stem not in names:
            path.unlink()
    for name in names:
        artifact = compile_contract(name, contracts)
        (artifacts / f"{name}.json").write_text(render(artifact), encoding="utf-8", newline="\n")
        size = len(artifact["runtime_bytecode"]) // 2 - 1 + artifact["immutables_size"]
        print(f"{name}: {size:,} bytes deployed, {24_576 - size:,} left")


def main() -> int:
    """Run the command line; the exit status is 1 when --check finds a difference."""
    parser = argparse.ArgumentParser(description="Compile contracts/ into client/peerwatt/artifacts/.")
    parser.add_argument(
        "--check", action="store_true", help="change nothing, exit 1 when an artifact is stale"
    )
    check = parser.parse_args().check
    if compiler_version.partition("+")[0] != COMPILER:
        print(
            f"vyper {COMPILER} is needed, {compiler_version} is installed; run: make setup", file=sys.stderr
        )
        return 1
    if not check:
        write()
        return 0
    differences = find_differences()
    for difference in differences:
        print(difference, file=sys.stderr)
    if differences:
        print("the shipped artifacts are stale; run: make build", file=sys.stderr)
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
