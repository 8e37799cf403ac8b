"""What a prosumer's devices do in one window, given what it sold or bought: integer Wh."""

from __future__ import annotations

from dataclasses import dataclass

from peerwatt.study.world.storage import Battery, Vehicle


@dataclass(frozen=True)
class Flow:
    """One window at the home's wires [Wh], and the stores after it."""

    charged_wh: int
    discharged_wh: int
    imported_wh: int
    exported_wh: int
    stored_wh: int
    vehicle_wh: int


def dispatch(
    net_wh: int,
    sold_wh: int,
    bought_wh: int,
    battery: Battery | None,
    stored_wh: int,
    vehicle: Vehicle | None,
    vehicle_wh: int,
    quarters_left: int,
) -> Flow:
    """Honours the trade with the battery, and uses own surplus before feeding in.

    A missing part of a sale or of the load comes from the battery, down to its reserve; what is over goes to
    the vehicle, the battery, then the grid. The vehicle is charged in any case when its departure presses.

    Args:
        net_wh: generation less load, without stores.
        sold_wh, bought_wh: fills of the home's order in this window; at most one is not 0.
        quarters_left: windows until the vehicle leaves, this one included.
    """
    due = vehicle.due_wh(vehicle_wh, quarters_left) if vehicle else 0
    spare = net_wh - due - sold_wh + bought_wh
    extra = charge = discharge = 0
    if spare > 0:
        if vehicle and quarters_left > 0:
            extra = min(max(vehicle.wish_wh(vehicle_wh) - due, 0), spare)
        if battery:
            charge = min(battery.charge_room_wh(stored_wh), spare - extra)
    elif battery:
        discharge = min(battery.discharge_room_wh(stored_wh), -spare)
    grid = net_wh - due - extra - charge + discharge
    return Flow(
        charged_wh=due + extra + charge,
        discharged_wh=discharge,
        imported_wh=max(-grid, 0),
        exported_wh=max(grid, 0),
        stored_wh=battery.step(stored_wh, charge, discharge) if battery else 0,
        vehicle_wh=vehicle.store.step(vehicle_wh, due + extra, 0) if vehicle else 0,
    )
