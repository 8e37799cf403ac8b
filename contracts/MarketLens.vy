# pragma version 0.4.3
# pragma evm-version prague
# pragma nonreentrancy on
# pragma optimize gas
"""
@title MarketLens: the market's packed words as structs
@license Apache-2.0
@notice Reads only, trusts only the market it was made for. Energy in Wh, prices in base units per Wh, money in base
        units, scores in points of 10,000 and their 1/65536 parts.
@dev The words are laid out in docs/contract.md.
"""

from interfaces import IEnergyMarket
from interfaces import IMarketLens

implements: IMarketLens

BPS: constant(uint256) = 10_000
LEVELS: constant(uint256) = 256
RING: constant(uint256) = 256
BANDS: constant(uint256) = 16
BAND_SCORE: constant(uint256) = 625 * 65_536
ENTRY_BIAS: constant(int256) = 2**55
NET_BIAS: constant(int256) = 2**49
OPEN_WINDOWS: constant(uint256) = 2**224 - 1
# What `cleared` counts as once the book is closed for good.
END_OF_TIME: constant(uint256) = 2**32 - 1

MARKET: immutable(IEnergyMarket)


@deploy
def __init__(market: address):
    MARKET = IEnergyMarket(market)


@view
@external
def market() -> address:
    return MARKET.address


@view
@external
def account_words(accounts: DynArray[address, 64], slots: uint256) -> DynArray[uint256, 1408]:
    """
    @notice The packed words of many accounts in one call: wallet, calendar, device, exports, imports, withdrawal nonce, then
            the orders in slots 0 to `slots` - 1; one account after the other.
    """
    assert slots <= 16, "lens: too many slots"
    words: DynArray[uint256, 1408] = []
    for account: address in accounts:
        words.append(staticcall MARKET.wallets(account))
        words.append(staticcall MARKET.calendars(account))
        words.append(staticcall MARKET.devices(account))
        words.append(staticcall MARKET.exports_of(account))
        words.append(staticcall MARKET.imports_of(account))
        words.append(staticcall MARKET.nonces(account))
        for slot: uint256 in range(slots, bound=16):
            words.append(staticcall MARKET.orders(account, slot))
    return words


@view
@external
def parameters() -> IMarketLens.Parameters:
    return IMarketLens.Parameters(
        token=staticcall MARKET.token(),
        registry=staticcall MARKET.registry(),
        balancing_account=staticcall MARKET.balancing_account(),
        network_account=staticcall MARKET.network_account(),
        window_seconds=staticcall MARKET.window_seconds(),
        lead_seconds=staticcall MARKET.lead_seconds(),
        floor_price=staticcall MARKET.floor_price(),
        price_step=staticcall MARKET.price_step(),
        report_deadline_seconds=staticcall MARKET.report_deadline_seconds(),
        max_reading_age_seconds=staticcall MARKET.max_reading_age_seconds(),
        min_order_wh=staticcall MARKET.min_order_wh(),
        tolerance_bps=staticcall MARKET.tolerance_bps(),
        inertia_wh=staticcall MARKET.inertia_wh(),
    )


@view
@external
def wallet(account: address) -> IMarketLens.Wallet:
    word: uint256 = staticcall MARKET.wallets(account)
    balance: uint256 = self._field(word, 0, 104)
    reserved: uint256 = self._field(word, 104, 104)
    score: uint256 = self._field(word, 208, 30)
    return IMarketLens.Wallet(
        balance=balance,
        reserved=reserved,
        free=balance - reserved,
        score_points=score >> 16,
        score_fraction=self._field(score, 0, 16),
        band=min(score // BAND_SCORE, BANDS - 1),
        rated=self._field(word, 238, 1) == 1,
    )


@view
@external
def participant(account: address) -> IMarketLens.Participant:
    device: uint256 = staticcall MARKET.devices(account)
    exported: uint256 = staticcall MARKET.exports_of(account)
    imported: uint256 = staticcall MARKET.imports_of(account)
    calendar: uint256 = staticcall MARKET.calendars(account)
    settled: uint256 = calendar >> 224
    windows: uint256 = calendar & OPEN_WINDOWS
    next_open: uint256 = 0
    moved: uint256 = max(settled, self._get_cleared())
    if windows != 0:
        next_open = settled + 1 + self._lowest_bit(windows)
        moved = max(settled, min(moved, next_open - 1))
        windows >>= moved - settled
    return IMarketLens.Participant(
        enrolled=device != 0,
        meter=convert(self._field(exported, 0, 160), address),
        import_limit_wh=self._field(device, 160, 24),
        export_limit_wh=self._field(device, 184, 24),
        feeder=self._field(device, 208, 16),
        status=self._field(device, 224, 2),
        meter_class=self._field(device, 226, 6),
        retail_class=self._field(device, 232, 8),
        exported_wh=self._field(exported, 160, 48),
        exported_window=self._field(exported, 208, 32),
        imported_wh=self._field(imported, 0, 48),
        imported_window=self._field(imported, 48, 32),
        revoked=self._field(exported, 240, 1) == 1,
        revoked_window=self._field(imported, 80, 32),
        settled_window=moved,
        open_windows=windows,
        next_open_window=next_open,
    )


@view
@external
def order(account: address, slot: uint256) -> IMarketLens.Order:
    word: uint256 = staticcall MARKET.orders(account, slot)
    first: uint256 = self._field(word, 64, 32)
    count: uint256 = self._field(word, 96, 8)
    side: uint256 = self._field(word, 144, 1)
    price: uint256 = self._price(self._field(word, 136, 8))
    adjustment: uint256 = self._field(word, 147, 14)
    fee: uint256 = self._field(word, 192, 64)
    part: uint256 = (price * adjustment + BPS - 1) // BPS
    all_in: uint256 = price + part + fee
    if side == 1:
        all_in = price - part
    last: uint256 = 0
    if count != 0:
        last = first + count - 1
    return IMarketLens.Order(
        nonce=self._field(word, 0, 32),
        burnt_nonce=self._field(word, 32, 32),
        first_window=first,
        last_window=last,
        count=count,
        energy_wh=self._field(word, 104, 24),
        side=side,
        limit_level=self._field(word, 128, 8),
        limit_price=self._price(self._field(word, 128, 8)),
        effective_level=self._field(word, 136, 8),
        effective_price=price,
        unit_price_at_effective=all_in,
        rated=self._field(word, 145, 1) == 1,
        single=self._field(word, 146, 1) == 1,
        adjustment_bps=adjustment,
        imbalance_price=self._price(self._field(word, 161, 16)),
        tariff_version=self._field(word, 177, 15),
        fee_per_wh=fee,
    )


@view
@external
def agent(account: address, agent: address) -> IMarketLens.Agent:
    word: uint256 = staticcall MARKET.agents(account, agent)
    expiry: uint256 = self._field(word, 0, 64)
    return IMarketLens.Agent(
        active=expiry > block.timestamp,
        expiry=expiry,
        max_buy_level=self._field(word, 64, 8),
        min_sell_level=self._field(word, 72, 8),
        max_reserve=self._field(word, 80, 128),
    )


@view
@external
def book_state() -> IMarketLens.Book:
    word: uint256 = staticcall MARKET.book_state()
    return IMarketLens.Book(
        cleared_window=self._field(word, 0, 32),
        open_wh=self._field(word, 32, 64),
        closed=self._field(word, 96, 1) == 1,
        paused=self._field(word, 97, 1) == 1,
    )


@view
@external
def book(window: uint256) -> DynArray[IMarketLens.BookLevel, LEVELS]:
    """
    @notice The levels with orders in a window that is not cleared yet, lowest first, as the book stands now.
    """
    cleared: uint256 = self._get_cleared()
    assert window > cleared, "lens: window cleared"
    assert window < cleared + RING, "lens: beyond the ring"
    bids: int256[LEVELS] = empty(int256[LEVELS])
    offers: int256[LEVELS] = empty(int256[LEVELS])
    seen: uint256 = staticcall MARKET.live_levels()
    levels: uint256 = seen
    for i: uint256 in range(LEVELS):
        if levels == 0:
            break
        level: uint256 = self._lowest_bit(levels)
        levels &= levels - 1
        pair: uint256 = (staticcall MARKET.live(level // 2)) >> (96 * (level % 2))
        bids[level] = convert(self._field(pair, 0, 48), int256)
        offers[level] = convert(self._field(pair, 48, 48), int256)
    for step: uint256 in range(1, RING):
        rolled: uint256 = cleared + step
        if rolled > window:
            break
        levels = staticcall MARKET.touched(rolled % RING)
        seen |= levels
        for i: uint256 in range(LEVELS):
            if levels == 0:
                break
            level: uint256 = self._lowest_bit(levels)
            levels &= levels - 1
            entry: uint256 = staticcall MARKET.entries(rolled % RING, level)
            if self._field(entry, 208, 24) != rolled // RING:
                continue
            bids[level] += convert(self._field(entry, 0, 56), int256) - ENTRY_BIAS
            offers[level] += convert(self._field(entry, 56, 56), int256) - ENTRY_BIAS
            if rolled == window:
                bids[level] += convert(self._field(entry, 112, 48), int256)
                offers[level] += convert(self._field(entry, 160, 48), int256)
    found: DynArray[IMarketLens.BookLevel, LEVELS] = []
    for i: uint256 in range(LEVELS):
        if seen == 0:
            break
        level: uint256 = self._lowest_bit(seen)
        seen &= seen - 1
        if bids[level] != 0 or offers[level] != 0:
            found.append(
                IMarketLens.BookLevel(
                    level=level,
                    price_per_wh=self._price(level),
                    bid_wh=convert(bids[level], uint256),
                    offer_wh=convert(offers[level], uint256),
                )
            )
    return found


@view
@external
def result(window: uint256) -> IMarketLens.Result:
    word: uint256 = staticcall MARKET.results(window)
    if word == 0:
        return empty(IMarketLens.Result)
    level: uint256 = self._field(word, 0, 8)
    return IMarketLens.Result(
        exists=True,
        level=level,
        price_per_wh=self._price(level),
        kind=self._field(word, 8, 2),
        num=self._field(word, 10, 48),
        den=self._field(word, 58, 48),
        delay_seconds=self._field(word, 106, 32),
        left_wh=self._field(word, 138, 48),
        net_wh=convert(self._field(word, 186, 50), int256) - NET_BIAS,
    )


@view
@external
def tariff_head() -> IMarketLens.TariffHead:
    word: uint256 = staticcall MARKET.tariff_head()
    head: IMarketLens.TariffHead = IMarketLens.TariffHead(
        version=self._field(word, 0, 16),
        imbalance_price=self._price(self._field(word, 16, 16)),
        next_version=self._field(word, 32, 16),
        next_imbalance_price=self._price(self._field(word, 48, 16)),
        next_from_window=self._field(word, 64, 32),
        version_now=self._field(word, 0, 16),
        imbalance_price_now=self._price(self._field(word, 16, 16)),
    )
    now_window: uint256 = block.timestamp // staticcall MARKET.window_seconds()
    if head.next_from_window != 0 and head.next_from_window <= now_window:
        head.version_now = head.next_version
        head.imbalance_price_now = head.next_imbalance_price
    return head


@view
@external
def tariff(version: uint256) -> IMarketLens.Tariff:
    return IMarketLens.Tariff(
        surcharges_bps=self._bands(staticcall MARKET.surcharges(version)),
        haircuts_bps=self._bands(staticcall MARKET.haircuts(version)),
        rebates_bps=self._bands(staticcall MARKET.rebates(version)),
    )


@view
@external
def feeder(feeder: uint256) -> IMarketLens.Feeder:
    word: uint256 = staticcall MARKET.feeders(feeder)
    return IMarketLens.Feeder(
        fee_per_wh=self._field(word, 0, 64),
        import_scale_bps=self._field(word, 64, 16),
        export_scale_bps=self._field(word, 80, 16),
    )


@pure
@internal
def _field(word: uint256, low: uint256, bits: uint256) -> uint256:
    return (word >> low) & ((1 << bits) - 1)


@view
@internal
def _price(level: uint256) -> uint256:
    return staticcall MARKET.floor_price() + level * staticcall MARKET.price_step()


@view
@internal
def _get_cleared() -> uint256:
    word: uint256 = staticcall MARKET.book_state()
    if self._field(word, 96, 1) == 1:
        return END_OF_TIME
    return self._field(word, 0, 32)


@pure
@internal
def _bands(table: uint256) -> uint256[BANDS]:
    bands: uint256[BANDS] = empty(uint256[BANDS])
    for band: uint256 in range(BANDS):
        bands[band] = self._field(table, 16 * band, 16)
    return bands


@pure
@internal
def _lowest_bit(bitmap: uint256) -> uint256:
    """
    @dev Position of the lowest bit set; the bitmap is not zero. Halves, like a binary search.
    """
    rest: uint256 = bitmap
    position: uint256 = 0
    for half: uint256 in [128, 64, 32, 16, 8, 4, 2, 1]:
        if rest & ((1 << half) - 1) == 0:
            rest >>= half
            position += half
    return position
