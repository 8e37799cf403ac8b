"""What the order commands share: whose key acts for whom, windows as typed, and what is said and reported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from eth_account.signers.local import LocalAccount
from web3 import Web3
from web3.types import TxReceipt

from peerwatt.cli import fees, output
from peerwatt.cli.delivery import bring, not_there
from peerwatt.cli.errors import UsageError
from peerwatt.cli.session import Session
from peerwatt.exceptions import NothingToCancel, from_code
from peerwatt.market import relay
from peerwatt.market.cancels import CancelQuote, draft_cancel, judge_cancel
from peerwatt.market.clock import MarketClock
from peerwatt.market.funds import paid_fee_wei
from peerwatt.market.mirror import Mirror, read_mirror
from peerwatt.market.order_status import OrderStatus
from peerwatt.market.order_words import describe_order, order_facts
from peerwatt.market.orders import Quote, draft, judge
from peerwatt.market.senders import Sender
from peerwatt.market.words import OrderWord
from peerwatt.reference.participants import Agent as AgentRecord
from peerwatt.reference.participants import get_agent
from peerwatt.refusals.base import MarketError
from peerwatt.signing import BUY, Order, Signature
from peerwatt.units import format_energy, format_money, format_price, parse_energy, parse_price
from peerwatt.wallet import keystores

# What an order and a cancel use where nothing was stored before; later ones use less.
ORDER_GAS, CANCEL_GAS = 210_000, 120_000
SIDES = {"buy": 0, "sell": 1}
SIDE_NAMES = {number: name for name, number in SIDES.items()}


@dataclass(frozen=True)
class Actor:
    """Who signs for whom.

    Attributes:
        account: that trades.
        agent: the key that signs for it, None for its own.
    """

    account: str
    agent: str | None
    _keystore: keystores.Keystore | None = None
    _key: LocalAccount | None = field(default=None, repr=False)

    @classmethod
    def of(cls, session: Session, agent: str | None, account: str | None) -> Actor:
        """From the options `--agent` and `--for`.

        Raises:
            KeystoreError: no such key.
            BadMessage: no address.
        """
        if agent is None:
            signer, keystore, key = session.address, None, None
        else:
            keystore = keystores.find(session.key_folders, agent)
            key = None if keystore.address else session.unlock(keystore)
            signer = keystore.address or (key.address if key else "")
        maker = session.resolve(account) if account else session.address
        return cls(maker, None if signer == maker else signer, keystore, key)

    @classmethod
    def external(cls, session: Session, agent: str | None) -> Actor:
        """Where somebody else signs: for `--account`, by the address of an agent if there is one."""
        signer = None if agent is None else session.resolve(agent)
        return cls(session.address, None if signer == session.address else signer)

    @property
    def signer(self) -> str:
        """Address of the key that signs, and pays."""
        return self.agent or self.account

    def unlock(self, session: Session) -> LocalAccount:
        """The key that signs."""
        return self._key or (session.unlock(self._keystore) if self._keystore else session.signer())

    def read(self, session: Session) -> Mirror:
        """The account as it is."""
        return read_mirror(session.gateway, self.account, self.agent)


def knows_agent(mirror: Mirror, agent: str) -> bool:
    """Whether the account ever authorised a key, be it revoked or expired."""
    return get_agent(mirror.market, mirror.account, agent.lower()) != AgentRecord()


def parse_windows(clock: MarketClock, from_: str | None, to: str | None, windows: int | None) -> tuple[int, int]:
    """First and last window of `--from`, `--to` and `--windows`; without any, the next open one."""
    if to is not None and windows is not None:
        raise UsageError("--to and --windows both say where the order ends; give one of them")
    first = clock.next_open if from_ is None else clock.parse_window_start(from_)
    if to is not None:
        return first, clock.parse_window_end(to, first)
    return first, first + (windows or 1) - 1


def quote_order(
    session: Session,
    actor: Actor,
    side: int,
    energy: str,
    price: str,
    from_: str | None,
    to: str | None,
    windows: int | None,
    nonce: int | None,
) -> tuple[Order, Quote]:
    """The order that was typed, and what the market would make of it.

    Raises:
        MarketError: an amount, price or time makes no sense, or the market would refuse the order.
    """
    energy_wh, clock = parse_energy(energy), session.clock
    grid = session.grid
    level = parse_price(price, grid)
    first, last = parse_windows(clock, from_, to, windows)
    mirror = actor.read(session)
    order = draft(
        mirror, clock, grid, side, energy_wh=energy_wh, limit_level=level, first=first, last=last, nonce=nonce
    )
    return order, judge(mirror, clock, grid, order, agent=actor.agent)


def say_order(session: Session, quote: Quote) -> str:
    """What is signed, its worst case, and what else counts."""
    clock, grid = session.clock, session.grid
    facts = output.facts(order_facts(quote, clock, grid), indent="  ")
    return f"{describe_order(quote, clock, grid)}.\n{facts}"


def relay_order(session: Session, sender: Sender, order: Order, signature: Signature, agent: str | None) -> None:
    """Sends a signed order and reports it."""
    if session.bridge is not None:
        receipt = bring(session, "orders", order, signature, agent)
    else:
        item = relay.OrderItem.from_message(order, signature, agent or relay.NOBODY)
        receipt = send(session, sender, item.pack())
    # A bridge's transaction brings orders of others too.
    placed = [
        OrderWord.decode(int(event.args["order"]))
        for event in session.gateway.get_events(receipt)
        if event.name == "OrderPlaced" and event.args["account"] == order.maker
    ]
    accepted = next((word for word in placed if word.nonce == order.nonce), None)
    if accepted is None:
        raise not_there(session, receipt["transactionHash"].to_0x_hex())
    clock = session.clock
    last = accepted.first + accepted.count - 1
    data = {**order_json(session, order, agent), **accepted_json(session, accepted), **receipt_json(session, receipt)}
    session.emit(
        data,
        lambda: (
            f"Order {order.nonce} is in the market for {clock.format_span(accepted.first, last)} "
            f"(slot {order.slot}, transaction {data['transaction']}, {data['gas']} gas)."
        ),
    )


def send(session: Session, sender: Sender, words: Sequence[int], *, strict: bool = True) -> TxReceipt:
    """Relays items: tried by a call first, so that nothing is paid for what would be refused."""
    call = session.gateway.market.functions.relay(list(words), strict)
    with session.waiting("waiting for the transaction"):
        session.gateway.simulate(sender.address, call)
        return session.gateway.act(sender, call)


def say_fees(session: Session, payer: str, gas: int) -> str:
    """What one transaction costs whoever sends it.

    Raises:
        RefusedError: it has no gas money.
    """
    return fees.need_gas_money(session, payer, int(session.w3.eth.get_balance(Web3.to_checksum_address(payer))), gas)


def cancellable(mirror: Mirror, clock: MarketClock, start: int) -> list[int]:
    """Nonces of the orders with a window from `start` on that can be cancelled."""
    nonces = []
    for slot, order in enumerate(mirror.state.orders):
        if mirror.state.live_windows(slot):
            try:
                judge_cancel(mirror, clock, draft_cancel(mirror, clock, order.nonce, start))
            except NothingToCancel:
                continue
            nonces.append(order.nonce)
    return nonces


def relay_cancels(
    session: Session, sender: Sender, signed: Sequence[tuple[CancelQuote, Signature]]
) -> None:
    """Sends signed cancels in one transaction and reports them; of several, one that came too late stops no other."""
    receipt, skipped = _bring_cancels(session, signed) if session.bridge else _send_cancels(session, sender, signed)
    rows = [cancel_json(session, quote) for index, (quote, _) in enumerate(signed) if index not in skipped]
    for index, refusal in skipped.items():
        output.complain(f"order {signed[index][0].cancel.nonce}: {refusal}")
    first = signed[0][0]
    data = {"account": first.cancel.maker, "agent": first.agent, "cancelled": rows, **receipt_json(session, receipt)}
    numbers = ", ".join(str(row["nonce"]) for row in rows) or "nothing"
    released = format_money(sum(int(row["released"]) for row in rows), session.grid)
    session.emit(
        data,
        f"Cancelled {numbers}; {released} is free again (transaction {data['transaction']}, {data['gas']} gas).",
    )


def _send_cancels(
    session: Session, sender: Sender, signed: Sequence[tuple[CancelQuote, Signature]]
) -> tuple[TxReceipt, dict[int, MarketError]]:
    """The receipt, and what was skipped."""
    words = [
        word
        for quote, signature in signed
        for word in relay.CancelItem.from_message(quote.cancel, signature, quote.agent or relay.NOBODY).pack()
    ]
    receipt = send(session, sender, words, strict=len(signed) == 1)
    events = session.gateway.get_events(receipt)
    return receipt, {
        int(event.args["index"]): from_code(int(event.args["reason"]))
        for event in events
        if event.name == "ItemSkipped"
    }


def _bring_cancels(
    session: Session, signed: Sequence[tuple[CancelQuote, Signature]]
) -> tuple[TxReceipt, dict[int, MarketError]]:
    """The receipt of the last one, and what was refused."""
    receipts: list[TxReceipt] = []
    refused: dict[int, MarketError] = {}
    for index, (quote, signature) in enumerate(signed):
        try:
            receipts.append(bring(session, "cancels", quote.cancel, signature, quote.agent))
        except MarketError as refusal:
            if len(signed) == 1:
                raise
            refused[index] = refusal
    if not receipts:
        raise next(iter(refused.values()))
    return receipts[-1], refused


def receipt_json(session: Session, receipt: TxReceipt) -> dict[str, Any]:
    """What every command that sends reports of its transaction."""
    return {
        "transaction": receipt["transactionHash"].to_0x_hex(),
        "block": int(receipt["blockNumber"]),
        "gas": int(receipt["gasUsed"]),
        "fee_wei": 0 if session.bridge else paid_fee_wei([receipt]),
    }


def order_json(session: Session, order: Order, agent: str | None) -> dict[str, Any]:
    """What was signed."""
    return {
        "account": order.maker,
        "agent": agent,
        "meter": order.meter,
        "side": SIDE_NAMES[order.side],
        "nonce": order.nonce,
        "slot": order.slot,
        "energy_wh": order.energy_wh,
        "limit_level": order.limit_level,
        "limit_price_per_wh": session.grid.price(order.limit_level),
    }


def accepted_json(session: Session, accepted: OrderWord) -> dict[str, Any]:
    """What the market fixed when it accepted an order."""
    clock, grid, last = session.clock, session.grid, accepted.first + accepted.count - 1
    imbalance_price = grid.floor_price + accepted.imbalance_steps * grid.price_step
    limit = grid.price(accepted.limit_level)
    unit_reserve = limit if accepted.side == BUY else imbalance_price - limit
    return {
        "first_window": accepted.first,
        "last_window": last,
        "starts_s": clock.start_s(accepted.first),
        "ends_s": clock.end_s(last),
        "gate_s": clock.gate_s(accepted.first),
        "effective_level": accepted.effective_level,
        "effective_price_per_wh": grid.price(accepted.effective_level),
        "adjustment_bps": accepted.adjustment_bps,
        "fee_per_wh": accepted.fee_per_wh,
        "reserved": accepted.count * accepted.energy_wh * unit_reserve,
    }


def status_json(session: Session, status: OrderStatus) -> dict[str, Any]:
    """One of `peerwatt orders`."""
    order, grid = status.order, session.grid
    return {
        "nonce": order.nonce,
        "side": SIDE_NAMES[order.side],
        "status": status.status,
        "first_window": order.first,
        "windows": order.count,
        "starts_s": session.clock.start_s(order.first),
        "ends_s": session.clock.start_s(order.first + order.count),
        "energy_wh": order.energy_wh,
        "limit_level": order.limit_level,
        "limit_price_per_wh": grid.price(order.limit_level),
        "effective_level": order.effective_level,
        "effective_price_per_wh": grid.price(order.effective_level),
        "windows_waiting": status.waiting,
        "windows_cleared": status.cleared,
        "windows_settled": status.settled,
        "filled_wh": status.filled_wh,
        "reserved": status.reserved,
    }


def say_statuses(session: Session, statuses: Sequence[OrderStatus]) -> str:
    """The table of `peerwatt orders`."""
    if not statuses:
        return "No open or recent order; place one with: peerwatt sell, or peerwatt buy"
    clock, grid = session.clock, session.grid
    rows = []
    for status in statuses:
        order = status.order
        rows.append(
            (
                order.nonce,
                SIDE_NAMES[order.side],
                clock.format_span(order.first, order.last) if order.count else "-",
                format_energy(order.energy_wh),
                format_price(order.limit_level, grid, 2),
                format_price(order.effective_level, grid, 2),
                format_energy(status.filled_wh),
                format_money(status.reserved, grid),
                _say_status(status),
            )
        )
    columns = (">order", "side", "windows", ">each", ">limit", ">in the book", ">filled", ">reserved", "status")
    return output.table(columns, rows)


def _say_status(status: OrderStatus) -> str:
    parts = {"waiting for clearing": status.waiting, "cleared": status.cleared, "settled": status.settled}
    if status.order.count and parts[status.status] != status.order.count:
        return ", ".join(f"{count} {name}" for name, count in parts.items() if count)
    return status.status


def cancel_json(session: Session, quote: CancelQuote) -> dict[str, Any]:
    """One of the orders that `peerwatt cancel` took back."""
    clock = session.clock
    return {
        "nonce": quote.cancel.nonce,
        "burnt": quote.burns,
        "windows_cancelled": len(quote.cut),
        "cancelled_from_s": clock.start_s(quote.cut[0]) if quote.cut else None,
        "windows_left": len(quote.stay),
        "released": quote.released,
    }
