"""What was signed in a relayed item: the digests of `peerwatt.signing`, straight from the item's fields.

Many times faster, since an unpacked item needs no checks of types; a test compares the two for every kind of item.
"""

from __future__ import annotations

from eth_hash.auto import keccak

from peerwatt.market import relay
from peerwatt.reference import ZERO_ADDRESS
from peerwatt.signing import BUY, SELL, Cancel, Domain, Order, Report

WORD = 32
# Registers are signed as uint64.
MAX_REGISTER = 2**64 - 1


def digest_item(item: relay.Item, meter: str, domain: Domain) -> bytes | None:
    """The digest that an item's signature is over; None where nobody can have signed: no such message exists.

    Args:
        meter: that the message names (`items.signing_meter`).
    """
    if isinstance(item, relay.OrderItem):
        if item.side not in (BUY, SELL) or ZERO_ADDRESS in (item.account, meter):
            return None
        energy_wh, level = item.energy_wh, item.limit_level
        numbers = [_word(number) for number in (item.side, item.first, item.last, energy_wh, level, item.nonce)]
        return _digest(Order.type_hash(), domain, _address(item.account), _address(meter), *numbers)
    if isinstance(item, relay.CancelItem):
        if item.account == ZERO_ADDRESS:
            return None
        numbers = [_word(number) for number in (item.nonce, item.from_window, item.deadline)]
        return _digest(Cancel.type_hash(), domain, _address(item.account), *numbers)
    if isinstance(item, relay.ReportItem):
        registers = item.registers
        if item.side not in (BUY, SELL) or meter == ZERO_ADDRESS or registers[-1] > MAX_REGISTER:
            return None
        readings = keccak(b"".join(map(_word, registers)))
        return _digest(Report.type_hash(), domain, _address(meter), _word(item.side), _word(item.first), readings)
    return None


def _digest(type_hash: bytes, domain: Domain, *words: bytes) -> bytes:
    struct_hash = keccak(b"".join((type_hash, *words)))
    return bytes(keccak(b"\x19\x01" + domain.separator + struct_hash))


def _word(value: int) -> bytes:
    return value.to_bytes(WORD, "big")


def _address(address: str) -> bytes:
    return int(address, 16).to_bytes(WORD, "big")
