"""Which chains are local: made for trying things out, with money that is none."""

from __future__ import annotations

from web3 import Web3

# Of ape's test chain, of hardhat and anvil, of eth-tester. No public chain has these ids.
LOCAL_CHAIN_IDS = frozenset({1337, 31337, 131277322940537})
# A fork of a public chain keeps its id; it is local by the software that serves it.
LOCAL_CLIENTS = ("anvil/", "hardhatnetwork/", "ethereumtester/", "peerwatt/")


def get_client(w3: Web3) -> str:
    """The software that serves a chain, with its version; empty where it does not say."""
    try:
        return w3.client_version
    except Exception:
        # Some public nodes refuse the method.
        return ""


def is_local(w3: Web3) -> bool:
    """Whether the chain behind `w3` is local: by its id, or by the software of the node."""
    return w3.eth.chain_id in LOCAL_CHAIN_IDS or get_client(w3).lower().startswith(LOCAL_CLIENTS)
