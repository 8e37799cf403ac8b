"""Questions for a contract's getters, and their answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from eth_utils.abi import collapse_if_tuple
from eth_utils.crypto import keccak

from peerwatt import artifacts
from peerwatt.audit.encoding import is_word, to_word
from peerwatt.audit.history import Block
from peerwatt.audit.transport import Request


@dataclass(frozen=True, slots=True)
class Getter:
    """A question for a getter.

    Attributes:
        address: of the contract.
        data: calldata.
        words: how many it answers.
    """

    address: str
    data: bytes
    words: int

    def request(self, block: Block) -> Request:
        """The question at a block."""
        return "eth_call", [{"to": self.address, "data": f"0x{self.data.hex()}"}, hex(block.number)]


def call_getter(address: str, contract: str, name: str, arguments: Sequence[Any]) -> Getter:
    """The question for what a getter says.

    Raises:
        LookupError: the contract has no such getter.
    """
    selector, kinds, words = _find(contract, name)
    data = selector + b"".join([to_word(argument) for _, argument in zip(kinds, arguments, strict=True)])
    return Getter(address, data, words)


def read_answer(answer: Any) -> int:
    """A getter's answer as one integer, its words one after the other."""
    return int(answer, 16) if isinstance(answer, str) and answer not in ("0x", "") else 0


@cache
def _find(contract: str, name: str) -> tuple[bytes, Sequence[str], int]:
    for entry in artifacts.load(contract).abi:
        if entry["type"] == "function" and entry["name"] == name:
            kinds = [collapse_if_tuple(argument) for argument in entry["inputs"]]
            if not all(map(is_word, kinds)):
                raise LookupError(f"{contract}.{name} takes more than words")
            selector = bytes(keccak(text=f"{name}({','.join(kinds)})")[:4])
            return selector, kinds, _count_words(entry["outputs"])
    raise LookupError(f"{contract} has no getter {name}")


def _count_words(outputs: Iterable[dict[str, Any]]) -> int:
    return sum(_count_words(one["components"]) if "components" in one else 1 for one in outputs)
