# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Mandates: which agent keys may sign for an account, and whether it wants to be rated
@license Apache-2.0
@notice Decided by the account alone, directly or by a signature that anyone relays. Every act uses up a nonce, so that
        nothing signed earlier can come back after it.
"""
from . import consent
from . import signing

uses: consent
uses: signing

AGENT_TYPE: constant(bytes32) = keccak256(
    "Agent(address account,address agent,uint64 expiry,uint8 maxBuyLevel,uint8 minSellLevel,uint128 maxReserve,uint256 nonce)"
)
RATING_TYPE: constant(bytes32) = keccak256("Rating(address account,bool rated,uint256 nonce,uint64 deadline)")

agent_nonces: public(HashMap[address, uint256])
rating_nonces: public(HashMap[address, uint256])


@external
def authorise(agent: address, expiry: uint64, max_buy_level: uint8, min_sell_level: uint8, max_reserve: uint128):
    """
    @notice Lets an agent key sign orders and cancels within caps until it expires; expiry 0 revokes it, at once.
    @param max_reserve bound of all that the wallet has reserved after an order of the agent [base units]
    """
    self._check_agent(msg.sender, agent)
    self._set_agent(msg.sender, agent, expiry, max_buy_level, min_sell_level, max_reserve)


@external
def authorise_signed(
    account: address,
    agent: address,
    expiry: uint64,
    max_buy_level: uint8,
    min_sell_level: uint8,
    max_reserve: uint128,
    nonce: uint256,
    r: uint256,
    vs: uint256,
):
    self._check_agent(account, agent)
    assert nonce == self.agent_nonces[account], "participants: nonce used"
    struct_hash: bytes32 = keccak256(
        abi_encode(AGENT_TYPE, account, agent, expiry, max_buy_level, min_sell_level, max_reserve, nonce)
    )
    signing._check_signer(account, struct_hash, r, vs)
    self._set_agent(account, agent, expiry, max_buy_level, min_sell_level, max_reserve)


@external
def rate(rated: bool):
    """
    @notice Whether bids accepted from now on are rated by the home's own import reports.
    """
    self._rate(msg.sender, rated)


@external
def rate_signed(account: address, rated: bool, nonce: uint256, deadline: uint64, r: uint256, vs: uint256):
    assert block.timestamp <= convert(deadline, uint256), "participants: message expired"
    assert nonce == self.rating_nonces[account], "participants: nonce used"
    struct_hash: bytes32 = keccak256(abi_encode(RATING_TYPE, account, rated, nonce, deadline))
    signing._check_signer(account, struct_hash, r, vs)
    self._rate(account, rated)


@internal
@pure
def _check_agent(account: address, agent: address):
    assert agent not in [empty(address), account], "participants: bad agent"


@internal
def _set_agent(
    account: address, agent: address, expiry: uint64, max_buy_level: uint8, min_sell_level: uint8, max_reserve: uint128
):
    self.agent_nonces[account] += 1
    agent_word: uint256 = (
        convert(expiry, uint256)
        | (convert(max_buy_level, uint256) << 64)
        | (convert(min_sell_level, uint256) << 72)
        | (convert(max_reserve, uint256) << 80)
    )
    extcall consent.MARKET.set_agent(account, agent, agent_word)


@internal
def _rate(account: address, rated: bool):
    self.rating_nonces[account] += 1
    extcall consent.MARKET.set_rated(account, rated)
