"""The ten accounts that every local chain serves: public keys of a well-known mnemonic, for play only."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from eth_account import Account
from eth_account.hdaccount import seed_from_mnemonic
from eth_account.hdaccount.deterministic import HDPath
from eth_typing import ChecksumAddress

# What anvil and hardhat use. Everybody knows these keys: money on a real chain would be gone at once.
MNEMONIC = "test test test test test test test test test test test junk"
DERIVATION_PATH = "m/44'/60'/0'/0"
CHAIN_ID = 31337
NUMBER_OF_ACCOUNTS = 10
BALANCE_WEI = 10_000 * 10**18
# One transaction may use at most 2^24 gas since Osaka (EIP-7825); blocks hold a few of them.
BLOCK_GAS_LIMIT = 60_000_000


@dataclass(frozen=True)
class DevAccount:
    """An account of a local chain.

    Attributes:
        address: checksummed.
        key: private key, public knowledge.
    """

    address: ChecksumAddress
    key: str


@cache
def dev_accounts() -> tuple[DevAccount, ...]:
    """The accounts in the mnemonic's sequence."""
    seed = seed_from_mnemonic(MNEMONIC, "")
    keys = [HDPath(f"{DERIVATION_PATH}/{index}").derive(seed) for index in range(NUMBER_OF_ACCOUNTS)]
    return tuple(DevAccount(Account.from_key(key).address, "0x" + key.hex()) for key in keys)
