"""Counters by client that never hold more than a fixed number of entries."""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

# Of clients, and of requests of meters; some 10 MB when full.
MAX_CLIENTS = 20_000
MAX_REQUESTS = 100_000
# Whoever has an IPv6 network has 2^64 addresses of it.
IPV6_PREFIX = 64


@dataclass
class _Bucket:
    tokens: float
    at_s: float


class Buckets:
    """A token bucket for each client: a minute's requests at once, then as many as the rate gives. Thread-safe."""

    def __init__(
        self, per_minute: int, clock: Callable[[], float] = time.monotonic, max_clients: int = MAX_CLIENTS
    ) -> None:
        self._capacity = float(per_minute)
        self._per_s = per_minute / 60
        self._clock = clock
        self._max_clients = max_clients
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, client: str) -> float:
        """Takes a token; 0 if there was one, else the seconds until there is."""
        now_s = self._clock()
        with self._lock:
            bucket = self._buckets.pop(client, None) or _Bucket(self._capacity, now_s)
            bucket.tokens = min(self._capacity, bucket.tokens + (now_s - bucket.at_s) * self._per_s)
            bucket.at_s = now_s
            # The newest is last. Who was longest away is forgotten first: its bucket is the fullest.
            self._buckets[client] = bucket
            while len(self._buckets) > self._max_clients:
                self._buckets.popitem(last=False)
            if bucket.tokens >= 1:
                bucket.tokens -= 1
                return 0.0
            return (1 - bucket.tokens) / self._per_s

    def __len__(self) -> int:
        return len(self._buckets)


class Lockouts:
    """Clients that guessed wrong too often, and until when they are not listened to. Thread-safe."""

    def __init__(
        self,
        failures: int,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
        max_clients: int = MAX_CLIENTS,
    ) -> None:
        """
        Args:
            failures: so many, each less than `seconds` after the one before, lock a client out.
            seconds: for so long, counted from the last failure.
        """
        self._failures = failures
        self._seconds = seconds
        self._clock = clock
        self._max_clients = max_clients
        self._failed: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._lock = threading.Lock()

    def left_s(self, client: str) -> float:
        """How long a client is still locked out [s]; 0 if it is not."""
        with self._lock:
            count, last_s = self._failed.get(client, (0, 0.0))
        return max(0.0, last_s + self._seconds - self._clock()) if count >= self._failures else 0.0

    def note_failure(self, client: str) -> None:
        """A client guessed wrong."""
        now_s = self._clock()
        with self._lock:
            count, last_s = self._failed.pop(client, (0, now_s))
            self._failed[client] = (count + 1 if now_s - last_s < self._seconds else 1, now_s)
            while len(self._failed) > self._max_clients:
                self._failed.popitem(last=False)

    def note_success(self, client: str) -> None:
        """A client knew it."""
        with self._lock:
            self._failed.pop(client, None)


class Seen:
    """What was seen in the last seconds, so that it is taken once. Thread-safe.

    When it is full the oldest is forgotten: only entries that were verified belong in here.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic, most: int = MAX_REQUESTS) -> None:
        self._seconds = seconds
        self._clock = clock
        self._most = most
        self._seen: OrderedDict[bytes, float] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, entry: bytes) -> bool:
        """Notes an entry; False if it was seen before."""
        now_s = self._clock()
        with self._lock:
            while self._seen:
                _, at_s = next(iter(self._seen.items()))
                if at_s > now_s - self._seconds and len(self._seen) < self._most:
                    break
                self._seen.popitem(last=False)
            if entry in self._seen:
                return False
            self._seen[entry] = now_s
            return True


def client_of(address: str | None) -> str:
    """Whose requests count together: an IPv4 address, or an IPv6 network."""
    if address is None:
        return "unknown"
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((int(parsed), IPV6_PREFIX), strict=False).network_address)
    return str(parsed)
