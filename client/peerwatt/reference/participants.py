"""Who takes part: the device bound to an account, and the agent keys it authorised."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .meters import ExportRegister, ImportRegister
from .reasons import require
from .values import BUY, ZERO_ADDRESS

if TYPE_CHECKING:
    from .messages import OrderMessage
    from .state import MarketState

STATUS_OFF, STATUS_CONSUMING, STATUS_FEEDING_IN = 0, 1, 2


@dataclass(frozen=True)
class Device:
    """A connection as the operator certified it; limits per window [Wh]. Meter zero: not enrolled."""

    meter: str = ZERO_ADDRESS
    import_limit_wh: int = 0
    export_limit_wh: int = 0
    feeder: int = 0
    status: int = STATUS_OFF
    meter_class: int = 0
    retail_class: int = 0


@dataclass(frozen=True)
class Agent:
    """A key that signs orders and cancels within caps until it expires; `max_reserve` is the wallet's."""

    expiry: int = 0
    max_buy_level: int = 0
    min_sell_level: int = 0
    max_reserve: int = 0


def get_device(market: MarketState, account: str) -> Device:
    return market.devices.get(account, Device())


def get_agent(market: MarketState, account: str, agent: str) -> Agent:
    return market.agents.get((account, agent), Agent())


def check_enrolled(market: MarketState, account: str) -> Device:
    """The device bound to the account."""
    device = get_device(market, account)
    require(device.meter != ZERO_ADDRESS, "participants: not enrolled")
    return device


def check_signer(market: MarketState, now: int, account: str, agent: str, signer: str) -> Agent | None:
    """Who may act for an account: itself, or an agent key that has not expired.

    Returns:
        The agent's mandate, None when the account itself signed.
    """
    authority = account if agent == ZERO_ADDRESS else agent
    require(signer == authority and signer != ZERO_ADDRESS, "signing: bad signature")
    if agent == ZERO_ADDRESS:
        return None
    mandate = get_agent(market, account, agent)
    require(mandate.expiry > now, "participants: agent not authorised")
    return mandate


def check_levels(mandate: Agent, order: OrderMessage) -> None:
    """Keeps an agent's limit within its caps."""
    if order.side == BUY:
        within = order.limit_level <= mandate.max_buy_level
    else:
        within = order.limit_level >= mandate.min_sell_level
    require(within, "participants: over the agent's caps")


def check_status(device: Device, side: int) -> None:
    needed = STATUS_CONSUMING if side == BUY else STATUS_FEEDING_IN
    require(device.status >= needed, "participants: status forbids")


def check_registry(market: MarketState, caller: str) -> None:
    require(caller == market.parameters.registry, "participants: only the registry")


def bind(
    market: MarketState,
    account: str,
    device: Device,
    exports: ExportRegister,
    imports: ImportRegister,
    score: int,
) -> None:
    """Enrols an account, swaps its meter, or unbinds it (no meter): only with no open window."""
    calendar = market.calendars.get(account)
    require(calendar is None or not calendar.open, "participants: open windows")
    set_device(market, account, device)
    market.exports[account] = exports
    market.imports[account] = imports
    market.wallets[account] = replace(market.wallet(account), score=score)


def set_device(market: MarketState, account: str, device: Device) -> None:
    if device.meter == ZERO_ADDRESS:
        market.devices.pop(account, None)
    else:
        market.devices[account] = device
