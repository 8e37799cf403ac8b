"""Questions for a contract's getters, and their answers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from eth_utils.abi import collapse_if_tuple
from eth_utils.crypto import keccak

from peerwatt import artifacts
from peerwatt.audit.encoding import is_word, to_word
from peerwatt.audit.history import Block
from peerwatt.audit.transport import Request


def call_getter(address: str, contract: str, name: str, arguments: Sequence[Any], block: Block) -> Request:
    """The question for a word at a block.

    Raises:
        LookupError: the contract has no such getter.
    """
    selector, kinds = _find(contract, name)
    data = selector + b"".join([to_word(argument) for _, argument in zip(kinds, arguments, strict=True)])
    return "eth_call", [{"to": address, "data": f"0x{data.hex()}"}, hex(block.number)]


def read_answer(answer: Any) -> int:
    """A getter's answer as one integer, its words one after the other."""
    return int(answer, 16) if isinstance(answer, str) and answer not in ("0x", "") else 0


@cache
def _find(contract: str, name: str) -> tuple[bytes, Sequence[str]]:
    for entry in artifacts.load(contract).abi:
        if entry["type"] == "function" and entry["name"] == name:
            kinds = [collapse_if_tuple(argument) for argument in entry["inputs"]]
            if not all(map(is_word, kinds)):
                raise LookupError(f"{contract}.{name} takes more than words")
            return bytes(keccak(text=f"{name}({','.join(kinds)})")[:4]), kinds
    raise LookupError(f"{contract} has no getter {name}")
