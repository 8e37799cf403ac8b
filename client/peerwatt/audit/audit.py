"""The audit from end to end: identity, history, replay, second clearing, storage, promises, verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peerwatt.audit.ahead import ReadAhead
from peerwatt.audit.checkpoint import Checkpoint, Unusable
from peerwatt.audit.checks import Check
from peerwatt.audit.chunks import headers_hash, read_block
from peerwatt.audit.collector import collect_rarely
from peerwatt.audit.course import Course
from peerwatt.audit.crosscheck import crosscheck
from peerwatt.audit.failures import SourceContradiction, SourceIncomplete, SourcesDisagree
from peerwatt.audit.findings import EVERY_CLASS, Findings
from peerwatt.audit.history import Block, Chunk
from peerwatt.audit.identity import Origin, check_identity, find_origin, find_scores
from peerwatt.audit.replay import Divergence, Replay
from peerwatt.audit.report import Report
from peerwatt.audit.signers import SignerPool
from peerwatt.audit.source import History, read_history
from peerwatt.audit.subject import describe_market, read_currency
from peerwatt.audit.tables import ParquetTables
from peerwatt.audit.transport import RpcError, Transport
from peerwatt.market.deployment import Deployment
from peerwatt.reference.forgetting import forget_windows

READING, COMPARING = "reading the chain", "comparing the storage"
# What a checkpoint keeps of the replay, besides the reference.
REPLAYED = ("counts", "enlisted", "unchecked")


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
        course: what it has come to besides.
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
        self.course = Course(deployment.market)
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
        pool = SignerPool(self.replay.domain, self.deployment.market, self._workers, self.course.bindings)
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
        findings = Findings(
            self.transport,
            self.deployment,
            self.replay,
            self.course,
            self.origin,
            history.last,
            self._block,
            self._hashed,
            self._second is not None,
            self._disagreement,
            stopped,
        )
        return findings.report(market, identity)

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
        own = {f"course.{name}": value for name, value in vars(self.course).items()}
        replay = {f"replay.{name}": getattr(self.replay, name) for name in REPLAYED}
        acts = {f"acts.{name}": value for name, value in vars(self.replay.acts).items() if name != "domain"}
        return {**own, **replay, **acts}

    def _put_state(self, state: dict[str, Any]) -> None:
        owners = {"course": self.course, "replay": self.replay, "acts": self.replay.acts}
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
        return self.replay.divergence is None and not self.replay.market.past.violations and self.course.is_clean

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
        course, replay = self.course, self.replay
        for transaction, block, found in pool.ahead(chunk.pairs()):
            self._block = block.number
            replay.run([(transaction, block, found)])
            if replay.divergence is not None:
                # What the token says of the blocks before may tell of something earlier.
                course.flows.follow(chunk.transactions, chunk.transfers, block.number)
                return
            course.follow(transaction, block, replay)
            if self._tables is not None:
                self._tables.follow(transaction, block, replay)
            replay.forget()
            progress()
        over = forget_windows(replay.market)
        course.closed.keep(over)
        if self._tables is not None:
            self._tables.close_windows(over)
        course.flows.follow(chunk.transactions, chunk.transfers)
        course.headers += len(chunk.blocks)
