"""Money on its way into the market: what an account holds, what fees a deposit costs, one approval and no more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from web3 import Web3
from web3.types import TxReceipt

from peerwatt.market.accounts import AccountState, read_account
from peerwatt.market.gateway import MarketGateway
from peerwatt.market.senders import Sender

# What a first deposit, approval and withdrawal use at most with the local token; a real one may use more.
APPROVAL_GAS, DEPOSIT_GAS, WITHDRAWAL_GAS, MANDATE_GAS = 60_000, 120_000, 90_000, 120_000


@dataclass(frozen=True)
class Funds:
    """What an account has, at one moment.

    Attributes:
        gas_wei: the chain's own coin, for fees.
        tokens: the market's money outside the market [base units].
        allowance: of it, what the market may take [base units].
        state: inside the market.
    """

    gas_wei: int
    tokens: int
    allowance: int
    state: AccountState


def read_funds(gateway: MarketGateway, account: str) -> Funds:
    """Everything that an account has, outside and inside the market."""
    address = Web3.to_checksum_address(account)
    allowance = gateway.token.functions.allowance(address, gateway.deployment.market).call()
    return Funds(
        int(gateway.w3.eth.get_balance(address)),
        gateway.token_balance(address),
        int(allowance),
        read_account(gateway, address),
    )


def estimate_fee_wei(gateway: MarketGateway, *gas: int) -> int:
    """What transactions with so much gas cost at the node's present price [wei]."""
    return sum(gas) * int(gateway.w3.eth.gas_price)


def paid_fee_wei(receipts: Sequence[TxReceipt]) -> int:
    """What transactions did cost [wei]."""
    return sum(int(receipt["gasUsed"]) * int(receipt.get("effectiveGasPrice", 0)) for receipt in receipts)


def deposit(gateway: MarketGateway, sender: Sender, amount: int, allowance: int) -> list[TxReceipt]:
    """Approves exactly the amount, unless just that is approved already, and deposits it.

    Args:
        amount: [base units].
        allowance: what the market may take now [base units].
    Returns:
        The receipts, the deposit's last.
    Raises:
        MarketError: the token or the market refused.
    """
    receipts = []
    if allowance != amount:
        approval = gateway.token.functions.approve(gateway.deployment.market, amount)
        receipts.append(gateway.act(sender, approval))
    receipts.append(gateway.act(sender, gateway.market.functions.deposit(amount)))
    return receipts
