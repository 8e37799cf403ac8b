# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Settlement: pays what a meter measured, window after window
@license Apache-2.0
@notice The one walk through an account's open windows: with a report's growths, or without for what is due.
"""
from . import auction
from . import bits
from . import book
from . import meters
from . import offers
from . import parameters
from . import participants
from . import reasons
from . import reputation
from . import wallets

uses: auction
uses: book
uses: meters
uses: offers
uses: parameters
uses: participants
uses: reputation
uses: wallets


event ReportSettled:
    account: indexed(address)
    report: uint256
    wallet: uint256
    growths: DynArray[uint256, 28]


event DueSettled:
    account: indexed(address)
    windows: uint256
    wallet: uint256


event WindowClosed:
    window: indexed(uint256)
    rounding_wh: uint256


# Whose report a walk follows.
OF_IMPORTS: constant(uint256) = 0
OF_EXPORTS: constant(uint256) = 1
NO_REPORT: constant(uint256) = 2
M8: constant(uint256) = 2**8 - 1
M16: constant(uint256) = 2**16 - 1
M24: constant(uint256) = 2**24 - 1
M32: constant(uint256) = 2**32 - 1
M48: constant(uint256) = 2**48 - 1
EMPTY_NET: constant(uint256) = 1 << 49


struct Settled:
    count: uint256
    first: uint256
    last: uint256
    wrong_hint: bool
    wallet: uint256
    balancing: uint256
    network: uint256


@internal
@pure
def _get_fill_at_price(result: uint256, energy_wh: uint256, is_offer: bool) -> uint256:
    """
    @notice What the clearing gave an order at the very price in Wh; a rationed bid rounds up, a rationed offer down.
    """
    kind: uint256 = (result >> 8) & 3
    if kind == auction.BIDS_RATIONED and not is_offer:
        den: uint256 = (result >> 58) & M48
        return unsafe_div(unsafe_add(unsafe_mul(energy_wh, (result >> 10) & M48), unsafe_sub(den, 1)), den)
    if kind == auction.OFFERS_RATIONED and is_offer:
        return unsafe_div(unsafe_mul(energy_wh, (result >> 10) & M48), (result >> 58) & M48)
    if kind == auction.ALL_CROSSING and not is_offer:
        return 0
    return energy_wh


@internal
def _walk(
    account: address,
    hints_: uint256,
    mode: uint256,
    report_first: uint256,
    calendar: uint256,
    cleared: uint256,
    until: uint256,
    max_windows: uint256,
    growths: DynArray[uint256, 28],
) -> Settled:
    """
    @notice Settles the account's open windows in their sequence: up to `until`, or to the first that is not due.
    @param mode whose report this is: OF_IMPORTS, OF_EXPORTS or NO_REPORT
    @dev Every window up to `until` is cleared. The loop runs for each home and window, so what stays the same is
         worked out before it, or once an order.
    """
    done: Settled = empty(Settled)
    book_cleared: uint256 = book.book_state & M32
    now_window: uint256 = 0
    if mode == NO_REPORT:
        now_window = parameters._get_window()
    settled: uint256 = calendar >> 224
    windows: uint256 = calendar & participants.OPEN_WINDOWS
    wallet: uint256 = wallets.wallets[account]
    balance: uint256 = wallet & wallets.AMOUNT
    reserved: uint256 = (wallet >> 104) & wallets.AMOUNT
    score: uint256 = (wallet >> 208) & (2**30 - 1)
    hints: uint256 = hints_

    # The order at hand, unpacked.
    order_end: uint256 = 0
    level: uint256 = 0
    energy_wh: uint256 = 0
    is_offer: bool = False
    needs_report: bool = False
    reserve: uint256 = 0
    adjustment_bps: uint256 = 0
    fee: uint256 = 0
    imbalance_price: uint256 = 0
    revoked_from: uint256 = max_value(uint256)

    for _: uint256 in range(224):
        if windows == 0 or done.count == max_windows:
            break
        idle: uint256 = 0
        if windows & 1 == 0:
            idle = bits._lowest(windows)
        window: uint256 = unsafe_add(unsafe_add(settled, idle), 1)
        if window > until:
            # The pointer stays: beyond what is cleared it would hide windows that can still be ordered.
            break
        windows >>= idle
        settled = unsafe_add(settled, idle)

        if window >= order_end:
            order: uint256 = offers.orders[account][hints & 15]
            hints >>= 4
            order_end = unsafe_add((order >> 64) & M32, (order >> 96) & M8)
            if window < (order >> 64) & M32 or window >= order_end:
                done.wrong_hint = True
                break
            level = (order >> 136) & M8
            energy_wh = (order >> 104) & M24
            is_offer = (order >> 144) & 1 == 1
            needs_report = is_offer or (order >> 145) & 1 == 1
            reserve = unsafe_mul(energy_wh, offers._get_unit_reserve(order))
            adjustment_bps = (order >> 147) & (2**14 - 1)
            fee = order >> 192
            revoked_from = max_value(uint256)
            if is_offer:
                imbalance_price = offers._get_price((order >> 161) & M16)
                if participants.exports_of[account] & offers.REVOKED != 0:
                    revoked_from = participants.imports_of[account] >> 80

        # A window that a closed market never cleared has no result, and fills nothing.
        if window <= book_cleared:
            result: uint256 = auction.results[window]
            price_level: uint256 = result & M8
            fill_wh: uint256 = 0
            if (result >> 8) & 3 != auction.NO_TRADE:
                if level == price_level:
                    fill_wh = self._get_fill_at_price(result, energy_wh, is_offer)
                elif is_offer == (level < price_level):
                    fill_wh = energy_wh

            if fill_wh != 0:
                metered_wh: uint256 = 0
                if mode != NO_REPORT:
                    k: uint256 = unsafe_sub(window, report_first)
                    metered_wh = min((growths[k >> 3] >> ((k & 7) << 5)) & M32, fill_wh)
                elif window < revoked_from:
                    if window >= now_window:
                        break
                    if needs_report:
                        end: uint256 = unsafe_mul(unsafe_add(window, 1), parameters.window_seconds)
                        if block.timestamp < unsafe_add(
                            unsafe_add(end, (result >> 106) & M32), parameters.report_deadline_seconds
                        ):
                            break

                price: uint256 = offers._get_price(price_level)
                adjustment: uint256 = unsafe_div(unsafe_add(unsafe_mul(price, adjustment_bps), 9999), 10000)
                if not is_offer:
                    result = unsafe_add(result, fill_wh << 186)
                    balance = unsafe_sub(
                        balance, unsafe_mul(fill_wh, unsafe_add(unsafe_add(price, adjustment), fee))
                    )
                    done.balancing = unsafe_add(done.balancing, unsafe_mul(fill_wh, adjustment))
                    done.network = unsafe_add(done.network, unsafe_mul(fill_wh, fee))
                    if needs_report:
                        target: uint256 = unsafe_div(unsafe_mul(metered_wh, 10000), fill_wh) << 16
                        score = reputation._move(score, target, fill_wh)
                else:
                    result = unsafe_sub(result, fill_wh << 186)
                    if window >= revoked_from:
                        done.balancing = unsafe_add(done.balancing, unsafe_mul(fill_wh, price))
                    else:
                        short_wh: uint256 = unsafe_sub(fill_wh, metered_wh)
                        balance = unsafe_sub(
                            unsafe_add(balance, unsafe_mul(metered_wh, unsafe_sub(price, adjustment))),
                            unsafe_mul(short_wh, unsafe_sub(imbalance_price, price)),
                        )
                        done.balancing = unsafe_add(
                            done.balancing,
                            unsafe_add(unsafe_mul(metered_wh, adjustment), unsafe_mul(short_wh, imbalance_price)),
                        )
                        target: uint256 = 0
                        # A default counts nothing, however wide the tolerance.
                        if mode != NO_REPORT:
                            target = reputation._get_offer_target(metered_wh, fill_wh)
                        score = reputation._move(score, target, fill_wh)

            result = unsafe_sub(result, energy_wh << 138)
            auction.results[window] = result
            if (result >> 138) & M48 == 0:
                # The last order of the window: what was bought beyond what was sold are rounding Wh of the utility.
                rounding_wh: uint256 = unsafe_sub(result >> 186, EMPTY_NET)
                done.balancing = unsafe_add(done.balancing, unsafe_mul(rounding_wh, offers._get_price(price_level)))
                log WindowClosed(window=window, rounding_wh=rounding_wh)
        reserved = unsafe_sub(reserved, reserve)
        if done.count == 0:
            done.first = window
        done.count = unsafe_add(done.count, 1)
        done.last = window
        settled = window
        windows >>= 1

    if done.count != 0:
        done.wallet = balance | (reserved << 104) | (score << 208) | (wallet & participants.RATED)
        wallets.wallets[account] = done.wallet
        participants.calendars[account] = participants._move_up((settled << 224) | windows, cleared)
    return done


@internal
@view
def _check_orders(account: address, hints_: uint256, calendar: uint256, until: uint256, side: uint256) -> uint256:
    """
    @notice Whether every open window up to `until` has its order named, of the side that the report is of.
    """
    settled: uint256 = calendar >> 224
    windows: uint256 = calendar & participants.OPEN_WINDOWS
    hints: uint256 = hints_
    for _: uint256 in range(224):
        if windows == 0:
            break
        idle: uint256 = bits._lowest(windows)
        window: uint256 = unsafe_add(unsafe_add(settled, 1), idle)
        if window > until:
            break
        order: uint256 = offers.orders[account][hints & 15]
        hints >>= 4
        first: uint256 = (order >> 64) & M32
        end: uint256 = unsafe_add(first, (order >> 96) & M8)
        if window < first or window >= end:
            return reasons.WRONG_HINT
        if (order >> 144) & 1 == 1:
            if side == OF_IMPORTS:
                return reasons.WRONG_SIDE
        elif (order >> 145) & 1 == 1 and side == OF_EXPORTS:
            return reasons.WRONG_SIDE
        # On to the window after this order.
        windows >>= unsafe_sub(unsafe_sub(end, settled), 1)
        settled = unsafe_sub(end, 1)
    return 0


@internal
def _settle_report(
    account: address,
    hints: uint256,
    side: uint256,
    first: uint256,
    count: uint256,
    opening_wh: uint256,
    growths: DynArray[uint256, 28],
    r: uint256,
    vs: uint256,
) -> (uint256, uint256, uint256):
    """
    @notice Settles every open window that a signed report covers.
    @return the code of a refusal or 0; what the balancing and the network account receive
    """
    cleared: uint256 = book._get_cleared(book.book_state)
    calendar: uint256 = participants._get_calendar(account, cleared)
    windows: uint256 = calendar & participants.OPEN_WINDOWS
    next_open: uint256 = 0
    if windows != 0:
        next_open = unsafe_add(unsafe_add(calendar >> 224, 1), bits._lowest(windows))
    code: uint256 = 0
    closing_wh: uint256 = 0
    code, closing_wh = meters._check_report(
        account, side, first, count, opening_wh, growths, r, vs, cleared, next_open
    )
    if code != 0:
        return code, 0, 0
    # first + count is at least 1: the reading is newer than the last.
    end: uint256 = unsafe_add(first, count)
    until: uint256 = unsafe_sub(end, 1)
    done: Settled = empty(Settled)
    if next_open != 0 and next_open <= until:
        code = self._check_orders(account, hints, calendar, until, side)
        if code != 0:
            return code, 0, 0
        done = self._walk(account, hints, side, first, calendar, cleared, until, 224, growths)
    else:
        participants.calendars[account] = calendar
        done.wallet = wallets.wallets[account]
    meters._set_register(account, side, closing_wh, end)
    log ReportSettled(
        account=account,
        report=first | (count << 32) | (side << 40) | (closing_wh << 48) | (done.count << 96),
        wallet=done.wallet,
        growths=growths,
    )
    return 0, done.balancing, done.network


@internal
def _settle_due(account: address, hints: uint256, max_windows: uint256) -> (uint256, uint256, uint256):
    """
    @notice Settles what needs no report: bids, empty fills, and what stayed silent past its deadline.
    @return the code of a refusal or 0; what the balancing and the network account receive
    """
    cleared: uint256 = book._get_cleared(book.book_state)
    calendar: uint256 = participants._get_calendar(account, cleared)
    done: Settled = self._walk(account, hints, NO_REPORT, 0, calendar, cleared, cleared, max_windows, [])
    if done.count == 0:
        return (reasons.WRONG_HINT if done.wrong_hint else reasons.NOTHING_DUE), 0, 0
    log DueSettled(
        account=account, windows=done.first | (done.last << 32) | (done.count << 64), wallet=done.wallet
    )
    return 0, done.balancing, done.network


@internal
def _credit_funds(balancing: uint256, network: uint256):
    wallets._credit(wallets.balancing_account, balancing)
    wallets._credit(wallets.network_account, network)
