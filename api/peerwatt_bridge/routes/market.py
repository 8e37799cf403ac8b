"""`/v1/market`: which market this is, and what time it is there."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from peerwatt_bridge.routes.dependencies import BridgeOf, translating

router = APIRouter(prefix="/v1", tags=["market"])


class Market(BaseModel):
    """A market. Times in Unix seconds, prices in base units per Wh."""

    chain_id: int
    market: str
    registry: str
    lens: str
    token: str
    currency: str
    decimals: int
    window_seconds: int
    lead_seconds: int
    floor_price: int
    price_step: int
    min_order_wh: int
    now_s: int
    window: int
    next_open: int
    domain: dict[str, Any]


@router.get("/market", response_model=Market)
def show_market(bridge: BridgeOf) -> Any:
    """The market, its parameters and its clock."""
    chain = bridge.chain
    deployment, parameters = chain.deployment, chain.deployment.parameters
    with translating():
        grid = chain.grid
    clock = chain.clock()
    return Market(
        chain_id=deployment.chain_id,
        market=deployment.market,
        registry=deployment.registry,
        lens=deployment.lens,
        token=deployment.token,
        currency=grid.currency,
        decimals=grid.token_decimals,
        window_seconds=parameters.window_seconds,
        lead_seconds=parameters.lead_seconds,
        floor_price=parameters.floor_price,
        price_step=parameters.price_step,
        min_order_wh=parameters.min_order_wh,
        now_s=clock.now_s,
        window=clock.window,
        next_open=clock.next_open,
        domain=chain.domain.to_json(),
    )
