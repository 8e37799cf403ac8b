"""Making a proof file: headers, and the tries' nodes down to each transaction, receipt and word."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from eth_utils.crypto import keccak

from peerwatt.audit.authentic import Raw
from peerwatt.audit.evidence.file import Entry, Nodes, ProofFile, ProvenBlock, StateProof, to_told
from peerwatt.audit.evidence.own import Pair
from peerwatt.audit.evidence.slots import wallet_slot
from peerwatt.audit.failures import SourceContradiction, SourceIncomplete
from peerwatt.audit.headers import encode_header
from peerwatt.audit.history import Block, Transaction
from peerwatt.audit.proofs import receipt_proof, transaction_proof
from peerwatt.audit.transport import RpcError, Transport, ask
from peerwatt.market.deployment import Deployment
from peerwatt.market.history import Head

# Headers, about 600 bytes each, that a file may hold to lead from its oldest block to its last one.
LINKS = 512
AT_ONCE = 64


def make_proof(
    transport: Transport,
    deployment: Deployment,
    account: str,
    pairs: Sequence[Pair],
    head: Head,
    links: int = LINKS,
) -> ProofFile:
    """Collects what proves an account's transactions.

    Args:
        pairs: all of its transactions, of `read_own`.
        head: the block up to which they are all.
        links: the most headers between; with more, each block's hash has to be known from elsewhere.
    Raises:
        SourceIncomplete: a block can't be had.
        SourceContradiction: the blocks are not those of the transactions, or headers that nobody can hash.
    """
    missing: list[str] = []
    (raw,) = _read_headers(transport, [head.number])
    last = _encode(transport, raw, head.hash)
    blocks = []
    for _, group in groupby(pairs, key=lambda pair: pair[1].number):
        members = list(group)
        blocks.append(_prove_block(transport, members[0][1], [pair[0] for pair in members], missing))
    numbers = {block.number for _, block in pairs}
    between: list[int] = []
    if numbers and head.number - min(numbers) <= links:
        between = [number for number in range(min(numbers), head.number) if number not in numbers]
    headers = [
        _encode(transport, header, header["hash"])
        for at in range(0, len(between), AT_ONCE)
        for header in _read_headers(transport, between[at : at + AT_ONCE])
    ]
    state = _prove_wallet(transport, deployment, account, head, missing)
    return ProofFile(account.lower(), deployment, last, tuple(blocks), tuple(headers), state, tuple(missing))


def _prove_block(transport: Transport, block: Block, members: Iterable[Transaction], missing: list[str]) -> ProvenBlock:
    raw = ask(transport, "eth_getBlockByNumber", hex(block.number), True)
    if not isinstance(raw, dict):
        raise SourceIncomplete(f"{transport.name} does not give block {block.number}")
    header = _encode(transport, raw, f"0x{block.hash.hex()}")
    receipts = _read_receipts(transport, raw)
    if receipts is None:
        missing.append(f"the receipts of block {block.number}: {transport.name} does not give them")
    entries = []
    for member in members:
        receipt: Nodes | None = None
        transaction: Nodes | None = None
        if receipts is not None:
            receipt = tuple(receipt_proof(raw, receipts, member.index))
        try:
            transaction = tuple(transaction_proof(raw, member.index))
        except SourceContradiction as error:
            # Not each chain's transactions are of a type that is known here.
            missing.append(f"transaction 0x{member.hash.hex()}: {error}")
        told = to_told(member) if receipt is None or transaction is None else None
        entries.append(Entry(member.index, transaction, receipt, told))
    return ProvenBlock(header, tuple(entries))


def _read_headers(transport: Transport, numbers: Sequence[int]) -> list[Raw]:
    answers = transport.many([("eth_getBlockByNumber", [hex(number), False]) for number in numbers])
    for number, answer in zip(numbers, answers, strict=True):
        if not isinstance(answer, dict):
            raise SourceIncomplete(f"{transport.name} does not give block {number}: {answer or 'it has none'}")
    return answers


def _encode(transport: Transport, raw: Raw, expected: str) -> bytes:
    number = int(raw["number"], 16)
    if raw["hash"] != expected:
        text = f"block {number} of {transport.name} is {raw['hash']} now, and was {expected}; the chain changed"
        raise SourceContradiction(text, number)
    try:
        header = encode_header(raw)
    except (KeyError, ValueError) as error:
        raise SourceContradiction(f"the header of block {number} can't be read ({error!r})", number) from error
    if f"0x{keccak(header).hex()}" != expected:
        text = f"the header of block {number} does not hash to {expected}: this chain's headers can't be proven here"
        raise SourceContradiction(text, number)
    return header


def _read_receipts(transport: Transport, raw: Raw) -> list[Raw] | None:
    """All receipts of a block; None where the node does not give them."""
    try:
        answer: Any = ask(transport, "eth_getBlockReceipts", raw["number"])
    except RpcError:
        hashes = [transaction["hash"] for transaction in raw["transactions"]]
        answer = transport.many([("eth_getTransactionReceipt", [one]) for one in hashes])
    complete = isinstance(answer, list) and len(answer) == len(raw["transactions"])
    return answer if complete and all(isinstance(one, dict) for one in answer) else None


def _prove_wallet(
    transport: Transport, deployment: Deployment, account: str, head: Head, missing: list[str]
) -> StateProof | None:
    slot = f"0x{wallet_slot(account):064x}"
    try:
        answer = ask(transport, "eth_getProof", deployment.market, [slot], hex(head.number))
        return StateProof(_nodes(answer["accountProof"]), _nodes(answer["storageProof"][0]["proof"]))
    except (RpcError, KeyError, IndexError, TypeError, ValueError) as error:
        text = f"the wallet at block {head.number}: {transport.name} gives no proof of it"
        missing.append(f"{text} ({error})")
        return None


def _nodes(nodes: Sequence[str]) -> Nodes:
    return tuple(bytes.fromhex(node[2:]) for node in nodes)
