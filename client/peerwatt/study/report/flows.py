"""Figure: where each Naira went, from who paid to who received, nothing left over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from peerwatt.pages.layout import Figure, Table, plot
from peerwatt.pages.markup import Markup, tag
from peerwatt.pages.numbers import Money, grouped, share

from ..results import MoneyFlows, StudyResult
from .plot import WIDTH, hover, picture, rect, spread, text

HEIGHT, TOP, BAR = 320.0, 30.0, 16.0
X1, X2 = 210.0, 600.0
GAP = 14.0
# What flows is drawn at least this high, or it could not be seen.
LEAST = 1.5


@dataclass(frozen=True)
class Receipt:
    """One use of the money: to whom, what for, base units from buyers and from sellers who fell short."""

    key: str
    who: str
    why: str
    from_buyers: int
    from_sellers: int = 0

    @property
    def amount(self) -> int:
        """All of it [base units]."""
        return self.from_buyers + self.from_sellers


def receipts(flows: MoneyFlows) -> list[Receipt]:
    """Every use of the money paid in.

    A buyer's Wh that was not delivered is paid to the balancing account at the clearing price; who fell short
    adds the difference to the imbalance price.
    """
    return [
        Receipt("sellers", "sellers", "for delivered energy", flows.sellers_received),
        Receipt("network", "network account", "network fees", flows.network_fees),
        Receipt("shortfall", "balancing account", "in place of shortfalls",
                flows.imbalance_received - flows.imbalance_paid, flows.imbalance_paid),
        Receipt("surcharge", "balancing account", "surcharges on low ratings", flows.surcharges),
        Receipt("haircut", "balancing account", "haircuts on low ratings", flows.haircuts),
        Receipt("rounding", "balancing account", "rounding Wh", flows.rounding),
    ]  # fmt: skip


def paid_in(flows: MoneyFlows) -> int:
    """All that was paid [base units]."""
    return flows.buyers_paid + flows.imbalance_paid


def left_over(flows: MoneyFlows) -> int:
    """Paid in less paid out [base units]; anything but 0 is an error of the books."""
    return paid_in(flows) - sum(receipt.amount for receipt in receipts(flows))


def flows_figure(result: StudyResult) -> Figure:
    """A Sankey diagram from payers to receivers."""
    money, flows = Money.of(result.summary), result.flows
    total, rest = paid_in(flows), left_over(flows)
    uses = receipts(flows)
    unit = "Naira" if money.currency == "NGN" else money.currency
    if total:
        sellers, network, balancing = (
            grouped(100 * amount / total, 2)
            for amount in (uses[0].amount, uses[1].amount, sum(use.amount for use in uses[2:]))
        )
        spent = (
            f"Of every 100 {unit} paid in, {sellers} went to the sellers, {network} to the network and "
            f"{balancing} to the balancing account: the utility, which supplied what was missing."
        )
    else:
        spent = "No money moved: nothing was traded."
    verdict = (
        f"Paid in {money.amount(total)}, paid out {money.amount(total - rest)}, left over "
        f"{grouped(rest)} base units" + ("." if rest == 0 else ": the books do not add up.")
    )
    body = plot(_picture(flows, money, f"{spent} {verdict}")) if total else tag("p", spent, class_="nothing")
    return Figure(
        "flows",
        f"Where each {unit} went",
        spent,
        tag("div", body, tag("p", verdict, class_="verdict" if rest == 0 else "verdict broken")),
        _table(flows, money),
    )


def _picture(flows: MoneyFlows, money: Money, desc: str) -> Markup:
    total = paid_in(flows)
    uses = [use for use in receipts(flows) if use.amount > 0]
    payers = [("buyers", "buyers", "all in", flows.buyers_paid),
              ("short", "sellers", "for their shortfall", flows.imbalance_paid)]  # fmt: skip
    payers = [payer for payer in payers if payer[3] > 0]
    room = HEIGHT - GAP * max(len(uses) - 1, len(payers) - 1, 0)

    def high(amount: int) -> float:
        return max(amount / total * room, LEAST) if amount > 0 else 0.0

    right = _stack([high(use.amount) for use in uses])
    left = _stack([high(payer[3]) for payer in payers])
    starts = {payer[0]: place for payer, place in zip(payers, left, strict=True)}
    ribbons: list[Markup] = []
    for use, place in zip(uses, right, strict=True):
        y = place
        for key, amount in (("buyers", use.from_buyers), ("short", use.from_sellers)):
            if amount > 0 and key in starts:
                size = high(amount)
                words = f"{money.amount(amount)} to {use.who}, {use.why}"
                ribbons.append(_ribbon(starts[key], y, size, f"ribbon {use.key}", words))
                starts[key] += size
                y += size
    bars = [
        rect(X1 - BAR, y, BAR, high(payer[3]), f"payer-{payer[0]}")
        for payer, y in zip(payers, left, strict=True)
    ]
    bars += [
        rect(X2, y, BAR, high(use.amount), f"node {use.key}") for use, y in zip(uses, right, strict=True)
    ]
    left_words = [(money.amount(amount), "", f"{who}, {why}") for _, who, why, amount in payers]
    right_words = [
        (money.amount(use.amount), share(use.amount, total, 2), f"{use.who}, {use.why}") for use in uses
    ]
    labels = _labels(
        left_words, [y + high(p[3]) / 2 for p, y in zip(payers, left, strict=True)], X1 - BAR, -1
    )
    labels += _labels(
        right_words, [y + high(u.amount) / 2 for u, y in zip(uses, right, strict=True)], X2 + BAR, 1
    )
    return picture(
        "flows", WIDTH, TOP + HEIGHT + 40, "Money from payers to receivers", desc, ribbons, bars, labels
    )


def _stack(heights: Sequence[float]) -> list[float]:
    places, y = [], TOP
    for height in heights:
        places.append(y)
        y += height + GAP
    return places


def _ribbon(y1: float, y2: float, size: float, class_: str, words: str) -> Markup:
    middle = (X1 + X2) / 2
    d = (
        f"M{X1:.1f} {y1:.2f}C{middle:.1f} {y1:.2f} {middle:.1f} {y2:.2f} {X2:.1f} "
        f"{y2:.2f}V{y2 + size:.2f}C{middle:.1f} {y2 + size:.2f} {middle:.1f} {y1 + size:.2f} {X1:.1f} "
        f"{y1 + size:.2f}Z"
    )
    return tag("path", hover(words), d=d, class_=class_)


def _labels(
    rows: Sequence[tuple[str, str, str]], wanted: Sequence[float], edge: float, side: int
) -> list[Markup]:
    """Amount and share, below it who and what for, beside the bars; moved apart where bars are thin."""
    anchor = "start" if side > 0 else "end"
    parts = []
    for (amount, part, why), want, y in zip(
        rows, wanted, spread(wanted, 42, TOP + 4, TOP + HEIGHT + 16), strict=True
    ):
        bend, end, at = edge + side * 14, edge + side * 18, edge + side * 24
        first = [tag("tspan", amount, class_="strong"), f"  {part}" if part else None]
        parts += [
            tag("path", d=f"M{edge:.1f} {want:.1f}L{bend:.1f} {y:.1f}H{end:.1f}", class_="leader"),
            tag("text", *first, x=at, y=y - 2, class_="label", text_anchor=anchor),
            text(at, y + 14, why, "faint", anchor),
        ]
    return parts


def _table(flows: MoneyFlows, money: Money) -> Table:
    total = paid_in(flows)

    def row(who: str, why: str, amount: int) -> list[str]:
        return [who, why, money.number(amount), share(amount, total, 2), grouped(amount)]

    rows = [
        row("Paid by buyers", "all in", flows.buyers_paid),
        row("Paid by sellers who fell short", "imbalance price less clearing price", flows.imbalance_paid),
        *(row(f"To {use.who}", use.why, use.amount) for use in receipts(flows)),
    ]
    head = ("Who", "What for", money.currency, "Share of paid in", "Base units")
    return Table(head, rows, texts=2, total=row("Left over", "paid in less paid out", left_over(flows)))
