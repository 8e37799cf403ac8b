"""What is measured, and the alerts."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from api.fixtures import bridge_at, client_of, reading, sqlite_url
from api.test_readings import ended, post
from api.test_relaying import order, rounds, signed, trade
from cli.village import ADA, BOLA, HOMES, Village
from peerwatt.signing import SELL
from peerwatt_bridge.guard.signals import THRESHOLDS, Sign
from peerwatt_bridge.metrics import Metrics
from peerwatt_bridge.services.bridge import Bridge
from peerwatt_bridge.services.workers import Worker


def scrape(client: TestClient) -> dict[str, float]:
    """Values by name and labels, e.g. `peerwatt_bridge_readings_total{outcome=received}`."""
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return {
        f"{sample.name}{{{','.join(f'{name}={value}' for name, value in sorted(sample.labels.items()))}}}": sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_metrics__readings_and_acts__counted_by_outcome(client: TestClient, village: Village) -> None:
    first = ended(village)
    sent = reading(village, ADA, first, 0, 800)
    post(client, sent, sent, reading(village, BOLA, first, 0, 1, key=ADA.meter_key))
    body = signed(village, ADA, order(village, ADA, SELL, "80 NGN/kWh"))
    for _ in range(2):
        client.post("/v1/orders", json=body)
    client.post("/v1/orders", json=signed(village, BOLA, order(village, ADA, SELL, "80 NGN/kWh", nonce=2)))
    found = scrape(client)
    for outcome in ("received", "duplicate", "refused"):
        assert found[f"peerwatt_bridge_readings_total{{outcome={outcome}}}"] == 1
        assert found[f"peerwatt_bridge_acts_total{{kind=order,outcome={outcome}}}"] == 1
    assert found["peerwatt_bridge_intrusion_signals_total{sign=replay}"] == 2
    assert found["peerwatt_bridge_waiting{table=readings}"] == 1
    assert found["peerwatt_bridge_waiting{table=acts}"] == 1
    assert found["peerwatt_bridge_oldest_waiting_seconds{table=acts}"] >= 0


def test_metrics__relayed__gas_and_wei_are_those_of_the_receipts(
    bridge: Bridge, client: TestClient, village: Village
) -> None:
    window = trade(village)
    [result] = post(client, reading(village, ADA, window, 0, 1000))
    rounds(bridge, 3)
    bridge.monitor.refresh()
    shown = client.get(f"/v1/readings/{result['digest']}").json()
    receipt = village.w3.eth.get_transaction_receipt(shown["transaction"])
    found = scrape(client)
    [gas] = [value for name, value in found.items() if name.startswith("peerwatt_bridge_gas_used_total")]
    [wei] = [value for name, value in found.items() if name.startswith("peerwatt_bridge_spent_wei_total")]
    assert gas == receipt["gasUsed"]
    assert wei == pytest.approx(receipt["gasUsed"] * receipt["effectiveGasPrice"])
    assert bridge.outbox is not None
    balance = village.w3.eth.get_balance(bridge.outbox.address)  # type: ignore[arg-type]
    assert found["peerwatt_bridge_relayer_balance_wei{}"] == pytest.approx(balance)
    assert [value for name, value in found.items() if "relays" in name and "state=final" in name] == [1]


def test_metrics__requests__by_template_without_addresses(client: TestClient, village: Village) -> None:
    first = ended(village)
    [result] = post(client, reading(village, ADA, first, 0, 800))
    client.get(f"/v1/readings/{result['digest']}")
    client.get("/v1/readings", params={"meter": ADA.meter})
    client.get("/somewhere/" + ADA.account)
    client.request("BREW", "/v1/readings")
    found = scrape(client)
    assert found["peerwatt_bridge_http_requests_total{method=GET,route=/v1/readings/{digest},status=200}"] == 1
    assert found["peerwatt_bridge_http_requests_total{method=GET,route=none,status=404}"] == 1
    assert found["peerwatt_bridge_http_request_seconds_count{method=POST,route=/v1/readings}"] == 1
    text = client.get("/metrics").text.lower()
    assert [home.name for home in HOMES if home.account[2:].lower() in text or home.meter[2:].lower() in text] == []
    assert re.search("0x[0-9a-f]{8}", text) is None
    assert "brew" not in text


def test_alerts__balance_below_the_setting__in_health_and_metrics(village: Village, tmp_path: Path) -> None:
    with bridge_at(village, sqlite_url(tmp_path), low_balance_wei=10**20) as bridge, client_of(bridge) as client:
        assert client.get("/healthz").json()["alerts"] == []
        bridge.monitor.refresh()
        [alert] = client.get("/healthz").json()["alerts"]
        assert alert["name"] == "low-balance"
        assert str(10**20) in alert["detail"]
        assert scrape(client)["peerwatt_bridge_alert{alert=low-balance}"] == 1


def test_alerts__enough_for_the_setting_but_not_for_days__low_balance(bridge: Bridge, village: Village) -> None:
    bridge.monitor.refresh()
    assert bridge.monitor.alerts() == []
    shot = bridge.monitor.read()
    assert shot.balance_wei is not None
    bridge.monitor._shot = replace(shot, spent_day_wei=shot.balance_wei / 2)
    [alert] = bridge.monitor.alerts()
    assert (alert.name, "2.0 days" in alert.detail) == ("low-balance", True)


def test_alerts__flooding__in_health(bridge: Bridge, client: TestClient) -> None:
    bridge.defences.signals.note(Sign.FLOODING, THRESHOLDS[Sign.FLOODING])
    assert [alert["name"] for alert in client.get("/healthz").json()["alerts"]] == ["flooding"]


def test_metrics__worker_recovers__its_time_is_measured() -> None:
    worker, metrics = Worker("patient", lambda: None, 1), Metrics()
    metrics.watch_workers([worker])

    def value(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(f"peerwatt_bridge_worker_{name}", {"worker": "patient", **labels})

    worker._note_trouble(OSError("the node is away"))
    assert (value("troubled"), value("rounds_total", outcome="failed")) == (1, 1)
    worker._note_success()
    assert (value("troubled"), value("rounds_total", outcome="done")) == (0, 1)
    assert value("recovery_seconds_count") == 1
    assert value("recovery_seconds_sum") == worker.health.recovered_after_s
