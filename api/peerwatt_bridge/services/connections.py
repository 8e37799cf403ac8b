"""Which meter belongs to which account, and what its connection can carry: read from the chain once, then kept."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import Connection, insert, select, update
from web3 import Web3

from peerwatt.market.accounts import AccountState, read_accounts
from peerwatt.signing import EXPORTS, IMPORTS
from peerwatt_bridge.services.chain import TROUBLES, Chain
from peerwatt_bridge.storage.database import Database, now_ms
from peerwatt_bridge.storage.tables import meters, registers

# A connection's limits may be this old when a jump is judged [ms].
FRESH_MS = 10 * 60_000
# A meter without a connection has no limits to judge by.
NO_LIMIT_WH = 2**32
NOBODY = "0x" + "00" * 20


@dataclass(frozen=True)
class Meter:
    """A meter that is bound to an account.

    Attributes:
        id: in the database.
        address, account: checksum addresses.
        import_limit_wh, export_limit_wh: what its connection carries in a window [Wh].
        read_ms: when the chain was asked [Unix ms].
    """

    id: int
    address: str
    account: str
    import_limit_wh: int
    export_limit_wh: int
    read_ms: int

    def limit_wh(self, side: int) -> int:
        """The limit of a register's side [Wh in a window]."""
        return self.export_limit_wh if side == EXPORTS else self.import_limit_wh


class Connections:
    """The meters that the market knows. Thread-safe."""

    def __init__(self, database: Database, chain: Chain) -> None:
        self._database = database
        self._chain = chain
        self._known: dict[str, Meter] = {}
        self._lock = threading.Lock()

    def find(self, addresses: Collection[str]) -> dict[str, Meter]:
        """Meters by their checksum addresses; those that are bound to nobody are missing.

        Raises:
            Web3Exception, RequestException, OSError: one was never seen before, and the node does not answer.
        """
        missing = [address for address in addresses if address not in self._known]
        if missing:
            self._load(missing)
            missing = [address for address in missing if address not in self._known]
        if missing:
            self._read(missing)
        old_ms = now_ms() - FRESH_MS
        stale = [address for address in addresses if address in self._known and self._known[address].read_ms < old_ms]
        if stale:
            # What is known still serves: the market itself judges in the end.
            with suppress(*TROUBLES):
                self._read(stale)
        return {address: self._known[address] for address in addresses if address in self._known}

    def account_of(self, address: str) -> str | None:
        """Whose a meter is, as far as this process knows; asks nobody."""
        known = self._known.get(address)
        return None if known is None else known.account

    def _load(self, addresses: Collection[str]) -> None:
        with self._database.reading() as connection:
            rows = connection.execute(select(meters).where(meters.c.address.in_([_bytes(a) for a in addresses])))
            found = [_to_meter(row) for row in rows]
        with self._lock:
            self._known |= {meter.address: meter for meter in found}

    def _read(self, addresses: Collection[str]) -> None:
        """Asks the chain, and keeps the answer."""
        registry = self._chain.gateway.registry.functions
        owners = {address: str(registry.meter_bound_to(address).call()) for address in addresses}
        accounts = sorted({owner for owner in owners.values() if owner != NOBODY})
        states = {state.address: state for state in read_accounts(self._chain.gateway, accounts)}
        bound = [
            (address, states[owner])
            for address, owner in owners.items()
            if owner != NOBODY and Web3.to_checksum_address(states[owner].exports.meter) == address
        ]
        if bound:
            self._database.write(lambda connection: _keep_all(connection, bound))
            self._load([address for address, _ in bound])
        with self._lock:
            for address in set(addresses) - {address for address, _ in bound}:
                self._known.pop(address, None)


def _keep_all(connection: Connection, bound: Iterable[tuple[str, AccountState]]) -> None:
    for address, state in bound:
        _keep(connection, address, state)


def _keep(connection: Connection, address: str, state: AccountState) -> None:
    device, read_ms = state.device, now_ms()
    limits = (device.import_limit_wh, device.export_limit_wh) if state.enrolled else (NO_LIMIT_WH, NO_LIMIT_WH)
    fields = {
        "account": _bytes(state.address),
        "import_limit_wh": limits[0],
        "export_limit_wh": limits[1],
        "read_ms": read_ms,
    }
    meter_id = connection.execute(select(meters.c.id).where(meters.c.address == _bytes(address))).scalar()
    if meter_id is not None:
        connection.execute(update(meters).where(meters.c.id == meter_id).values(**fields))
        return
    inserted = connection.execute(insert(meters).values(address=_bytes(address), **fields))
    assert inserted.inserted_primary_key is not None
    meter_id = inserted.inserted_primary_key[0]
    for side, word in ((EXPORTS, state.exports), (IMPORTS, state.imports)):
        connection.execute(
            insert(registers).values(meter_id=meter_id, side=side, window=word.window, register_wh=word.register_wh)
        )


def _to_meter(row: object) -> Meter:
    return Meter(
        row.id,  # type: ignore[attr-defined]
        to_address(row.address),  # type: ignore[attr-defined]
        to_address(row.account),  # type: ignore[attr-defined]
        row.import_limit_wh,  # type: ignore[attr-defined]
        row.export_limit_wh,  # type: ignore[attr-defined]
        row.read_ms,  # type: ignore[attr-defined]
    )


# The same homes come again and again.
@lru_cache(maxsize=65_536)
def to_address(data: bytes) -> str:
    """The checksum address of 20 bytes."""
    return Web3.to_checksum_address("0x" + data.hex())


def _bytes(address: str) -> bytes:
    return bytes.fromhex(address[2:])
