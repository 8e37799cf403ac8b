"""The bridge as a keeper: it clears windows on time and settles what is due, by the client's keeper."""

from __future__ import annotations

import structlog
from eth_typing import ChecksumAddress
from hexbytes import HexBytes
from web3 import Web3
from web3.types import TxParams

from peerwatt.keeper import Keeper, Trouble, WindowsCleared, WindowsSettled
from peerwatt_bridge.services.chain import Chain
from peerwatt_bridge.services.outbox import Job, Outbox
from peerwatt_bridge.storage.leases import Leases

log = structlog.get_logger(__name__)
LEASE = "keeper"
# Longer than the wait for a transaction, so that nobody takes over meanwhile.
LEASE_S = 150


class OutboxSender:
    """Sends through the outbox, so that keeper and relayer never take the same nonce."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    @property
    def address(self) -> ChecksumAddress:
        """Who pays."""
        return Web3.to_checksum_address(self._outbox.address)

    def send(self, w3: Web3, transaction: TxParams) -> HexBytes:
        """Keeps and sends a call; returns its hash."""
        data = bytes.fromhex(str(transaction["data"]).removeprefix("0x"))
        relay_id = self._outbox.send(Job("keeper", str(transaction["to"]), data, ()))
        return HexBytes(self._outbox.newest_hash(relay_id))


class Keeping:
    """Does a keeper's rounds, in one bridge of all that share a database."""

    def __init__(self, chain: Chain, outbox: Outbox, leases: Leases) -> None:
        self._outbox = outbox
        self._leases = leases
        self._keeper = Keeper(chain.gateway, OutboxSender(outbox))

    def round(self) -> None:
        """Clears and settles what can be done now; nothing if another bridge does.

        Raises:
            Exception: what the node did not do; the next round tries again.
        """
        # The key's lease too: without it nothing may be sent with the key.
        if not self._leases.hold(LEASE, LEASE_S) or not self._outbox.hold():
            return
        for doing in self._keeper.tick():
            if isinstance(doing, Trouble):
                raise doing.error
            if isinstance(doing, WindowsCleared):
                log.info("cleared", up_to=doing.cleared, windows=len(doing.windows), gas=doing.cost.gas_used)
            elif isinstance(doing, WindowsSettled):
                windows = sum(account.windows for account in doing.accounts)
                log.info("settled", accounts=len(doing.accounts), windows=windows, gas=doing.cost.gas_used)
            else:
                log.info(type(doing).__name__.lower(), detail=str(doing)[:200])
