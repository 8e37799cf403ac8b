"""`peerwatt join`: the consent of account and meter, for the operator."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from peerwatt.cli import output
from peerwatt.cli.errors import ConfigurationError, RefusedError, UsageError
from peerwatt.cli.options import command
from peerwatt.cli.session import Session
from peerwatt.cli.settings import data_home

if TYPE_CHECKING:
    from peerwatt.signing import Enrolment, Signature
    from peerwatt.wallet.keystores import Keystore

VALID_FOR = "14d"

Register = Annotated[str, typer.Option(metavar="ENERGY", help="What the meter shows now, such as '1234.567 kWh'.")]


def register(root: typer.Typer, panel: str) -> None:
    """Adds the command."""
    command(root, asks=True, rich_help_panel=panel)(join)


def join(
    session: Session,
    imported: Register,
    exported: Register,
    meter: Annotated[
        str | None, typer.Option("--meter", metavar="METER", help="The meter's key, or the address of one elsewhere.")
    ] = None,
    meter_password_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Password of the meter's keystore, if it has its own.")
    ] = None,
    for_: Annotated[
        str | None, typer.Option("--for", metavar="DURATION", help=f"How long the operator may use it; {VALID_FOR}.")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="The same as a moment.")] = None,
    typed_data: Annotated[
        bool, typer.Option("--typed-data", help="Print what a meter elsewhere has to sign, and sign nothing.")
    ] = False,
    meter_signature: Annotated[
        str | None, typer.Option(metavar="HEX", help="What that meter signed; with the same --until.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="The consent file, a new one.")] = None,
) -> None:
    """Ask to join the market: write the consent that the operator needs, signed by account and meter."""
    from peerwatt.operator.consent import Consent
    from peerwatt.signing import sign

    if meter_signature is not None and until is None:
        raise UsageError("--meter-signature is for one very deadline; give the one that the meter signed with --until")
    if meter_signature is not None and typed_data:
        raise UsageError("--typed-data is for the step before --meter-signature; give one of them")
    keystore = None if meter is not None and meter.lower().startswith("0x") else find_meter(session, meter)
    message = _build(session, keystore, meter, imported, exported, _deadline(session, for_, until))
    _check_free(session, message)
    if typed_data:
        moment = session.clock.local(message.deadline).isoformat()
        typer.echo(f"When the meter has signed: add --until {moment} --meter-signature HEX", err=True)
        session.emit(message.to_typed_data(session.domain), output.to_json(message.to_typed_data(session.domain)))
        return
    target = Path(f"consent-{message.account[2:10].lower()}.json") if out is None else out.expanduser()
    if target.exists():
        raise ConfigurationError(f"{target} exists; name another file with --out, nothing is overwritten")
    if meter_signature is None and keystore is None:
        keystore = _find_key_of(session, message.meter)
    session.say(_describe(session, message))
    session.confirm("Sign?" if keystore is None or meter_signature is not None else "Sign with both keys?")
    by_account = sign(message, session.domain, bytes(session.signer().key))
    if meter_signature is not None:
        by_meter = _take(session, message, meter_signature)
    else:
        assert keystore is not None
        by_meter = sign(message, session.domain, bytes(session.unlock(keystore, meter_password_file).key))
    consent = Consent(session.domain, message, by_account, by_meter)
    consent.check(session.domain, session.clock.now_s)
    consent.save(target)
    session.emit(
        {"file": str(target), **consent.to_json()},
        f"{target} is the consent. Send it to the operator, and say for which connection it is: the file has no name "
        "and no place in it. They enrol you with: peerwatt operator enrol",
    )


def find_meter(session: Session, wanted: str | None) -> Keystore:
    """The keystore of the meter that is meant: by name, address, the setting `meter`, or the only one."""
    from peerwatt.wallet import keystores

    wanted = session.settings["meter"] if wanted is None else wanted
    return keystores.find([data_home() / "meters"], wanted, flag="--meter", maker="peerwatt meter new")


def _find_key_of(session: Session, meter: str) -> Keystore:
    from peerwatt.wallet.keystores import KeystoreError

    try:
        return find_meter(session, meter)
    except KeystoreError as error:
        raise KeystoreError(f"{error}; a meter that signs elsewhere gets what to sign from --typed-data") from None


def _build(
    session: Session, keystore: Keystore | None, meter: str | None, imported: str, exported: str, deadline: int
) -> Enrolment:
    from peerwatt.signing import Enrolment
    from peerwatt.units import parse_energy

    address = session.resolve(meter or "") if keystore is None else keystore.address
    if address is None:
        assert keystore is not None
        raise ConfigurationError(f"{keystore.path} does not say its address; make the meter's key with peerwatt")
    return Enrolment(session.address, address, parse_energy(imported), parse_energy(exported), deadline)


def _deadline(session: Session, for_: str | None, until: str | None) -> int:
    from peerwatt.market.durations import parse_duration

    clock = session.clock
    if for_ is not None and until is not None:
        raise UsageError("--for and --until say the same in two ways; give one of them")
    deadline = clock.now_s + parse_duration(for_ or VALID_FOR) if until is None else clock.parse_time(until)
    if deadline <= clock.now_s:
        raise UsageError(f"{until!r} is {clock.format_time(deadline)}, which is past; give a later time")
    return deadline


def _check_free(session: Session, message: Enrolment) -> None:
    """Makes sure that account and meter can be bound, before anybody signs.

    Raises:
        RefusedError: one of them is bound, or both are one.
    """
    functions = session.gateway.registry.functions
    nobody = "0x" + "00" * 20
    if message.account == message.meter:
        raise RefusedError(f"account and meter are both {message.account}; a meter needs a key of its own")
    if any(functions.connection_of(message.account).call()):
        raise RefusedError(f"{message.account} is enrolled already; see: peerwatt wallet balance")
    if functions.meter_bound_to(message.meter).call() != nobody:
        raise RefusedError(
            f"the meter {message.meter} was bound before, and a meter's key binds once ever; give it a new one with: "
            "peerwatt meter new"
        )


def _describe(session: Session, message: Enrolment) -> str:
    from peerwatt.units import format_energy

    clock = session.clock
    return (
        f"You agree that {message.account} joins the market {session.deployment.market} on chain "
        f"{session.deployment.chain_id} with the meter {message.meter}, whose registers stand at "
        f"{format_energy(message.imported_wh)} imported and {format_energy(message.exported_wh)} exported. "
        f"The operator can use it until {clock.format_time(message.deadline)} {clock.zone_name()}."
    )


def _take(session: Session, message: Enrolment, text: str) -> Signature:
    """The signature of a meter elsewhere.

    Raises:
        RefusedError: it signed something else, or another meter did.
    """
    from peerwatt.exceptions import BadSignature
    from peerwatt.signing import Signature, check_signer

    signature = Signature.from_hex(text)
    try:
        check_signer(message, session.domain, signature, message.meter)
    except BadSignature:
        raise RefusedError(
            f"--meter-signature is not the signature of {message.meter} for these registers and this deadline; "
            "print what it has to sign with --typed-data, and give the same values"
        ) from None
    return signature
