# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Roles: who certifies, who regulates, who is credited
@license Apache-2.0
@notice Four roles, each with one holder. A holder offers the role, the one offered accepts it; until then nothing
        changes. No role can move, freeze or seize anybody's money.
"""

from . import consent

uses: consent


event RoleOffered:
    role: indexed(uint256)
    holder: indexed(address)
    to: indexed(address)


event RoleAccepted:
    role: indexed(uint256)
    holder: indexed(address)


OPERATOR: constant(uint256) = 0  # certifies connections, meters, envelopes, feeder scales
REGULATOR: constant(uint256) = 1  # publishes tariffs, fees, retail prices; pauses new orders
BALANCING: constant(uint256) = 2  # the utility's wallet
NETWORK: constant(uint256) = 3  # the network's wallet
COUNT: constant(uint256) = 4

# role -> holder
holders: public(HashMap[uint256, address])
# role -> who may accept it, zero for nobody
offered: public(HashMap[uint256, address])


@deploy
def __init__(operator: address, regulator: address, balancing: address, network: address):
    self.holders[OPERATOR] = operator
    self.holders[REGULATOR] = regulator
    self.holders[BALANCING] = balancing
    self.holders[NETWORK] = network
    for role: uint256 in range(COUNT):
        assert self.holders[role] != empty(address), "registry: senseless parameter"
        log RoleAccepted(role=role, holder=self.holders[role])


@external
def offer_role(role: uint256, to: address):
    """
    @notice Offer a role to another account; the zero address withdraws the offer.
    """
    assert role < COUNT, "roles: bad role"
    assert msg.sender == self.holders[role], "roles: not the holder"
    self.offered[role] = to
    log RoleOffered(role=role, holder=msg.sender, to=to)


@external
def accept_role(role: uint256):
    """
    @notice Take over a role that was offered to the caller.
    """
    assert role < COUNT, "roles: bad role"
    assert msg.sender == self.offered[role], "roles: not offered"
    self.offered[role] = empty(address)
    self.holders[role] = msg.sender
    log RoleAccepted(role=role, holder=msg.sender)
    if role >= BALANCING:
        extcall consent.MARKET.set_fund_accounts(self.holders[BALANCING], self.holders[NETWORK])


@external
def set_paused(paused: bool):
    """
    @notice Stop or resume new orders and enrolments. Cancels, clearing, settlement and withdrawals always work.
    """
    self._check_regulator()
    extcall consent.MARKET.set_paused(paused)


@view
@internal
def _check_operator():
    assert msg.sender == self.holders[OPERATOR], "roles: not the operator"


@view
@internal
def _check_regulator():
    assert msg.sender == self.holders[REGULATOR], "roles: not the regulator"
