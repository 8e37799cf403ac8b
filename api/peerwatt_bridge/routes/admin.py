"""`/v1/admin`: what an administrator may do, with a token; every act is in the log."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from eth_utils.address import to_checksum_address
from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field, model_validator

from peerwatt_bridge.guard.bodies import StrictRoute
from peerwatt_bridge.problems import Problem
from peerwatt_bridge.routes.credentials import AdministratorOf
from peerwatt_bridge.routes.dependencies import BridgeOf, translating
from peerwatt_bridge.routes.readings import Digest, Page, Record, to_record
from peerwatt_bridge.services.administration import NotReleasable
from peerwatt_bridge.services.commands import CommandKind

ANSWERS: dict[int | str, dict[str, Any]] = {401: {"description": "No token."}, 403: {"description": "No token is set."}}
router = APIRouter(prefix="/v1/admin", tags=["administration"], route_class=StrictRoute, responses=ANSWERS)
# PostgreSQL keeps no NUL in a text.
Note = Annotated[str, Field(min_length=1, max_length=400, pattern="^[^\\x00]*$", description="Why; for the log.")]


class Release(BaseModel):
    """Why a reading is released."""

    model_config = ConfigDict(extra="forbid")

    note: Note


class NewCommand(BaseModel):
    """A command for a meter; `resend` has windows, the other kinds have none."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["ping", "read", "resend"]
    first_window: Annotated[int | None, Field(ge=0, lt=2**32, strict=True)] = None
    last_window: Annotated[int | None, Field(ge=0, lt=2**32, strict=True)] = None

    @model_validator(mode="after")
    def check_windows(self) -> NewCommand:
        """Windows belong to `resend` alone."""
        if self.kind != "resend":
            if (self.first_window, self.last_window) != (None, None):
                raise ValueError(f"{self.kind} has no windows; leave first_window and last_window away")
        elif self.first_window is None or self.last_window is None or self.first_window > self.last_window:
            raise ValueError("resend needs first_window and last_window, the first not after the last")
        return self


class Given(BaseModel):
    """Number of the command."""

    id: int


class LogEntry(BaseModel):
    """An administrative act. `subject`: the reading's digest or the meter."""

    id: int
    at_s: float
    act: Annotated[str, Field(pattern="^(release-reading|give-command)$")]
    subject: str
    detail: dict[str, Any]


class Log(BaseModel):
    """Some acts; `next` is the `after` of the following page, null at the end."""

    entries: list[LogEntry]
    next: int | None


@router.get("/readings", response_model=Page)
def list_waiting(
    _: AdministratorOf,
    bridge: BridgeOf,
    status: Literal["quarantined", "held"] = "quarantined",
    after: Annotated[int, Query(ge=0, lt=2**63)] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Any:
    """Readings that are kept apart, in the sequence in which they came."""
    with translating():
        records = bridge.records.list_readings(None, status, after, limit)
    following = records[-1].id if len(records) == limit else None
    return Page(readings=[to_record(record) for record in records], next=following)


@router.post("/readings/{digest}/release", response_model=Record)
def release_reading(digest: Digest, body: Release, client: AdministratorOf, bridge: BridgeOf) -> Any:
    """Lets a quarantined or held reading go on; the market still judges it."""
    with translating():
        try:
            bridge.administration.release(bytes.fromhex(digest[2:]), body.note, client)
        except LookupError:
            text = f"nobody sent the reading {digest} here; list them by /v1/admin/readings"
            raise Problem(404, "unknown-reading", "No such reading", text) from None
        except NotReleasable as error:
            status = error.status.name.lower()
            text = f"the reading is {status}, and quarantined and held ones are released; leave it"
            raise Problem(409, "not-releasable", "The reading is not kept apart", text, {"now": status}) from None
        record = bridge.records.find_reading(bytes.fromhex(digest[2:]))
    assert record is not None
    bridge.wake()
    return to_record(record)


@router.post("/meters/{meter}/commands", status_code=201, response_model=Given)
def give_command(
    meter: Annotated[str, Path(pattern="^0x[0-9a-fA-F]{40}$")],
    body: NewCommand,
    client: AdministratorOf,
    bridge: BridgeOf,
) -> Any:
    """Gives a meter a command; the same one is given once while it is open."""
    address = str(to_checksum_address(meter))
    with translating():
        number = bridge.administration.give_command(
            address, CommandKind(body.kind), body.first_window, body.last_window, client
        )
    return Given(id=number)


@router.get("/log", response_model=Log)
def show_log(
    _: AdministratorOf,
    bridge: BridgeOf,
    after: Annotated[int, Query(ge=0, lt=2**63)] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Any:
    """What administrators did, the oldest first."""
    with translating():
        found = bridge.administration.read_log(after, limit)
    entries = [
        LogEntry(id=entry.id, at_s=entry.at_ms / 1000, act=entry.act, subject=entry.subject, detail=entry.detail)
        for entry in found
    ]
    return Log(entries=entries, next=found[-1].id if len(found) == limit else None)
