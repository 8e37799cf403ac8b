"""`/v1/typed-data/...`: what has to be signed for a stated intent, as wallets take it (`eth_signTypedData_v4`)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from peerwatt.signing import BUY, SELL
from peerwatt.signing.kinds import check_address
from peerwatt_bridge.guard.bodies import StrictRoute
from peerwatt_bridge.routes.dependencies import BridgeOf, translating
from peerwatt_bridge.services.intents import Intent

router = APIRouter(prefix="/v1/typed-data", tags=["typed data"], route_class=StrictRoute)

Address = Annotated[str, Field(pattern="^0x[0-9a-fA-F]{40}$")]
Level = Annotated[int, Field(ge=0, le=255, strict=True)]
Window = Annotated[int, Field(ge=0, lt=2**32, strict=True)]
# Base units, as decimal text: more than 53 bits.
Amount = Annotated[str, Field(pattern="^[1-9][0-9]{0,31}$")]


class Wish(BaseModel):
    """Base of the intents."""

    model_config = ConfigDict(extra="forbid")

    account: Address


class OrderWish(Wish):
    """Energy in each window [Wh], at a limit level of the price grid; without windows the next open one."""

    side: Literal["buy", "sell"]
    energy_wh: Annotated[int, Field(ge=1, lt=2**24, strict=True)]
    limit_level: Level
    first_window: Window | None = None
    last_window: Window | None = None
    agent: Address | None = None


class CancelWish(Wish):
    """An order by its nonce, from a window on; 0 for all that can be taken back."""

    nonce: Annotated[int, Field(ge=1, lt=2**32, strict=True)]
    from_window: Window = 0
    agent: Address | None = None


class WithdrawalWish(Wish):
    """Free money [base units] to a recipient; the account itself if none is named."""

    amount: Amount
    recipient: Address | None = None


class AgentWish(Wish):
    """What a key may do; `expiry_s` [Unix s] 0 revokes it."""

    agent: Address
    expiry_s: Annotated[int, Field(ge=0, lt=2**40, strict=True)]
    max_buy_level: Level
    min_sell_level: Level
    max_reserve: Annotated[str, Field(pattern="^[0-9]{1,32}$")]


class DepositWish(Wish):
    """Money [base units] into the market."""

    amount: Amount


class TypedData(BaseModel):
    """What has to be signed. Post `message` with the signature to `route`."""

    route: str
    digest: str
    message: dict[str, Any]
    typed_data: dict[str, Any]
    words: str
    numbers: Annotated[dict[str, str], Field(description="Base units, Wh and windows, as decimal texts.")]


@router.post("/order", response_model=TypedData)
def draft_order(body: OrderWish, bridge: BridgeOf) -> Any:
    """An order, checked as the market would check it now, with its worst case."""
    side = SELL if body.side == "sell" else BUY
    with translating():
        intent = bridge.intents.order(
            check_address(body.account, "account"),
            side,
            body.energy_wh,
            body.limit_level,
            body.first_window,
            body.last_window,
            None if body.agent is None else check_address(body.agent, "agent"),
        )
    return to_typed_data("orders", intent)


@router.post("/cancel", response_model=TypedData)
def draft_cancel(body: CancelWish, bridge: BridgeOf) -> Any:
    """A cancel."""
    with translating():
        account, agent = check_address(body.account, "account"), body.agent
        checked = None if agent is None else check_address(agent, "agent")
        return to_typed_data("cancels", bridge.intents.cancel(account, body.nonce, body.from_window, checked))


@router.post("/withdrawal", response_model=TypedData)
def draft_withdrawal(body: WithdrawalWish, bridge: BridgeOf) -> Any:
    """A withdrawal."""
    with translating():
        account = check_address(body.account, "account")
        recipient = check_address(body.recipient or body.account, "recipient")
        return to_typed_data("withdrawals", bridge.intents.withdrawal(account, recipient, int(body.amount)))


@router.post("/agent", response_model=TypedData)
def draft_agent(body: AgentWish, bridge: BridgeOf) -> Any:
    """The mandate of an agent key."""
    with translating():
        intent = bridge.intents.agent(
            check_address(body.account, "account"),
            check_address(body.agent, "agent"),
            body.expiry_s,
            body.max_buy_level,
            body.min_sell_level,
            int(body.max_reserve),
        )
    return to_typed_data("agents", intent)


@router.post("/deposit", response_model=TypedData)
def draft_deposit(body: DepositWish, bridge: BridgeOf) -> Any:
    """A permit of the token for the market."""
    with translating():
        intent = bridge.intents.deposit(check_address(body.account, "account"), int(body.amount))
    return to_typed_data("deposits", intent)


def to_typed_data(route: str, intent: Intent) -> TypedData:
    """The answer."""
    return TypedData(
        route=f"/v1/{route}",
        digest="0x" + intent.digest.hex(),
        message=intent.message.to_json(),
        typed_data=intent.typed_data,
        words=intent.words,
        numbers={name: str(number) for name, number in intent.numbers.items()},
    )
