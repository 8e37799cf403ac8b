"""`peerwatt wallet balance | deposit | withdraw`: money outside and inside the market."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from peerwatt.cli import fees, output
from peerwatt.cli.delivery import NO_FEES, bring, not_there
from peerwatt.cli.errors import RefusedError, UsageError
from peerwatt.cli.options import command
from peerwatt.cli.session import Session

if TYPE_CHECKING:
    from web3.types import TxReceipt

    from peerwatt.market.funds import Funds

app = typer.Typer()

# How long somebody can send a signed withdrawal.
SIGNED_FOR_S = 86_400
# How long a bridge has for a deposit.
PERMIT_S = 3_600

SignOnly = Annotated[
    bool,
    typer.Option("--sign-only", help="Send nothing; print as JSON what anyone can send for you. Takes no gas money."),
]
Amount = Annotated[list[str], typer.Argument(metavar="AMOUNT", help="Such as '500 NGN'.")]


@command(app)
def balance(session: Session) -> None:
    """Show the account's gas money, its tokens outside and its money in the market, and its score."""
    from peerwatt.market.funds import read_funds
    from peerwatt.reference.reputation import rating
    from peerwatt.units import format_money

    funds = read_funds(session.gateway, session.address)
    wallet, grid = funds.state.wallet, session.grid
    letter = rating(wallet.score) if funds.state.enrolled else None
    # Half up to a hundredth of a point, in integers.
    points = (wallet.score * 100 + 32_768) // 65_536
    session.emit(
        {**_to_json(funds), "enrolled": funds.state.enrolled, "score": wallet.score, "letter": letter},
        lambda: output.facts(
            (
                ("account", session.address),
                ("gas money", output.gas_money(funds.gas_wei)),
                ("outside the market", format_money(funds.tokens, grid)),
                ("in the market", format_money(wallet.balance, grid)),
                ("  reserved for orders", format_money(wallet.reserved, grid)),
                ("  free", format_money(wallet.free, grid)),
                (
                    "score",
                    "none, the account is not enrolled"
                    if letter is None
                    else f"{letter} ({points // 100}.{points % 100:02} of 10000)",
                ),
            )
        ),
    )


@command(app, asks=True)
def deposit(session: Session, amount: Amount) -> None:
    """Bring tokens into the market."""
    from peerwatt.market import funds
    from peerwatt.units import format_money

    gateway, grid = session.gateway, session.grid
    base_units = _parse(session, amount)
    before = funds.read_funds(gateway, session.address)
    if before.tokens < base_units:
        raise RefusedError(
            f"{session.address} has {format_money(before.tokens, grid)} outside the market, "
            f"{format_money(base_units - before.tokens, grid)} too little; deposit less or get more "
            "(on a local chain: peerwatt faucet)"
        )
    approved = before.allowance == base_units
    fees = need_gas_money(session, before, *([] if approved else [funds.APPROVAL_GAS]), funds.DEPOSIT_GAS)
    session.say(
        f"You deposit {format_money(base_units, grid)} from {session.address} into the market {gateway.market.address}"
        f"{', which may take just that already' if approved else ', which you allow to take just that'}. "
        f"Outside you keep {format_money(before.tokens - base_units, grid)}. {fees}"
    )
    session.confirm("Sign and send?")
    receipts = _bring_deposit(session, base_units) if session.bridge else _send_deposit(session, base_units, before)
    credited = next(
        event.args["amount"]
        for event in gateway.get_events(receipts[-1])
        if event.name == "Deposited" and event.args["account"] == session.address
    )
    fee_wei = 0 if session.bridge else funds.paid_fee_wei(receipts)
    after = funds.read_funds(gateway, session.address)
    session.emit(
        {
            **_to_json(after),
            "amount": credited,
            "approval_transaction": hash_of(receipts[0]) if len(receipts) > 1 else None,
            "transaction": hash_of(receipts[-1]),
            "fee_wei": fee_wei,
        },
        lambda: (
            f"{format_money(credited, grid)} arrived; in the market you have "
            f"{format_money(after.state.wallet.balance, grid)}, {format_money(after.state.wallet.free, grid)} free. "
            f"{paid(session, receipts)}"
        ),
    )


@command(app, asks=True)
def withdraw(
    session: Session,
    amount: Annotated[list[str] | None, typer.Argument(metavar="[AMOUNT]", help="Such as '500 NGN'.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All free money.")] = False,
    to: Annotated[
        str | None, typer.Option("--to", metavar="ADDRESS", help="Who gets it: an address, or a key's name.")
    ] = None,
    sign_only: SignOnly = False,
) -> None:
    """Send free money out of the market, at any time."""
    from peerwatt.market import funds
    from peerwatt.market.signed import sign_withdrawal
    from peerwatt.units import format_money

    session.json = session.json or sign_only
    if bool(amount) == everything:
        raise UsageError("give an amount such as '500 NGN', or --all for all free money")
    gateway, grid = session.gateway, session.grid
    recipient = session.address if to is None else session.resolve(to)
    _check_recipient(session, recipient)
    before = funds.read_funds(gateway, session.address)
    wallet = before.state.wallet
    base_units = wallet.free if everything else _parse(session, amount or [])
    if base_units > wallet.free or base_units == 0:
        free, reserved = format_money(wallet.free, grid), format_money(wallet.reserved, grid)
        raise RefusedError(
            f"{session.address} has {free} free{'' if everything else f', not {format_money(base_units, grid)}'}; "
            f"{reserved} is reserved for orders, and becomes free as they settle or are cancelled"
        )
    deadline = session.clock.now_s + SIGNED_FOR_S
    fees = (
        f"Anyone can send it until {session.clock.format_time(deadline)}, and pays the fees."
        if sign_only
        else need_gas_money(session, before, funds.WITHDRAWAL_GAS)
    )
    own = recipient == session.address
    session.say(
        f"You withdraw {format_money(base_units, grid)} from the market to "
        f"{'your own account ' if own else ''}{recipient}. "
        f"In the market you keep {format_money(wallet.balance - base_units, grid)}, "
        f"{format_money(wallet.free - base_units, grid)} free. {fees}"
    )
    if not own:
        session.say(f"{recipient} is not your account {session.address}. Nobody can call the money back.")
    question = "Sign?" if sign_only else "Sign and send?"
    session.confirm(question if own else f"Give {format_money(base_units, grid)} to {recipient}?")
    if sign_only:
        key = bytes(session.signer().key)
        act = sign_withdrawal(gateway, key, session.address, recipient, base_units, deadline)
        session.emit(act.to_json(), "")
        return
    if session.bridge:
        key = bytes(session.signer().key)
        act = sign_withdrawal(gateway, key, session.address, recipient, base_units, deadline)
        receipt = bring(session, "withdrawals", act.message, act.signature)
        check_happened(session, receipt, "Withdrawn")
    else:
        sender = session.sender()
        with session.waiting("waiting for the chain"):
            receipt = gateway.withdraw(sender, base_units, recipient)
    after = funds.read_funds(gateway, session.address)
    session.emit(
        {
            **_to_json(after),
            "amount": base_units,
            "recipient": recipient,
            "transaction": hash_of(receipt),
            "fee_wei": 0 if session.bridge else funds.paid_fee_wei([receipt]),
        },
        lambda: (
            f"{format_money(base_units, grid)} went to {recipient}; in the market you have "
            f"{format_money(after.state.wallet.balance, grid)}, {format_money(after.state.wallet.free, grid)} free. "
            f"{paid(session, [receipt])}"
        ),
    )


def _send_deposit(session: Session, amount: int, before: Funds) -> list[TxReceipt]:
    from peerwatt.market import funds

    sender = session.sender()
    with session.waiting("waiting for the chain"):
        return funds.deposit(session.gateway, sender, amount, before.allowance)


def _bring_deposit(session: Session, amount: int) -> list[TxReceipt]:
    """By the token's permit, so that nobody has to send an approval."""
    from web3.exceptions import ContractLogicError

    from peerwatt.signing import Permit, sign

    gateway = session.gateway
    try:
        nonce = int(gateway.token.functions.nonces(session.address).call())
    except ContractLogicError:
        raise RefusedError("this market's token has no permits (ERC-2612); deposit with: --bridge none") from None
    deadline = session.clock.now_s + PERMIT_S
    permit = Permit(session.address, session.deployment.market, amount, nonce, deadline)
    signature = sign(permit, gateway.token_domain(), bytes(session.signer().key))
    receipt = bring(session, "deposits", permit, signature)
    check_happened(session, receipt, "Deposited")
    return [receipt]


def check_happened(session: Session, receipt: TxReceipt, name: str) -> None:
    """Makes sure that the account has an event in what the bridge sent.

    Raises:
        NodeError: it has none.
    """
    events = session.gateway.get_events(receipt)
    if not any(event.name == name and event.args["account"] == session.address for event in events):
        raise not_there(session, hash_of(receipt))


def paid(session: Session, receipts: Sequence[TxReceipt]) -> str:
    """What it cost, in words."""
    from peerwatt.market.funds import paid_fee_wei

    return NO_FEES if session.bridge else f"Fees: {output.gas_money(paid_fee_wei(receipts))}."


def hash_of(receipt: Any) -> str:
    """A transaction's hash for people and JSON."""
    return f"0x{bytes(receipt['transactionHash']).hex()}"


def need_gas_money(session: Session, funds: Funds, *gas: int) -> str:
    """As `fees.need_gas_money`, for `--account`."""
    return fees.need_gas_money(session, session.address, funds.gas_wei, *gas)


def _parse(session: Session, words: list[str]) -> int:
    from peerwatt.units import parse_money

    base_units = parse_money(" ".join(words), session.grid)
    if base_units == 0:
        raise UsageError("the amount is zero; give one above it")
    return base_units


def _check_recipient(session: Session, recipient: str) -> None:
    deployment = session.deployment
    for name, address in deployment.contracts().items():
        if recipient == address:
            raise UsageError(f"{recipient} is the market's own {name}, money sent there is lost; name an account")


def _to_json(funds: Funds) -> dict[str, object]:
    wallet = funds.state.wallet
    return {
        "account": funds.state.address,
        "gas_wei": funds.gas_wei,
        "tokens": funds.tokens,
        "balance": wallet.balance,
        "reserved": wallet.reserved,
        "free": wallet.free,
    }
