"""What routes are given."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.exc import SQLAlchemyError

from peerwatt.refusals.base import MarketError
from peerwatt_bridge.problems import unavailable
from peerwatt_bridge.services.bridge import Bridge
from peerwatt_bridge.services.chain import TROUBLES


def get_bridge(request: Request) -> Bridge:
    """The bridge of this application."""
    bridge: Bridge = request.app.state.bridge
    return bridge


BridgeOf = Annotated[Bridge, Depends(get_bridge)]


@contextmanager
def translating() -> Iterator[None]:
    """Makes a problem of a node or a database that is away.

    Raises:
        Problem: 503, with the time after which to try again.
    """
    try:
        yield
    except MarketError:
        raise
    except SQLAlchemyError as error:
        text = f"the database does not answer ({type(error).__name__}); nothing was kept, send it again"
        raise unavailable("database", text) from error
    except TROUBLES as error:
        text = f"the node does not answer ({type(error).__name__}); nothing was kept, send it again"
        raise unavailable("chain", text) from error
