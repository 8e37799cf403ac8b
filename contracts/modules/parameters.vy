# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Parameters of a market: its clock, its price grid, its bounds
@license Apache-2.0
@notice Immutable: a market with other numbers is another market.
"""


interface Reasons:
    def reason(code: uint256) -> String[36]: view


token: public(immutable(address))
registry: public(immutable(address))
window_seconds: public(immutable(uint256))
lead_seconds: public(immutable(uint256))
floor_price: public(immutable(uint256))
price_step: public(immutable(uint256))
report_deadline_seconds: public(immutable(uint256))
max_reading_age_seconds: public(immutable(uint256))
min_order_wh: public(immutable(uint256))
tolerance_bps: public(immutable(uint256))
inertia_wh: public(immutable(uint256))


@deploy
def __init__(
    token_: address,
    registry_: address,
    window_seconds_: uint256,
    lead_seconds_: uint256,
    floor_price_: uint256,
    price_step_: uint256,
    report_deadline_seconds_: uint256,
    max_reading_age_seconds_: uint256,
    min_order_wh_: uint256,
    tolerance_bps_: uint256,
    inertia_wh_: uint256,
):
    """
    @param floor_price_ price of level 0 [base units/Wh]
    @param price_step_ from one level to the next [base units/Wh]
    """
    assert token_ != empty(address) and registry_ != empty(address), "market: senseless parameter"
    assert window_seconds_ >= 60 and window_seconds_ <= 86400, "market: senseless parameter"
    assert lead_seconds_ <= 86400, "market: senseless parameter"
    assert price_step_ > 0 and price_step_ < 2**64 and floor_price_ < 2**64, "market: senseless parameter"
    assert floor_price_ + 65535 * price_step_ < 2**64, "market: senseless parameter"
    assert report_deadline_seconds_ > 0 and report_deadline_seconds_ < 2**32, "market: senseless parameter"
    assert max_reading_age_seconds_ > 0 and max_reading_age_seconds_ < 2**32, "market: senseless parameter"
    assert min_order_wh_ > 0 and min_order_wh_ < 2**24, "market: senseless parameter"
    assert tolerance_bps_ <= 10000, "market: senseless parameter"
    assert inertia_wh_ > 0 and inertia_wh_ < 2**32, "market: senseless parameter"
    token = token_
    registry = registry_
    window_seconds = window_seconds_
    lead_seconds = lead_seconds_
    floor_price = floor_price_
    price_step = price_step_
    report_deadline_seconds = report_deadline_seconds_
    max_reading_age_seconds = max_reading_age_seconds_
    min_order_wh = min_order_wh_
    tolerance_bps = tolerance_bps_
    inertia_wh = inertia_wh_


@internal
@view
def _check_registry():
    assert msg.sender == registry, "participants: only the registry"


@internal
@view
def _check(code: uint256):
    """
    @notice Reverts with the reason of a code; 0 passes. The registry keeps the strings: code space here is for trading.
    """
    if code != 0:
        reason: String[36] = staticcall Reasons(registry).reason(code)
        raise reason


@internal
@view
def _get_window() -> uint256:
    """
    @notice The window that the clock is in.
    """
    return block.timestamp // window_seconds


@internal
@view
def _get_gated() -> uint256:
    """
    @notice The newest window whose gate has closed.
    """
    return (block.timestamp + lead_seconds) // window_seconds
