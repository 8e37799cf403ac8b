"""Every attack gets a village of its own; afterwards contracts and reference must still agree on everything."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest

from contracts.adversarial.scene import Scene
from twin.twin import fresh


@pytest.fixture
def scene() -> Iterator[Scene]:
    with fresh() as twin:
        yield Scene(twin)


# Innermost: titanoboa's plugin undoes a test's transactions as soon as its call is over.
@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    yield
    scene = getattr(item, "funcargs", {}).get("scene")
    if scene is not None:
        scene.twin.compare()
        scene.sound()
