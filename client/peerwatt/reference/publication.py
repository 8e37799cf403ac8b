"""What the regulator and the operator set for all: tariffs, fees, feeder scales, accepted meters, pause."""

from __future__ import annotations

from dataclasses import replace

from .market import Market
from .parameters import RegistryParameters
from .reasons import require
from .roles import Roles
from .tariffs import BPS, Feeder, Tables, TariffHead
from .values import uint

FEEDERS = 2**16
MAX_FEE = 2**64
RETAIL_CLASSES = 16
METER_CLASSES = 64
MAX_VERSION = 2**15 - 1
NOTICE_WINDOWS = 256


class Publication(Roles):
    """Tariffs and limits. `retail` is what each class pays its supplier [base units per Wh],
    `accepted_classes` a bitmap of meter classes."""

    def __init__(self, market: Market, parameters: RegistryParameters) -> None:
        super().__init__(market, parameters)
        self.accepted_classes = parameters.accepted_meter_classes
        self.retail: dict[int, int] = {}

    def set_feeder_scale(self, now: int, caller: str, feeder: int, import_bps: int, export_bps: int) -> None:
        """Scales the envelopes of a feeder's connections, for orders accepted from now on."""
        self._check_operator(caller)
        require(uint(feeder, 256, "feeder") < FEEDERS, "tariffs: no such feeder")
        within = uint(import_bps, 256, "import_bps") <= BPS and uint(export_bps, 256, "export_bps") <= BPS
        require(within, "tariffs: scale out of bounds")
        word = self.market.feeders.get(feeder, Feeder())
        scaled = replace(word, import_scale_bps=import_bps, export_scale_bps=export_bps)
        self.market.set_feeder(now, self.address, feeder, scaled)

    def set_feeder_fee(self, now: int, caller: str, feeder: int, fee_per_wh: int) -> None:
        """Sets a feeder's network fee, for orders accepted from now on."""
        self._check_regulator(caller)
        require(uint(feeder, 256, "feeder") < FEEDERS, "tariffs: no such feeder")
        require(uint(fee_per_wh, 256, "fee_per_wh") < MAX_FEE, "tariffs: fee out of bounds")
        word = self.market.feeders.get(feeder, Feeder())
        self.market.set_feeder(now, self.address, feeder, replace(word, fee_per_wh=fee_per_wh))

    def set_retail(self, now: int, caller: str, retail_class: int, price_per_wh: int) -> None:
        """Sets what a class pays its supplier [base units per Wh]; 0 closes the class."""
        self._check_regulator(caller)
        require(uint(retail_class, 256, "retail_class") < RETAIL_CLASSES, "tariffs: no such class")
        uint(price_per_wh, 256, "price_per_wh")
        head = self._head_at(self._window_at(now))
        price_at = self.market.parameters.price
        # Until a tariff is published no retail price fits under it.
        highest = price_at(head.imbalance_steps) if head.version else 0
        if head.next_from:
            highest = min(highest, price_at(head.next_imbalance_steps))
        require(price_per_wh <= highest, "tariffs: retail above imbalance")
        self.retail[retail_class] = price_per_wh
        self._emit("RetailSet", retail_class=retail_class, price_per_wh=price_per_wh)

    def publish_tariff(self, now: int, caller: str, imbalance_steps: int, tables: Tables) -> None:
        """Publishes the next version: the first holds at once, later ones after the horizon of every order in
        the book, since a seller's exposure depends on the imbalance price."""
        self._check_regulator(caller)
        uint(imbalance_steps, 256, "imbalance_steps")
        window = self._window_at(now)
        head = self._head_at(window)
        price = self.market.parameters.price(imbalance_steps)
        require(head.next_from == 0, "tariffs: too soon")
        dear_enough = imbalance_steps >= 256 and price >= max(self.retail.values(), default=0)
        require(dear_enough, "tariffs: imbalance too low")
        require(imbalance_steps <= 65535, "tariffs: imbalance out of bounds")
        self._check_tables(tables)
        version = head.version + 1
        require(version <= MAX_VERSION, "tariffs: no version left")
        if version == 1:
            head = TariffHead(1, imbalance_steps)
        else:
            head = replace(
                head,
                next_version=version,
                next_imbalance_steps=imbalance_steps,
                next_from=window + NOTICE_WINDOWS,
            )
        self.market.set_tariff(now, self.address, head, version, tables)

    def accept_classes(self, now: int, caller: str, bitmap: int) -> None:
        """Sets which classes of meters may be enrolled."""
        self._check_regulator(caller)
        require(uint(bitmap, 256, "bitmap") < 1 << METER_CLASSES, "enrolment: class out of bounds")
        self.accepted_classes = bitmap
        self._emit("ClassesAccepted", bitmap=bitmap)

    def set_paused(self, now: int, caller: str, paused: bool) -> None:
        """Stops new orders and enrolments, or lets them in again."""
        self._check_regulator(caller)
        self.market.set_paused(now, self.address, paused)

    def _check_tables(self, tables: Tables) -> None:
        rows = (tables.surcharges, tables.haircuts, tables.rebates)
        if any(len(row) != 16 for row in rows):
            raise ValueError("a table has 16 bands")
        for row in rows:
            for value in row:
                uint(value, 16, "basis points")
        within = max(tables.surcharges) <= BPS and max(tables.haircuts) < BPS and max(tables.rebates) <= BPS
        falling = all(list(row) == sorted(row, reverse=True) for row in rows[:2])
        rising = list(tables.rebates) == sorted(tables.rebates)
        require(within and falling and rising, "tariffs: bad table")

    def _head_at(self, window: int) -> TariffHead:
        """The head with a published version that holds by now as its version."""
        head = self.market.tariff_head
        if head.next_from and head.next_from <= window:
            return TariffHead(head.next_version, head.next_imbalance_steps)
        return head
