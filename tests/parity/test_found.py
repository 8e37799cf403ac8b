"""What random lives found: each case as short as it can be told."""

from __future__ import annotations

from peerwatt.reference import BUY
from twin import TERMS, Home, Setup, fresh


def test_due__another_order_later__pointer_stays_at_what_is_cleared() -> None:
    """The pointer once ran on to the next order, past windows that could still be ordered: their order had no place
    in the calendar and was never settled."""
    with fresh() as twin:
        home, first = twin.home("alice"), twin.gated + 1
        orders = [twin.bid_item(home, first + at, first + at, 100, 200) for at in (0, 20)]
        assert twin.relay(*orders) == [0, 0]
        twin.travel_to(first + 1)
        twin.clear()
        assert twin.relay(twin.due_item(home)) == [0]
        assert twin.market.calendar(home.low).settled == twin.market.cleared < first + 5
        assert twin.relay(twin.bid_item(home, first + 5, first + 5, 100, 200)) == [0]
        assert twin.market.calendar(home.low).open == {first + 5, first + 20}
        twin.compare()
        twin.travel_to(first + 21)
        twin.clear()
        assert twin.relay(twin.due_item(home)) == [0]
        assert twin.market.wallet(home.low).reserved == 0
        twin.compare()


def test_default__tolerance_of_everything__counts_as_zero() -> None:
    """With a tolerance of 100 % silence once earned the full score."""
    with fresh(Setup(tolerance_bps=10_000, report_deadline_seconds=60)) as twin:
        seller, buyer, first = twin.home("alice"), twin.home("bob"), twin.gated + 1
        offer, bid = twin.offer_item(seller, first, first, 1_000, 20), twin.bid_item(buyer, first, first, 1_000, 200)
        assert twin.relay(offer, bid) == [0, 0]
        before = twin.market.wallet(seller.low).score
        twin.travel_to(first + 1)
        twin.clear()
        twin.travel(60)
        assert twin.relay(twin.due_item(seller)) == [0]
        assert twin.market.wallet(seller.low).score < before
        twin.compare()


def test_cancel__calendar_behind__moves_up_on_both_sides() -> None:
    with fresh() as twin:
        home, first = twin.home("alice"), twin.gated + 1
        order = twin.bid_item(home, first + 40, first + 50, 100, 200)
        assert twin.relay(order) == [0]
        twin.travel_to(first + 20)
        twin.clear()
        assert twin.cancel(home, order.nonce) is None
        assert twin.market.calendar(home.low).settled == twin.market.cleared
        twin.compare()


def test_clear__windows_without_orders_between__log_nothing() -> None:
    with fresh() as twin:
        home, first = twin.home("alice"), twin.gated + 1
        assert twin.place(home, BUY, first + 3, first + 3, 100, 200) is None
        twin.travel_to(first + 5)
        assert twin.clear(4) == 4
        assert [event.values["window"] for event in twin.events("WindowCleared")] == [first + 3]
        twin.compare()


def test_set_retail__no_tariff_yet__refused_but_for_zero() -> None:
    with fresh(published=False) as twin:
        assert twin.set_retail(0, 1) == "tariffs: retail above imbalance"
        assert twin.set_retail(0, 0) is None
        assert twin.enrol(Home.named("alice"), TERMS) == "enrolment: senseless terms"
        twin.compare()


def test_connection__second_account__known_with_its_score() -> None:
    with fresh() as twin:
        first, second = twin.home("alice", deposit=0), Home.named("bob")
        assert twin.move_out(first.connection) is None
        assert twin.enrol(second, connection=first.connection) is None
        assert twin.registry.connections[first.connection].known
        twin.compare()


def test_deposit_permit__of_nothing_while_something_is_allowed__bad_permit() -> None:
    with fresh() as twin:
        home = twin.home("alice")
        twin.mint(home.account, 100, allowance=50)
        assert twin.deposit_permit(home, 0, signer=Home.named("bob").account) == "wallets: bad permit"
        twin.compare()
