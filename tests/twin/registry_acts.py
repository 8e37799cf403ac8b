"""The rare acts of a twin: enrolment, terms, tariffs, roles, mandates, wind-down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple, fields
from typing import Any

from peerwatt import signing
from peerwatt.exceptions import BadMessage
from peerwatt.market.records import to_message
from peerwatt.market.words import TableWord
from peerwatt.reference import Enrolment, Market, MeterSwap, Registry, Terms
from peerwatt.reference.participants import Agent
from peerwatt.reference.registry import Application
from peerwatt.reference.tariffs import Tables
from peerwatt.signing import Domain, Rating, Signature
from twin.chain import OPERATOR, REGULATOR, STRANGER, Deployment, Setup
from twin.keys import Home, Key

# Odd numbers, so that every rounding of the market matters.
TABLES = Tables(
    surcharges=(997, 850, 731, 640, 550, 480, 390, 301, 233, 177, 120, 75, 41, 17, 3, 0),
    haircuts=(911, 803, 702, 599, 501, 403, 350, 299, 211, 149, 97, 61, 31, 11, 1, 0),
    rebates=(0, 0, 0, 0, 0, 0, 113, 500, 1111, 2000, 2999, 4001, 5003, 7001, 9001, 10000),
)
IMBALANCE_STEPS = 300
FEEDER = 1
TERMS = Terms(20_000, 20_000, FEEDER, status=2, meter_class=0, retail_class=0)


class RegistryActs:
    """What operator, regulator and accounts do at the registry. Part of `Twin`."""

    contracts: Deployment
    setup: Setup
    market: Market
    registry: Registry
    domain: Domain
    now: int
    accounts: set[str]
    meters: set[str]
    connections: set[bytes]
    act: Callable[..., Any]
    recovered: Callable[..., str]
    deposit: Callable[..., Any]

    def _on_registry(self, caller: Key, function: str, *arguments: Any) -> Any:
        method = getattr(self.registry, function)
        return self._split(caller, function, arguments, lambda: method(self.now, caller.address, *arguments))

    def _split(self, caller: Key, function: str, arguments: Sequence[Any], reference: Callable[[], Any]) -> Any:
        return self.act(self.contracts.registry, function, arguments, caller.address, reference)

    def _publish_defaults(self) -> None:
        for done in (
            self.publish_tariff(IMBALANCE_STEPS, TABLES),
            self.set_retail(0, self.setup.retail[0]),
            self.set_retail(1, self.setup.retail[1]),
            self.set_feeder_fee(FEEDER, self.setup.fee_per_wh),
            self.set_feeder_scale(FEEDER, 10_000, 10_000),
        ):
            assert done is None, done

    # Homes

    def home(
        self,
        name: str,
        *,
        feeding_in: bool = True,
        deposit: int = 10**12,
        terms: Terms | None = None,
        imported_wh: int = 1_000,
        exported_wh: int = 500,
    ) -> Home:
        """A new home, enrolled and with money."""
        home = Home.named(name)
        if terms is None:
            terms = Terms(20_000, 20_000, FEEDER, 2 if feeding_in else 1, 0, 0)
        done = self.enrol(home, terms, imported_wh=imported_wh, exported_wh=exported_wh)
        assert done is None, done
        if deposit:
            credited = self.deposit(home, deposit)
            assert credited == deposit, credited
        return home

    def apply(
        self,
        home: Home,
        terms: Terms = TERMS,
        *,
        connection: bytes | None = None,
        account: str | None = None,
        meter: str | None = None,
        imported_wh: int = 1_000,
        exported_wh: int = 500,
        deadline: int | None = None,
        account_signer: Key | None = None,
        meter_signer: Key | None = None,
        consented: bool = False,
    ) -> tuple[tuple[Any, ...], Application]:
        """A home's application to be enrolled, as the contract and as the reference take it.

        Args:
            connection, account, meter, account_signer, meter_signer: if not as it should be.
            consented: the account signs nothing, it consented by a call before.
        """
        connection = home.connection if connection is None else connection
        enrolment = Enrolment(
            home.account.address if account is None else account,
            home.meter.address if meter is None else meter,
            imported_wh,
            exported_wh,
            self.now + 3600 if deadline is None else deadline,
        )
        words, signers = self._agree(
            enrolment, None if consented else account_signer or home.account, meter_signer or home.meter
        )
        self.accounts.add(enrolment.account)
        self.meters.add(enrolment.meter)
        self.connections.add(connection)
        application = Application(connection, terms, enrolment, *signers)
        return (connection, astuple(terms), astuple(enrolment), *words), application

    def enrol(self, home: Home, terms: Terms = TERMS, *, caller: Key | None = None, **options: Any) -> str | None:
        """Enrols a home's account and meter; options as of `apply`."""
        arguments, application = self.apply(home, terms, **options)
        caller = caller or self.operator
        given = (getattr(application, item.name) for item in fields(application))
        return self._split(caller, "enrol", arguments, lambda: self.registry.enrol(self.now, caller.address, *given))

    def enrol_many(
        self, applications: Sequence[tuple[tuple[Any, ...], Application]], caller: Key | None = None
    ) -> str | None:
        """Enrols a street in one go; the applications as of `apply`."""
        caller = caller or self.operator
        return self._split(
            caller,
            "enrol_many",
            ([arguments for arguments, _ in applications],),
            lambda: self.registry.enrol_many(self.now, caller.address, [one for _, one in applications]),
        )

    def swap_meter(
        self,
        home: Home,
        meter_class: int = 0,
        *,
        new_meter: Key | None = None,
        meter: str | None = None,
        old_meter: str | None = None,
        imported_wh: int = 7,
        exported_wh: int = 9,
        deadline: int | None = None,
        account_signer: Key | None = None,
        meter_signer: Key | None = None,
        consented: bool = False,
        caller: Key | None = None,
    ) -> str | None:
        """Gives a home a new meter; as `enrol`."""
        new_meter = new_meter or home.next_meter()
        swap = MeterSwap(
            home.account.address,
            home.meter.address if old_meter is None else old_meter,
            new_meter.address if meter is None else meter,
            imported_wh,
            exported_wh,
            self.now + 3600 if deadline is None else deadline,
        )
        words, signers = self._agree(
            swap, None if consented else account_signer or home.account, meter_signer or new_meter
        )
        self.meters.add(swap.new_meter)
        caller = caller or self.operator
        done = self._split(
            caller,
            "swap_meter",
            (astuple(swap), meter_class, *words),
            lambda: self.registry.swap_meter(self.now, caller.address, swap, meter_class, *signers),
        )
        if done is None:
            home.meter = new_meter
        return done

    def _agree(
        self, message: Enrolment | MeterSwap, account: Key | None, meter: Key
    ) -> tuple[list[int], tuple[str | None, str]]:
        """The words of both signatures, and whom they recover to."""
        words: list[int] = []
        signers: list[str | None] = []
        for key in (account, meter):
            signature: Signature | None = None
            if key is not None:
                try:
                    signature = key.sign(to_message(message), self.domain)
                except BadMessage:
                    # Nothing can be signed for the zero address: any signature will do.
                    signature = Signature(1, 1)
            if signature is None:
                words += [0, 0]
                signers.append(None)
            else:
                words += [signature.r, signature.vs]
                signers.append(self.recovered(lambda: to_message(message), signature.r, signature.vs))
        return words, (signers[0], str(signers[1]))

    def consent(self, caller: Key, message: Enrolment | MeterSwap) -> str | None:
        """A contract wallet's consent, by call."""
        digest = to_message(message).digest(self.domain)
        return self._split(
            caller, "consent", (digest,), lambda: self.registry.consent(self.now, caller.address, message)
        )

    def set_terms(self, home: Home, terms: Terms, caller: Key | None = None) -> str | None:
        caller = caller or self.operator
        return self._split(
            caller,
            "set_terms",
            (home.account.address, astuple(terms)),
            lambda: self.registry.set_terms(self.now, caller.address, home.account.address, terms),
        )

    def move_out(self, connection: bytes, caller: Key | None = None) -> str | None:
        return self._on_registry(caller or self.operator, "move_out", connection)

    def revoke(self, connection: bytes, caller: Key | None = None) -> str | None:
        return self._on_registry(caller or self.operator, "revoke", connection)

    # Tariffs

    def set_feeder_scale(self, feeder: int, import_bps: int, export_bps: int, caller: Key | None = None) -> str | None:
        return self._on_registry(caller or self.operator, "set_feeder_scale", feeder, import_bps, export_bps)

    def set_feeder_fee(self, feeder: int, fee_per_wh: int, caller: Key | None = None) -> str | None:
        return self._on_registry(caller or self.regulator, "set_feeder_fee", feeder, fee_per_wh)

    def set_retail(self, retail_class: int, price_per_wh: int, caller: Key | None = None) -> str | None:
        return self._on_registry(caller or self.regulator, "set_retail", retail_class, price_per_wh)

    def publish_tariff(self, imbalance_steps: int, tables: Tables, caller: Key | None = None) -> str | None:
        caller = caller or self.regulator
        words = [TableWord(row).encode() for row in (tables.surcharges, tables.haircuts, tables.rebates)]
        return self._split(
            caller,
            "publish_tariff",
            (imbalance_steps, *words),
            lambda: self.registry.publish_tariff(self.now, caller.address, imbalance_steps, tables),
        )

    def accept_classes(self, bitmap: int, caller: Key | None = None) -> str | None:
        return self._on_registry(caller or self.regulator, "accept_classes", bitmap)

    def set_paused(self, paused: bool, caller: Key | None = None) -> str | None:
        return self._on_registry(caller or self.regulator, "set_paused", paused)

    # Roles

    @property
    def operator(self) -> Key:
        """Who holds the operator's role now."""
        return self._holder(0)

    @property
    def regulator(self) -> Key:
        """Who holds the regulator's role now."""
        return self._holder(1)

    def _holder(self, role: int) -> Key:
        return self.role_keys[self.registry.holders[role]]

    @property
    def role_keys(self) -> dict[str, Key]:
        """Keys that a role can come to, by address; those of twins handed over are added by `offer_role`."""
        known: dict[str, Key] = self.__dict__.setdefault("_role_keys", {})
        known.update({key.low: key for key in (OPERATOR, REGULATOR)})
        return known

    def offer_role(self, role: int, to: Key | None, caller: Key) -> str | None:
        """Offers a role; `to` None takes the offer back."""
        if to is not None:
            self.role_keys[to.low] = to
            self.accounts.add(to.low)
        address = "0x" + "00" * 20 if to is None else to.address
        return self._on_registry(caller, "offer_role", role, address)

    def accept_role(self, role: int, caller: Key) -> str | None:
        return self._on_registry(caller, "accept_role", role)

    # Mandates

    def authorise(
        self,
        home: Home,
        *,
        expiry: int | None = None,
        max_buy_level: int = 255,
        min_sell_level: int = 0,
        max_reserve: int = 2**128 - 1,
        agent: str | None = None,
    ) -> str | None:
        """Lets the home's agent sign, for a day if not said; expiry 0 revokes."""
        agent = home.agent.address if agent is None else agent
        mandate = Agent(self.now + 86_400 if expiry is None else expiry, max_buy_level, min_sell_level, max_reserve)
        return self._split(
            home.account,
            "authorise",
            (agent, *astuple(mandate)),
            lambda: self.registry.authorise(self.now, home.account.address, agent, mandate),
        )

    def authorise_signed(
        self,
        home: Home,
        *,
        expiry: int | None = None,
        max_buy_level: int = 255,
        min_sell_level: int = 0,
        max_reserve: int = 2**128 - 1,
        agent: str | None = None,
        nonce: int | None = None,
        signer: Key | None = None,
    ) -> str | None:
        """As `authorise`, brought by a stranger."""
        account, agent = home.account.address, home.agent.address if agent is None else agent
        mandate = Agent(self.now + 86_400 if expiry is None else expiry, max_buy_level, min_sell_level, max_reserve)
        number = self.registry.agent_nonces.get(home.low, 0) if nonce is None else nonce

        def message() -> signing.Message:
            return signing.Agent(account, agent, *astuple(mandate), number)

        try:
            signature = (signer or home.account).sign(message(), self.domain)
        except BadMessage:
            signature = Signature(1, 1)
        by = self.recovered(message, signature.r, signature.vs)
        return self._split(
            STRANGER,
            "authorise_signed",
            (account, agent, *astuple(mandate), number, signature.r, signature.vs),
            lambda: self.registry.authorise_signed(self.now, account, agent, mandate, number, by),
        )

    def rate(self, home: Home, rated: bool) -> str | None:
        return self._on_registry(home.account, "rate", rated)

    def rate_signed(
        self,
        home: Home,
        rated: bool,
        *,
        nonce: int | None = None,
        deadline: int | None = None,
        signer: Key | None = None,
    ) -> str | None:
        """As `rate`, brought by a stranger."""
        account = home.account.address
        number = self.registry.rating_nonces.get(home.low, 0) if nonce is None else nonce
        deadline = self.now + 3600 if deadline is None else deadline
        message = Rating(account, rated, number, deadline)
        signature = (signer or home.account).sign(message, self.domain)
        by = self.recovered(lambda: message, signature.r, signature.vs)
        return self._split(
            STRANGER,
            "rate_signed",
            (account, rated, number, deadline, signature.r, signature.vs),
            lambda: self.registry.rate_signed(self.now, account, rated, number, deadline, by),
        )

    # Wind-down

    def announce_wind_down(self) -> str | None:
        return self._split(STRANGER, "announce_wind_down", (), lambda: self.registry.announce_wind_down(self.now))

    def wind_down(self) -> str | None:
        return self._split(STRANGER, "wind_down", (), lambda: self.registry.wind_down(self.now))
