"""Logs as lines for people and as JSON with stable fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from peerwatt.cli.views import SIDES, energy, money_number, price_number, score_text
from peerwatt.market import words
from peerwatt.market.clock import MarketClock
from peerwatt.market.events import Event
from peerwatt.reference.reasons import REASONS

if TYPE_CHECKING:
    from peerwatt.units import PriceGrid

_CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")
READS = ("imports", "exports")
STATUSES = ("off", "only consuming", "feeding in")


@dataclass(frozen=True)
class Line:
    """One log: a topic and a sentence for people, and its fields for programs."""

    topic: str
    text: str
    fields: dict[str, Any]

    def data(self, event: Event, time_s: int) -> dict[str, Any]:
        """The log as JSON."""
        return {
            "event": _CAPITAL.sub("_", event.name).lower(),
            "time_s": time_s,
            "block_number": event.block_number,
            "log_index": event.log_index,
            "transaction_hash": event.transaction_hash,
            **self.fields,
        }


def short(address: str) -> str:
    """An address that fits in a line."""
    return f"{address[:6]}..{address[-4:]}"


def to_line(event: Event, clock: MarketClock, grid: PriceGrid) -> Line:
    """The line of a log that `peerwatt.market.follow` reads."""
    args = event.args
    match event.name:
        case "OrderPlaced":
            return _placed(args, clock, grid)
        case "OrderCancelled":
            return _cancelled(args, clock)
        case "WindowCleared":
            return _cleared(args, clock, grid)
        case "ReportSettled":
            return _report(args, clock, grid)
        case "DueSettled":
            return _due(args, clock, grid)
        case "ItemSkipped":
            reason = REASONS.get(args["reason"], f"reason {args['reason']}")
            fields = {"account": args["account"], "index": args["index"], "reason": reason}
            return Line("skipped", f"{short(args['account'])}: {reason}", fields)
        case "TariffSet":
            return _tariff(args, clock, grid)
        case "FeederSet":
            return _feeder(args, grid)
        case "Deposited" | "Withdrawn":
            word = "deposits" if event.name == "Deposited" else "withdraws"
            amount = f"{money_number(args['amount'], grid)} {grid.currency}"
            fields = {"account": args["account"], "amount": args["amount"]}
            return Line("money", f"{short(args['account'])} {word} {amount}", fields)
    return _rare(event, clock, grid)


def _price(price_per_wh: int, grid: PriceGrid) -> str:
    return f"{price_number(price_per_wh, grid)} {grid.currency}/kWh"


def _placed(args: Mapping[str, Any], clock: MarketClock, grid: PriceGrid) -> Line:
    order = words.OrderWord.decode(args["order"])
    last = order.first + order.count - 1
    sells = order.side == 1
    limit = _price(grid.price(order.limit_level), grid)
    span = clock.format_span(order.first, last)
    each = "" if order.count == 1 else f"each of {order.count} windows, "
    text = (
        f"{short(args['account'])} {'sells' if sells else 'buys'} {energy(order.energy_wh)} in {each}{span}, "
        f"at {limit} or {'more' if sells else 'less'}"
    )
    fields = {
        "account": args["account"],
        "side": SIDES[order.side],
        "nonce": order.nonce,
        "first_window": order.first,
        "last_window": last,
        "energy_wh": order.energy_wh,
        "limit_per_wh": grid.price(order.limit_level),
        "rated": order.rated,
    }
    return Line("order", text, fields)


def _cancelled(args: Mapping[str, Any], clock: MarketClock) -> Line:
    order = words.OrderWord.decode(args["order"])
    account, last = short(args["account"]), order.first + order.count - 1
    fields = {
        "account": args["account"],
        "nonce": order.nonce,
        "burnt_nonce": order.burnt,
        "first_window": order.first if order.count else None,
        "last_window": last if order.count else None,
    }
    # A number that was never used is burnt; an order that is cut has used its own.
    if order.burnt > order.nonce:
        return Line("cancel", f"{account} burns order number {order.burnt}", fields)
    if not order.count:
        return Line("cancel", f"{account} cancels order {order.nonce}", fields)
    return Line("cancel", f"{account} cuts order {order.nonce}; {clock.format_span(order.first, last)} stays", fields)


def _cleared(args: Mapping[str, Any], clock: MarketClock, grid: PriceGrid) -> Line:
    result = words.ResultWord.decode(args["result"])
    price = None if result.kind == words.NO_TRADE else grid.price(result.level)
    supply, demand = energy(args["supply_wh"]), energy(args["demand_wh"])
    span = clock.format_window(args["window"])
    if price is None:
        text = f"{span}: no trade; {supply} offered, {demand} bid"
    else:
        traded = energy(args["traded_wh"])
        text = f"{span}: {traded} at {_price(price, grid)}; {supply} offered, {demand} bid"
    fields = {
        "window": args["window"],
        "kind": words.KINDS[result.kind],
        "price_per_wh": price,
        "traded_wh": args["traded_wh"],
        "supply_wh": args["supply_wh"],
        "demand_wh": args["demand_wh"],
    }
    return Line("cleared", text.replace("- offered", "nothing offered").replace("- bid", "nothing bid"), fields)


def _wallet_fields(args: Mapping[str, Any]) -> dict[str, Any]:
    wallet = words.WalletWord.decode(args["wallet"])
    return {"balance": wallet.balance, "reserved": wallet.reserved, "score": wallet.score}


def _wallet_text(fields: Mapping[str, Any], grid: PriceGrid) -> str:
    return f"balance {money_number(fields['balance'], grid)} {grid.currency}, score {score_text(fields['score'])}"


def _count(windows: int) -> str:
    return f"{windows} window{'' if windows == 1 else 's'}"


def _report(args: Mapping[str, Any], clock: MarketClock, grid: PriceGrid) -> Line:
    report = words.SettledReportWord.decode(args["report"])
    side = READS[report.side]
    fields = {
        "account": args["account"],
        "register": side.removesuffix("s"),
        "first_window": report.first,
        "windows": report.n,
        "register_wh": report.closing_wh,
        "settled_windows": report.settled,
        **_wallet_fields(args),
    }
    until = clock.format_time(clock.start_s(report.first + report.n))
    text = (
        f"{short(args['account'])} reports {side} to {until}, {_count(report.settled)} settled; "
        f"{_wallet_text(fields, grid)}"
    )
    return Line("settled", text, fields)


def _due(args: Mapping[str, Any], clock: MarketClock, grid: PriceGrid) -> Line:
    due = words.SettledDueWord.decode(args["windows"])
    fields = {
        "account": args["account"],
        "first_window": due.first,
        "last_window": due.last,
        "settled_windows": due.count,
        **_wallet_fields(args),
    }
    span = clock.format_span(due.first, due.last)
    text = f"{short(args['account'])}: {_count(due.count)} due, {span}; {_wallet_text(fields, grid)}"
    return Line("settled", text, fields)


def _tariff(args: Mapping[str, Any], clock: MarketClock, grid: PriceGrid) -> Line:
    head = words.TariffHeadWord.decode(args["head"])
    version, pending = args["version"], head.next_version == args["version"]
    steps = head.next_imbalance_steps if pending else head.imbalance_steps
    imbalance = grid.floor_price + steps * grid.price_step
    from_window = head.next_from if pending else None
    when = "at once" if from_window is None else f"from {clock.format_time(clock.start_s(from_window))}"
    fields = {"version": version, "imbalance_per_wh": imbalance, "from_window": from_window}
    return Line("tariff", f"version {version} holds {when}; imbalance price {_price(imbalance, grid)}", fields)


def _feeder(args: Mapping[str, Any], grid: PriceGrid) -> Line:
    feeder = words.FeederWord.decode(args["feeder_word"])
    fields = {
        "feeder": args["feeder"],
        "fee_per_wh": feeder.fee_per_wh,
        "import_scale_bps": feeder.import_scale_bps,
        "export_scale_bps": feeder.export_scale_bps,
    }
    text = (
        f"feeder {args['feeder']}: network fee {_price(feeder.fee_per_wh, grid)}, imports to "
        f"{feeder.import_scale_bps / 100:g} % of their limits, exports to {feeder.export_scale_bps / 100:g} %"
    )
    return Line("feeder", text, fields)


def _rare(event: Event, clock: MarketClock, grid: PriceGrid) -> Line:
    args = event.args
    account = args.get("account")
    who = "" if account is None else short(account)
    match event.name:
        case "ParticipantBound" | "DeviceSet":
            device = words.DeviceWord.decode(args["device"])
            if not device.encode():
                return Line("home", f"{who} has left", {"account": account, "meter": None, "status": None})
            status = STATUSES[device.status]
            fields = {"account": account, "meter": device.meter, "status": status.replace(" ", "_")}
            return Line("home", f"{who} has meter {short(device.meter)}, {status}", fields)
        case "ParticipantRevoked":
            since = clock.format_time(clock.start_s(args["window"]))
            return Line("home", f"{who} is cut off from {since} on", {"account": account, "window": args["window"]})
        case "RatedSet":
            text = "chooses to be rated" if args["rated"] else "is no longer rated"
            return Line("home", f"{who} {text} as a buyer", {"account": account, "rated": args["rated"]})
        case "AgentSet":
            expiry_s = words.AgentWord.decode(args["agent_word"]).expiry
            agent = short(args["agent"])
            text = f"may act until {clock.format_time(expiry_s)}" if expiry_s else "is revoked"
            return Line("agent", f"{agent} {text} for {who}", {**_own(args, "account", "agent"), "expiry_s": expiry_s})
        case "Paused":
            return Line("market", "new orders are paused" if args["paused"] else "orders are welcome again", dict(args))
        case "BookClosed":
            return Line("market", "wound down: windows not cleared fill nothing", {"cleared_window": args["cleared"]})
        case "WindDownAnnounced":
            text = "a wind-down is announced; it holds in a day unless somebody clears"
            return Line("market", text, {"cleared_window": args["cleared"]})
        case "RetailSet":
            price = args["price_per_wh"]
            worth = _price(price, grid) if price else "closed"
            return Line("tariff", f"retail class {args['retail_class']}: {worth}", dict(args))
    return Line("log", event.name, {})


def _own(args: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: args[name] for name in names}
