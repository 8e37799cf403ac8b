"""Settlement: who pays whom for a window, by report or because it is due."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from . import auction, meters, offers, reputation, wallets
from .messages import ReportMessage
from .reasons import Refused, require
from .tariffs import adjustment_of, all_in_price
from .values import BUY, SELL

if TYPE_CHECKING:
    from .offers import Order
    from .state import MarketState

# Why a window was settled the way it was.
REPORTED, TAKEN, DEFAULTED, REVOKED, UNFILLED = "reported", "taken", "defaulted", "revoked", "unfilled"


@dataclass(frozen=True)
class Payment:
    """What a settled order moves [base units]: from and to its owner's wallet, and to the two accounts."""

    paid: int = 0
    received: int = 0
    balancing: int = 0
    network: int = 0


@dataclass(frozen=True)
class Settled:
    """A line of the ledger: one order in one window.

    `price_per_wh` is the clearing price, `delivered_wh` what a seller's meter fed in of the fill, `growth_wh`
    what the meter counted (None without a report). `released` is the reserve that ended.
    """

    account: str
    window: int
    order: Order
    cause: str
    fill_wh: int
    price_per_wh: int
    growth_wh: int | None
    delivered_wh: int
    payment: Payment
    released: int
    score_before: int
    score_after: int


@dataclass
class Funds:
    """What a relay collects for the balancing and the network account; credited at its end."""

    balancing: int = 0
    network: int = 0


def pay_bid(order: Order, fill_wh: int, price: int) -> Payment:
    """A buyer pays the all-in price of its fill, taken or not."""
    return Payment(
        paid=fill_wh * all_in_price(BUY, price, order.adjustment_bps, order.fee_per_wh),
        balancing=fill_wh * adjustment_of(price, order.adjustment_bps),
        network=fill_wh * order.fee_per_wh,
    )


def pay_offer(order: Order, fill_wh: int, delivered_wh: int, price: int, imbalance_price: int) -> Payment:
    """A seller is paid for what it delivered, and buys the shortfall from the balancing account."""
    shortfall_wh = fill_wh - delivered_wh
    haircut = adjustment_of(price, order.adjustment_bps)
    return Payment(
        paid=shortfall_wh * (imbalance_price - price),
        received=delivered_wh * all_in_price(SELL, price, order.adjustment_bps, 0),
        balancing=delivered_wh * haircut + shortfall_wh * imbalance_price,
    )


def pay_revoked(fill_wh: int, price: int) -> Payment:
    """The utility supplies what a revoked seller had sold, for the clearing price; the rest it bears."""
    return Payment(balancing=fill_wh * price)


def settle_report(
    market: MarketState,
    now: int,
    account: str,
    report: ReportMessage,
    hints: int,
    signer: str,
    funds: Funds,
) -> None:
    """Settles every open window that a signed report of the account's meter covers."""
    calendar = offers.get_calendar(market, account)
    meters.check_report(market, now, account, report, signer, calendar.next_open)
    end = report.first_window + len(report.growths)
    hinted = offers.HintedOrders(market, account, hints)
    found: list[tuple[int, Order]] = []
    for window in sorted(window for window in calendar.open if window < end):
        order = hinted.at(window)
        if order is None:
            raise Refused("settlement: wrong order hint")
        wrong_side = order.side == SELL if report.side == BUY else order.side == BUY and order.rated
        require(not wrong_side, "settlement: wrong side")
        found.append((window, order))

    for window, order in found:
        growth = report.growths[window - report.first_window]
        settle_window(market, account, window, order, REPORTED, growth, funds)
    closing_wh = report.registers[-1]
    if report.side == BUY:
        imports = meters.get_imports(market, account)
        market.imports[account] = replace(imports, register_wh=closing_wh, window=end)
    else:
        exports = meters.get_exports(market, account)
        market.exports[account] = replace(exports, register_wh=closing_wh, window=end)
    _close_calendar(market, account, [window for window, _ in found])
    market.emit(
        "ReportSettled",
        account=account,
        first=report.first_window,
        n=len(report.growths),
        side=report.side,
        closing_wh=closing_wh,
        settled=len(found),
        wallet=market.wallet(account),
        growths=report.growths,
    )


def settle_due(
    market: MarketState, now: int, account: str, hints: int, max_windows: int, funds: Funds
) -> None:
    """Settles the account's next windows that need no report, or whose report never came."""
    hinted = offers.HintedOrders(market, account, hints)
    settled: list[int] = []
    wrong_hint = False
    for window in sorted(offers.get_calendar(market, account).open)[:max_windows]:
        if window > market.cleared:
            break
        order = hinted.at(window)
        if order is None:
            wrong_hint = True
            break
        cause = due_cause(market, now, account, window, order)
        if cause is None:
            break
        settle_window(market, account, window, order, cause, None, funds)
        settled.append(window)
    if not settled:
        raise Refused("settlement: wrong order hint" if wrong_hint else "settlement: nothing due")
    _close_calendar(market, account, settled)
    market.emit(
        "DueSettled",
        account=account,
        first=settled[0],
        last=settled[-1],
        count=len(settled),
        wallet=market.wallet(account),
    )


def due_cause(market: MarketState, now: int, account: str, window: int, order: Order) -> str | None:
    """Why a cleared window can be settled without a report now; None if it can't."""
    parameters = market.parameters
    if auction.fill_of(market, order, window) == 0:
        return UNFILLED
    if order.side == SELL and meters.is_revoked(market, account, window):
        return REVOKED
    if now < parameters.end_of(window):
        return None
    if order.side == BUY and not order.rated:
        return TAKEN
    known_at = parameters.end_of(window) + market.results[window].delay_seconds
    return DEFAULTED if now >= known_at + parameters.report_deadline_seconds else None


def settle_window(
    market: MarketState,
    account: str,
    window: int,
    order: Order,
    cause: str,
    growth_wh: int | None,
    funds: Funds,
) -> None:
    """Moves the money, the score and the window's counters for one order in one window.

    Args:
        growth_wh: what the meter counted, None without a report.
        funds: collects what the two fund accounts receive.
    """
    parameters = market.parameters
    fill_wh = auction.fill_of(market, order, window)
    has_result = window <= market.book_state.cleared
    price = parameters.price(market.results[window].level) if has_result else 0
    wallet = market.wallet(account)
    delivered_wh = 0
    payment = Payment()
    target: int | None = None
    if fill_wh == 0:
        cause = UNFILLED
    elif order.side == BUY:
        payment = pay_bid(order, fill_wh, price)
        if order.rated:
            target = reputation.buyer_target(growth_wh or 0, fill_wh)
        elif cause == REPORTED:
            cause = TAKEN
    elif meters.is_revoked(market, account, window):
        cause = REVOKED
        payment = pay_revoked(fill_wh, price)
    else:
        delivered_wh = min(fill_wh, growth_wh or 0)
        imbalance_price = parameters.price(order.imbalance_steps)
        payment = pay_offer(order, fill_wh, delivered_wh, price, imbalance_price)
        if cause == DEFAULTED:
            target = 0
        else:
            target = reputation.seller_target(delivered_wh, fill_wh, parameters.tolerance_bps)

    score = wallet.score
    if target is not None:
        score = reputation.move_score(score, target, fill_wh, parameters.inertia_wh)
    released = order.energy_wh * order.unit_reserve(parameters)
    market.wallets[account] = replace(
        wallet,
        balance=wallet.balance - payment.paid + payment.received,
        reserved=wallet.reserved - released,
        score=score,
    )
    funds.balancing += payment.balancing
    funds.network += payment.network
    if has_result:
        net_wh = fill_wh if order.side == BUY else -fill_wh
        _count_down(market, window, order.energy_wh, net_wh, funds)
    market.ledger.append(
        Settled(
            account,
            window,
            order,
            cause,
            fill_wh,
            price,
            growth_wh,
            delivered_wh,
            payment,
            released,
            wallet.score,
            score,
        )
    )


def _count_down(market: MarketState, window: int, energy_wh: int, net_wh: int, funds: Funds) -> None:
    """Takes an order off a window; after the last one the utility is paid for the rounding Wh."""
    result = market.results[window]
    result = replace(result, left_wh=result.left_wh - energy_wh, net_wh=result.net_wh + net_wh)
    market.results[window] = result
    if result.left_wh == 0:
        funds.balancing += result.net_wh * market.parameters.price(result.level)
        market.rounding_wh[window] = result.net_wh
        market.emit("WindowClosed", window=window, rounding_wh=result.net_wh)


def _close_calendar(market: MarketState, account: str, settled: list[int]) -> None:
    calendar = offers.get_calendar(market, account).without(settled)
    market.calendars[account] = calendar.moved_up(market.cleared)


def credit_funds(market: MarketState, funds: Funds) -> None:
    """Credits what a relay collected."""
    if funds.balancing == 0 and funds.network == 0:
        return
    wallets.credit(market, market.balancing_account, funds.balancing)
    wallets.credit(market, market.network_account, funds.network)
    market.emit("FundsCredited", balancing=funds.balancing, network=funds.network)
