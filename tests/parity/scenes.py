"""One scene for each reason that a relayed item can be refused for: what leads to it, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from peerwatt.market import relay as items
from peerwatt.reference import BUY, SELL, Terms
from twin import FEEDER, STRANGER, TERMS, Home, Twin

Scene = Callable[[Twin], items.Item]
SCENES: dict[str, Scene] = {}


def of(reason: str) -> Callable[[Scene], Scene]:
    """Enters a scene into the table."""

    def enter(scene: Scene) -> Scene:
        assert reason not in SCENES, reason
        SCENES[reason] = scene
        return scene

    return enter


def bid(twin: Twin, home: Home, energy_wh: int = 1_000, level: int = 200, windows: int = 1) -> items.OrderItem:
    first = twin.gated + 1
    return twin.bid_item(home, first, first + windows - 1, energy_wh, level)


def trade(twin: Twin) -> tuple[Home, Home, int]:
    """A cleared and ended window in which alice sells 1,000 Wh to bob."""
    alice, bob, window = twin.home("alice"), twin.home("bob"), twin.gated + 1
    both = (twin.offer_item(alice, window, window, 1_000, 20), twin.bid_item(bob, window, window, 1_000, 200))
    assert twin.relay(*both) == [0, 0]
    twin.travel_to(window + 1)
    assert isinstance(twin.clear(), int)
    return alice, bob, window


def growths(twin: Twin, home: Home, last: int, growth: int = 1_000) -> list[int]:
    """Growths from the home's last reading to a window."""
    start = twin.market.export_register(home.low).window
    return [0] * (last - start) + [growth]


# Orders


@of("offers: paused")
def _(twin: Twin) -> items.Item:
    home = twin.home("alice")
    twin.set_paused(True)
    return bid(twin, home)


@of("offers: market closed")
def _(twin: Twin) -> items.Item:
    home = twin.home("alice")
    twin.relay(bid(twin, home))
    twin.travel(9 * 86_400)
    twin.announce_wind_down()
    twin.travel(86_400)
    assert twin.wind_down() is None
    return bid(twin, home)


@of("offers: bad side")
def _(twin: Twin) -> items.Item:
    return replace(bid(twin, twin.home("alice")), side=2)


@of("participants: not enrolled")
def _(twin: Twin) -> items.Item:
    return bid(twin, Home.named("nobody"))


@of("signing: bad signature")
def _(twin: Twin) -> items.Item:
    home, window = twin.home("alice"), twin.gated + 1
    return twin.order_item(home, BUY, window, window, 1_000, 200, signer=STRANGER)


@of("participants: agent not authorised")
def _(twin: Twin) -> items.Item:
    home, window = twin.home("alice"), twin.gated + 1
    return twin.order_item(home, BUY, window, window, 1_000, 200, by_agent=True)


@of("participants: over the agent's caps")
def _(twin: Twin) -> items.Item:
    home, window = twin.home("alice"), twin.gated + 1
    assert twin.authorise(home, max_buy_level=199) is None
    return twin.order_item(home, BUY, window, window, 1_000, 200, by_agent=True)


@of("offers: energy out of bounds")
def _(twin: Twin) -> items.Item:
    return bid(twin, twin.home("alice"), energy_wh=49)


@of("offers: windows reversed")
def _(twin: Twin) -> items.Item:
    return twin.bid_item(twin.home("alice"), twin.gated + 2, twin.gated + 1, 1_000, 200)


@of("offers: gate closed")
def _(twin: Twin) -> items.Item:
    return twin.bid_item(twin.home("alice"), twin.gated - 1, twin.gated, 1_000, 200)


@of("offers: beyond the horizon")
def _(twin: Twin) -> items.Item:
    return bid(twin, twin.home("alice"), windows=225)


@of("offers: nonce used")
def _(twin: Twin) -> items.Item:
    home, window = twin.home("alice"), twin.gated + 1
    assert twin.cancel(home, 33) is None
    return twin.order_item(home, BUY, window, window, 1_000, 200, nonce=33)


@of("offers: slot in use")
def _(twin: Twin) -> items.Item:
    home, window = twin.home("alice"), twin.gated + 1
    assert twin.relay(twin.order_item(home, BUY, window, window, 1_000, 200, nonce=16)) == [0]
    return twin.order_item(home, BUY, window + 1, window + 1, 1_000, 200, nonce=32)


@of("offers: window taken")
def _(twin: Twin) -> items.Item:
    home = twin.home("alice")
    assert twin.relay(bid(twin, home)) == [0]
    return bid(twin, home)


@of("participants: status forbids")
def _(twin: Twin) -> items.Item:
    home, window = twin.home("alice", feeding_in=False), twin.gated + 1
    return twin.offer_item(home, window, window, 1_000, 20)


@of("meters: reading too old")
def _(twin: Twin) -> items.Item:
    home = twin.home("alice")
    twin.travel(3 * 86_400)
    twin.clear()
    return twin.offer_item(home, twin.gated + 1, twin.gated + 1, 1_000, 20)


@of("meters: over the envelope")
def _(twin: Twin) -> items.Item:
    home = twin.home("alice", terms=Terms(999, 20_000, FEEDER, 2, 0, 0))
    return bid(twin, home)


@of("offers: no price level")
def _(twin: Twin) -> items.Item:
    return bid(twin, twin.home("alice"), level=0)


@of("wallets: not enough free money")
def _(twin: Twin) -> items.Item:
    unit = twin.market.parameters.price(200)
    return bid(twin, twin.home("alice", deposit=1_000 * unit - 1))


# Cancels


@of("offers: cancel expired")
def _(twin: Twin) -> items.Item:
    return twin.cancel_item(twin.home("alice"), 16, deadline=twin.now - 1)


@of("offers: nothing to cancel")
def _(twin: Twin) -> items.Item:
    return twin.cancel_item(twin.home("alice"), 0)


# Reports


@of("meters: report too long")
def _(twin: Twin) -> items.Item:
    return twin.report_item(twin.home("alice"), [0] * 225)


@of("meters: bad side")
def _(twin: Twin) -> items.Item:
    return replace(twin.report_item(twin.home("alice"), ()), side=2)


@of("meters: register overflow")
def _(twin: Twin) -> items.Item:
    home = twin.home("alice", exported_wh=2**48 - 1)
    twin.travel(900)
    twin.clear()
    return twin.report_item(home, [1])


@of("meters: window not ended")
def _(twin: Twin) -> items.Item:
    return twin.report_item(twin.home("alice"), [1])


@of("meters: window not cleared")
def _(twin: Twin) -> items.Item:
    home = twin.home("alice")
    twin.relay(bid(twin, home))
    twin.travel_to(twin.gated + 2)
    return twin.report_item(home, [1, 1])


@of("meters: reading not newer")
def _(twin: Twin) -> items.Item:
    return twin.report_item(twin.home("alice"), ())


@of("meters: opening differs")
def _(twin: Twin) -> items.Item:
    home = twin.home("alice")
    twin.travel(900)
    twin.clear()
    return twin.report_item(home, [1], opening_wh=501)


@of("meters: register decreases")
def _(twin: Twin) -> items.Item:
    home = twin.home("alice")
    twin.travel(1_800)
    twin.clear()
    return twin.report_item(home, (), first=twin.now_window, opening_wh=499)


@of("meters: starts after an open window")
def _(twin: Twin) -> items.Item:
    alice, _, window = trade(twin)
    return twin.report_item(alice, (), first=window + 1)


@of("settlement: wrong order hint")
def _(twin: Twin) -> items.Item:
    alice, _, window = trade(twin)
    return twin.report_item(alice, growths(twin, alice, window), hints=7)


@of("settlement: wrong side")
def _(twin: Twin) -> items.Item:
    alice, _, window = trade(twin)
    return twin.report_item(alice, growths(twin, alice, window), side=BUY)


@of("settlement: nothing due")
def _(twin: Twin) -> items.Item:
    alice, _, _ = trade(twin)
    return twin.due_item(alice)


# More ways to the same reasons


def agent_reserve(twin: Twin) -> items.Item:
    """Checked last: what the wallet would have reserved."""
    home, window = twin.home("alice"), twin.gated + 1
    unit = twin.market.parameters.price(200)
    assert twin.authorise(home, max_reserve=1_000 * unit - 1) is None
    return twin.order_item(home, BUY, window, window, 1_000, 200, by_agent=True)


def agent_sells_too_low(twin: Twin) -> items.Item:
    home, window = twin.home("alice"), twin.gated + 1
    assert twin.authorise(home, min_sell_level=21) is None
    return twin.order_item(home, SELL, window, window, 1_000, 20, by_agent=True)


def ring_is_full(twin: Twin) -> items.Item:
    """Nobody cleared for a while: the ring ends before the calendar does."""
    alice, bob = twin.home("alice"), twin.home("bob")
    assert twin.relay(bid(twin, alice)) == [0]
    twin.travel(60 * 900)
    first = twin.market.book_state.cleared + 255
    return twin.bid_item(bob, first, first, 1_000, 200)


def rated_bid_in_an_export_report(twin: Twin) -> items.Item:
    home, window = twin.home("alice"), twin.gated + 1
    assert twin.rate(home, True) is None
    assert twin.relay(bid(twin, home)) == [0]
    twin.travel_to(window + 1)
    twin.clear()
    return twin.report_item(home, growths(twin, home, window))


def due_with_a_wrong_hint(twin: Twin) -> items.Item:
    _, bob, _ = trade(twin)
    return twin.due_item(bob, hints=7)


def cancel_of_a_burnt_nonce(twin: Twin) -> items.Item:
    home = twin.home("alice")
    assert twin.cancel(home, 33) is None
    return twin.cancel_item(home, 33)


def cancel_at_the_last_second(twin: Twin) -> items.Item:
    home = twin.home("alice")
    order = bid(twin, home)
    assert twin.relay(order) == [0]
    return twin.cancel_item(home, order.nonce)


def agent_of_a_cancel_without_authority(twin: Twin) -> items.Item:
    return twin.cancel_item(twin.home("alice"), 16, by_agent=True)


def cancel_by_a_stranger(twin: Twin) -> items.Item:
    return twin.cancel_item(twin.home("alice"), 16, signer=STRANGER)


def report_of_nobody(twin: Twin) -> items.Item:
    return twin.report_item(Home.named("nobody"), (), first=1)


def report_by_the_account(twin: Twin) -> items.Item:
    home = twin.home("alice")
    return twin.report_item(home, (), signer=home.account)


def envelope_scaled_down(twin: Twin) -> items.Item:
    home = twin.home("alice", terms=TERMS)
    assert twin.set_feeder_scale(FEEDER, 499, 10_000) is None
    return bid(twin, home)


MORE: dict[Scene, str] = {
    agent_reserve: "participants: over the agent's caps",
    agent_sells_too_low: "participants: over the agent's caps",
    ring_is_full: "offers: beyond the horizon",
    rated_bid_in_an_export_report: "settlement: wrong side",
    due_with_a_wrong_hint: "settlement: wrong order hint",
    cancel_of_a_burnt_nonce: "offers: nothing to cancel",
    cancel_at_the_last_second: "offers: nothing to cancel",
    agent_of_a_cancel_without_authority: "participants: agent not authorised",
    cancel_by_a_stranger: "signing: bad signature",
    report_of_nobody: "participants: not enrolled",
    report_by_the_account: "signing: bad signature",
    envelope_scaled_down: "meters: over the envelope",
}
