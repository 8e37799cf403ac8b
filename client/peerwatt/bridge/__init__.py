"""A bridge as its users see it: it sends what they signed and pays the gas. Nothing that it says is trusted."""

from peerwatt.bridge.client import BridgeAway, BridgeClient, BridgeRefused, Brought

__all__ = ["BridgeClient", "BridgeAway", "BridgeRefused", "Brought"]
