# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Tariffs: the published numbers that trades are charged by
@license Apache-2.0
@notice The imbalance price and the reputation tables come in versions; a new version takes effect no sooner than
        the order horizon after it was published. Network fees hold at once, because limits are all-in. The market
        stores what it charges by; retail prices stay here, they only bound the imbalance price from below.
@dev Words are laid out in docs/contract.md. Prices are base units per Wh.
"""

from . import consent
from . import roles

uses: consent
uses: roles


event RetailSet:
    retail_class: indexed(uint256)
    price_per_wh: uint256


struct Head:
    version: uint256
    imbalance_steps: uint256
    next_version: uint256
    next_imbalance_steps: uint256
    next_from: uint256


BPS: constant(uint256) = 10_000
BANDS: constant(uint256) = 16
RETAIL_CLASSES: constant(uint256) = 16
FEEDERS: constant(uint256) = 2**16
# No order reaches further ahead than the ring of the book.
HORIZON_WINDOWS: constant(uint256) = 256
# One step above the price of the highest level.
MIN_IMBALANCE_STEPS: constant(uint256) = 256
# An order's word has 15 bits for the version.
MAX_VERSION: constant(uint256) = 2**15 - 1
FEE_MASK: constant(uint256) = 2**64 - 1
SCALES_MASK: constant(uint256) = (2**32 - 1) << 64
MASK_16: constant(uint256) = 2**16 - 1
MASK_32: constant(uint256) = 2**32 - 1

# retail class -> price per Wh, zero: no such class
retail: public(HashMap[uint256, uint256])


@external
def publish_tariff(imbalance_steps: uint256, surcharges: uint256, haircuts: uint256, rebates: uint256):
    """
    @notice Publish an imbalance price and the reputation tables. The first publication holds at once, a later one
            after the order horizon; while one is pending no other can be published.
    @param imbalance_steps Imbalance price in grid steps above the floor price.
    @param surcharges Buyers' surcharge by score band, 16 x 16 bits, band 0 lowest, basis points.
    @param haircuts Sellers' haircut by score band, likewise.
    @param rebates Rebate on the network fee by score band, likewise.
    """
    roles._check_regulator()
    now_window: uint256 = self._now_window()
    head: Head = self._get_head(now_window)
    assert head.next_from == 0, "tariffs: too soon"
    assert imbalance_steps >= self._get_lowest_steps(), "tariffs: imbalance too low"
    assert imbalance_steps <= MASK_16, "tariffs: imbalance out of bounds"
    assert self._is_falling(surcharges, BPS), "tariffs: bad table"
    assert self._is_falling(haircuts, BPS - 1), "tariffs: bad table"
    assert self._is_rising(rebates, BPS), "tariffs: bad table"
    version: uint256 = head.version + 1
    assert version <= MAX_VERSION, "tariffs: no version left"
    word: uint256 = version | (imbalance_steps << 16)
    if head.version != 0:
        word = (
            head.version
            | (head.imbalance_steps << 16)
            | (version << 32)
            | (imbalance_steps << 48)
            | ((now_window + HORIZON_WINDOWS) << 64)
        )
    extcall consent.MARKET.set_tariff(word, version, surcharges, haircuts, rebates)


@external
def set_retail(retail_class: uint256, price_per_wh: uint256):
    """
    @notice Set the utility's retail price of a class of connections; zero closes the class: no terms name it any more.
    """
    roles._check_regulator()
    assert retail_class < RETAIL_CLASSES, "tariffs: no such class"
    head: Head = self._get_head(self._now_window())
    highest: uint256 = self._get_imbalance_price(head.version, head.imbalance_steps)
    if head.next_from != 0:
        highest = min(highest, self._get_imbalance_price(head.next_version, head.next_imbalance_steps))
    assert price_per_wh <= highest, "tariffs: retail above imbalance"
    self.retail[retail_class] = price_per_wh
    log RetailSet(retail_class=retail_class, price_per_wh=price_per_wh)


@external
def set_feeder_scale(feeder: uint256, import_bps: uint256, export_bps: uint256):
    """
    @notice Scale the operating envelopes of a feeder's connections; touches later acceptances only.
    """
    roles._check_operator()
    assert feeder < FEEDERS, "tariffs: no such feeder"
    assert import_bps <= BPS and export_bps <= BPS, "tariffs: scale out of bounds"
    fee: uint256 = staticcall consent.MARKET.feeders(feeder) & FEE_MASK
    extcall consent.MARKET.set_feeder(feeder, fee | (import_bps << 64) | (export_bps << 80))


@external
def set_feeder_fee(feeder: uint256, fee_per_wh: uint256):
    """
    @notice Set the network fee of a feeder; touches later acceptances only.
    """
    roles._check_regulator()
    assert feeder < FEEDERS, "tariffs: no such feeder"
    assert fee_per_wh <= FEE_MASK, "tariffs: fee out of bounds"
    scales: uint256 = staticcall consent.MARKET.feeders(feeder) & SCALES_MASK
    extcall consent.MARKET.set_feeder(feeder, scales | fee_per_wh)


@view
@internal
def _now_window() -> uint256:
    return block.timestamp // staticcall consent.MARKET.window_seconds()


@view
@internal
def _get_head(now_window: uint256) -> Head:
    """
    @dev A published version that has taken effect is returned as the version in force.
    """
    word: uint256 = staticcall consent.MARKET.tariff_head()
    head: Head = Head(
        version=word & MASK_16,
        imbalance_steps=(word >> 16) & MASK_16,
        next_version=(word >> 32) & MASK_16,
        next_imbalance_steps=(word >> 48) & MASK_16,
        next_from=(word >> 64) & MASK_32,
    )
    if head.next_from != 0 and head.next_from <= now_window:
        return Head(
            version=head.next_version,
            imbalance_steps=head.next_imbalance_steps,
            next_version=0,
            next_imbalance_steps=0,
            next_from=0,
        )
    return head


@view
@internal
def _get_imbalance_price(version: uint256, steps: uint256) -> uint256:
    if version == 0:  # nothing published yet: no retail price fits under it
        return 0
    return staticcall consent.MARKET.floor_price() + steps * staticcall consent.MARKET.price_step()


@view
@internal
def _get_lowest_steps() -> uint256:
    """
    @dev The fewest steps whose imbalance price is above the price grid and not below any retail price.
    """
    highest: uint256 = 0
    for retail_class: uint256 in range(RETAIL_CLASSES):
        highest = max(highest, self.retail[retail_class])
    floor_price: uint256 = staticcall consent.MARKET.floor_price()
    if highest <= floor_price:
        return MIN_IMBALANCE_STEPS
    price_step: uint256 = staticcall consent.MARKET.price_step()
    return max(MIN_IMBALANCE_STEPS, (highest - floor_price + price_step - 1) // price_step)


@pure
@internal
def _is_falling(table: uint256, most: uint256) -> bool:
    """
    @dev Band 0 within `most`, no better band above a worse one.
    """
    previous: uint256 = most
    for band: uint256 in range(BANDS):
        value: uint256 = (table >> (16 * band)) & MASK_16
        if value > previous:
            return False
        previous = value
    return True


@pure
@internal
def _is_rising(table: uint256, most: uint256) -> bool:
    """
    @dev Band 15 within `most`, no better band below a worse one.
    """
    previous: uint256 = 0
    for band: uint256 in range(BANDS):
        value: uint256 = (table >> (16 * band)) & MASK_16
        if value < previous:
            return False
        previous = value
    return previous <= most
