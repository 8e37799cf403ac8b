"""What only a role may do: who sends it, and how it is said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from peerwatt.cli import output
from peerwatt.cli.fees import need_gas_money
from peerwatt.cli.session import Session

if TYPE_CHECKING:
    from peerwatt.market.senders import Sender

OPERATOR, REGULATOR = 0, 1
# What the dearest act of a role uses but for enrolments, and what an enrolment uses.
ACT_GAS, ENROL_GAS = 130_000, 225_000
ROLES = {OPERATOR: "operator", REGULATOR: "regulator"}


def holder(session: Session, role: int) -> str:
    """The address that holds a role now."""
    return str(session.gateway.registry.functions.holders(role).call())


def sender_of(session: Session, role: int) -> Sender:
    """Who acts for a role.

    Raises:
        RefusedError: --account is somebody else.
    """
    return session.sender(holder(session, role))


def act(session: Session, role: int, call: Any, text: str, data: dict[str, Any]) -> None:
    """Asks, sends one act of a role, and says that it is done.

    Args:
        call: a bound function of the registry.
        text: what it does, as a sentence that a question can follow.
        data: its values for JSON.
    """
    from web3 import Web3

    from peerwatt.market.funds import paid_fee_wei

    sender = sender_of(session, role)
    session.say(text)
    say_fees(session, sender, ACT_GAS)
    session.confirm(f"As the {ROLES[role]} {sender.address}?")
    with session.waiting("waiting for the transaction"):
        receipt = session.gateway.act(sender, call)
    transaction = Web3.to_hex(receipt["transactionHash"])
    fee_wei = paid_fee_wei([receipt])
    session.emit(
        {**data, "transaction": transaction, "gas_used": int(receipt["gasUsed"]), "fee_wei": fee_wei},
        f"Done. Fees: {output.gas_money(fee_wei)}. Transaction {transaction}",
    )


def say_fees(session: Session, sender: Sender, gas: int) -> None:
    """Says what sending costs a role, and makes sure that it has something to pay it with."""
    session.say(need_gas_money(session, sender.address, int(session.w3.eth.get_balance(sender.address)), gas))


def parse_number(text: str, most: int, name: str) -> int:
    """A feeder or class as it is written.

    Raises:
        UsageError: no number, or too large.
    """
    from peerwatt.cli.errors import UsageError

    if not text.isdecimal() or int(text) > most:
        raise UsageError(f"{text!r} is no {name}; write a number from 0 to {most}")
    return int(text)


def find_connection(session: Session, who: str, salt: Any) -> tuple[bytes, str]:
    """The connection and the account that somebody means.

    Args:
        who: account, pseudonym, or connection number.
        salt: file of the salt, which only a number needs.
    Returns:
        Pseudonym and account.
    Raises:
        RefusedError: the account is enrolled nowhere, or nobody at the connection.
    """
    from eth_utils.address import is_hex_address, to_checksum_address

    from peerwatt.cli.errors import ConfigurationError, RefusedError
    from peerwatt.operator.pseudonyms import Pseudonyms, SaltError, is_pseudonym, load_pseudonyms

    functions = session.gateway.registry.functions
    if is_hex_address(who):
        account = str(to_checksum_address(who))
        connection = bytes(functions.connection_of(account).call())
        if not any(connection):
            raise RefusedError(f"{account} holds no connection of this market; enrol it first")
        return connection, account
    try:
        # A pseudonym needs no salt.
        connection = (Pseudonyms(b"") if is_pseudonym(who) else load_pseudonyms(salt)).of(who)
    except SaltError as error:
        raise ConfigurationError(str(error)) from None
    account, known, _ = functions.connections(connection).call()
    if int(account, 16) == 0 and known:
        raise RefusedError(f"nobody holds the connection {who!r} any more; enrol somebody there first")
    if int(account, 16) == 0:
        raise RefusedError(
            f"nobody was ever enrolled for the connection {who!r} (pseudonym 0x{connection.hex()}); check the number, "
            "and that the salt is the one it was enrolled with"
        )
    return connection, str(account)


def many(words: Sequence[object], noun: str) -> str:
    """A number of things in words."""
    return f"{len(words)} {noun}{'' if len(words) == 1 else 's'}"
