"""The market, defined in plain Python: standard library only, integers only, bit-exact with the contracts.

Start with `tariffs` (the price grid and what an order pays all in), then `auction.clear_book` (how the price
is found), `offers` (what an order must fulfil), `settlement` (who pays whom) and `reputation`.
`market.Market` puts them together, `registry.Registry` holds the rare acts, and `invariants` says what is
always true.

The rules are in docs/market.md, the words and the sequence of the checks in docs/contract.md.
"""

from __future__ import annotations

from .market import Market
from .messages import (
    CancelItem,
    CancelMessage,
    DueItem,
    Enrolment,
    Item,
    MeterSwap,
    OrderItem,
    OrderMessage,
    ReportItem,
    ReportMessage,
)
from .parameters import MarketParameters, RegistryParameters
from .reasons import REASONS, Refused
from .registry import Registry, Terms
from .values import BUY, SELL, ZERO_ADDRESS

__all__ = [
    "BUY",
    "REASONS",
    "SELL",
    "ZERO_ADDRESS",
    "CancelItem",
    "CancelMessage",
    "DueItem",
    "Enrolment",
    "Item",
    "Market",
    "MarketParameters",
    "MeterSwap",
    "OrderItem",
    "OrderMessage",
    "Refused",
    "Registry",
    "RegistryParameters",
    "ReportItem",
    "ReportMessage",
    "Terms",
]
