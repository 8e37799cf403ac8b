"""What the chain logged, as it is kept: blocks and events, each event under its block."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, tuple_, update
from web3 import Web3

from peerwatt.market.events import Event
from peerwatt.market.history import Head
from peerwatt_bridge.storage.tables import blocks, events, following

# What is read at once.
PAGE = 2_000
_ONLY = 1


def read_position(connection: Connection) -> tuple[int, int]:
    """Numbers of the newest block that was followed and of the newest that stays; (-1, -1) before the first."""
    row = connection.execute(select(following.c.head_number, following.c.final_number)).first()
    return (-1, -1) if row is None else (row.head_number, row.final_number)


def write_position(connection: Connection, head_number: int, final_number: int) -> None:
    """Notes how far the chain was followed."""
    values = {"head_number": head_number, "final_number": final_number}
    if not connection.execute(update(following).where(following.c.id == _ONLY).values(**values)).rowcount:
        connection.execute(insert(following).values(id=_ONLY, **values))


def read_blocks_back(connection: Connection, below: int | None, limit: int) -> list[Head]:
    """Blocks that are kept, the newest first, of those with a lower number."""
    query = select(blocks.c.number, blocks.c.hash, blocks.c.time_s).order_by(blocks.c.number.desc()).limit(limit)
    if below is not None:
        query = query.where(blocks.c.number < below)
    return [Head(row.number, "0x" + row.hash.hex(), row.time_s) for row in connection.execute(query)]


def has_block(connection: Connection, number: int, block_hash: bytes) -> bool:
    """Whether this very block is kept."""
    found = select(blocks.c.number).where(blocks.c.number == number, blocks.c.hash == block_hash)
    return connection.execute(found).first() is not None


def has_logs_between(connection: Connection, above: int, last: int) -> bool:
    """Whether a block with logs is kept above a number and up to another."""
    found = select(blocks.c.number).where(blocks.c.number > above, blocks.c.number <= last, blocks.c.logs > 0).limit(1)
    return connection.execute(found).first() is not None


def drop_above(connection: Connection, number: int) -> int:
    """Forgets all blocks above a number; returns how many events went with them."""
    dropped = connection.execute(delete(events).where(events.c.block_number > number)).rowcount
    connection.execute(delete(blocks).where(blocks.c.number > number))
    return dropped


def drop_marks(connection: Connection, below: int) -> None:
    """Forgets blocks without logs below a number: they say no more than their neighbours."""
    connection.execute(delete(blocks).where(blocks.c.number < below, blocks.c.logs == 0))


def add_blocks(connection: Connection, heads: Sequence[Head], found: Sequence[Event]) -> None:
    """Adds blocks and their events."""
    logs: dict[int, int] = {}
    for event in found:
        logs[event.block_number] = logs.get(event.block_number, 0) + 1
    rows = [
        {"number": h.number, "hash": bytes.fromhex(h.hash[2:]), "time_s": h.time_s, "logs": logs.get(h.number, 0)}
        for h in heads
    ]
    if rows:
        connection.execute(insert(blocks), rows)
    if found:
        connection.execute(insert(events), [_to_row(event) for event in found])


def read_events(connection: Connection, after: tuple[int, int], last: int) -> Iterator[tuple[bytes, Event]]:
    """Events after a place (block, log) up to a block, in their sequence, each with its block's hash."""
    while True:
        place = tuple_(events.c.block_number, events.c.log_index)
        query = (
            select(events, blocks.c.hash)
            .join(blocks, blocks.c.number == events.c.block_number)
            .where(place > tuple_(*after), events.c.block_number <= last)
            .order_by(events.c.block_number, events.c.log_index)
            .limit(PAGE)
        )
        rows = connection.execute(query).all()
        for row in rows:
            yield row.hash, _to_event(row)
        if len(rows) < PAGE:
            return
        after = (rows[-1].block_number, rows[-1].log_index)


def read_clearings(connection: Connection, before: int | None, last_block: int, limit: int) -> list[Event]:
    """`WindowCleared` events up to a block, the newest window first, of those before a window."""
    query = select(events).where(events.c.name == "WindowCleared", events.c.block_number <= last_block)
    if before is not None:
        query = query.where(events.c.window < before)
    return [_to_event(row) for row in connection.execute(query.order_by(events.c.window.desc()).limit(limit))]


def _to_row(event: Event) -> dict[str, Any]:
    account, window = event.args.get("account"), event.args.get("window")
    args = {name: "0x" + value.hex() if isinstance(value, bytes) else value for name, value in event.args.items()}
    return {
        "block_number": event.block_number,
        "log_index": event.log_index,
        "contract": bytes.fromhex(event.address[2:]),
        "transaction_hash": bytes.fromhex(event.transaction_hash[2:]),
        "name": event.name,
        "account": None if account is None else bytes.fromhex(account[2:]),
        "window": window,
        "args": json.dumps(args, separators=(",", ":")),
    }


def _to_event(row: Row[Any]) -> Event:
    return Event(
        row.name,
        json.loads(row.args),
        Web3.to_checksum_address(row.contract),
        row.block_number,
        "0x" + row.transaction_hash.hex(),
        row.log_index,
    )
