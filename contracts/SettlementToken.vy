# pragma version 0.4.3
# pragma evm-version prague
# pragma nonreentrancy on
# pragma optimize gas
"""
@title SettlementToken: an ERC-20 with ERC-2612 permit, for local chains
@license Apache-2.0
@notice What the market is paid in where no other token exists. Its deployer mints at will: on a public chain the
        market takes a token that somebody answers for.
"""

from ethereum.ercs import IERC20
from ethereum.ercs import IERC20Detailed

implements: IERC20
implements: IERC20Detailed


event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    value: uint256


event Approval:
    owner: indexed(address)
    spender: indexed(address)
    value: uint256


VERSION: constant(String[1]) = "1"
DOMAIN_TYPE: constant(bytes32) = keccak256(
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
PERMIT_TYPE: constant(bytes32) = keccak256(
    "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
)
# Half of the order of secp256k1: a larger s is the second form of a signature that exists already.
HALF_ORDER: constant(uint256) = 57896044618658097711785492504343953926418782139537452191302581570759080747168

name: public(immutable(String[25]))
symbol: public(immutable(String[5]))
decimals: public(immutable(uint8))
minter: public(immutable(address))
NAME_HASH: immutable(bytes32)

totalSupply: public(uint256)
balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])
# owner -> nonce of the next permit
nonces: public(HashMap[address, uint256])


@deploy
def __init__(name_: String[25], symbol_: String[5], decimals_: uint8):
    """
    @notice The deployer is the minter, for good.
    @param decimals_ Six, where nothing speaks against it: what the project's deployments pass.
    """
    name = name_
    symbol = symbol_
    decimals = decimals_
    minter = msg.sender
    NAME_HASH = keccak256(name_)


@external
def transfer(receiver: address, amount: uint256) -> bool:
    self._transfer(msg.sender, receiver, amount)
    return True


@external
def transferFrom(owner: address, receiver: address, amount: uint256) -> bool:
    """
    @notice Spend an allowance; one of 2^256 - 1 is not used up.
    """
    allowed: uint256 = self.allowance[owner][msg.sender]
    assert amount <= allowed, "token: not enough allowance"
    if allowed != max_value(uint256):
        self.allowance[owner][msg.sender] = allowed - amount
    self._transfer(owner, receiver, amount)
    return True


@external
def approve(spender: address, amount: uint256) -> bool:
    self._approve(msg.sender, spender, amount)
    return True


@external
def permit(owner: address, spender: address, amount: uint256, deadline: uint256, v: uint8, r: bytes32, s: bytes32):
    """
    @notice Approve by the owner's signature (ERC-2612); anyone may bring it.
    """
    assert block.timestamp <= deadline, "token: permit expired"
    assert convert(s, uint256) <= HALF_ORDER, "token: bad signature"
    nonce: uint256 = self.nonces[owner]
    digest: bytes32 = keccak256(
        concat(
            0x1901,
            self._get_domain(),
            keccak256(abi_encode(PERMIT_TYPE, owner, spender, amount, nonce, deadline)),
        )
    )
    recovered: address = ecrecover(digest, v, r, s)
    assert recovered != empty(address) and recovered == owner, "token: bad signature"
    self.nonces[owner] = nonce + 1
    self._approve(owner, spender, amount)


@external
def mint(receiver: address, amount: uint256):
    """
    @notice Create tokens, by the minter.
    """
    assert msg.sender == minter, "token: not the minter"
    self._mint(receiver, amount)


@external
def mint_many(receivers: DynArray[address, 128], amounts: DynArray[uint256, 128]):
    """
    @notice Create tokens for many at once, by the minter.
    """
    assert msg.sender == minter, "token: not the minter"
    assert len(receivers) == len(amounts), "token: lengths differ"
    for i: uint256 in range(len(receivers), bound=128):
        self._mint(receivers[i], amounts[i])


@internal
def _mint(receiver: address, amount: uint256):
    assert receiver != empty(address), "token: zero address"
    assert amount <= max_value(uint256) - self.totalSupply, "token: supply overflow"
    self.totalSupply += amount
    self.balanceOf[receiver] += amount
    log Transfer(sender=empty(address), receiver=receiver, value=amount)


@view
@external
def DOMAIN_SEPARATOR() -> bytes32:
    return self._get_domain()


@view
@external
def eip712Domain() -> (bytes1, String[25], String[1], uint256, address, bytes32, DynArray[uint256, 1]):
    """
    @notice ERC-5267: name, version, chain id and verifying contract (0x0f), no salt, no extensions.
    """
    return 0x0f, name, VERSION, chain.id, self, empty(bytes32), []


@view
@internal
def _get_domain() -> bytes32:
    # Computed at every use: after a chain split the domain follows the chain's id.
    return keccak256(abi_encode(DOMAIN_TYPE, NAME_HASH, keccak256(VERSION), chain.id, self))


@internal
def _approve(owner: address, spender: address, amount: uint256):
    self.allowance[owner][spender] = amount
    log Approval(owner=owner, spender=spender, value=amount)


@internal
def _transfer(sender: address, receiver: address, amount: uint256):
    # Tokens sent to nobody would vanish without leaving the total supply.
    assert receiver != empty(address), "token: zero address"
    balance: uint256 = self.balanceOf[sender]
    assert amount <= balance, "token: not enough balance"
    self.balanceOf[sender] = balance - amount
    self.balanceOf[receiver] += amount
    log Transfer(sender=sender, receiver=receiver, value=amount)
