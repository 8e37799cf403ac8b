"""`peerwatt meter agent` as people type it: check, run, export, and the market that takes the exported file."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from eth_account import Account

from cli import conftest as cli_conftest
from cli.conftest import Run
from cli.village import ADA, BOLA, CHIDI, PASSWORD, Village, write_keystore
from meter_agent.broker import publisher, start_broker
from meter_agent.fake_bridge import FakeBridge, free_port
from peerwatt.cli.commands import meter_agent
from peerwatt.market.accounts import read_account
from peerwatt.meter.agent.journal import TAKEN, Journal
from peerwatt.meter.agent.sources import end_if_asked
from peerwatt.signing import SELL, Domain, sign

home_folder, run, keys = cli_conftest.home_folder, cli_conftest.run, cli_conftest.keys
village, _village = cli_conftest.village, cli_conftest._village
MAPPING = """
[bridge]
url = "http://127.0.0.1:{bridge}"
[source]
{source}
[[register]]
side = "export"
{export}
[[register]]
side = "import"
{imports}
"""


@contextmanager
def background(work: Callable[[], Any]) -> Iterator[None]:
    """Runs something asynchronous beside a command, until the command is done."""
    loop = asyncio.new_event_loop()
    task = loop.create_task(work())
    thread = threading.Thread(
        target=lambda: loop.run_until_complete(asyncio.gather(task, return_exceptions=True)), daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(10)
        assert not thread.is_alive(), "it does not end"
        loop.close()


def write_mapping(folder: Path, source: str, export: str, imports: str, bridge: int = 9) -> None:
    path = folder / "config" / "peerwatt" / "meter-agent.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(MAPPING.format(bridge=bridge, source=source, export=export, imports=imports))


def test_check__one_good_one_power_only__says_both(run: Run, home_folder: Path) -> None:
    port = free_port()
    speaking = threading.Event()

    async def devices() -> None:
        broker = await start_broker(port)
        try:
            async with publisher(port) as client:
                while True:
                    await client.publish("tele/head/SENSOR", '{"ENERGY": {"Total": 1.5, "ExportActive": [1, 2]}}')
                    await client.publish("homeassistant/sensor/grid/unit_of_measurement", '"W"')
                    await client.publish("homeassistant/sensor/grid/state", "350")
                    speaking.set()
                    end_if_asked()
                    await asyncio.sleep(0.05)
        finally:
            await broker.shutdown()

    write_mapping(
        home_folder,
        f'mqtt = "mqtt://127.0.0.1:{port}"',
        'preset = "home-assistant"\nentity = "sensor.grid"',
        'preset = "tasmota"\ndevice = "head"',
    )
    with background(devices):
        assert speaking.wait(60)
        ran = run("meter", "agent", "--check", "--seconds", "1.5", expect=3)
    assert "import  ok  tele/head/SENSOR ENERGY.Total said" in ran.out and "1.5 kWh" in ran.out
    assert "export  NO  homeassistant/sensor/grid/state, said '350': W is power, not energy" in ran.out
    assert "1 of 2 counters give no register" in ran.err


def test_check__nobody_there__says_where_it_listened(run: Run, home_folder: Path) -> None:
    port = free_port()
    counters = 'topic = "a"\nunit = "kWh"'
    write_mapping(home_folder, f'mqtt = "mqtt://127.0.0.1:{port}"', counters, counters.replace("a", "b", 1))
    ran = run("meter", "agent", "--check", "--seconds", "0.5", "--json", expect=3)
    assert [line["problem"].partition(";")[0] for line in ran.json] == ["it said nothing in 0.5 s"] * 2
    assert f"mqtt://127.0.0.1:{port}: " in ran.err


def test_check__http_device__read_over_http(run: Run, home_folder: Path) -> None:
    port = free_port()

    async def device() -> None:
        async def status(request: web.Request) -> web.Response:
            return web.json_response({"id": 0, "total_act_energy": 6644.90, "total_act_ret_energy": 2595.26})

        app = web.Application()
        app.router.add_get("/rpc/EM1Data.GetStatus", status)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        try:
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()

    source = f'http = "http://127.0.0.1:{port}"\ninterval_s = 1'
    write_mapping(home_folder, source, 'preset = "shelly"', 'preset = "shelly"')
    with background(device):
        ran = run("meter", "agent", "--check", "--seconds", "1.5", "--json")
    assert [(line["register"], line["energy_wh"]) for line in ran.json] == [("export", 2595), ("import", 6644)]


def test_run__no_mapping_or_no_journal__says_which_file(run: Run, home_folder: Path) -> None:
    write_keystore(home_folder / "data" / "peerwatt" / "meters", "roof", ADA.meter_key)
    assert "name the mapping with --mapping" in run("meter", "agent", expect=3).err
    ran = run("meter", "agent", "--export", "out.json", expect=3)
    assert "there is no journal at" in ran.err and "nothing was signed with this meter key here" in ran.err


def test_run__command_until_interrupted__signs_with_the_keystore(
    run: Run, home_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = Account.from_key(ADA.meter_key)
    write_keystore(home_folder / "data" / "peerwatt" / "meters", "roof", ADA.meter_key)
    (home_folder / "password").write_text(PASSWORD)
    monkeypatch.setenv("ETH_PASSWORD", str(home_folder / "password"))
    bridge, port = FakeBridge(1), free_port()
    taken = threading.Event()

    async def others() -> None:
        broker = await start_broker(port)
        await bridge.start()
        try:
            async with publisher(port) as client:
                value_wh = 0
                while not bridge.windows:
                    value_wh += 1
                    await client.publish("a", str(value_wh))
                    await client.publish("b", str(value_wh))
                    end_if_asked()
                    await asyncio.sleep(0.05)
            taken.set()
            await asyncio.Event().wait()
        finally:
            await bridge.stop()
            await broker.shutdown()

    real = meter_agent._await

    def until_taken(work: Any) -> Any:
        async def main() -> None:
            task = asyncio.create_task(work)
            async with asyncio.timeout(60):
                while not taken.is_set() and not task.done():
                    await asyncio.sleep(0.05)
            task.cancel()
            await task

        return real(main())

    monkeypatch.setattr(meter_agent, "_await", until_taken)
    counters = ('topic = "a"\nunit = "Wh"', 'topic = "b"\nunit = "Wh"')
    write_mapping(home_folder, f'mqtt = "mqtt://127.0.0.1:{port}"', *counters, bridge.port)
    with background(others):
        ran = run("meter", "agent")
    assert f"meter {key.address} for market {bridge.domain.verifying_contract}" in ran.err
    assert "ended; what was signed is in" in ran.err
    assert {meter for meter, _, _ in bridge.registers} == {key.address}
    target = home_folder / "signed.json"
    ran = run("meter", "agent", "--export", target, "--json")
    assert len(json.loads(target.read_text())["reports"]) == ran.json["reports"] >= 1
    assert "nothing is overwritten" in run("meter", "agent", "--export", target, expect=3).err


def test_export__reports_that_no_bridge_relayed__home_submits_them_itself(
    run: Run, village: Village, keys: Path, home_folder: Path
) -> None:
    write_keystore(home_folder / "data" / "peerwatt" / "meters", "roof", ADA.meter_key)
    write_keystore(keys, "chidi", CHIDI.account_key)
    window = village.window + 2
    village.offer(ADA, window, window + 1, "1 kWh", "120")
    village.bid(BOLA, window, window + 1, "1 kWh", "150")
    village.travel_to(window + 3, 60)
    village.clear()
    key = Account.from_key(ADA.meter_key)
    domain = Domain(village.deployment.chain_id, village.deployment.market)
    journal = Journal(home_folder / "data" / "peerwatt" / "meter-agent" / f"{key.address}.sqlite", key.address)
    journal.bind(domain, 900)
    for offset, register_wh in enumerate((2000, 2900, 3500, 3700)):
        journal.record(
            SELL, window + offset, register_wh, 1.0, lambda report: sign(report, domain, bytes(key.key))
        )
    journal.sign_newest(SELL, lambda report: sign(report, domain, bytes(key.key)))
    run("meter", "agent", "--export", "signed.json")
    ran = run("meter", "submit", "signed.json", "--yes", "--json")
    delivered = {line["window"]: line["delivered_wh"] for line in ran.json["windows"]}
    assert delivered == {window: 900, window + 1: 600}
    exports = read_account(village.gateway, ADA.account).exports
    assert (exports.register_wh, exports.window) == (3700, window + 3)
    # On the chain, or held because nothing was sold then: neither has to go there.
    statuses = ("final", "held", "superseded", "confirmed")
    journal.answer(
        [(kept.id, TAKEN, status, None, None) for kept, status in zip(journal.all_reports(), statuses, strict=True)]
    )
    journal.close()
    assert "--all writes the others too" in run("meter", "agent", "--export", "again.json", expect=3).err
    assert run("meter", "agent", "--export", "again.json", "--all", "--json").json["reports"] == 3
    second = village.deployment.parameters.window_seconds * (window + 1)
    since = datetime.fromtimestamp(second, UTC).isoformat()
    ran = run("meter", "agent", "--export", "later.json", "--all", "--since", since, "--json")
    assert ran.json["reports"] == 2
