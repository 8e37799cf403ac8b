"""How much waits, what was spent, and whether the money for the gas will last: for metrics and alerts."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, replace
from typing import Any

import structlog
from sqlalchemy import Connection, Float, cast, func, select
from sqlalchemy.exc import SQLAlchemyError
from web3 import Web3

from peerwatt_bridge.guard.signals import Alert, Signals
from peerwatt_bridge.services.chain import Chain
from peerwatt_bridge.storage.database import Database, now_ms
from peerwatt_bridge.storage.tables import ITEM_TABLES, RelayState, Status, notices, relays

log = structlog.get_logger(__name__)
PAUSE_S = 60.0
# What was paid in so long says how long the rest will last.
SPENDING_MS = 24 * 3600 * 1000
# Sooner than this is an alert, even above the smallest balance.
RESERVE_DAYS = 3


@dataclass(frozen=True)
class Queue:
    """What waits for a transaction: how many, and how old the oldest is [s]."""

    table: str
    waiting: int
    oldest_s: float


@dataclass(frozen=True)
class Snapshot:
    """What is measured at a moment.

    Attributes:
        relays: purpose, state, transactions.
        spending: purpose, gas, wei.
        balance_wei: of the relayer; None without one, or if it was never read.
        spent_day_wei: what mined transactions of the last 24 h cost.
        alerts: names.
        taken_back: of the last day's deepest surprise, the block to which the chain went back, and the one that was
            final; None if there was none.
    """

    queues: tuple[Queue, ...] = ()
    relays: tuple[tuple[str, str, int], ...] = ()
    spending: tuple[tuple[str, int, float], ...] = ()
    balance_wei: int | None = None
    spent_day_wei: float = 0.0
    alerts: tuple[str, ...] = ()
    taken_back: tuple[int, int] | None = None


class Monitor:
    """Looks after the bridge's own state. Thread-safe."""

    def __init__(
        self, database: Database, chain: Chain, signals: Signals, relayer: str | None, low_balance_wei: int
    ) -> None:
        """
        Args:
            relayer: address that pays the gas, None if there is none.
            low_balance_wei: a balance below raises an alert.
        """
        self._database = database
        self._chain = chain
        self._signals = signals
        self._relayer = relayer
        self._low_balance_wei = low_balance_wei
        self._shot = Snapshot()
        self._low = False
        self._lock = threading.Lock()

    def refresh(self) -> None:
        """Reads balance and spending again: a minute's work.

        Raises:
            SQLAlchemyError, Web3Exception, RequestException, OSError: database or node are away; what was read last
                stays.
        """
        with self._database.reading() as connection:
            counts, spending, spent_day_wei = _read_relays(connection)
            taken_back = _read_taken_back(connection)
        with self._lock:
            self._shot = replace(
                self._shot, relays=counts, spending=spending, spent_day_wei=spent_day_wei, taken_back=taken_back
            )
        if self._relayer is not None:
            balance_wei = int(self._chain.w3.eth.get_balance(Web3.to_checksum_address(self._relayer)))
            with self._lock:
                self._shot = replace(self._shot, balance_wei=balance_wei)
            self._say_low()

    def read(self) -> Snapshot:
        """What is known; the queues are read now, unless the database is away."""
        try:
            with self._database.reading() as connection:
                queues = tuple(_read_queue(connection, name) for name in ITEM_TABLES)
        except SQLAlchemyError:
            queues = self._shot.queues
        alerts = tuple(alert.name for alert in self.alerts())
        with self._lock:
            self._shot = replace(self._shot, queues=queues, alerts=alerts)
            return self._shot

    def alerts(self) -> list[Alert]:
        """What a person should look at; asks nobody."""
        found = [*self._signals.alerts(), self._find_low(), self._find_deep()]
        return [alert for alert in found if alert is not None]

    def _find_deep(self) -> Alert | None:
        if self._shot.taken_back is None:
            return None
        block, was_final = self._shot.taken_back
        return Alert(
            "deep-reorganisation",
            f"the chain went back to block {block}, and block {was_final} was final; what was done in between is done "
            "again, raise confirmations",
        )

    def _find_low(self) -> Alert | None:
        shot = self._shot
        if shot.balance_wei is None:
            return None
        per_day = int(shot.spent_day_wei)
        if shot.balance_wei >= max(self._low_balance_wei, per_day * RESERVE_DAYS):
            return None
        lasts = (
            f"{shot.balance_wei / per_day:.1f} days at the last day's pace" if per_day else "as long as nothing is sent"
        )
        return Alert(
            "low-balance",
            f"the relayer {self._relayer} has {shot.balance_wei} wei, less than {self._low_balance_wei} or "
            f"{RESERVE_DAYS} days' gas; that lasts {lasts}; send it money",
        )

    def _say_low(self) -> None:
        low = self._find_low()
        if low is not None and not self._low:
            log.warning("alert", alert=low.name, detail=low.detail)
        elif low is None and self._low:
            log.info("alert-over", alert="low-balance")
        self._low = low is not None


def _read_relays(connection: Connection) -> tuple[Any, Any, float]:
    counted = connection.execute(
        select(relays.c.purpose, relays.c.state, func.count()).group_by(relays.c.purpose, relays.c.state)
    ).all()
    # Text in the table; a metric is a float anyway.
    cost = func.sum(cast(relays.c.cost_wei, Float))
    mined = relays.c.cost_wei.is_not(None)
    paid = connection.execute(
        select(relays.c.purpose, func.sum(relays.c.gas_used), cost).where(mined).group_by(relays.c.purpose)
    ).all()
    day = connection.execute(select(cost).where(mined, relays.c.created_ms > now_ms() - SPENDING_MS)).scalar()
    counts = tuple((purpose, RelayState(state).name.lower(), count) for purpose, state, count in counted)
    return counts, tuple((purpose, int(gas), float(wei)) for purpose, gas, wei in paid), float(day or 0)


def _read_taken_back(connection: Connection) -> tuple[int, int] | None:
    told = connection.execute(select(notices.c.data).where(notices.c.kind == "reopened")).scalars()
    return min(((data["block"], data["was_final"]) for data in map(json.loads, told)), default=None)


def _read_queue(connection: Connection, name: str) -> Queue:
    table = ITEM_TABLES[name]
    waiting, oldest_s = connection.execute(
        select(func.count(), func.min(table.c.received_s)).where(table.c.status == int(Status.RECEIVED))
    ).one()
    return Queue(name, int(waiting), 0.0 if oldest_s is None else max(0.0, now_ms() / 1000 - oldest_s))
