"""Compile contracts/ into the artifacts that the client ships.

    python scripts/build_artifacts.py            write client/peerwatt/artifacts/*.json
    python scripts/build_artifacts.py --check    change nothing; exit 1 when they are stale

The same sources give the same bytes on every machine and from every directory.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# The client of this very tree, also where another one is installed.
sys.path.insert(0, str(ROOT / "client"))

from peerwatt.audit.compile import (  # noqa: E402
    CannotCompile,
    check_compiler,
    compile_contract,
    find_differences,
    list_contracts,
    render,
)

CONTRACTS = ROOT / "contracts"
ARTIFACTS = ROOT / "client" / "peerwatt" / "artifacts"


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
    try:
        check_compiler()
    except CannotCompile as error:
        print(error, file=sys.stderr)
        return 1
    if not check:
        write()
        return 0
    differences = find_differences(ARTIFACTS, CONTRACTS)
    for difference in differences:
        print(difference, file=sys.stderr)
    if differences:
        print("the shipped artifacts are stale; run: make build", file=sys.stderr)
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
