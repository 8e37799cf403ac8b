"""The JSON-RPC methods of the eth-tester engine, one module for each topic; docs/node.md has their table."""

from __future__ import annotations

from peerwatt.node.methods import accounts, blocks, logs, states, testing, transactions
from peerwatt.node.methods.registry import METHODS, Node

# Importing a module registers its methods.
MODULES = (accounts, blocks, logs, states, testing, transactions)

__all__ = ["METHODS", "MODULES", "Node"]
