"""One window of the market in numbers: a seller who falls a little short, and two buyers who share what it offers.

Run it with `python examples/worked_trade.py`. It uses the reference model only, no chain. Its output is in
docs/market.md, where every line is explained.
"""

from __future__ import annotations

from peerwatt.reference import (
    BUY,
    SELL,
    DueItem,
    Enrolment,
    Item,
    Market,
    MarketParameters,
    OrderItem,
    OrderMessage,
    Registry,
    RegistryParameters,
    ReportItem,
    ReportMessage,
    Terms,
)
from peerwatt.reference.auction import clear_book, split
from peerwatt.reference.reputation import SCORE_ONE, rating
from peerwatt.reference.settlement import Settled
from peerwatt.reference.tariffs import Tables, adjustment_of, all_in_price
from peerwatt.units import PriceGrid, format_money, format_unit_price

# The study's price grid: 61.5 NGN/kWh and up in steps of half a Naira. One NGN/kWh is 1,000 base units per Wh.
GRID = PriceGrid(floor_price=61_500, price_step=500, token_decimals=6, currency="NGN")
IMBALANCE_STEPS, RETAIL, FEE = 327, 209_500, 8_000
# One per cent for everybody: what the study's tables have for a home that just joined.
TABLES = Tables(surcharges=(100,) * 16, haircuts=(100,) * 16)
QUARTER, NOW = 900, 1_800_000_000
OPERATOR, REGULATOR, BALANCING, NETWORK, REGISTRY, MARKET, TOKEN = (f"0x{n:040x}" for n in range(1, 8))
ADA, BOLA, CHIDI = (f"0x{n:040x}" for n in (0xA, 0xB, 0xC))
NAMES = {ADA: "Ada", BOLA: "Bola", CHIDI: "Chidi"}
DEPOSIT = 200 * 10**6


def meter_of(account: str) -> str:
    """The address of a home's meter."""
    return f"0x{int(account, 16) + 0x100:040x}"


def build_market() -> Market:
    """A market with three homes on one feeder, 200 NGN in each wallet."""
    market = Market(
        NOW,
        MarketParameters(
            token=TOKEN,
            registry=REGISTRY,
            window_seconds=QUARTER,
            lead_seconds=300,
            floor_price=GRID.floor_price,
            price_step=GRID.price_step,
            report_deadline_seconds=3 * 86400,
            max_reading_age_seconds=4 * 86400,
            min_order_wh=50,
            tolerance_bps=200,
            inertia_wh=50_000,
            balancing_account=BALANCING,
            network_account=NETWORK,
        ),
        MARKET,
    )
    registry = Registry(market, RegistryParameters(MARKET, OPERATOR, REGULATOR, 0b11, BALANCING, NETWORK))
    registry.publish_tariff(NOW, REGULATOR, IMBALANCE_STEPS, TABLES)
    registry.set_retail(NOW, REGULATOR, 0, RETAIL)
    registry.set_feeder_fee(NOW, REGULATOR, 0, FEE)
    registry.set_feeder_scale(NOW, OPERATOR, 0, 10_000, 10_000)
    for account in NAMES:
        meter = meter_of(account)
        terms = Terms(3_450, 3_450, feeder=0, status=2, meter_class=1, retail_class=0)
        message = Enrolment(account, meter, 0, 0, deadline=NOW)
        registry.enrol(NOW, OPERATOR, bytes.fromhex(account[2:].zfill(64)), terms, message, account, meter)
        market.deposit(NOW, account, DEPOSIT)
    return market


def wh(energy_wh: int) -> str:
    """Energy with its unit."""
    return f"{energy_wh:,} Wh"


def row(label: str, value: object) -> str:
    """One line of the output."""
    return f"{label:<58}{value}"


def orders(market: Market, window: int) -> list[str]:
    """The three homes sign, a stranger relays."""
    lines = []
    wishes = ((ADA, SELL, 1_000, 117), (BOLA, BUY, 900, 177), (CHIDI, BUY, 700, 177))
    for account, side, energy_wh, limit_level in wishes:
        message = OrderMessage(account, meter_of(account), side, window, window, energy_wh, limit_level, nonce=1)
        assert market.relay(NOW, [OrderItem(message, signer=account)], strict=True) == [0]
        order = market.order(account, 1)
        act, bound = ("sells", "at least") if side == SELL else ("buys", "at most")
        limit = format_unit_price(GRID.price(limit_level), GRID)
        effective = format_unit_price(GRID.price(order.effective_level), GRID)
        wish = f"{NAMES[account]} {act} {wh(energy_wh)} for {bound} {limit}"
        lines.append(row(wish, f"in the book at {effective}"))
    for account in NAMES:
        reserved = format_money(market.wallet(account).reserved, GRID)
        lines.append(row(f"  reserved in {NAMES[account]}'s wallet", reserved))
    return lines


def clearing(market: Market, window: int) -> list[str]:
    """The gate closes, anyone clears."""
    cleared = clear_book(*split(market.book(window)))
    market.clear(market.parameters.start_of(window) - 300, 255)
    result = market.results[window]
    price = GRID.price(result.level)
    adjustment = adjustment_of(price, 100)
    return [
        row("offered", wh(cleared.supply_wh)),
        row("bid for", wh(cleared.demand_wh)),
        row("traded", wh(cleared.traded_wh)),
        row("clearing price", format_unit_price(price, GRID)),
        row("share of each bid at that price", f"{result.num:,} / {result.den:,}"),
        row("surcharge of a buyer, haircut of the seller (1 %)", format_unit_price(adjustment, GRID)),
        row("network fee", format_unit_price(FEE, GRID)),
        row("a buyer pays, all in", format_unit_price(all_in_price(BUY, price, 100, FEE), GRID)),
        row("the seller receives", format_unit_price(all_in_price(SELL, price, 100, 0), GRID)),
    ]


def settlement(market: Market, window: int) -> list[str]:
    """Ada's meter reports 950 Wh, the buyers need no report."""
    now = market.parameters.end_of(window)
    register = market.export_register(ADA)
    skipped = window - register.window
    report = ReportMessage(SELL, register.window, register.register_wh, (0,) * skipped + (950,))
    items: list[Item] = [
        ReportItem(ADA, report, market.hints(ADA), signer=meter_of(ADA)),
        DueItem(BOLA, market.hints(BOLA), 1),
        DueItem(CHIDI, market.hints(CHIDI), 1),
    ]
    assert market.relay(now, items, strict=True) == [0, 0, 0]
    lines = [line for entry in market.ledger for line in explain(entry)]
    rounding_wh = market.rounding_wh[window]
    paid = rounding_wh * GRID.price(market.results[window].level)
    lines.append(row("rounding, supplied by the utility", wh(rounding_wh)))
    lines.append(row("  the balancing account receives for it", format_money(paid, GRID)))
    return lines


def explain(entry: Settled) -> list[str]:
    """One settled order in lines."""
    name, payment = NAMES[entry.account], entry.payment
    if entry.order.side == BUY:
        return [
            row(f"{name} bought", wh(entry.fill_wh)),
            row(f"  {name} pays", format_money(payment.paid, GRID)),
            row("  of it surcharge, to the balancing account", format_money(payment.balancing, GRID)),
            row("  of it network fee, to the network account", format_money(payment.network, GRID)),
        ]
    short_wh = entry.fill_wh - entry.delivered_wh
    haircut = entry.delivered_wh * adjustment_of(entry.price_per_wh, entry.order.adjustment_bps)
    imbalance = GRID.floor_price + entry.order.imbalance_steps * GRID.price_step
    return [
        row(f"{name} sold", wh(entry.fill_wh)),
        row("  delivered, as the meter says", wh(entry.delivered_wh)),
        row("  shortfall", wh(short_wh)),
        row(f"  {name} receives", format_money(payment.received, GRID)),
        row("  haircut, to the balancing account", format_money(haircut, GRID)),
        row("  imbalance price", format_unit_price(imbalance, GRID)),
        row(f"  {name} pays for the shortfall", format_money(payment.paid, GRID)),
        row("  the balancing account receives for the shortfall", format_money(payment.balancing - haircut, GRID)),
        row("  score before", f"{entry.score_before / SCORE_ONE:,.1f} points, {rating(entry.score_before)}"),
        row("  score after", f"{entry.score_after / SCORE_ONE:,.1f} points, {rating(entry.score_after)}"),
    ]


def balance(market: Market) -> list[str]:
    """Money and energy, in and out."""
    bids = [entry for entry in market.ledger if entry.order.side == BUY]
    offers = [entry for entry in market.ledger if entry.order.side == SELL]
    bought_wh = sum(entry.fill_wh for entry in bids)
    delivered_wh = sum(entry.delivered_wh for entry in offers)
    short_wh = sum(entry.fill_wh - entry.delivered_wh for entry in offers)
    rounding_wh = sum(market.rounding_wh.values())
    assert bought_wh == delivered_wh + short_wh + rounding_wh
    changes = {account: market.wallet(account).balance - DEPOSIT for account in NAMES}
    balancing, network = market.wallet(BALANCING).balance, market.wallet(NETWORK).balance
    assert sum(changes.values()) + balancing + network == 0
    assert all(market.wallet(account).reserved == 0 for account in NAMES)
    return [
        row("energy bought", wh(bought_wh)),
        row("  = delivered + shortfall + rounding", f"{delivered_wh} + {short_wh} + {rounding_wh} Wh"),
        *(row(f"{NAMES[account]}'s wallet changes by", format_money(changes[account], GRID)) for account in NAMES),
        row("the balancing account's by", format_money(balancing, GRID)),
        row("the network account's by", format_money(network, GRID)),
        row("sum of all changes", format_money(sum(changes.values()) + balancing + network, GRID)),
    ]


def main() -> None:
    """Prints the trade."""
    market = build_market()
    window = market.parameters.window_at(NOW) + 2
    for title, lines in (
        ("Orders", orders(market, window)),
        ("Clearing", clearing(market, window)),
        ("Settlement", settlement(market, window)),
        ("Balance", balance(market)),
    ):
        print(f"{title}\n  " + "\n  ".join(lines))


if __name__ == "__main__":
    main()
