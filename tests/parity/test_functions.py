"""Each function of the contracts against the reference on random input, valid or not: equal result or equal refusal,
equal logs, equal storage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from peerwatt.market import relay as items
from peerwatt.reference import Terms
from peerwatt.reference.tariffs import Tables
from twin import BALANCING, NETWORK, OPERATOR, REGULATOR, STRANGER, Home, Key, Twin, fresh

PEOPLE = (OPERATOR, REGULATOR, BALANCING, NETWORK, STRANGER)
Act = Callable[[Twin, list[Home], st.DataObject], Any]
ACTS: dict[str, Act] = {}


def act(play: Act) -> Act:
    ACTS[play.__name__] = play
    return play


def edges(*values: int) -> st.SearchStrategy[int]:
    """These values and their neighbours, none negative."""
    near = {value + step for value in values for step in (-1, 0, 1)}
    return st.sampled_from(sorted(value for value in near if value >= 0))


def any_uint(bits: int, *values: int) -> st.SearchStrategy[int]:
    return st.one_of(
        st.sampled_from(values), edges(0, *values).filter(lambda v: v < 2**bits), st.integers(0, 2**bits - 1)
    )


LEVELS = any_uint(8, 20, 150, 200, 255)
KEYS = st.sampled_from(PEOPLE)
FLAGS = st.booleans()
BANDS = st.lists(st.sampled_from((0, 1, 997, 9_999, 10_000, 10_001, 65_535)), min_size=16, max_size=16)


def windows(twin: Twin) -> st.SearchStrategy[int]:
    state = twin.market.book_state
    return any_uint(32, twin.gated, twin.gated + 1, twin.gated + 2, state.cleared + 254, state.cleared + 224, 2**32 - 1)


def energies(bits: int) -> st.SearchStrategy[int]:
    return any_uint(bits, 50, 100, 1_000, 20_000, 2**24 - 1)


def nonces(twin: Twin, home: Home) -> st.SearchStrategy[int]:
    return any_uint(32, 16, 17, 32, home.nonce, home.nonce + 1, 2**32 - 1)


def home_of(homes: list[Home], data: st.DataObject) -> Home:
    return data.draw(st.sampled_from(homes))


def keys(homes: list[Home]) -> st.SearchStrategy[Key]:
    return st.sampled_from([*PEOPLE, *(key for home in homes for key in (home.account, home.meter, home.agent))])


def order_numbers(twin: Twin, data: st.DataObject) -> tuple[int, int, int, int]:
    first = data.draw(windows(twin))
    last = data.draw(
        st.one_of(st.just(first), windows(twin), st.integers(0, 30).map(lambda n: min(first + n, 2**32 - 1)))
    )
    return first, last, data.draw(energies(24)), data.draw(LEVELS)


def signed_order(twin: Twin, homes: list[Home], data: st.DataObject) -> items.Item:
    home = home_of(homes, data)
    nonce = data.draw(st.one_of(st.none(), nonces(twin, home)))
    signer = data.draw(st.one_of(st.none(), st.none(), keys(homes)))
    side, by_agent = data.draw(st.integers(0, 1)), data.draw(FLAGS)
    item = twin.order_item(home, side, *order_numbers(twin, data), nonce=nonce, by_agent=by_agent, signer=signer)
    return replace(item, **data.draw(st.sampled_from(({}, {}, {}, {"side": 255}, {"r": 0}, {"vs": 2**256 - 1}))))


def signed_cancel(twin: Twin, homes: list[Home], data: st.DataObject) -> items.Item:
    home = home_of(homes, data)
    return twin.cancel_item(
        home,
        data.draw(nonces(twin, home)),
        data.draw(windows(twin)),
        deadline=data.draw(any_uint(64, twin.now, 2**64 - 1)),
        by_agent=data.draw(FLAGS),
        signer=data.draw(st.one_of(st.none(), st.none(), keys(homes))),
    )


def signed_report(twin: Twin, homes: list[Home], data: st.DataObject) -> items.Item:
    home = home_of(homes, data)
    register = twin.market.export_register(home.low)
    growths = data.draw(st.lists(any_uint(32, 1_000), max_size=12) | st.just([0] * 224) | st.just([0] * 255))
    until = twin.now_window - len(growths)
    first = data.draw(st.sampled_from((register.window, max(0, until), twin.now_window)) | windows(twin))
    return twin.report_item(
        home,
        growths,
        side=data.draw(st.integers(0, 1)),
        first=first,
        opening_wh=data.draw(any_uint(48, register.register_wh, 2**48 - 1)),
        hints=data.draw(st.none() | st.integers(0, 2**64 - 1)),
        signer=data.draw(st.none() | st.none() | keys(homes)),
    )


def due(twin: Twin, homes: list[Home], data: st.DataObject) -> items.Item:
    hints = data.draw(st.none() | st.integers(0, 2**64 - 1))
    return twin.due_item(home_of(homes, data), data.draw(any_uint(8, 224)), hints)


ITEMS = (signed_order, signed_cancel, signed_report, due)


@act
def relay(twin: Twin, homes: list[Home], data: st.DataObject) -> Any:
    kinds = data.draw(st.lists(st.sampled_from(ITEMS), max_size=3))
    return twin.relay(*(kind(twin, homes, data) for kind in kinds), strict=data.draw(FLAGS))


@act
def place(twin: Twin, homes: list[Home], data: st.DataObject) -> Any:
    home = home_of(homes, data)
    first, last, _, level = order_numbers(twin, data)
    nonce = data.draw(st.none() | nonces(twin, home))
    meter = data.draw(st.none() | keys(homes).map(lambda key: key.address))
    side = data.draw(any_uint(8, 1))
    return twin.place(home, side, first, last, data.draw(energies(32)), level, nonce=nonce, meter=meter)


@act
def cancel(twin: Twin, homes: list[Home], data: st.DataObject) -> Any:
    home = home_of(homes, data)
    return twin.cancel(home, data.draw(nonces(twin, home)), data.draw(windows(twin)))


@act
def clear(twin: Twin, homes: list[Home], data: st.DataObject) -> Any:
    return twin.clear(data.draw(any_uint(256, 1, 255, 256)))


@act
def deposit(twin: Twin, homes: list[Home], data: st.DataObject) -> Any:
    amount = data.draw(any_uint(103, 10**9, 2**102))
    return twin.deposit(home_of(homes, data), amount, minted=data.draw(FLAGS))


@act
def deposit_permit(twin: Twin, homes: list[Home], data: st.DataObject) -> Any:
    amount = data.draw(any_uint(103, 10**9, 2**102))
    return twin.deposit_permit(
        home_of(homes, data),
        amount,
        minted=data.draw(FLAGS),
        permitted=data.draw(st.none() | any_uint(103, amount)),
        deadline=data.draw(st.none() | any_uint(256, twin.now)),
        signer=data.draw(st.none() | st.none() | keys(homes)),
    )


def amounts(twin: Twin, home: Home) -> st.SearchStrategy[int]:
    return any_uint(256, twin.market.wallet(home.low).free, twin.market.wallet(home.low).balance)


@act
def withdraw(twin: Twin, homes: list[Home], data: st.DataObject) -> Any:
    home = home_of(homes, data)
    zero = "0x" + "00" * 20
    recipients = st.sampled_from((zero, twin.contracts.market.address, STRANGER.address)) | st.none()
    return twin.withdraw(home, data.draw(amounts(twin, home)), data.draw(recipients))


@act
def withdraw_signed(twin: Twin, homes: list[Home], data: st.DataObject) -> Any:
    home = home_of(homes, data)
    return twin.withdraw_signed(
        home,
        data.draw(amounts(twin, home)),
        data.draw(st.sampled_from((twin.contracts.market.address, STRANGER.address)) | st.none()),
        nonce=data.draw(st.none() | any_uint(256, 1)),
        deadline=data.draw(st.none() | any_uint(64, twin.now)),
        signer=data.draw(st.none() | st.none() | keys(homes)),
    )


TERMS = st.builds(
    Terms,
    any_uint(25, 20_000, 2**24),
    any_uint(25, 20_000, 2**24),
    any_uint(17, 1, 2**16),
    edges(2),
    edges(0, 2, 63, 255, 2**256 - 2),
    edges(0, 15, 2**256 - 2),
)
REGISTERS = any_uint(64, 1_000, 2**48)


@act
def enrol(twin: Twin, homes: list[Home], data: st.DataObject) -> Any:
    home = data.draw(st.sampled_from([*homes, Home.named("dora"), Home.named("emil")]))
    good = Terms(20_000, 20_000, 1, 2, 0, 0)
    zero = "0x" + "00" * 20
    return twin.enrol(
        home,
        data.draw(st.just(good) | TERMS),
        connection=data.draw(st.none() | st.sampled_from((bytes(32), homes[0].connection, b"\1" * 32))),
        account=data.draw(st.none() | st.none() | st.just(zero) | keys(homes).map(lambda key: key.address)),
        meter=data.draw(st.none() | st.none() | st.just(zero) | keys(homes).map(lambda key: key.address)),
        imported_wh=data.draw(REGISTERS),
        exported_wh=data.draw(REGISTERS),
        deadline=data.draw(st.none() | any_uint(64, twin.now)),
        account_signer=data.draw(st.none() | st.none() | keys(homes)),
        meter_signer=data.draw(st.none() | st.none() | keys(homes)),
        consented=data.draw(st.booleans()),
        caller=data.draw(st.none() | st.none() | KEYS),
    )


@act
def enrol_many(twin: Twin, homes: list[Home], data: st.DataObject) -> Any:
    names = data.draw(st.lists(st.sampled_from(("dora", "emil", "fred", "gina")), max_size=5))
    meters = st.none() | st.none() | st.none() | keys(homes)
    street = [twin.apply(Home.named(name), meter_signer=data.draw(meters)) for name in names]
    return twin.enrol_many(street, data.draw(st.none() | st.none() | KEYS))


@act
def swap_meter(twin: Twin, homes: list[Home], data: st.DataObject) -> Any:
    home = data.draw(st.sampled_from([*homes, Home.named("dora")]))
    return twin.swap_meter(
        home,
        data.draw(st.just(1) | any_uint(256, 2, 64)),
        new_meter=data.draw(st.none() | st.none() | keys(homes)),
        old_meter=data.draw(st.none() | st.none() | keys(homes).map(lambda key: key.address)),
        imported_wh=data.draw(REGISTERS),
        exported_wh=data.draw(REGISTERS),
        deadline=data.draw(st.none() | any_uint(64, twin.now)),
        account_signer=data.draw(st.none() | st.none() | keys(homes)),
        caller=data.draw(st.none() | st.none() | KEYS),
    )


@act
def connections(twin: Twin, homes: list[Home], data: st.DataObject) -> Any:
    home = data.draw(st.sampled_from([*homes, Home.named("dora")]))
    caller = data.draw(st.none() | KEYS)
    which = data.draw(st.integers(0, 2))
    if which == 0:
        return twin.set_terms(home, data.draw(TERMS), caller)
    return (twin.move_out if which == 1 else twin.revoke)(home.connection, caller)


@act
def publish_tariff(twin: Twin, homes: list[Home], data: st.DataObject) -> Any:
    def row(rising: bool) -> tuple[int, ...]:
        bands = data.draw(BANDS)
        return tuple(sorted(bands, reverse=not rising) if data.draw(st.integers(0, 3)) else bands)

    tables = Tables(row(False), row(False), row(True))
    return twin.publish_tariff(data.draw(any_uint(256, 256, 300, 65_535)), tables, data.draw(st.none() | KEYS))


@act
def numbers(twin: Twin, homes: list[Home], data: st.DataObject) -> Any:
    which, caller = data.draw(st.integers(0, 4)), data.draw(st.none() | KEYS)
    if which == 0:
        feeder = data.draw(any_uint(256, 1, 2**16))
        scales = [data.draw(any_uint(256, 10_000)) for _ in range(2)]
        return twin.set_feeder_scale(feeder, *scales, caller)
    if which == 1:
        fee = data.draw(any_uint(256, 1_777, 2**64))
        return twin.set_feeder_fee(data.draw(any_uint(256, 1, 2**16)), fee, caller)
    if which == 2:
        price = data.draw(any_uint(256, 199_999, 211_500))
        return twin.set_retail(data.draw(any_uint(256, 1, 16)), price, caller)
    if which == 3:
        return twin.accept_classes(data.draw(any_uint(256, 7, 2**64)), caller)
    return twin.set_paused(data.draw(FLAGS), caller)


@act
def roles(twin: Twin, homes: list[Home], data: st.DataObject) -> Any:
    role, caller = data.draw(st.integers(0, 4) | any_uint(256, 4)), data.draw(KEYS)
    if data.draw(FLAGS):
        return twin.offer_role(role, data.draw(st.none() | KEYS), caller)
    return twin.accept_role(role, caller)


@act
def authorise(twin: Twin, homes: list[Home], data: st.DataObject) -> Any:
    home = home_of(homes, data)
    options = {
        "expiry": data.draw(any_uint(64, twin.now)),
        "max_buy_level": data.draw(LEVELS),
        "min_sell_level": data.draw(LEVELS),
        "max_reserve": data.draw(any_uint(128, 10**12)),
        "agent": data.draw(st.none() | st.sampled_from(("0x" + "00" * 20, home.account.address))),
    }
    if data.draw(FLAGS):
        return twin.authorise(home, **options)
    signer = data.draw(st.none() | st.none() | keys(homes))
    return twin.authorise_signed(home, nonce=data.draw(st.none() | any_uint(256, 1)), signer=signer, **options)


@act
def rate(twin: Twin, homes: list[Home], data: st.DataObject) -> Any:
    home, rated = home_of(homes, data), data.draw(FLAGS)
    if data.draw(FLAGS):
        return twin.rate(home, rated)
    return twin.rate_signed(
        home,
        rated,
        nonce=data.draw(st.none() | any_uint(256, 1)),
        deadline=data.draw(st.none() | any_uint(64, twin.now)),
        signer=data.draw(st.none() | st.none() | keys(homes)),
    )


@act
def wind_down(twin: Twin, homes: list[Home], data: st.DataObject) -> Any:
    twin.travel(data.draw(st.sampled_from((0, 0, 86_399, 86_400, 9 * 86_400))))
    return twin.announce_wind_down() if data.draw(FLAGS) else twin.wind_down()


def village(twin: Twin) -> list[Home]:
    """Three homes after a traded window: orders open, cleared and to settle."""
    homes = [twin.home("alice"), twin.home("bob"), twin.home("carl", feeding_in=False)]
    alice, bob, carl = homes
    first = twin.gated + 1
    twin.authorise(bob)
    twin.relay(
        twin.offer_item(alice, first, first + 3, 1_000, 20),
        twin.bid_item(bob, first, first + 1, 1_001, 200),
        twin.bid_item(carl, first, first + 2, 333, 200),
    )
    twin.travel_to(first + 2)
    twin.clear(2)
    return homes


@pytest.mark.fuzz
@pytest.mark.parametrize("name", ACTS)
@settings(max_examples=max(5, settings().max_examples // 10))
@given(data=st.data())
def test_function__random_input__as_the_reference(name: str, data: st.DataObject) -> None:
    with fresh() as twin:
        homes = village(twin)
        for _ in range(data.draw(st.integers(1, 6))):
            twin.travel(data.draw(st.sampled_from((0, 0, 1, 599, 900))))
            ACTS[name](twin, homes, data)
        twin.compare(thorough=False)


# Setters of the market that only the registry calls, and views, have tests of their own.
ELSEWHERE = {
    "bind",
    "set_device",
    "set_tariff",
    "set_feeder",
    "set_agent",
    "set_rated",
    "close_book",
    "set_fund_accounts",
}
COVERED = {
    "consent", "authorise_signed", "rate_signed", "announce_wind_down", "set_terms", "move_out", "revoke",
    "set_feeder_scale", "set_feeder_fee", "set_retail", "accept_classes", "set_paused", "offer_role", "accept_role",
}  # fmt: skip


def test_functions__all_that_change_state__have_a_test() -> None:
    with fresh() as twin:
        for contract in (twin.contracts.market, twin.contracts.registry):
            changing = {
                entry["name"]
                for entry in contract.deployed.abi
                if entry["type"] == "function" and entry["stateMutability"] == "nonpayable"
            }
            assert changing <= set(ACTS) | COVERED | ELSEWHERE
