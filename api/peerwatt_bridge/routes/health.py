"""`/healthz`: how the bridge is."""

from __future__ import annotations

import time
from typing import Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from peerwatt_bridge.routes.dependencies import BridgeOf

router = APIRouter(tags=["operation"])


class WorkerHealth(BaseModel):
    """A worker. `trouble`: what keeps it from its work; `for_s`: how long the present state lasts."""

    name: str
    trouble: str | None
    for_s: float
    rounds: int
    failures: int
    recovered_after_s: float | None


class ShownAlert(BaseModel):
    """Something that a person should look at: low-balance, deep-reorganisation, replay, flooding, guessing."""

    name: str
    detail: str


class Health(BaseModel):
    """`ok`: all workers do their work. `degraded`: readings are taken and kept, but something waits."""

    status: Literal["ok", "degraded"]
    workers: list[WorkerHealth]
    alerts: list[ShownAlert]


@router.get("/healthz", response_model=Health, responses={503: {"model": Health}})
def show_health(bridge: BridgeOf, response: Response) -> Any:
    """How the bridge is: 200 as long as readings are taken, 503 if they cannot be kept."""
    now_s = time.time()
    workers = [
        WorkerHealth(
            name=worker.health.name,
            trouble=worker.health.trouble,
            for_s=round(now_s - worker.health.since_s, 1),
            rounds=worker.health.done,
            failures=worker.health.failed,
            recovered_after_s=worker.health.recovered_after_s,
        )
        for worker in bridge.workers
    ]
    troubled = any(worker.trouble for worker in workers)
    try:
        bridge.database.ping()
    except Exception:
        response.status_code = 503
        troubled = True
    alerts = [ShownAlert(name=alert.name, detail=alert.detail) for alert in bridge.monitor.alerts()]
    return Health(status="degraded" if troubled else "ok", workers=workers, alerts=alerts)
