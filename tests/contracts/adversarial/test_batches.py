"""Attacks on relayed batches: malformed, oversized, poisoned, and on whoever stands next to a bad item."""

from __future__ import annotations

import boa

from contracts.adversarial.scene import BUY, GAS_CAP, HIGH, LOW, Scene
from contracts.helpers_gas import Home as GasHome
from contracts.helpers_gas import chain_of_its_own
from peerwatt.market.relay import DueItem, OrderItem, pack
from twin.chain import SILENT, STRANGER


def test_item__cut_short__whole_batch_reverts(scene: Scene) -> None:
    # Read past the end, an item would take the next words of memory for its signature.
    seller, buyer = scene.homes("seller", "buyer")
    scene.trade(seller, buyer)
    order = scene.twin.bid_item(buyer, scene.next, scene.next, 1_000, HIGH)
    report = scene.twin.report_item(seller, [0, 1_000])
    with scene.unharmed(seller, buyer), scene.untouched():
        for words in (order.pack()[:-1], order.pack()[:1], report.pack()[:-1], [*order.pack(), *report.pack()[:-2]]):
            scene.twin.relay_words(words, "relay: item cut short")
        # A report that claims more windows than words came with it.
        words = report.pack()
        words[0] |= 255 << 224
        scene.twin.relay_words(words, "relay: item cut short")


def test_item__of_an_unknown_kind__whole_batch_reverts(scene: Scene) -> None:
    # A word whose length nobody knows would shift all that come after it.
    (buyer,) = scene.homes("buyer")
    order = scene.twin.bid_item(buyer, scene.next, scene.next, 1_000, HIGH)
    with scene.unharmed(buyer), scene.untouched():
        for kind in (0, 5, 255):
            words = [int(buyer.account.address, 16) | kind << 248]
            scene.twin.relay_words(words, "relay: unknown item")
            scene.twin.relay_words([*order.pack(), *words], "relay: unknown item")


def test_item__skipped__leaves_no_trace(scene: Scene) -> None:
    # A bad item of every kind among good ones: the good ones do what they do without it, to the last word of storage.
    seller, buyer, mallory = scene.homes("seller", "buyer", "mallory")
    scene.trade(seller, buyer)
    good = [
        scene.twin.bid_item(buyer, scene.next, scene.next + 1, 1_000, HIGH),
        scene.twin.report_item(seller, [0, 1_000]),
        scene.twin.due_item(buyer),
    ]
    bad = [
        scene.twin.order_item(mallory, BUY, scene.next, scene.next, 1_000, HIGH, signer=STRANGER),
        scene.twin.cancel_item(mallory, 999, signer=STRANGER),
        scene.twin.report_item(seller, [0, 999], signer=STRANGER),
        scene.twin.due_item(mallory),
        scene.twin.bid_item(mallory, 0, 1, 1_000, HIGH),
        scene.twin.bid_item(mallory, scene.next, scene.next, 20_000, 255),
    ]
    scene.done(scene.twin.withdraw(mallory, scene.free(mallory)))
    address = boa.util.abi.Address(scene.market.address)

    def storage() -> dict[int, int]:
        slots = boa.env.sstore_trace[address]
        return {slot: value for slot in slots if (value := boa.env.evm.get_storage(address, slot))}

    with boa.env.anchor():
        boa.env.evm.patch.timestamp = scene.twin.now
        assert scene.market.send(STRANGER.address, "relay", pack(good), True).reason is None
        expected = storage()
    mixed = [bad[0], good[0], bad[1], bad[2], good[1], bad[3], good[2], bad[4], bad[5]]
    with scene.unharmed(mallory):
        codes = scene.twin.relay(*mixed)
    assert [code == 0 for code in codes] == [item in good for item in mixed]
    assert storage() == expected


def test_batch__strict_with_one_bad_item__nothing_done(scene: Scene) -> None:
    seller, buyer = scene.homes("seller", "buyer")
    good = scene.twin.bid_item(buyer, scene.next, scene.next, 1_000, HIGH)
    bad = scene.twin.order_item(seller, BUY, scene.next, scene.next, 1_000, HIGH, signer=STRANGER)
    with scene.unharmed(seller, buyer), scene.untouched():
        assert scene.twin.relay(good, bad, strict=True) == "signing: bad signature"


def test_batch__same_order_twice__taken_once(scene: Scene) -> None:
    (buyer,) = scene.homes("buyer")
    order = scene.twin.bid_item(buyer, scene.next, scene.next, 1_000, HIGH)
    assert scene.twin.relay(order, order, order) == [0, 13, 13]
    assert scene.wallet(buyer).reserved == 1_000 * scene.twin.market.parameters.price(HIGH)


def test_batch__over_its_limit__refused(scene: Scene) -> None:
    (buyer,) = scene.homes("buyer")
    due = DueItem(buyer.account.address, 1).pack()
    with scene.unharmed(buyer), scene.untouched():
        outcome = scene.market.send(STRANGER.address, "relay", due * 1_025, False)
        assert outcome.reason.startswith(SILENT)
        assert scene.market.send(STRANGER.address, "relay", due * 100, False).reason is None


def test_batch__at_its_limit_of_orders__fits_a_transaction() -> None:
    # 256 orders of 256 homes that never ordered before: every word is new, nothing is dearer.
    with chain_of_its_own() as chain:
        homes = [GasHome.make(number, BUY) for number in range(256)]
        for home in homes:
            chain.enrol(home)
        first = chain.next_window
        orders = [home.order(chain.domain, first, first + 9, 1_000, 100) for home in homes]
        assert len(pack(orders)) == 1_024
        used = chain.relay(orders)
        assert used < GAS_CAP, used


def test_report__of_224_windows_and_16_orders__fits_a_transaction() -> None:
    # The longest single item there can be: one that no transaction could carry would hold its home's money for ever.
    with chain_of_its_own() as chain:
        seller, buyer = GasHome.make(1, 1), GasHome.make(2, BUY)
        for home in (seller, buyer):
            chain.enrol(home)
        start = chain.now // 900
        first = chain.next_window
        last = first + 222
        for home in (seller, buyer):
            level = 60 if home.side else 220
            orders = []
            for slot in range(16):
                begin = first + slot * 14
                end = min(begin + 13, last)
                orders.append(home.order(chain.domain, begin, end, 1_000, level, slot))
            for order in orders:
                if order.last <= int(chain.market.book_state()) % 2**32 + 224:
                    chain.relay([order])
        chain.to_end(last)
        while int(chain.market.book_state()) % 2**32 < last:
            chain.clear(64)
        count = last + 1 - start
        report = seller.report(chain.domain, start, [1_000] * count, range(16))
        assert len(report.growths_wh) <= 224
        used = chain.relay([report])
        assert used < GAS_CAP, used
        assert int(chain.market.calendars(seller.account)) % 2**224 == 0
        assert chain.relay([DueItem(buyer.account, 224, report.hints)]) < GAS_CAP


def test_relayer__orders_of_a_thousand_strangers__cannot_poison_a_batch(scene: Scene) -> None:
    # Values at the edges of every field, unsigned: each is skipped, none makes the batch revert.
    (victim,) = scene.homes("victim")
    top = 2**32 - 1
    edges = [
        OrderItem(account, nonce, first, last, energy_wh, level, side, r, vs, agent)
        for account in (victim.account.address, STRANGER.address, "0x" + "00" * 20)
        for nonce, first, last in ((0, 0, 0), (top, top, top), (17, top, 0), (17, 0, top))
        for energy_wh, level, side in ((0, 0, 0), (2**24 - 1, 255, 1), (50, 0, 255))
        for r, vs in ((0, 0), (2**256 - 1, 2**256 - 1))
        for agent in ("0x" + "00" * 20, account)
    ]
    scene.done(scene.twin.bid(victim, scene.next, scene.next, 1_000, LOW))
    with scene.unharmed(victim), scene.untouched():
        codes = scene.twin.relay(*edges)
    assert len(codes) == len(edges) and all(codes)
