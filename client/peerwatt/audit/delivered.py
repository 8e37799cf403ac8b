"""Delivered energy by the class of the meter that counted it: how much of it rests on which kind of meter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from peerwatt.reference import ZERO_ADDRESS, Market
from peerwatt.reference.settlement import Settled
from peerwatt.reference.values import BUY


class Delivered:
    """Adds up settled sales.

    Attributes:
        by_class: energy by meter class [Wh]; "unknown" where no meter was ever bound.
    """

    def __init__(self) -> None:
        self.by_class: Counter[str] = Counter()
        self._classes: dict[str, int] = {}

    def count(self, entries: Iterable[Settled], market: Market) -> None:
        """Counts what was just settled."""
        for entry in entries:
            if entry.order.side != BUY:
                device = market.device(entry.account)
                # A revoked home's device is gone; its class is the one it had.
                if device.meter != ZERO_ADDRESS:
                    self._classes[entry.account] = device.meter_class
                self.by_class[str(self._classes.get(entry.account, "unknown"))] += entry.delivered_wh
