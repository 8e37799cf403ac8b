"""`/v1/meters/{meter}/commands`: what the bridge asks of a meter. The meter's key signs each request."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from peerwatt_bridge.guard.bodies import StrictRoute
from peerwatt_bridge.problems import Problem
from peerwatt_bridge.routes.credentials import MeterAddress, MeterOf
from peerwatt_bridge.routes.dependencies import BridgeOf, translating
from peerwatt_bridge.services.commands import Command, UnknownCommand

router = APIRouter(prefix="/v1/meters", tags=["meters"], route_class=StrictRoute)
MAX_WAIT_S = 25
UNAUTHORIZED: dict[int | str, dict[str, Any]] = {401: {"description": "The meter did not sign this request."}}


class MeterCommand(BaseModel):
    """What a meter should do: ping (answer only), read (send the newest register), resend (windows once more)."""

    id: int
    kind: Literal["ping", "read", "resend"]
    first_window: int | None
    last_window: int | None
    created_s: float


class CommandList(BaseModel):
    """Commands that the meter has not answered, the oldest first."""

    commands: list[MeterCommand]


class Acknowledgement(BaseModel):
    """What became of a command."""

    model_config = ConfigDict(extra="forbid")

    ok: Annotated[bool, Field(strict=True)]
    # PostgreSQL keeps no NUL in a text.
    detail: Annotated[str, Field(max_length=400, pattern="^[^\\x00]*$")] = ""


@router.get("/{meter}/commands", response_model=CommandList, responses=UNAUTHORIZED)
async def list_commands(
    meter: MeterAddress,
    known: MeterOf,
    request: Request,
    bridge: BridgeOf,
    after: Annotated[int, Query(ge=0, lt=2**63)] = 0,
    wait: Annotated[int, Query(ge=0, le=MAX_WAIT_S, description="Seconds to wait for one if there is none.")] = 0,
) -> Any:
    """A meter's open commands after a number. Header: `Authorization: Meter address=0x..,time=..,signature=0x..`."""
    with translating():
        found = await run_in_threadpool(bridge.commands.read, known, after)
        if not found and wait:
            await request.app.state.waits.wait(known, after, wait)
            found = await run_in_threadpool(bridge.commands.read, known, after)
    return CommandList(commands=[to_command(command) for command in found])


@router.post("/{meter}/commands/{number}/ack", status_code=204, response_class=Response, responses=UNAUTHORIZED)
def acknowledge(
    meter: MeterAddress,
    number: Annotated[int, Path(ge=0, lt=2**63)],
    body: Acknowledgement,
    known: MeterOf,
    bridge: BridgeOf,
) -> Response:
    """Says what became of a command. Saying it again changes nothing."""
    with translating():
        try:
            bridge.commands.acknowledge(known, number, body.ok, body.detail)
        except UnknownCommand:
            text = f"the meter {known} has no command {number}; ask for its commands first"
            raise Problem(404, "unknown-command", "No such command", text) from None
    return Response(status_code=204)


def to_command(command: Command) -> MeterCommand:
    """A command as a meter sees it."""
    return MeterCommand(
        id=command.id,
        kind=command.kind.value,
        first_window=command.first_window,
        last_window=command.last_window,
        created_s=command.created_ms / 1000,
    )
