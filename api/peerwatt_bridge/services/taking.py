"""Taking readings and acts within quotas, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from peerwatt.meter.submission import SignedReport
from peerwatt.refusals.base import MarketError
from peerwatt_bridge.guard.defences import Defences
from peerwatt_bridge.guard.signals import Sign
from peerwatt_bridge.problems import CONFLICT
from peerwatt_bridge.services.acts import Acts, Kept, SignedAct
from peerwatt_bridge.services.chain import Chain
from peerwatt_bridge.services.connections import Connections
from peerwatt_bridge.services.readings import Outcome, Readings
from peerwatt_bridge.storage.tables import Status

QUOTA_USED = "quota-used"


class Taking:
    """What the routes give what came in to."""

    def __init__(
        self, chain: Chain, connections: Connections, readings: Readings, acts: Acts, defences: Defences
    ) -> None:
        self._chain = chain
        self._connections = connections
        self._readings = readings
        self._acts = acts
        self._defences = defences

    def take_readings(self, signed: Sequence[SignedReport]) -> list[Outcome]:
        """As `Readings.accept`; what is above a home's quota is refused with `quota-used`.

        Raises:
            Problem: 429, if that is all there is.
            Web3Exception, RequestException, OSError: the node is needed and away.
        """
        quotas = self._defences.quotas
        room: dict[str, int] = {}
        over: dict[int, str] = {}
        for place, item in enumerate(signed):
            # A home that was never seen has used nothing.
            account = self._connections.account_of(item.report.meter)
            if account is None:
                continue
            room.setdefault(account, quotas.left(account))
            if room[account] < 1:
                over[place] = account
            room[account] -= 1
        self._defences.signals.note(Sign.FLOODING, len(over))
        if over and len(over) == len(signed):
            raise quotas.used_up(over[0])
        accepted = iter(self._readings.accept([item for place, item in enumerate(signed) if place not in over]))
        outcomes = [
            self._above_quota(item, over[place]) if place in over else next(accepted)
            for place, item in enumerate(signed)
        ]
        self._count_readings(signed, outcomes)
        return outcomes

    def take_act(self, act: SignedAct) -> Kept:
        """As `Acts.accept`.

        Raises:
            Problem: 429, the account's quota is used.
            MarketError: the market would refuse it.
            Web3Exception, RequestException, OSError: the node is away.
        """
        defences = self._defences
        defences.quotas.check(act.account)
        try:
            kept = self._acts.accept(act)
        except MarketError as refusal:
            defences.metrics.acts.labels(act.kind.value, "refused").inc()
            if refusal.problem in CONFLICT:
                defences.signals.note(Sign.REPLAY)
            raise
        defences.metrics.acts.labels(act.kind.value, "duplicate" if kept.duplicate else "received").inc()
        if kept.duplicate:
            defences.signals.note(Sign.REPLAY)
        else:
            defences.signals.note_taken()
            defences.quotas.use(act.account)
        return kept

    def _above_quota(self, item: SignedReport, account: str) -> Outcome:
        text = self._defences.quotas.used_up(account).detail
        return Outcome(item.report.digest(self._chain.domain), Status.REFUSED, QUOTA_USED, text)

    def _count_readings(self, signed: Sequence[SignedReport], outcomes: Sequence[Outcome]) -> None:
        defences = self._defences
        names = Counter("duplicate" if found.duplicate else found.status.name.lower() for found in outcomes)
        for name, count in names.items():
            defences.metrics.readings.labels(name).inc(count)
        defences.signals.note(Sign.REPLAY, names["duplicate"])
        defences.signals.note_taken(sum(names.values()) - names["duplicate"] - names["refused"])
        for item, found in zip(signed, outcomes, strict=True):
            if not found.duplicate and found.status != Status.REFUSED:
                account = self._connections.account_of(item.report.meter)
                if account is not None:
                    defences.quotas.use(account)
