"""The energy balance of a home in one window (paper eq. 1), closed to the Wh."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Balance:
    """One home, one window; all in Wh at the home's wires.

    Eq. 1: load = conventional + pv + wind + discharge + import - traded out - export - charge, where
    `charged_wh` is already the energy taken from the wires (the equation's charge / efficiency), `traded_wh`
    the part of the export register sold to peers, and `exported_wh` the rest of it.
    """

    load_wh: int
    conventional_wh: int
    pv_wh: int
    wind_wh: int
    discharged_wh: int
    imported_wh: int
    traded_wh: int
    exported_wh: int
    charged_wh: int

    def residual_wh(self) -> int:
        """Supply less use: 0 when the balance closes."""
        supply = self.conventional_wh + self.pv_wh + self.wind_wh + self.discharged_wh + self.imported_wh
        return supply - self.traded_wh - self.exported_wh - self.charged_wh - self.load_wh

    def check(self) -> Balance:
        """This balance, if it closes and no term is negative.

        Raises:
            ValueError: it does not.
        """
        terms = vars(self).values()
        if self.residual_wh() != 0 or min(terms) < 0:
            raise ValueError(f"energy balance does not close: {self}, residual {self.residual_wh()} Wh")
        return self
