"""A bridge at a village: a market on a chain in this process, an HTTP client without a network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak
from fastapi.testclient import TestClient

from cli.village import Home, Village
from peerwatt.signing import EXPORTS, Report, sign
from peerwatt_bridge.app import create_app
from peerwatt_bridge.services.bridge import Bridge, build
from peerwatt_bridge.services.chain import Chain
from peerwatt_bridge.settings import Settings
from peerwatt_bridge.storage.database import Database

RELAYER = Account.from_key(keccak(text="peerwatt test relayer"))
CODES = {EXPORTS: "2.8.0", 0: "1.8.0"}


class ChainOfVillage(Chain):
    """Its time is the village's, which stands still between blocks."""

    def __init__(self, village: Village, confirmations: int | None) -> None:
        super().__init__(village.w3, village.deployment, confirmations)
        self._village = village

    def now_s(self) -> int:
        return self._village.chain.time_s


@contextmanager
def bridge_at(village: Village, url: str, *, relayer_key: LocalAccount = RELAYER, **settings: Any) -> Iterator[Bridge]:
    """A bridge whose workers stand still: tests make their rounds."""
    chosen = Settings(_env_file=None, database=url, **{"confirmations": 0, **settings})
    database = Database(url)
    database.migrate()
    bridge = build(chosen, chain=ChainOfVillage(village, chosen.confirmations), key=relayer_key, database=database)
    bridge.workers.clear()
    try:
        yield bridge
    finally:
        database.close()


@contextmanager
def client_of(bridge: Bridge) -> Iterator[TestClient]:
    """What asks it over HTTP."""
    with TestClient(create_app(bridge), raise_server_exceptions=True) as client:
        yield client


def fund_relayer(village: Village) -> None:
    village.w3.eth.send_transaction(
        {"from": village.relayer.address, "to": RELAYER.address, "value": village.w3.to_wei(10, "ether")}
    )


def sqlite_url(folder: Path) -> str:
    return f"sqlite:///{folder / 'bridge.db'}"


def reading(
    village: Village, home: Home, first: int, *values_wh: int, side: int = EXPORTS, key: bytes | None = None
) -> dict[str, Any]:
    """A reading as a meter sends it."""
    report = Report(home.meter, side, first, values_wh)
    signature = sign(report, village.domain, key or home.meter_key)
    return {
        "meter": home.meter,
        "register": CODES[side],
        "unit": "kWh",
        "first_window": first,
        "values": [f"{value // 1000}.{value % 1000:03}" for value in values_wh],
        "signature": "0x" + signature.to_bytes().hex(),
    }
