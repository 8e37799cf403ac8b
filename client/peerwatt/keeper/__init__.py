"""A keeper: whoever runs one clears windows on time and settles what is due. The market needs at least one."""

from peerwatt.keeper.doings import (
    ClearedWindow,
    Cost,
    Doing,
    Overtaken,
    Reorganised,
    SettledAccount,
    Trouble,
    WindowsCleared,
    WindowsSettled,
)
from peerwatt.keeper.follower import FollowerState, OrderFollower
from peerwatt.keeper.keeper import Keeper

__all__ = [
    "Keeper",
    "OrderFollower",
    "FollowerState",
    "Doing",
    "Cost",
    "WindowsCleared",
    "ClearedWindow",
    "WindowsSettled",
    "SettledAccount",
    "Overtaken",
    "Reorganised",
    "Trouble",
]
