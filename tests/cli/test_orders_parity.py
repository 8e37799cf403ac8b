"""What the client says before signing is what the contract does: the same refusal, the same order, the same reserve."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cli.traders import DAY_S, EMS, authorise, go_to_one_o_clock, key_of
from cli.village import ADA, BOLA, CHIDI, FEEDER, METER_CLASS, RETAIL_CLASS, Home, Village
from peerwatt.market import relay
from peerwatt.market.cancels import judge_cancel
from peerwatt.market.clock import MarketClock, parse_zone
from peerwatt.market.mirror import Mirror, read_mirror
from peerwatt.market.orders import Quote, judge
from peerwatt.market.words import OrderWord
from peerwatt.refusals.base import MarketError
from peerwatt.signing import Cancel, Order, sign

STRANGER = Home("stranger")
HOMES = (ADA, BOLA, CHIDI, STRANGER)
LATE_EMS = Home("late ems")
# Hypothesis shares the village between examples; none of them changes it.
SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def clock_of(village: Village) -> MarketClock:
    return MarketClock(900, 300, village.chain.time_s, parse_zone("Africa/Lagos"))


def nothing(village: Village) -> None:
    pass


def restrict(village: Village) -> None:
    """Old readings, a half feeder, chidi switched off, bola nearly without money."""
    village.chain.travel_to(village.chain.time_s + 4 * DAY_S)
    village.clear()
    due = [relay.DueItem(home.account, 16, relay.pack_hints(slots)) for home, slots in ((ADA, [1]), (BOLA, [2, 5]))]
    village.gateway.relay(village.relayer, [word for item in due for word in item.pack()], strict=True)
    registry = village.gateway.registry.functions
    village.gateway.act(village.operator, registry.set_feeder_scale(FEEDER, 5_000, 5_000))
    terms = (5_000, 5_000, FEEDER, 0, METER_CLASS, RETAIL_CLASS)
    village.gateway.act(village.operator, registry.set_terms(CHIDI.account, terms))
    village.gateway.withdraw(key_of(BOLA), village.money("200 NGN"))


def fall_behind(village: Village) -> None:
    """Nobody clears, so that the horizon comes nearer; ada is revoked."""
    village.gateway.act(village.operator, village.gateway.registry.functions.revoke(village.connection(ADA)))
    village.chain.travel_to(village.chain.time_s + 2 * DAY_S)


def close(village: Village) -> None:
    registry = village.gateway.registry.functions
    village.chain.travel_to(village.chain.time_s + 8 * DAY_S)
    village.gateway.act(village.relayer, registry.announce_wind_down())
    village.chain.travel_to(village.chain.time_s + DAY_S)
    village.gateway.act(village.relayer, registry.wind_down())


@pytest.fixture
def scene(village: Village, request: pytest.FixtureRequest) -> Village:
    """Homes with orders in several slots, a burnt nonce, and agents; then something happens."""
    go_to_one_o_clock(village)
    first = village.window + 1
    village.offer(ADA, first, first + 3, "500 Wh", "150", nonce=1)
    village.bid(BOLA, first + 2, first + 2, "500 Wh", "120", nonce=18)
    village.bid(BOLA, first + 8, first + 11, "500 Wh", "120", nonce=5)
    village.gateway.cancel(key_of(BOLA), 35, 0)
    authorise(village, BOLA, EMS, hours=500)
    authorise(village, ADA, EMS, hours=500)
    authorise(village, ADA, LATE_EMS, hours=0)
    request.param(village)
    return village


def in_scenes(*scenes: Callable[[Village], None]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("scene", scenes, ids=lambda scene: scene.__name__, indirect=True)


def message_of(error: MarketError | None) -> str | None:
    return None if error is None else error.reason


def refusal_of(act: Callable[[], object]) -> MarketError | None:
    try:
        act()
    except MarketError as error:
        return error
    return None


def one_of(name: str, *values: object) -> st.SearchStrategy[tuple[str, object]]:
    return st.tuples(st.just(name), st.sampled_from(values))


# An order that is accepted, with up to three things changed: so each check is the first to fail now and then.
CHANGES = st.lists(
    st.one_of(
        one_of("home", CHIDI, STRANGER),
        one_of("meter", ADA.meter, BOLA.meter),
        one_of("side", 0, 1),
        one_of("agent", EMS, EMS, LATE_EMS, CHIDI),
        one_of("forged", True),
        st.tuples(st.just("ahead"), st.integers(-2, 14) | st.integers(14, 260)),
        st.tuples(st.just("length"), st.integers(-2, 60)),
        st.tuples(st.just("energy_wh"), st.integers(49, 5_001) | st.just(2**24 - 1)),
        st.tuples(st.just("level"), st.integers(0, 255)),
        one_of("nonce", 1, 2, 3, 17, 18, 19, 34, 35, 37, 51, 2**32 - 1),
    ),
    max_size=3,
)


@pytest.mark.fuzz
@in_scenes(nothing, restrict, fall_behind)
def test_order__random_intents__refused_for_the_reason_of_the_contract(scene: Village) -> None:
    clock, newest = clock_of(scene), scene.window

    @cache
    def mirror(home: Home, agent: str | None) -> Mirror:
        return read_mirror(scene.gateway, home.account, agent)

    @SHARED
    @given(home=st.sampled_from([ADA, BOLA]), changes=CHANGES)
    def check(home: Home, changes: list[tuple[str, Any]]) -> None:
        values = {"home": home, "meter": None, "side": int(home.feeds_in), "ahead": 14, "length": 1, "energy_wh": 400}
        values |= {"level": 100, "nonce": 40, "agent": None, "forged": False, **dict(changes)}
        home, agent, first = values["home"], values["agent"], newest + values["ahead"]
        agent = None if agent is home else agent
        order = Order(
            maker=home.account,
            meter=values["meter"] or home.meter,
            side=values["side"],
            first_window=first,
            last_window=first + values["length"],
            energy_wh=values["energy_wh"],
            limit_level=values["level"],
            nonce=values["nonce"],
        )
        signer = Home("forger") if values["forged"] else agent or home
        signature = sign(order, scene.domain, signer.account_key)
        address = agent.account if agent else None
        item = relay.OrderItem.from_message(order, signature, address or relay.NOBODY)
        call = scene.gateway.market.functions.relay(item.pack(), True)
        on_chain = refusal_of(lambda: scene.gateway.simulate(scene.relayer.address, call))
        here = refusal_of(
            lambda: judge(mirror(home, address), clock, scene.grid, order, agent=address, signer=signer.account)
        )
        assert message_of(here) == message_of(on_chain), here
        # Also the words of a refusal can be written for every case.
        assert here is None or len(str(here)) > 20

    check()


@pytest.mark.fuzz
@in_scenes(nothing, close)
def test_cancel__random_ones__refused_for_the_reason_of_the_contract(scene: Village) -> None:
    clock, newest = clock_of(scene), scene.window
    mirrors = {home: read_mirror(scene.gateway, home.account, EMS.account) for home in HOMES}

    @SHARED
    @given(
        home=st.sampled_from(HOMES),
        nonce=st.sampled_from([1, 2, 3, 5, 17, 18, 19, 21, 35, 51]),
        ahead=st.integers(-2, 16),
        late=st.sampled_from([False] * 9 + [True]),
        agent=st.sampled_from([None, EMS]),
        forged=st.sampled_from([False] * 9 + [True]),
    )
    def check(home: Home, nonce: int, ahead: int, late: bool, agent: Home | None, forged: bool) -> None:
        cancel = Cancel(home.account, nonce, newest + ahead, clock.now_s + (-1 if late else 60))
        signer = Home("forger") if forged else agent or home
        signature = sign(cancel, scene.domain, signer.account_key)
        address = agent.account if agent else None
        item = relay.CancelItem.from_message(cancel, signature, address or relay.NOBODY)
        call = scene.gateway.market.functions.relay(item.pack(), True)
        on_chain = refusal_of(lambda: scene.gateway.simulate(scene.relayer.address, call))
        here = refusal_of(
            lambda: judge_cancel(mirrors[home], clock, cancel, agent=address, signer=signer.account)
        )
        assert message_of(here) == message_of(on_chain), here

    check()


@settings(SHARED, max_examples=5)
@given(
    home=st.sampled_from([ADA, BOLA]),
    ahead=st.integers(0, 8),
    length=st.integers(1, 4),
    energy_wh=st.integers(50, 600),
    level=st.integers(40, 180),
)
def test_order__accepted__is_the_quoted_one_with_the_quoted_reserve(
    village: Village, home: Home, ahead: int, length: int, energy_wh: int, level: int
) -> None:
    snapshot = village.chain.take_snapshot()
    first = village.window + ahead
    order = Order(home.account, home.meter, int(home.feeds_in), first, first + length + 1, energy_wh, level, 9)
    before = village.gateway.wallet(home.account)
    quote: Quote = judge(read_mirror(village.gateway, home.account), clock_of(village), village.grid, order)
    item = relay.OrderItem.from_message(order, sign(order, village.domain, home.account_key))
    village.gateway.relay(village.relayer, item.pack(), strict=True)
    after = village.gateway.wallet(home.account)
    assert village.gateway.order(home.account, 9) == OrderWord(**asdict(quote.accepted))
    assert quote.reserve == after.reserved - before.reserved > 0
    assert (quote.free_before, quote.free_after) == (before.free, after.free)
    assert quote.reserve == quote.accepted.count * energy_wh * quote.unit_reserve
    village.chain.revert_to(snapshot)
