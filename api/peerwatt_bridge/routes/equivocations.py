"""`/v1/equivocations`: meters that signed two registers for one moment, with both signatures."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel

from peerwatt_bridge.routes.dependencies import BridgeOf, translating
from peerwatt_bridge.routes.readings import Record, to_record

router = APIRouter(prefix="/v1", tags=["readings"])


class Equivocation(BaseModel):
    """Two readings of a meter that contradict each other at the start of `window`."""

    id: int
    meter: str
    window: int
    first_wh: int
    second_wh: int
    first: Record
    second: Record
    seen_s: float


class Page(BaseModel):
    """Some equivocations; `next` is the `after` of the following page, null at the end."""

    equivocations: list[Equivocation]
    next: int | None


@router.get("/equivocations", response_model=Page)
def list_equivocations(
    bridge: BridgeOf,
    after: Annotated[int, Query(ge=0, lt=2**63)] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Any:
    """Evidence that anybody can check: each reading has the meter's signature."""
    with translating():
        found = bridge.records.list_equivocations(after, limit)
    shown = [
        Equivocation(
            id=case.id,
            meter=case.first.signed.report.meter,
            window=case.window,
            first_wh=case.first_wh,
            second_wh=case.second_wh,
            first=to_record(case.first),
            second=to_record(case.second),
            seen_s=case.seen_ms / 1000,
        )
        for case in found
    ]
    return Page(equivocations=shown, next=found[-1].id if len(found) == limit else None)
