"""What an ape user does on a plain URL; prints JSON. Run by test_node_clients.py: python ape_journey.py URL."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import ape
from ethpm_types import ContractType

ARTIFACT = Path(__file__).parents[3] / "client" / "peerwatt" / "artifacts" / "SettlementToken.json"


def main(url: str) -> dict[str, object]:
    artifact = json.loads(ARTIFACT.read_text())
    token_type = ContractType.model_validate(
        {
            "contractName": "SettlementToken",
            "abi": artifact["abi"],
            "deploymentBytecode": {"bytecode": artifact["bytecode"]},
            "runtimeBytecode": {"bytecode": artifact["runtime_bytecode"]},
        }
    )
    with ape.networks.parse_network_choice(url) as provider:
        owner, receiver = ape.accounts.test_accounts[0], ape.accounts.test_accounts[1]
        seen: dict[str, object] = {"chain_id": provider.chain_id, "owner": owner.address, "balance": owner.balance}
        factory = ape.contracts.ContractContainer(contract_type=token_type)
        token = owner.deploy(factory, "peerwatt NGN", "NGN", 6)
        receipt = token.mint(receiver, 1000, sender=owner)
        seen["minted"] = token.balanceOf(receiver)
        seen["events"] = [[log.event_name, int(log.event_arguments["value"])] for log in receipt.events]
        seen["logs"] = [int(log.value) for log in token.Transfer.range(0, ape.chain.blocks.height + 1)]
        for name, act in (
            ("refused_call", lambda: token.transfer.call(owner, 5000, sender=receiver)),
            ("refused_send", lambda: token.transfer(owner, 5000, sender=receiver)),
        ):
            try:
                act()
            except ape.exceptions.ContractLogicError as error:
                seen[name] = str(error.revert_message)
        before = ape.chain.blocks.head.timestamp
        snapshot = provider.make_request("evm_snapshot", [])
        provider.make_request("evm_increaseTime", [3600])
        provider.make_request("evm_mine", [])
        seen["travelled"] = ape.chain.blocks.head.timestamp - before
        token.mint(receiver, 1, sender=owner)
        seen["minted_again"] = token.balanceOf(receiver)
        seen["reverted"] = provider.make_request("evm_revert", [snapshot])
        seen["minted_after_revert"] = token.balanceOf(receiver)
        return seen


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
