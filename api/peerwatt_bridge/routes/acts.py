"""`/v1/orders`, `/v1/cancels`, `/v1/agents`, `/v1/deposits`, `/v1/withdrawals`, `/v1/ratings`: what accounts signed."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from peerwatt.signing.kinds import check_address
from peerwatt_bridge.guard.bodies import StrictRoute
from peerwatt_bridge.problems import Problem
from peerwatt_bridge.routes.dependencies import BridgeOf, translating
from peerwatt_bridge.services.acts import Kept, parse
from peerwatt_bridge.storage.tables import Kind

router = APIRouter(prefix="/v1", tags=["acts"], route_class=StrictRoute)
Digest = Annotated[str, Path(pattern="^0x[0-9a-f]{64}$", description="Digest of the signed message.")]


class SignedMessage(BaseModel):
    """A signed message, by the names of its signed type; integers over 32 bits may be decimal texts."""

    model_config = ConfigDict(extra="forbid")

    message: dict[Annotated[str, Field(max_length=40)], int | bool | Annotated[str, Field(max_length=80)]]
    signature: Annotated[str, Field(max_length=132, description="65 or 64 bytes as hex.")]


class SignedForAccount(SignedMessage):
    """An order or a cancel: the account signs, or an agent key of it."""

    agent: Annotated[str | None, Field(max_length=42, description="Address of the agent key that signed.")] = None


class Act(BaseModel):
    """An act and where it is on its way. Times in Unix seconds."""

    id: int
    digest: str
    kind: Literal["order", "cancel", "agent", "deposit", "withdrawal", "rating"]
    account: str
    agent: str | None
    message: dict[str, Any]
    status: Annotated[str, Field(pattern="^(received|relayed|confirmed|final|refused|expired)$")]
    reason: str | None
    detail: str | None
    duplicate: bool
    received_s: int
    transaction: str | None
    block: int | None


class Page(BaseModel):
    """Some acts; `next` is the `after` of the following page, null at the end."""

    acts: list[Act]
    next: int | None


@router.post("/orders", status_code=202, response_model=Act)
def take_order(body: SignedForAccount, bridge: BridgeOf) -> Any:
    """Takes a signed order: checked as the market would check it now, then relayed before the gate."""
    return _take(bridge, Kind.ORDER, body, body.agent)


@router.post("/cancels", status_code=202, response_model=Act)
def take_cancel(body: SignedForAccount, bridge: BridgeOf) -> Any:
    """Takes a signed cancel."""
    return _take(bridge, Kind.CANCEL, body, body.agent)


@router.post("/agents", status_code=202, response_model=Act)
def take_agent(body: SignedMessage, bridge: BridgeOf) -> Any:
    """Takes the mandate of an agent key; expiry 0 revokes it."""
    return _take(bridge, Kind.AGENT, body)


@router.post("/deposits", status_code=202, response_model=Act)
def take_deposit(body: SignedMessage, bridge: BridgeOf) -> Any:
    """Takes a permit of the token (ERC-2612) for the market: the amount is deposited for its owner."""
    return _take(bridge, Kind.DEPOSIT, body)


@router.post("/withdrawals", status_code=202, response_model=Act)
def take_withdrawal(body: SignedMessage, bridge: BridgeOf) -> Any:
    """Takes a signed withdrawal of free money."""
    return _take(bridge, Kind.WITHDRAWAL, body)


@router.post("/ratings", status_code=202, response_model=Act)
def take_rating(body: SignedMessage, bridge: BridgeOf) -> Any:
    """Takes the choice to have bids rated by the home's own import readings, or no more."""
    return _take(bridge, Kind.RATING, body)


@router.get("/acts/{digest}", response_model=Act)
def show_act(digest: Digest, bridge: BridgeOf) -> Any:
    """An act and where it is on its way."""
    with translating():
        kept = bridge.acts.find(bytes.fromhex(digest[2:]))
        if kept is None:
            raise Problem(404, "unknown-act", "No such act", f"nobody sent the message {digest} here; send it first")
        return to_act(bridge, kept)


@router.get("/acts", response_model=Page)
def list_acts(
    bridge: BridgeOf,
    account: Annotated[str, Query(pattern="^0x[0-9a-fA-F]{40}$")],
    after: Annotated[int, Query(ge=0, lt=2**63)] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Any:
    """An account's acts, the oldest first."""
    with translating():
        found = bridge.acts.list(check_address(account, "account"), after, limit)
        return Page(acts=[to_act(bridge, kept) for kept in found], next=found[-1].id if len(found) == limit else None)


def to_act(bridge: BridgeOf, kept: Kept) -> Act:
    """A kept act."""
    transaction, block = bridge.records.find_transaction(kept.relay_id)
    return Act(
        id=kept.id,
        digest="0x" + kept.digest.hex(),
        kind=kept.act.kind.value,
        account=kept.act.account,
        agent=kept.act.agent,
        message=kept.act.message.to_json(),
        status=kept.status.name.lower(),
        reason=kept.reason,
        detail=kept.detail,
        duplicate=kept.duplicate,
        received_s=kept.received_s,
        transaction=transaction,
        block=block,
    )


def _take(bridge: BridgeOf, kind: Kind, body: SignedMessage, agent: str | None = None) -> Act:
    act = parse(kind, body.message, body.signature, agent)
    with translating():
        kept = bridge.taking.take_act(act)
        bridge.wake()
        return to_act(bridge, kept)
