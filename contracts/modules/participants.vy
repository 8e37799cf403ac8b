# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Participants: what is bound to an account, its calendar of open windows, its agents
@license Apache-2.0
@notice devices:  meter [0,160), import_limit_wh [160,184), export_limit_wh [184,208), feeder [208,224), status [224,226),
                  meter_class [226,232), retail_class [232,240); 0: not enrolled. What accepting an order needs.
        exports_of: meter [0,160), register_wh [160,208), window [208,240), revoked [240]. What an export report needs.
        imports_of: register_wh [0,48), window [48,80), revoked_window [80,112).
        calendars: open windows [0,224), bit i is window settled+1+i; settled [224,256).
        agents: expiry [0,64), max_buy_level [64,72), min_sell_level [72,80), max_reserve [80,208).
"""
from . import bits
from . import parameters
from . import wallets

uses: parameters
uses: wallets


event AgentSet:
    account: indexed(address)
    agent: indexed(address)
    agent_word: uint256


event RatedSet:
    account: indexed(address)
    rated: bool


event ParticipantBound:
    account: indexed(address)
    device: uint256
    exports: uint256
    imports: uint256
    score: uint256


event DeviceSet:
    account: indexed(address)
    device: uint256


OPEN_WINDOWS: constant(uint256) = 2**224 - 1
RATED: constant(uint256) = 1 << 238
SCORE: constant(uint256) = (2**30 - 1) << 208
devices: public(HashMap[address, uint256])
exports_of: public(HashMap[address, uint256])
imports_of: public(HashMap[address, uint256])
calendars: public(HashMap[address, uint256])
agents: public(HashMap[address, HashMap[address, uint256]])


@internal
@view
def _get_calendar(account: address, cleared: uint256) -> uint256:
    """
    @notice The account's calendar, its pointer moved up to min(cleared, next open window - 1).
    """
    return self._move_up(self.calendars[account], cleared)


@internal
@pure
def _move_up(calendar: uint256, cleared: uint256) -> uint256:
    settled: uint256 = calendar >> 224
    if settled >= cleared:
        return calendar
    windows: uint256 = calendar & OPEN_WINDOWS
    if windows == 0:
        return cleared << 224
    if windows & 1 == 1:
        return calendar
    idle: uint256 = min(bits._lowest(windows), unsafe_sub(cleared, settled))
    return (unsafe_add(settled, idle) << 224) | (windows >> idle)


@external
def set_agent(account: address, agent: address, agent_word: uint256):
    """
    @notice Lets an agent key sign orders and cancels within its caps; 0 revokes it. By the registry, for the owner.
    """
    parameters._check_registry()
    self.agents[account][agent] = agent_word
    log AgentSet(account=account, agent=agent, agent_word=agent_word)


@external
def set_rated(account: address, rated: bool):
    """
    @notice Whether bids accepted from now on are rated by the home's own import reports. By the registry, for the owner.
    """
    parameters._check_registry()
    wallets.wallets[account] = (wallets.wallets[account] & ~RATED) | (convert(rated, uint256) << 238)
    log RatedSet(account=account, rated=rated)


@external
def bind(account: address, device: uint256, exports_word: uint256, imports_word: uint256, score: uint256):
    """
    @notice Binds a device and a score to an account, or with device 0 unbinds. By the registry, with no open window.
    """
    parameters._check_registry()
    assert self.calendars[account] & OPEN_WINDOWS == 0, "participants: open windows"
    self.devices[account] = device
    self.exports_of[account] = exports_word
    self.imports_of[account] = imports_word
    wallets.wallets[account] = (wallets.wallets[account] & ~SCORE) | (score << 208)
    log ParticipantBound(account=account, device=device, exports=exports_word, imports=imports_word, score=score)


@external
def set_device(account: address, device: uint256):
    """
    @notice Another envelope, feeder, class or status for the same meter. By the registry; later acceptances only.
    """
    parameters._check_registry()
    self.devices[account] = device
    log DeviceSet(account=account, device=device)
