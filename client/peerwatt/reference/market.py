"""The market: the state of `state.MarketState`, and every act of EnergyMarket as a method.

Each act names the time first, then who calls it. It is refused whole or done whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from . import acts, auction, meters, offers, participants, tariffs, wallets
from .auction import BookState
from .messages import Item, OrderMessage
from .meters import ExportRegister, ImportRegister
from .offers import Levels
from .parameters import MarketParameters
from .participants import Agent, Device
from .reasons import require
from .state import Event, MarketState
from .tariffs import Feeder, Tables, TariffHead
from .values import address, flag, uint

__all__ = ["Event", "Market"]


class Market(MarketState):
    """A market with nobody in it.

    Args:
        now: time of the deployment; windows gated by then count as cleared.
        market_address: where the contract is: nobody can withdraw to it.
    """

    def __init__(self, now: int, parameters: MarketParameters, market_address: str) -> None:
        super().__init__(
            parameters=parameters,
            address=address(market_address),
            balancing_account=parameters.balancing_account,
            network_account=parameters.network_account,
            book_state=BookState(cleared=parameters.gated_at(uint(now, 64, "now"))),
        )

    # Orders

    def place(
        self,
        now: int,
        caller: str,
        meter: str,
        side: int,
        first_window: int,
        last_window: int,
        energy_wh: int,
        limit_level: int,
        nonce: int,
    ) -> None:
        """An order by the account itself; reasons in docs/contract.md, "Checks of an order"."""
        order = OrderMessage(
            maker=caller,
            meter=meter,
            side=side,
            first_window=first_window,
            last_window=last_window,
            energy_wh=energy_wh,
            limit_level=limit_level,
            nonce=nonce,
        )
        offers.place(self, now, order.maker, order)

    def cancel(self, now: int, caller: str, nonce: int, from_window: int) -> None:
        """A cancel by the account itself."""
        uint(nonce, 32, "nonce")
        uint(from_window, 32, "from_window")
        offers.cancel(self, now, address(caller), nonce, from_window)

    def relay(self, now: int, items: Sequence[Item], strict: bool = False) -> list[int]:
        """Signed orders, cancels and reports, and what is due, by anyone; see `acts.relay`."""
        return acts.relay(self, now, items, flag(strict, "strict"))

    def clear(self, now: int, max_windows: int) -> int:
        """Clears the next gated windows, by anyone; see `auction.clear`."""
        return auction.clear(self, now, uint(max_windows, 256, "max_windows"))

    # Money

    def deposit(
        self, now: int, caller: str, amount: int, received: int | None = None, succeeds: bool = True
    ) -> int:
        """Puts tokens in; `received` is what arrives of them (all, unless the token keeps a fee)."""
        uint(amount, 256, "amount")
        arrived = amount if received is None else uint(received, 256, "received")
        return wallets.deposit(self, address(caller), amount, arrived, flag(succeeds, "succeeds"))

    def deposit_permit(
        self,
        now: int,
        owner: str,
        amount: int,
        allowance: int,
        received: int | None = None,
        succeeds: bool = True,
    ) -> int:
        """Puts the tokens of a permit's owner in, by anyone.

        Args:
            allowance: what the owner allows the market to take once the permit was tried. It must be the
                amount: so a permit used by somebody else first still serves, and no stranger pulls in what
                was allowed for later.
        """
        uint(amount, 256, "amount")
        require(uint(allowance, 256, "allowance") == amount, "wallets: bad permit")
        return self.deposit(now, owner, amount, received, succeeds)

    def withdraw(self, now: int, caller: str, amount: int, recipient: str, succeeds: bool = True) -> None:
        """Takes free money out."""
        uint(amount, 256, "amount")
        wallets.withdraw(self, address(caller), amount, address(recipient), flag(succeeds, "succeeds"))

    def withdraw_signed(
        self,
        now: int,
        account: str,
        recipient: str,
        amount: int,
        nonce: int,
        deadline: int,
        signer: str,
        succeeds: bool = True,
    ) -> None:
        """Takes free money out with the account's signature, by anyone."""
        for value, bits, name in ((amount, 256, "amount"), (nonce, 256, "nonce"), (deadline, 64, "deadline")):
            uint(value, bits, name)
        wallets.withdraw_signed(
            self,
            now,
            address(account),
            address(recipient),
            amount,
            nonce,
            deadline,
            address(signer),
            flag(succeeds, "succeeds"),
        )

    # Setters of the registry

    def bind(
        self,
        now: int,
        caller: str,
        account: str,
        device: Device,
        exports: ExportRegister,
        imports: ImportRegister,
        score: int,
    ) -> None:
        """Binds a device to an account, or none (`Device()`)."""
        account = self._from_registry(caller, account)
        participants.bind(self, account, device, exports, imports, uint(score, 30, "score"))
        self.emit(
            "ParticipantBound", account=account, device=device, exports=exports, imports=imports, score=score
        )

    def set_device(self, now: int, caller: str, account: str, device: Device) -> None:
        account = self._from_registry(caller, account)
        participants.set_device(self, account, device)
        self.emit("DeviceSet", account=account, device=device)

    def revoke(self, now: int, caller: str, account: str) -> None:
        """Cuts an account off; see `offers.revoke`."""
        offers.revoke(self, now, self._from_registry(caller, account))

    def set_tariff(self, now: int, caller: str, head: TariffHead, version: int, tables: Tables) -> None:
        self._from_registry(caller)
        self.tariff_head = head
        self.tables[version] = tables
        self.emit(
            "TariffSet",
            version=version,
            head=head,
            surcharges=tables.surcharges,
            haircuts=tables.haircuts,
            rebates=tables.rebates,
        )

    def set_feeder(self, now: int, caller: str, feeder: int, word: Feeder) -> None:
        self._from_registry(caller)
        self.feeders[uint(feeder, 16, "feeder")] = word
        self.emit("FeederSet", feeder=feeder, word=word)

    def set_agent(self, now: int, caller: str, account: str, agent: str, word: Agent) -> None:
        account = self._from_registry(caller, account)
        agent = address(agent)
        self.agents[account, agent] = word
        self.emit("AgentSet", account=account, agent=agent, agent_word=word)

    def set_rated(self, now: int, caller: str, account: str, rated: bool) -> None:
        account = self._from_registry(caller, account)
        self.wallets[account] = replace(self.wallet(account), rated=flag(rated, "rated"))
        self.emit("RatedSet", account=account, rated=rated)

    def set_paused(self, now: int, caller: str, paused: bool) -> None:
        """Stops new orders, or lets them in again; nothing else."""
        self._from_registry(caller)
        self.book_state = replace(self.book_state, paused=flag(paused, "paused"))
        self.emit("Paused", paused=paused)

    def close_book(self, now: int, caller: str) -> None:
        """Ends trading for good: the windows not cleared fill zero."""
        self._from_registry(caller)
        self.book_state = replace(self.book_state, closed=True)
        self.emit("BookClosed", cleared=self.book_state.cleared)

    def set_fund_accounts(self, now: int, caller: str, balancing: str, network: str) -> None:
        self._from_registry(caller)
        self.balancing_account = address(balancing)
        self.network_account = address(network)
        self.emit("FundAccountsSet", balancing=self.balancing_account, network=self.network_account)

    def _from_registry(self, caller: str, account: str | None = None) -> str:
        participants.check_registry(self, address(caller))
        return "" if account is None else address(account)

    # Views

    def book(self, window: int) -> Levels:
        """Wh bid and offered at each level of a window."""
        return offers.book(self, window)

    def live(self) -> Levels:
        """The live totals, after the newest cleared window."""
        return offers.live(self)

    def hints(self, account: str) -> int:
        """Hints that settle everything the account has open."""
        return offers.hints_for(self, address(account))

    def order(self, account: str, slot: int) -> offers.Order:
        return offers.get_order(self, address(account), slot)

    def calendar(self, account: str) -> offers.Calendar:
        return offers.get_calendar(self, address(account))

    def device(self, account: str) -> Device:
        return participants.get_device(self, address(account))

    def export_register(self, account: str) -> ExportRegister:
        return meters.get_exports(self, address(account))

    def import_register(self, account: str) -> ImportRegister:
        return meters.get_imports(self, address(account))

    def tariff(self, window: int) -> tariffs.Tariff:
        """The tariff in force at a window."""
        return tariffs.get_tariff(self, window)
