"""`/v1/participants`, `/v1/windows`, `/v1/prices`, `/v1/trades` and so on: what everybody may read of the market.

All answer from what was followed of the chain: `at=head` (the default) with everything up to the newest block,
`at=final` only with what stays.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from peerwatt.market.clock import MarketClock
from peerwatt.signing.kinds import check_address
from peerwatt_bridge.problems import Problem, unavailable
from peerwatt_bridge.routes import shapes
from peerwatt_bridge.routes.dependencies import BridgeOf, translating
from peerwatt_bridge.services import answers
from peerwatt_bridge.services.bridge import Bridge
from peerwatt_bridge.services.views import At, NotFollowed, View

router = APIRouter(prefix="/v1", tags=["reads"])

ADDRESS = "^0x[0-9a-fA-F]{40}$"
AtOf = Annotated[At, Query(description="The newest block, or the newest that stays.")]
Account = Annotated[str, Path(pattern=ADDRESS)]
AccountQuery = Annotated[str, Query(pattern=ADDRESS)]
AfterAccount = Annotated[str | None, Query(pattern=ADDRESS, description="Accounts above this one.")]
Limit = Annotated[int, Query(ge=1, le=500)]
Before = Annotated[int | None, Query(ge=0, lt=2**32, description="Windows before this one.")]
WindowOf = Annotated[int, Path(ge=0, lt=2**32)]


@contextmanager
def viewing(bridge: Bridge, at: At) -> Iterator[View]:
    """A view of the market.

    Raises:
        Problem: 503, as long as nothing of the chain was followed.
    """
    with translating():
        try:
            with bridge.views.view(at) as view:
                yield view
        except NotFollowed as error:
            text = "the bridge has not read the chain yet; try again in some seconds"
            raise unavailable("history", text) from error


def told(view: View) -> dict[str, int]:
    """What every answer says of its state."""
    return {"block": view.block, "final_block": view.final_block}


def money_of(bridge: Bridge) -> dict[str, Any]:
    """The currency."""
    with translating():
        return {"currency": bridge.chain.grid.currency, "decimals": bridge.chain.grid.token_decimals}


@router.get("/participants", response_model=shapes.Participants)
def list_participants(bridge: BridgeOf, at: AtOf = At.HEAD, after: AfterAccount = None, limit: Limit = 100) -> Any:
    """Accounts that ever had money or a connection, by address."""
    with viewing(bridge, at) as view:
        page, following = _page(bridge.views.accounts(view), after, limit)
        shown = [answers.tell_participant(view.replay.state, account) for account in page]
        return {**told(view), "participants": shown, "next": following}


@router.get("/participants/{account}", response_model=shapes.ParticipantInFull)
def show_participant(account: Account, bridge: BridgeOf, at: AtOf = At.HEAD) -> Any:
    """An account with its orders; one that nobody knows is empty."""
    address = check_address(account, "account")
    with viewing(bridge, at) as view:
        return {**told(view), **answers.tell_participant_in_full(view.replay.state, address)}


@router.get("/envelopes", response_model=shapes.Envelopes)
def list_envelopes(bridge: BridgeOf, at: AtOf = At.HEAD, after: AfterAccount = None, limit: Limit = 100) -> Any:
    """Connections and their operating envelopes: the limits at the feeder's present scale."""
    with viewing(bridge, at) as view:
        state = view.replay.state
        enrolled = [account for account in bridge.views.accounts(view) if account.lower() in state.devices]
        page, following = _page(enrolled, after, limit)
        shown = [
            {"account": account, **answers.tell_connection(state, state.devices[account.lower()])} for account in page
        ]
        return {**told(view), "envelopes": shown, "next": following}


@router.get("/windows", response_model=shapes.Windows)
def list_windows(bridge: BridgeOf, at: AtOf = At.HEAD, before: Before = None, limit: Limit = 100) -> Any:
    """Cleared windows with orders, the newest first."""
    money, clock = money_of(bridge), bridge.chain.clock()
    with viewing(bridge, at) as view:
        found, following = bridge.views.clearings(view, before, limit)
        shown = [cleared.to_json(clock) for cleared in found]
        cleared_window = view.replay.state.book_state.cleared
    return {**told(view), **money, "cleared_window": cleared_window, "windows": shown, "next": following}


@router.get("/windows/{window}", response_model=shapes.Window)
def show_window(window: WindowOf, bridge: BridgeOf, at: AtOf = At.HEAD) -> Any:
    """A window and, once it is cleared, what it gave."""
    clock = bridge.chain.clock()
    with viewing(bridge, at) as view:
        cleared = bridge.views.clearing(view, window)
        return {
            **told(view),
            "window": window,
            "start_s": clock.start_s(window),
            "end_s": clock.end_s(window),
            "gate_s": clock.gate_s(window),
            "phase": _phase(view, clock, window),
            "result": None if cleared is None else cleared.to_json(clock),
        }


@router.get("/windows/{window}/book", response_model=shapes.Book)
def show_book(window: WindowOf, bridge: BridgeOf, at: AtOf = At.HEAD) -> Any:
    """A window's orders by price level, and what they would clear at.

    Raises:
        Problem: 404, of a window that was cleared too long ago: its book is no longer kept.
    """
    clock = bridge.chain.clock()
    with viewing(bridge, at) as view:
        state, phase = view.replay.state, _phase(view, clock, window)
        if phase == "cleared" and window not in state.books and bridge.views.clearing(view, window) is not None:
            text = f"the book of window {window} is no longer kept; its result is at /v1/windows/{window}"
            raise Problem(404, "book-gone", "The book is gone", text, {"window": window})
        preview = None if phase == "cleared" else answers.tell_preview(state, window)
        return {
            **told(view),
            "window": window,
            "phase": phase,
            "book": answers.tell_book(state, window),
            "preview": preview,
        }


@router.get("/prices", response_model=shapes.Prices)
def list_prices(bridge: BridgeOf, at: AtOf = At.HEAD, before: Before = None, limit: Limit = 100) -> Any:
    """Prices of windows that traded, the newest first."""
    money, clock = money_of(bridge), bridge.chain.clock()
    with viewing(bridge, at) as view:
        last = bridge.views.clearings(view, None, 1, traded_only=True)[0]
        found, following = bridge.views.clearings(view, before, limit, traded_only=True)
    shown = [
        {
            "window": cleared.window,
            "start_s": clock.start_s(cleared.window),
            "price_per_wh": cleared.price_per_wh,
            "traded_wh": cleared.traded_wh,
        }
        for cleared in found
    ]
    last_price = last[0].price_per_wh if last else None
    return {**told(view), **money, "last_price_per_wh": last_price, "prices": shown, "next": following}


@router.get("/trades", response_model=shapes.Trades)
def list_trades(
    bridge: BridgeOf, account: AccountQuery, at: AtOf = At.HEAD, before: Before = None, limit: Limit = 100
) -> Any:
    """An account's windows with an order, the newest first."""
    address = check_address(account, "account")
    money, clock = money_of(bridge), bridge.chain.clock()
    with viewing(bridge, at) as view:
        rows = [row for row in bridge.views.rows(view, address) if before is None or row.window < before]
    page = rows[: -limit - 1 : -1]
    return {
        **told(view),
        **money,
        "account": address,
        "windows": [answers.tell_trade(row, clock) for row in page],
        "next": page[-1].window if len(rows) > limit else None,
    }


@router.get("/reputation/{account}", response_model=shapes.Reputation)
def show_reputation(
    account: Account, bridge: BridgeOf, at: AtOf = At.HEAD, last: Annotated[int, Query(ge=1, le=500)] = 10
) -> Any:
    """A score, what it costs or saves, and the newest windows that moved it."""
    address = check_address(account, "account")
    money, clock = money_of(bridge), bridge.chain.clock()
    with viewing(bridge, at) as view:
        found, _ = bridge.views.clearings(view, None, 1, traded_only=True)
        price = found[0].price_per_wh if found else None
        standing = answers.tell_standing(view.replay.state, address, clock.window, price)
        rows = bridge.views.rows(view, address)
    moved = [row for row in rows if row.settled and row.score_before != row.score_after]
    moved.sort(key=lambda row: (row.block_number or 0, row.window))
    moves = [answers.tell_move(row, clock) for row in moved[-last:]]
    return {**told(view), **money, **standing, "moves": moves}


@router.get("/tariffs", response_model=shapes.Tariffs)
def show_tariffs(bridge: BridgeOf, at: AtOf = At.HEAD) -> Any:
    """The tariff in force and the next one, retail prices by class, and the feeders' fees and scales."""
    money, clock = money_of(bridge), bridge.chain.clock()
    with viewing(bridge, at) as view:
        return {**told(view), **money, **answers.tell_tariffs(view.replay, clock)}


@router.get("/totals", response_model=shapes.Totals)
def show_totals(bridge: BridgeOf, at: AtOf = At.HEAD) -> Any:
    """Sums of the community."""
    money = money_of(bridge)
    with viewing(bridge, at) as view:
        return {**told(view), **money, **answers.tell_totals(view.replay)}


def _page(accounts: list[str], after: str | None, limit: int) -> tuple[list[str], str | None]:
    key: Callable[[str], str] = str.lower
    start = 0 if after is None else bisect_right(accounts, after.lower(), key=key)
    page = accounts[start : start + limit]
    return page, page[-1] if start + limit < len(accounts) else None


def _phase(view: View, clock: MarketClock, window: int) -> str:
    if window <= view.replay.state.cleared:
        return "cleared"
    return "gated" if window <= clock.gated else "open"
