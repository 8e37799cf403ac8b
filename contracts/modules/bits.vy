# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Bits: the lowest one of a bitmap
@license Apache-2.0
@notice Two perfect hashes instead of a search; the numbers are those of solady's LibBit.ffs (MIT).
"""

# A lone bit times this has in its upper six bits which 32 bits it is in, looked up as a nibble of LIMBS.
LIMB_HASH: constant(uint256) = 82708635169768329556264511821496653822631123142458531292409922888120531943423
LIMBS: constant(uint256) = 58009566841221631565415083868352243363069686049943579409682793888098072752247
# This divided by a lone bit of 32 has in its lower five bits which one, looked up as a byte of POSITIONS.
POSITION_HASH: constant(uint256) = 3613676512
POSITIONS: constant(uint256) = 2268783552697609091871219783157619025506669897392148987378679945932238036736


@internal
@pure
def _lowest(bitmap: uint256) -> uint256:
    """
    @notice Position of the lowest bit that is set; the bitmap is not empty.
    """
    bit: uint256 = bitmap & unsafe_sub(0, bitmap)
    limb: uint256 = ((LIMBS << ((unsafe_mul(bit, LIMB_HASH) >> 250) << 2)) >> 252) << 5
    return limb | ((POSITIONS >> ((unsafe_div(POSITION_HASH, bit >> limb) << 3) & 248)) & 255)
