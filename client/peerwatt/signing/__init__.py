"""Signed messages: EIP-712 types, and signatures as the contracts take them.

signature = sign(Order(...), Domain(chain_id, market), key)
"""

from __future__ import annotations

from .agent import Agent
from .cancel import Cancel
from .domain import Domain
from .enrolment import Enrolment
from .meter_swap import MeterSwap
from .order import Order
from .permit import Permit, TokenDomain
from .rating import Rating
from .report import Report
from .sides import BUY, EXPORTS, IMPORTS, SELL
from .signature import Signature
from .typed import Message, check_signer, recover, sign
from .typed_data import parse_typed_data
from .withdrawal import Withdrawal

MESSAGES: tuple[type[Message], ...] = (
    Order,
    Cancel,
    Report,
    Agent,
    Withdrawal,
    Enrolment,
    Rating,
    MeterSwap,
)

__all__ = [
    "Order",
    "Cancel",
    "Report",
    "Agent",
    "Withdrawal",
    "Enrolment",
    "Rating",
    "MeterSwap",
    "MESSAGES",
    "Domain",
    "Permit",
    "TokenDomain",
    "Message",
    "Signature",
    "sign",
    "recover",
    "check_signer",
    "parse_typed_data",
    "BUY",
    "SELL",
    "IMPORTS",
    "EXPORTS",
]
