"""The contracts and the reference side by side, for tests: `with fresh() as twin: twin.home("alice")`."""

from __future__ import annotations

from twin.chain import BALANCING, NETWORK, OPERATOR, REGULATOR, START, STRANGER, Setup
from twin.keys import Home, Key
from twin.registry_acts import FEEDER, IMBALANCE_STEPS, TABLES, TERMS
from twin.twin import Difference, Twin, fresh

__all__ = [
    "BALANCING",
    "FEEDER",
    "IMBALANCE_STEPS",
    "NETWORK",
    "OPERATOR",
    "REGULATOR",
    "START",
    "STRANGER",
    "TABLES",
    "TERMS",
    "Difference",
    "Home",
    "Key",
    "Setup",
    "Twin",
    "fresh",
]
