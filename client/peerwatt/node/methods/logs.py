"""Logs and filters."""

from __future__ import annotations

from typing import Any

from peerwatt.node.encode import Json, quantity
from peerwatt.node.logs import LogFilter
from peerwatt.node.methods.registry import Node, method
from peerwatt.node.params import read_quantity


@method("eth_getLogs")
def logs(node: Node, criteria: Any) -> list[Json]:
    return node.logs.select(LogFilter.read(criteria, node.chain))


@method("eth_newFilter")
def new_filter(node: Node, criteria: Any) -> str:
    return quantity(node.watches.install("logs", criteria))


@method("eth_newBlockFilter")
def new_block_filter(node: Node) -> str:
    return quantity(node.watches.install("blocks"))


@method("eth_newPendingTransactionFilter")
def new_transaction_filter(node: Node, full: Any = False) -> str:
    return quantity(node.watches.install("transactions"))


@method("eth_getFilterChanges")
def filter_changes(node: Node, number: Any) -> list[Any]:
    return node.watches.changes(read_quantity(number, "the filter"))


@method("eth_getFilterLogs")
def filter_logs(node: Node, number: Any) -> list[Json]:
    return node.watches.logs(read_quantity(number, "the filter"))


@method("eth_uninstallFilter")
def uninstall_filter(node: Node, number: Any) -> bool:
    return node.watches.uninstall(read_quantity(number, "the filter"))
