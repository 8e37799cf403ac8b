"""Parameters of JSON-RPC requests: read strictly, refused in one line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from eth_typing import Address

from peerwatt.node.chain import LocalChain, Selector
from peerwatt.node.errors import InvalidParams
from peerwatt.node.execution import AccessList, Call

HEX = re.compile(r"0x[0-9a-fA-F]*")
MAX_QUANTITY = 2**256
# What a call may carry without a meaning here.
IGNORED = {"type", "chainId", "blobVersionedHashes", "maxFeePerBlobGas"}
KNOWN = {"from", "to", "data", "input", "value", "gas", "nonce", "gasPrice", "maxFeePerGas", "maxPriorityFeePerGas"}


def read_quantity(value: Any, what: str) -> int:
    """A number, as hex or as a JSON number.

    Raises:
        InvalidParams: it is none, or too large.
    """
    number: int | None = None
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, str) and HEX.fullmatch(value) and len(value) > 2:
        number = int(value, 16)
    if number is None or not 0 <= number < MAX_QUANTITY:
        raise InvalidParams(f'{what} is {show(value)}; give a number such as "0x1f"')
    return number


def read_data(value: Any, what: str, size: int | None = None) -> bytes:
    """Bytes in hex, of this size if one is given.

    Raises:
        InvalidParams: no hex, or another size.
    """
    if not isinstance(value, str) or not HEX.fullmatch(value) or len(value) % 2:
        raise InvalidParams(f'{what} is {show(value)}; give hex data such as "0x00ff"')
    content = bytes.fromhex(value[2:])
    if size is not None and len(content) != size:
        raise InvalidParams(f"{what} has {len(content)} bytes; give {size}")
    return content


def read_address(value: Any, what: str = "the address") -> Address:
    """An address in hex.

    Raises:
        InvalidParams: it is none.
    """
    return Address(read_data(value, what, 20))


def read_selector(value: Any, chain: LocalChain) -> Selector:
    """A block's number, tag, or EIP-1898 object.

    Raises:
        InvalidParams: it is none of them, or the chain has no such block.
    """
    if value in (None, "latest", "safe", "finalized"):
        return "latest"
    if value == "pending":
        return "pending"
    if value == "earliest":
        return 0
    if isinstance(value, dict):
        if "blockHash" in value:
            block = chain.block_by_hash(read_data(value["blockHash"], "the block hash", 32))
            if block is None:
                raise InvalidParams(f"there is no block with hash {value['blockHash']}")
            return block.number
        return read_selector(value.get("blockNumber"), chain)
    if isinstance(value, str) and HEX.fullmatch(value) is None:
        raise InvalidParams(f'the block is {show(value)}; give its number or "latest", "pending", "earliest"')
    return read_quantity(value, "the block")


def read_call(value: Any, default_sender: Address) -> Call:
    """A transaction object.

    Raises:
        InvalidParams: a field is wrong or unknown.
    """
    if not isinstance(value, dict):
        raise InvalidParams(f"the transaction is {show(value)}; give an object")
    fields = {key: entry for key, entry in value.items() if entry is not None}
    unknown = set(fields) - KNOWN - IGNORED - {"accessList"}
    if unknown:
        raise InvalidParams(f"the eth-tester engine does not know the transaction field {sorted(unknown)[0]!r}")
    if "data" in fields and "input" in fields and fields["data"] != fields["input"]:
        raise InvalidParams("data and input differ; give one of them")

    def number(name: str) -> int | None:
        return read_quantity(fields[name], name) if name in fields else None

    return Call(
        sender=read_address(fields["from"], "from") if "from" in fields else default_sender,
        to=read_address(fields["to"], "to") if fields.get("to") not in (None, "", "0x") else Address(b""),
        data=read_data(fields.get("input", fields.get("data", "0x")), "data"),
        value=number("value") or 0,
        gas=number("gas"),
        nonce=number("nonce"),
        gas_price=number("gasPrice"),
        max_fee_per_gas=number("maxFeePerGas"),
        max_priority_fee_per_gas=number("maxPriorityFeePerGas"),
        access_list=_read_access_list(fields.get("accessList", [])),
    )


def _read_access_list(value: Any) -> AccessList:
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise InvalidParams(f"accessList is {show(value)}; give a list of objects")
    return tuple(
        (
            read_address(entry.get("address"), "an address of accessList"),
            tuple(read_quantity(key, "a storage key") for key in entry.get("storageKeys", [])),
        )
        for entry in value
    )


def read_topics(value: Any) -> Sequence[frozenset[int] | None]:
    """The topics of a filter: each one a word, a choice of words, or null for any.

    Raises:
        InvalidParams: they are not.
    """
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > 4:
        raise InvalidParams(f"topics are {show(value)}; give a list of at most four")
    found: list[frozenset[int] | None] = []
    for entry in value:
        choice = entry if isinstance(entry, list) else [entry]
        wild = entry is None or not choice or None in choice
        words = (int.from_bytes(read_data(topic, "a topic", 32), "big") for topic in choice)
        found.append(None if wild else frozenset(words))
    return found


def read_addresses(value: Any) -> frozenset[bytes] | None:
    """The addresses of a filter, None for any.

    Raises:
        InvalidParams: they are none.
    """
    if value is None or value == []:
        return None
    return frozenset(bytes(read_address(entry)) for entry in (value if isinstance(value, list) else [value]))


def show(value: Any) -> str:
    """A value for an error message, cut short."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
