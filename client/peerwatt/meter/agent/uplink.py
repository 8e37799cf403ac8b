"""Reports on their way to the bridge, until it has them, and what becomes of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from peerwatt.meter.agent.bridge import BridgeAway, BridgeClient, BridgeRefuses, Result
from peerwatt.meter.agent.journal import REFUSED, SIGNED, TAKEN, Journal, Kept
from peerwatt.meter.agent.pace import Pace, wait
from peerwatt.meter.agent.says import Says

BATCH = 100
BAD_STATUSES = ("quarantined", "refused", "expired")
# Answers to a whole request that its content causes.
CONTENT_STATUSES = (400, 409, 413, 422)
HOUR_S = 3600


class Uplink:
    """Sends what the journal has, in its sequence, for ever."""

    def __init__(
        self, journal: Journal, bridge: BridgeClient, says: Says, pace: Pace, time_of: Callable[[int], str]
    ) -> None:
        """
        Args:
            time_of: the start of a window, for people.
        """
        self.journal, self.bridge = journal, bridge
        self._says, self._pace, self._time = says, pace, time_of
        self._to_send = asyncio.Event()

    def wake(self) -> None:
        """There is something to send."""
        self._to_send.set()

    async def send(self) -> None:
        """Sends until it is cancelled."""
        backoff, most = self._pace.backoff(), BATCH
        while True:
            self._to_send.clear()
            reports = self.journal.waiting(most)
            if not reports:
                await wait(self._to_send, HOUR_S)
                continue
            try:
                results = await self.bridge.send(reports)
            except BridgeAway as away:
                self._says.begin("send", f"the bridge: {away}; trying again until it is back")
                await asyncio.sleep(backoff.next_s(away.retry_after_s))
                continue
            except BridgeRefuses as refusal:
                most = self._take_refusal(refusal, reports)
                if refusal.status not in CONTENT_STATUSES:
                    await asyncio.sleep(backoff.next_s())
                continue
            backoff.reset()
            most = BATCH
            self._says.end("send", f"the bridge takes reports again; {self.journal.count(SIGNED)} wait")
            self._take_results(list(zip(reports, results, strict=True)))

    def _take_refusal(self, refusal: BridgeRefuses, reports: list[Kept]) -> int:
        """Notes what the bridge refuses for good; how many reports to send next."""
        if refusal.status not in CONTENT_STATUSES:
            self._says.begin("send", f"the bridge refuses reports ({refusal.status}: {refusal}); they are kept")
            return BATCH
        place = refusal.problem.get("place")
        if len(reports) > 1 and not (isinstance(place, int) and 0 <= place < len(reports)):
            # One of them is the cause: they go one by one.
            return 1
        bad = reports[0] if len(reports) == 1 else reports[int(str(place))]
        slug = str(refusal.problem.get("type", "")).rpartition("/")[2] or f"http-{refusal.status}"
        self.journal.answer([(bad.id, REFUSED, "refused", slug, str(refusal))])
        self._complain(bad, slug, str(refusal))
        return len(reports)

    def _take_results(self, pairs: list[tuple[Kept, Result]]) -> None:
        self.journal.answer(
            [(kept.id, TAKEN, result.status, result.reason, result.detail) for kept, result in pairs]
        )
        for kept, result in pairs:
            if result.status not in BAD_STATUSES:
                self._says.end("reports", "the bridge takes reports as they are again")
            elif result.status != kept.status:
                self._complain(kept, f"{result.status}, {result.reason}", result.detail)

    def _complain(self, kept: Kept, reason: str, detail: str | None) -> None:
        window = self._time(kept.signed.report.first_window)
        why = f": {detail}" if detail else ""
        self._says.begin(
            "reports", f"the report of {window} is kept, and the bridge does not relay it ({reason}){why}; "
            "peerwatt meter agent --export writes it to a file that you can submit yourself"
        )  # fmt: skip

    async def follow_status(self) -> None:
        """Asks what became of the reports that are on their way."""
        after = 0
        while True:
            await asyncio.sleep(self._pace.status_every_s)
            reports = self.journal.unsettled(after, BATCH)
            after = reports[-1].id if len(reports) == BATCH else 0
            pairs = []
            for kept in reports:
                try:
                    pairs.append((kept, await self.bridge.status(kept.digest)))
                except BridgeRefuses as refusal:
                    if refusal.status == 404:
                        # The bridge lost it, or is a new one.
                        self.journal.answer([(kept.id, SIGNED, None, None, None)])
                        self._to_send.set()
                except BridgeAway:
                    break
            changed = [(kept, result) for kept, result in pairs if result.status != kept.status]
            if changed:
                self._take_results(changed)
