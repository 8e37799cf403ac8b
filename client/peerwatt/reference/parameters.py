"""What is fixed when a market is deployed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

from .reasons import require
from .values import ZERO_ADDRESS, address, uint

LEVELS = 256


@dataclass(frozen=True)
class MarketParameters:
    """The constructor's arguments of EnergyMarket, in their sequence.

    Money is in base units of the token, energy in Wh, time in seconds. `balancing_account` and
    `network_account` are where the market starts; they move by a hand-over of the role.

    Raises:
        Refused: "market: senseless parameter".
    """

    token: str
    registry: str
    window_seconds: int
    lead_seconds: int
    floor_price: int
    price_step: int
    report_deadline_seconds: int
    max_reading_age_seconds: int
    min_order_wh: int
    tolerance_bps: int
    inertia_wh: int
    balancing_account: str
    network_account: str

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type == "str":
                object.__setattr__(self, field.name, address(value))
                sensible = getattr(self, field.name) != ZERO_ADDRESS
                require(sensible, "market: senseless parameter")
            else:
                uint(value, 256, field.name)
        sensible = (
            60 <= self.window_seconds <= 86400
            and self.lead_seconds <= 86400
            and self.price_step > 0
            and self.floor_price + 65535 * self.price_step < 2**64
            and 0 < self.min_order_wh < 2**24
            and self.tolerance_bps <= 10000
            and 0 < self.inertia_wh < 2**32
            and 0 < self.report_deadline_seconds < 2**32
            and 0 < self.max_reading_age_seconds < 2**32
        )
        require(sensible, "market: senseless parameter")

    def price(self, level: int) -> int:
        """Price of a level, base units per Wh. Only the imbalance price has levels above 255."""
        return self.floor_price + level * self.price_step

    def window_at(self, now: int) -> int:
        """The window in which the instant lies."""
        return now // self.window_seconds

    def gated_at(self, now: int) -> int:
        """The newest window whose gate has closed: no order can enter it any more."""
        return (now + self.lead_seconds) // self.window_seconds

    def start_of(self, window: int) -> int:
        """The first second of a window."""
        return window * self.window_seconds

    def end_of(self, window: int) -> int:
        """The first second after a window."""
        return (window + 1) * self.window_seconds


@dataclass(frozen=True)
class RegistryParameters:
    """The constructor's arguments of EnergyRegistry.

    `accepted_meter_classes` is a bitmap of 64 classes. `predecessor` is `score_of` of an older registry.

    Raises:
        Refused: "registry: senseless parameter" or "enrolment: class out of bounds".
    """

    market: str
    operator: str
    regulator: str
    accepted_meter_classes: int
    balancing_account: str
    network_account: str
    predecessor: Callable[[bytes], int] | None = None

    def __post_init__(self) -> None:
        for name in ("market", "operator", "regulator", "balancing_account", "network_account"):
            object.__setattr__(self, name, address(getattr(self, name)))
            require(getattr(self, name) != ZERO_ADDRESS, "registry: senseless parameter")
        uint(self.accepted_meter_classes, 256, "accepted_meter_classes")
        require(self.accepted_meter_classes < 2**64, "enrolment: class out of bounds")
