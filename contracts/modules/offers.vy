# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Offers: orders, from acceptance to cancel
@license Apache-2.0
@notice An order's word: nonce [0,32), burnt [32,64), first [64,96), count [96,104), energy_wh [104,128), limit_level [128,136),
        effective_level [136,144), side [144], rated [145], single [146], adjustment_bps [147,161), imbalance_steps [161,177),
        version [177,192), fee_per_wh [192,256).
@dev Sums here can't overflow: energies are below 2^24 Wh, prices below 2^64, windows below 2^33, and every field of a word is
     wide enough for 2^24 participants; so the arithmetic is unchecked.
"""
from . import book
from . import parameters
from . import participants
from . import reasons
from . import signing
from . import tariffs
from . import wallets

uses: book
uses: parameters
uses: participants
uses: signing
uses: tariffs
uses: wallets


event OrderPlaced:
    account: indexed(address)
    order: uint256


event OrderCancelled:
    account: indexed(address)
    order: uint256


event ParticipantRevoked:
    account: indexed(address)
    window: uint256


M8: constant(uint256) = 2**8 - 1
M16: constant(uint256) = 2**16 - 1
M24: constant(uint256) = 2**24 - 1
M32: constant(uint256) = 2**32 - 1
M160: constant(uint256) = 2**160 - 1
SINGLE: constant(uint256) = 1 << 146
REVOKED: constant(uint256) = 1 << 240
ORDER_TYPE_HASH: constant(bytes32) = keccak256(
    "Order(address maker,address meter,uint8 side,uint32 firstWindow,uint32 lastWindow,uint32 energyWh,uint8 limitLevel,uint32 nonce)"
)
CANCEL_TYPE_HASH: constant(bytes32) = keccak256("Cancel(address maker,uint32 nonce,uint32 fromWindow,uint64 deadline)")

orders: public(HashMap[address, uint256[16]])


@internal
@view
def _get_price(level: uint256) -> uint256:
    return unsafe_add(parameters.floor_price, unsafe_mul(level, parameters.price_step))


@internal
@view
def _get_unit_reserve(order: uint256) -> uint256:
    """
    @notice What one Wh of the order can cost at worst: a bid its limit, an offer what the utility charges above its limit.
    """
    limit_price: uint256 = self._get_price((order >> 128) & M8)
    if (order >> 144) & 1 == 0:
        return limit_price
    return unsafe_sub(self._get_price((order >> 161) & M16), limit_price)


@internal
@view
def _check_agent(account: address, agent: address, side: uint256, limit_level: uint256) -> uint256:
    word: uint256 = participants.agents[account][agent]
    if word & (2**64 - 1) <= block.timestamp:
        return reasons.AGENT_NOT_AUTHORISED
    if side == 0:
        if limit_level > (word >> 64) & M8:
            return reasons.OVER_AGENT_CAPS
    elif limit_level < (word >> 72) & M8:
        return reasons.OVER_AGENT_CAPS
    return 0


@internal
def _accept(
    account: address,
    signer: address,
    agent: address,
    meter: address,
    side: uint256,
    first_window: uint256,
    last: uint256,
    energy_wh: uint256,
    limit_level: uint256,
    nonce: uint256,
    r: uint256,
    vs: uint256,
) -> uint256:
    """
    @notice Accepts an order or says why not; every check comes before the first write.
    @param signer who must have signed (agent or account); zero for a direct call by the account, which names its meter
    @return 0, or the code of the reason
    """
    state: uint256 = book.book_state
    if state & (book.PAUSED | book.CLOSED) != 0:
        return reasons.PAUSED if state & book.PAUSED != 0 else reasons.CLOSED
    if side > 1:
        return reasons.BAD_ORDER_SIDE
    device: uint256 = participants.devices[account]
    if device == 0:
        return reasons.NOT_ENROLLED
    bound_meter: address = convert(device & M160, address)
    if signer == empty(address):
        if meter != bound_meter:
            return reasons.NOT_THE_BOUND_METER
    else:
        struct_hash: bytes32 = keccak256(
            abi_encode(
                ORDER_TYPE_HASH, account, bound_meter, side, first_window, last, energy_wh, limit_level, nonce
            )
        )
        if signing._recover(struct_hash, r, vs) != signer:
            return reasons.BAD_SIGNATURE
        if agent != empty(address):
            code: uint256 = self._check_agent(account, agent, side, limit_level)
            if code != 0:
                return code
    if energy_wh < parameters.min_order_wh or energy_wh > M24:
        return reasons.ENERGY_OUT_OF_BOUNDS
    if first_window > last:
        return reasons.WINDOWS_REVERSED

    # The clock: only windows before their gate; a late order is accepted for the windows that remain.
    first: uint256 = max(first_window, unsafe_add(parameters._get_gated(), 1))
    if last < first:
        return reasons.GATE_CLOSED
    cleared: uint256 = state & M32
    calendar: uint256 = participants._get_calendar(account, cleared)
    settled: uint256 = calendar >> 224
    if last > unsafe_add(cleared, 254) or last > unsafe_add(settled, 224):
        return reasons.BEYOND_HORIZON

    # The slot: a new nonce above everything it has seen, and nothing of its last order still open.
    old: uint256 = self.orders[account][nonce & 15]
    if nonce <= old & M32 or nonce <= (old >> 32) & M32:
        return reasons.NONCE_USED
    old_count: uint256 = (old >> 96) & M8
    if old_count > 0 and unsafe_add((old >> 64) & M32, old_count) > unsafe_add(settled, 1):
        return reasons.SLOT_IN_USE
    count: uint256 = unsafe_sub(unsafe_add(last, 1), first)
    windows: uint256 = (max_value(uint256) >> unsafe_sub(256, count)) << unsafe_sub(unsafe_sub(first, settled), 1)
    if calendar & windows != 0:
        return reasons.WINDOW_TAKEN

    # The meter behind it.
    if (device >> 224) & 3 <= side:
        return reasons.STATUS_FORBIDS
    feeder: uint256 = tariffs.feeders[(device >> 208) & M16]
    envelope_wh: uint256 = 0
    if side == 0:
        envelope_wh = unsafe_mul((device >> 160) & M24, (feeder >> 64) & M16)
    else:
        read_at: uint256 = unsafe_mul((participants.exports_of[account] >> 208) & M32, parameters.window_seconds)
        if block.timestamp > unsafe_add(read_at, parameters.max_reading_age_seconds):
            return reasons.READING_TOO_OLD
        envelope_wh = unsafe_mul((device >> 184) & M24, feeder >> 80)
    if energy_wh > unsafe_div(envelope_wh, 10000):
        return reasons.OVER_ENVELOPE

    # The all-in price, fixed now.
    wallet: uint256 = wallets.wallets[account]
    tariff: uint256 = tariffs._get_tariff()
    band_bits: uint256 = unsafe_mul(unsafe_div(min((wallet >> 224) & (2**14 - 1), 9999), 625), 16)
    limit_price: uint256 = self._get_price(limit_level)
    order: uint256 = 0
    unit_reserve: uint256 = limit_price
    if side == 0:
        surcharge: uint256 = (tariffs.surcharges[tariff & M16] >> band_bits) & M16
        rebate: uint256 = (tariffs.rebates[tariff & M16] >> band_bits) & M16
        fee: uint256 = unsafe_div(unsafe_mul(feeder & (2**64 - 1), unsafe_sub(10000, rebate)), 10000)
        if limit_price < fee:
            return reasons.NO_PRICE_LEVEL
        price: uint256 = unsafe_div(unsafe_mul(10000, unsafe_sub(limit_price, fee)), unsafe_add(10000, surcharge))
        if price < parameters.floor_price:
            return reasons.NO_PRICE_LEVEL
        order = (
            (unsafe_div(unsafe_sub(price, parameters.floor_price), parameters.price_step) << 136)
            | (((wallet >> 238) & 1) << 145)
            | (surcharge << 147)
            | (fee << 192)
        )
    else:
        haircut: uint256 = (tariffs.haircuts[tariff & M16] >> band_bits) & M16
        kept_bps: uint256 = unsafe_sub(10000, haircut)
        price: uint256 = unsafe_div(
            unsafe_sub(unsafe_add(unsafe_mul(10000, limit_price), kept_bps), 1), kept_bps
        )
        level: uint256 = unsafe_div(
            unsafe_sub(unsafe_add(unsafe_sub(price, parameters.floor_price), parameters.price_step), 1),
            parameters.price_step,
        )
        if level > 255:
            return reasons.NO_PRICE_LEVEL
        order = (level << 136) | (1 << 144) | (haircut << 147)
        unit_reserve = unsafe_sub(self._get_price(tariff >> 16), limit_price)

    # The money behind it.
    window_wh: uint256 = unsafe_mul(count, energy_wh)
    reserve: uint256 = unsafe_mul(window_wh, unit_reserve)
    if reserve > wallets._get_free(wallet):
        return reasons.NOT_ENOUGH_MONEY
    wallet = unsafe_add(wallet, reserve << 104)
    if agent != empty(address):
        if (wallet >> 104) & wallets.AMOUNT > participants.agents[account][agent] >> 80:
            return reasons.OVER_AGENT_CAPS

    wallets.wallets[account] = wallet
    participants.calendars[account] = calendar | windows
    order |= (
        nonce
        | (old & (M32 << 32))
        | (first << 64)
        | (count << 96)
        | (energy_wh << 104)
        | (limit_level << 128)
        | ((tariff >> 16) << 161)
        | ((tariff & M16) << 177)
    )
    effective: uint256 = (order >> 136) & M8
    if count == 1:
        order |= SINGLE
        book._add_single(first, effective, side, energy_wh)
    else:
        book._move(first, unsafe_add(last, 1), effective, side, energy_wh)
    self.orders[account][nonce & 15] = order
    book.book_state = unsafe_add(state, window_wh << 32)
    log OrderPlaced(account=account, order=order)
    return 0


@internal
def _cut(account: address, slot: uint256, from_window: uint256) -> bool:
    """
    @notice Takes an order's windows from from_window on (past the gate of none) out of book, calendar and reserve.
    @return whether there was anything to cut
    """
    order: uint256 = self.orders[account][slot]
    count: uint256 = (order >> 96) & M8
    first: uint256 = (order >> 64) & M32
    state: uint256 = book.book_state
    calendar: uint256 = participants._get_calendar(account, book._get_cleared(state))
    settled: uint256 = calendar >> 224
    cut: uint256 = max(max(from_window, first), unsafe_add(settled, 1))
    end: uint256 = unsafe_add(first, count)
    if count == 0 or cut >= end:
        return False
    energy_wh: uint256 = (order >> 104) & M24
    side: uint256 = (order >> 144) & 1
    level: uint256 = (order >> 136) & M8
    if order & SINGLE != 0:
        book._remove_single(first, level, side, energy_wh)
    else:
        # It leaves at the cut instead of at its end.
        book._move(end, cut, level, side, energy_wh)
    cut_count: uint256 = unsafe_sub(end, cut)
    cut_wh: uint256 = unsafe_mul(cut_count, energy_wh)
    book.book_state = unsafe_sub(state, cut_wh << 32)
    wallets.wallets[account] = unsafe_sub(
        wallets.wallets[account], unsafe_mul(cut_wh, self._get_unit_reserve(order)) << 104
    )
    windows: uint256 = (max_value(uint256) >> unsafe_sub(256, cut_count)) << unsafe_sub(unsafe_sub(cut, settled), 1)
    participants.calendars[account] = calendar & ~windows
    order = unsafe_sub(order, cut_count << 96)
    self.orders[account][slot] = order
    log OrderCancelled(account=account, order=order)
    return True


@internal
def _cancel(account: address, nonce: uint256, from_window: uint256) -> uint256:
    order: uint256 = self.orders[account][nonce & 15]
    if nonce > order & M32:
        if nonce <= (order >> 32) & M32:
            return reasons.NOTHING_TO_CANCEL
        order = (order & ~(M32 << 32)) | (nonce << 32)
        self.orders[account][nonce & 15] = order
        log OrderCancelled(account=account, order=order)
        return 0
    if nonce < order & M32:
        return reasons.NOTHING_TO_CANCEL
    # One window more than the gate: nobody pulls out at the last second.
    if not self._cut(account, nonce & 15, max(from_window, unsafe_add(parameters._get_gated(), 2))):
        return reasons.NOTHING_TO_CANCEL
    return 0


@internal
def _cancel_signed(
    account: address, agent: address, nonce: uint256, from_window: uint256, deadline: uint256, r: uint256, vs: uint256
) -> uint256:
    if deadline < block.timestamp:
        return reasons.CANCEL_EXPIRED
    signer: address = account
    if agent != empty(address):
        signer = agent
    struct_hash: bytes32 = keccak256(abi_encode(CANCEL_TYPE_HASH, account, nonce, from_window, deadline))
    if signer == empty(address) or signing._recover(struct_hash, r, vs) != signer:
        return reasons.BAD_SIGNATURE
    if agent != empty(address):
        if participants.agents[account][agent] & (2**64 - 1) <= block.timestamp:
            return reasons.AGENT_NOT_AUTHORISED
    return self._cancel(account, nonce, from_window)


@external
def place(
    meter: address,
    side: uint8,
    first_window: uint32,
    last_window: uint32,
    energy_wh: uint32,
    limit_level: uint8,
    nonce: uint32,
):
    """
    @notice An order by the account itself, without a signature.
    """
    code: uint256 = self._accept(
        msg.sender,
        empty(address),
        empty(address),
        meter,
        convert(side, uint256),
        convert(first_window, uint256),
        convert(last_window, uint256),
        convert(energy_wh, uint256),
        convert(limit_level, uint256),
        convert(nonce, uint256),
        0,
        0,
    )
    parameters._check(code)


@external
def cancel(nonce: uint32, from_window: uint32):
    """
    @notice A cancel by the account itself, without a signature.
    """
    parameters._check(self._cancel(msg.sender, convert(nonce, uint256), convert(from_window, uint256)))


@external
def revoke(account: address):
    """
    @notice A meter that is trusted no longer: no more orders, and what is not gated is cancelled. By the registry.
    """
    parameters._check_registry()
    window: uint256 = parameters._get_window()
    participants.devices[account] = 0
    participants.exports_of[account] |= REVOKED
    participants.imports_of[account] = (participants.imports_of[account] & (2**80 - 1)) | (window << 80)
    gated: uint256 = parameters._get_gated()
    for slot: uint256 in range(16):
        self._cut(account, slot, gated + 1)
    log ParticipantRevoked(account=account, window=window)
