"""One account's windows and money, rebuilt from the logs and checked against the chain."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from peerwatt.market.gateway import MarketGateway
from peerwatt.market.history import Head, read_account_events, read_steadily
from peerwatt.market.replay import Act, Replay
from peerwatt.market.words import WalletWord
from peerwatt.reference import auction, offers
from peerwatt.reference.settlement import DEFAULTED, REVOKED, Settled
from peerwatt.reference.tariffs import adjustment_of
from peerwatt.reference.values import BUY, SELL

# What a row says of windows that are not settled.
OPEN, CLEARED = "open", "cleared"


@dataclass(frozen=True)
class Row:
    """One window with an order of the account. Energies in Wh, money in base units; None where it is not known yet.

    Attributes:
        side: BUY or SELL.
        status: `open`, `cleared` (but not settled), or why it was settled: `reported`, `taken`, `defaulted`,
            `revoked`, `unfilled`.
        price_per_wh: clearing price, None without a trade.
        imported_wh, exported_wh: what a report on the chain says of the window.
        energy_amount: filled (bought) or delivered (sold) energy at the clearing price.
        adjustment_amount: surcharge or haircut. fee_amount: network fee. shortfall_amount: what a seller paid for
            energy it did not deliver.
        score_before, score_after: [1/65536 points].
    """

    window: int
    side: int
    status: str
    ordered_wh: int
    limit_level: int
    filled_wh: int | None = None
    price_per_wh: int | None = None
    imported_wh: int | None = None
    exported_wh: int | None = None
    delivered_wh: int | None = None
    shortfall_wh: int | None = None
    energy_amount: int | None = None
    adjustment_amount: int | None = None
    fee_amount: int | None = None
    shortfall_amount: int | None = None
    paid_amount: int | None = None
    received_amount: int | None = None
    score_before: int | None = None
    score_after: int | None = None
    block_number: int | None = None
    transaction_hash: str | None = None

    @property
    def settled(self) -> bool:
        return self.status not in (OPEN, CLEARED)

    @property
    def mark(self) -> str:
        """What stands out: `defaulted`, `revoked`, `short`, `unfilled`, `in_part`, or nothing."""
        if self.status in (DEFAULTED, REVOKED):
            return self.status
        if self.shortfall_wh:
            return "short"
        if self.filled_wh is None or self.filled_wh == self.ordered_wh:
            return ""
        return "in_part" if self.filled_wh else "unfilled"


@dataclass(frozen=True)
class Movement:
    """Money that came or went beside the trades.

    Attributes:
        kind: `deposit`, `withdrawal`, or `credit` (what goes to the balancing and the network account).
        amount: [base units], positive.
    """

    kind: str
    amount: int
    block_number: int
    transaction_hash: str


@dataclass(frozen=True)
class Totals:
    """Sums over rows and movements; energies [Wh] and money [base units] of settled windows."""

    windows: int
    ordered_wh: int
    bought_wh: int
    sold_wh: int
    delivered_wh: int
    shortfall_wh: int
    energy_bought_amount: int
    energy_sold_amount: int
    surcharge_amount: int
    haircut_amount: int
    fee_amount: int
    shortfall_amount: int
    paid_amount: int
    received_amount: int


@dataclass(frozen=True)
class AccountHistory:
    """What the logs say of an account up to a block.

    Attributes:
        account: checksum address.
        acts: in their sequence. rows: by window.
        wallet: as the contract stores it at the head.
        retail_class: of its newest connection, None if it never had one.
        differences: one line for each place where logs, rules and contract disagree; none is as it should be.
    """

    account: str
    head: Head
    acts: tuple[Act, ...]
    rows: tuple[Row, ...]
    movements: tuple[Movement, ...]
    wallet: WalletWord
    retail_class: int | None
    differences: tuple[str, ...]


def read_account_history(gateway: MarketGateway, account: str) -> AccountHistory:
    """Reads and replays an account's logs up to the newest block, and compares with its wallet there.

    Raises:
        ChainReorganised: the chain does not hold still.
    """

    def read(head: Head) -> AccountHistory:
        replay = Replay(gateway.deployment).apply_all(read_account_events(gateway, account, head.number))
        stored = gateway.market.functions.wallets(account).call(block_identifier=head.number)
        wallet = WalletWord.decode(stored)
        replay.check_wallet(account, wallet, f"in the contract at block {head.number}")
        return to_history(replay, account, head, wallet)

    return read_steadily(gateway.w3, read)


def to_history(replay: Replay, account: str, head: Head, wallet: WalletWord) -> AccountHistory:
    """An account's history from a replay that followed it."""
    key = account.lower()
    acts = tuple(replay.acts.get(key, ()))
    rows = {line.window: settled_row(act, line) for act in acts for line in act.settled}
    rows |= {row.window: row for row in _open_rows(replay, key)}
    return AccountHistory(
        account,
        head,
        acts,
        tuple(rows[window] for window in sorted(rows)),
        tuple(_movements(acts)),
        wallet,
        replay.retail_classes.get(key),
        tuple(replay.differences),
    )


def add_up(rows: Iterable[Row]) -> Totals:
    """Sums of the settled rows."""
    done = [row for row in rows if row.settled]
    bids = [row for row in done if row.side == BUY]
    sales = [row for row in done if row.side == SELL]

    def total(part: list[Row], name: str) -> int:
        return sum(getattr(row, name) or 0 for row in part)

    return Totals(
        windows=len(done),
        ordered_wh=total(done, "ordered_wh"),
        bought_wh=total(bids, "filled_wh"),
        sold_wh=total(sales, "filled_wh"),
        delivered_wh=total(sales, "delivered_wh"),
        shortfall_wh=total(sales, "shortfall_wh"),
        energy_bought_amount=total(bids, "energy_amount"),
        energy_sold_amount=total(sales, "energy_amount"),
        surcharge_amount=total(bids, "adjustment_amount"),
        haircut_amount=total(sales, "adjustment_amount"),
        fee_amount=total(done, "fee_amount"),
        shortfall_amount=total(sales, "shortfall_amount"),
        paid_amount=total(done, "paid_amount"),
        received_amount=total(done, "received_amount"),
    )


def sum_of(movements: Iterable[Movement], kind: str) -> int:
    """Money that came or went in one way [base units]."""
    return sum(movement.amount for movement in movements if movement.kind == kind)


def settled_row(act: Act, line: Settled) -> Row:
    """The row of a window that an act settled."""
    order, payment, fill_wh = line.order, line.payment, line.fill_wh
    sells = order.side == SELL
    # A revoked seller's window is outside its account: it neither delivers nor owes.
    owed_wh = fill_wh if sells and line.cause != REVOKED else 0
    moved_wh = line.delivered_wh if sells else fill_wh
    return Row(
        window=line.window,
        side=order.side,
        status=line.cause,
        ordered_wh=order.energy_wh,
        limit_level=order.limit_level,
        filled_wh=fill_wh,
        price_per_wh=line.price_per_wh if fill_wh else None,
        imported_wh=line.growth_wh if act.read_side == BUY else None,
        exported_wh=line.growth_wh if act.read_side == SELL else None,
        delivered_wh=line.delivered_wh if sells else None,
        shortfall_wh=owed_wh - line.delivered_wh if sells else None,
        energy_amount=moved_wh * line.price_per_wh,
        adjustment_amount=moved_wh * adjustment_of(line.price_per_wh, order.adjustment_bps),
        fee_amount=payment.network,
        shortfall_amount=payment.paid if sells else 0,
        paid_amount=payment.paid,
        received_amount=payment.received,
        score_before=line.score_before,
        score_after=line.score_after,
        block_number=act.event.block_number,
        transaction_hash=act.event.transaction_hash,
    )


def _open_rows(replay: Replay, account: str) -> Iterable[Row]:
    state = replay.state
    opened = offers.get_calendar(state, account).open
    for slot in range(offers.SLOTS):
        order = offers.get_order(state, account, slot)
        for window in opened.intersection(order.windows):
            result = state.results.get(window)
            if result is None:
                yield Row(window, order.side, OPEN, order.energy_wh, order.limit_level)
                continue
            fill_wh = auction.fill(result, order.side, order.effective_level, order.energy_wh)
            price = state.parameters.price(result.level) if fill_wh else None
            yield Row(window, order.side, CLEARED, order.energy_wh, order.limit_level, fill_wh, price)


def _movements(acts: Iterable[Act]) -> Iterable[Movement]:
    before = 0
    for act in acts:
        event, amount = act.event, act.wallet.balance - before
        before = act.wallet.balance
        kinds = {"Deposited": "deposit", "Withdrawn": "withdrawal", "FundsCredited": "credit"}
        if event.name in kinds and amount:
            yield Movement(kinds[event.name], abs(amount), event.block_number, event.transaction_hash)
