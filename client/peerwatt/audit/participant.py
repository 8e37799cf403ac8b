"""One home's account explained: each payment down to the signatures that it rests on, and a file that proves it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from peerwatt.audit.chunks import read_block
from peerwatt.audit.evidence.authority import Authority
from peerwatt.audit.evidence.making import make_proof
from peerwatt.audit.evidence.own import Pair, read_own
from peerwatt.audit.evidence.story import Clearing, Deed, Story, Teller
from peerwatt.audit.readings import ARGUMENTS
from peerwatt.audit.replay import Replay
from peerwatt.audit.transport import Transport
from peerwatt.market.deployment import Deployment
from peerwatt.market.history import Head
from peerwatt.market.relay_words import unpack_growths
from peerwatt.market.statement import Row, add_up, sum_of
from peerwatt.market.words import KINDS, WalletWord
from peerwatt.reference.past import Tally, add_up_accounts
from peerwatt.reference.values import BUY
from peerwatt.reference.wallets import Wallet

SIDES = ("bid", "offer")
VERSION = 1
# What an account's settled orders come to, in two replays.
TALLIED = {
    "lines": "windows settled",
    "sales": "windows settled as a seller",
    "last": "number of the last window settled",
    "windows": "numbers of the windows settled, added up",
    "bought_wh": "Wh bought",
    "sold_wh": "Wh sold",
    "delivered_wh": "Wh delivered",
    "paid": "base units paid",
    "received": "base units received",
    "released": "base units of reserve that ended",
}


@dataclass(frozen=True)
class ParticipantReport:
    """What an account's money comes to, and why.

    Attributes:
        story: all of it.
        pairs: the transactions that it rests on.
        compared: whether it was compared with a replay of the whole market.
    """

    story: Story
    pairs: Sequence[Pair]
    compared: bool

    @property
    def holds(self) -> bool:
        """Whether every payment follows from the rules and the signatures, as far as they can be seen."""
        return not self.story.violations

    def to_dict(self) -> dict[str, Any]:
        """The report with stable names; energies in Wh, money in base units, times in Unix seconds."""
        return {**to_dict(self.story), "compared_with_replay": self.compared}


def explain(audit: Any, account: str, last_block: int | str) -> ParticipantReport:
    """Explains an account at the end of an audit.

    Its transactions are read again, by their topics: few, however large the market, and none is missed, since what
    follows from them must be what the replay of the whole market came to.

    Args:
        audit: an `Audit` that was run; only its transport, deployment and replay are used.
        last_block: number or hash of the block that it was about.
    Raises:
        SourceIncomplete, SourceContradiction: the node does not give them.
    """
    replay: Replay = audit.replay
    compared = replay.divergence is None
    wallet = _to_word(replay.market.wallets.get(account.lower(), Wallet())) if compared else None
    report = explain_account(audit.transport, audit.deployment, account, last_block, wallet)
    if not compared:
        return report
    violations = list(report.story.violations)
    mine: dict[str, Tally] = {}
    add_up_accounts(mine, report.story.settled)
    own, whole = (tallies.get(account.lower(), Tally()) for tallies in (mine, replay.market.past.accounts))
    for name, found in asdict(own).items():
        if (expected := getattr(whole, name)) != found:
            violations.append(f"{TALLIED[name]}: {found}; the replay of the whole market has {expected}")
    story = Story(**{**vars(report.story), "violations": tuple(violations)})
    return ParticipantReport(story, report.pairs, True)


def explain_account(
    transport: Transport, deployment: Deployment, account: str, last_block: int | str, wallet: WalletWord | None = None
) -> ParticipantReport:
    """Explains an account from its own transactions alone.

    Args:
        wallet: what it must come to; not compared if None.
    """
    pairs = read_own(transport, deployment, account, last_block)
    last = read_block(transport, last_block)
    head = Head(last.number, f"0x{last.hash.hex()}", last.time_s)
    story = Teller(deployment, account).follow_all(pairs).end(head, wallet)
    return ParticipantReport(story, pairs, False)


def write_proof(
    report: ParticipantReport, transport: Transport, path: Path, links: int | None = None
) -> dict[str, Any]:
    """Writes the file that proves a report's payments; see docs/proof-file.md.

    Args:
        links: the most headers that lead from the oldest block of the account to the last one; None for a few hundred.
    Returns:
        What is in the file.
    Raises:
        SourceIncomplete, SourceContradiction: the node does not give the blocks.
        OSError: the file can't be written.
    """
    proof = make_proof(transport, report.story.deployment, report.story.account, report.pairs,
                       report.story.history.head, **({} if links is None else {"links": links}))  # fmt: skip
    path.write_text(proof.to_json(), encoding="utf-8", newline="\n")
    return {"path": str(path), "blocks": len(proof.blocks), "links": len(proof.links), "missing": list(proof.missing)}


def to_dict(story: Story) -> dict[str, Any]:
    """A story with stable names."""
    history = story.history
    placed, settled_by = find_deeds(story)
    wallet = history.wallet
    return {
        "version": VERSION,
        "account": story.account,
        "block": {"number": history.head.number, "hash": history.head.hash, "time_s": history.head.time_s},
        "windows": [_row(story, row, placed, settled_by) for row in history.rows],
        "movements": [asdict(movement) for movement in history.movements],
        "deeds": [_deed(deed) for deed in story.deeds],
        "totals": {
            **asdict(add_up(history.rows)),
            "deposited_amount": sum_of(history.movements, "deposit"),
            "withdrawn_amount": sum_of(history.movements, "withdrawal"),
            "credited_amount": sum_of(history.movements, "credit"),
        },
        "wallet": {"balance": wallet.balance, "reserved": wallet.reserved, "free": wallet.free, "score": wallet.score},
        "signatures": story.signatures,
        "violations": list(story.violations),
        "unseen": list(story.unseen),
    }


def find_deeds(story: Story) -> tuple[dict[int, int], dict[int, int]]:
    """For each window, which deed placed its order, and which one settled it."""
    placed: dict[int, int] = {}
    settled: dict[int, int] = {}
    nonces: dict[int, int] = {}
    for index, deed in enumerate(story.deeds):
        if deed.name == "OrderPlaced":
            nonces[deed.event.args["order"] & 2**32 - 1] = index
        for line in deed.settled:
            placed[line.window] = nonces.get(line.order.nonce, -1)
            settled[line.window] = index
    return placed, settled


def _row(story: Story, row: Row, placed: dict[int, int], settled: dict[int, int]) -> dict[str, Any]:
    seconds = story.deployment.parameters.window_seconds
    clearing = story.clearings.get(row.window)
    data = asdict(row)
    del data["block_number"], data["transaction_hash"]
    return {
        **data,
        "side": SIDES[row.side != BUY],
        "start_s": row.window * seconds,
        "end_s": (row.window + 1) * seconds,
        "order_deed": placed.get(row.window),
        "settlement_deed": settled.get(row.window),
        "clearing": None if clearing is None else _clearing(clearing),
    }


def _clearing(clearing: Clearing) -> dict[str, Any]:
    result = clearing.result
    return {
        "kind": KINDS[result.kind],
        "level": result.level,
        "ration_num": result.num,
        "ration_den": result.den,
        "supply_wh": clearing.supply_wh,
        "demand_wh": clearing.demand_wh,
        "traded_wh": clearing.traded_wh,
        **asdict(clearing.place),
    }


def _deed(deed: Deed) -> dict[str, Any]:
    arguments = {name: value for name, value in deed.event.args.items() if name not in ("wallet", "account", "growths")}
    if deed.name == "ReportSettled":
        arguments["growths"] = unpack_growths(deed.event.args["growths"], deed.event.args["report"] >> 32 & 255)
    return {
        "name": deed.name,
        **asdict(deed.place),
        "arguments": {name: _fields(name, value) for name, value in arguments.items()},
        "authority": _authority(deed.authority),
        "windows": [line.window for line in deed.settled],
        "balance_after": deed.wallet.balance,
        "reserved_after": deed.wallet.reserved,
        "score_after": deed.wallet.score,
    }


def _authority(authority: Authority) -> dict[str, Any]:
    data = asdict(authority)
    for name in ("r", "vs"):
        data[name] = None if data[name] is None else f"0x{data[name]:064x}"
    return data


def _plain(value: Any) -> Any:
    """Words and hashes as hex: JSON's readers keep no integers of 256 bits."""
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    return hex(value) if type(value) is int and value >= 1 << 53 else value


def _fields(name: str, value: Any) -> Any:
    """A packed word by its fields; anything else as it is."""
    kind = ARGUMENTS.get(name)
    return _plain(value) if kind is None else {key: _plain(part) for key, part in asdict(kind.decode(value)).items()}


def _to_word(wallet: Wallet) -> WalletWord:
    return WalletWord(wallet.balance, wallet.reserved, wallet.score, wallet.rated)
