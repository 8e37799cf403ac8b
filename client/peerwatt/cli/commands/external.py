"""`peerwatt order`: orders for keys that this program does not hold, such as a hardware wallet's."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from peerwatt.cli import output
from peerwatt.cli.commands.orders import Energy, From, FromWindow, Nonce, To, Windows
from peerwatt.cli.errors import ConfigurationError, UsageError
from peerwatt.cli.options import command
from peerwatt.cli.session import Session

app = typer.Typer(help="Orders signed elsewhere, such as by a hardware wallet.", no_args_is_help=True)

Side = Annotated[str, typer.Argument(metavar="sell|buy", help="What the order does.")]
Price = Annotated[str, typer.Option("--price", metavar="PRICE", help="Limit for a kWh, everything included.")]
AgentAddress = Annotated[
    str | None, typer.Option("--agent", metavar="AGENT", help="Agent key that will sign for the account.")
]
Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write to this file; else to stdout.")]


def register(root: typer.Typer, panel: str) -> None:
    """Adds the commands."""
    root.add_typer(app, name="order", rich_help_panel=panel)


@command(app)
def build(
    session: Session,
    side: Side,
    energy: Energy,
    price: Price,
    from_: From = None,
    to: To = None,
    windows: Windows = None,
    nonce: Nonce = None,
    agent: AgentAddress = None,
    out: Out = None,
) -> None:
    """Write an order as typed data (eth_signTypedData_v4), for another signer. Needs no key, only --account ADDRESS."""
    from peerwatt.cli import trading

    if side not in trading.SIDES:
        raise UsageError(f"the side is {side!r}; write sell or buy")
    actor = trading.Actor.external(session, agent)
    order, quote = trading.quote_order(
        session, actor, trading.SIDES[side], energy, price, from_, to, windows, nonce
    )
    _write(session, order.to_typed_data(session.domain), trading.say_order(session, quote), out)


@command(app)
def build_cancel(
    session: Session,
    nonce: Annotated[int, typer.Argument(metavar="NONCE", min=1, help="Of the order; see: peerwatt orders.")],
    from_window: FromWindow = None,
    agent: AgentAddress = None,
    out: Out = None,
) -> None:
    """Write a cancel as typed data (eth_signTypedData_v4), for another signer."""
    from peerwatt.cli import trading
    from peerwatt.market.cancels import draft_cancel, judge_cancel
    from peerwatt.market.order_words import describe_cancel

    actor = trading.Actor.external(session, agent)
    mirror, clock = actor.read(session), session.clock
    start = 0 if from_window is None else clock.parse_window_start(from_window)
    message = draft_cancel(mirror, clock, nonce, start)
    quote = judge_cancel(mirror, clock, message, agent=actor.agent)
    words = f"{describe_cancel(quote, clock, session.grid)}.\nValid until {clock.format_time(message.deadline)}."
    _write(session, message.to_typed_data(session.domain), words, out)


@command(app, asks=True)
def submit(
    session: Session,
    file: Annotated[str, typer.Argument(metavar="FILE", help="What was signed, of order build; - for stdin.")],
    signature: Annotated[
        str, typer.Option("--signature", metavar="HEX", help="65 bytes r, s, v, or the 64 of EIP-2098.")
    ],
) -> None:
    """Send an order or cancel that was signed elsewhere. --account only pays the gas; anyone's key will do."""
    from peerwatt.cli import trading
    from peerwatt.market.cancels import judge_cancel
    from peerwatt.market.mirror import read_mirror
    from peerwatt.market.order_words import describe_cancel
    from peerwatt.market.orders import judge
    from peerwatt.signing import Cancel, Order, Signature, parse_typed_data, recover

    message = parse_typed_data(_read(file), session.domain, (Order, Cancel))
    assert isinstance(message, Order | Cancel)
    signed = Signature.from_hex(signature)
    signer = recover(message, session.domain, signed)
    mirror, clock = read_mirror(session.gateway, message.maker, signer), session.clock
    agent = signer if signer != message.maker and trading.knows_agent(mirror, signer) else None
    if isinstance(message, Order):
        quote = judge(mirror, clock, session.grid, message, agent=agent, signer=signer)
        words, gas = trading.say_order(session, quote), trading.ORDER_GAS
    else:
        cancelling = judge_cancel(mirror, clock, message, agent=agent, signer=signer)
        words, gas = f"{describe_cancel(cancelling, clock, session.grid)}.", trading.CANCEL_GAS
    session.say(f"{words}\n{trading.say_fees(session, session.address, gas)}")
    session.confirm("Send it?")
    sender = session.sender()
    if isinstance(message, Order):
        trading.relay_order(session, sender, message, signed, agent)
    else:
        trading.relay_cancels(session, sender, [(cancelling, signed)])


@command(app)
def descriptor(session: Session, out: Out = None) -> None:
    """Write the market's ERC-7730 descriptor: with it a wallet shows prices and energy instead of bare numbers."""
    from peerwatt.signing.descriptor import build_descriptor

    deployment = session.deployment
    window_seconds = deployment.parameters.window_seconds
    data = build_descriptor(session.domain, session.grid, deployment.token, window_seconds)
    _write(session, data, "The messages of this market, as wallets shall show them (ERC-7730).", out)


def _write(session: Session, data: dict[str, Any], words: str, out: Path | None) -> None:
    """The data to a file or to stdout, which then holds nothing else."""
    text = output.to_json(data)
    if out is None:
        typer.echo(words, err=True)
        typer.echo(text)
        return
    out.write_text(text + "\n", encoding="utf-8")
    session.emit({"file": str(out)}, f"{words}\nWritten to {out}")


def _read(file: str) -> Any:
    try:
        return json.loads(sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigurationError(f"{file} is not JSON ({error}); give the file of peerwatt order build") from None
