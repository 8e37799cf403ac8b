"""What an account decides for itself, and what anybody may do for all: agents, the rating, the wind-down."""

from __future__ import annotations

from .market import Market
from .parameters import RegistryParameters
from .participants import Agent
from .reasons import require
from .roles import Roles
from .values import ZERO_ADDRESS, address, flag, uint

STALLED_SECONDS = 7 * 86400
NOTICE_SECONDS = 86400


class Mandates(Roles):
    """Agent keys, the choice to be rated, and the end of a market that nobody clears any more."""

    def __init__(self, market: Market, parameters: RegistryParameters) -> None:
        super().__init__(market, parameters)
        self.agent_nonces: dict[str, int] = {}
        self.rating_nonces: dict[str, int] = {}
        self.notice_time = 0
        self.notice_cleared = 0

    def authorise(self, now: int, caller: str, agent: str, mandate: Agent) -> None:
        """Lets an agent key sign within caps; expiry 0 revokes it."""
        caller, agent = address(caller), address(agent)
        require(agent not in (ZERO_ADDRESS, caller), "participants: bad agent")
        self._set_agent(now, caller, agent, mandate)

    def authorise_signed(
        self, now: int, account: str, agent: str, mandate: Agent, nonce: int, signer: str
    ) -> None:
        """As `authorise`, by anyone with the account's signature."""
        account, agent, signer = address(account), address(agent), address(signer)
        require(agent not in (ZERO_ADDRESS, account), "participants: bad agent")
        require(nonce == self.agent_nonces.get(account, 0), "participants: nonce used")
        require(signer == account and signer != ZERO_ADDRESS, "signing: bad signature")
        self._set_agent(now, account, agent, mandate)

    def rate(self, now: int, caller: str, rated: bool) -> None:
        """Chooses whether the account's orders to buy are rated."""
        self._set_rated(now, address(caller), rated)

    def rate_signed(
        self, now: int, account: str, rated: bool, nonce: int, deadline: int, signer: str
    ) -> None:
        """As `rate`, by anyone with the account's signature."""
        account, signer = address(account), address(signer)
        require(uint(deadline, 64, "deadline") >= now, "participants: message expired")
        require(nonce == self.rating_nonces.get(account, 0), "participants: nonce used")
        require(signer == account and signer != ZERO_ADDRESS, "signing: bad signature")
        self._set_rated(now, account, rated)

    def announce_wind_down(self, now: int) -> None:
        """Gives notice that nothing clears any more, by anyone."""
        self._check_stalled(now)
        # A notice stands until somebody clears: renewed every day, it would never grow old.
        stands = self.notice_time > 0 and self.notice_cleared == self.market.book_state.cleared
        require(not stands, "auction: already announced")
        self.notice_time = now
        self.notice_cleared = self.market.book_state.cleared
        self._emit("WindDownAnnounced", cleared=self.notice_cleared)

    def wind_down(self, now: int) -> None:
        """Closes the book for good, by anyone, if a day after the notice still nothing was cleared."""
        self._check_stalled(now)
        noticed = self.notice_time > 0 and self.notice_cleared == self.market.book_state.cleared
        require(noticed, "auction: no notice")
        require(now >= self.notice_time + NOTICE_SECONDS, "auction: notice too young")
        self.market.close_book(now, self.address)

    def _check_stalled(self, now: int) -> None:
        state = self.market.book_state
        require(not state.closed, "auction: market closed")
        require(state.open_wh > 0, "auction: nothing open")
        stalled_at = self.market.parameters.start_of(state.cleared + 1) + STALLED_SECONDS
        require(now >= stalled_at, "auction: clear first")

    def _set_agent(self, now: int, account: str, agent: str, mandate: Agent) -> None:
        uint(mandate.expiry, 64, "expiry")
        uint(mandate.max_buy_level, 8, "max_buy_level")
        uint(mandate.min_sell_level, 8, "min_sell_level")
        uint(mandate.max_reserve, 128, "max_reserve")
        self.agent_nonces[account] = self.agent_nonces.get(account, 0) + 1
        self.market.set_agent(now, self.address, account, agent, mandate)

    def _set_rated(self, now: int, account: str, rated: bool) -> None:
        flag(rated, "rated")
        self.rating_nonces[account] = self.rating_nonces.get(account, 0) + 1
        self.market.set_rated(now, self.address, account, rated)
