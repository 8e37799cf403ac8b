"""The registry's roles, and what all its parts share."""

from __future__ import annotations

from .market import Market
from .parameters import RegistryParameters
from .reasons import require
from .state import Event
from .values import ZERO_ADDRESS, address, uint

OPERATOR, REGULATOR, BALANCING, NETWORK = 0, 1, 2, 3


class Roles:
    """Who holds each role. The operator certifies connections, the regulator sets tariffs; the balancing and
    the network account are only ever credited. A role moves when the one it was offered to accepts it."""

    def __init__(self, market: Market, parameters: RegistryParameters) -> None:
        self.market = market
        self.address = market.parameters.registry
        self.holders = {
            OPERATOR: parameters.operator,
            REGULATOR: parameters.regulator,
            BALANCING: parameters.balancing_account,
            NETWORK: parameters.network_account,
        }
        self.offered: dict[int, str] = {}
        self.log: list[Event] = []

    def offer_role(self, now: int, caller: str, role: int, to: str) -> None:
        """Offers a role to its next holder; an offer to zero withdraws the last one."""
        caller, to = address(caller), address(to)
        require(uint(role, 256, "role") in self.holders, "roles: bad role")
        require(caller == self.holders[role], "roles: not the holder")
        self.offered[role] = to
        self._emit("RoleOffered", role=role, holder=caller, to=to)

    def accept_role(self, now: int, caller: str, role: int) -> None:
        """Takes over an offered role."""
        caller = address(caller)
        require(uint(role, 256, "role") in self.holders, "roles: bad role")
        offered = self.offered.get(role, ZERO_ADDRESS)
        require(caller == offered and offered != ZERO_ADDRESS, "roles: not offered")
        self.holders[role] = caller
        self.offered[role] = ZERO_ADDRESS
        if role in (BALANCING, NETWORK):
            balancing, network = self.holders[BALANCING], self.holders[NETWORK]
            self.market.set_fund_accounts(now, self.address, balancing, network)
        self._emit("RoleAccepted", role=role, holder=caller)

    def _check_operator(self, caller: str) -> None:
        require(address(caller) == self.holders[OPERATOR], "roles: not the operator")

    def _check_regulator(self, caller: str) -> None:
        require(address(caller) == self.holders[REGULATOR], "roles: not the regulator")

    def _emit(self, name: str, **values: object) -> None:
        self.log.append(Event(name, values))

    def _window_at(self, now: int) -> int:
        return self.market.parameters.window_at(now)
