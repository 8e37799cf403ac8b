# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Enrolment: which connection, account and meter take part, and within which limits
@license Apache-2.0
@notice A connection is a pseudonym that the operator gives to a point of the network. An account is enrolled for one
        connection with one meter; account and meter both agreed. The score belongs to the connection: it outlives
        the account, the meter and, through `predecessor`, the market.
@dev Words are laid out in docs/contract.md. The market refuses to bind while the account has an open window.
"""

from . import consent
from . import publication
from . import roles
from ..interfaces import IEnergyRegistry

uses: consent
uses: publication
uses: roles


event Enrolled:
    connection: indexed(bytes32)
    account: indexed(address)
    meter: indexed(address)


event MeterSwapped:
    account: indexed(address)
    old_meter: indexed(address)
    new_meter: indexed(address)


event MovedOut:
    connection: indexed(bytes32)
    account: indexed(address)
    score: uint256


event Revoked:
    connection: indexed(bytes32)
    account: indexed(address)


event ClassesAccepted:
    bitmap: uint256


struct Terms:
    import_limit_wh: uint256  # per window
    export_limit_wh: uint256  # per window
    feeder: uint256
    status: uint256  # 0 off, 1 only consuming, 2 feeding in
    meter_class: uint256
    retail_class: uint256


struct Connection:
    account: address  # zero while nobody is enrolled for it
    known: bool  # somebody moved out of it: `score` holds
    score: uint256  # 1/65536 points, as of the last move


struct Application:
    connection: bytes32
    terms: Terms
    enrolment: consent.Enrolment
    account_r: uint256
    account_vs: uint256
    meter_r: uint256
    meter_vs: uint256


START_SCORE: constant(uint256) = 5_000 * 65_536
FULL_SCORE: constant(uint256) = 10_000 * 65_536
# Sums over all participants fit their packed fields up to here.
MAX_PARTICIPANTS: constant(uint256) = 2**24 - 1
LIMIT_BOUND_WH: constant(uint256) = 2**24
FEEDERS: constant(uint256) = 2**16
METER_CLASSES: constant(uint256) = 64
MAX_STATUS: constant(uint256) = 2
REGISTER_BOUND_WH: constant(uint64) = 2**48
ADDRESS_MASK: constant(uint256) = 2**160 - 1
CLASS_MASK: constant(uint256) = 63 << 226
SCORE_MASK: constant(uint256) = 2**30 - 1
PAUSED_BIT: constant(uint256) = 1 << 97

# The registry of an older market, zero for none: where a connection new to this one had its score.
predecessor: public(immutable(address))

connections: public(HashMap[bytes32, Connection])
# account -> connection, zero for none
connection_of: public(HashMap[address, bytes32])
# meter -> the account it was bound to, for good
meter_bound_to: public(HashMap[address, address])
# connections with an account
participants: public(uint256)
# bitmap of meter classes that can enrol
accepted_classes: public(uint256)


@deploy
def __init__(accepted_meter_classes: uint256, predecessor_: address):
    assert predecessor_ == empty(address) or predecessor_.is_contract, "registry: senseless parameter"
    predecessor = predecessor_
    self._set_classes(accepted_meter_classes)


@external
def enrol(
    connection: bytes32,
    terms: Terms,
    enrolment: consent.Enrolment,
    account_r: uint256,
    account_vs: uint256,
    meter_r: uint256,
    meter_vs: uint256,
):
    """
    @notice Enrol an account and its meter for a connection. Both signed the message; a contract wallet consented by
            call, then `account_r` and `account_vs` are zero.
    @param terms The operator's limits and classes; changed later by `set_terms`.
    """
    self._check_enrolling()
    self._enrol(
        Application(
            connection=connection,
            terms=terms,
            enrolment=enrolment,
            account_r=account_r,
            account_vs=account_vs,
            meter_r=meter_r,
            meter_vs=meter_vs,
        )
    )


@external
def enrol_many(applications: DynArray[Application, 32]):
    """
    @notice Enrol a street in one go; one bad application refuses them all.
    """
    self._check_enrolling()
    for application: Application in applications:
        self._enrol(application)


@view
@internal
def _check_enrolling():
    roles._check_operator()
    assert staticcall consent.MARKET.book_state() & PAUSED_BIT == 0, "registry: paused"


@internal
def _enrol(application: Application):
    connection: bytes32 = application.connection
    terms: Terms = application.terms
    enrolment: consent.Enrolment = application.enrolment
    self._check_deadline(enrolment.deadline)
    assert connection != empty(bytes32), "enrolment: no such connection"
    assert self.connections[connection].account == empty(address), "enrolment: connection taken"
    assert self.connection_of[enrolment.account] == empty(bytes32), "enrolment: already enrolled"
    self._check_meter(enrolment.meter, enrolment.account)
    self._check_class(terms.meter_class)
    self._check_registers(enrolment.imported_wh, enrolment.exported_wh)
    self._check_terms(terms)
    assert self.participants < MAX_PARTICIPANTS, "enrolment: market full"
    struct_hash: bytes32 = consent._get_enrolment_hash(enrolment)
    consent._check_both(
        struct_hash,
        enrolment.account,
        application.account_r,
        application.account_vs,
        enrolment.meter,
        application.meter_r,
        application.meter_vs,
    )

    score: uint256 = self._get_score(connection)
    self.connections[connection].account = enrolment.account
    self.connection_of[enrolment.account] = connection
    self.participants += 1
    log Enrolled(connection=connection, account=enrolment.account, meter=enrolment.meter)
    self._bind(
        enrolment.account,
        enrolment.meter,
        self._pack_terms(terms),
        enrolment.imported_wh,
        enrolment.exported_wh,
        score,
    )


@external
def swap_meter(
    swap: consent.MeterSwap,
    meter_class: uint256,
    account_r: uint256,
    account_vs: uint256,
    meter_r: uint256,
    meter_vs: uint256,
):
    """
    @notice Bind another meter to an enrolled account; terms and score stay, the registers start anew.
    """
    roles._check_operator()
    self._check_deadline(swap.deadline)
    device: uint256 = self._get_device(swap.account)
    assert device & ADDRESS_MASK == convert(swap.old_meter, uint256), "enrolment: not the old meter"
    self._check_meter(swap.new_meter, swap.account)
    self._check_class(meter_class)
    self._check_registers(swap.imported_wh, swap.exported_wh)
    struct_hash: bytes32 = consent._get_swap_hash(swap)
    consent._check_both(struct_hash, swap.account, account_r, account_vs, swap.new_meter, meter_r, meter_vs)

    log MeterSwapped(account=swap.account, old_meter=swap.old_meter, new_meter=swap.new_meter)
    self._bind(
        swap.account,
        swap.new_meter,
        (device & ~(ADDRESS_MASK | CLASS_MASK)) | (meter_class << 226),
        swap.imported_wh,
        swap.exported_wh,
        self._get_wallet_score(swap.account),
    )


@external
def set_terms(account: address, terms: Terms):
    """
    @notice Change limits, feeder, status and classes of an enrolled account; touches later acceptances only.
    """
    roles._check_operator()
    device: uint256 = self._get_device(account)
    self._check_class(terms.meter_class)
    self._check_terms(terms)
    extcall consent.MARKET.set_device(account, (device & ADDRESS_MASK) | self._pack_terms(terms))


@external
def move_out(connection: bytes32):
    """
    @notice Release the account of a connection; the score stays with the connection.
    """
    roles._check_operator()
    account: address = self._get_account(connection)
    score: uint256 = self._get_wallet_score(account)
    self.connections[connection] = Connection(account=empty(address), known=True, score=score)
    self.connection_of[account] = empty(bytes32)
    self.participants -= 1
    log MovedOut(connection=connection, account=account, score=score)
    extcall consent.MARKET.bind(account, 0, 0, 0, 0)


@external
def revoke(connection: bytes32):
    """
    @notice Take the device from a connection's account: no new orders, windows not yet gated are cancelled. The
            account keeps its money, and the connection until it is moved out.
    """
    roles._check_operator()
    account: address = self._get_account(connection)
    self._get_device(account)
    log Revoked(connection=connection, account=account)
    extcall consent.MARKET.revoke(account)


@external
def accept_classes(bitmap: uint256):
    """
    @notice Set the meter classes that can be enrolled from now on, bit by class.
    """
    roles._check_regulator()
    self._set_classes(bitmap)


@view
@external
def score_of(connection: bytes32) -> uint256:
    """
    @notice Score of a connection in 1/65536 points: of its account, else as it was left, else the predecessor's,
            else the start score.
    """
    return self._get_score(connection)


@internal
def _set_classes(bitmap: uint256):
    assert bitmap >> METER_CLASSES == 0, "enrolment: class out of bounds"
    self.accepted_classes = bitmap
    log ClassesAccepted(bitmap=bitmap)


@internal
def _bind(
    account: address, meter: address, terms_word: uint256, imported_wh: uint64, exported_wh: uint64, score: uint256
):
    self.meter_bound_to[meter] = account
    now_window: uint256 = publication._now_window()
    meter_word: uint256 = convert(meter, uint256)
    extcall consent.MARKET.bind(
        account,
        meter_word | terms_word,
        meter_word | (convert(exported_wh, uint256) << 160) | (now_window << 208),
        convert(imported_wh, uint256) | (now_window << 48),
        score,
    )


@view
@internal
def _check_deadline(deadline: uint64):
    assert convert(deadline, uint256) >= block.timestamp, "enrolment: message expired"


@view
@internal
def _check_meter(meter: address, account: address):
    assert self.meter_bound_to[meter] == empty(address), "enrolment: meter bound before"
    assert meter != empty(address) and meter != account, "enrolment: bad meter"


@view
@internal
def _check_class(meter_class: uint256):
    # No class past the last one is ever in the bitmap.
    assert (self.accepted_classes >> meter_class) & 1 == 1, "enrolment: class not accepted"


@pure
@internal
def _check_registers(imported_wh: uint64, exported_wh: uint64):
    assert max(imported_wh, exported_wh) < REGISTER_BOUND_WH, "enrolment: register overflow"


@view
@internal
def _check_terms(terms: Terms):
    assert terms.import_limit_wh < LIMIT_BOUND_WH, "enrolment: senseless terms"
    assert terms.export_limit_wh < LIMIT_BOUND_WH, "enrolment: senseless terms"
    assert terms.feeder < FEEDERS and terms.status <= MAX_STATUS, "enrolment: senseless terms"
    # No class past the last one ever has a retail price.
    assert publication.retail[terms.retail_class] != 0, "enrolment: senseless terms"


@pure
@internal
def _pack_terms(terms: Terms) -> uint256:
    return (
        (terms.import_limit_wh << 160)
        | (terms.export_limit_wh << 184)
        | (terms.feeder << 208)
        | (terms.status << 224)
        | (terms.meter_class << 226)
        | (terms.retail_class << 232)
    )


@view
@internal
def _get_account(connection: bytes32) -> address:
    account: address = self.connections[connection].account
    assert account != empty(address), "enrolment: no such connection"
    return account


@view
@internal
def _get_device(account: address) -> uint256:
    device: uint256 = staticcall consent.MARKET.devices(account)
    assert device != 0, "enrolment: not enrolled"
    return device


@view
@internal
def _get_wallet_score(account: address) -> uint256:
    return (staticcall consent.MARKET.wallets(account) >> 208) & SCORE_MASK


@view
@internal
def _get_score(connection: bytes32) -> uint256:
    held: Connection = self.connections[connection]
    if held.account != empty(address):
        return self._get_wallet_score(held.account)
    if held.known:
        return held.score
    if predecessor != empty(address):
        return min(staticcall IEnergyRegistry(predecessor).score_of(connection), FULL_SCORE)
    return START_SCORE
