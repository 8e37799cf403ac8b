"""`peerwatt faucet`: money to play with, on local chains."""

from __future__ import annotations

from typing import Annotated

import typer

from peerwatt.cli import output
from peerwatt.cli.commands.wallet_money import hash_of
from peerwatt.cli.errors import RefusedError, UsageError
from peerwatt.cli.options import command
from peerwatt.cli.session import Session

# The last of the accounts that a local node holds unlocked pays for everybody.
PAYER = 9
GAS_WEI = 10**19
DEFAULT_UNITS = 1000


def register(root: typer.Typer, panel: str) -> None:
    """Adds the command."""
    command(root, rich_help_panel=panel)(faucet)


def faucet(
    session: Session,
    amount: Annotated[
        list[str] | None, typer.Argument(metavar="[AMOUNT]", help="Tokens, such as '1000 NGN'; 1000 without it.")
    ] = None,
) -> None:
    """Get gas money and tokens from nowhere, on a local chain."""
    from web3 import Web3

    from peerwatt.market.senders import NodeAccount
    from peerwatt.units import format_money, parse_money

    gateway, grid = session.gateway, session.grid
    tokens = parse_money(" ".join(amount) if amount else f"{DEFAULT_UNITS} {grid.currency}", grid)
    if tokens == 0:
        raise UsageError("the amount is zero; give one above it")
    try:
        unlocked = [str(account) for account in session.w3.eth.accounts]
        minter = str(gateway.token.functions.minter().call())
    except Exception:
        # Public nodes refuse the first question, real tokens the second.
        unlocked, minter = [], ""
    if len(unlocked) <= PAYER or minter not in unlocked:
        raise RefusedError(
            f"the node of chain {session.deployment.chain_id} gives no money away: it does not hold the accounts of a "
            "local chain; get gas money and tokens from somebody, or start a chain with: peerwatt node"
        )
    address = session.address
    with session.waiting("waiting for the chain"):
        # Ample gas money only where there is little, so that the payer lasts.
        gas_wei = max(GAS_WEI - int(session.w3.eth.get_balance(Web3.to_checksum_address(address))), 0)
        paid = None
        if gas_wei:
            sent = session.w3.eth.send_transaction(
                {"from": unlocked[PAYER], "to": address, "value": Web3.to_wei(gas_wei, "wei")}
            )
            paid = hash_of(session.w3.eth.wait_for_transaction_receipt(sent, poll_latency=0.05))
        minted = gateway.act(NodeAccount(minter), gateway.token.functions.mint(address, tokens))
    session.emit(
        {
            "account": address,
            "gas_wei": gas_wei,
            "gas_transaction": paid,
            "amount": tokens,
            "transaction": hash_of(minted),
        },
        lambda: (
            f"{address} got {output.gas_money(gas_wei)} for gas and {format_money(tokens, grid)}, outside the "
            "market. Bring money in with: peerwatt wallet deposit AMOUNT"
        ),
    )
