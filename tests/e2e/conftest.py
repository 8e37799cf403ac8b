"""Local chains for end-to-end tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from e2e.tools import ENGINES, RunningNode, running_node

# The start of a window: the next gate is ten minutes away, whenever the tests are run.
START_S = 2_000_000_000 // 900 * 900
StartNode = Callable[..., RunningNode]


@pytest.fixture
def start_node() -> Iterator[StartNode]:
    """Starts local chains, e.g. `start_node("anvil", "--block-time", "1")`; all are stopped after the test."""
    with ExitStack() as stack:
        yield lambda engine="eth-tester", *options: stack.enter_context(running_node(engine, *options))


@pytest.fixture(scope="module", params=ENGINES)
def local_chain(request: pytest.FixtureRequest) -> Iterator[RunningNode]:
    """A local chain on each of the engines, shared by the tests of a module."""
    with running_node(request.param, "--time", str(START_S)) as node:
        yield node


@pytest.fixture(scope="module")
def eth_tester_chain() -> Iterator[RunningNode]:
    """A local chain on the eth-tester engine, shared by the tests of a module."""
    with running_node("eth-tester") as node:
        yield node
