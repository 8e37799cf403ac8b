"""The defences of one bridge, put together once."""

from __future__ import annotations

from dataclasses import dataclass, field

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from peerwatt.meter.requests import MAX_AGE_S
from peerwatt_bridge.guard.limits import Buckets, Lockouts, Seen
from peerwatt_bridge.guard.middleware import Frame, Limits
from peerwatt_bridge.guard.quotas import Quotas
from peerwatt_bridge.guard.signals import Signals
from peerwatt_bridge.metrics import Metrics
from peerwatt_bridge.settings import Settings

# Wrong tokens until an address is locked out, and for how long.
LOCKOUT_FAILURES = 5
LOCKOUT_S = 300


@dataclass
class Defences:
    """What counts and limits."""

    settings: Settings
    signals: Signals = field(default_factory=Signals)
    metrics: Metrics = field(default_factory=Metrics)
    lockouts: Lockouts = field(default_factory=lambda: Lockouts(LOCKOUT_FAILURES, LOCKOUT_S))
    # A signed request is good for so long before and after its time.
    seen: Seen = field(default_factory=lambda: Seen(2 * MAX_AGE_S + 1))
    quotas: Quotas = field(init=False)
    buckets: Buckets = field(init=False)

    def __post_init__(self) -> None:
        self.quotas = Quotas(self.settings.items_per_home_per_day)
        self.buckets = Buckets(self.settings.requests_per_minute)
        self.signals.on_sign = self.metrics.note_sign

    def install(self, app: FastAPI) -> None:
        """Puts them around an app; what is added last is outside."""
        settings = self.settings
        app.add_middleware(Limits, buckets=self.buckets, signals=self.signals, max_body_bytes=settings.max_body_bytes)
        if settings.allowed_origins:
            app.add_middleware(
                CORSMiddleware,
                allow_origins=settings.allowed_origins,
                allow_methods=["GET", "POST"],
                allow_headers=["Content-Type", "Authorization", "Last-Event-ID"],
                expose_headers=["Retry-After"],
                max_age=600,
            )
        app.add_middleware(Frame, observe=self.metrics.observe_request, shared=bool(settings.allowed_origins))
