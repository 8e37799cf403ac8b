"""What a transaction costs its sender, said before it is sent."""

from __future__ import annotations

from peerwatt.cli import output
from peerwatt.cli.errors import RefusedError
from peerwatt.cli.session import Session


def need_gas_money(session: Session, payer: str, gas_wei: int, *gas: int) -> str:
    """Makes sure that whoever sends has something to pay fees with; nobody needs anything where a bridge sends.

    Args:
        payer: its address.
        gas_wei: what it has [wei].
        gas: of each transaction.
    Returns:
        What the fees will be, in words.
    Raises:
        RefusedError: it has nothing, and the chain asks for something.
    """
    from peerwatt.cli.delivery import NO_FEES
    from peerwatt.market.funds import estimate_fee_wei

    if session.bridge is not None:
        return NO_FEES
    fee = output.gas_money(fee_wei := estimate_fee_wei(session.gateway, *gas))
    if gas_wei == 0 and fee_wei > 0:
        raise RefusedError(
            f"{payer} has no gas money, and the chain asks for about {fee}; send it some "
            "(on a local chain: peerwatt faucet)"
        )
    return f"Fees: about {fee}, for {'one transaction' if len(gas) == 1 else f'{len(gas)} transactions'}."
