"""What an audit found: every check, the first divergence, and the report of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from peerwatt.audit.checks import PROMISES, Check, check_promises
from peerwatt.audit.course import Course
from peerwatt.audit.failures import SourceIncomplete
from peerwatt.audit.history import Block
from peerwatt.audit.identity import Origin
from peerwatt.audit.readings import read_word, tell_apart
from peerwatt.audit.replay import Divergence, Replay
from peerwatt.audit.report import SHOWN, Report
from peerwatt.audit.stakes import Stakes
from peerwatt.audit.state import Comparison, Difference, compare_state
from peerwatt.audit.totals import add_up
from peerwatt.audit.transport import Transport
from peerwatt.market.deployment import Deployment

EVERY_CLASS = 2**64 - 1
TOKENS = "the token moved what the market says, and nothing else left the market"
# The getter of the classes, which nobody can compare while they are not known.
ACCEPTED = "accepted_classes"
_PLACE = re.compile(r"block (\d+), transaction (0x[0-9a-f]{64})")


@dataclass
class Findings:
    """An audit at its end.

    Attributes:
        origin: what the registry was deployed with, None if the node did not tell.
        last: the block that the audit is about.
        reached: number of the last block that was replayed.
        hashed: whether headers of this chain hash to its blocks' hashes.
        two_nodes: whether a second node was asked.
        disagreement: in what the two differ.
        stopped: why the history could not be read to its end.
    """

    transport: Transport
    deployment: Deployment
    replay: Replay
    course: Course
    origin: Origin | None
    last: Block
    reached: int
    hashed: bool
    two_nodes: bool
    disagreement: str | None
    stopped: str | None
    _first_difference: Difference | None = None

    def report(self, market: dict[str, Any], identity: list[Check]) -> Report:
        """Makes the checks that need the end of the replay, and the report of all.

        Args:
            market: which one it is, of `describe_market`.
            identity: checks that were made before.
        """
        # What a transaction did before it was found to differ counts, too.
        self.replay.forget()
        checks = [*identity, *self._checks()]
        last, unchecked, course = self.last, self.replay.unchecked, self.course
        return Report(
            market=market,
            block={"number": last.number, "hash": f"0x{last.hash.hex()}", "time_s": last.time_s},
            checks=tuple(checks),
            totals=add_up(self.replay, course.transactions, course.delivered.by_class, course.flows.given),
            divergence=self._first_divergence(checks, identity),
            unchecked=tuple(unchecked[:SHOWN]),
            unchecked_count=len(unchecked),
            incomplete=() if self.stopped is None else (self.stopped,),
        )

    def _first_divergence(self, checks: list[Check], identity: list[Check]) -> Divergence | None:
        """Where the replay left the chain; else what the first violated check found, as far as it tells a place."""
        diverged, told = self.replay.divergence, self.course.flows.violations
        if diverged is not None:
            earlier = _PLACE.search(told[0]) if told else None
            if earlier is None or int(earlier[1]) >= diverged.block:
                return diverged
            return Divergence(int(earlier[1]), earlier[2], None, TOKENS, told[0])
        check = next((check for check in checks if check.status == "violated"), None)
        if check is None:
            return None
        if check.name == "storage" and self._first_difference is not None:
            return self._stored_otherwise(self._first_difference)
        found = check.violations[0]
        place = _PLACE.search(found)
        block = self.deployment.block if check in identity else int(place[1]) if place else self.last.number
        amount = self.course.flows.at_stake if check.name == "tokens" else 0
        return Divergence(block, place[2] if place else "", None, check.what, found, amount=amount)

    def _stored_otherwise(self, difference: Difference) -> Divergence:
        expected, found = (
            read_word(difference.view, difference.getter, word) for word in (difference.expected, difference.found)
        )
        stake = Stakes(self.replay.market).of_difference(expected, found)
        words = tell_apart(expected, found)
        return Divergence(self.last.number, "", None, *words, stake.energy_wh, stake.amount)

    def _checks(self) -> Iterator[Check]:
        course, stopped, diverged = self.course, self.stopped, self.replay.divergence
        if diverged is not None:
            stopped = f"the replay ended at its first divergence, in block {diverged.block}"
        elif stopped is not None:
            stopped = f"the replay ended after block {self.reached}"
        yield self._check_classes()
        if self.two_nodes:
            what = "a second node tells the same history, log by log"
            told = [self.disagreement] if self.disagreement else []
            yield Check.made("two_nodes", None, what, course.logs, told, stopped)
        what = "the hash of each block with logs follows from its header, its time included"
        text = None if self.hashed else "headers of this chain do not hash to its blocks' hashes: times are the node's"
        yield Check.made("headers", None, what, course.headers if self.hashed else 0, (), text or stopped)
        what = "each transaction has the hash and the signature that its content needs"
        unsigned = course.authentic[None]
        text = f"the node gave no signature of {unsigned} transactions" if unsigned else stopped
        yield Check.made("transactions", None, what, course.authentic[True], course.forged, text)
        what = "every call, done again, logs what the chain logged, to the byte"
        replayed = []
        if diverged is not None and self.disagreement is None:
            replayed = [f"block {diverged.block}: {diverged.expected} expected, {diverged.found} found"]
        yield Check.made("replay", None, what, course.transactions, replayed, stopped)
        what = "every order, cancel, report, withdrawal and mandate was signed by who had to sign it"
        unseen = f"{len(self.replay.unchecked)} transactions went unseen" if self.replay.unchecked else stopped
        yield Check.made("signatures", 1, what, self.replay.acts.signatures, (), unseen)
        what = "a second clearing by merit order comes to the same price, energy and shares"
        disagreements = [f"window {window}: {text}" for window, text in course.merit.disagreements]
        yield Check.made("second_clearing", 1, what, course.merit.windows, disagreements, stopped)
        yield Check.made("tokens", 3, TOKENS, self.course.flows.moves, self.course.flows.violations, stopped)
        if stopped is None:
            yield from check_promises(self.replay.market)
        else:
            for invariant, (promise, proves, _) in PROMISES.items():
                yield Check.made(invariant.__name__, promise, proves, 0, (), stopped)
        yield self._check_state(stopped)

    @property
    def _classes_known(self) -> bool:
        return self.origin is not None and self.origin.accepted_meter_classes is not None

    def _check_classes(self) -> Check:
        what = "meters enrolled first are of the classes that the registry was deployed with"
        known = self._classes_known
        text = None if known else "the registry's constructor arguments were not found: any class was taken as accepted"
        return Check.made("meter_classes", None, what, int(known), (), text)

    def _check_state(self, stopped: str | None) -> Check:
        what = "every storage word of the contracts is the replay's"
        found = Comparison(0, ())
        if stopped is None:
            registry, course = self.replay.registry, self.course
            try:
                unknown: set[object] = {("nonces", (account,)) for account in self.replay.acts.unsure_nonces}
                if not self._classes_known and registry.accepted_classes == EVERY_CLASS:
                    unknown.add(ACCEPTED)
                found = compare_state(
                    self.transport,
                    self.deployment,
                    self.last,
                    self.replay.market,
                    registry,
                    course.flows.given,
                    course.callers,
                    unknown,
                    course.closed.words(),
                )
            except SourceIncomplete as error:
                stopped = str(error)
        self._first_difference = next(iter(found.differences), None)
        violations = [f"{one.view} is {one.found:#x}, {one.expected:#x} expected" for one in found.differences]
        text = f"{found.refused_count} words were refused: {found.refused}" if found.refused else stopped
        return Check.made("storage", None, what, found.compared, violations, text)
