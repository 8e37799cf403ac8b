"""The artifacts made again from the sources, with the compiler of the extra `dev`."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path, PurePosixPath
from typing import Any

from peerwatt import artifacts
from peerwatt.audit.checks import Check
from peerwatt.extras import require

SHIPPED = Path(artifacts.__file__).parent
COMPILER = "0.4.3"


class CannotCompile(ValueError):
    """The sources or the compiler are not what is needed; the text says which."""


def compiler_version() -> str:
    """Version of the installed compiler, with its commit.

    Raises:
        MissingExtra: there is none.
    """
    return str(require("dev", "vyper").__long_version__)


def check_compiler() -> None:
    """Whether it is the compiler of the shipped artifacts.

    Raises:
        MissingExtra: there is none.
        CannotCompile: it is of another version.
    """
    found = compiler_version()
    if found.partition("+")[0] != COMPILER:
        raise CannotCompile(f"vyper {COMPILER} is needed, {found} is installed; run: make setup")


def list_contracts(contracts: Path) -> list[str]:
    """Names of the contracts that are deployed: those at the top of the folder, sorted."""
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


def compile_contract(name: str, contracts: Path) -> dict[str, Any]:
    """Compile one contract.

    Returns:
        The artifact. `immutables_size` counts the bytes that deployment appends to `runtime_bytecode`;
        `sources` are the SHA-256 of every file of the project that went in.
    """
    compiler = require("dev", "vyper.compiler")
    bundle = require("dev", "vyper.compiler.input_bundle").FilesystemInputBundle([contracts])
    data = require("dev", "vyper.compiler.phases").CompilerData(bundle.load_file(Path(f"{name}.vy")), bundle)
    wanted = ("abi", "bytecode", "bytecode_runtime", "layout", "settings_dict")
    output = compiler.outputs_from_compiler_data(data, wanted)
    inputs = {Path(source.resolved_path) for source in data.resolved_imports.compiler_inputs}
    sources = {
        path.relative_to(contracts).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in inputs | {contracts / f"{name}.vy"}
        if path.is_relative_to(contracts)
    }
    return {
        "name": name,
        "compiler": f"vyper {compiler_version()}",
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


def find_differences(shipped: Path, contracts: Path) -> list[str]:
    """Say in which ways the artifacts differ from what the contracts compile to; empty when they do not.

    Args:
        shipped: folder of the artifacts.
        contracts: folder of the sources, resolved.
    """
    names = list_contracts(contracts)
    differences = [
        f"{path.name}: has no source contracts/{path.stem}.vy"
        for path in sorted(shipped.glob("*.json"))
        if path.stem not in names
    ]
    for name in names:
        path = shipped / f"{name}.json"
        if not path.exists():
            differences.append(f"{path.name}: missing")
        elif path.read_text(encoding="utf-8") != render(compile_contract(name, contracts)):
            differences.append(f"{path.name}: contracts/{name}.vy compiles to something else")
    return differences


def check_sources(contracts: Path) -> Check:
    """Compiles the sources, and compares with what this package ships and the auditor compares the chain with.

    Raises:
        MissingExtra: there is no compiler.
        CannotCompile: it is of another version, the folder has no contracts, or they do not compile.
    """
    check_compiler()
    contracts = contracts.resolve()
    names = list_contracts(contracts)
    if not names:
        raise CannotCompile(f"there are no contracts in {contracts}; name the folder with --sources")
    failure = require("dev", "vyper.exceptions").VyperException
    try:
        differences = find_differences(SHIPPED, contracts)
    except failure as error:
        raise CannotCompile(f"{contracts} does not compile ({' '.join(str(error).split())[:200]})") from error
    what = f"the sources compile to the shipped code, with vyper {COMPILER}"
    return Check.made("sources_compile", None, what, len(names), differences)
