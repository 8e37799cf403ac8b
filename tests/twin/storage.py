"""Reads a contract's words from its storage, where its getters read them, without running it: a comparison
must be cheap enough to come after every act."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from eth_utils.crypto import keccak

from twin.chain import Contract


@lru_cache(maxsize=1 << 16)
def _mapped(slot: int, key: Any) -> int:
    if isinstance(key, str):
        key = int(key, 16)
    if isinstance(key, int):
        key = key.to_bytes(32, "big")
    return int.from_bytes(keccak(slot.to_bytes(32, "big") + key), "big")


class Storage:
    """The public variables of a deployed contract by their getters' names."""

    def __init__(self, contract: Contract) -> None:
        self._word, self._address = contract.engine.storage, contract.address
        self._variables: dict[str, tuple[int, list[str]]] = {}
        self._slots: dict[tuple[Any, ...], int] = {}
        self._collect(contract.storage_layout)

    def _collect(self, layout: dict[str, Any]) -> None:
        for name, entry in layout.items():
            if "slot" in entry and isinstance(entry["slot"], int):
                self._variables[name] = (entry["slot"], _steps(entry["type"]))
            else:
                self._collect(entry)

    def read(self, name: str, *keys: Any) -> int:
        """The word that the getter returns."""
        slot = self._slots.get((name, *keys))
        if slot is None:
            slot = self._slots[name, *keys] = self.slot(name, *keys)
        return self._word(self._address, slot)

    def slot(self, name: str, *keys: Any) -> int:
        """Where that word lies."""
        slot, steps = self._variables[name]
        for step, key in zip(steps, keys, strict=True):
            # An array's rows have its columns' length: only arrays of 256 rows are nested here.
            slot = _mapped(slot, key) if step == "map" else slot + int(step) * key
        return slot


def _steps(kind: str) -> list[str]:
    """How to get from a variable's slot to a value: "map", or how many words each step of an array skips."""
    if kind.startswith("HashMap["):
        inner = kind[len("HashMap[") : -1].split(", ", 1)[1]
        return ["map", *_steps(inner)]
    if kind.endswith("]"):
        lengths = [int(part.rstrip("]")) for part in kind.split("[")[1:]]
        skips = [1]
        for length in lengths[:-1]:
            skips.insert(0, skips[0] * length)
        return [str(skip) for skip in skips]
    return []
