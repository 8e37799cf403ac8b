"""One scene for each reason that only a direct act, the registry or a deployment can meet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from peerwatt.reference.tariffs import Tables
from twin import BALANCING, OPERATOR, REGULATOR, STRANGER, TABLES, TERMS, Home, Key, Twin

Direct = Callable[[Twin], Any]
UNEVEN = Tables(surcharges=(0,) * 15 + (1,))


def stalled(twin: Twin, days: int = 9) -> Home:
    """A book with an open order that nobody clears."""
    home = twin.home("alice")
    twin.bid(home, twin.gated + 1, twin.gated + 1, 1_000, 200)
    twin.travel(days * 86_400)
    return home


def closed(twin: Twin) -> Any:
    stalled(twin)
    twin.announce_wind_down()
    twin.travel(86_400)
    assert twin.wind_down() is None
    return twin.clear()


def too_young(twin: Twin) -> Any:
    stalled(twin)
    twin.announce_wind_down()
    twin.travel(86_399)
    return twin.wind_down()


def announced_twice(twin: Twin) -> Any:
    stalled(twin)
    assert twin.announce_wind_down() is None
    twin.travel(86_400)
    return twin.announce_wind_down()


def bound_before(twin: Twin) -> Any:
    alice, bob = twin.home("alice"), Home.named("bob")
    return twin.enrol(bob, meter=alice.meter.address, meter_signer=alice.meter)


def open_windows(twin: Twin) -> Any:
    return twin.swap_meter(stalled(twin, 0))


def too_soon(twin: Twin) -> Any:
    assert twin.publish_tariff(300, TABLES) is None
    return twin.publish_tariff(300, TABLES)


def used_permit_of_less(twin: Twin) -> Any:
    return twin.deposit_permit(twin.home("alice"), 100, permitted=99)


def paused_enrolment(twin: Twin) -> Any:
    twin.set_paused(True)
    return twin.enrol(Home.named("alice"))


def not_the_registry(twin: Twin) -> Any:
    return twin.act(
        twin.contracts.market,
        "set_paused",
        (True,),
        STRANGER.address,
        lambda: twin.market.set_paused(twin.now, STRANGER.address, True),
    )


def too_much(twin: Twin) -> Any:
    home = twin.home("alice")
    assert twin.deposit(home, 2**102 - 1 - twin.market.token_balance) == 2**102 - 1 - 10**12
    return twin.deposit(home, 1)


def alice(twin: Twin) -> Home:
    return twin.home("alice")


def senseless(twin: Twin) -> Any:
    return twin.set_terms(alice(twin), replace(TERMS, status=3))


DIRECT: dict[str, Direct] = {
    "auction: market closed": closed,
    "auction: already announced": announced_twice,
    "auction: nothing to clear": lambda twin: twin.clear(),
    "auction: nothing open": lambda twin: twin.announce_wind_down(),
    "auction: clear first": lambda twin: (stalled(twin, 7), twin.announce_wind_down())[1],
    "auction: no notice": lambda twin: (stalled(twin), twin.wind_down())[1],
    "auction: notice too young": too_young,
    "enrolment: already enrolled": lambda twin: twin.enrol(alice(twin), connection=bytes(31) + b"1"),
    "enrolment: bad meter": lambda twin: twin.enrol(
        home := Home.named("bob"), meter=home.account.address, meter_signer=home.account
    ),
    "enrolment: class not accepted": lambda twin: twin.enrol(Home.named("bob"), replace(TERMS, meter_class=3)),
    "enrolment: class out of bounds": lambda twin: twin.accept_classes(2**64),
    "enrolment: connection taken": lambda twin: twin.enrol(Home.named("bob"), connection=alice(twin).connection),
    "enrolment: message expired": lambda twin: twin.enrol(Home.named("bob"), deadline=twin.now - 1),
    "enrolment: meter bound before": bound_before,
    "enrolment: no such connection": lambda twin: twin.enrol(Home.named("bob"), connection=bytes(32)),
    "enrolment: not enrolled": lambda twin: twin.swap_meter(Home.named("bob")),
    "enrolment: not the old meter": lambda twin: twin.swap_meter(alice(twin), old_meter=STRANGER.address),
    "enrolment: register overflow": lambda twin: twin.enrol(Home.named("bob"), exported_wh=2**48),
    "enrolment: senseless terms": senseless,
    "participants: bad agent": lambda twin: twin.authorise_signed(
        home := alice(twin), agent=home.account.address, nonce=9, signer=STRANGER
    ),
    "participants: message expired": lambda twin: twin.rate_signed(alice(twin), True, deadline=twin.now - 1),
    "participants: nonce used": lambda twin: twin.authorise_signed(alice(twin), nonce=1),
    "participants: only the registry": not_the_registry,
    "participants: open windows": open_windows,
    "registry: paused": paused_enrolment,
    "roles: bad role": lambda twin: twin.offer_role(4, STRANGER, STRANGER),
    "roles: not offered": lambda twin: twin.accept_role(0, STRANGER),
    "roles: not the holder": lambda twin: twin.offer_role(2, STRANGER, OPERATOR),
    "roles: not the operator": lambda twin: twin.revoke(bytes(32), REGULATOR),
    "roles: not the regulator": lambda twin: twin.set_paused(True, OPERATOR),
    "tariffs: bad table": lambda twin: twin.publish_tariff(300, UNEVEN),
    "tariffs: fee out of bounds": lambda twin: twin.set_feeder_fee(1, 2**64),
    "tariffs: imbalance out of bounds": lambda twin: twin.publish_tariff(65_536, TABLES),
    "tariffs: imbalance too low": lambda twin: twin.publish_tariff(298, TABLES),
    "tariffs: no such class": lambda twin: twin.set_retail(16, 1),
    "tariffs: no such feeder": lambda twin: twin.set_feeder_fee(2**16, 1),
    "tariffs: retail above imbalance": lambda twin: twin.set_retail(2, 211_501),
    "tariffs: scale out of bounds": lambda twin: twin.set_feeder_scale(1, 10_001, 0),
    "tariffs: too soon": too_soon,
    "wallets: bad permit": used_permit_of_less,
    "wallets: bad recipient": lambda twin: twin.withdraw(alice(twin), 1, "0x" + "00" * 20),
    "wallets: balance too large": too_much,
    "wallets: message expired": lambda twin: twin.withdraw_signed(alice(twin), 1, deadline=twin.now - 1),
    "wallets: nonce used": lambda twin: twin.withdraw_signed(alice(twin), 1, nonce=1),
    "wallets: zero amount": lambda twin: twin.withdraw(alice(twin), 0),
}
# Reasons that more than one act can have, each by another act than above.
OTHERS: list[tuple[str, Direct]] = [
    ("enrolment: no such connection", lambda twin: twin.move_out(bytes(32))),
    ("enrolment: no such connection", lambda twin: twin.revoke(Home.named("bob").connection)),
    ("enrolment: not enrolled", lambda twin: twin.set_terms(Home.named("bob"), TERMS)),
    ("enrolment: class not accepted", lambda twin: twin.swap_meter(alice(twin), 3)),
    ("enrolment: register overflow", lambda twin: twin.swap_meter(alice(twin), imported_wh=2**48)),
    ("enrolment: message expired", lambda twin: twin.swap_meter(alice(twin), deadline=twin.now - 1)),
    ("enrolment: senseless terms", lambda twin: twin.enrol(Home.named("b"), replace(TERMS, retail_class=2))),
    ("participants: open windows", lambda twin: twin.move_out(stalled(twin, 0).connection)),
    ("participants: nonce used", lambda twin: twin.rate_signed(alice(twin), True, nonce=1)),
    ("signing: bad signature", lambda twin: twin.rate_signed(alice(twin), True, signer=STRANGER)),
    ("signing: bad signature", lambda twin: twin.authorise_signed(alice(twin), signer=STRANGER)),
    ("signing: bad signature", lambda twin: twin.enrol(Home.named("bob"), account_signer=STRANGER)),
    ("signing: bad signature", lambda twin: twin.enrol(Home.named("bob"), meter_signer=STRANGER)),
    ("signing: bad signature", lambda twin: twin.enrol(Home.named("bob"), consented=True)),
    ("signing: bad signature", lambda twin: twin.withdraw_signed(alice(twin), 1, signer=STRANGER)),
    ("wallets: zero amount", lambda twin: twin.deposit(alice(twin), 0)),
    ("wallets: zero amount", lambda twin: twin.deposit_permit(alice(twin), 0)),
    ("wallets: zero amount", lambda twin: twin.withdraw_signed(alice(twin), 0)),
    ("wallets: bad recipient", lambda twin: twin.withdraw(alice(twin), 1, twin.contracts.market.address)),
    ("wallets: not enough free money", lambda twin: twin.withdraw(alice(twin), 10**12 + 1)),
    ("wallets: not enough free money", lambda twin: twin.withdraw_signed(alice(twin), 10**12 + 1)),
    ("wallets: transfer failed", lambda twin: twin.deposit(alice(twin), 1, minted=False)),
    ("wallets: transfer failed", lambda twin: twin.deposit_permit(alice(twin), 1, minted=False)),
    ("wallets: bad permit", lambda twin: twin.deposit_permit(alice(twin), 1, signer=STRANGER)),
    ("wallets: bad permit", lambda twin: twin.deposit_permit(alice(twin), 1, deadline=twin.now - 1)),
    ("auction: nothing open", lambda twin: twin.wind_down()),
    ("auction: market closed", lambda twin: (closed(twin), twin.announce_wind_down())[1]),
    ("roles: bad role", lambda twin: twin.accept_role(4, STRANGER)),
    ("roles: not the operator", lambda twin: twin.enrol(Home.named("bob"), caller=REGULATOR)),
    ("roles: not the operator", lambda twin: twin.set_feeder_scale(1, 1, 1, REGULATOR)),
    ("roles: not the operator", lambda twin: twin.swap_meter(alice(twin), caller=STRANGER)),
    ("roles: not the operator", lambda twin: twin.set_terms(alice(twin), TERMS, STRANGER)),
    ("roles: not the operator", lambda twin: twin.move_out(bytes(32), STRANGER)),
    ("roles: not the regulator", lambda twin: twin.publish_tariff(300, TABLES, OPERATOR)),
    ("roles: not the regulator", lambda twin: twin.set_feeder_fee(1, 1, OPERATOR)),
    ("roles: not the regulator", lambda twin: twin.set_retail(1, 1, OPERATOR)),
    ("roles: not the regulator", lambda twin: twin.accept_classes(1, OPERATOR)),
    ("roles: not the holder", lambda twin: twin.offer_role(0, Key.named("x"), BALANCING)),
]
