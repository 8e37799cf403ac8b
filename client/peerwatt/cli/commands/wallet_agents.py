"""`peerwatt wallet authorise | revoke | agents`: keys that may trade for an account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from peerwatt.cli import output
from peerwatt.cli.commands.wallet_money import SignOnly, hash_of, need_gas_money, paid
from peerwatt.cli.delivery import bring, not_there
from peerwatt.cli.errors import RefusedError, UsageError
from peerwatt.cli.options import command
from peerwatt.cli.session import Session

if TYPE_CHECKING:
    from web3.types import TxReceipt

    from peerwatt.market.words import AgentWord

app = typer.Typer()

AgentName = Annotated[str, typer.Argument(metavar="AGENT", help="Its address, or the name of its key.")]


@command(app, asks=True)
def authorise(
    session: Session,
    agent: AgentName,
    max_buy: Annotated[str, typer.Option("--max-buy", metavar="PRICE", help="It never buys above this.")],
    min_sell: Annotated[str, typer.Option("--min-sell", metavar="PRICE", help="It never sells below this.")],
    max_reserve: Annotated[
        str, typer.Option("--max-reserve", metavar="MONEY", help="Most that may be reserved after an order of it.")
    ],
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="Such as 2026-12-24T18:00.")] = None,
    for_: Annotated[str | None, typer.Option("--for", metavar="DURATION", help="Such as 30d, 12h or 45min.")] = None,
    sign_only: SignOnly = False,
) -> None:
    """Let a key sign orders and cancels for you, within limits, for a time."""
    from peerwatt.market import funds
    from peerwatt.market.durations import parse_duration
    from peerwatt.market.words import AgentWord
    from peerwatt.signing.kinds import check_uint
    from peerwatt.units import parse_money, parse_price

    if (until is None) == (for_ is None):
        raise UsageError("say until when: --until 2026-12-24T18:00, or --for 30d")
    gateway, grid, clock = session.gateway, session.grid, session.clock
    address = session.resolve(agent)
    if address == session.address:
        raise UsageError(f"{address} is your own account; an agent needs a key of its own, see: peerwatt wallet new")
    expiry = clock.parse_time(until) if until is not None else clock.now_s + parse_duration(for_ or "")
    if expiry <= clock.now_s:
        raise UsageError(f"{until!r} is {clock.format_time(expiry)}, which is past; give a later time")
    reserve = check_uint(parse_money(max_reserve, grid), 128, "--max-reserve")
    if reserve == 0:
        raise UsageError("with --max-reserve of zero the agent can place no order; give more, or see: wallet revoke")
    terms = AgentWord(expiry, parse_price(max_buy, grid), parse_price(min_sell, grid), reserve)
    fees = _start(session, sign_only)
    held = gateway.agent(session.address, address)
    session.say(
        f"You let {address} sign orders and cancels for {session.address}: {_describe(session, terms)}. "
        "It can never withdraw. You can revoke it at any time, at once."
        + (f"\nUntil now: {_describe(session, held)}." if held.expiry > clock.now_s else "")
        + f"\n{fees}"
    )
    receipt = _set(session, address, terms, sign_only)
    if receipt is None:
        return
    session.emit(
        {
            "account": session.address,
            "agent": address,
            **_to_json(session, terms),
            "transaction": hash_of(receipt),
            "fee_wei": 0 if session.bridge else funds.paid_fee_wei([receipt]),
        },
        lambda: (
            f"{address} is your agent until {clock.format_time(terms.expiry)}. "
            f"{paid(session, [receipt])}"
        ),
    )


@command(app, asks=True)
def revoke(session: Session, agent: AgentName, sign_only: SignOnly = False) -> None:
    """Stop an agent at once. Orders that it placed stay; cancel those you do not want."""
    from peerwatt.market import funds
    from peerwatt.market.words import AgentWord

    gateway, clock = session.gateway, session.clock
    address = session.resolve(agent)
    held = gateway.agent(session.address, address)
    if held.expiry == 0:
        raise RefusedError(f"{address} may do nothing for {session.address}; see: peerwatt wallet agents")
    fees = _start(session, sign_only)
    expired = f" It expired at {clock.format_time(held.expiry)}." if held.expiry <= clock.now_s else ""
    session.say(
        f"You revoke {address}; from then on nothing that it signs for {session.address} counts.{expired} "
        f"Orders that it placed stay. {fees}"
    )
    receipt = _set(session, address, AgentWord(0, 0, 0, 0), sign_only)
    if receipt is None:
        return
    session.emit(
        {
            "account": session.address,
            "agent": address,
            "transaction": hash_of(receipt),
            "fee_wei": 0 if session.bridge else funds.paid_fee_wei([receipt]),
        },
        lambda: f"{address} is revoked. {paid(session, [receipt])}",
    )


@command(app)
def agents(session: Session) -> None:
    """List the agents that you ever authorised, and what each may do now."""
    from peerwatt.market.mandates import REVOKED, read_mandates
    from peerwatt.units import format_money, format_price

    clock, grid = session.clock, session.grid
    mandates = read_mandates(session.gateway, session.address)
    rows = []
    for mandate in mandates:
        state, terms = mandate.state(clock.now_s), mandate.terms
        caps = ("-", "-", "-", "-")
        if state != REVOKED:
            caps = (
                clock.format_time(terms.expiry),
                format_price(terms.max_buy_level, grid),
                format_price(terms.min_sell_level, grid),
                format_money(terms.max_reserve, grid),
            )
        rows.append((mandate.agent, state, *caps))
    session.emit(
        [
            {
                "agent": mandate.agent,
                "state": mandate.state(clock.now_s),
                "since_s": mandate.since_s,
                **_to_json(session, mandate.terms),
            }
            for mandate in mandates
        ],
        lambda: (
            output.table(("agent", "state", "until", ">buys up to", ">sells from", ">reserves up to"), rows)
            if rows
            else f"{session.address} never authorised an agent."
        ),
    )


def _start(session: Session, sign_only: bool) -> str:
    """What comes of fees, in words."""
    from peerwatt.market.funds import MANDATE_GAS, read_funds

    session.json = session.json or sign_only
    if sign_only:
        return "Anyone can send it, and pays the fees, until the next time that you authorise or revoke an agent."
    return need_gas_money(session, read_funds(session.gateway, session.address), MANDATE_GAS)


def _set(session: Session, agent: str, terms: AgentWord, sign_only: bool) -> TxReceipt | None:
    """Asks, and sets what an agent may do; with `sign_only` prints what anyone can send, and returns None."""
    from peerwatt.market.signed import sign_mandate

    gateway = session.gateway
    session.confirm("Sign?" if sign_only else "Sign and send?")
    if sign_only:
        act = sign_mandate(gateway, bytes(session.signer().key), session.address, agent, terms)
        session.emit(act.to_json(), "")
        return None
    if session.bridge:
        act = sign_mandate(gateway, bytes(session.signer().key), session.address, agent, terms)
        receipt = bring(session, "agents", act.message, act.signature)
        if gateway.agent(session.address, agent) != terms:
            raise not_there(session, hash_of(receipt))
        return receipt
    call = gateway.registry.functions.authorise(
        agent, terms.expiry, terms.max_buy_level, terms.min_sell_level, terms.max_reserve
    )
    sender = session.sender()
    with session.waiting("waiting for the chain"):
        return gateway.act(sender, call)


def _describe(session: Session, terms: AgentWord) -> str:
    from peerwatt.units import format_money, format_price

    grid = session.grid
    return (
        f"until {session.clock.format_time(terms.expiry)} {session.clock.zone_name()}, "
        f"buying at {format_price(terms.max_buy_level, grid)} or less, "
        f"selling at {format_price(terms.min_sell_level, grid)} or more, "
        f"at most {format_money(terms.max_reserve, grid)} reserved in all"
    )


def _to_json(session: Session, terms: AgentWord) -> dict[str, int]:
    grid = session.grid
    return {
        "expiry_s": terms.expiry,
        "max_buy_level": terms.max_buy_level,
        "max_buy_price_per_wh": grid.price(terms.max_buy_level),
        "min_sell_level": terms.min_sell_level,
        "min_sell_price_per_wh": grid.price(terms.min_sell_level),
        "max_reserve": terms.max_reserve,
    }
