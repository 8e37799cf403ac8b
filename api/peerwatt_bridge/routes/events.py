"""`/v1/events`: everything that changes, as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from peerwatt_bridge.problems import Problem, unavailable
from peerwatt_bridge.routes.dependencies import BridgeOf
from peerwatt_bridge.services.streams import Closing, Listener, TooManyStreams

router = APIRouter(prefix="/v1", tags=["events"])
# How long a browser waits before it comes back [ms].
RETRY_MS = 2_000


async def listening(
    bridge: BridgeOf,
    after: Annotated[int | None, Query(ge=0, lt=2**63, description="Number of the last event that was seen.")] = None,
    kind: Annotated[list[str] | None, Query(max_length=20, description="Only these kinds.")] = None,
    account: Annotated[
        str | None, Query(pattern="^0x[0-9a-fA-F]{40}$", description="Only what names this account or meter.")
    ] = None,
    last_event_id: Annotated[str | None, Header(description="As `after`, and before it.", max_length=20)] = None,
) -> AsyncIterator[Listener]:
    """Somebody who listens until the request ends.

    Raises:
        Problem: 422 for a number that is none; 503 if too many listen, or the bridge stops.
    """
    if last_event_id is not None:
        if not (last_event_id.isascii() and last_event_id.isdigit()) or int(last_event_id) >= 2**63:
            text = f"Last-Event-ID is {last_event_id!r}; send back the number of an event"
            raise Problem(422, "malformed-request", "The request is malformed", text)
        after = int(last_event_id)
    try:
        listener = bridge.streams.open(after, kind or (), None if account is None else account.lower())
    except TooManyStreams as error:
        raise unavailable("event-stream", f"{error}; try again later, or read the routes instead") from error
    except Closing as error:
        raise unavailable("event-stream", f"{error}; come back in some seconds") from error
    try:
        await run_in_threadpool(bridge.streams.start, listener)
        yield listener
    finally:
        bridge.streams.close(listener)


@router.get("/events", response_class=EventSourceResponse)
async def stream_events(listener: Annotated[Listener, Depends(listening)]) -> AsyncIterator[ServerSentEvent]:
    """Everything that changes from now on, or after `Last-Event-ID`; a comment every 15 seconds if nothing does."""
    yield ServerSentEvent(comment="peerwatt", retry=RETRY_MS)
    while (notice := await listener.next()) is not None:
        yield ServerSentEvent(data=notice.data, event=notice.kind, id=str(notice.id))
