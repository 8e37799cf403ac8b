"""Which chains are local: made for trying things out, with money that is none."""

from __future__ import annotations

from web3 import Web3

# Of ape's test chain, of hardhat and anvil, of eth-tester. No public chain has these ids.
LOCAL_CHAIN_IDS = frozenset({1337, 31337, 131277322940537})
# A fork of a public chain keeps its id; it is local by the software that serves it.
LOCAL_CLIENTS = ("anvil/", "hardhatnetwork/", "ethereumtester/", "peerwatt/")


def is_local(w3: Web3) -> bool:
    """Whether the chain behind `w3` is local: by its id, or by the software of the node."""
    return w3.eth.chain_id in LOCAL_CHAIN_IDS or w3.client_version.lower().startswith(LOCAL_CLIENTS)
