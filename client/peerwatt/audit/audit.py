"""The audit from end to end: identity, history, replay, second clearing, storage, promises, verdict."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peerwatt.audit.ahead import ReadAhead
from peerwatt.audit.checkpoint import Checkpoint, Unusable
from peerwatt.audit.checks import PROMISES, Check, check_promises
from peerwatt.audit.chunks import headers_hash, read_block
from peerwatt.audit.collector import collect_rarely
from peerwatt.audit.crosscheck import crosscheck
from peerwatt.audit.delivered import Delivered
from peerwatt.audit.failures import SourceContradiction, SourceIncomplete, SourcesDisagree
from peerwatt.audit.flows import TokenFlows
from peerwatt.audit.history import Block, Chunk
from peerwatt.audit.identity import Origin, check_identity, find_origin, find_scores
from peerwatt.audit.merit_order import MeritOrders
from peerwatt.audit.readings import read_word, tell_apart
from peerwatt.audit.replay import Divergence, Replay
from peerwatt.audit.report import SHOWN, Report
from peerwatt.audit.signers import Bindings, SignerPool
from peerwatt.audit.source import History, read_history
from peerwatt.audit.stakes import Stakes
from peerwatt.audit.state import Comparison, Difference, compare_state
from peerwatt.audit.subject import describe_market, read_currency
from peerwatt.audit.tables import ParquetTables
from peerwatt.audit.totals import add_up
from peerwatt.audit.transport import RpcError, Transport
from peerwatt.market.deployment import Deployment

EVERY_CLASS = 2**64 - 1
TOKENS = "the token moved what the market says, and nothing else left the market"
# The getter of the classes, which nobody can compare while they are not known.
ACCEPTED = "accepted_classes"
READING, COMPARING = "reading the chain", "comparing the storage"
# What an audit has come to at the end of a chunk, besides the replay.
STATE = (
    "merit",
    "flows",
    "bindings",
    "transactions",
    "logs",
    "callers",
    "headers",
    "authentic",
    "_forged",
    "delivered",
)
_PLACE = re.compile(r"block (\d+), transaction (0x[0-9a-f]{64})")


@dataclass(frozen=True)
class Progress:
    """How far an audit is: blocks read of those to read, and what it does."""

    block: int
    first: int
    last: int
    stage: str = READING


OnProgress = Callable[[Progress], None]


def _unheard(_: object) -> None:
    """Where nobody wants to know."""


class Audit:
    """One market, audited up to one block.

    Attributes:
        replay: the market done again.
        merit: the second clearing.
        flows: the token's logs beside the market's.
        callers: whoever called the contracts, lower case.
        headers: how many blocks with logs were read.
    """

    def __init__(
        self,
        transport: Transport,
        deployment: Deployment,
        *,
        workers: int | None = None,
        second: Transport | None = None,
        manifest: bool = True,
        also: Sequence[Check] = (),
        checkpoint: Path | None = None,
        ahead: bool = False,
        tables: ParquetTables | None = None,
        say: Callable[[str], None] = _unheard,
    ) -> None:
        """
        Args:
            workers: processes that recover signatures; all cores if None.
            second: another node, which must tell the same history.
            manifest: whether the deployment is somebody's manifest; False if it was read from the chain itself.
            also: checks that were made elsewhere.
            checkpoint: file with the state of an earlier audit, or for this one's.
            ahead: read the next part of the chain while this one is done again; not for a chain in this process.
            tables: given every transaction that was done again; then no checkpoint is gone on from.
            say: told why a checkpoint was not gone on from.
        Raises:
            SourceIncomplete: the node does not give the market's block.
        """
        self.transport = transport
        self.deployment = deployment
        self.origin: Origin | None = find_origin(transport, deployment)
        deployed = read_block(transport, deployment.block)
        classes = self.origin.accepted_meter_classes if self.origin else None
        accepted = EVERY_CLASS if classes is None else classes
        predecessor = find_scores(transport, self.origin, lambda: self._block)
        self.replay = Replay(deployment, deployed.time_s, accepted, predecessor)
        self.merit = MeritOrders()
        self.flows = TokenFlows(deployment.market)
        self.bindings = Bindings()
        self.transactions = 0
        self.logs = 0
        self.callers: set[str] = set()
        self.headers = 0
        self.authentic: Counter[bool | None] = Counter()
        self._forged: list[str] = []
        self.delivered = Delivered()
        self._workers = workers
        self._block = deployment.block
        self._second = second
        self._manifest = manifest
        self._also = also
        # The scores of an older registry are asked for in between: one thread has to do all the asking.
        self._ahead = ahead and predecessor is None
        self._tables = tables
        self._say = say
        self._checkpoint = Checkpoint(checkpoint, deployment, second is not None, predecessor) if checkpoint else None
        self._at: Block | None = None
        self._disagreement: str | None = None
        self._first_difference: Difference | None = None
        self._hashed = False

    def run(self, last_block: int | str | None = None, on_progress: OnProgress | None = None) -> Report:
        """Audits up to a block: its number, its hash, a tag; the newest final one if None.

        Raises:
            SourceIncomplete, SourceContradiction: of `read_history`, before anything was audited; see `audit_market`.
        """
        progress = on_progress or _unheard
        history = read_history(self.transport, self.deployment, last_block)
        self._resume(history)
        # At both ends: a chain may have headers of its own.
        ends = self.deployment.block, history.last.number
        self._hashed = history.reader.check_headers = headers_hash(self.transport, ends)
        currency = read_currency(self.transport, self.deployment.token)
        identity = [*self._also, *self._identify(history.last)]
        stopped: str | None = None
        pool = SignerPool(self.replay.domain, self.deployment.market, self._workers, self.bindings)
        try:
            with collect_rarely():
                self._replay(history, pool, progress)
        except (SourceIncomplete, RpcError) as error:
            stopped = str(error)
        except SourceContradiction as error:
            self._contradicted(error.block, error.transaction, error.log_index, "one history", str(error))
        except SourcesDisagree as error:
            self._disagreement = str(error)
            one, two = (f"{name} says {told}" for name, told in error.told.items())
            wrong = "; ".join(f"{name} is wrong: {reason}" for name, reason in error.wrong.items())
            found = f"{two} ({wrong or 'which one is wrong is not proven'})"
            self._contradicted(error.block, error.transaction, error.log_index, one, found)
        finally:
            pool.close()
            self._save_checkpoint()
        progress(Progress(history.last.number, self.deployment.block, history.last.number, COMPARING))
        market = describe_market(self.deployment, self._manifest, currency)
        return self._report(market, history.last, identity, stopped)

    def _contradicted(
        self, block: int | None, transaction: str | None, log_index: int | None, expected: str, found: str
    ) -> None:
        if self.replay.divergence is None:
            self.replay.divergence = Divergence(block or 0, transaction or "", log_index, expected, found)

    def _identify(self, last: Block) -> Iterator[Check]:
        return check_identity(self.transport, self.deployment, self.origin, last, self._manifest)

    # Going on from an earlier audit

    def _resume(self, history: History) -> None:
        if self._checkpoint is None:
            return
        if self._tables is not None:
            self._say("the tables are of the whole history: reading from the market's first block")
            return
        try:
            saved = self._checkpoint.load()
            if saved is None:
                return
            if saved.end.number > history.last.number:
                # It stays for the audits of later blocks.
                self._checkpoint = None
                raise Unusable(f"it is of block {saved.end.number}, this audit is about block {history.last.number}")
            if not history.holds(saved.end):
                raise Unusable(f"block {saved.end.number} (0x{saved.end.hash.hex()}) is no longer in the chain")
        except Unusable as error:
            self._say(f"the checkpoint is of no use: {error}; reading from the market's first block")
            return
        self._put_state(saved.state)
        self._at = history.after = saved.end

    def _take_state(self) -> dict[str, Any]:
        own = {f"audit.{name}": getattr(self, name) for name in STATE}
        replay = {f"replay.{name}": getattr(self.replay, name) for name in ("counts", "unchecked")}
        acts = {f"acts.{name}": value for name, value in vars(self.replay.acts).items() if name != "domain"}
        return {**own, **replay, **acts}

    def _put_state(self, state: dict[str, Any]) -> None:
        owners = {"audit": self, "replay": self.replay, "acts": self.replay.acts}
        for key, value in state.items():
            owner, _, name = key.partition(".")
            setattr(owners[owner], name, value)

    def _save_checkpoint(self) -> None:
        """Saves what was read, if it is whole: up to the end of a chunk."""
        if self._checkpoint is not None and self._at is not None and self._is_clean:
            try:
                self._checkpoint.save(self._at, self._take_state())
            except OSError as error:
                # What was found counts more than that the next audit is quicker.
                self._say(f"the checkpoint {self._checkpoint.path} could not be kept: {error.strerror}")

    @property
    def _is_clean(self) -> bool:
        """Whether nothing is violated so far; another audit is to see a violation with its own eyes."""
        found = self._forged or self.flows.violations or self.merit.disagreements
        return self.replay.divergence is None and not found

    # Reading and doing again

    def _replay(self, history: History, pool: SignerPool, progress: OnProgress) -> None:
        chunks: Iterable[Chunk] = history if self._second is None else crosscheck(history, self._second)
        if self._ahead:
            chunks = ReadAhead(chunks)

        def tell() -> None:
            progress(Progress(self._block, self.deployment.block, history.last.number))

        for chunk in chunks:
            self._at = None
            self._follow(chunk, pool, tell)
            if self.replay.divergence is not None:
                return
            self._at, self._block = chunk.end, chunk.end.number
            tell()
            if self._checkpoint is not None and chunk.end.number < history.last.number and self._is_clean:
                with suppress(OSError):
                    # At the end it is tried again, and said.
                    self._checkpoint.save_now_and_then(chunk.end, self._take_state)

    def _follow(self, chunk: Chunk, pool: SignerPool, progress: Callable[[], None]) -> None:
        market, registry = self.replay.market, self.replay.registry
        for transaction, block, found in pool.ahead(chunk.pairs()):
            self._block = block.number
            logged, settled, enlisted = len(market.log), len(market.ledger), len(registry.log)
            self.replay.run([(transaction, block, found)])
            if self.replay.divergence is not None:
                # What the token says of the blocks before may tell of something earlier.
                self.flows.follow(chunk.transactions, chunk.transfers, block.number)
                return
            self.transactions += 1
            self.logs += len(transaction.logs)
            self.callers.add(transaction.sender)
            self.callers.update(call.caller for call in transaction.calls or ())
            self.authentic[transaction.authentic] += 1
            if transaction.authentic is False:
                place = f"block {block.number}, transaction 0x{transaction.hash.hex()}"
                self._forged.append(f"{place}: hash and sender do not follow from its content")
            self.merit.follow(market.log[logged:])
            self.delivered.count(market.ledger[settled:], market)
            if self._tables is not None:
                events = market.log[logged:], registry.log[enlisted:]
                self._tables.follow(transaction, block, self.replay, *events, market.ledger[settled:])
            progress()
        self.flows.follow(chunk.transactions, chunk.transfers)
        self.headers += len(chunk.blocks)

    # What was found

    def _report(self, market: dict[str, Any], last: Block, identity: list[Check], stopped: str | None) -> Report:
        checks = [*identity, *self._checks(last, stopped)]
        unchecked = self.replay.unchecked
        totals = add_up(self.replay, self.transactions, self.delivered.by_class, self.flows.given)
        return Report(
            market=market,
            block={"number": last.number, "hash": f"0x{last.hash.hex()}", "time_s": last.time_s},
            checks=tuple(checks),
            totals=totals,
            divergence=self._first_divergence(checks, identity, last),
            unchecked=tuple(unchecked[:SHOWN]),
            unchecked_count=len(unchecked),
            incomplete=() if stopped is None else (stopped,),
        )

    def _first_divergence(self, checks: list[Check], identity: list[Check], last: Block) -> Divergence | None:
        """Where the replay left the chain; else what the first violated check found, as far as it tells a place."""
        diverged, told = self.replay.divergence, self.flows.violations
        if diverged is not None:
            earlier = _PLACE.search(told[0]) if told else None
            if earlier is None or int(earlier[1]) >= diverged.block:
                return diverged
            return Divergence(int(earlier[1]), earlier[2], None, TOKENS, told[0])
        check = next((check for check in checks if check.status == "violated"), None)
        if check is None:
            return None
        if check.name == "storage" and self._first_difference is not None:
            return self._stored_otherwise(self._first_difference, last)
        found = check.violations[0]
        place = _PLACE.search(found)
        block = self.deployment.block if check in identity else int(place[1]) if place else last.number
        amount = self.flows.at_stake if check.name == "tokens" else 0
        return Divergence(block, place[2] if place else "", None, check.what, found, amount=amount)

    def _stored_otherwise(self, difference: Difference, last: Block) -> Divergence:
        expected, found = (
            read_word(difference.view, difference.getter, word) for word in (difference.expected, difference.found)
        )
        stake = Stakes(self.replay.market).of_difference(expected, found)
        words = tell_apart(expected, found)
        return Divergence(last.number, "", None, *words, stake.energy_wh, stake.amount)

    def _checks(self, last: Block, stopped: str | None) -> Iterator[Check]:
        diverged = self.replay.divergence
        if diverged is not None:
            stopped = f"the replay ended at its first divergence, in block {diverged.block}"
        elif stopped is not None:
            stopped = f"the replay ended after block {self._block}"
        yield self._check_classes()
        if self._second is not None:
            what = "a second node tells the same history, log by log"
            told = [self._disagreement] if self._disagreement else []
            yield Check.made("two_nodes", None, what, self.logs, told, stopped)
        what = "the hash of each block with logs follows from its header, its time included"
        text = None if self._hashed else "headers of this chain do not hash to its blocks' hashes: times are the node's"
        yield Check.made("headers", None, what, self.headers if self._hashed else 0, (), text or stopped)
        what = "each transaction has the hash and the signature that its content needs"
        unsigned = self.authentic[None]
        text = f"the node gave no signature of {unsigned} transactions" if unsigned else stopped
        yield Check.made("transactions", None, what, self.authentic[True], self._forged, text)
        what = "every call, done again, logs what the chain logged, to the byte"
        replayed = []
        if diverged is not None and self._disagreement is None:
            replayed = [f"block {diverged.block}: {diverged.expected} expected, {diverged.found} found"]
        yield Check.made("replay", None, what, self.transactions, replayed, stopped)
        what = "every order, cancel, report, withdrawal and mandate was signed by who had to sign it"
        unseen = f"{len(self.replay.unchecked)} transactions went unseen" if self.replay.unchecked else stopped
        yield Check.made("signatures", 1, what, self.replay.acts.signatures, (), unseen)
        what = "a second clearing by merit order comes to the same price, energy and shares"
        disagreements = [f"window {window}: {text}" for window, text in self.merit.disagreements]
        yield Check.made("second_clearing", 1, what, self.merit.windows, disagreements, stopped)
        yield Check.made("tokens", 3, TOKENS, self.flows.moves, self.flows.violations, stopped)
        if stopped is None:
            yield from check_promises(self.replay.market)
        else:
            for invariant, (promise, proves, _) in PROMISES.items():
                yield Check.made(invariant.__name__, promise, proves, 0, (), stopped)
        yield self._check_state(last, stopped)

    @property
    def _classes_known(self) -> bool:
        return self.origin is not None and self.origin.accepted_meter_classes is not None

    def _check_classes(self) -> Check:
        what = "meters enrolled first are of the classes that the registry was deployed with"
        known = self._classes_known
        text = None if known else "the registry's constructor arguments were not found: any class was taken as accepted"
        return Check.made("meter_classes", None, what, int(known), (), text)

    def _check_state(self, last: Block, stopped: str | None) -> Check:
        what = "every storage word of the contracts is the replay's"
        found = Comparison(0, ())
        if stopped is None:
            market, registry, given = self.replay.market, self.replay.registry, self.flows.given
            try:
                unknown: set[object] = {("nonces", (account,)) for account in self.replay.acts.unsure_nonces}
                if not self._classes_known and registry.accepted_classes == EVERY_CLASS:
                    unknown.add(ACCEPTED)
                found = compare_state(
                    self.transport, self.deployment, last, market, registry, given, self.callers, unknown
                )
            except SourceIncomplete as error:
                stopped = str(error)
        self._first_difference = next(iter(found.differences), None)
        violations = [f"{one.view} is {one.found:#x}, {one.expected:#x} expected" for one in found.differences]
        text = f"{found.refused_count} words were refused: {found.refused}" if found.refused else stopped
        return Check.made("storage", None, what, found.compared, violations, text)
