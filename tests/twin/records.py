"""The reference's log as the contracts' events."""

from __future__ import annotations

from peerwatt.market.records import to_arguments
from peerwatt.reference.state import Event
from peerwatt.signing import Domain
from twin.chain import Log


def log_of(event: Event, domain: Domain) -> Log:
    """The event that the contract logs for a record of the reference."""
    return Log(event.name, to_arguments(event, domain))
