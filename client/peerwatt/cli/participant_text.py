"""One account's payments as people read them: each with what it rests on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from peerwatt.audit.evidence.authority import ANYONE, OPERATOR, Authority
from peerwatt.audit.evidence.story import Clearing, Deed, Story
from peerwatt.audit.participant import SIDES, find_deeds
from peerwatt.cli import output
from peerwatt.market.statement import Row, add_up, sum_of
from peerwatt.market.words import BIDS_RATIONED, OFFERS_RATIONED, OrderWord, SettledReportWord
from peerwatt.pages.numbers import Money, grouped
from peerwatt.reference.reputation import SCORE_ONE
from peerwatt.reference.values import BUY

COLUMNS = ("window (UTC)", "order", ">limit", ">price", "how", ">filled Wh", ">metered Wh", "settled", ">energy",
           ">surcharge, haircut", ">fee", ">shortfall", ">total", ">score", "rests on")  # fmt: skip


@dataclass(frozen=True)
class Units:
    """How money is written: in a currency, or in base units where nothing proves which one it is."""

    money: Money | None

    @property
    def names(self) -> str:
        if self.money is None:
            return "prices in base units for each Wh, money in base units of the token"
        return f"prices in {self.money.price_unit}, money in {self.money.currency}"

    def amount(self, amount: int | None) -> str:
        """Signed money to the base unit, a dash for nothing."""
        if not amount:
            return "-"
        if self.money is None:
            return _plain(f"{amount:+,}")
        return _plain(f"{'+' if amount > 0 else ''}{grouped(self.money.value(amount), self.money.decimals)}")

    def price(self, price_per_wh: int | None) -> str:
        """A price, a dash where there is none."""
        if price_per_wh is None:
            return "-"
        return _plain(f"{price_per_wh:,}" if self.money is None else self.money.price_number(price_per_wh))


def describe_story(story: Story, money: Money | None = None) -> str:
    """Every payment of an account, what each rests on, and that the sums are the wallet."""
    units = Units(money)
    history = story.history
    parts = [f"{story.account} up to block {history.head.number} ({history.head.hash}); {units.names}"]
    if history.rows:
        parts.append(output.table(COLUMNS, [_cells(story, row, units) for row in history.rows], indent="  "))
    else:
        parts.append("  no order")
    if story.deeds:
        columns = ("", ">block", "what", "by whose will", "transaction")
        parts.append(output.table(columns, [_deed_cells(index, deed, units) for index, deed in enumerate(story.deeds)],
                                  indent="  "))  # fmt: skip
    signatures = [line for index, deed in enumerate(story.deeds) for line in _signature(index, deed.authority)]
    if signatures:
        parts.append("\n".join(["  signatures", *signatures]))
    return "\n\n".join([*parts, _sums(story, units)])


def _cells(story: Story, row: Row, units: Units) -> list[str]:
    placed, settled = (find.get(row.window) for find in find_deeds(story))
    seconds = story.deployment.parameters.window_seconds
    start, end = (datetime.fromtimestamp(at * seconds, UTC) for at in (row.window, row.window + 1))
    parameters = story.deployment.parameters
    sign = 1 if row.side != BUY else -1
    metered = row.exported_wh if row.side != BUY else row.imported_wh
    total = None if row.paid_amount is None else (row.received_amount or 0) - row.paid_amount
    return [
        f"{start:%Y-%m-%d %H:%M}-{end:%H:%M}",
        f"{SIDES[row.side]} {row.ordered_wh:,} Wh",
        units.price(parameters.floor_price + row.limit_level * parameters.price_step),
        units.price(row.price_per_wh),
        _how(story.clearings.get(row.window)),
        "-" if row.filled_wh is None else f"{row.filled_wh:,}",
        "-" if metered is None else f"{metered:,}",
        row.status,
        units.amount(sign * (row.energy_amount or 0)),
        units.amount(-(row.adjustment_amount or 0)),
        units.amount(-(row.fee_amount or 0)),
        units.amount(-(row.shortfall_amount or 0)),
        units.amount(total),
        "-" if row.score_after is None else f"{row.score_after / SCORE_ONE:,.2f}",
        ", ".join(f"#{deed}" for deed in (placed, settled) if deed is not None),
    ]


def _how(clearing: Clearing | None) -> str:
    """How the price came about: who bid and offered how much, and who was rationed."""
    if clearing is None:
        return "not cleared"
    result = clearing.result
    text = f"{clearing.traded_wh:,} of {clearing.demand_wh:,} Wh bid, {clearing.supply_wh:,} Wh offered"
    if result.kind in (OFFERS_RATIONED, BIDS_RATIONED):
        side = "offers" if result.kind == OFFERS_RATIONED else "bids"
        text += f"; {side} at the price get {result.num:,}/{result.den:,}"
    return text


def _deed_cells(index: int, deed: Deed, units: Units) -> list[str]:
    place = deed.place
    return [
        f"#{index}",
        f"{place.block_number}",
        _what(deed, units),
        _whose(deed.authority),
        place.transaction_hash,
    ]


def _what(deed: Deed, units: Units) -> str:
    args = deed.event.args
    described: dict[str, Callable[[], str]] = {
        "Deposited": lambda: f"deposit {units.amount(args['amount'])}",
        "Withdrawn": lambda: f"withdrawal {units.amount(-args['amount'])} to {args['recipient']}",
        "OrderPlaced": lambda: f"order {OrderWord.decode(args['order']).nonce}",
        "OrderCancelled": lambda: _cancelled(OrderWord.decode(args["order"])),
        "ReportSettled": lambda: _report(SettledReportWord.decode(args["report"]), len(deed.settled)),
        "DueSettled": lambda: f"{len(deed.settled)} {_windows(len(deed.settled))} that had no need of a report",
        "AgentSet": lambda: f"agent {args['agent']}",
        "RatedSet": lambda: "bids rated" if args["rated"] else "bids not rated",
        "ParticipantBound": lambda: "meter bound" if args["device"] else "moved out",
        "DeviceSet": lambda: "terms set",
        "ParticipantRevoked": lambda: "cut off by the operator",
    }
    return described[deed.name]() if deed.name in described else deed.name


def _cancelled(left: OrderWord) -> str:
    if left.burnt > left.nonce:
        return f"nonce {left.burnt} burnt"
    return f"order {left.nonce} cut to {left.count} {_windows(left.count)}"


def _windows(count: int) -> str:
    return "window" if count == 1 else "windows"


def _report(word: SettledReportWord, settled: int) -> str:
    register = "import" if word.side == BUY else "export"
    read = f"report of {word.n} {_windows(word.n)}, {register} register ends at {word.closing_wh:,} Wh"
    return f"{read}, {settled} settled"


def _whose(authority: Authority) -> str:
    if authority.wrong is not None:
        return "NOBODY WHO HAD TO AGREE"
    if authority.unseen is not None:
        return "not to be seen"
    if authority.by in (ANYONE, OPERATOR):
        return authority.by
    return f"{authority.how} by the {authority.by} {authority.address or ''}".rstrip()


def _signature(index: int, authority: Authority) -> list[str]:
    if authority.r is None or authority.vs is None or authority.message is None:
        return []
    fields = ", ".join(
        f"{name} {', '.join(map(str, value)) if isinstance(value, list) else value}"
        for name, value in authority.message.items()
    )
    return [f"    #{index} {authority.kind}({fields})", f"       r 0x{authority.r:064x}, vs 0x{authority.vs:064x}"]


def _sums(story: Story, units: Units) -> str:
    history = story.history
    totals, wallet = add_up(history.rows), history.wallet
    facts = [
        ("deposited", units.amount(sum_of(history.movements, "deposit"))),
        ("withdrawn", units.amount(-sum_of(history.movements, "withdrawal"))),
        ("received", units.amount(totals.received_amount)),
        ("paid", units.amount(-totals.paid_amount)),
        ("balance", units.amount(wallet.balance)),
        ("reserved", units.amount(wallet.reserved)),
    ]
    credited = sum_of(history.movements, "credit")
    if credited:
        facts.insert(2, ("credited", units.amount(credited)))
    return output.facts(facts, indent="  ")


def _plain(text: str) -> str:
    return text.replace("\u2212", "-").replace("\u00a0", " ")
