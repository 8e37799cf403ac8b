# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Auction: one price a window, computed by the contract
@license Apache-2.0
@notice Pay-as-clear on a histogram of 256 price levels: it costs the same for 200 and 200,000 orders.
        live: bid [0,48), offer [48,96) of the even level, bid [96,144), offer [144,192) of the odd one.
        A result's word: level [0,8), kind [8,10), num [10,58), den [58,106), delay_seconds [106,138), left_wh [138,186),
        net_wh [186,236) + 2^49.
"""
from . import bits
from . import book
from . import parameters

uses: book
uses: parameters


event WindowCleared:
    window: indexed(uint256)
    result: uint256
    supply_wh: uint256
    demand_wh: uint256
    traded_wh: uint256


event BookJumped:
    window: uint256


M32: constant(uint256) = 2**32 - 1
M48: constant(uint256) = 2**48 - 1
M56: constant(uint256) = 2**56 - 1
M64: constant(uint256) = 2**64 - 1
M96: constant(uint256) = 2**96 - 1
# What an entry adds to a level (bid [0,48), offer [48,96)), with both nets' offsets in.
NET_OFFSETS: constant(uint256) = (1 << 55) | (1 << 103)
EMPTY_NET: constant(uint256) = 1 << 49
# Kinds of a result.
NO_TRADE: constant(uint256) = 0
ALL_CROSSING: constant(uint256) = 1
OFFERS_RATIONED: constant(uint256) = 2
BIDS_RATIONED: constant(uint256) = 3

live: public(uint256[128])
live_levels: public(uint256)
# An array of all windows that there will ever be: found by adding, where a mapping would hash.
results: public(uint256[2**32])


@internal
@pure
def _find_price(depth: uint256[256], levels: uint256, demand_wh: uint256) -> (uint256, uint256):
    """
    @notice The clearing of one book: walks the merit order upwards to the first level where bids above no longer exceed offers.
    @param depth per level bid_wh [0,48), offer_wh [48,96)
    @param levels bitmap of the levels that hold anything
    @return the result's word without delay, left and net; the traded Wh
    """
    supply: uint256 = 0
    supply_below: uint256 = 0
    demand: uint256 = demand_wh
    above: uint256 = 0
    bid: uint256 = 0
    offer: uint256 = 0
    low: uint256 = 0
    rest: uint256 = levels
    if rest != 0:
        low = bits._lowest(rest)
        rest >>= low
    for _: uint256 in range(256):
        if rest == 0:
            break
        if rest & 255 == 0:
            rest >>= 8
            low = unsafe_add(low, 8)
            continue
        if rest & 1 == 1:
            bid = depth[low] & M48
            offer = depth[low] >> 48
            supply_below = supply
            supply = unsafe_add(supply, offer)
            above = unsafe_sub(demand, bid)
            if above <= supply:
                break
            demand = above
        rest >>= 1
        low = unsafe_add(low, 1)

    traded: uint256 = min(supply, demand)
    if traded == 0:
        return (NO_TRADE << 8), 0
    if supply == above:
        high: uint256 = unsafe_add(unsafe_add(low, 1), bits._lowest(rest >> 1))
        return (unsafe_add(low, high) >> 1) | (ALL_CROSSING << 8), traded
    if supply > demand:
        return low | (OFFERS_RATIONED << 8) | (unsafe_sub(demand, supply_below) << 10) | (offer << 58), traded
    return low | (BIDS_RATIONED << 8) | (unsafe_sub(supply, above) << 10) | (bid << 58), traded


@external
def clear(max_windows: uint256) -> uint256:
    """
    @notice Clears the next gated windows, one after the other; anyone may call.
    @return how many were cleared
    """
    state: uint256 = book.book_state
    assert state & book.CLOSED == 0, "auction: market closed"
    window: uint256 = state & M32
    open_wh: uint256 = (state >> 32) & M64
    gated: uint256 = parameters._get_gated()
    assert max_windows > 0 and window < gated, "auction: nothing to clear"

    # The live book, rolled forward in memory and written back once.
    depth: uint256[256] = empty(uint256[256])
    levels: uint256 = self.live_levels
    demand: uint256 = 0
    supply: uint256 = 0
    rest: uint256 = 0
    level: uint256 = 0
    if open_wh > 0:
        rest = levels
        for _: uint256 in range(128):
            if rest == 0:
                break
            if rest & 3 != 0:
                pair: uint256 = self.live[level >> 1]
                if rest & 1 != 0:
                    depth[level] = pair & M96
                    demand = unsafe_add(demand, pair & M48)
                    supply = unsafe_add(supply, (pair >> 48) & M48)
                if rest & 2 != 0:
                    depth[level | 1] = pair >> 96
                    demand = unsafe_add(demand, (pair >> 96) & M48)
                    supply = unsafe_add(supply, pair >> 144)
            rest >>= 2
            level = unsafe_add(level, 2)

    dirty: uint256 = 0
    result: uint256 = 0
    traded: uint256 = 0
    stale: bool = True
    done: uint256 = 0
    told: uint256 = 0
    for _: uint256 in range(256):
        if done == max_windows or window == gated:
            break
        done = unsafe_add(done, 1)
        if open_wh == 0:
            # Nothing accepted is still to be cleared: what is live has ended, and needs no walk through idle windows.
            window = gated
            levels = 0
            dirty = 0
            break
        window = unsafe_add(window, 1)

        # What enters and leaves at this window, and what is for this window only.
        singles: uint256 = 0
        book_levels: uint256 = levels
        slot: uint256 = window & 255
        touched: uint256 = book.touched[slot]
        if touched != 0:
            # One bit stays: in the ring's next lap a level too many costs less to look at than a new word to write.
            if touched & unsafe_sub(touched, 1) != 0:
                book.touched[slot] = touched & unsafe_sub(0, touched)
            rest = touched
            level = bits._lowest(rest)
            rest >>= level
            for _i: uint256 in range(256):
                if rest == 0:
                    break
                if rest & 255 == 0:
                    rest >>= 8
                    level = unsafe_add(level, 8)
                    continue
                if rest & 1 == 1:
                    entry: uint256 = book.entries[slot][level]
                    if entry >> 208 == window >> 8:
                        stale = True
                        bit: uint256 = 1 << level
                        single: uint256 = (entry >> 112) & M96
                        before: uint256 = depth[level]
                        # Lowered by the offsets only after adding, so that no field borrows.
                        bid: uint256 = unsafe_sub(unsafe_add(before & M48, entry & M56), 1 << 55)
                        offer: uint256 = unsafe_sub(unsafe_add(before >> 48, (entry >> 56) & M56), 1 << 55)
                        half: uint256 = bid | (offer << 48)
                        demand = unsafe_sub(unsafe_add(demand, bid), before & M48)
                        supply = unsafe_sub(unsafe_add(supply, offer), before >> 48)
                        if half != before:
                            dirty |= bit
                            if half == 0:
                                levels &= ~bit
                                book_levels &= ~bit
                            else:
                                levels |= bit
                                book_levels |= bit
                        if single != 0:
                            singles |= bit
                            book_levels |= bit
                            demand = unsafe_add(demand, single & M48)
                            supply = unsafe_add(supply, single >> 48)
                            half = unsafe_add(half, single)
                        depth[level] = half
                rest >>= 1
                level = unsafe_add(level, 1)

        if demand | supply != 0:
            if stale:
                result, traded = self._find_price(depth, book_levels, demand)
                stale = False
            ended: uint256 = unsafe_mul(unsafe_add(window, 1), parameters.window_seconds)
            delay: uint256 = 0
            if block.timestamp > ended:
                delay = min(unsafe_sub(block.timestamp, ended), M32)
            all_wh: uint256 = unsafe_add(demand, supply)
            word: uint256 = result | (delay << 106) | (all_wh << 138) | (EMPTY_NET << 186)
            self.results[window] = word
            open_wh = unsafe_sub(open_wh, all_wh)
            log WindowCleared(
                window=window, result=word, supply_wh=supply, demand_wh=demand, traded_wh=traded
            )
            told = window

        # Orders for this window only leave again.
        if singles != 0:
            stale = True
            rest = singles
            level = bits._lowest(rest)
            rest >>= level
            for _i: uint256 in range(256):
                if rest == 0:
                    break
                if rest & 1 == 1:
                    single: uint256 = (book.entries[slot][level] >> 112) & M96
                    depth[level] = unsafe_sub(depth[level], single)
                    demand = unsafe_sub(demand, single & M48)
                    supply = unsafe_sub(supply, single >> 48)
                rest >>= 1
                level = unsafe_add(level, 1)

    # Only levels that still hold something are written: an empty one is told by its bit.
    rest = dirty & levels
    level = 0
    for _: uint256 in range(128):
        if rest == 0:
            break
        if rest & 3 != 0:
            self.live[level >> 1] = depth[level] | (depth[level | 1] << 96)
        rest >>= 2
        level = unsafe_add(level, 2)
    self.live_levels = levels
    # Windows without a result leave no log of their own: how far the market is must still be told.
    if told != window:
        log BookJumped(window=window)
    book.book_state = (state & ~(2**96 - 1)) | window | (open_wh << 32)
    return done
