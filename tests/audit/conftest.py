"""One honest market for all tests of the audit, and the command as people type it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest

from audit.honest import Market, Node
from cli.conftest import Ran, Run, home_folder, run
from peerwatt.cli.commands import audit as command

__all__ = ["home_folder", "run"]
ONE, TWO = "http://one.example", "http://two.example"
Audit = Callable[..., Ran]


@pytest.fixture(scope="session")
def market() -> Market:
    return Market()


@pytest.fixture
def node(market: Market) -> Node:
    """The node behind the first URL."""
    return market.node.beside()


@pytest.fixture
def other(market: Market) -> Node:
    """The node behind the second URL."""
    return market.node.beside()


@pytest.fixture
def manifest(market: Market, home_folder: Path) -> Path:
    path = home_folder / "market.json"
    market.village.deployment.save(path)
    return path


@pytest.fixture
def audit(run: Run, manifest: Path, node: Node, other: Node, monkeypatch: pytest.MonkeyPatch) -> Audit:
    """Runs `peerwatt audit` on the honest market, or as the arguments say."""
    nodes = {ONE: node, TWO: other}
    monkeypatch.setattr(command, "open_node", lambda url: nullcontext(nodes[url].transport(url)))

    def invoke(*arguments: object, expect: int = 0, rpc: bool = True, deployment: bool = True) -> Ran:
        named = ["--deployment", manifest] if deployment else []
        return run("audit", *(["--rpc", ONE] if rpc else []), *named, *arguments, expect=expect)

    return invoke
