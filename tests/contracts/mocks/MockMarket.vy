# pragma version 0.4.3
# pragma evm-version prague
# pragma nonreentrancy on
# pragma optimize gas
"""
@title MockMarket: the market's storage without its rules, for tests of the registry and the lens
@license Apache-2.0
"""

from interfaces import IEnergyMarket

implements: IEnergyMarket

token: public(address)
registry: public(address)
window_seconds: public(uint256)
lead_seconds: public(uint256)
floor_price: public(uint256)
price_step: public(uint256)
report_deadline_seconds: public(uint256)
max_reading_age_seconds: public(uint256)
min_order_wh: public(uint256)
tolerance_bps: public(uint256)
inertia_wh: public(uint256)
balancing_account: public(address)
network_account: public(address)

wallets: public(HashMap[address, uint256])
calendars: public(HashMap[address, uint256])
devices: public(HashMap[address, uint256])
exports_of: public(HashMap[address, uint256])
imports_of: public(HashMap[address, uint256])
orders: public(HashMap[address, HashMap[uint256, uint256]])
agents: public(HashMap[address, HashMap[address, uint256]])
nonces: public(HashMap[address, uint256])
book_state: public(uint256)
entries: public(HashMap[uint256, HashMap[uint256, uint256]])
touched: public(HashMap[uint256, uint256])
live: public(HashMap[uint256, uint256])
live_levels: public(uint256)
results: public(HashMap[uint256, uint256])
tariff_head: public(uint256)
surcharges: public(HashMap[uint256, uint256])
haircuts: public(HashMap[uint256, uint256])
rebates: public(HashMap[uint256, uint256])
feeders: public(HashMap[uint256, uint256])


@deploy
def __init__(
    token: address,
    registry: address,
    window_seconds: uint256,
    lead_seconds: uint256,
    floor_price: uint256,
    price_step: uint256,
    report_deadline_seconds: uint256,
    max_reading_age_seconds: uint256,
    min_order_wh: uint256,
    tolerance_bps: uint256,
    inertia_wh: uint256,
    balancing_account: address,
    network_account: address,
):
    self.token = token
    self.registry = registry
    self.window_seconds = window_seconds
    self.lead_seconds = lead_seconds
    self.floor_price = floor_price
    self.price_step = price_step
    self.report_deadline_seconds = report_deadline_seconds
    self.max_reading_age_seconds = max_reading_age_seconds
    self.min_order_wh = min_order_wh
    self.tolerance_bps = tolerance_bps
    self.inertia_wh = inertia_wh
    self.balancing_account = balancing_account
    self.network_account = network_account


@external
def bind(account: address, device: uint256, exports_word: uint256, imports_word: uint256, score: uint256):
    self._check_registry()
    assert self.calendars[account] & (2**224 - 1) == 0, "participants: open windows"
    self.devices[account] = device
    self.exports_of[account] = exports_word
    self.imports_of[account] = imports_word
    self.wallets[account] = (self.wallets[account] & ~((2**30 - 1) << 208)) | (score << 208)


@external
def set_device(account: address, device: uint256):
    self._check_registry()
    self.devices[account] = device


@external
def revoke(account: address):
    self._check_registry()
    self.devices[account] = 0
    self.exports_of[account] |= 1 << 240
    self.imports_of[account] |= (block.timestamp // self.window_seconds) << 80


@external
def set_tariff(head: uint256, version: uint256, surcharges: uint256, haircuts: uint256, rebates: uint256):
    self._check_registry()
    self.tariff_head = head
    self.surcharges[version] = surcharges
    self.haircuts[version] = haircuts
    self.rebates[version] = rebates


@external
def set_feeder(feeder: uint256, word: uint256):
    self._check_registry()
    self.feeders[feeder] = word


@external
def set_agent(account: address, agent: address, agent_word: uint256):
    self._check_registry()
    self.agents[account][agent] = agent_word


@external
def set_rated(account: address, rated: bool):
    self._check_registry()
    self.wallets[account] &= ~(1 << 238)
    if rated:
        self.wallets[account] |= 1 << 238


@external
def close_book():
    self._check_registry()
    self.book_state |= 1 << 96


@external
def set_paused(paused: bool):
    self._check_registry()
    if paused:
        self.book_state |= 1 << 97
    else:
        self.book_state &= ~(1 << 97)


@external
def set_fund_accounts(balancing: address, network: address):
    self._check_registry()
    self.balancing_account = balancing
    self.network_account = network


@external
def poke_registry(registry: address):
    self.registry = registry


@external
def poke_account(account: address, wallet: uint256, calendar: uint256):
    self.wallets[account] = wallet
    self.calendars[account] = calendar


@external
def poke_order(account: address, slot: uint256, word: uint256):
    self.orders[account][slot] = word


@external
def poke_agent(account: address, agent: address, word: uint256):
    self.agents[account][agent] = word


@external
def poke_book_state(word: uint256):
    self.book_state = word


@external
def poke_entry(ring: uint256, level: uint256, word: uint256):
    self.entries[ring][level] = word
    self.touched[ring] |= 1 << level


@external
def poke_live(levels: uint256, pair: uint256, word: uint256):
    self.live_levels = levels
    self.live[pair] = word


@external
def poke_result(window: uint256, word: uint256):
    self.results[window] = word


@external
def poke_tariff_head(word: uint256):
    self.tariff_head = word


@view
@internal
def _check_registry():
    assert msg.sender == self.registry, "participants: only the registry"
