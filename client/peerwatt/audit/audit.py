"""The audit from end to end: identity, history, replay, second clearing, storage, promises, verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

from eth_utils.crypto import keccak

from peerwatt.audit.checks import Check, check_promises
from peerwatt.audit.chunks import read_block
from peerwatt.audit.failures import SourceContradiction, SourceIncomplete
from peerwatt.audit.flows import TokenFlows
from peerwatt.audit.history import Block, Chunk
from peerwatt.audit.identity import Origin, check_identity, find_origin
from peerwatt.audit.merit_order import MeritOrders
from peerwatt.audit.replay import Divergence, Replay
from peerwatt.audit.report import SHOWN, Report, Totals
from peerwatt.audit.signers import SignerPool
from peerwatt.audit.source import History, read_history
from peerwatt.audit.state import Comparison, compare_state
from peerwatt.audit.transport import RpcError, Transport, ask
from peerwatt.market.deployment import Deployment
from peerwatt.reference.settlement import Settled
from peerwatt.reference.values import BUY, ZERO_ADDRESS

EVERY_CLASS = 2**64 - 1
SCORE_OF = bytes(keccak(text="score_of(bytes32)")[:4])


@dataclass(frozen=True)
class Progress:
    """How far an audit is: blocks read of those to read."""

    block: int
    first: int
    last: int


class Audit:
    """One market, audited up to one block.

    Attributes:
        replay: the market done again.
        merit: the second clearing.
        flows: the token's logs beside the market's.
    """

    def __init__(self, transport: Transport, deployment: Deployment, *, workers: int | None = None) -> None:
        """
        Args:
            workers: processes that recover signatures; all cores if None.
        """
        self.transport = transport
        self.deployment = deployment
        self.origin: Origin | None = find_origin(transport, deployment)
        deployed = read_block(transport, deployment.block)
        classes = self.origin.accepted_meter_classes if self.origin else None
        accepted = EVERY_CLASS if classes is None else classes
        self.replay = Replay(deployment, deployed.time_s, accepted, self._predecessor())
        self.merit = MeritOrders()
        self.flows = TokenFlows(deployment.market)
        self.transactions = 0
        self.authentic: Counter[bool | None] = Counter()
        self._forged: list[str] = []
        self._classes: dict[str, int] = {}
        self._delivered_by_class: Counter[str] = Counter()
        self._workers = workers
        self._block = deployment.block

    def run(
        self, last_block: int | str | None = None, on_progress: Callable[[Progress], None] | None = None
    ) -> Report:
        """Audits up to a block: its number, its hash, a tag; the newest final one if None."""
        history = read_history(self.transport, self.deployment, last_block)
        incomplete: list[str] = []
        pool = SignerPool(self.replay.domain, self.deployment.market, self._workers)
        try:
            self._replay(history, pool, on_progress)
        except SourceIncomplete as error:
            incomplete.append(str(error))
        except SourceContradiction as error:
            self.replay.divergence = self.replay.divergence or Divergence(
                error.block or 0, error.transaction or "", error.log_index, "one history", str(error)
            )
        finally:
            pool.close()
        return self._report(history.last, incomplete)

    def _replay(self, history: History, pool: SignerPool, on_progress: Callable[[Progress], None] | None) -> None:
        for chunk in history:
            self._follow(chunk, pool)
            if on_progress is not None:
                on_progress(Progress(chunk.end.number, self.deployment.block, history.last.number))
            if self.replay.divergence is not None:
                return

    def _follow(self, chunk: Chunk, pool: SignerPool) -> None:
        market = self.replay.market
        for transaction, block, found in pool.ahead(chunk.pairs()):
            self._block = block.number
            logged, settled = len(market.log), len(market.ledger)
            self.replay.run([(transaction, block, found)])
            if self.replay.divergence is not None:
                return
            self.transactions += 1
            self.authentic[transaction.authentic] += 1
            if transaction.authentic is False:
                self._forged.append(f"transaction 0x{transaction.hash.hex()} is not what its hash and signature say")
            self.merit.follow(market.log[logged:])
            self._count(market.ledger[settled:])
        self.flows.follow(chunk.transactions, chunk.transfers)

    def _count(self, entries: list[Settled]) -> None:
        """Delivered energy by the class of the meter that counted it."""
        for entry in entries:
            if entry.order.side != BUY:
                device = self.replay.market.device(entry.account)
                # A revoked home's device is gone; its class is the one it had.
                if device.meter != ZERO_ADDRESS:
                    self._classes[entry.account] = device.meter_class
                self._delivered_by_class[str(self._classes.get(entry.account, "unknown"))] += entry.delivered_wh

    def _predecessor(self) -> Callable[[bytes], int] | None:
        """The scores that connections bring from an older registry, as it tells them at the block of an enrolment."""
        if self.origin is None or self.origin.predecessor == ZERO_ADDRESS:
            return None
        older = self.origin.predecessor

        def score_of(connection: bytes) -> int:
            query = {"to": older, "data": f"0x{SCORE_OF.hex()}{connection.hex()}"}
            try:
                return int(ask(self.transport, "eth_call", query, hex(self._block)), 16)
            except RpcError as error:
                text = f"{self.transport.name} gives no score of registry {older} at block {self._block}: {error}"
                raise SourceIncomplete(text) from error

        return score_of

    def _report(self, last: Block, incomplete: list[str]) -> Report:
        checks = list(self._checks(last)) if not incomplete else []
        unchecked = self.replay.unchecked
        return Report(
            market=self._describe_market(),
            block={"number": last.number, "hash": f"0x{last.hash.hex()}", "time_s": last.time_s},
            checks=tuple(checks),
            totals=self._totals(),
            divergence=self.replay.divergence,
            unchecked=tuple(unchecked[:SHOWN]),
            unchecked_count=len(unchecked),
            incomplete=tuple(incomplete),
        )

    def _describe_market(self) -> dict[str, object]:
        deployment = self.deployment
        return {
            "chain_id": deployment.chain_id,
            **{name: address for name, address in deployment.contracts().items()},
            "block": deployment.block,
            "block_hash": deployment.block_hash,
            "parameters": asdict(deployment.parameters),
        }

    def _checks(self, last: Block) -> Iterator[Check]:
        yield from check_identity(self.transport, self.deployment, self.origin, last)
        yield self._check_classes()
        yield self._check_transactions()
        diverged = self.replay.divergence
        what = "every call, done again, logs what the chain logged, to the byte"
        replayed = [f"block {diverged.block}: {diverged.expected} expected, {diverged.found} found"] if diverged else []
        yield Check.made("replay", None, what, self.transactions, replayed)
        what = "every order, cancel, report, withdrawal and mandate was signed by who had to sign it"
        unseen = f"{len(self.replay.unchecked)} transactions went unseen" if self.replay.unchecked else None
        yield Check.made("signatures", 1, what, self.replay.acts.signatures, (), unseen)
        what = "a second clearing by merit order comes to the same price, energy and shares"
        disagreements = [f"window {window}: {text}" for window, text in self.merit.disagreements]
        yield Check.made("second_clearing", 1, what, self.merit.windows, disagreements)
        if diverged is not None:
            return
        what = "the token moved what the market says, and nothing else left the market"
        yield Check.made("tokens", 3, what, self.flows.moves, self.flows.violations)
        yield from check_promises(self.replay.market)
        yield self._check_state(last)

    def _check_classes(self) -> Check:
        what = "meters enrolled first are of the classes that the registry was deployed with"
        known = self.origin is not None and self.origin.accepted_meter_classes is not None
        text = None if known else "the registry's constructor arguments were not found: any class was taken as accepted"
        return Check.made("meter_classes", None, what, int(known), (), text)

    def _check_transactions(self) -> Check:
        what = "each transaction has the hash and the signature that its content needs"
        unsigned = self.authentic[None]
        text = f"the node gave no signature of {unsigned} transactions" if unsigned else None
        return Check.made("transactions", None, what, self.authentic[True], self._forged, text)

    def _check_state(self, last: Block) -> Check:
        what = "every storage word of the contracts is the replay's"
        found: Comparison = compare_state(
            self.transport, self.deployment, last, self.replay.market, self.replay.registry, self.flows.given
        )
        violations = [
            f"{one.view} is {one.found:#x}, {one.expected:#x} expected" for one in found.differences
        ]
        text = f"{found.refused_count} words were refused: {found.refused}" if found.refused else None
        return Check.made("storage", None, what, found.compared, violations, text)

    def _totals(self) -> Totals:
        market = self.replay.market
        sales = [entry for entry in market.ledger if entry.order.side != BUY]
        events = Counter(event.name for event in (*market.log, *self.replay.registry.log))
        delivered_wh = sum(entry.delivered_wh for entry in sales)
        sold_wh = sum(entry.fill_wh for entry in sales)
        moved = {name: 0 for name in ("Deposited", "Withdrawn", "balancing", "network")}
        for event in market.log:
            if event.name in ("Deposited", "Withdrawn"):
                moved[event.name] += int(str(event.values["amount"]))
            elif event.name == "FundsCredited":
                moved["balancing"] += int(str(event.values["balancing"]))
                moved["network"] += int(str(event.values["network"]))
        return Totals(
            transactions=self.transactions,
            signatures=self.replay.acts.signatures,
            calls=dict(sorted(self.replay.counts.items())),
            events=dict(sorted(events.items())),
            participant_windows=len(market.ledger),
            windows=len(market.results),
            participants=self.replay.registry.participants,
            sold_wh=sold_wh,
            delivered_wh=delivered_wh,
            shortfall_wh=sold_wh - delivered_wh,
            rounding_wh=sum(market.rounding_wh.values()),
            delivered_wh_by_meter_class=dict(sorted(self._delivered_by_class.items())),
            paid=sum(entry.payment.paid for entry in market.ledger),
            received=sum(entry.payment.received for entry in market.ledger),
            balancing=moved["balancing"],
            network=moved["network"],
            deposited=moved["Deposited"],
            withdrawn=moved["Withdrawn"],
            tokens=market.token_balance,
            given=self.flows.given,
        )
