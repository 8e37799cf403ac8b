"""What is measured, for Prometheus: counts and times, no address and no account among the labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, GCCollector, Histogram, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from peerwatt_bridge.guard.signals import Sign

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

    from peerwatt_bridge.services.monitor import Snapshot
    from peerwatt_bridge.services.workers import Worker

PREFIX = "peerwatt_bridge"
LATENCIES_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
RECOVERIES_S = (1, 5, 10, 30, 60, 120, 300, 900, 3600)


class Metrics:
    """The measures of one bridge, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self.readings = self._counter("readings", "Readings that came in, by outcome.", "outcome")
        self.acts = self._counter("acts", "Acts that came in, by kind and outcome.", "kind", "outcome")
        self.signs = self._counter("intrusion_signals", "Signs of an attack.", "sign")
        for sign in Sign:
            self.signs.labels(sign.value)
        self.requests = self._counter("http_requests", "HTTP requests.", "method", "route", "status")
        self.seconds = Histogram(
            f"{PREFIX}_http_request_seconds",
            "Time until the answer was sent.",
            ["method", "route"],
            buckets=LATENCIES_S,
            registry=self.registry,
        )
        self.recoveries = Histogram(
            f"{PREFIX}_worker_recovery_seconds",
            "How long a worker's trouble lasted, when it was over.",
            ["worker"],
            buckets=RECOVERIES_S,
            registry=self.registry,
        )

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(f"{PREFIX}_{name}", about, labels, registry=self.registry)

    def observe_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Notes an HTTP request; status 0 if its client left."""
        self.requests.labels(method, route, str(status)).inc()
        self.seconds.labels(method, route).observe(seconds)

    def note_sign(self, sign: Sign, count: int) -> None:
        """Notes signs of an attack."""
        self.signs.labels(sign.value).inc(count)

    def watch_workers(self, workers: list[Worker]) -> None:
        """Measures workers from now on."""
        self.registry.register(_Workers(workers))
        for worker in workers:
            worker.on_recovery = self.recoveries.labels(worker.health.name).observe

    def watch_snapshots(self, read: Callable[[], Snapshot]) -> None:
        """Shows what a function reads, each time when somebody asks for the measures."""
        self.registry.register(_Snapshots(read))


class _Workers(Collector):
    def __init__(self, workers: list[Worker]) -> None:
        self._workers = workers

    def collect(self) -> Iterable[Metric]:
        troubled = GaugeMetricFamily(f"{PREFIX}_worker_troubled", "1 while it can't work.", labels=["worker"])
        rounds = CounterMetricFamily(f"{PREFIX}_worker_rounds", "Rounds.", labels=["worker", "outcome"])
        for worker in self._workers:
            health = worker.health
            troubled.add_metric([health.name], int(health.trouble is not None))
            rounds.add_metric([health.name, "done"], health.done)
            rounds.add_metric([health.name, "failed"], health.failed)
        return [troubled, rounds]

    def describe(self) -> Iterable[Metric]:
        return ()


class _Snapshots(Collector):
    def __init__(self, read: Callable[[], Snapshot]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        shot = self._read()
        waiting = GaugeMetricFamily(f"{PREFIX}_waiting", "Items that wait for a transaction.", labels=["table"])
        age = GaugeMetricFamily(f"{PREFIX}_oldest_waiting_seconds", "Age of the oldest of them.", labels=["table"])
        for queue in shot.queues:
            waiting.add_metric([queue.table], queue.waiting)
            age.add_metric([queue.table], queue.oldest_s)
        relays = GaugeMetricFamily(f"{PREFIX}_relays", "Transactions by state.", labels=["purpose", "state"])
        gas = CounterMetricFamily(f"{PREFIX}_gas_used", "Gas of mined transactions.", labels=["purpose"])
        spent = CounterMetricFamily(f"{PREFIX}_spent_wei", "Wei paid for mined transactions.", labels=["purpose"])
        for purpose, state, count in shot.relays:
            relays.add_metric([purpose, state], count)
        for purpose, gas_used, cost_wei in shot.spending:
            gas.add_metric([purpose], gas_used)
            spent.add_metric([purpose], cost_wei)
        alerts = GaugeMetricFamily(f"{PREFIX}_alert", "1 for each alert that /healthz shows.", labels=["alert"])
        for name in shot.alerts:
            alerts.add_metric([name], 1)
        families: list[Metric] = [waiting, age, relays, gas, spent, alerts]
        if shot.balance_wei is not None:
            about = "Balance of the key that pays the gas."
            families.append(GaugeMetricFamily(f"{PREFIX}_relayer_balance_wei", about, value=shot.balance_wei))
        return families

    def describe(self) -> Iterable[Metric]:
        # Registering must not ask the database.
        return ()
