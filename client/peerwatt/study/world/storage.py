"""Storage: batteries and vehicles, eq. 4 and 5 with efficiencies and limits, all energies in whole Wh."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Battery:
    """A store behind the meter.

    Efficiencies are thousandths, so that every result is exact. Charge and discharge are counted at the
    home's wires; the converter's loss lies between the wires and the store.

    Attributes:
        capacity_wh: energy the store holds when full.
        charge_limit_wh, discharge_limit_wh: most at the wires in a quarter of an hour.
        reserve_wh: kept for outages; discharging stops here.
    """

    capacity_wh: int
    charge_limit_wh: int
    discharge_limit_wh: int
    reserve_wh: int
    charge_permille: int
    discharge_permille: int

    def __post_init__(self) -> None:
        if min(self.capacity_wh, self.charge_limit_wh, self.discharge_limit_wh, self.reserve_wh) < 0:
            raise ValueError(f"battery {self}: energies must not be negative")
        if not (0 < self.charge_permille <= 1000 and 0 < self.discharge_permille <= 1000):
            raise ValueError(f"battery {self}: efficiencies must be 1..1000 thousandths")

    def charge_room_wh(self, stored_wh: int) -> int:
        """Most that can be charged now, at the wires [Wh]."""
        room = (self.capacity_wh - stored_wh) * 1000 // self.charge_permille
        return max(min(self.charge_limit_wh, room), 0)

    def discharge_room_wh(self, stored_wh: int) -> int:
        """Most that can be discharged now, at the wires, down to the reserve [Wh]."""
        free = (stored_wh - self.reserve_wh) * self.discharge_permille // 1000
        return max(min(self.discharge_limit_wh, free), 0)

    def step(self, stored_wh: int, charge_wh: int, discharge_wh: int) -> int:
        """Stored energy after a quarter of an hour (paper eq. 4; eq. 5 is the first `stored_wh`) [Wh].

        What is charged arrives rounded down and what is discharged leaves rounded up: no energy appears.

        Raises:
            ValueError: both at once, beyond a limit, or the level outside 0..capacity.
        """
        if charge_wh and discharge_wh:
            raise ValueError(f"battery charges {charge_wh} Wh and discharges {discharge_wh} Wh at once")
        if not 0 <= charge_wh <= self.charge_room_wh(stored_wh):
            raise ValueError(f"charge {charge_wh} Wh, possible 0..{self.charge_room_wh(stored_wh)} Wh")
        if not 0 <= discharge_wh <= self.discharge_room_wh(stored_wh):
            raise ValueError(
                f"discharge {discharge_wh} Wh, possible 0..{self.discharge_room_wh(stored_wh)} Wh"
            )
        after = (
            stored_wh
            + charge_wh * self.charge_permille // 1000
            - -(-discharge_wh * 1000 // self.discharge_permille)
        )
        if not 0 <= after <= self.capacity_wh:
            raise ValueError(f"battery level {after} Wh outside 0..{self.capacity_wh} Wh")
        return after


@dataclass(frozen=True)
class Vehicle:
    """An electric vehicle at its charger: a store that only charges, to a wanted level by its departure."""

    store: Battery
    wanted_wh: int
    departure_hour: float

    def due_wh(self, stored_wh: int, quarters_left: int) -> int:
        """What must be charged in this quarter, since the later ones cannot do it all [Wh at the wires]."""
        missing = max(self.wanted_wh - stored_wh, 0) * 1000 // self.store.charge_permille
        later = max(quarters_left - 1, 0) * self.store.charge_limit_wh
        return max(min(missing - later, self.store.charge_room_wh(stored_wh)), 0)

    def wish_wh(self, stored_wh: int) -> int:
        """What could be charged in this quarter on the way to the wanted level [Wh at the wires]."""
        missing = max(self.wanted_wh - stored_wh, 0) * 1000 // self.store.charge_permille
        return min(missing, self.store.charge_room_wh(stored_wh))
