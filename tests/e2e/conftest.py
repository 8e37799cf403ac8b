"""Local chains for end-to-end tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from e2e.tools import ENGINES, RunningNode, running_node

StartNode = Callable[..., RunningNode]


@pytest.fixture
def start_node() -> Iterator[StartNode]:
    """Starts local chains, e.g. `start_node("anvil", "--block-time", "1")`; all are stopped after the test."""
    with ExitStack() as stack:
        yield lambda engine="eth-tester", *options: stack.enter_context(running_node(engine, *options))


@pytest.fixture(scope="module", params=ENGINES)
def local_chain(request: pytest.FixtureRequest) -> Iterator[RunningNode]:
    """A local chain on each of the engines, shared by the tests of a module."""
    with running_node(request.param) as node:
        yield node


@pytest.fixture(scope="module")
def eth_tester_chain() -> Iterator[RunningNode]:
    """A local chain on the eth-tester engine, shared by the tests of a module."""
    with running_node("eth-tester") as node:
        yield node
