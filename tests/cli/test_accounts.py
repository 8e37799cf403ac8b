"""What is read of an account: open windows, hints, free slots."""

from __future__ import annotations

import pytest

from cli.village import ADA, BOLA, Home, Village
from peerwatt.exceptions import SlotInUse
from peerwatt.market import relay
from peerwatt.market.accounts import read_account, read_accounts


def test_read__orders_of_several_slots__hints_that_settle_everything(village: Village) -> None:
    first = village.window + 2
    village.bid(BOLA, first + 1, first + 3, "500 Wh", "150", nonce=18)
    village.bid(BOLA, first, first, "500 Wh", "150", nonce=5)
    state = read_account(village.gateway, BOLA.account)
    assert list(state.open_windows) == [first, first + 1, first + 2, first + 3]
    assert [state.slot_of(first + at) for at in range(5)] == [5, 2, 2, 2, None]
    assert state.slots_met() == [5, 2] and state.slots_met(first) == [5]
    assert state.live_windows(2) == [first + 1, first + 2, first + 3]
    village.travel_to(first + 4)
    village.clear()
    hints = relay.pack_hints(state.slots_met())
    village.gateway.relay(village.relayer, relay.DueItem(BOLA.account, 16, hints).pack(), strict=True)
    assert list(read_account(village.gateway, BOLA.account).open_windows) == []


def test_next_nonce__each_time__accepted_by_the_market_until_all_slots_are_used(village: Village) -> None:
    first, used = village.window + 2, []
    for index in range(16):
        nonce = read_account(village.gateway, BOLA.account).next_nonce(village.gateway.book_state())
        village.bid(BOLA, first + index, first + index, "50 Wh", "150", nonce)
        used.append(nonce)
    assert sorted(nonce & 15 for nonce in used) == list(range(16)) and min(used) == 1
    with pytest.raises(SlotInUse, match="all 16 orders"):
        read_account(village.gateway, BOLA.account).next_nonce(village.gateway.book_state())
    # A window without a trade is settled by the pointer as soon as it is due.
    village.travel_to(first + 1)
    village.clear()
    village.gateway.relay(
        village.relayer, relay.DueItem(BOLA.account, 1, relay.pack_hints([used[0] & 15])).pack(), strict=True
    )
    nonce = read_account(village.gateway, BOLA.account).next_nonce(village.gateway.book_state())
    assert nonce == used[0] + 16
    village.bid(BOLA, first + 20, first + 20, "50 Wh", "150", nonce)


def test_read__many_and_unknown_accounts__in_their_sequence(village: Village) -> None:
    stranger = Home("stranger").account
    states = read_accounts(village.gateway, [stranger, ADA.account] * 40)
    assert [state.address for state in states] == [stranger, ADA.account] * 40
    assert not states[0].enrolled and states[79].enrolled
    assert states[79].device.meter == ADA.meter
    assert states[79].wallet.free == village.money("500 NGN")
