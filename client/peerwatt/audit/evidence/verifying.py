"""Verifying a proof file: from hashes that somebody got elsewhere to each payment, without a node."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from eth_utils.crypto import keccak

from peerwatt.audit.calldata import MARKET
from peerwatt.audit.chunks import TRANSFER
from peerwatt.audit.evidence.file import Entry, ProofFile, ProvenBlock, to_logs
from peerwatt.audit.evidence.own import Pair, to_events
from peerwatt.audit.evidence.slots import verify_wallet_proof
from peerwatt.audit.evidence.story import Story, Teller
from peerwatt.audit.headers import Header, decode_header
from peerwatt.audit.history import Block, Call, Log, Transaction
from peerwatt.audit.identity import expected_code
from peerwatt.audit.proofs import BadProof, verify_receipt_proof, verify_transaction_proof
from peerwatt.audit.report import EXIT_CODES, HOLDS, INCOMPLETE, VIOLATED
from peerwatt.exceptions import BadWord
from peerwatt.market.history import Head
from peerwatt.market.words import WalletWord
from peerwatt.reference.values import ZERO_ADDRESS

# Gives the hash of the block with a number, 0x-prefixed hex; None if there is none.
HashOf = Callable[[int], str | None]


@dataclass
class Verification:
    """What a proof file proves.

    Attributes:
        story: the account as it follows from the file; None where the file did not get so far.
        headers, anchored: how many of its headers lead to a known hash.
        transactions, receipts: how many are proven.
        code: whether the market's code is the shipped one, None if the file does not prove it.
        wallet: whether the wallet at the end is proven.
        violations, incomplete: in words, the first one first.
    """

    headers: int = 0
    anchored: int = 0
    transactions: int = 0
    receipts: int = 0
    code: bool | None = None
    wallet: bool = False
    story: Story | None = None
    violations: list[str] = field(default_factory=list)
    incomplete: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """`violated` if anything is; else `incomplete` if anything is not proven; else `holds`."""
        return VIOLATED if self.violations else INCOMPLETE if self.incomplete else HOLDS

    @property
    def exit_code(self) -> int:
        """0 holds, 1 violated, 3 incomplete."""
        return EXIT_CODES[self.verdict]


def verify(
    proof: ProofFile, wrong: Sequence[str] = (), hashes: Iterable[str] = (), hash_of: HashOf | None = None
) -> Verification:
    """Verifies all that a file says.

    Args:
        wrong: of `load`.
        hashes: block hashes known from elsewhere.
        hash_of: asks an independent node.
    """
    found = Verification(violations=list(wrong))
    try:
        last = decode_header(proof.last)
        headers = [decode_header(one) for one in (*(block.header for block in proof.blocks), *proof.links)]
    except ValueError as error:
        found.violations.append(str(error))
        return found
    _anchor(found, {header.number: header for header in (*headers, last)}, [*headers, last], hashes, hash_of)
    pairs = [pair for block in proof.blocks for pair in _read_block(found, proof, block)]
    _check_sequence(found, pairs, last)
    wallet = _read_wallet(found, proof, last)
    _check_tokens(found, proof, pairs)
    teller = Teller(proof.deployment, proof.account).follow_all(pairs)
    story = teller.end(Head(last.number, f"0x{last.hash.hex()}", last.time_s), wallet)
    found.story = story
    found.violations += story.violations
    found.incomplete += [*proof.missing, *story.unseen]
    return found


def _anchor(
    found: Verification,
    by_number: dict[int, Header],
    headers: list[Header],
    hashes: Iterable[str],
    hash_of: HashOf | None,
) -> None:
    """Follows parent hashes from the hashes that are known."""
    for header in headers:
        if by_number[header.number].hash != header.hash:
            found.violations.append(f"the file has two blocks {header.number}")
    given = {bytes.fromhex(one[2:]) for one in hashes}
    known = {header.hash for header in headers}
    for stranger in sorted(given - known):
        found.violations.append(f"no block of the file has the hash 0x{stranger.hex()}; {_newest(by_number)}")
    anchored: set[bytes] = set()
    expected: dict[int, bytes] = {}
    for number in sorted(by_number, reverse=True):
        header = by_number[number]
        linked = expected.get(number)
        if linked is None and header.hash not in given and hash_of is not None:
            told = hash_of(number)
            linked = bytes.fromhex(told[2:]) if told is not None else None
            if linked is not None and linked != header.hash:
                found.violations.append(f"block {number} is 0x{header.hash.hex()} in the file, {told} at the node")
        elif linked is not None and linked != header.hash:
            text = f"block {number} has the hash 0x{header.hash.hex()}, the one after it says 0x{linked.hex()}"
            found.violations.append(text)
        if header.hash in given or linked == header.hash:
            anchored.add(header.hash)
            expected[number - 1] = header.parent_hash
    found.headers, found.anchored = len(by_number), len(anchored)
    loose = [number for number in sorted(by_number) if by_number[number].hash not in anchored]
    if loose and not found.violations:
        count = f"block {loose[-1]}" if len(loose) == 1 else f"{len(loose)} blocks up to {loose[-1]}"
        way = "give --block-hash as you know it from elsewhere, or an independent node with --rpc"
        found.incomplete.append(f"nothing says that {count} of the file are in the chain; {way}")


def _newest(by_number: dict[int, Header]) -> str:
    number = max(by_number)
    return f"its last one, block {number}, has 0x{by_number[number].hash.hex()}"


def _read_block(found: Verification, proof: ProofFile, block: ProvenBlock) -> list[Pair]:
    header = decode_header(block.header)
    place = Block(header.number, header.hash, header.parent_hash, header.time_s)
    pairs = []
    for entry in block.entries:
        try:
            pairs.append((_read_entry(found, proof, block, header, entry), place))
        except BadProof as error:
            found.violations.append(f"block {header.number}, transaction {entry.index}: {error}")
    return pairs


def _read_entry(found: Verification, proof: ProofFile, block: ProvenBlock, header: Header, entry: Entry) -> Transaction:
    told = entry.told
    where = f"block {header.number}, transaction {entry.index}"
    if told is None and (entry.transaction is None or entry.receipt is None):
        raise BadProof("there is neither a proof nor what the node told")
    if entry.transaction is not None:
        signed = verify_transaction_proof(block.header, entry.transaction, entry.index)
        hash_, sender, to, data = signed.hash, signed.sender, signed.to, signed.data
        found.transactions += 1
    else:
        assert told is not None
        hash_, sender, to, data = told.hash, told.sender, told.to, told.data
        found.incomplete.append(f"{where}: the transaction is told, not proven")
    if entry.receipt is not None:
        logs = to_logs(verify_receipt_proof(block.header, entry.receipt, entry.index).logs, header.number, hash_)
        found.receipts += 1
    else:
        assert told is not None
        logs = to_logs(told.logs, header.number, hash_)
        found.incomplete.append(f"{where}: its logs are told, not proven")
    contracts = {proof.deployment.market.lower(), proof.deployment.registry.lower()}
    calls = (Call(to, sender, data),) if to in contracts else None
    proven = entry.transaction is not None and entry.receipt is not None
    return Transaction(hash_, header.number, entry.index, sender, to, data, proven, calls, logs)


def _check_sequence(found: Verification, pairs: Sequence[Pair], last: Header) -> None:
    places = [(transaction.block, transaction.index) for transaction, _ in pairs]
    if places != sorted(set(places)):
        found.violations.append("the file's transactions are not in the chain's sequence, or one is there twice")
    if places and places[-1][0] > last.number:
        found.violations.append(f"the file has transactions after its last block {last.number}")


def _read_wallet(found: Verification, proof: ProofFile, last: Header) -> WalletWord | None:
    """The wallet that the last block's state holds, and whether the code that keeps it is the shipped one."""
    if proof.state is None:
        text = f"the wallet at block {last.number} is not proven, so that a deposit or a withdrawal could be left out"
        found.incomplete.append(text)
        return None
    market = proof.deployment.market
    try:
        code_hash, word = verify_wallet_proof(
            last.state_root, market.lower(), proof.account, proof.state.account, proof.state.wallet
        )
        wallet = WalletWord.decode(word)
    except (BadProof, BadWord) as error:
        found.violations.append(f"block {last.number}: {error}")
        return None
    found.wallet = True
    expected = keccak(expected_code(MARKET, proof.deployment, ZERO_ADDRESS))
    found.code = code_hash == expected
    if not found.code:
        found.violations.append(
            f"the code of {market} has the hash 0x{code_hash.hex()}; the shipped market with the file's chain, "
            f"addresses and parameters has 0x{expected.hex()}"
        )
    return wallet


def _check_tokens(found: Verification, proof: ProofFile, pairs: Sequence[Pair]) -> None:
    """Each deposit and withdrawal moved its tokens, where the receipt proves all logs of the transaction."""
    market, token = proof.deployment.market.lower(), proof.deployment.token.lower()
    for transaction, _ in pairs:
        moves = [_to_move(log) for log in transaction.logs if log.address == token]
        for event in to_events(transaction, market):
            if event.name not in ("Deposited", "Withdrawn"):
                continue
            if str(event.args["account"]).lower() != proof.account or not transaction.authentic:
                continue
            wanted = (market, event.args["amount"])
            if event.name == "Deposited":
                fits = any(move is not None and (move[1], move[2]) == wanted for move in moves)
            else:
                move_out = (market, str(event.args["recipient"]).lower(), event.args["amount"])
                fits = move_out in moves
            if not fits:
                found.violations.append(f"{event.name} in transaction {event.transaction_hash} moved no such tokens")


def _to_move(log: Log) -> tuple[str, str, int] | None:
    if len(log.topics) != 3 or f"0x{log.topics[0].hex()}" != TRANSFER:
        return None
    sender, receiver = (f"0x{topic[-20:].hex()}" for topic in log.topics[1:])
    return sender, receiver, int.from_bytes(log.data, "big")


def describe(found: Verification) -> dict[str, Any]:
    """What was proven, with stable names."""
    return {
        "verdict": found.verdict,
        "headers": found.headers,
        "headers_anchored": found.anchored,
        "transactions_proven": found.transactions,
        "receipts_proven": found.receipts,
        "code_is_shipped": found.code,
        "wallet_proven": found.wallet,
        "violations": found.violations,
        "incomplete": found.incomplete,
    }
