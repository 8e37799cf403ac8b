"""The contracts as shipped: ABI, bytecode, and what is needed to recognise them on a chain.

The JSON files are written by `scripts/build_artifacts.py`; a test proves that `contracts/` compiles to them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any


@dataclass(frozen=True)
class Immutable:
    """Where one immutable lies in the data that follows the runtime bytecode."""

    offset: int
    length: int
    type: str


@dataclass(frozen=True)
class Artifact:
    """One compiled contract.

    Deployed code is `runtime_bytecode` followed by `immutables_size` bytes of immutables.
    """

    name: str
    abi: tuple[dict[str, Any], ...]
    bytecode: bytes
    runtime_bytecode: bytes
    immutables_size: int
    immutables: dict[str, Immutable]
    compiler: str
    settings: dict[str, Any]
    sources: dict[str, str]

    @property
    def deployed_size(self) -> int:
        """Size of the code on the chain, immutables included [bytes]."""
        return len(self.runtime_bytecode) + self.immutables_size

    def matches(self, code: bytes) -> bool:
        """Whether code read from a chain is this contract, whatever its immutables hold."""
        return len(code) == self.deployed_size and code.startswith(self.runtime_bytecode)

    def get_immutable(self, code: bytes, name: str) -> bytes:
        """The bytes an immutable has in deployed code: a word, or a string's length and words.

        Args:
            code: code read from a chain.
            name: variable, with its module where it has one: `parameters.WINDOW_SECONDS`.
        Raises:
            ValueError: the code is not this contract.
            KeyError: no such immutable.
        """
        if not self.matches(code):
            raise ValueError(f"the code is not {self.name} as shipped; compare compiler and sources")
        where = self.immutables[name]
        start = len(self.runtime_bytecode) + where.offset
        return code[start : start + where.length]


def names() -> tuple[str, ...]:
    """Names of the contracts that are shipped."""
    return tuple(sorted(item.name[:-5] for item in files(__name__).iterdir() if item.name.endswith(".json")))


@cache
def load(name: str) -> Artifact:
    """Load a shipped contract.

    Args:
        name: contract, e.g. `EnergyMarket`.
    Raises:
        LookupError: no such contract is shipped.
    """
    if name not in names():
        raise LookupError(f"no contract {name!r} is shipped; there are {', '.join(names())}")
    content = json.loads(files(__name__).joinpath(f"{name}.json").read_text(encoding="utf-8"))
    return Artifact(
        name=content["name"],
        abi=tuple(content["abi"]),
        bytecode=bytes.fromhex(content["bytecode"][2:]),
        runtime_bytecode=bytes.fromhex(content["runtime_bytecode"][2:]),
        immutables_size=content["immutables_size"],
        immutables={key: Immutable(**where) for key, where in content["immutables"].items()},
        compiler=content["compiler"],
        settings=content["settings"],
        sources=content["sources"],
    )
