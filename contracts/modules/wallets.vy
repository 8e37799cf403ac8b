# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Wallets: money in the market, its reserves, and the way out
@license Apache-2.0
@notice A wallet's word: balance [0,104), reserved [104,208), score [208,238), rated [238].
        Free money (balance minus reserved) leaves at any time, whatever else happens.
"""
from ethereum.ercs import IERC20

from . import parameters
from . import signing

uses: parameters
uses: signing


event Deposited:
    account: indexed(address)
    amount: uint256


event Withdrawn:
    account: indexed(address)
    recipient: indexed(address)
    amount: uint256


event FundAccountsSet:
    balancing: address
    network: address


AMOUNT: constant(uint256) = 2**104 - 1
# With fewer tokens than this in the market no balance can reach 2^104, sellers paid before buyers are debited included.
MAX_TOKENS: constant(uint256) = 2**102
WITHDRAWAL_TYPE_HASH: constant(bytes32) = keccak256(
    "Withdrawal(address account,address recipient,uint256 amount,uint256 nonce,uint64 deadline)"
)

wallets: public(HashMap[address, uint256])
# Of signed withdrawals.
nonces: public(HashMap[address, uint256])
balancing_account: public(address)
network_account: public(address)


@deploy
def __init__(balancing: address, network: address):
    assert balancing != empty(address) and network != empty(address), "market: senseless parameter"
    self.balancing_account = balancing
    self.network_account = network


@internal
@pure
def _get_free(wallet: uint256) -> uint256:
    return unsafe_sub(wallet & AMOUNT, (wallet >> 104) & AMOUNT)


@internal
def _credit(account: address, amount: uint256):
    if amount > 0:
        self.wallets[account] += amount


@internal
def _pull(owner: address, amount: uint256):
    """
    @notice Takes tokens from the owner and credits what really arrived.
    """
    assert amount > 0, "wallets: zero amount"
    token: IERC20 = IERC20(parameters.token)
    before: uint256 = staticcall token.balanceOf(self)
    assert extcall token.transferFrom(owner, self, amount, default_return_value=True), "wallets: transfer failed"
    after: uint256 = staticcall token.balanceOf(self)
    assert after > before, "wallets: nothing received"
    assert after < MAX_TOKENS, "wallets: balance too large"
    self._credit(owner, after - before)
    log Deposited(account=owner, amount=after - before)


@internal
def _withdraw(account: address, amount: uint256, recipient: address):
    assert amount > 0, "wallets: zero amount"
    assert recipient not in [empty(address), self], "wallets: bad recipient"
    wallet: uint256 = self.wallets[account]
    assert amount <= self._get_free(wallet), "wallets: not enough free money"
    self.wallets[account] = unsafe_sub(wallet, amount)
    assert extcall IERC20(parameters.token).transfer(
        recipient, amount, default_return_value=True
    ), "wallets: transfer failed"
    log Withdrawn(account=account, recipient=recipient, amount=amount)


@external
def deposit(amount: uint256):
    self._pull(msg.sender, amount)


@external
def deposit_permit(owner: address, amount: uint256, deadline: uint256, v: uint8, r: bytes32, s: bytes32):
    """
    @notice A deposit that anyone relays for the owner, by the token's ERC-2612 permit.
    @dev A permit that somebody used first fails here, but the allowance that it gave is still there. The allowance must be
         exactly the amount: a stranger can't pull in a part of what was allowed for later, not even from a token without permits,
         and whatever is pulled in is the owner's in the market too.
    """
    success: bool = raw_call(
        parameters.token,
        abi_encode(
            owner, self, amount, deadline, v, r, s,
            method_id=method_id("permit(address,address,uint256,uint256,uint8,bytes32,bytes32)"),
        ),
        revert_on_failure=False,
    )
    assert staticcall IERC20(parameters.token).allowance(owner, self) == amount, "wallets: bad permit"
    self._pull(owner, amount)


@external
def withdraw(amount: uint256, recipient: address):
    self._withdraw(msg.sender, amount, recipient)


@external
def withdraw_signed(
    account: address, recipient: address, amount: uint256, nonce: uint256, deadline: uint256, r: uint256, vs: uint256
):
    assert block.timestamp <= deadline, "wallets: message expired"
    assert nonce == self.nonces[account], "wallets: nonce used"
    signing._check_signer(
        account, keccak256(abi_encode(WITHDRAWAL_TYPE_HASH, account, recipient, amount, nonce, deadline)), r, vs
    )
    self.nonces[account] = nonce + 1
    self._withdraw(account, amount, recipient)


@external
def set_fund_accounts(balancing: address, network: address):
    """
    @notice Where surcharges, haircuts, imbalances (balancing) and network fees go. By the registry, after both sides agreed.
    """
    parameters._check_registry()
    self.balancing_account = balancing
    self.network_account = network
    log FundAccountsSet(balancing=balancing, network=network)
