"""Acts that a home signs and anyone brings to the chain, so that it needs no gas money."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eth_typing import ChecksumAddress
from web3 import Web3

from peerwatt.market.gateway import MarketGateway
from peerwatt.market.words import AgentWord
from peerwatt.signing import Agent, Domain, Message, Signature, Withdrawal, sign


@dataclass(frozen=True)
class SignedAct:
    """A signed message and the call that brings it.

    Attributes:
        message: what was signed.
        signature: of the account.
        to, data: of the transaction that anyone can send.
    """

    message: Message
    signature: Signature
    to: ChecksumAddress
    data: str

    def to_json(self) -> dict[str, Any]:
        """For whoever sends it."""
        return {
            "type": type(self.message).__name__,
            "message": self.message.to_json(),
            "signature": f"0x{self.signature.to_bytes().hex()}",
            "to": self.to,
            "data": self.data,
        }


def sign_withdrawal(
    gateway: MarketGateway, key: bytes, account: str, recipient: str, amount: int, deadline: int
) -> SignedAct:
    """Free money [base units] to a recipient, if somebody sends it by the deadline [Unix s]."""
    nonce = gateway.withdrawal_nonce(account)
    message = Withdrawal(account, recipient, amount, nonce, deadline)
    signature = sign(message, _domain(gateway), key)
    call = gateway.market.functions.withdraw_signed(
        account, recipient, amount, nonce, deadline, signature.r, signature.vs
    )
    return _act(message, signature, call)


def sign_mandate(gateway: MarketGateway, key: bytes, account: str, agent: str, terms: AgentWord) -> SignedAct:
    """What an agent key may do from now on; expiry 0 revokes it. Counts until the account's next mandate."""
    nonce = int(gateway.registry.functions.agent_nonces(Web3.to_checksum_address(account)).call())
    caps = (terms.expiry, terms.max_buy_level, terms.min_sell_level, terms.max_reserve)
    message = Agent(account, agent, *caps, nonce)
    signature = sign(message, _domain(gateway), key)
    call = gateway.registry.functions.authorise_signed(account, agent, *caps, nonce, signature.r, signature.vs)
    return _act(message, signature, call)


def _domain(gateway: MarketGateway) -> Domain:
    return Domain(gateway.deployment.chain_id, gateway.deployment.market)


def _act(message: Message, signature: Signature, call: Any) -> SignedAct:
    return SignedAct(message, signature, call.address, str(call._encode_transaction_data()))
