"""The busy weeks of a small village: every act of a market, and every attempt that an honest market refuses.

What a market lets through that it must refuse, or does otherwise than it must, shows in one of these acts.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from audit.onchain import ChainTwin, Sent
from peerwatt.market import relay as items
from peerwatt.reference import BUY, SELL
from peerwatt.reference.tariffs import Tables
from twin import OPERATOR, STRANGER, Home, Key

DAY_S = 86_400
# What only a market has that nobody shipped.
HIDDEN = keccak(text="adjust(address,uint256)")[:4]
AMOUNT = 10**10
# Nonce of ada's order.
OF_WINDOW_B = 17
LATER = Tables(surcharges=(50,) * 16, haircuts=(50,) * 16)


class Script(ChainTwin):
    """A twin that lives through the script. Each act is a label, so that a test can say where something happens."""

    def __init__(self) -> None:
        super().__init__()
        self.do("homes")
        self.ada, self.eze, self.femi = (self.home(name, deposit=AMOUNT) for name in ("ada", "eze", "femi"))
        self.bola, self.chidi, self.dayo = (
            self.home(name, feeding_in=False, deposit=AMOUNT) for name in ("bola", "chidi", "dayo")
        )
        self.do("a deposit by permit")
        self.deposit_permit(self.bola, 5_000_000)
        self._mandates()
        # Windows A, B, C and those after them.
        self.first = self.gated + 1
        self._orders()
        self._refused_orders()
        self._clears()
        self._reports()
        self._tariffs()
        self._defaults()
        self._money()

    def do(self, label: str) -> None:
        """What follows is this act."""
        self.chain.label = label

    def offer_of(self, home: Home, window: int, energy_wh: int, level: int, windows: int = 1) -> items.OrderItem:
        """A signed offer; windows are counted from A."""
        first = self.first + window
        return self.order_item(home, SELL, first, first + windows - 1, energy_wh, level)

    def bid_of(self, home: Home, window: int, energy_wh: int, level: int, **options: object) -> items.OrderItem:
        first = self.first + window
        return self.order_item(home, BUY, first, first, energy_wh, level, **options)  # type: ignore[arg-type]

    def _mandates(self) -> None:
        self.do("a home that wants to be rated")
        self.rate(self.dayo, True)
        self.do("a mandate")
        self.authorise(self.bola, expiry=self.now + 30 * DAY_S, max_buy_level=200)
        self.do("a mandate by a stranger")
        market = self.contracts.market
        forged = (self.ada.account.address, STRANGER.address, 2**64 - 1)
        assert market.send(STRANGER.address, "set_agent", *forged).reason

    def _orders(self) -> None:
        ada, eze, femi, bola, chidi, dayo = self.ada, self.eze, self.femi, self.bola, self.chidi, self.dayo
        self.do("orders for window A")
        # Supply at the margin is rationed.
        self.relay(
            self.offer_of(ada, 0, 1_000, 60),
            self.offer_of(eze, 0, 700, 60),
            self.offer_of(femi, 0, 100, 40, windows=20),
            self.bid_of(bola, 0, 901, 150, by_agent=True),
            self.bid_of(chidi, 0, 333, 150),
            self.bid_of(dayo, 0, 450, 160),
        )
        self.do("orders for window B")
        # Demand at the margin is rationed.
        self.relay(
            self.offer_of(ada, 1, 500, 60),
            self.bid_of(bola, 1, 301, 150),
            self.bid_of(chidi, 1, 403, 150),
            self.bid_of(dayo, 1, 352, 170),
        )
        self.do("orders for window C")
        # What is bid crosses all that is offered.
        self.relay(self.offer_of(ada, 2, 400, 60), self.bid_of(bola, 2, 500, 151))
        self.do("an order by the account itself")
        self.place(chidi, BUY, self.first + 3, self.first + 3, 250, 120)
        self.do("a cancel")
        self.relay(self.cancel_item(chidi, chidi.nonce))
        self.do("a nonce is burnt")
        self.cancel(chidi, chidi.nonce + 1)

    def _refused_orders(self) -> None:
        ada, bola, chidi = self.ada, self.bola, self.chidi
        self.do("an order that a stranger signed")
        self.relay(self.order_item(chidi, BUY, self.first + 5, self.first + 5, 100, 150, signer=STRANGER))
        self.do("a cancel that a stranger signed")
        self.relay(self.cancel_item(bola, bola.nonce, signer=STRANGER))
        self.do("an order beyond the envelope")
        self.relay(self.offer_of(ada, 5, 20_001, 60))
        self.do("an order of an agent beyond its cap")
        self.relay(self.bid_of(bola, 5, 100, 201, by_agent=True))
        self.do("an order for a window that is taken")
        self.relay(self.bid_of(bola, 0, 100, 150))
        self.do("an order that nobody can pay")
        self.relay(self.order_item(chidi, BUY, self.first + 6, self.first + 25, 20_000, 255))
        self.do("a home that its meter did not sign for")
        self.enrol(Home.named("mallory"), meter_signer=STRANGER)
        self.do("reserved money is withdrawn")
        wallet = self.market.wallets[ada.low]
        self.withdraw(ada, wallet.balance - wallet.reserved + 1)

    def _clears(self) -> None:
        self.do("clearing before the gate")
        self.clear()
        self.travel_to(self.first, -200)
        self.do("window A is cleared")
        self.clear()
        self.do("a cancel past the gate")
        self.relay(self.cancel_item(self.ada, OF_WINDOW_B, self.first + 1))
        self.travel_to(self.first + 3, 100)
        self.do("windows B and C are cleared, late")
        self.clear()

    def _report(self, home: Home, growths: Sequence[int], side: int = SELL, signer: Key | None = None) -> None:
        self.relay(self.report_item(home, growths, side=side, signer=signer))

    def _reports(self) -> None:
        ada, eze, dayo, bola, chidi = self.ada, self.eze, self.dayo, self.bola, self.chidi
        self.do("a report of another meter")
        self._report(eze, [0, 600, 0, 0], signer=ada.meter)
        self.do("what is due too early")
        self.relay(self.due_item(eze))
        self.do("a report of full delivery")
        self._report(ada, [5, 1_000, 480, 400])
        self.do("a report of a shortfall")
        self._report(eze, [0, 411, 0, 0])
        self.do("a report of a rated buyer")
        self._report(dayo, [9, 430, 352, 0], side=BUY)
        self.do("what is due")
        self.relay(self.due_item(bola), self.due_item(chidi))
        self.do("what was settled is due again")
        self.relay(self.due_item(bola), self.due_item(chidi))
        self.do("idle windows are cleared")
        self.travel_to(self.first + 4, 100)
        self.clear()
        self.do("a register that falls")
        register = self.market.export_register(ada.low)
        self.relay(self.report_item(ada, [], first=register.window + 1, opening_wh=register.register_wh - 1))

    def _tariffs(self) -> None:
        self.do("another tariff")
        self.publish_tariff(310, LATER)
        self.do("an order before the other tariff")
        start = self.gated + 2
        self.relay(self.order_item(self.ada, SELL, start, start, 200, 60))
        self.do("a meter is revoked")
        self.revoke(self.femi.connection)

    def _defaults(self) -> None:
        self.travel(4 * DAY_S)
        self.do("four idle days are cleared")
        self.clear()
        self.do("silent sellers")
        self.relay(self.due_item(self.ada), self.due_item(self.femi))

    def _money(self) -> None:
        ada, chidi, deadline = self.ada, self.chidi, self.now + DAY_S
        self.do("a signed withdrawal")
        self.withdraw_signed(ada, 1_000, nonce=0, deadline=deadline)
        self.do("the same withdrawal again")
        self.withdraw_signed(ada, 1_000, nonce=0, deadline=deadline)
        self.do("a withdrawal that a stranger signed")
        self.withdraw_signed(ada, 1_001, signer=STRANGER)
        self.do("what is not there is called")
        self.chain.send(
            OPERATOR,
            self.contracts.market.address,
            HIDDEN + bytes.fromhex(OPERATOR.address[2:]).rjust(32, b"\0") + (10**6).to_bytes(32, "big"),
            self.chain.tick(),
        )
        self.do("orders that stay open")
        start = self.gated + 2
        self.relay(
            self.order_item(self.bola, BUY, start, start + 3, 150, 100),
            self.order_item(self.chidi, BUY, start + 1, start + 1, 90, 100),
        )
        self.do("two withdrawals in one block")
        self._withdraw_together(self.bola, self.dayo)
        self.do("a last withdrawal")
        self.withdraw(chidi, 12_345)

    def _withdraw_together(self, *homes: Home) -> None:
        amount = 777
        market, self.now = self.contracts.market, self.chain.tick()
        signed = []
        for home in homes:
            selector, types, _ = market.functions["withdraw"]
            data = selector + encode(types, (amount, home.account.address))
            signed.append(self.chain.sign(home.account, market.address, data))
            self.market.withdraw(self.now, home.low, amount, home.low)
        for raw in signed:
            self.chain.sent.append(Sent(self.chain.label, self.now, raw))
        self.chain.mine(signed, self.now)


@cache
def script() -> Script:
    """The script, done once."""
    return Script()
