# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Bits: the lowest one of a bitmap
@license Apache-2.0
"""


@internal
@pure
def _lowest(bitmap: uint256) -> uint256:
    """
    @notice Position of the lowest bit that is set; the bitmap is not empty.
    """
    bit: uint256 = bitmap & unsafe_sub(0, bitmap)
    position: uint256 = 0
    if bit >> 128 != 0:
        bit >>= 128
        position = 128
    if bit >> 64 != 0:
        bit >>= 64
        position |= 64
    if bit >> 32 != 0:
        bit >>= 32
        position |= 32
    if bit >> 16 != 0:
        bit >>= 16
        position |= 16
    if bit >> 8 != 0:
        bit >>= 8
        position |= 8
    if bit >> 4 != 0:
        bit >>= 4
        position |= 4
    # 1, 2, 4, 8 -> 0, 1, 2, 3
    return position | (bit >> 1) - (bit >> 3)
