"""Relayed items as the reference takes them: read and recovered as the auditor does it, who is proven by this too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerwatt.audit import items as audited
from peerwatt.market import relay
from peerwatt.reference import Item

if TYPE_CHECKING:
    from twin.twin import Twin


def to_reference(twin: Twin, item: relay.Item) -> Item:
    """The item for the reference, with the address that the contract recovers of its signature."""
    meter = audited.signing_meter(twin.market, item)
    return audited.to_reference(item, meter, audited.find_signer(item, meter, twin.domain))
