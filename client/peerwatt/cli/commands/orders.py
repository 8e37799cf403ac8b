"""`peerwatt sell`, `buy`, `orders` and `cancel`."""

from __future__ import annotations

from typing import Annotated

import typer

from peerwatt.cli.errors import RefusedError, UsageError
from peerwatt.cli.options import command
from peerwatt.cli.session import Session

Energy = Annotated[str, typer.Argument(metavar="ENERGY", help="In each window, such as 2.5kWh or 800Wh.")]
BuyPrice = Annotated[
    str, typer.Option("--price", metavar="PRICE", help="Pay no more for a kWh, surcharge and fees included.")
]
SellPrice = Annotated[str, typer.Option("--price", metavar="PRICE", help="Get no less for a kWh, haircut included.")]
From = Annotated[
    str | None,
    typer.Option("--from", metavar="TIME", help="Start, such as 14:00 or 2026-10-14T14:00; else the next open window."),
]
To = Annotated[str | None, typer.Option("--to", metavar="TIME", help="End, such as 16:00; else one window.")]
Windows = Annotated[int | None, typer.Option("--windows", min=1, help="How many windows, instead of an end.")]
Nonce = Annotated[
    int | None,
    typer.Option("--nonce", min=1, help="Number of the order; else the next that is free.", show_default=False),
]
Agent = Annotated[
    str | None, typer.Option("--agent", metavar="NAME", help="Agent key that signs for the account, and pays the gas.")
]
For = Annotated[
    str | None,
    typer.Option("--for", metavar="ACCOUNT", help="Account that the order is for, where --account is an agent of it."),
]

OrderNumber = Annotated[int | None, typer.Argument(metavar="NONCE", min=1, help="Of the order; see: peerwatt orders.")]
FromWindow = Annotated[
    str | None, typer.Option("--from-window", metavar="TIME", help="Take back windows from this time on; else all.")
]


def register(root: typer.Typer, panel: str) -> None:
    """Adds the commands."""
    for name, function in (("sell", sell), ("buy", buy), ("orders", orders), ("cancel", cancel)):
        command(root, name, asks=function is not orders, rich_help_panel=panel)(function)


def sell(
    session: Session,
    energy: Energy,
    price: SellPrice,
    from_: From = None,
    to: To = None,
    windows: Windows = None,
    nonce: Nonce = None,
    agent: Agent = None,
    for_: For = None,
) -> None:
    """Offer energy: sign an order to sell and send it to the market."""
    from peerwatt.signing import SELL

    _order(session, SELL, energy, price, from_, to, windows, nonce, agent, for_)


def buy(
    session: Session,
    energy: Energy,
    price: BuyPrice,
    from_: From = None,
    to: To = None,
    windows: Windows = None,
    nonce: Nonce = None,
    agent: Agent = None,
    for_: For = None,
) -> None:
    """Bid for energy: sign an order to buy and send it to the market."""
    from peerwatt.signing import BUY

    _order(session, BUY, energy, price, from_, to, windows, nonce, agent, for_)


def _order(
    session: Session,
    side: int,
    energy: str,
    price: str,
    from_: str | None,
    to: str | None,
    windows: int | None,
    nonce: int | None,
    agent: str | None,
    for_: str | None,
) -> None:
    from peerwatt.cli import trading
    from peerwatt.market.orders import judge
    from peerwatt.market.senders import KeyAccount
    from peerwatt.signing import sign

    actor = trading.Actor.of(session, agent, for_)
    order, quote = trading.quote_order(session, actor, side, energy, price, from_, to, windows, nonce)
    fees = trading.say_fees(session, actor.signer, trading.ORDER_GAS)
    session.say(f"{trading.say_order(session, quote)}\n{fees}")
    session.confirm("Sign and send it?")
    key = actor.unlock(session)
    # Minutes may have passed since the quote.
    judge(actor.read(session), session.clock, session.grid, order, agent=actor.agent)
    signature = sign(order, session.domain, key.key)
    trading.relay_order(session, KeyAccount(key), order, signature, actor.agent)


def orders(
    session: Session,
    all_: Annotated[bool, typer.Option("--all", help="Also those that ended more than a day ago.")] = False,
    for_: Annotated[str | None, typer.Option("--for", metavar="ACCOUNT", help="Another account's.")] = None,
) -> None:
    """Show your orders: open ones, and those of the last day."""
    from peerwatt.cli import trading
    from peerwatt.market.mirror import read_mirror
    from peerwatt.market.order_status import read_statuses

    account = session.resolve(for_) if for_ else session.address
    clock = session.clock
    since = 0 if all_ else clock.window - 86_400 // clock.window_seconds
    with session.waiting("reading the orders"):
        statuses = read_statuses(session.gateway, read_mirror(session.gateway, account), since)
    session.emit(
        {"account": account, "orders": [trading.status_json(session, status) for status in statuses]},
        lambda: trading.say_statuses(session, statuses),
    )


def cancel(
    session: Session,
    nonce: OrderNumber = None,
    from_window: FromWindow = None,
    all_: Annotated[bool, typer.Option("--all", help="All orders that can be cancelled.")] = False,
    agent: Agent = None,
    for_: For = None,
) -> None:
    """Take back an order, as far as its windows are more than one window before their gate."""
    from peerwatt.cli import trading
    from peerwatt.market.cancels import draft_cancel, judge_cancel
    from peerwatt.market.order_words import describe_cancel
    from peerwatt.market.senders import KeyAccount
    from peerwatt.signing import sign

    if (nonce is None) == (not all_):
        raise UsageError("name one order by its nonce, or all with --all; see: peerwatt orders")
    actor = trading.Actor.of(session, agent, for_)
    mirror, clock = actor.read(session), session.clock
    start = 0 if from_window is None else clock.parse_window_start(from_window)
    nonces = [nonce] if nonce is not None else trading.cancellable(mirror, clock, start)
    if not nonces:
        raise RefusedError("no order has a window that can be cancelled; see: peerwatt orders")
    cancels = [draft_cancel(mirror, clock, number, start) for number in nonces]
    quotes = [judge_cancel(mirror, clock, message, agent=actor.agent) for message in cancels]
    words = [f"{describe_cancel(quote, clock, session.grid)}." for quote in quotes]
    fees = trading.say_fees(session, actor.signer, trading.CANCEL_GAS * len(quotes))
    session.say("\n".join([*words, fees]))
    session.confirm("Sign and send it?")
    key = actor.unlock(session)
    signed = [(quote, sign(quote.cancel, session.domain, key.key)) for quote in quotes]
    trading.relay_cancels(session, KeyAccount(key), signed)
