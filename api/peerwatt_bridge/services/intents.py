"""From what somebody wants to what has to be signed: messages with their nonces, and what each would cost at worst."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from web3 import Web3

from peerwatt.market.cancels import draft_cancel, judge_cancel
from peerwatt.market.mirror import read_mirror
from peerwatt.market.order_words import describe_cancel, describe_order
from peerwatt.market.orders import draft, judge
from peerwatt.signing import Agent, Domain, Message, Permit, TokenDomain, Withdrawal
from peerwatt_bridge.services.chain import Chain

# How long a withdrawal or a permit may be brought to the chain.
VALID_S = 3_600


@dataclass(frozen=True)
class Intent:
    """What has to be signed, and what it means.

    Attributes:
        typed_data: the argument of `eth_signTypedData_v4`.
        words: for the one who signs.
        numbers: amounts in base units and windows, as far as the kind has them.
    """

    message: Message
    digest: bytes
    typed_data: dict[str, Any]
    words: str
    numbers: dict[str, int]


class Intents:
    """Drafts what accounts sign; nothing is kept."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain

    def order(
        self,
        account: str,
        side: int,
        energy_wh: int,
        limit_level: int,
        first_window: int | None,
        last_window: int | None,
        agent: str | None,
    ) -> Intent:
        """An order with the next free nonce.

        Args:
            first_window: the next open one if None. last_window: the first if None.
            agent: key that will sign for the account.
        Raises:
            MarketError: the market would refuse it.
        """
        clock, grid = self._chain.clock(self._chain.read_time()), self._chain.grid
        mirror = read_mirror(self._chain.gateway, account, agent)
        first = clock.next_open if first_window is None else first_window
        last = first if last_window is None else last_window
        order = draft(mirror, clock, grid, side, energy_wh=energy_wh, limit_level=limit_level, first=first, last=last)
        quote = judge(mirror, clock, grid, order, agent=agent)
        numbers = {
            "reserve": quote.reserve,
            "unit_reserve": quote.unit_reserve,
            "free_before": quote.free_before,
            "free_after": quote.free_after,
            "first_window": quote.first,
            "last_window": quote.last,
        }
        return self._of_market(order, describe_order(quote, clock, grid), numbers)

    def cancel(self, account: str, nonce: int, from_window: int, agent: str | None) -> Intent:
        """A cancel, from a window on; raises as `order` does."""
        clock = self._chain.clock(self._chain.read_time())
        mirror = read_mirror(self._chain.gateway, account, agent)
        message = draft_cancel(mirror, clock, nonce, from_window)
        quote = judge_cancel(mirror, clock, message, agent=agent)
        words = describe_cancel(quote, clock, self._chain.grid)
        return self._of_market(message, words, {"released": quote.released, "windows": len(quote.cut)})

    def withdrawal(self, account: str, recipient: str, amount: int) -> Intent:
        """A withdrawal of free money [base units]."""
        nonce = self._chain.gateway.withdrawal_nonce(account)
        message = Withdrawal(account, recipient, amount, nonce, self._chain.read_time() + VALID_S)
        free = self._chain.gateway.wallet(account).free
        words = f"{amount} base units of {self._chain.grid.currency} go from the market to {recipient}"
        return self._of_market(message, words, {"free_before": free, "free_after": free - amount})

    def agent(
        self, account: str, agent: str, expiry_s: int, max_buy_level: int, min_sell_level: int, max_reserve: int
    ) -> Intent:
        """The mandate of an agent key; expiry 0 revokes it."""
        nonces = self._chain.gateway.registry.functions.agent_nonces(Web3.to_checksum_address(account))
        message = Agent(account, agent, expiry_s, max_buy_level, min_sell_level, max_reserve, int(nonces.call()))
        deed = "may trade no more" if expiry_s == 0 else "may sign orders and cancels, never withdraw,"
        return self._of_market(message, f"{agent} {deed} for {account}", {"max_reserve": max_reserve})

    def deposit(self, account: str, amount: int) -> Intent:
        """A permit of the token that lets the market take just that amount [base units]."""
        chain = self._chain
        nonce = int(chain.gateway.token.functions.nonces(Web3.to_checksum_address(account)).call())
        deadline = chain.read_time() + VALID_S
        permit = Permit(account, chain.deployment.market, amount, nonce, deadline)
        words = f"{amount} base units of {chain.grid.currency} go from {account} into the market, for its own wallet"
        tokens = chain.gateway.token_balance(account)
        numbers = {"tokens_before": tokens, "tokens_after": tokens - amount}
        domain = chain.token_domain
        return Intent(permit, permit.digest(domain), _typed_permit(permit, domain), words, numbers)

    def _of_market(self, message: Message, words: str, numbers: dict[str, int]) -> Intent:
        domain = self._chain.domain
        return Intent(message, message.digest(domain), message.to_typed_data(domain), words, numbers)


def _typed_permit(permit: Permit, domain: TokenDomain) -> dict[str, Any]:
    fields = [{"name": field.name, "type": field.kind.name} for field in permit.fields()]
    return {
        "types": {"EIP712Domain": Domain.fields(), "Permit": fields},
        "primaryType": "Permit",
        "domain": {
            "name": domain.name,
            "version": domain.version,
            "chainId": domain.chain_id,
            "verifyingContract": domain.verifying_contract,
        },
        "message": permit.to_json(),
    }
