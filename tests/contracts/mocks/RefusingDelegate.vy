# pragma version 0.4.3
# pragma evm-version prague
"""
@title RefusingDelegate: code that an account of a key took on (EIP-7702), and that calls no signature valid
@license Apache-2.0
"""

asked: public(uint256)


@external
def isValidSignature(digest: bytes32, signature: Bytes[65]) -> bytes4:
    self.asked += 1
    return 0xffffffff
