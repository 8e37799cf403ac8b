"""An audit's transactions as rows of its tables (`schema`)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, is_dataclass
from typing import Any

from peerwatt.audit.calldata import MARKET, REGISTRY
from peerwatt.audit.encoding import event_name, read_event
from peerwatt.audit.history import Block, Log, Transaction
from peerwatt.market.deployment import Deployment
from peerwatt.market.words import KINDS
from peerwatt.reference.auction import NO_TRADE, Result
from peerwatt.reference.forgetting import Over
from peerwatt.reference.market import Market
from peerwatt.reference.meters import ExportRegister
from peerwatt.reference.offers import SLOTS, Order
from peerwatt.reference.participants import Device
from peerwatt.reference.settlement import Settled
from peerwatt.reference.state import Event
from peerwatt.reference.tariffs import Feeder, TariffHead, adjustment_of
from peerwatt.reference.values import BUY, ZERO_ADDRESS

Row = tuple[Any, ...]
# Table and row, its values in the sequence of the columns.
Entry = tuple[str, Row]

SIDES = ("buy", "sell")
REGISTERS = ("import", "export")
STATUSES = ("off", "consuming", "feeding_in")
MS = 1_000


class Rows:
    """Makes rows, and remembers what the next ones need: the present terms of each account."""

    def __init__(self, deployment: Deployment, market: Market) -> None:
        """
        Args:
            market: the replay's, which follows the same transactions.
        """
        self._market = market
        self._contracts = {deployment.market.lower(): MARKET, deployment.registry.lower(): REGISTRY}
        self._devices: dict[str, Device] = {}
        self._classes: dict[str, int] = {}
        self._meters: dict[str, str] = {}
        self._connections: dict[str, str] = {}
        self._burnt: dict[tuple[str, int], int] = {}
        # By window, in the sequence in which they were cleared.
        self._cleared: dict[int, tuple[Row, Event]] = {}
        self._over: dict[int, Row] = {}

    def of_transaction(
        self,
        transaction: Transaction,
        block: Block,
        market_events: Sequence[Event],
        registry_events: Sequence[Event],
        settled: Sequence[Settled],
    ) -> Iterator[Entry]:
        """The rows of one transaction.

        Args:
            market_events, registry_events: what the reference logged, in the sequence of the chain's logs.
            settled: the lines of the ledger that it added.
        """
        for enrolled in registry_events:
            if enrolled.name == "Enrolled":
                connection = enrolled.values["connection"]
                assert isinstance(connection, bytes)
                self._connections[str(enrolled.values["account"])] = f"0x{connection.hex()}"
        events = {MARKET: iter(market_events), REGISTRY: iter(registry_events)}
        lines = iter(settled)
        for log in transaction.logs:
            contract = self._contracts[log.address]
            place = (block.number, block.time_s * MS, f"0x{log.transaction.hex()}", log.index)
            event = next(events[contract], None)
            yield "events", (*place, contract, *_tell(log, event))
            if event is not None and contract == MARKET:
                yield from self._of_event(place, event, lines)

    def of_windows(self, over: Iterable[Over]) -> Iterator[Entry]:
        """The rows of windows that are over; a window that is not holds up those that were cleared after it."""
        for one in over:
            if one.result is not None:
                self._over[one.window] = self._cleared_window(one.window, one.result, one.rounding_wh)
        while self._cleared and (first := next(iter(self._cleared))) in self._over:
            del self._cleared[first]
            yield "windows", self._over.pop(first)

    def of_open_windows(self) -> Iterator[Entry]:
        """The rows of all windows that are left, as they are at the end."""
        market = self._market
        for window in self._cleared:
            row = self._over.get(window)
            if row is None:
                row = self._cleared_window(window, market.results[window], market.rounding_wh.get(window))
            yield "windows", row

    def _cleared_window(self, window: int, result: Result, rounding_wh: int | None) -> Row:
        place, event = self._cleared[window]
        price = None if result.kind == NO_TRADE else self._market.parameters.price(result.level)
        energy = (event.values[name] for name in ("supply_wh", "demand_wh", "traded_wh"))
        rest = (result.delay_seconds, result.left_wh, result.net_wh, rounding_wh)
        found = (result.level, price, KINDS[result.kind], result.num, result.den)
        return (*place, *self._window(window), *found, *energy, *rest)

    def _of_event(self, place: Row, event: Event, lines: Iterator[Settled]) -> Iterator[Entry]:
        name, values = event.name, event.values
        if name == "OrderPlaced":
            yield "orders", (*place, *self._order(str(values["account"]), values["order"]))
        elif name == "OrderCancelled":
            yield "cancels", (*place, *self._cancel(str(values["account"]), values["order"]))
        elif name == "Deposited":
            yield "transfers", (*place, "deposit", values["account"], None, values["amount"])
        elif name == "Withdrawn":
            yield "transfers", (*place, "withdrawal", values["account"], values["recipient"], values["amount"])
        elif name == "WindowCleared":
            self._cleared[_int(values["window"])] = (place, event)
        elif name == "ReportSettled":
            yield from self._readings(place, values)
            yield from self._settled(place, lines, _int(values["settled"]))
        elif name == "DueSettled":
            yield from self._settled(place, lines, _int(values["count"]))
        elif name in ("ParticipantBound", "DeviceSet", "ParticipantRevoked"):
            yield "participants", (*place, *self._terms(name, values))
        elif name == "TariffSet":
            yield from self._tariff(place, values)
        elif name == "FeederSet":
            word = values["word"]
            assert isinstance(word, Feeder)
            scales = (word.import_scale_bps, word.export_scale_bps)
            yield "feeders", (*place, values["feeder"], word.fee_per_wh, *scales)

    def _order(self, account: str, order: object) -> Row:
        assert isinstance(order, Order)
        price = self._market.parameters.price
        return (
            account,
            order.nonce,
            SIDES[order.side],
            order.first,
            order.count,
            order.energy_wh,
            order.limit_level,
            price(order.limit_level),
            order.effective_level,
            price(order.effective_level),
            order.adjustment_bps,
            order.fee_per_wh,
            price(order.imbalance_steps),
            order.version,
            order.rated,
        )

    def _cancel(self, account: str, order: object) -> Row:
        assert isinstance(order, Order)
        slot = max(order.nonce, order.burnt) % SLOTS
        if order.burnt != self._burnt.get((account, slot), 0):
            self._burnt[account, slot] = order.burnt
            return account, "burn", order.burnt, None, None
        return account, "cut", order.nonce, order.first, order.count

    def _readings(self, place: Row, values: dict[str, object]) -> Iterator[Entry]:
        account, growths = str(values["account"]), values["growths"]
        assert isinstance(growths, tuple)
        register_wh = _int(values["closing_wh"]) - sum(growths)
        who = (account, self._meters[account], REGISTERS[_int(values["side"])])
        for window, growth_wh in enumerate(growths, _int(values["first"])):
            register_wh += growth_wh
            yield "readings", (*place, *who, *self._window(window), register_wh, growth_wh)

    def _settled(self, place: Row, lines: Iterator[Settled], count: int) -> Iterator[Entry]:
        parameters = self._market.parameters
        for _ in range(count):
            entry = next(lines)
            order, payment = entry.order, entry.payment
            result = self._market.results.get(entry.window)
            traded = result is not None and result.kind != NO_TRADE
            price = entry.price_per_wh if traded else None
            adjustment = None if price is None else adjustment_of(price, order.adjustment_bps)
            shortfall_wh = 0 if order.side == BUY else entry.fill_wh - entry.delivered_wh
            yield (
                "settlements",
                (
                    *place,
                    entry.account,
                    *self._window(entry.window),
                    SIDES[order.side],
                    order.nonce,
                    entry.cause,
                    order.energy_wh,
                    entry.fill_wh,
                    entry.growth_wh,
                    entry.delivered_wh,
                    shortfall_wh,
                    price,
                    adjustment,
                    order.fee_per_wh,
                    parameters.price(order.imbalance_steps),
                    payment.paid,
                    payment.received,
                    payment.balancing,
                    payment.network,
                    entry.released,
                    entry.score_before,
                    entry.score_after,
                    self._classes.get(entry.account),
                ),
            )

    def _terms(self, name: str, values: dict[str, object]) -> Row:
        account = str(values["account"])
        device = values.get("device", Device())
        assert isinstance(device, Device)
        change = {"DeviceSet": "terms", "ParticipantRevoked": "revoked"}.get(name, "bound")
        if name == "ParticipantBound":
            exports = values["exports"]
            assert isinstance(exports, ExportRegister)
            self._meters[account] = exports.meter
            change = "bound" if device.meter != ZERO_ADDRESS else "moved_out"
        enrolled = device.meter != ZERO_ADDRESS
        if enrolled:
            # What is settled later was counted by this class, also when the device is gone.
            self._classes[account] = device.meter_class
        return (
            account,
            change,
            self._connections.get(account),
            device.meter if enrolled else None,
            device.import_limit_wh,
            device.export_limit_wh,
            device.feeder,
            STATUSES[device.status],
            device.meter_class if enrolled else None,
            device.retail_class,
        )

    def _tariff(self, place: Row, values: dict[str, object]) -> Iterator[Entry]:
        head = values["head"]
        assert isinstance(head, TariffHead)
        steps = head.next_imbalance_steps if head.next_from else head.imbalance_steps
        common = (*place, values["version"], head.next_from or None, self._market.parameters.price(steps))
        tables = [values[name] for name in ("surcharges", "haircuts", "rebates")]
        for band, row in enumerate(zip(*tables, strict=True)):
            yield "tariffs", (*common, band, *row)

    def _window(self, window: int) -> tuple[int, int]:
        return window, self._market.parameters.start_of(window) * MS


def _tell(log: Log, event: Event | None) -> tuple[str, str | None, str]:
    """Name, account and arguments of a log; as the reference has them where it logged the same."""
    if event is None:
        name = event_name(log.topics[0])
        values: dict[str, object] = read_event(log)
    else:
        name, values = event.name, event.values
    account = values.get("account")
    arguments = json.dumps(values, default=_to_json, separators=(",", ":"), sort_keys=True)
    return name, account if isinstance(account, str) else None, arguments


def _to_json(value: object) -> Any:
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(f"{value!r} has no JSON")


def _int(value: object) -> int:
    assert isinstance(value, int)
    return value
