# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Reputation: a score from metered delivery alone
@license Apache-2.0
@notice Scores are 0..10000 points, kept in 1/65536 points.
"""
from . import parameters

uses: parameters

FULL: constant(uint256) = 10000 * 65536


@internal
@view
def _move(score: uint256, target: uint256, fill_wh: uint256) -> uint256:
    """
    @notice The score after a fill, a part of the way to its target, rounded towards the target.
    """
    weight: uint256 = unsafe_add(parameters.inertia_wh, fill_wh)
    if target >= score:
        way: uint256 = unsafe_mul(unsafe_sub(target, score), fill_wh)
        return unsafe_add(score, unsafe_div(unsafe_add(way, unsafe_sub(weight, 1)), weight))
    way: uint256 = unsafe_mul(unsafe_sub(score, target), fill_wh)
    return unsafe_sub(score, unsafe_div(unsafe_add(way, unsafe_sub(weight, 1)), weight))


@internal
@view
def _get_offer_target(delivered_wh: uint256, fill_wh: uint256) -> uint256:
    """
    @notice Full inside the tolerance band, else the delivered share.
    """
    if unsafe_mul(delivered_wh, 10000) >= unsafe_mul(fill_wh, unsafe_sub(10000, parameters.tolerance_bps)):
        return FULL
    return unsafe_div(unsafe_mul(delivered_wh, 10000), fill_wh) << 16
