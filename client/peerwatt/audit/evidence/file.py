"""The proof file: JSON that holds everything needed to check one account's payments against a block's hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from peerwatt.audit.history import Log, Transaction
from peerwatt.market.deployment import Deployment, MarketNumbers, Roles
from peerwatt.reference.values import ZERO_ADDRESS, address

FORMAT, VERSION = "peerwatt-proof", 1
Nodes = tuple[bytes, ...]


class BadFile(ValueError):
    """The file is no proof file."""


@dataclass(frozen=True)
class Told:
    """What a node told of a transaction without a proof."""

    hash: bytes
    sender: str
    to: str
    data: bytes
    logs: tuple[tuple[str, Nodes, bytes], ...]


@dataclass(frozen=True)
class Entry:
    """One transaction of a block.

    Attributes:
        index: in its block.
        transaction, receipt: nodes of the block's tries down to it, None where there is no proof.
        told: what the node said, where one of the proofs is missing.
    """

    index: int
    transaction: Nodes | None
    receipt: Nodes | None
    told: Told | None


@dataclass(frozen=True)
class ProvenBlock:
    """A header in RLP, and transactions of its block."""

    header: bytes
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class StateProof:
    """Nodes of the last block's state trie down to the market, and of its storage trie down to the wallet."""

    account: Nodes
    wallet: Nodes


@dataclass(frozen=True)
class ProofFile:
    """See docs/proof-file.md.

    Attributes:
        last: header of the block up to which it proves.
        blocks: those with transactions of the account, in their sequence.
        links: the headers in between, if it is a whole chain of headers.
        state: None where the node gave no proof.
        missing: what the node did not give, in words.
    """

    account: str
    deployment: Deployment
    last: bytes
    blocks: tuple[ProvenBlock, ...]
    links: tuple[bytes, ...]
    state: StateProof | None
    missing: tuple[str, ...]

    def to_json(self) -> str:
        """The file's text; ends with the digest of all before it."""
        content = self._content()
        return json.dumps({**content, "digest": digest_of(content)}, indent=1) + "\n"

    def _content(self) -> dict[str, Any]:
        deployment = self.deployment
        return {
            "format": FORMAT,
            "version": VERSION,
            "account": self.account,
            "market": {
                "chain_id": deployment.chain_id,
                "market": deployment.market,
                "registry": deployment.registry,
                "token": deployment.token,
                "parameters": asdict(deployment.parameters),
                "balancing_account": deployment.roles.balancing_account,
                "network_account": deployment.roles.network_account,
            },
            "last": _header(self.last),
            "state": None
            if self.state is None
            else {"account": _nodes(self.state.account), "wallet": _nodes(self.state.wallet)},
            "blocks": [
                {**_header(block.header), "transactions": [_entry(entry) for entry in block.entries]}
                for block in self.blocks
            ],
            "links": [_header(link) for link in self.links],
            "missing": list(self.missing),
        }


def digest_of(content: Mapping[str, Any]) -> str:
    """SHA-256 of a file's content without its digest."""
    rest = {name: value for name, value in content.items() if name != "digest"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def load(path: Path) -> tuple[ProofFile, list[str]]:
    """Reads a proof file, and says what in it contradicts itself.

    Raises:
        BadFile: it is none.
        OSError: it can't be read.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BadFile(f"{path} is no proof file ({error}); get it again, whole") from error
    return parse(content, str(path))


def parse(content: Any, name: str = "the file") -> tuple[ProofFile, list[str]]:
    """See `load`."""
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise BadFile(f"{name} is no proof file; name one that `peerwatt audit --participant ACCOUNT --proof` wrote")
    if content.get("version") != VERSION:
        raise BadFile(f"{name} is of version {content.get('version')!r}, this program reads {VERSION}; get a newer one")
    wrong: list[str] = []
    try:
        digest = content["digest"]
        if digest != digest_of(content):
            wrong.append(f"the file's content has the digest {digest_of(content)}, the file says {digest}")
        proof = ProofFile(
            account=address(content["account"]),
            deployment=_read_deployment(content["market"]),
            last=_read_header(content["last"], wrong),
            blocks=tuple(
                ProvenBlock(_read_header(block, wrong), tuple(map(_read_entry, block["transactions"])))
                for block in content["blocks"]
            ),
            links=tuple(_read_header(link, wrong) for link in content["links"]),
            state=_read_state(content["state"]),
            missing=tuple(str(one) for one in content["missing"]),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BadFile(f"{name} is no proof file ({type(error).__name__}: {error}); get it again, whole") from error
    return proof, wrong


def to_told(transaction: Transaction) -> Told:
    """A transaction without its proofs."""
    logs = tuple((log.address, log.topics, log.data) for log in transaction.logs)
    return Told(transaction.hash, transaction.sender, transaction.to, transaction.data, logs)


def to_logs(logs: Sequence[tuple[str, Nodes, bytes]], block_number: int, transaction_hash: bytes) -> tuple[Log, ...]:
    """Logs of a transaction, counted from its first one."""
    return tuple(
        Log(where, tuple(topics), data, block_number, index, transaction_hash)
        for index, (where, topics, data) in enumerate(logs)
    )


# Writing


def _hex(data: bytes) -> str:
    return f"0x{data.hex()}"


def _nodes(nodes: Nodes) -> list[str]:
    return [_hex(node) for node in nodes]


def _header(header: bytes) -> dict[str, Any]:
    return {"hash": _hex(keccak(header)), "header": _hex(header)}


def _entry(entry: Entry) -> dict[str, Any]:
    told = entry.told
    return {
        "index": entry.index,
        "transaction": None if entry.transaction is None else _nodes(entry.transaction),
        "receipt": None if entry.receipt is None else _nodes(entry.receipt),
        "told": None
        if told is None
        else {
            "hash": _hex(told.hash),
            "from": told.sender,
            "to": told.to,
            "input": _hex(told.data),
            "logs": [
                {"address": where, "topics": _nodes(topics), "data": _hex(data)} for where, topics, data in told.logs
            ],
        },
    }


# Reading


def _bytes(text: str) -> bytes:
    if not text.startswith("0x"):
        raise ValueError(f"{text[:12]!r} does not begin with 0x")
    return bytes.fromhex(text[2:])


def _read_nodes(nodes: Sequence[str]) -> Nodes:
    return tuple(_bytes(node) for node in nodes)


def _read_header(entry: Mapping[str, Any], wrong: list[str]) -> bytes:
    header = _bytes(entry["header"])
    if _hex(keccak(header)) != entry["hash"]:
        wrong.append(f"a header hashes to {_hex(keccak(header))}, the file says {entry['hash']}")
    return header


def _read_entry(entry: Mapping[str, Any]) -> Entry:
    told = entry["told"]
    index = entry["index"]
    if type(index) is not int or index < 0:
        raise ValueError(f"{index!r} is no index of a transaction")
    return Entry(
        index,
        None if entry["transaction"] is None else _read_nodes(entry["transaction"]),
        None if entry["receipt"] is None else _read_nodes(entry["receipt"]),
        None
        if told is None
        else Told(
            _bytes(told["hash"]),
            address(told["from"]),
            address(told["to"]) if told["to"] else "",
            _bytes(told["input"]),
            tuple((address(log["address"]), _read_nodes(log["topics"]), _bytes(log["data"])) for log in told["logs"]),
        ),
    )


def _read_state(state: Mapping[str, Any] | None) -> StateProof | None:
    return None if state is None else StateProof(_read_nodes(state["account"]), _read_nodes(state["wallet"]))


def _read_deployment(market: Mapping[str, Any]) -> Deployment:
    """The manifest as far as payments need it."""
    numbers = MarketNumbers(**market["parameters"])
    for name, value in (*asdict(numbers).items(), ("chain_id", market["chain_id"])):
        if type(value) is not int or not 0 <= value < 1 << 256:
            raise ValueError(f"{name} is {value!r}")
    if numbers.window_seconds == 0:
        raise ValueError("windows of no seconds")
    funds = address(market["balancing_account"]), address(market["network_account"])
    return Deployment(
        chain_id=market["chain_id"],
        market=to_checksum_address(address(market["market"])),
        registry=to_checksum_address(address(market["registry"])),
        lens=to_checksum_address(ZERO_ADDRESS),
        token=to_checksum_address(address(market["token"])),
        block=0,
        block_hash="",
        parameters=numbers,
        roles=Roles(ZERO_ADDRESS, ZERO_ADDRESS, *funds),
        code_hash={},
    )
