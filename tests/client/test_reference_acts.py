"""The reference model act by act: orders, cancels, reports, clearing, money; each refusal by its reason."""

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
    REGULATOR,
    START,
    STRANGER,
    TERMS,
    WINDOW,
    Village,
    account,
    connection,
    meter,
)
from peerwatt.reference import (
    BUY,
    SELL,
    ZERO_ADDRESS,
    CancelItem,
    CancelMessage,
    DueItem,
    Refused,
    RegistryParameters,
    ReportItem,
    ReportMessage,
)
from peerwatt.reference.attribution import attribution
from peerwatt.reference.invariants import check_all
from peerwatt.reference.reputation import START_SCORE
from peerwatt.reference.values import address, uint

HOME, METER = account(0), meter(0)
FIRST = NOW_WINDOW + 1
DAY = 86400


def refuses(reason: str, act: Callable[[], object]) -> None:
    with pytest.raises(Refused) as refusal:
        act()
    assert refusal.value.reason == reason


def test_values__senseless__refused() -> None:
    assert address("0x" + "aB" * 20) == "0x" + "ab" * 20
    with pytest.raises(ValueError, match="is no address"):
        address("0x12")
    with pytest.raises(TypeError, match="an address is a string"):
        address(5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="not a uint8"):
        uint(256, 8, "side")
    with pytest.raises(ValueError, match="no reason of the market"):
        Refused("offers: never heard of")


def test_parameters__senseless__refused() -> None:
    parameters = Village(0).market.parameters
    for wrong in (
        {"token": ZERO_ADDRESS},
        {"window_seconds": 59},
        {"lead_seconds": 86401},
        {"price_step": 0},
        {"floor_price": 2**64 - 65535 * 10},
        {"min_order_wh": 2**24},
        {"tolerance_bps": 10001},
        {"inertia_wh": 2**32},
        {"max_reading_age_seconds": 0},
    ):
        refuses("market: senseless parameter", lambda wrong=wrong: replace(parameters, **wrong))
    good = RegistryParameters(MARKET, OPERATOR, REGULATOR, 2**64 - 1, BALANCING, NETWORK)
    refuses("registry: senseless parameter", lambda: replace(good, operator=ZERO_ADDRESS))
    refuses("enrolment: class out of bounds", lambda: replace(good, accepted_meter_classes=2**64))


@pytest.mark.parametrize(
    ("reason", "change"),
    [
        ("offers: bad side", {"side": 2}),
        ("participants: not enrolled", {"caller": STRANGER}),
        ("meters: not the bound meter", {"meter": meter(1)}),
        ("offers: energy out of bounds", {"energy_wh": 49}),
        ("offers: energy out of bounds", {"energy_wh": 2**24}),
        ("offers: windows reversed", {"first_window": FIRST + 1}),
        ("offers: gate closed", {"first_window": FIRST - 1, "last_window": FIRST - 1}),
        ("offers: beyond the horizon", {"last_window": NOW_WINDOW + 225}),
        ("offers: nonce used", {"nonce": 0}),
        ("meters: over the envelope", {"energy_wh": 20_001}),
        ("offers: no price level", {"limit_level": 0}),
        (
            "wallets: not enough free money",
            {"energy_wh": 20_000, "limit_level": 255, "last_window": FIRST + 30},
        ),
    ],
)
def test_place__one_thing_wrong__its_reason(reason: str, change: dict[str, int]) -> None:
    market = Village(2).market
    right = {"caller": HOME, "meter": METER, "side": BUY, "first_window": FIRST, "last_window": FIRST}
    right |= {"energy_wh": 100, "limit_level": 50, "nonce": 16}
    before = market.snapshot()
    refuses(reason, lambda: market.place(START, **(right | change)))  # type: ignore[arg-type]
    assert market.snapshot() == before
    market.place(START, **right)  # type: ignore[arg-type]
    assert market.order(HOME, 0).effective_level == 47
    assert check_all(market) == []


def test_place__slot_window_status_age_pause__their_reasons() -> None:
    village = Village(1)
    market, registry = village.market, village.registry

    def place(side: int, window: int, nonce: int, now: int = START) -> None:
        market.place(now, HOME, METER, side, window, window, 100, 50, nonce)

    place(SELL, FIRST, 16)
    refuses("offers: slot in use", lambda: place(SELL, FIRST + 1, 32))
    refuses("offers: window taken", lambda: place(BUY, FIRST, 17))
    late = START + DAY + 1
    refuses("meters: reading too old", lambda: place(SELL, FIRST + 99, 17, late))
    registry.set_terms(START, OPERATOR, HOME, replace(TERMS, status=1))
    refuses("participants: status forbids", lambda: place(SELL, FIRST + 1, 17))
    registry.set_paused(START, REGULATOR, True)
    refuses("offers: paused", lambda: place(BUY, FIRST + 1, 17))
    refuses("registry: paused", lambda: village.enrol(connection(9), account(9), meter(9)))
    market.withdraw(START, HOME, market.wallet(HOME).free, STRANGER)
    assert check_all(market) == []


def test_cancel__direct_and_signed__cuts_after_the_gate_and_burns() -> None:
    village = Village(1)
    market = village.market
    assert village.relay(village.order(HOME, BUY, FIRST, FIRST + 5, 100, 50)) == [0]
    refuses("offers: nothing to cancel", lambda: market.cancel(START, HOME, 16, FIRST + 6))
    market.cancel(START, HOME, 16, 0)
    # The gate is at NOW_WINDOW: FIRST can't be pulled out any more.
    assert market.order(HOME, 0).windows == range(FIRST, FIRST + 1)
    assert market.wallet(HOME).reserved == 100 * 600
    market.cancel(START, HOME, 48, 0)
    refuses("offers: nothing to cancel", lambda: market.cancel(START, HOME, 32, 0))
    refuses("offers: nothing to cancel", lambda: market.cancel(START, HOME, 0, 0))

    cut = CancelMessage(HOME, 64, 0, START)
    assert village.relay(CancelItem(replace(cut, deadline=START - 1), HOME)) == [21]
    assert village.relay(CancelItem(cut, STRANGER), CancelItem(cut, STRANGER, STRANGER)) == [6, 7]
    assert village.relay(CancelItem(cut, HOME), CancelItem(cut, HOME)) == [0, 22]
    assert market.order(HOME, 0).burnt == 64
    market.place(START, HOME, METER, BUY, FIRST + 1, FIRST + 1, 100, 50, 17)
    village.now += 3 * WINDOW
    market.clear(village.now, 9)
    assert village.relay(DueItem(HOME, 0x10, 9)) == [0]
    market.place(village.now, HOME, METER, BUY, FIRST + 9, FIRST + 9, 100, 50, 80)
    assert (market.order(HOME, 0).nonce, market.order(HOME, 0).burnt) == (80, 64)
    assert check_all(market) == []


@pytest.mark.parametrize(
    ("code", "report", "signer"),
    [
        (23, ReportMessage(SELL, NOW_WINDOW, 0, (0,) * 225), METER),
        (24, ReportMessage(2, NOW_WINDOW, 0, (0,)), METER),
        (6, ReportMessage(SELL, NOW_WINDOW, 0, (0,)), HOME),
        (25, ReportMessage(SELL, NOW_WINDOW, 2**48, (0,)), METER),
        (26, ReportMessage(SELL, NOW_WINDOW, 0, (0,) * 5), METER),
        (27, ReportMessage(SELL, NOW_WINDOW, 0, (0, 0, 0)), METER),
        (28, ReportMessage(SELL, NOW_WINDOW, 0), METER),
        (29, ReportMessage(SELL, NOW_WINDOW - 1, 0, (5, 0, 0)), METER),
        (31, ReportMessage(SELL, FIRST + 1, 9), METER),
        (33, ReportMessage(BUY, NOW_WINDOW, 0, (0, 0)), METER),
        (0, ReportMessage(SELL, FIRST, 9), METER),
    ],
)
def test_report__one_thing_wrong__its_code(code: int, report: ReportMessage, signer: str) -> None:
    village = Village(1)
    assert village.relay(village.order(HOME, SELL, FIRST, FIRST + 1, 100, 20)) == [0]
    village.now += 4 * WINDOW
    village.market.clear(village.now, 1)
    assert village.relay(ReportItem(HOME, report, 0, signer)) == [code]
    assert village.relay(ReportItem(account(7), report, 0, signer)) == [code if code in (23, 24) else 4]
    assert check_all(village.market) == []


def test_report__wrong_hint_or_lower_register__their_codes() -> None:
    village = Village(1)
    village.relay(village.order(HOME, SELL, FIRST + 1, FIRST + 1, 100, 20))
    village.now += 3 * WINDOW
    village.market.clear(village.now, 9)
    report = ReportMessage(SELL, NOW_WINDOW, 0, (5, 0, 0))
    assert village.relay(ReportItem(HOME, report, 1, METER), DueItem(HOME, 1, 9)) == [32, 32]
    assert village.relay(DueItem(HOME, 0, 0), ReportItem(HOME, report, 0, METER)) == [34, 0]
    village.now += 9 * WINDOW
    assert village.relay(ReportItem(HOME, ReportMessage(SELL, NOW_WINDOW + 5, 4), 0, METER)) == [30]


def test_rated_buyer__reports_or_is_silent__score_follows() -> None:
    village = Village(2)
    village.registry.rate(START, HOME, True)
    village.relay(
        village.order(HOME, BUY, FIRST, FIRST + 1, 1000, 50),
        village.order(account(1), SELL, FIRST, FIRST + 1, 1000, 20),
    )
    village.now += 3 * WINDOW
    village.market.clear(village.now, 9)
    assert village.relay(DueItem(HOME, 0, 9), village.report(HOME, SELL, [0, 0])) == [34, 33]
    assert village.relay(village.report(HOME, BUY, [0, 400])) == [0]
    fell = START_SCORE - village.market.wallet(HOME).score
    assert fell == -(-1000 * 65536 * 1000 // 11_000)
    village.now = (FIRST + 2) * WINDOW + 3 * DAY - 1
    assert village.relay(DueItem(HOME, 0, 9), DueItem(account(1), 0, 9)) == [34, 34]
    village.now += 1
    assert village.relay(DueItem(HOME, 0, 9)) == [0]
    assert village.market.wallet(HOME).score < START_SCORE - fell
    with pytest.raises(ValueError, match="settle it first"):
        attribution(village.market, FIRST + 1)
    assert attribution(village.market, 1) == {}
    assert village.relay(DueItem(account(1), 0, 9)) == [0]
    assert check_all(village.market) == []


def test_revoked_seller__gated_window__the_utility_supplies_without_penalty() -> None:
    village = Village(2)
    market = village.market
    village.relay(
        village.order(HOME, BUY, FIRST, FIRST, 1000, 50),
        village.order(account(1), SELL, FIRST, FIRST + 3, 1000, 20),
    )
    village.now += WINDOW - 300
    market.clear(village.now, 1)
    village.registry.revoke(village.now, OPERATOR, connection(1))
    assert market.wallet(account(1)).reserved == 1000 * (3100 - 300)
    assert market.order(account(1), 0).count == 1
    assert village.relay(DueItem(account(1), 0, 9)) == [0]
    price = market.parameters.price(market.results[FIRST].level)
    assert market.wallet(account(1)) == replace(
        market.wallet(account(1)), balance=10**9, reserved=0, score=START_SCORE
    )
    assert market.wallet(BALANCING).balance == 1000 * price
    refuses("enrolment: not enrolled", lambda: village.registry.revoke(village.now, OPERATOR, connection(1)))
    refuses("enrolment: already enrolled", lambda: village.enrol(connection(8), account(1), meter(8)))
    assert check_all(market) == []


def test_clear__closed_gate_or_idle__refused_or_jumps() -> None:
    village = Village(1)
    market = village.market
    refuses("auction: nothing to clear", lambda: market.clear(START, 9))
    assert market.clear(START + 9999 * WINDOW, 9) == 1
    assert market.book_state.cleared == NOW_WINDOW + 9999
    refuses("relay: unknown item", lambda: market.relay(START, ["item"]))  # type: ignore[list-item]
    with pytest.raises(ValueError, match="at most 1024 words"):
        market.relay(START, [DueItem(HOME, 0, 1)] * 1025)


def test_money__deposit_permit_withdraw__measured_and_guarded() -> None:
    market = Village(1, money=0).market
    refuses("wallets: zero amount", lambda: market.deposit(START, HOME, 0))
    refuses("wallets: transfer failed", lambda: market.deposit(START, HOME, 5, succeeds=False))
    refuses("wallets: balance too large", lambda: market.deposit(START, HOME, 2**102))
    refuses("wallets: nothing received", lambda: market.deposit(START, HOME, 5, received=0))
    refuses("wallets: bad permit", lambda: market.deposit_permit(START, HOME, 5, allowance=6))
    assert market.deposit_permit(START, HOME, 100, allowance=100, received=99) == 99

    def signed(amount: int, nonce: int = 0, deadline: int = START, signer: str = HOME) -> None:
        market.withdraw_signed(START, HOME, STRANGER, amount, nonce, deadline, signer)

    refuses("wallets: message expired", lambda: signed(1, deadline=START - 1))
    refuses("wallets: nonce used", lambda: signed(1, nonce=1))
    refuses("signing: bad signature", lambda: signed(1, signer=ZERO_ADDRESS))
    refuses("wallets: zero amount", lambda: signed(0))
    refuses("wallets: bad recipient", lambda: market.withdraw(START, HOME, 1, MARKET))
    refuses("wallets: not enough free money", lambda: signed(100))
    refuses("wallets: transfer failed", lambda: market.withdraw(START, HOME, 1, STRANGER, succeeds=False))
    signed(40)
    refuses("wallets: nonce used", lambda: signed(1))
    market.withdraw(START, HOME, 59, HOME)
    assert (market.token_balance, market.outside) == (0, {HOME: -41, STRANGER: 40})
    assert check_all(market) == []
