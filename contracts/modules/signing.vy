# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Signed messages: the EIP-712 domain and EIP-2098 signatures
@license Apache-2.0
@notice The domain follows the chain's id, so that a fork of the chain refuses what was signed for the other.
"""

DOMAIN_TYPE_HASH: constant(bytes32) = keccak256(
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
NAME_HASH: constant(bytes32) = keccak256("peerwatt")
VERSION_HASH: constant(bytes32) = keccak256("1")
# Half the order of secp256k1: a larger s is the same signature in other clothes.
HALF_ORDER: constant(uint256) = 57896044618658097711785492504343953926418782139537452191302581570759080747168

VERIFYING_CONTRACT: immutable(address)
CHAIN_ID: immutable(uint256)
DOMAIN: immutable(bytes32)


@deploy
def __init__(verifying_contract: address):
    """
    @param verifying_contract The market, for its registry too: a wallet knows one domain only.
    """
    VERIFYING_CONTRACT = verifying_contract
    CHAIN_ID = chain.id
    DOMAIN = keccak256(abi_encode(DOMAIN_TYPE_HASH, NAME_HASH, VERSION_HASH, chain.id, verifying_contract))


@internal
@view
def _get_domain() -> bytes32:
    if chain.id == CHAIN_ID:
        return DOMAIN
    return keccak256(abi_encode(DOMAIN_TYPE_HASH, NAME_HASH, VERSION_HASH, chain.id, VERIFYING_CONTRACT))


@internal
@view
def _get_digest(struct_hash: bytes32) -> bytes32:
    return keccak256(concat(x"1901", self._get_domain(), struct_hash))


@internal
@view
def _recover(struct_hash: bytes32, r: uint256, vs: uint256) -> address:
    """
    @notice Who signed; the zero address for nobody (a high s included).
    @param vs EIP-2098: parity of v in the top bit, s below it
    """
    s: uint256 = vs & (2**255 - 1)
    if s > HALF_ORDER:
        return empty(address)
    return ecrecover(self._get_digest(struct_hash), unsafe_add(27, vs >> 255), r, s)


@internal
@view
def _check_signer(signer: address, struct_hash: bytes32, r: uint256, vs: uint256):
    assert signer != empty(address) and self._recover(struct_hash, r, vs) == signer, "signing: bad signature"


@external
@view
def DOMAIN_SEPARATOR() -> bytes32:
    return self._get_domain()


@external
@view
def eip712Domain() -> (bytes1, String[8], String[1], uint256, address, bytes32, DynArray[uint256, 1]):
    """
    @notice ERC-5267: the fields of the domain (name, version, chainId, verifyingContract).
    """
    return (0x0f, "peerwatt", "1", chain.id, VERIFYING_CONTRACT, empty(bytes32), [])
