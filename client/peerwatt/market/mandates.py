"""The agent keys of an account: whom it ever authorised, and what each may do now."""

from __future__ import annotations

from dataclasses import dataclass

from web3 import Web3

from peerwatt.market.gateway import MarketGateway
from peerwatt.market.words import AgentWord

ACTIVE, EXPIRED, REVOKED = "active", "expired", "revoked"


@dataclass(frozen=True)
class Mandate:
    """An agent key and its caps.

    Attributes:
        agent: its address.
        terms: as the market keeps them now.
        since_s: when the account set them [Unix s]; 0 where the node no longer has the log.
    """

    agent: str
    terms: AgentWord
    since_s: int = 0

    def state(self, now_s: int) -> str:
        """Active, expired or revoked at a moment of the chain [Unix s]."""
        if self.terms.expiry == 0:
            return REVOKED
        return ACTIVE if self.terms.expiry > now_s else EXPIRED


def read_mandates(gateway: MarketGateway, account: str) -> list[Mandate]:
    """Every agent that an account ever authorised, the latest act first; from the market's logs."""
    logs = gateway.market.events.AgentSet().get_logs(
        from_block=gateway.deployment.block,
        argument_filters={"account": Web3.to_checksum_address(account)},
    )
    # A later act of the same agent takes the place of an earlier one, at the end.
    blocks: dict[str, int] = {}
    for log in logs:
        agent = str(log["args"]["agent"])
        blocks.pop(agent, None)
        blocks[agent] = int(log["blockNumber"])
    return [
        Mandate(agent, gateway.agent(account, agent), int(gateway.w3.eth.get_block(block)["timestamp"]))
        for agent, block in reversed(blocks.items())
    ]
