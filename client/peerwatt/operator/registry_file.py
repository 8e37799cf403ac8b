"""The registry in a file: connections with terms, registers and scores, feeders, prices and tariff, at one block.

Read from the market's events and views, so anybody can make the same file. Integers are Wh, base units, Unix seconds
and 1/65536 points, as everywhere; names and places of homes are not on the chain and not in the file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from web3 import Web3

from peerwatt.market.accounts import read_accounts
from peerwatt.market.events import Event, decode_logs
from peerwatt.market.gateway import MarketGateway
from peerwatt.operator.tariffs import read_published
from peerwatt.operator.terms import terms_from_json, terms_of, terms_to_json
from peerwatt.reference.registry import Terms

FORMAT, VERSION = "peerwatt registry", 1
SPAN = 5_000
NOBODY = "0x" + "00" * 20


class RegistryFileError(ValueError):
    """The file holds no registry."""


@dataclass(frozen=True)
class Home:
    """A connection as the old market had it.

    Attributes:
        connection: its pseudonym.
        account: who held it, None after a move.
        meter: None if the account has none (moved out or revoked).
        terms: None without a meter.
        score: [1/65536 points].
        rated: the account had its purchases rated.
        imported_wh, exported_wh: registers last reported.
        balance: money in the market [base units].
    """

    connection: bytes
    account: str | None
    meter: str | None
    terms: Terms | None
    score: int
    rated: bool = False
    imported_wh: int = 0
    exported_wh: int = 0
    balance: int = 0

    def to_json(self) -> dict[str, Any]:
        """The home in the file."""
        return {
            **asdict(self),
            "connection": f"0x{self.connection.hex()}",
            "terms": None if self.terms is None else terms_to_json(self.terms),
        }

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Home:
        """The home of a file."""
        terms = fields["terms"]
        return cls(
            **{
                **fields,
                "connection": bytes.fromhex(fields["connection"].removeprefix("0x")),
                "terms": None if terms is None else terms_from_json(terms),
            }
        )


@dataclass(frozen=True)
class RegistryFile:
    """Everything that a market's registry knows, at one block."""

    chain_id: int
    market: str
    registry: str
    block: int
    block_hash: str
    time_s: int
    parameters: dict[str, int]
    currency: str
    decimals: int
    accepted_classes: list[int]
    version: int
    tariff: dict[str, Any] | None
    retail: dict[str, int]
    feeders: dict[str, dict[str, int]]
    homes: list[Home]

    def to_json(self) -> dict[str, Any]:
        """The content of the file."""
        fields = {**vars(self), "homes": [home.to_json() for home in self.homes]}
        return {"format": FORMAT, "format_version": VERSION, **fields}

    @classmethod
    def load(cls, path: Path) -> RegistryFile:
        """Reads a file.

        Raises:
            RegistryFileError: no such file, or no registry in it.
        """
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise RegistryFileError(f"{path} cannot be read ({error.strerror}); name another file") from None
        except (ValueError, RecursionError):
            raise RegistryFileError(f"{path} is no registry file, it is not JSON; name another file") from None
        if not isinstance(fields, dict) or (fields.get("format"), fields.get("format_version")) != (FORMAT, VERSION):
            raise RegistryFileError(f"{path} is no registry file; write one with: peerwatt operator export")
        try:
            kept = {name: value for name, value in fields.items() if name not in ("format", "format_version")}
            return cls(**{**kept, "homes": [Home.from_json(home) for home in kept["homes"]]})
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise RegistryFileError(f"{path} is damaged ({error}); export it again") from None


def read_registry(gateway: MarketGateway, window_seconds: int) -> RegistryFile:
    """The registry of a market at the newest block."""
    w3, deployment, functions = gateway.w3, gateway.deployment, gateway.registry.functions
    block = w3.eth.get_block("latest")
    number, time_s = int(block["number"]), int(block["timestamp"])
    events = list(_read_events(gateway, number))
    connections = {bytes(event.args["connection"]): None for event in events if event.name == "Enrolled"}
    feeders = sorted({int(event.args["feeder"]) for event in events if event.name == "FeederSet"})
    published = read_published(gateway, time_s // window_seconds)
    bitmap = int(functions.accepted_classes().call())
    grid = gateway.price_grid()
    return RegistryFile(
        chain_id=deployment.chain_id,
        market=deployment.market,
        registry=deployment.registry,
        block=number,
        block_hash=Web3.to_hex(block["hash"]),
        time_s=time_s,
        parameters=asdict(deployment.parameters),
        currency=grid.currency,
        decimals=grid.token_decimals,
        accepted_classes=[at for at in range(64) if bitmap >> at & 1],
        version=published.version,
        tariff=published.now.to_json() if published.now else None,
        retail={str(at): price for at, price in published.retail.items()},
        feeders={str(feeder): asdict(gateway.feeder(feeder)) for feeder in feeders},
        homes=list(_read_homes(gateway, list(connections))),
    )


def _read_homes(gateway: MarketGateway, connections: list[bytes]) -> Iterator[Home]:
    functions = gateway.registry.functions
    holders = [str(functions.connections(connection).call()[0]) for connection in connections]
    states = {state.address: state for state in read_accounts(gateway, [who for who in holders if who != NOBODY])}
    for connection, holder in zip(connections, holders, strict=True):
        score = int(functions.score_of(connection).call())
        state = states.get(holder)
        if state is None:
            yield Home(connection, None, None, None, score)
            continue
        yield Home(
            connection,
            holder,
            state.device.meter if state.enrolled else None,
            terms_of(state.device) if state.enrolled else None,
            score,
            state.wallet.rated,
            state.imports.register_wh,
            state.exports.register_wh,
            state.wallet.balance,
        )


def _read_events(gateway: MarketGateway, last: int) -> Iterator[Event]:
    """The logs of registry and market that name connections and feeders."""
    deployment = gateway.deployment
    # The registry is older than the market; nothing can happen in it before the market is there.
    for first in range(deployment.block, last + 1, SPAN):
        logs = gateway.w3.eth.get_logs(
            {
                "address": [deployment.registry, deployment.market],
                "fromBlock": first,
                "toBlock": min(first + SPAN - 1, last),
                "topics": [[_topic(gateway.registry, "Enrolled"), _topic(gateway.market, "FeederSet")]],
            }
        )
        yield from decode_logs(logs)


def _topic(contract: Any, name: str) -> str:
    return str(contract.events[name]().topic)
