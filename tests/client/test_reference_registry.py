"""The reference model's registry act by act: roles, mandates, connections, tariffs, wind-down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from client.reference_village import (
    BALANCING,
    MARKET,
    NETWORK,
    NOW_WINDOW,
    OPERATOR,
    REGISTRY,
    REGULATOR,
    START,
    STRANGER,
    TABLES,
    TERMS,
    WINDOW,
    Village,
    account,
    connection,
    meter,
)
from peerwatt.reference import (
    BUY,
    ZERO_ADDRESS,
    Enrolment,
    Market,
    MeterSwap,
    Refused,
    Registry,
    RegistryParameters,
)
from peerwatt.reference.participants import Agent
from peerwatt.reference.reputation import FULL_SCORE
from peerwatt.reference.tariffs import Tables

HOME, METER = account(0), meter(0)
FIRST = NOW_WINDOW + 1
DAY = 86400


def refuses(reason: str, act: Callable[[], object]) -> None:
    with pytest.raises(Refused) as refusal:
        act()
    assert refusal.value.reason == reason


def test_roles__handed_over_in_two_steps__funds_follow() -> None:
    registry = Village(0).registry
    refuses("roles: bad role", lambda: registry.offer_role(START, STRANGER, 4, STRANGER))
    refuses("roles: not the holder", lambda: registry.offer_role(START, STRANGER, 2, STRANGER))
    registry.offer_role(START, BALANCING, 2, STRANGER)
    refuses("roles: not offered", lambda: registry.accept_role(START, HOME, 2))
    registry.accept_role(START, STRANGER, 2)
    refuses("roles: not offered", lambda: registry.accept_role(START, STRANGER, 2))
    assert registry.market.balancing_account == STRANGER
    refuses("participants: only the registry", lambda: registry.market.close_book(START, STRANGER))


def test_mandates__signed__nonce_and_signer_count() -> None:
    registry, caps = Village(1).registry, Agent(expiry=2 * START)
    refuses("participants: bad agent", lambda: registry.authorise(START, HOME, HOME, caps))
    refuses("participants: nonce used", lambda: registry.authorise_signed(START, HOME, METER, caps, 1, HOME))
    refuses("signing: bad signature", lambda: registry.authorise_signed(START, HOME, METER, caps, 0, METER))
    registry.authorise_signed(START, HOME, METER, caps, 0, HOME)
    assert registry.market.agents == {(HOME, METER): caps}
    refuses("participants: message expired", lambda: registry.rate_signed(START, HOME, True, 0, 1, HOME))
    refuses("participants: nonce used", lambda: registry.rate_signed(START, HOME, True, 1, START, HOME))
    refuses("signing: bad signature", lambda: registry.rate_signed(START, HOME, True, 0, START, METER))
    registry.rate_signed(START, HOME, True, 0, START, HOME)
    assert registry.market.wallet(HOME).rated


def test_enrol__one_thing_wrong__its_reason_and_scores_stay_with_the_connection() -> None:
    village = Village(1)
    registry, market = village.registry, village.market
    message = Enrolment(account(5), meter(5), 1, 2, START)

    def enrol(
        place: int = 5, terms: object = TERMS, signer: str | None = account(5), **change: object
    ) -> None:
        changed = replace(message, **change)  # type: ignore[arg-type]
        where = connection(place) if place >= 0 else bytes(32)
        registry.enrol(START, OPERATOR, where, terms, changed, signer, changed.meter)  # type: ignore[arg-type]

    refuses("roles: not the operator", lambda: registry.revoke(START, STRANGER, connection(0)))
    refuses("enrolment: message expired", lambda: enrol(deadline=START - 1))
    refuses("enrolment: no such connection", lambda: enrol(place=-1))
    refuses("enrolment: connection taken", lambda: enrol(place=0))
    refuses("enrolment: already enrolled", lambda: enrol(account=HOME))
    refuses("enrolment: meter bound before", lambda: enrol(meter=METER))
    refuses("enrolment: bad meter", lambda: enrol(meter=ZERO_ADDRESS))
    refuses("enrolment: class not accepted", lambda: enrol(terms=replace(TERMS, meter_class=64)))
    refuses("enrolment: register overflow", lambda: enrol(exported_wh=2**48))
    refuses("enrolment: senseless terms", lambda: enrol(terms=replace(TERMS, retail_class=1)))
    refuses("signing: bad signature", lambda: enrol(signer=None))
    registry.consent(START, account(5), message)
    enrol(signer=None)
    assert market.export_register(account(5)).register_wh == 2

    market.wallets[account(5)] = replace(market.wallet(account(5)), score=77)
    registry.move_out(START, OPERATOR, connection(5))
    refuses("enrolment: no such connection", lambda: registry.move_out(START, OPERATOR, connection(5)))
    refuses(
        "participants: not enrolled", lambda: market.place(START, account(5), meter(5), 0, 1, 1, 50, 1, 16)
    )
    assert (market.wallet(account(5)).score, registry.score_of(connection(5))) == (0, 77)
    enrol(meter=meter(6))
    assert market.wallet(account(5)).score == 77
    heir = Registry(
        market, RegistryParameters(MARKET, OPERATOR, REGULATOR, 1, BALANCING, NETWORK, registry.score_of)
    )
    assert heir.score_of(connection(5)) == 77
    heir.predecessor = lambda _: 2 * FULL_SCORE
    assert heir.score_of(connection(5)) == FULL_SCORE
    with pytest.raises(ValueError, match="a connection has 32 bytes"):
        registry.score_of(b"short")
    with pytest.raises(TypeError, match="a connection is bytes"):
        registry.score_of("0x00")  # type: ignore[arg-type]


def test_swap_meter__one_thing_wrong__its_reason() -> None:
    village = Village(1)
    swap = MeterSwap(HOME, METER, meter(5), 1, 2, START)

    def act(signer: str | None = HOME, **change: object) -> None:
        changed = replace(swap, **change)  # type: ignore[arg-type]
        village.registry.swap_meter(START, OPERATOR, changed, 0, signer, changed.new_meter)

    refuses("enrolment: message expired", lambda: act(deadline=START - 1))
    refuses("enrolment: not enrolled", lambda: act(account=STRANGER))
    refuses("enrolment: not the old meter", lambda: act(old_meter=meter(5)))
    refuses("enrolment: meter bound before", lambda: act(new_meter=METER))
    village.relay(village.order(HOME, BUY, FIRST, FIRST, 100, 50))
    refuses("signing: bad signature", lambda: act(signer=STRANGER))
    refuses("participants: open windows", lambda: act())


def test_tariffs__one_thing_wrong__its_reason_and_the_next_holds_after_the_horizon() -> None:
    registry = Village(1).registry

    def publish(steps: int, tables: Tables = TABLES, now: int = START) -> None:
        registry.publish_tariff(now, REGULATOR, steps, tables)

    refuses("roles: not the regulator", lambda: registry.accept_classes(START, STRANGER, 1))
    refuses("enrolment: class out of bounds", lambda: registry.accept_classes(START, REGULATOR, 2**64))
    registry.accept_classes(START, REGULATOR, 3)
    refuses("tariffs: imbalance too low", lambda: publish(255))
    registry.set_retail(START, REGULATOR, 1, 3100)
    refuses("tariffs: imbalance too low", lambda: publish(299))
    refuses("tariffs: imbalance out of bounds", lambda: publish(65536))
    refuses("tariffs: bad table", lambda: publish(310, replace(TABLES, haircuts=(10_000,) * 16)))
    refuses("tariffs: bad table", lambda: publish(310, replace(TABLES, rebates=(1,) + (0,) * 15)))
    with pytest.raises(ValueError, match="16 bands"):
        publish(310, replace(TABLES, rebates=()))
    publish(310)
    refuses("tariffs: too soon", lambda: publish(320))
    refuses("tariffs: retail above imbalance", lambda: registry.set_retail(START, REGULATOR, 1, 3101))
    refuses("tariffs: no such class", lambda: registry.set_retail(START, REGULATOR, 16, 1))
    refuses("tariffs: no such feeder", lambda: registry.set_feeder_fee(START, REGULATOR, 2**16, 1))
    refuses("tariffs: fee out of bounds", lambda: registry.set_feeder_fee(START, REGULATOR, 1, 2**64))
    refuses("tariffs: scale out of bounds", lambda: registry.set_feeder_scale(START, OPERATOR, 1, 10_001, 0))
    assert registry.market.tariff(NOW_WINDOW + 255).version == 1
    assert registry.market.tariff(NOW_WINDOW + 256).imbalance_steps == 310
    later = START + 256 * WINDOW
    registry.set_retail(later, REGULATOR, 1, 3200)
    publish(320, now=later)
    head = registry.market.tariff_head
    assert (head.version, head.next_version, head.next_from) == (2, 3, NOW_WINDOW + 512)
    registry.market.tariff_head = replace(head, version=2**15 - 1, next_from=0)
    refuses("tariffs: no version left", lambda: publish(320))


def test_announce__nothing_open_or_still_clearing__refused() -> None:
    village = Village(1)
    refuses("auction: nothing open", lambda: village.registry.announce_wind_down(START))
    village.relay(village.order(HOME, BUY, FIRST, FIRST, 100, 50))
    last = FIRST * WINDOW + 7 * DAY - 1
    refuses("auction: clear first", lambda: village.registry.announce_wind_down(last))
    village.registry.announce_wind_down(last + 1)
    refuses("auction: already announced", lambda: village.registry.announce_wind_down(last + 2))
    market: Market = village.market
    market.close_book(last + 1, REGISTRY)
    refuses("auction: market closed", lambda: village.registry.wind_down(last + DAY + 1))
    refuses("auction: market closed", lambda: market.clear(last + DAY + 1, 1))
