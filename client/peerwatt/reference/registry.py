"""The registry: which account and meter hold which connection, on the operator's terms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .mandates import Mandates
from .market import Market
from .messages import Enrolment, MeterSwap
from .meters import MAX_REGISTER, ExportRegister, ImportRegister
from .parameters import RegistryParameters
from .participants import STATUS_FEEDING_IN, Device
from .publication import FEEDERS, METER_CLASSES, Publication
from .reasons import Refused, require
from .reputation import FULL_SCORE, START_SCORE
from .values import ZERO_ADDRESS, address, uint

MAX_LIMIT_WH = 2**24
MAX_PARTICIPANTS = 2**24 - 1
NO_CONNECTION = bytes(32)


@dataclass(frozen=True)
class Terms:
    """What the operator grants a connection; limits in Wh per window."""

    import_limit_wh: int
    export_limit_wh: int
    feeder: int
    status: int
    meter_class: int
    retail_class: int


@dataclass(frozen=True)
class Application:
    """What `enrol` takes, of one home in a batch."""

    connection: bytes
    terms: Terms
    enrolment: Enrolment
    account_signer: str | None
    meter_signer: str


@dataclass(frozen=True)
class Connection:
    """A place in the grid. Account zero: nobody holds it. `known`: somebody moved out, and left this score."""

    account: str = ZERO_ADDRESS
    known: bool = False
    score: int = 0


def _pseudonym(connection: bytes) -> bytes:
    if type(connection) is not bytes:
        raise TypeError(f"a connection is bytes, not {type(connection).__name__}")
    if len(connection) != 32:
        raise ValueError(f"a connection has 32 bytes, not {len(connection)}")
    return connection


class Registry(Publication, Mandates):
    """The registry of a market. A signer of None is r = vs = 0: a contract wallet consented by a call."""

    def __init__(self, market: Market, parameters: RegistryParameters) -> None:
        super().__init__(market, parameters)
        self.predecessor = parameters.predecessor
        self.connections: dict[bytes, Connection] = {}
        self.connection_of: dict[str, bytes] = {}
        self.meter_bound_to: dict[str, str] = {}
        self.consents: set[tuple[str, Enrolment | MeterSwap]] = set()

    @property
    def participants(self) -> int:
        """How many connections have an account."""
        return len(self.connection_of)

    def score_of(self, connection: bytes) -> int:
        """The score an account would enrol with [1/65536 points]: scores stay with the connection, across
        markets too."""
        known = self.connections.get(_pseudonym(connection), Connection())
        if known.account != ZERO_ADDRESS:
            return self.market.wallet(known.account).score
        if known.known:
            return known.score
        if self.predecessor is not None:
            return min(self.predecessor(connection), FULL_SCORE)
        return START_SCORE

    def enrol(
        self,
        now: int,
        caller: str,
        connection: bytes,
        terms: Terms,
        enrolment: Enrolment,
        account_signer: str | None,
        meter_signer: str,
    ) -> None:
        """Binds a meter and an account to a connection that nobody holds."""
        self._check_operator(caller)
        account, meter = enrolment.account, enrolment.meter
        held = self.connections.get(_pseudonym(connection), Connection())
        require(not self.market.book_state.paused, "registry: paused")
        require(enrolment.deadline >= now, "enrolment: message expired")
        require(connection != NO_CONNECTION, "enrolment: no such connection")
        require(held.account == ZERO_ADDRESS, "enrolment: connection taken")
        enrolled = self._has_device(account) or account in self.connection_of
        require(not enrolled, "enrolment: already enrolled")
        self._check_meter(account, meter)
        self._check_class(terms.meter_class)
        self._check_registers(enrolment)
        self._check_terms(terms)
        require(self.participants < MAX_PARTICIPANTS, "enrolment: market full")
        self._check_signed(account, enrolment, account_signer, meter, meter_signer)
        score = self.score_of(connection)
        self._bind(now, account, self._device(meter, terms), enrolment, score)
        self.connections[connection] = replace(held, account=account)
        self.connection_of[account] = connection
        self.meter_bound_to[meter] = account
        self._emit("Enrolled", connection=connection, account=account, meter=meter)

    def enrol_many(self, now: int, caller: str, applications: Sequence[Application]) -> None:
        """Enrols a street in one go; one bad application refuses them all."""
        self._check_operator(caller)
        require(not self.market.book_state.paused, "registry: paused")
        market, tables = self.market.snapshot(), (self.connections, self.connection_of, self.meter_bound_to)
        saved, logged = [dict(table) for table in tables], len(self.log)
        try:
            for one in applications:
                self.enrol(
                    now, caller, one.connection, one.terms, one.enrolment, one.account_signer, one.meter_signer
                )
        except Refused:
            self.market.restore(market)
            self.connections, self.connection_of, self.meter_bound_to = saved  # type: ignore[assignment]
            del self.log[logged:]
            raise

    def consent(self, now: int, caller: str, message: Enrolment | MeterSwap) -> None:
        """A contract wallet's yes to a message that it can't sign. The contract gets the message's digest."""
        caller = address(caller)
        self.consents.add((caller, message))
        self._emit("Consented", account=caller, digest=message)

    def swap_meter(
        self,
        now: int,
        caller: str,
        swap: MeterSwap,
        meter_class: int,
        account_signer: str | None,
        meter_signer: str,
    ) -> None:
        """Binds a new meter for the old one; the connection keeps terms and score. Also while paused."""
        self._check_operator(caller)
        account, meter = swap.account, swap.new_meter
        device = self.market.device(account)
        require(swap.deadline >= now, "enrolment: message expired")
        require(device.meter != ZERO_ADDRESS, "enrolment: not enrolled")
        require(device.meter == swap.old_meter, "enrolment: not the old meter")
        self._check_meter(account, meter)
        self._check_class(meter_class)
        self._check_registers(swap)
        self._check_signed(account, swap, account_signer, meter, meter_signer)
        swapped = replace(device, meter=meter, meter_class=meter_class)
        self._bind(now, account, swapped, swap, self.market.wallet(account).score)
        self.meter_bound_to[meter] = account
        self._emit("MeterSwapped", account=account, old_meter=swap.old_meter, new_meter=meter)

    def set_terms(self, now: int, caller: str, account: str, terms: Terms) -> None:
        """Changes what a connection may do; orders accepted before stay."""
        self._check_operator(caller)
        account = address(account)
        require(self._has_device(account), "enrolment: not enrolled")
        self._check_class(terms.meter_class)
        self._check_terms(terms)
        meter = self.market.device(account).meter
        self.market.set_device(now, self.address, account, self._device(meter, terms))

    def move_out(self, now: int, caller: str, connection: bytes) -> None:
        """Frees a connection for its next account; its score stays with it, the money with the account."""
        self._check_operator(caller)
        account = self._holder_of(connection)
        score = self.market.wallet(account).score
        self.market.bind(now, self.address, account, Device(), ExportRegister(), ImportRegister(), 0)
        self.connections[connection] = Connection(ZERO_ADDRESS, True, score)
        del self.connection_of[account]
        self._emit("MovedOut", connection=connection, account=account, score=score)

    def revoke(self, now: int, caller: str, connection: bytes) -> None:
        """Cuts a connection off. It belongs to its account until that moves out."""
        self._check_operator(caller)
        account = self._holder_of(connection)
        require(self._has_device(account), "enrolment: not enrolled")
        self.market.revoke(now, self.address, account)
        self._emit("Revoked", connection=connection, account=account)

    def _holder_of(self, connection: bytes) -> str:
        account = self.connections.get(_pseudonym(connection), Connection()).account
        require(account != ZERO_ADDRESS, "enrolment: no such connection")
        return account

    def _has_device(self, account: str) -> bool:
        return self.market.device(account).meter != ZERO_ADDRESS

    def _check_meter(self, account: str, meter: str) -> None:
        require(meter not in self.meter_bound_to, "enrolment: meter bound before")
        require(meter not in (ZERO_ADDRESS, account), "enrolment: bad meter")

    def _check_class(self, meter_class: int) -> None:
        known = uint(meter_class, 256, "meter_class") < METER_CLASSES
        require(known and self.accepted_classes >> meter_class & 1 == 1, "enrolment: class not accepted")

    def _check_registers(self, message: Enrolment | MeterSwap) -> None:
        highest = max(message.imported_wh, message.exported_wh)
        require(highest < MAX_REGISTER, "enrolment: register overflow")

    def _check_terms(self, terms: Terms) -> None:
        for name in ("import_limit_wh", "export_limit_wh", "feeder", "status", "retail_class"):
            uint(getattr(terms, name), 256, name)
        sensible = (
            terms.import_limit_wh < MAX_LIMIT_WH
            and terms.export_limit_wh < MAX_LIMIT_WH
            and terms.feeder < FEEDERS
            and terms.status <= STATUS_FEEDING_IN
            and self.retail.get(terms.retail_class, 0) > 0
        )
        require(sensible, "enrolment: senseless terms")

    def _check_signed(
        self,
        account: str,
        message: Enrolment | MeterSwap,
        account_signer: str | None,
        meter: str,
        meter_signer: str,
    ) -> None:
        if account_signer is None:
            agreed = (account, message) in self.consents
        else:
            agreed = address(account_signer) == account and account != ZERO_ADDRESS
        require(agreed and address(meter_signer) == meter, "signing: bad signature")

    def _device(self, meter: str, terms: Terms) -> Device:
        return Device(
            meter=meter,
            import_limit_wh=terms.import_limit_wh,
            export_limit_wh=terms.export_limit_wh,
            feeder=terms.feeder,
            status=terms.status,
            meter_class=terms.meter_class,
            retail_class=terms.retail_class,
        )

    def _bind(
        self, now: int, account: str, device: Device, message: Enrolment | MeterSwap, score: int
    ) -> None:
        window = self._window_at(now)
        exports = ExportRegister(device.meter, message.exported_wh, window)
        imports = ImportRegister(message.imported_wh, window)
        self.market.bind(now, self.address, account, device, exports, imports, score)
