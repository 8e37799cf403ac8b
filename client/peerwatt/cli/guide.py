"""What a newcomer does next: told from the chain, the keys and the files, never from what was typed before."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from peerwatt.cli.errors import NodeError
from peerwatt.cli.session import Session

if TYPE_CHECKING:
    from peerwatt.market.accounts import AccountState
    from peerwatt.market.clock import MarketClock

# What the suggestions are about; anything else does as well.
DEPOSIT = "800"
ENERGY = "500Wh"
CONNECTION = "17"
TERMS = "--feeder 0 --status feeding-in --import-limit 5kWh --export-limit 5kWh --meter-class 1 --retail-class 0"


@dataclass(frozen=True)
class Step:
    """What to type next, and why."""

    command: str
    why: str


def find_next(session: Session) -> Step:
    """The next step of whoever has the session's keys."""
    try:
        _ = session.w3
    except NodeError:
        return Step("peerwatt node", f"no chain answers at {session.settings['rpc']}; this starts one")
    if not session.settings.path_of("deployment").exists():
        return Step("peerwatt deploy", "there is no market yet; this deploys one and writes its manifest")
    if session.settings["account"] is None and not _has_key(session):
        return Step("peerwatt wallet new", "you have no key yet; your account is the address of your key")
    from peerwatt.market.accounts import read_account

    state = read_account(session.gateway, session.address)
    if not state.enrolled:
        return _join(session, state)
    traded = any(order.nonce for order in state.orders)
    if state.wallet.balance == 0 and traded:
        return Step("peerwatt --help", "you have traded, and your money is back in your account; the rest is up to you")
    if state.wallet.balance == 0:
        command = f'peerwatt wallet deposit "{DEPOSIT} {session.grid.currency}"'
        return Step(command, "orders are paid from the money that you put into the market")
    window = state.calendar.next_open
    if window is None and traded:
        return Step("peerwatt wallet withdraw --all", "everything is settled: peerwatt statement shows how")
    if window is None:
        return _trade(session, state)
    return _wait(session, state, window)


def _has_key(session: Session) -> bool:
    from peerwatt.wallet.keystores import list_keystores

    return bool(list_keystores(session.key_folders[:1]))


def _join(session: Session, state: AccountState) -> Step:
    local = session.is_unlocked(session.deployment.roles.operator)
    gas = int(session.w3.eth.get_balance(session.w3.to_checksum_address(state.address)))
    if local and (gas == 0 or session.gateway.token_balance(state.address) + state.wallet.balance == 0):
        return Step("peerwatt faucet", "you have no money; on a local chain it comes from here")
    if not _has_meter(session):
        return Step("peerwatt meter new", "your meter needs a key of its own: it signs what you deliver")
    consent = next(iter(sorted(Path().glob("consent*.json"))), None)
    if consent is None:
        why = "account and meter sign that they belong together, with what the meter shows"
        return Step("peerwatt join --imported 0kWh --exported 0kWh", why)
    if not local:
        return Step(f"send {consent} to the operator", "the operator certifies your connection and meter")
    command = f"peerwatt operator enrol {consent} --connection {CONNECTION} {TERMS}"
    return Step(command, "the operator certifies your connection and its limits; on this local chain that is you")


def _has_meter(session: Session) -> bool:
    from peerwatt.cli.settings import data_home
    from peerwatt.wallet.keystores import list_keystores

    return session.settings["meter"] is not None or bool(list_keystores([data_home() / "meters"]))


def _trade(session: Session, state: AccountState) -> Step:
    from peerwatt.market.words import FEEDING_IN
    from peerwatt.units import format_price

    side, level = ("sell", 60) if state.device.status == FEEDING_IN else ("buy", 200)
    price = format_price(level, session.grid).split()[0]
    return Step(f"peerwatt {side} {ENERGY} --price {price}", "see what others want with: peerwatt market")


def _wait(session: Session, state: AccountState, window: int) -> Step:
    clock, cleared = session.clock, session.gateway.book_state().cleared
    span = clock.format_window(window)
    if window > clock.gated:
        return _travel(session, clock.gate_s(window), f"your order for {span} waits for its gate")
    if window > cleared:
        return Step("peerwatt keeper --once", f"the gate of {span} has closed; anyone may clear it now")
    slot = state.slot_of(window)
    assert slot is not None
    sold_wh = _sold_wh(session, state, window, slot)
    if clock.now_s < clock.end_s(window) and (sold_wh is None or sold_wh > 0):
        return _travel(session, clock.end_s(window), f"{span} is cleared; the energy flows until its end")
    if sold_wh:
        from peerwatt.units import format_energy

        before_wh = state.exports.register_wh
        readings = [
            f"{clock.local(time_s):%Y-%m-%dT%H:%M}={format_energy(register_wh).replace(' ', '')}"
            for time_s, register_wh in (
                (clock.start_s(window), before_wh),
                (clock.end_s(window), before_wh + sold_wh),
            )
        ]
        why = f"you sold {format_energy(sold_wh)} in {span}; these registers say that you delivered all of it"
        return Step(f"peerwatt meter report {' '.join(readings)}", why)
    return Step("peerwatt keeper --once", f"{span} has ended; anyone may settle what needs no report")


def _sold_wh(session: Session, state: AccountState, window: int, slot: int) -> int | None:
    """What the account sold in a cleared window [Wh]; None for a buyer."""
    from peerwatt.reference.auction import Result, fill
    from peerwatt.reference.values import SELL

    order, word = state.orders[slot], session.gateway.result(window)
    if order.side != SELL:
        return None
    result = Result(word.level, word.kind, word.num, word.den)
    return fill(result, SELL, order.effective_level, order.energy_wh)


def _travel(session: Session, time_s: int, why: str) -> Step:
    clock: MarketClock = session.clock
    moment = f"{clock.local(time_s):%Y-%m-%dT%H:%M}"
    if session.is_unlocked(session.deployment.roles.operator):
        return Step(f"peerwatt travel --to {moment}", f"{why}; a local chain need not wait for it")
    return Step("peerwatt watch", f"{why}, {moment}")

